// Owns the icons of an installed app: the picture of the Spacefile in the sizes that phones and desktops ask for.
import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { Artifact, Artifacts } from './artifact.ts';
import type { IconsWanted } from './icon-thread.ts';

export interface PwaIcon extends Artifact { sizePx: number }

/** iOS, Android, and what is shown while an app starts. */
const SIZES_PX = [180, 192, 512] as const;
const THREAD_MAX_MS = 10_000;
const THREAD_MAX_MB = 64;

/** The picture of most pushes is that of the push before, and this takes longer than all the rest of a push that changes little. */
const REMEMBERED = 1_000;
const known = new WeakMap<Artifacts, LRUCache<string, PwaIcon[]>>();

/** PNGs, square, of a picture that is stored. @returns none for one that cannot be read */
export async function createPwaIcons({ hash }: Pick<Artifact, 'hash'>, { artifacts, signal }: { artifacts: Artifacts; signal: AbortSignal }): Promise<PwaIcon[]> {
  const memory = known.get(artifacts) ?? new LRUCache<string, PwaIcon[]>({ max: REMEMBERED });
  known.set(artifacts, memory);
  const remembered = memory.get(hash);
  if (remembered && (await artifacts.haveAll(remembered))) return remembered;
  const pictures = await resized({ picture: await artifacts.readFile(hash), sizesPx: SIZES_PX }, signal).catch(() => undefined);
  if (!pictures) return [];
  const icons = await Promise.all(SIZES_PX.map(async (sizePx, at) => ({ sizePx, ...(await artifacts.put({ content: pictures[at] ?? new Uint8Array() })) })));
  memory.set(hash, icons);
  return icons;
}

async function resized(wanted: IconsWanted, signal: AbortSignal): Promise<Uint8Array[]> {
  signal.throwIfAborted();
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const thread = new Worker(new URL(`./icon-thread.${extension}`, import.meta.url), { name: 'icons', workerData: wanted, env: {}, resourceLimits: { maxOldGenerationSizeMb: THREAD_MAX_MB }, stdout: true, stderr: true });
  const ended = AbortSignal.any([signal, AbortSignal.timeout(THREAD_MAX_MS)]);
  try {
    return await new Promise((resolve, reject) => {
      thread.once('message', resolve).once('error', reject).once('exit', () => reject(new Error('the thread ended')));
      ended.addEventListener('abort', () => reject(ended.reason as Error), { once: true });
    });
  } finally {
    await thread.terminate();
  }
}
