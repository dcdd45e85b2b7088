// Owns blobs as files of one folder. A blob is written to `tmp/`, synced, and renamed into its place, so it is whole or absent.
import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { diskError, hasErrno } from '../disk-error.ts';
import { createFolder, syncFolder } from '../folder.ts';
import type { RoomGuard } from '../store/room.ts';
import type { BlobInfo, BlobStore, ByteRange } from './blob-store.ts';

/** No blob is a link: whoever put one there wants another file to be read. Windows has neither the flag nor such links for everybody. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const READ_CHUNK_BYTES = 512 * 1024;
/** Small chunks are gathered up to one of these before a write. */
const WRITE_BYTES = 256 * 1024;
const WRITE_CHUNKS = 512;
/** Those beyond are refused: on a slow disk they would only wait. Each holds up to WRITE_BYTES. */
const WRITERS_MAX = 256;

/** Open (and create) the blobs of `folder`; what an earlier process left half-written is removed.
 *  Only one process may have a folder open. @param options.room refuses writes a little before the disk is full  @throws STORE_FULL, STORE_UNAVAILABLE */
export async function openFileBlobStore(folder: string, { room }: { room?: RoomGuard } = {}): Promise<BlobStore> {
  try {
    await rm(join(folder, 'tmp'), { recursive: true, force: true });
    await createFolder(join(folder, 'tmp'));
  } catch (error) {
    throw diskError(error);
  }
  return new FileBlobStore(folder, room);
}

class FileBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #room: RoomGuard | undefined;
  #writing = 0;

  constructor(folder: string, room: RoomGuard | undefined) {
    this.#folder = folder;
    this.#room = room;
  }

  async put(key: string, source: AsyncIterable<Uint8Array>, options: { maxBytes?: number } = {}): Promise<BlobInfo> {
    const place = this.#place(key);
    const temporary = join(this.#folder, 'tmp', newId('blob'));
    if (this.#writing >= WRITERS_MAX) throw new SpaceError('STORE_BUSY');
    this.#writing += 1;
    try {
      await onDisk(async () => this.#room?.assertRoom(0));
      const sizeBytes = await writeFile(temporary, source, { maxBytes: options.maxBytes ?? Number.POSITIVE_INFINITY, room: this.#room });
      await onDisk(async () => {
        await createFolder(place.folder);
        await rename(temporary, place.path);
        await syncFolder(place.folder);
      });
      return { sizeBytes };
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {}); // the next open removes it
      throw error;
    } finally {
      this.#writing -= 1;
    }
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    const handle = await this.#open(key);
    try {
      const { size: sizeBytes } = await handle.stat();
      if (range && (range.start >= sizeBytes || range.start > range.end || range.start < 0)) {
        throw new SpaceError('RANGE_NOT_SATISFIABLE', { sizeBytes });
      }
      return handle.createReadStream({ highWaterMark: READ_CHUNK_BYTES, ...range });
    } catch (error) {
      await handle.close();
      throw diskError(error);
    }
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    const { path } = this.#place(key);
    try {
      const found = await lstat(path);
      return found.isFile() ? { sizeBytes: found.size } : undefined;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw diskError(error);
    }
  }

  async delete(key: string): Promise<void> {
    const { path } = this.#place(key);
    try {
      await unlink(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw diskError(error);
    }
  }

  async *list(): AsyncGenerator<string> {
    const folders = await onDisk(() => readdir(this.#folder));
    for (const name of folders.filter((each) => each.length <= 2)) {
      yield* await onDisk(() => readdir(join(this.#folder, name)));
    }
  }

  async close(): Promise<void> {}

  async #open(key: string): Promise<FileHandle> {
    const { path } = this.#place(key);
    try {
      return await open(path, constants.O_RDONLY | NO_FOLLOW);
    } catch (error) {
      throw hasErrno(error, 'ENOENT') || hasErrno(error, 'ELOOP') ? new SpaceError('BLOB_NOT_FOUND', {}, { cause: error }) : diskError(error);
    }
  }

  /** The only place where a key becomes a path. `tmp` is longer than any folder made here. */
  #place(key: string): { folder: string; path: string } {
    if (!/^[a-z0-9]{1,128}$/.test(key)) throw new TypeError('a blob key is 1 to 128 characters of [a-z0-9]');
    const folder = join(this.#folder, key.slice(0, 2));
    return { folder, path: join(folder, key) };
  }
}

async function onDisk<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw diskError(error);
  }
}

/** @returns bytes written and synced. Errors of `source` pass as they are. */
async function writeFile(path: string, source: AsyncIterable<Uint8Array>, { maxBytes, room }: { maxBytes: number; room: RoomGuard | undefined }): Promise<number> {
  const handle = await onDisk(() => open(path, 'wx'));
  try {
    let sizeBytes = 0;
    for await (const chunk of gathered(source)) {
      const bytes = chunk.reduce((sum, part) => sum + part.byteLength, 0);
      sizeBytes += bytes;
      if (sizeBytes > maxBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: maxBytes });
      await onDisk(async () => {
        await room?.assertRoom(bytes);
        await writeAll(handle, chunk, bytes);
      });
    }
    await onDisk(() => handle.sync());
    return sizeBytes;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunks: Uint8Array[], bytes: number): Promise<void> {
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten < bytes) await handle.appendFile(Buffer.concat(chunks).subarray(bytesWritten));
}

async function* gathered(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < WRITE_BYTES && chunks.length < WRITE_CHUNKS) continue;
    yield chunks;
    chunks = [];
    bytes = 0;
  }
  if (bytes > 0) yield chunks;
}
