// Owns folders that must still be there after a power loss: creating a folder is durable only once its parent is synced.
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** mkdir -p, durable. */
export async function createFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Make what was created, renamed or removed in this folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
