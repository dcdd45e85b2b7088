// Owns that a thread of ours gives way to those that answer requests. Where the machine has no /proc, nothing happens.
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';

const BACKGROUND = 10;

/** Call it on the thread itself. On Linux each has a priority of its own, and gives it to the programs that it starts. */
export function giveWay(): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), BACKGROUND);
  } catch {
    // Then it shares.
  }
}
