// Owns a developer's source on its way to a folder: the upload to a file, and the safe unpacking of that file.
// Knows no Spacefile. A refused archive leaves nothing behind.
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import { writeFileFrom } from '../core/write-file.ts';
import { assertEntries, isExecutableEntry, isFolderEntry, inMegabytes, refused, SOURCE_LIMITS, tooLarge } from './source-entries.ts';
import type { SourceLimits } from './source-entries.ts';

/** Programs of Linux begin like this. */
const ELF = Buffer.from('\x7fELF', 'latin1');

/** The archive itself, as uploaded. */
export const SOURCE_MAX_BYTES = 250 * 1024 * 1024;

/** What was unpacked: path -> a hash of its content and of whether it is a program; folders end with a slash. Sorted. */
export type SourceFiles = ReadonlyMap<string, string>;

/** @throws SOURCE_TOO_LARGE */
export function assertSize(archiveBytes: number, maxBytes = SOURCE_MAX_BYTES): void {
  if (archiveBytes > maxBytes) throw tooLarge(`its archive has more than ${inMegabytes(maxBytes)}`);
}

/** Write an upload to `path`, which exists only once it is whole and durable.
 *  @throws SOURCE_TOO_LARGE, SOURCE_INVALID (empty), STORE_FULL, and whatever `stream` throws */
export async function receiveSource(stream: AsyncIterable<Uint8Array>, path: string, maxBytes = SOURCE_MAX_BYTES): Promise<void> {
  const partPath = `${path}.part`;
  try {
    await writeFileFrom(limited(stream, maxBytes), partPath);
    await syncFile(partPath);
    await rename(partPath, path);
  } catch (error) {
    await rm(partPath, { force: true });
    throw diskError(error);
  }
}

/** Unpack the archive at `path` into `folder`, which must not exist: all of it, or nothing.
 *  @throws SOURCE_INVALID, SOURCE_TOO_LARGE, STORE_FULL */
export async function unpackSource(path: string, folder: string, options: { limits?: SourceLimits; signal?: AbortSignal } = {}): Promise<SourceFiles> {
  const { limits = SOURCE_LIMITS, signal } = options;
  try {
    const zip = await openArchive(path, limits);
    try {
      const entries = await readEntries(zip, limits);
      assertEntries(entries, limits);
      await mkdir(folder);
      return await writeEntries(zip, entries, { folder, limits, signal });
    } finally {
      zip.close();
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    signal?.throwIfAborted();
    throw archiveError(error);
  }
}

async function* limited(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    assertSize(sizeBytes, maxBytes);
    yield chunk;
  }
  if (sizeBytes === 0) throw new SpaceError('SOURCE_INVALID', { reason: 'it is empty' });
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function openArchive(path: string, limits: SourceLimits): Promise<ZipFile> {
  const zip = await yauzl.openPromise(path, { autoClose: false, strictFileNames: true, validateEntrySizes: true });
  if (zip.entryCount <= limits.maxEntries) return zip;
  zip.close();
  throw tooLarge(`it has more than ${limits.maxEntries} files`);
}

async function readEntries(zip: ZipFile, limits: SourceLimits): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) {
    entries.push(entry);
    if (entries.length > limits.maxEntries) throw tooLarge(`it has more than ${limits.maxEntries} files`);
  }
  return entries;
}

async function writeEntries(zip: ZipFile, entries: Entry[], to: { folder: string; limits: SourceLimits; signal?: AbortSignal }): Promise<SourceFiles> {
  let room = to.limits.maxTotalBytes;
  const files: [string, string][] = [];
  for (const entry of entries) {
    to.signal?.throwIfAborted();
    const path = join(to.folder, entry.fileName);
    await mkdir(isFolderEntry(entry) ? path : dirname(path), { recursive: true });
    const written = isFolderEntry(entry) ? { sizeBytes: 0, hash: 'folder' } : await writeEntry(zip, entry, { path, room });
    room -= written.sizeBytes;
    files.push([entry.fileName, written.hash]);
  }
  return new Map(files.sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right))));
}

async function writeEntry(zip: ZipFile, entry: Entry, to: { path: string; room: number }): Promise<{ sizeBytes: number; hash: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let checksum = 0;
  let isExecutable = isExecutableEntry(entry);
  const stream = await zip.openReadStreamPromise(entry);
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      checksum = crc32(chunk, checksum);
      hash.update(chunk);
      isExecutable ??= chunk.subarray(0, ELF.length).equals(ELF);
      if (sizeBytes > to.room) throw tooLarge('it unpacks to more than it says');
      yield chunk;
    }
  }
  await writeFileFrom(counted(stream), to.path, { flags: 'wx', mode: 0o644 });
  // A program that was compiled before the push: its Micro starts it.
  if (isExecutable === true) await chmod(to.path, 0o755);
  if (checksum !== entry.crc32) throw refused(entry.fileName, 'is damaged: its checksum is wrong');
  return { sizeBytes, hash: `${hash.digest('hex')}${isExecutable === true ? ' program' : ''}` };
}

/** What the reader of archives says about a bad one, as ours. */
function archiveError(error: unknown): unknown {
  const known = diskError(error);
  if (isSpaceError(known) || isSystemError(known)) return known;
  const reason = known instanceof Error ? known.message : String(known);
  return new SpaceError('SOURCE_INVALID', { reason: `it is no usable zip (${reason})` }, { cause: known });
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function diskError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new SpaceError('STORE_FULL', {}, { cause: error }) : error;
}
