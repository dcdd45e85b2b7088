// Owns looking at the Cells of a host from outside, on Linux: which processes they are, and what each takes for itself.
import { readdirSync, readFileSync } from 'node:fs';

/** A Cell with what surrounds it: the processes of its jail count as its own. */
export interface CellProcesses { pids: number[]; privateMb: number }

export function findCells(hostPid: number): CellProcesses[] {
  const parents = parentsByPid();
  const childrenOf = (pid: number): number[] => [...parents].flatMap(([child, parent]) => (parent === pid ? [child] : []));
  const treeOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(treeOf)];
  const trees = childrenOf(hostPid).map(treeOf).filter((pids) => pids.some((pid) => /cell-[0-9a-f]+\.cjs/.test(readOr(`/proc/${pid}/cmdline`))));
  return trees.map((pids) => ({ pids, privateMb: pids.reduce((sum, pid) => sum + privateMbOf(pid), 0) }));
}

/** What would be free if it ended: pages that it shares with nobody. */
export function privateMbOf(pid: number): number {
  const rollup = readOr(`/proc/${pid}/smaps_rollup`);
  return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) / 1024, 0);
}

function parentsByPid(): Map<number, number> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  return new Map(pids.flatMap((pid): [number, number][] => {
    const stat = readOr(`/proc/${pid}/stat`);
    // The second field is the command in brackets; it may hold spaces.
    return stat === '' ? [] : [[pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])]];
  }));
}

/** '' when the process is gone. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
