// Owns looking at Cell processes from a test: which there are below this process, what they use.
import { readdirSync, readFileSync } from 'node:fs';
import { readUsage } from '../../sandbox/watch.ts';

/** Processes below `parent`, at any depth, whose command names a Cell's program. */
export function cellsBelow(parent: number = process.pid): number[] {
  const below: number[] = [];
  const parents = new Map(livingProcesses());
  for (const pid of parents.keys()) {
    let at: number | undefined = pid;
    while (at !== undefined && at !== parent) at = parents.get(at);
    if (at === parent && /\bcell-/.test(commandOf(pid))) below.push(pid);
  }
  return below;
}

function livingProcesses(): [number, number][] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name): [number, number][] => {
    const fields = statOf(Number(name));
    return fields && fields[0] !== 'Z' ? [[Number(name), Number(fields[1])]] : [];
  });
}

/** State, parent, ... : what follows the command in brackets. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export interface CellUsage { cpuMs: number; residentMb: number }

/** Of all these processes together. */
export function usageOf(pids: readonly number[]): CellUsage {
  const total = { cpuMs: 0, residentMb: 0 };
  for (const pid of pids) {
    const usage = readUsage(pid);
    total.cpuMs += usage?.cpuMs ?? 0;
    total.residentMb += (usage?.residentBytes ?? 0) / 1024 / 1024;
  }
  return total;
}
