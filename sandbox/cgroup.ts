// Owns control groups: what the kernel counts and limits over all processes of a box together. Where this host may not make
// any, a box has its other limits only; the owner of the host is shown which it is.
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface GroupLimits { memoryBytes: number; processes: number; cpus?: number }

export interface Group {
  /** Files that take the process id of who joins. */
  joins: readonly string[];
  /** How often the kernel ended a process of it for want of memory. */
  memoryKills(): Promise<number>;
  /** How often a process could not be started. */
  refusedProcesses(): Promise<number>;
  memoryBytes(): Promise<number>;
  /** Move what it holds to swap, as far as the kernel can, a piece after the other as long as that is wanted. */
  reclaim(isWanted: () => boolean): Promise<void>;
  /** Once it is empty. */
  remove(): Promise<void>;
}

export interface Groups {
  kind: 'cgroup v1' | 'cgroup v2';
  /** Where they are made: one folder for each controller. */
  folders: readonly string[];
  make(limits: GroupLimits): Promise<Group>;
  close(): Promise<void>;
}

const ROOT = '/sys/fs/cgroup';
const PREFIX = 'ownspace-';
/** Where this host is while its boxes have groups of version 2. */
const LEAF = `${PREFIX}host`;
const SUBTREE = 'cgroup.subtree_control';
const MOVE_TRIES = 10;
const V1_LIMIT = 'memory.limit_in_bytes';
/** At once: who is woken meanwhile would fetch what is taken away again. */
const RECLAIM_BYTES = 16 * 1024 ** 2;
const PERIOD_US = 100_000;
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 20;

/** Settings by controller: file -> value. */
type Settings = (limits: GroupLimits) => [controller: string, file: string, value: string][];

/** Its limit is one of memory and swap together: else who takes too much would be swapped out instead of ended, and the machine with it. */
const V1: Settings = ({ memoryBytes, processes, cpus }) => [
  ['memory', V1_LIMIT, String(memoryBytes)], ['memory', 'memory.memsw.limit_in_bytes', String(memoryBytes)],
  ['pids', 'pids.max', String(processes)],
  ...(cpus === undefined ? [] : [['cpu', 'cpu.cfs_quota_us', String(Math.round(cpus * PERIOD_US))] as [string, string, string]]),
];
/** Version 2 limits both apart: only who stands still may be swapped out (`reclaim`). */
const SWAP_MAX = 'memory.swap.max';
const V2: Settings = ({ memoryBytes, processes, cpus }) => [
  ['', 'memory.max', String(memoryBytes)], ['', 'memory.oom.group', '1'], ['', SWAP_MAX, '0'],
  ['', 'pids.max', String(processes)],
  ...(cpus === undefined ? [] : [['', 'cpu.max', `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`] as [string, string, string]]),
];
/** Not every kernel counts swap; not every one can end a whole group. */
const OPTIONAL = new Set(['memory.oom.group', SWAP_MAX, 'memory.memsw.limit_in_bytes']);

let lastGroup = 0;

/** @returns undefined where this host may not make control groups that limit memory and processes */
export async function openGroups(): Promise<Groups | undefined> {
  const own = ownGroups();
  return (await openV2(own.get(''))) ?? openV1(own);
}

/** Controller -> the group of this process; '' for version 2. */
function ownGroups(): Map<string, string> {
  const found = new Map<string, string>();
  try {
    for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
      const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      for (const controller of controllers.split(',')) found.set(controller, path);
    }
  } catch {
    // No Linux.
  }
  return found;
}

async function openV1(own: Map<string, string>): Promise<Groups | undefined> {
  const bases = new Map(['memory', 'pids', 'cpu'].flatMap((controller) => {
    const path = own.get(controller);
    return path === undefined ? [] : [[controller, join(ROOT, controller, path)] as const];
  }));
  if (!bases.has('memory') || !bases.has('pids')) return undefined;
  return open('cgroup v1', bases, V1);
}

async function openV2(path: string | undefined): Promise<Groups | undefined> {
  if (path === undefined) return undefined;
  // Who was moved by another host, or a call before, belongs to the group around it.
  const base = join(ROOT, path.endsWith(`/${LEAF}`) ? dirname(path) : path);
  try {
    const offered = namesIn(join(base, 'cgroup.controllers'));
    if (!offered.includes('memory') || !offered.includes('pids')) return undefined;
    const wanted = ['memory', 'pids', 'cpu'].filter((controller) => offered.includes(controller));
    const delegate = wanted.map((controller) => `+${controller}`).join(' ');
    if (!wanted.every((controller) => namesIn(join(base, SUBTREE)).includes(controller))) await delegateFrom(base, delegate);
    return await open('cgroup v2', new Map([['', base]]), V2, delegate);
  } catch {
    return undefined;
  }
}

const namesIn = (file: string): string[] => readFileSync(file, 'utf8').split(/\s+/).filter((name) => name !== '');

/** Groups in a group have limits only when it holds no process itself: all of them leave for a leaf, this one, what it was started
 *  by, and the launcher. The top of all groups, which alone has no type, is free of that. */
async function delegateFrom(base: string, delegate: string): Promise<void> {
  const isTop = !existsSync(join(base, 'cgroup.type'));
  for (let tries = 1; ; tries += 1) {
    if (!isTop) await moveAll(join(base, 'cgroup.procs'), join(base, LEAF));
    try {
      writeFileSync(join(base, SUBTREE), delegate);
      return;
    } catch (error) {
      // Somebody started another one meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === MOVE_TRIES) throw error;
    }
  }
}

async function moveAll(procs: string, leaf: string): Promise<void> {
  await mkdir(leaf, { recursive: true });
  for (const pid of namesIn(procs)) {
    try {
      writeFileSync(join(leaf, 'cgroup.procs'), pid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

async function open(kind: Groups['kind'], bases: Map<string, string>, settings: Settings, delegate?: string): Promise<Groups | undefined> {
  const name = `${PREFIX}${process.pid}.${startOf(process.pid)}.${randomBytes(4).toString('hex')}`;
  const ours = new Map([...bases].map(([controller, base]) => [controller, join(base, name)]));
  try {
    for (const base of bases.values()) await sweep(base);
    for (const folder of ours.values()) {
      await mkdir(folder, { recursive: true });
      accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
      if (delegate !== undefined) await writeFile(join(folder, SUBTREE), delegate);
    }
  } catch {
    await Promise.all([...ours.values()].map((folder) => rmdir(folder).catch(() => {})));
    return undefined;
  }
  return {
    kind,
    folders: [...ours.values()],
    make: (limits) => make(ours, settings(limits)),
    async close() {
      await Promise.all([...ours.values()].map(remove));
    },
  };
}

async function make(ours: Map<string, string>, values: [string, string, string][]): Promise<Group> {
  lastGroup += 1;
  const controllers = [...new Set(values.map(([controller]) => controller))];
  const folders = new Map(controllers.map((controller) => [controller, join(ours.get(controller)!, String(lastGroup))]));
  const file = (controller: string, name: string): string => join(folders.get(controller) ?? folders.get('')!, name);
  for (const folder of folders.values()) await mkdir(folder);
  for (const [controller, name, value] of values) {
    await writeFile(join(folders.get(controller)!, name), value).catch((error) => {
      if (!OPTIONAL.has(name)) throw error;
    });
  }
  const isV2 = folders.has('');
  const held = async (): Promise<number> => Number(await readFile(file('memory', isV2 ? 'memory.current' : 'memory.usage_in_bytes'), 'utf8').catch(() => '0'));
  return {
    joins: [...folders.values()].map((folder) => join(folder, 'cgroup.procs')),
    memoryKills: () => countIn(file('memory', isV2 ? 'memory.events' : 'memory.oom_control'), 'oom_kill'),
    refusedProcesses: () => countIn(file('pids', 'pids.events'), 'max'),
    memoryBytes: held,
    async reclaim(isWanted) {
      const [name, shut] = isV2 ? [SWAP_MAX, '0'] : [V1_LIMIT, values.find(([, each]) => each === V1_LIMIT)![2]];
      // Each says that it failed when a part had to stay.
      const write = (to: string, value: string): Promise<unknown> => writeFile(file('memory', to), value).catch(() => {});
      if (isV2) await write(SWAP_MAX, 'max');
      let before = Infinity;
      for (let now = await held(); now < before && isWanted(); now = await held()) {
        before = now;
        if (isV2) await write('memory.reclaim', String(Math.min(now, RECLAIM_BYTES)));
        else await write(V1_LIMIT, String(Math.max(0, now - RECLAIM_BYTES)));
      }
      await write(name, shut);
    },
    async remove() {
      await Promise.all([...folders.values()].map(remove));
    },
  };
}

/** Without swap there is nowhere to move memory to. */
export async function hasSwap(): Promise<boolean> {
  return (await readFile('/proc/swaps', 'utf8').catch(() => '')).trim().split('\n').length > 1;
}

async function countIn(file: string, name: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** The kernel needs a moment after the last process. */
async function remove(folder: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
    const error = await rmdir(folder).then(() => undefined, (caught: NodeJS.ErrnoException) => caught.code);
    if (error === undefined || error === 'ENOENT') return;
    await new Promise((resolve) => setTimeout(resolve, REMOVE_PAUSE_MS));
  }
}

/** What a host left that was killed. In a container each has the same number, so its start tells them apart. */
async function sweep(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    const [, pid, start] = /^ownspace-(\d+)\.(\d+)\./.exec(name) ?? [];
    if (pid === undefined || startOf(Number(pid)) === start) continue;
    const folder = join(base, name);
    for (const inner of await readdir(folder, { withFileTypes: true })) if (inner.isDirectory()) await rmdir(join(folder, inner.name)).catch(() => {});
    await rmdir(folder).catch(() => {});
  }
}

/** When it was started, in ticks since the machine was; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
