// Owns looking at a running process from outside: CPU time and memory, from /proc where there is one.
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** User and system time of all its threads since its start. */
  cpuMs: number;
  residentBytes: number;
}

/** Linux counts CPU time in ticks of 1/100 s for user space on every common platform. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

/** `undefined` when the process is gone or this platform has no /proc. */
export function readUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in brackets; it may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, residentBytes: Number(fields[21]) * PAGE_BYTES };
  } catch {
    return undefined;
  }
}

/** Memory that would be free without this process: files that it shares with others are not in it. 0 when it is gone. */
export function readPrivateBytes(pid: number): number {
  try {
    const [, resident = 0, shared = 0] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number);
    return (resident - shared) * PAGE_BYTES;
  } catch {
    return 0;
  }
}

export interface TreeUsage extends ProcessUsage { privateBytes: number; processes: number }

/** A process and all that came from it, parents first. Those whose parent ended are children of the first process of their namespace. */
export function treeOf(pid: number): number[] {
  const found: number[] = [];
  for (let queue = [pid]; queue.length > 0;) {
    found.push(...queue);
    queue = queue.flatMap(childrenOf);
  }
  return found;
}

/** None when it is gone. */
export function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  // Each thread has the children that it started.
  return threads.flatMap((thread) => readChildren(`/proc/${pid}/task/${thread}/children`));
}

/** A thread that ended since it was listed has none: its children went to the others. */
function readChildren(path: string): number[] {
  try {
    return readFileSync(path, 'latin1').split(' ').filter((text) => text !== '').map(Number);
  } catch {
    return [];
  }
}

export function usageOf(pids: readonly number[]): TreeUsage {
  const sum: TreeUsage = { cpuMs: 0, residentBytes: 0, privateBytes: 0, processes: 0 };
  for (const pid of pids) {
    const usage = readUsage(pid);
    if (!usage) continue;
    sum.cpuMs += usage.cpuMs;
    sum.residentBytes += usage.residentBytes;
    sum.privateBytes += readPrivateBytes(pid);
    sum.processes += 1;
  }
  return sum;
}
