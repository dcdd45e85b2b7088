// Owns giving a folder to the user of a box, so that what runs there may write in it. Only root needs to; nobody else can.
import { lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder and everything in it; links themselves, never what they lead to. Quick where it was done before. */
export async function handOver(folder: string, user: number): Promise<void> {
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
