// Owns the folder in which the builds of one Space keep what they fetched: it is emptied when it has grown too large and no
// program has it open. Knows not what is in it.
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { holdsMore } from './disk-watch.ts';

const CACHE_MAX = { maxBytes: 1536 * 1024 * 1024, maxFiles: 200_000 };

/** Programs that run with it now, by its path. */
const open = new Map<string, number>();

/** Make it, or make it small again. */
export async function prepareCache(path: string, limits = CACHE_MAX): Promise<void> {
  await mkdir(path, { recursive: true });
  if (open.has(path) || !(await holdsMore([path], limits)) || open.has(path)) return;
  // Another build may be about to use it: it is never away for longer than this.
  const gone = `${path}.${randomBytes(6).toString('hex')}.gone`;
  await rename(path, gone);
  await mkdir(path, { recursive: true });
  await rm(gone, { recursive: true, force: true });
}

/** Keep it as it is while a program runs. */
export async function withCache<T>(path: string, run: () => Promise<T>): Promise<T> {
  open.set(path, (open.get(path) ?? 0) + 1);
  try {
    return await run();
  } finally {
    const left = (open.get(path) ?? 1) - 1;
    if (left === 0) open.delete(path);
    else open.set(path, left);
  }
}
