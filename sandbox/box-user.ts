// Owns giving a folder to the user of a box, so that what runs there may write in it or, where this host hides from others what
// it makes, read it. Only root needs to; nobody else can.
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const underWay = new Map<string, Promise<void>>();

/** The folder and everything in it; links themselves, never what they lead to. Quick where it was done before. Once at a time:
 *  when the first is done, a program may run there and put links in the way of whoever is still at it. */
export async function handOver(folder: string, user: number): Promise<void> {
  let handing = underWay.get(folder);
  if (!handing) {
    handing = handOverAll(folder, user).finally(() => underWay.delete(folder));
    underWay.set(folder, handing);
  }
  return handing;
}

async function handOverAll(folder: string, user: number): Promise<void> {
  if ((await lstat(folder)).uid === user) return;
  await handOverInside(folder, user);
  // Last, since it says that the rest is done.
  await lchown(folder, user, user);
}

async function handOverInside(folder: string, user: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await handOverInside(path, user);
    await lchown(path, user, user);
  }
}

/** Whoever has a strict umask hides from the box what is made for it. Only for folders in which this host alone writes. */
export async function showToAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await showToAll(path);
    else if (entry.isFile()) await chmod(path, ((await lstat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  await chmod(folder, 0o755);
}
