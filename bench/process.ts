// Owns starting and ending the programs under measurement. Knows nothing of what they serve.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

export interface Running {
  pid: number;
  /** Ends it, politely at first. */
  stop(): Promise<void>;
}

export interface ProgramOptions { env?: Record<string, string>; cwd?: string }

/** Start a program; what it writes to stderr is shown only when it fails to start. */
export async function startProgram(command: readonly string[], options: ProgramOptions & { isReady(): Promise<boolean> }): Promise<Running> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => { complaints = (complaints + chunk.toString()).slice(-4000); });
  child.on('error', (error) => { complaints += error.message; });
  try {
    await waitFor(async () => {
      if (child.pid === undefined || child.exitCode !== null) throw new Error('it ended');
      return options.isReady();
    }, START_TIMEOUT_MS);
  } catch (cause) {
    child.kill('SIGKILL');
    throw new Error(`${command.join(' ')} did not start:\n${complaints}`, { cause });
  }
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

/** Start one of the small servers in `peers/`; it prints its port on the first line. */
export async function startPeer(path: string, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Running & { port: number }> {
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const failed = once(child, 'exit').then(() => { throw new Error(`${path} ended before it was ready`); });
  const [line] = (await Promise.race([once(child.stdout, 'data'), failed])) as [Buffer];
  failed.catch(() => {});
  return { pid: child.pid ?? 0, port: Number(line.toString()), stop: () => stop(child) };
}

/** Run a program to its end. @throws when its exit code is not 0 */
export async function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${err}${out}`);
  return out;
}

/** The path of an installed program; `undefined` when there is none. */
export function findProgram(name: string): string | undefined {
  return (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** A port that was free a moment ago, for programs that cannot choose one. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Ask again and again, at short intervals. @throws after `timeoutMs` */
export async function waitFor(isTrue: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`nothing after ${timeoutMs} ms`);
    await sleep(20);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const isLate = await Promise.race([ended.then(() => false), sleep(STOP_TIMEOUT_MS, true, { ref: false })]);
  if (isLate) child.kill('SIGKILL');
  await ended;
}
