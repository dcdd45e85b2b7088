// Owns boxes: how any program that may be hostile runs here, a Micro's or a build's. It sees its own folder, /usr and an /etc
// made for it; it has a network of its own with nothing in it but what is forwarded; and it is gone with all its children when
// it is killed. Knows neither Micros nor builds.
import { chmod, mkdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { boxCommand, bareCommand, FD, wholeEnv, type BoxLimits, type BoxPlan, type BoxTools } from './box-command.ts';
import { handOver } from './box-user.ts';
import { type Etc, EtcFolders } from './box-etc.ts';
import type { Group, Groups } from './cgroup.ts';
import { type Forwarder, findForwarder } from './forwarder/find.ts';
import { openReady, type ReadyBox, type ReadySpec } from './ready-box.ts';
import { filterAt, nextUser, userAs } from './jail.ts';
import { findTool, jailedPid, launch } from './launch.ts';
import type { Handle, Launched } from './launcher.ts';
import { treeOf, type TreeUsage, usageOf } from './watch.ts';

export interface BoxSpec {
  /** Arguments; the first is an absolute path in the box, such as /bin/sh. */
  command: readonly string[];
  /** All of it. `PATH` and `HOME` are there unless they are given. */
  env: Readonly<Record<string, string>>;
  /** Folders and files that are seen, read-only: the path inside, and here. `/app` is where the program starts. */
  show?: Readonly<Record<string, string>>;
  /** Folders that it may write in. They are given to the box's user. */
  lend?: Readonly<Record<string, string>>;
  /** Ports of the box's loopback and the Unix sockets of this host to which they lead. */
  forwards?: Readonly<Record<number, string>>;
  /** A listening socket of this host whose connections arrive at `port`. */
  ingress?: { handle: Handle; port: number };
  /** Names that lead to the box's own loopback. */
  hosts?: readonly string[];
  /** Certificates (PEM) that it trusts besides; `trustEnv` has the variables by which programs find them. */
  authority?: string;
  /** Below `/app`. */
  cwd?: string;
  limits: BoxLimits;
  /** What it shows at /app, and where the ports lead to, is known later only; then these are how it is told. */
  waiting?: { ports: readonly number[]; onWires(wires: Wires): void };
  /** Under root: whose number it runs under, when several boxes share files; a fresh one by default. */
  user?: number | undefined;
}

/** How a box that waits is told what it is for: its program, and who mounts for it. */
export interface Wires { program: Socket; graft: Socket }

export interface BoxEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** A limit that was hit while it ran, whether or not it ended by it. */
  hit: ('memory' | 'processes')[];
}

export interface Box {
  readonly pid: number;
  /** Of its first process, once that runs. */
  readonly insidePid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The first connection was taken by the program; never when it ends before. */
  readonly answers: Promise<void>;
  /** It is over, and so is every process that it started. */
  readonly ended: Promise<BoxEnd>;
  usage(): Promise<TreeUsage>;
  /** Stop the time of the program and of all that it started; the forwarder stays awake. */
  freeze(): void;
  thaw(): void;
  /** What it holds goes to swap, where the kernel counts it as one: only for one that stands still. */
  reclaim(isWanted: () => boolean): Promise<void>;
  kill(): Promise<BoxEnd>;
}

export interface Boxes {
  start(spec: BoxSpec): Promise<Box>;
  /** One that starts before it is known for whom; undefined where this machine can make none. */
  ready(spec: ReadySpec): Promise<ReadyBox | undefined>;
  /** Under root, whom the next box may run as; undefined elsewhere. */
  nextUser(): number | undefined;
  /** The port that is asked for, which is free in every box; another one where there is no box. */
  freePort(wanted: number): Promise<number>;
  readonly groups: Groups | undefined;
  close(): Promise<void>;
}

export interface BoxesOptions {
  /** Of this host alone; emptied when it starts. */
  folder: string;
  filter: Buffer | undefined;
  nests: boolean;
  groups: Groups | undefined;
  /** No box at all: the program runs as this host does. */
  isBare?: boolean;
}

const SHIFT = 4;
const KILL_PATIENCE_MS = 2_000;
const BARE_TOOLS = ['nice'] as const;
const TOOLS = ['unshare', 'sh', 'mount', 'mkdir', 'ip', 'setpriv', 'prlimit', 'nice', 'bwrap'] as const;
const PACKAGES: Partial<Record<(typeof TOOLS)[number], string>> = { bwrap: 'bubblewrap', ip: 'iproute2', unshare: 'util-linux', setpriv: 'util-linux', prlimit: 'util-linux', mount: 'mount' };

/** @returns what boxes need, or the sentence about what is missing */
export function boxTools(isBare = false): BoxTools | string {
  const found = TOOLS.map((name) => [name, findTool(name) ?? ''] as const);
  const missing = found.filter(([name, path]) => path === '' && (!isBare || (BARE_TOOLS as readonly string[]).includes(name))).map(([name]) => name);
  if (missing.length === 0) return Object.fromEntries(found) as unknown as BoxTools;
  const packages = [...new Set(missing.map((name) => PACKAGES[name] ?? 'coreutils'))];
  return `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed (on Debian and Ubuntu: apt install ${packages.join(' ')})`;
}

/** @throws TypeError when a tool is missing: ask `boxTools` before */
export async function openBoxes(options: BoxesOptions): Promise<Boxes> {
  const { folder, groups, isBare = false } = options;
  const tools = boxTools(isBare);
  if (typeof tools === 'string') throw new TypeError(tools);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Under root, what lies in it is reached through it by the users of boxes; each sees only what is shown to it.
  await chmod(folder, 0o711);
  const parts: Parts = { ...options, tools, isBare, forwarder: await findForwarder(folder), etc: new EtcFolders(folder) };
  const running = new Set<Box>();
  const begin = async (spec: BoxSpec): Promise<Box> => {
    const box = await start(parts, spec);
    running.add(box);
    void box.ended.then(() => running.delete(box));
    return box;
  };
  return {
    groups,
    nextUser: () => (isBoxUser(isBare) ? nextUser() : undefined),
    freePort: async (wanted) => (isBare ? findPort() : wanted),
    start: begin,
    ready: async (spec) => (isBare || parts.forwarder.isScript ? undefined : openReady(folder, begin, spec)),
    async close() {
      await Promise.all([...running].map((box) => box.kill()));
      await groups?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const isBoxUser = (isBare: boolean): boolean => process.getuid?.() === 0 && !isBare;

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Parts extends BoxesOptions { tools: BoxTools; forwarder: Forwarder; etc: EtcFolders; isBare: boolean }

async function start(parts: Parts, spec: BoxSpec): Promise<Box> {
  const { limits } = spec;
  const user = isBoxUser(parts.isBare) ? (spec.user === undefined ? nextUser() : userAs(spec.user)) : undefined;
  const [etc, group] = await Promise.all([
    parts.isBare ? undefined : parts.etc.of({ hosts: spec.hosts ?? [], authority: spec.authority }),
    parts.groups?.make({ memoryBytes: (limits.memoryMb + limits.tmpMb) * 1024 ** 2, processes: limits.processes + SHIFT, ...(limits.cpus === undefined ? {} : { cpus: limits.cpus }) }),
    ...Object.values(spec.lend ?? {}).map((path) => user !== undefined && handOver(path, user)),
  ]);
  return run(parts, spec, { user, etc, group });
}

interface Found { user: number | undefined; etc: Etc | undefined; group: Group | undefined }

async function run(parts: Parts, spec: BoxSpec, { user, etc, group }: Found): Promise<Box> {
  const plan: BoxPlan = {
    ...parts, user, node: process.execPath, command: spec.command, cwd: spec.cwd ?? '/app', show: { ...etc, ...spec.show }, lend: spec.lend ?? {},
    forwards: spec.forwards ?? {}, waiting: spec.waiting, ingressPort: spec.ingress?.port, limits: spec.limits, joins: group?.joins ?? [], hasFilter: parts.filter !== undefined,
  };
  try {
    const launched = await launch({
      command: parts.isBare ? bareCommand(plan) : boxCommand(plan),
      stdio: [spec.waiting ? 'pipe' : 'ignore', 'pipe', 'pipe', spec.ingress ? 'handed' : 'ignore', 'pipe', 'pipe', ...(parts.isBare || !parts.filter ? [] : [filterAt(parts.filter)])],
      handle: spec.ingress?.handle,
      // The stage sets limits, bubblewrap ends with the launcher, and the forwarder with this host.
      ...(parts.isBare ? { limits: { openFiles: spec.limits.openFiles } } : { isOnItsOwn: true }),
      ...(parts.isBare ? { cwd: bareFolder(spec) } : {}),
    });
    spec.waiting?.onWires({ program: launched.stdio[0]!, graft: launched.stdio[FD.info]! });
    return watched(launched, spec, { group, isBare: parts.isBare });
  } catch (error) {
    void group?.remove();
    throw error;
  }
}

function bareFolder({ show, lend }: BoxSpec): string {
  return lend?.['/app'] ?? show?.['/app'] ?? '/';
}

function watched(launched: Launched, spec: BoxSpec, { group, isBare }: { group: Group | undefined; isBare: boolean }): Box {
  const control = launched.stdio[FD.control]!;
  const first = isBare ? Promise.resolve(launched.pid) : jailedPid(launched, FD.info);
  let inside: number | undefined;
  void first.then((pid) => (inside = pid));
  control.write(environment(spec.env));
  // After that nothing is read of it: whoever sends more waits.
  const answers = new Promise<void>((resolve) => control.once('data', () => resolve(void control.pause())));
  const ended = endOf(launched, group);
  let isOver = false;
  void ended.then(() => (isOver = true));
  const program = (): number[] => (inside === undefined || isOver ? [] : treeOf(inside).slice(1));
  return {
    pid: launched.pid,
    get insidePid() { return inside; },
    stdout: launched.stdio[1]!, stderr: launched.stdio[2]!, answers, ended,
    usage: async () => {
      const usage = usageOf(inside === undefined || isOver ? [] : treeOf(inside));
      return group ? { ...usage, residentBytes: Math.max(await group.memoryBytes(), usage.privateBytes) } : usage;
    },
    freeze: () => stopAll(program),
    thaw: () => signalAll(program().toReversed(), 'SIGCONT'),
    reclaim: async (isWanted) => group?.reclaim(() => !isOver && isWanted()),
    async kill() {
      if (isOver) return ended;
      // The first process in its namespace takes all others along, and bubblewrap outside tells when they are gone.
      if (inside !== undefined && !isBare) signalAll([inside], 'SIGKILL');
      else killAll(launched, isBare ? treeOf(launched.pid) : []);
      const late = setTimeout(() => launched.kill(), KILL_PATIENCE_MS);
      const end = await ended;
      clearTimeout(late);
      return end;
    },
  };
}

function killAll(launched: Launched, tree: number[]): void {
  launched.kill();
  signalAll(tree.slice(1), 'SIGKILL');
}

function signalAll(pids: number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/** Whatever is started while others are being stopped is stopped in the next round. */
function stopAll(program: () => number[]): void {
  let before = 0;
  for (let round = 0; round < 5; round += 1) {
    const pids = program();
    if (pids.length === before) return;
    before = pids.length;
    signalAll(pids, 'SIGSTOP');
  }
}

async function endOf({ exited, stdio }: Launched, group: Group | undefined): Promise<BoxEnd> {
  const end = await exited;
  for (const at of [0, FD.control, FD.info]) stdio[at]?.destroy();
  if (!group) return { ...end, hit: [] };
  const [memory, processes] = await Promise.all([group.memoryKills(), group.refusedProcesses()]);
  void group.remove();
  return { ...end, hit: [...(memory > 0 ? ['memory' as const] : []), ...(processes > 0 ? ['processes' as const] : [])] };
}

/** Its length, and NAME=value texts that each end with a NUL. */
function environment(env: Readonly<Record<string, string>>): Buffer {
  const text = Buffer.from(Object.entries(wholeEnv(env)).map(([name, value]) => `${name}=${value}\0`).join(''));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text]);
}
