// Owns the lines that a Build writes: one file per Build, and who is reading along. Knows no Build record.
import { appendFile, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createWakers } from '../core/wakers.ts';

export interface BuildLogs {
  /** Append one line; line breaks split it, long lines and long logs are cut. */
  write(id: string, line: string): void;
  /** The Build has ended: resolves when its lines are in the file and its readers look again. */
  finish(id: string): Promise<void>;
  /** Lines from the first on. With `follow`, ends when `isDone` says so and everything was read, or nobody reads any more. */
  read(id: string, options: ReadOptions): AsyncIterable<string>;
  delete(id: string): Promise<void>;
  /** End every reader. */
  close(): Promise<void>;
}

/** Old clients read lines of less than 64 KiB (@source reference 7.3). */
const MAX_LINE_BYTES = 32 * 1024;
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 64 * 1024;
const FULL_NOTE = '(The log is full; further lines are left out.)\n';

interface ReadOptions { follow: boolean; isDone: () => Promise<boolean>; signal: AbortSignal | undefined }

interface OpenLog { sizeBytes: number; pending: Promise<void> }

export async function createBuildLogs(folder: string): Promise<BuildLogs> {
  await mkdir(folder, { recursive: true });
  const logs = new Map<string, OpenLog>();
  const wakers = createWakers();
  let isClosed = false;

  const pathOf = (id: string): string => join(folder, `${id}.log`);

  function write(id: string, line: string): void {
    const log = logs.get(id) ?? { sizeBytes: 0, pending: Promise.resolve() };
    logs.set(id, log);
    if (log.sizeBytes > MAX_LOG_BYTES) return;
    let text = `${cleanLines(line).join('\n')}\n`;
    log.sizeBytes += Buffer.byteLength(text);
    if (log.sizeBytes > MAX_LOG_BYTES) text = FULL_NOTE;
    log.pending = log.pending.then(() => appendFile(pathOf(id), text)).catch(() => {}).then(() => wakers.changed(id));
  }

  async function* read(id: string, options: ReadOptions): AsyncIterable<string> {
    const position = { offset: 0 };
    while (!options.signal?.aborted) {
      const seen = wakers.count();
      const isLast = !options.follow || isClosed || (await options.isDone());
      if (isLast) await logs.get(id)?.pending;
      yield* linesFrom(pathOf(id), position);
      if (isLast) return;
      if (!isClosed) await wakers.next(id, seen, options.signal);
    }
  }

  return {
    write,
    read,
    async finish(id) {
      await logs.get(id)?.pending;
      logs.delete(id);
      wakers.changed(id);
    },
    async delete(id) {
      await logs.get(id)?.pending;
      await rm(pathOf(id), { force: true });
    },
    async close() {
      isClosed = true;
      await Promise.all([...logs.values()].map((log) => log.pending));
      wakers.all();
    },
  };
}

/** Complete lines after `position`, which moves along. A missing file has none. */
async function* linesFrom(path: string, position: { offset: number }): AsyncIterable<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return;
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position.offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10);
      if (end < 0) return;
      position.offset += end + 1;
      yield* buffer.toString('utf8', 0, end).split('\n');
    }
  } finally {
    await file.close();
  }
}

/** Text as lines that a terminal and an old client can take: no control characters, none too long. */
function cleanLines(text: string): string[] {
  return text.split(/\r\n|\n|\r/).map((line) => {
    const clean = line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
    return Buffer.byteLength(clean) <= MAX_LINE_BYTES ? clean : `${clean.slice(0, MAX_LINE_BYTES / 4)} ...`;
  });
}
