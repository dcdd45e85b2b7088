// Owns looking at processes from outside, on Linux: which are the Cells of a host, what each takes for itself, CPU time.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { childrenOf, treeOf, usageOf } from '../sandbox/watch.ts';

/** By its launcher. */
const startedBy = (hostPid: number): number[] => childrenOf(hostPid).flatMap(childrenOf);

/** A Cell with what surrounds it: the processes of its jail count as its own. */
export interface CellProcesses { pids: number[]; privateMb: number }

export function findCells(hostPid: number): CellProcesses[] {
  const trees = startedBy(hostPid).map(treeOf).filter((pids) => pids.some((pid) => /cell-[0-9a-f]+\.cjs/.test(readOr(`/proc/${pid}/cmdline`))));
  return trees.map((pids) => ({ pids, privateMb: pids.reduce((sum, pid) => sum + privateMbOf(pid), 0) }));
}

/** What stands around the program of each box, without the program.
 *  @param program Node.js runs this file  @returns MB for each box */
export function boxOverheadsMb(hostPid: number, program: string): number[] {
  const isProgram = (pid: number): boolean => {
    const [command = '', ...args] = readOr(`/proc/${pid}/cmdline`).split(/[\0 ]/);
    return basename(command) === 'node' && args.includes(program);
  };
  const boxes = startedBy(hostPid).map(treeOf).filter((pids) => pids.some(isProgram));
  return boxes.map((pids) => pids.filter((pid) => !isProgram(pid)).reduce((sum, pid) => sum + privateMbOf(pid), 0));
}

/** What each process below a host has in swap, of those that have something there. */
export function swappedMb(hostPid: number): number[] {
  const swapped = treeOf(hostPid).map((pid) => Number(/^VmSwap:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0) / 1024);
  return swapped.filter((mb) => mb > 0);
}

/** CPU time that a process and all below it have used, those that have ended left out. */
export const cpuMsOf = (pid: number): number => usageOf(treeOf(pid)).cpuMs;

/** What would be free if it ended: pages that it shares with nobody. */
export function privateMbOf(pid: number): number {
  const rollup = readOr(`/proc/${pid}/smaps_rollup`);
  return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) / 1024, 0);
}

/** '' when the process is gone. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
