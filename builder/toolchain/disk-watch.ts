// Owns how much of the disk the programs of a build may take: no file system here limits a folder, so its size is looked at
// again and again. The look is cheap (what is free) until enough has changed for a dear one (what lies there).
import { lstat, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskLimits { maxBytes: number; maxFiles: number; /** What has to stay free for everybody else. */ keepFreeBytes: number }

const LOOK_MS = 250;
/** Between two dear looks at the most, in cheap ones: some file systems do not say what changed. */
const LOOKS_BETWEEN = 40;

/** Call `onFull` once, with what is full, when the folders hold more than the limits. @returns what ends the watch */
export function watchDisk(folders: readonly string[], limits: DiskLimits, onFull: (reason: string) => void): () => void {
  let isOver = false;
  let before: Free | undefined;
  let looks = 0;
  const look = async (): Promise<void> => {
    const free = await freeAt(folders[0]!);
    before ??= free;
    looks += 1;
    const hasChanged = before.bytes - free.bytes > limits.maxBytes / 4 || before.files - free.files > limits.maxFiles / 4;
    if (!hasChanged && looks < LOOKS_BETWEEN && free.bytes > limits.keepFreeBytes) return;
    before = free;
    looks = 0;
    const reason = await reasonOf(folders, limits, free);
    if (reason === undefined || isOver) return;
    isOver = true;
    onFull(reason);
  };
  const again = (): void => {
    timer = setTimeout(() => void look().catch(() => {}).finally(() => { if (!isOver) again(); }), LOOK_MS);
  };
  let timer: NodeJS.Timeout;
  again();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

interface Free { bytes: number; files: number }

async function freeAt(folder: string): Promise<Free> {
  const { bavail, bsize, ffree } = await statfs(folder);
  return { bytes: bavail * bsize, files: ffree };
}

/** Of which they hold more, if they do. What is not there holds nothing. */
export async function holdsMore(folders: readonly string[], limits: Pick<DiskLimits, 'maxBytes' | 'maxFiles'>): Promise<'files' | 'bytes' | undefined> {
  const used = { bytes: 0, files: 0 };
  for (const folder of folders) await count(folder, used, limits);
  return used.files > limits.maxFiles ? 'files' : used.bytes > limits.maxBytes ? 'bytes' : undefined;
}

async function reasonOf(folders: readonly string[], limits: DiskLimits, free: Free): Promise<string | undefined> {
  const more = await holdsMore(folders, limits);
  if (more === 'files') return `made more than ${limits.maxFiles} files`;
  if (more === 'bytes') return `wrote more than ${Math.round(limits.maxBytes / 1024 / 1024)} MB`;
  // Whoever filled it: a build waits, people do not.
  return free.bytes < limits.keepFreeBytes ? 'was ended since the disk of this host is nearly full' : undefined;
}

/** Up to the limits. What goes away meanwhile is not counted. */
async function count(folder: string, used: Free, limits: Pick<DiskLimits, 'maxBytes' | 'maxFiles'>): Promise<void> {
  const entries = await opendir(folder).catch(() => undefined);
  if (!entries) return;
  try {
    for await (const entry of entries) {
      used.files += 1;
      if (used.files > limits.maxFiles || used.bytes > limits.maxBytes) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await count(path, used, limits);
      else used.bytes += await lstat(path).then(({ blocks }) => blocks * 512, () => 0);
    }
  } catch {
    // The folder went away.
  }
}
