// Owns a real host for tests, started as its users start it: `npm start` in the checkout, its data in a folder of the test.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface HostProcess extends AsyncDisposable {
  /** Of the dashboard, such as `http://localhost:41234`. */
  url: string;
  /** Of the control plane, as SPACE_ROOT takes it. */
  root: string;
  tlsUrl: string | undefined;
  setupUrl: string | undefined;
  port: number;
  dataFolder: string;
  /** What it printed so far. */
  stdout(): string;
  stderr(): string;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  /** Ctrl-C in its terminal: SIGINT to everything it started. @returns the exit code */
  interrupt(): Promise<number | null>;
  /** SIGKILL to everything it started. */
  kill(): Promise<void>;
}

export interface HostProcessOptions {
  dataFolder?: string;
  args?: string[];
  env?: Record<string, string>;
  port?: number;
}

export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));
const START_MS = 60_000;
/** A host drains for 5 s; what takes much longer hangs. */
const STOP_MS = 20_000;

/** Ends with `stop()`, `kill()` or `await using`, which removes a folder that it made itself. */
export async function startHostProcess({ dataFolder, args = [], env = {}, port = 0 }: HostProcessOptions = {}): Promise<HostProcess> {
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'ownspace-')));
  const child = spawnHost(['--data', folder, '--port', String(port), '--tls-port', '0', ...args], env);
  const output = collectOutput(child);
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const url = await readyUrl(child, output).catch(async (error) => {
    await killGroup(child, exited);
    if (dataFolder === undefined) await removeFolder(folder);
    throw error;
  });
  const ending = async (): Promise<number | null> => {
    const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), STOP_MS).unref());
    const code = await Promise.race([exited, late]);
    if (code !== 'late') return code;
    await killGroup(child, exited);
    throw new Error(`the host did not end within ${STOP_MS} ms of the signal:\n${output.stderr()}`);
  };
  return {
    url, root: `${url}/api`, port: Number(new URL(url).port), dataFolder: folder,
    tlsUrl: /(https:\/\/\S+)/.exec(output.stdout())?.[1],
    setupUrl: /(http:\/\/\S+\/setup\?secret=\S+)/.exec(output.stdout())?.[1],
    ...output,
    stop() {
      child.kill('SIGTERM');
      return ending();
    },
    interrupt() {
      process.kill(-(child.pid as number), 'SIGINT');
      return ending();
    },
    kill: () => killGroup(child, exited),
    async [Symbol.asyncDispose]() {
      await killGroup(child, exited);
      if (dataFolder === undefined) await removeFolder(folder);
    },
  };
}

/** The same host again: its folder and its port, as after a reboot. */
export function startAgain(host: HostProcess, options: Omit<HostProcessOptions, 'dataFolder' | 'port'> = {}): Promise<HostProcess> {
  return startHostProcess({ ...options, dataFolder: host.dataFolder, port: host.port });
}

/** Start it and wait for its end: for starts that must fail. */
export async function failToStart(args: string[], env: Record<string, string> = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnHost(args, env);
  const { stdout, stderr } = collectOutput(child);
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const late = setTimeout(() => void killGroup(child, closed), START_MS);
  const code = await closed;
  clearTimeout(late);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** A group of its own, so that `kill` reaches all of it. Settings of whoever runs the tests stay out. */
function spawnHost(args: string[], env: Record<string, string>): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !/^(OWNSPACE_|SPACE_|DETA_|NODE_OPTIONS$|VITEST)/.test(name));
  return spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: CHECKOUT, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...Object.fromEntries(own), OWNSPACE_LOG: 'info', ...env },
  });
}

function collectOutput(child: ChildProcess): { stdout(): string; stderr(): string } {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += chunk));
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  return { stdout: () => stdout, stderr: () => stderr };
}

async function killGroup(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch (error) {
    // Nobody of the group is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await exited;
}

async function readyUrl(child: ChildProcess, output: { stdout(): string; stderr(): string }): Promise<string> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline) {
    const url = /Dashboard\s+(http:\/\/\S+)/.exec(output.stdout())?.[1];
    if (url !== undefined && output.stdout().includes('Ctrl-C')) return url;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the host did not start:\n${output.stdout()}\n${output.stderr()}`);
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
