// Owns that bundling gives way to requests: the program that bundles, which its library starts once and keeps, runs with less
// priority than the host. Where the machine has no /proc, nothing happens.
import { readdir, readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';

const BACKGROUND = 10;
const SERVICE = '--service=';

const lowered = new Set<string>();

/** Call it once something was bundled: then the program and its threads are there. */
export async function giveWay(): Promise<void> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter((each) => each !== '' && !lowered.has(each))) {
    lowered.add(child);
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    if (!/esbuild/.test(command) || !command.includes(SERVICE)) continue;
    // On Linux each thread has a priority of its own, and gives it to those that it starts.
    for (const thread of await readdir(`/proc/${child}/task`).catch(() => [])) lower(Number(thread));
  }
}

function lower(thread: number): void {
  try {
    setPriority(thread, BACKGROUND);
  } catch {
    // It has ended meanwhile.
  }
}
