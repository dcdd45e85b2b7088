// Owns finding what a process has started through its launcher.
import { readFileSync } from 'node:fs';
import { childrenOf } from '../../sandbox/watch.ts';

/** Children of the launcher of that process. */
export function startedBy(pid: number): number[] {
  return launchersOf(pid).flatMap(childrenOf);
}

export function launchersOf(pid: number): number[] {
  return childrenOf(pid).filter((child) => commandOf(child).includes('launcher-process'));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
