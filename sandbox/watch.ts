// Owns looking at a running process from outside: CPU time and memory, from /proc where there is one.
import { readFileSync } from 'node:fs';

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
