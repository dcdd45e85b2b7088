// Owns looking at processes from outside, on Linux: which are the Cells of a host, what each takes for itself, CPU time.
import { readdirSync, readFileSync } from 'node:fs';

/** A Cell with what surrounds it: the processes of its jail count as its own. */
export interface CellProcesses { pids: number[]; privateMb: number }

export function findCells(hostPid: number): CellProcesses[] {
  const trees = childrenOf(hostPid).map((pid) => treeOf(pid)).filter((pids) => pids.some((pid) => /cell-[0-9a-f]+\.cjs/.test(readOr(`/proc/${pid}/cmdline`))));
  return trees.map((pids) => ({ pids, privateMb: pids.reduce((sum, pid) => sum + privateMbOf(pid), 0) }));
}

/** What stands around the program of each box, without the program: everything between the host and the innermost process.
 *  @param program a word of its command line  @returns MB for each box */
export function boxOverheadsMb(hostPid: number, program: string): number[] {
  const commandOf = (pid: number): string => readOr(`/proc/${pid}/cmdline`);
  const isProgram = (pid: number): boolean => commandOf(pid).split('\0').some((word) => word === program) && /^(?:\S*\/)?node$/.test(commandOf(pid).split('\0')[0] ?? '');
  const boxes = childrenOf(hostPid).map((pid) => treeOf(pid)).filter((pids) => pids.some(isProgram));
  return boxes.map((pids) => pids.filter((pid) => !isProgram(pid)).reduce((sum, pid) => sum + privateMbOf(pid), 0));
}

/** CPU time that a process and all below it have used, those that have ended left out. */
export function cpuMsOf(pid: number): number {
  return treeOf(pid).reduce((sum, one) => {
    const fields = statOf(one);
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
  }, 0);
}

/** What would be free if it ended: pages that it shares with nobody. */
export function privateMbOf(pid: number): number {
  const rollup = readOr(`/proc/${pid}/smaps_rollup`);
  return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) / 1024, 0);
}

/** Of a clock tick on every common platform. */
const TICK_MS = 10;

function treeOf(pid: number, parents = parentsByPid()): number[] {
  return [pid, ...childrenOf(pid, parents).flatMap((child) => treeOf(child, parents))];
}

function childrenOf(pid: number, parents = parentsByPid()): number[] {
  return [...parents].flatMap(([child, parent]) => (parent === pid ? [child] : []));
}

function parentsByPid(): Map<number, number> {
  return new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => [Number(pid), Number(statOf(Number(pid))[1] ?? 0)]));
}

/** From the third field on: the second is the command in brackets, which may hold spaces. None when the process is gone. */
function statOf(pid: number): string[] {
  const stat = readOr(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** '' when the process is gone. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
