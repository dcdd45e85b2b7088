// Owns the two files of an Instance's log: adding to them within their room, reading them, and throwing away what is too old.
// Knows nothing of who writes when.
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WireLogLine } from '../../core/wire.ts';

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const ROWS_IN_A_TURN = 500;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevelName = (typeof LEVELS)[number];

/** Which lines are wanted. `level`: this one and what is worse. */
export interface LogFilter { micro?: string; level?: LogLevelName; requestId?: string }

export function isWanted({ micro, level, requestId }: LogFilter): (line: WireLogLine) => boolean {
  return (line) => (micro === undefined || line.micro === micro) && (requestId === undefined || line.request_id === requestId)
    && (level === undefined || LEVELS.indexOf(line.level) >= LEVELS.indexOf(level));
}

export async function addToLog(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const size = await stat(file).then((info) => info.size, () => 0);
  // Each batch begins with a line end of its own, so that a line which a crash cut spoils no other.
  const batch = `\n${text}`;
  if (size + Buffer.byteLength(batch) > MAX_FILE_BYTES) await rename(file, `${file}.1`).catch(() => undefined);
  await appendFile(file, batch);
}

interface Wanted { limit: number; filter: LogFilter; since: string }

let reading: Promise<unknown> = Promise.resolve();

/** The newest `limit` lines that are wanted and no older than `since`. One log at a time is read, whoever asks: each is a few
 *  megabytes, and there may be hundreds who ask. */
export function readLog(file: string, wanted: Wanted): Promise<WireLogLine[]> {
  const found = reading.then(() => readNewest(file, wanted));
  reading = found.catch(() => {});
  return found;
}

async function readNewest(file: string, { limit, filter, since }: Wanted): Promise<WireLogLine[]> {
  const wanted = isWanted(filter);
  const words = [filter.micro, filter.requestId].filter((word) => word !== undefined).map((word) => JSON.stringify(word));
  const found: WireLogLine[] = [];
  for (const path of filesOf(file).toReversed()) {
    const rows = (await readFile(path, 'utf8').catch(() => '')).split('\n');
    // From the end: most of a long log is not asked for.
    for (let at = rows.length - 1; at >= 0 && found.length < limit; at -= 1) {
      // Requests of everybody come in between.
      if (at % ROWS_IN_A_TURN === 0) await new Promise((resolve) => { setImmediate(resolve); });
      const row = rows[at]!;
      const line = row === '' || words.some((word) => !row.includes(word)) ? undefined : parseLine(row);
      if (line && line.time >= since && wanted(line)) found.push(line);
    }
    if (found.length >= limit) break;
  }
  return found.toReversed();
}

/** Logs in a folder of Spaces: Space and Instance of each. */
export async function listLogs(folder: string): Promise<{ spaceId: string; instanceId: string }[]> {
  const spaces = await readdir(folder).catch(() => []);
  const found = await Promise.all(spaces.map(async (spaceId) => {
    const names = await readdir(join(folder, spaceId, 'logs')).catch(() => []);
    return [...new Set(names.flatMap((name) => /^([^.]+)\.jsonl(?:\.1)?$/.exec(name)?.[1] ?? []))].map((instanceId) => ({ spaceId, instanceId }));
  }));
  return found.flat();
}

/** Throw away what is older than `since`. Nobody may write meanwhile. */
export async function pruneLog(file: string, since: string): Promise<void> {
  for (const path of filesOf(file)) {
    const rows = (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((row) => row !== '');
    const first = rows.findIndex((row) => (parseLine(row)?.time ?? '') >= since);
    if (first === 0) continue;
    if (first < 0) {
      await rm(path, { force: true });
      continue;
    }
    await writeFile(`${path}.new`, `${rows.slice(first).join('\n')}\n`);
    await rename(`${path}.new`, path);
  }
}

export async function removeLog(file: string): Promise<void> {
  await Promise.all(filesOf(file).map((path) => rm(path, { force: true })));
}

/** The older one first. */
const filesOf = (file: string): string[] => [`${file}.1`, file];

/** A line that a crash cut in half is left out. */
function parseLine(row: string): WireLogLine | undefined {
  try {
    return JSON.parse(row) as WireLogLine;
  } catch {
    return undefined;
  }
}
