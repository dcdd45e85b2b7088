// Owns what a Drive does for its caller: bytes go into blobs on this side, records to the data worker. Knows no HTTP.
import type { Readable } from 'node:stream';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import type { ByteRange } from './blob/blob-store.ts';
import type { Drive, FileInfo } from './data.ts';
import { damageOfFile } from './file-check.ts';
import { assertFileName, infoOf } from './file-record.ts';
import type { BlobPart } from './file-record.ts';
import { commitBytes, discard, newFile } from './file-write.ts';
import type { DrivePlace } from './file-write.ts';
import { fileKey } from './layout.ts';
import { createUploads } from './upload.ts';

export function createDrive(place: DrivePlace): Drive {
  const { thread, address, drive } = place;
  return {
    ...createUploads(place),
    put: (name, source, options) => putFile(place, name, source, options),
    async head(name) {
      const file = await thread().call(address, 'fileGet', drive, name);
      return file && infoOf(name, file);
    },
    get: (name, range) => getFile(place, name, range),
    list: async (options = {}) => thread().call(address, 'filesList', drive, options),
    async delete(names) {
      const { freed, ...answer } = await thread().call(address, 'filesDelete', drive, names);
      place.room.loosen();
      await discard(place, freed);
      return answer;
    },
  };
}

async function putFile(place: DrivePlace, name: string, source: AsyncIterable<Uint8Array>, options: { contentType?: string; maxBytes?: number } = {}): Promise<FileInfo> {
  assertFileName(name);
  await place.room.check(); // before the bytes are taken
  const part = await (await place.content()).write(source, options.maxBytes);
  const file = newFile(place.clock, name, [part], options.contentType);
  const record = (): Promise<string[]> => place.thread().call(place.address, 'filePut', place.drive, name, file);
  const freed = await commitBytes(place, [part], () => place.room.write(part.sizeBytes, record));
  await discard(place, part.sizeBytes === 0 ? [...freed, part.blob] : freed);
  return infoOf(name, file);
}

async function getFile(place: DrivePlace, name: string, range?: ByteRange): Promise<{ info: FileInfo; stream: Readable } | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const file = await place.thread().call(place.address, 'fileGet', place.drive, name);
    if (!file) return undefined;
    try {
      const stream = await (await place.content()).read(file.parts, range && within(range, file.sizeBytes));
      stream.on('error', (error) => noteDamage(place, { name, parts: file.parts }, error));
      return { info: infoOf(name, file), stream };
    } catch (error) {
      // Replaced between the two steps: then the record is another one by now.
      if (!isSpaceError(error, 'BLOB_NOT_FOUND')) throw error;
      const again = await place.thread().call(place.address, 'fileGet', place.drive, name);
      if (again?.etag === file.etag || attempt === 5) {
        noteDamage(place, { name, parts: file.parts }, error);
        throw new SpaceError('BLOB_NOT_FOUND', { name }, { cause: error });
      }
    }
  }
}

function noteDamage({ thread, address, drive }: DrivePlace, { name, parts }: { name: string; parts: BlobPart[] }, error: unknown): void {
  const damage = damageOfFile(error, fileKey(drive, name), parts);
  if (damage) thread().call(address, 'blobDamaged', damage).catch(() => {}); // the reader has the error
}

/** The end may lie beyond the File, the start may not. */
function within({ start, end }: ByteRange, sizeBytes: number): ByteRange {
  if (!Number.isInteger(start) || start < 0 || start >= sizeBytes || end < start) throw new SpaceError('RANGE_NOT_SATISFIABLE', { sizeBytes });
  return { start, end: Math.min(end, sizeBytes - 1) };
}
