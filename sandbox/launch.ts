// Owns how a process that may run hostile code is started and ended: environment from nothing, no inherited descriptors,
// own process group, limits. Knows nothing of Cells, Micros or builds. bubblewrap will wrap the command here.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface LaunchSpec {
  /** Absolute path and arguments. */
  command: readonly string[];
  /** All of it: nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Descriptors from 0 on; 'pipe' beyond 2 is a socket pair. Nothing else stays open. */
  stdio: StdioOptions;
  limits?: LaunchLimits;
}

export interface LaunchLimits {
  /** Private writable memory (RLIMIT_DATA). */
  dataBytes?: number;
  openFiles?: number;
  /** Processes and threads of this user (RLIMIT_NPROC). */
  processes?: number;
  fileSizeBytes?: number;
}

const PRLIMIT = findTool('prlimit');
const SETPRIV = findTool('setpriv');

/** What this machine can do beside a plain process. */
export const launchSupport = { limits: PRLIMIT !== undefined, dieWithParent: SETPRIV !== undefined } as const;

/** Start an untrusted process. It leads a process group of its own, dumps no core, gains no privileges, and on Linux dies with this one. */
export function launch(spec: LaunchSpec): ChildProcess {
  const [command, ...args] = wrap(spec);
  return spawn(command!, args, { env: { ...spec.env }, cwd: spec.cwd ?? '/', stdio: spec.stdio, detached: true, windowsHide: true });
}

function wrap({ command, limits = {} }: LaunchSpec): string[] {
  const wrapped: string[] = [];
  if (PRLIMIT) wrapped.push(PRLIMIT, '--core=0', ...limitFlags(limits), '--');
  if (SETPRIV) wrapped.push(SETPRIV, '--no-new-privs', '--pdeathsig', 'KILL', '--');
  return [...wrapped, ...command];
}

function limitFlags({ dataBytes, openFiles, processes, fileSizeBytes }: LaunchLimits): string[] {
  const flags = { data: dataBytes, nofile: openFiles, nproc: processes, fsize: fileSizeBytes };
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
}

/** SIGKILL the process and all of its group. Never throws. */
export function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

/** The last bytes of a stream of output: enough for a last word, whatever is poured in. */
export function keepTail(stream: NodeJS.ReadableStream | null, maxBytes = 8 * 1024): () => string {
  let tail = Buffer.alloc(0);
  stream?.on('data', (chunk: Buffer) => { tail = Buffer.concat([tail, chunk]).subarray(-maxBytes); });
  stream?.on('error', () => {});
  return () => tail.toString();
}

function findTool(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}
