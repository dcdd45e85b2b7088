// Owns how a process that may run hostile code is started and ended: environment from nothing, no inherited descriptors,
// own process group, limits, and a jail around it where one is asked for. Knows nothing of Cells, Micros or builds.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { closeAll, type Jail, jailed, nextUser } from './jail.ts';

export interface LaunchSpec {
  /** Absolute path and arguments. */
  command: readonly string[];
  /** All of it: nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Descriptors from 0 on; 'pipe' beyond 2 is a socket pair. Nothing else stays open. */
  stdio: Exclude<StdioOptions, string>;
  limits?: LaunchLimits;
  /** Needs bubblewrap; `self-test.ts` knows whether it works here. */
  jail?: Jail;
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
const CHOOM = findTool('choom');
const BWRAP = findTool('bwrap');

/** What this machine has beside a plain process. */
export const launchSupport = { limits: PRLIMIT !== undefined, dieWithParent: SETPRIV !== undefined, jail: BWRAP !== undefined && SETPRIV !== undefined } as const;

/** Start an untrusted process. It leads a process group of its own, dumps no core, gains no privileges, is the first to go
 *  when memory is short, and on Linux dies with this one. */
export function launch(spec: LaunchSpec): ChildProcess {
  const { stdio, jail } = spec;
  if (!jail) return start(wrap(spec, spec.command), spec, [...stdio, ...shut(stdio.length)]);
  const { command, descriptors } = jailed(BWRAP!, spec.command, jail, stdio.length);
  try {
    const all: StdioOptions = [...stdio, 'pipe', ...descriptors];
    return start(wrap(spec, command), spec, [...all, ...shut(all.length)]);
  } finally {
    closeAll(descriptors);
  }
}

function start([command, ...args]: string[], { env, cwd }: LaunchSpec, stdio: StdioOptions): ChildProcess {
  return spawn(command!, args, { env: { ...env }, cwd: cwd ?? '/', stdio, detached: true, windowsHide: true });
}

function wrap({ limits = {}, jail }: LaunchSpec, command: readonly string[]): string[] {
  const wrapped: string[] = [];
  if (CHOOM) wrapped.push(CHOOM, '--adjust=1000', '--');
  if (PRLIMIT) wrapped.push(PRLIMIT, '--core=0', ...limitFlags(limits), '--');
  if (SETPRIV) wrapped.push(SETPRIV, '--no-new-privs', '--pdeathsig', 'KILL', ...(jail ? userFlags() : []), '--');
  return [...wrapped, ...command];
}

/** Root in a sandbox would be root of this machine wherever the sandbox has a hole. */
function userFlags(): string[] {
  if (process.getuid?.() !== 0) return [];
  const user = String(nextUser());
  return ['--reuid', user, '--regid', user, '--clear-groups'];
}

/** Who runs in a jail: bubblewrap, which is the child, says whom it started. */
export function jailedPid(child: ChildProcess, at: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const info = child.stdio[at] as Readable;
    info.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const found = /"child-pid": *(\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    for (const event of ['end', 'error', 'close']) info.on(event, () => resolve(undefined));
  });
}

let leaked: number[] | undefined;

/** What this process inherited open, and would hand on: each place is taken by nothing. */
function shut(from: number): (number | 'ignore')[] {
  leaked ??= findLeaked();
  const last = Math.max(-1, ...leaked);
  if (last < from) return [];
  const nothing = openNothing();
  return Array.from({ length: last + 1 - from }, (_, at) => (leaked!.includes(from + at) ? nothing : 'ignore'));
}

let nothingOpen: number | undefined;
const openNothing = (): number => (nothingOpen ??= openSync('/dev/null', 'r'));

const CLOSE_ON_EXEC = 0o2000000;

function findLeaked(): number[] {
  const open = existsSync('/proc/self/fdinfo') ? readdirSync('/proc/self/fdinfo').map(Number) : [];
  return open.filter((descriptor) => descriptor > 2 && !isClosedOnExec(descriptor));
}

function isClosedOnExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1] ?? '0';
    return (parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    // It was open only while it was looked for.
    return true;
  }
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

export function findTool(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}
