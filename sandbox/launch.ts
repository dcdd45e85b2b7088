// Owns how a process that may run hostile code is started: environment from nothing, no inherited descriptors, own process
// group, limits, and a jail around it where one is asked for. Only words are put together here; the launcher does it.
// Knows nothing of Cells, Micros or builds.
import { existsSync } from 'node:fs';
import { type Jail, jailed, nextUser } from './jail.ts';
import { type Handle, type Launched, Launcher, type Place } from './launcher.ts';

export interface LaunchSpec {
  /** Absolute path and arguments. */
  command: readonly string[];
  /** All of it: nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** What is open, from 0 on; 'pipe' beyond 2 is a socket pair. Nothing else stays open. */
  stdio: readonly Place[];
  /** What `handed` is. */
  handle?: Handle | undefined;
  limits?: LaunchLimits;
  /** What is started sees to its limits and to its end by itself. */
  isOnItsOwn?: boolean;
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

/** What runs, and who runs in the jail around it, where there is one. */
export interface Jailed extends Launched { inside?: Promise<number | undefined> }

/** bubblewrap tells whom it started a few milliseconds after its own start. */
const INSIDE_PATIENCE_MS = 500;
let launcher: Launcher | undefined;

/** Start an untrusted process. It leads a process group of its own, dumps no core, gains no privileges, is the first to go
 *  when memory is short, and on Linux dies with this one.
 *  @throws Error whose `code` is what the system says, when it could not be started */
export async function launch(spec: LaunchSpec): Promise<Jailed> {
  const { stdio, jail, env = {}, cwd = '/', handle } = spec;
  if (launcher === undefined || launcher.isOver) launcher = new Launcher();
  if (!jail) return launcher.start({ command: wrap(spec, spec.command), env: { ...env }, cwd, stdio: [...stdio] }, handle);
  const { command, places } = jailed(BWRAP!, spec.command, jail, stdio.length);
  return jailedAs(await launcher.start({ command: wrap(spec, command), env: { ...env }, cwd, stdio: [...stdio, 'pipe', ...places] }, handle), stdio.length);
}

/** bubblewrap, killed in the moment in which it makes its child, leaves that behind: the child goes first, once it is known. */
function jailedAs(outer: Launched, at: number): Jailed {
  const inside = jailedPid(outer, at);
  let hasExited = false;
  void outer.exited.then(() => { hasExited = true; });
  return {
    ...outer, inside,
    kill() {
      void Promise.race([inside, new Promise<undefined>((resolve) => { setTimeout(() => resolve(undefined), INSIDE_PATIENCE_MS).unref(); })]).then((pid) => {
        if (pid !== undefined && !hasExited) endProcess(pid);
        outer.kill();
      });
    },
  };
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function wrap({ limits = {}, jail, isOnItsOwn = false }: LaunchSpec, command: readonly string[]): string[] {
  if (isOnItsOwn) return [...command];
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
export function jailedPid({ stdio }: Launched, at: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const info = stdio[at];
    info?.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const found = /"child-pid": *(\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    for (const event of ['end', 'close']) info?.on(event, () => resolve(undefined));
  });
}

function limitFlags({ dataBytes, openFiles, processes, fileSizeBytes }: LaunchLimits): string[] {
  const flags = { data: dataBytes, nofile: openFiles, nproc: processes, fsize: fileSizeBytes };
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
}

/** The last bytes of a stream of output: enough for a last word, whatever is poured in. */
export function keepTail(stream: NodeJS.ReadableStream | undefined, maxBytes = 8 * 1024): () => string {
  let tail = Buffer.alloc(0);
  stream?.on('data', (chunk: Buffer) => { tail = Buffer.concat([tail, chunk]).subarray(-maxBytes); });
  stream?.on('error', () => {});
  return () => tail.toString();
}

export function findTool(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}
