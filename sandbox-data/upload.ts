// Owns chunked uploads for their caller: parts become blobs, and completing makes a File of them without copying,
// unless they are many and small.
import { isSpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Drive, FileInfo } from './data.ts';
import { assertFileName, assertPartNumber, infoOf } from './file-record.ts';
import type { BlobPart, UploadRef } from './file-record.ts';
import { commitBytes, discard, knownType, newFile } from './file-write.ts';
import type { DrivePlace } from './file-write.ts';

/** More parts than this, and smaller ones on average, are joined: each costs a file of its own. */
const JOIN_FROM_PARTS = 64;
const JOIN_BELOW_BYTES = 1024 * 1024;
const ATTEMPTS = 5;

type Uploads = Pick<Drive, 'startUpload' | 'putPart' | 'completeUpload' | 'abortUpload'>;

export function createUploads(place: DrivePlace): Uploads {
  const { thread, address, drive } = place;
  return {
    async startUpload(name, { contentType } = {}) {
      assertFileName(name);
      const uploadId = newId('blob');
      await thread().call(address, 'uploadStart', drive, { uploadId, name }, knownType(contentType));
      return { uploadId };
    },
    putPart: (uploadId, name, part, ...bytes) => putPart(place, { uploadId, name, part }, ...bytes),
    completeUpload: (uploadId, name) => completeUpload(place, { uploadId, name }),
    async abortUpload(uploadId, name) {
      await discard(place, await thread().call(address, 'uploadAbort', drive, { uploadId, name }));
      place.room.loosen();
    },
  };
}

interface PartRef extends UploadRef { part: number }

async function putPart(place: DrivePlace, ref: PartRef, source: AsyncIterable<Uint8Array>, options: { contentType?: string; maxBytes?: number } = {}): Promise<void> {
  const { thread, address, drive } = place;
  assertPartNumber(ref.part);
  // Asked before the bytes are taken: nobody fills the disk for an upload that does not exist.
  await thread().call(address, 'uploadCheck', drive, ref);
  await place.room.check();
  const written = await (await place.content()).write(source, options.maxBytes);
  const part = { ...written, number: ref.part, contentType: knownType(options.contentType) };
  const record = (): Promise<string[]> => thread().call(address, 'uploadPart', drive, ref, part);
  const freed = await commitBytes(place, [written], () => place.room.write(written.sizeBytes, record));
  await discard(place, freed);
}

async function completeUpload(place: DrivePlace, ref: UploadRef): Promise<FileInfo> {
  const { thread, address, drive } = place;
  for (let attempt = 1; ; attempt += 1) {
    const { upload, parts } = await thread().call(address, 'uploadGet', drive, ref);
    if (upload.completed) return infoOf(ref.name, upload.completed);
    const joined = await joinedParts(place, parts);
    const file = newFile(place.clock, ref.name, joined, upload.contentType);
    try {
      const freed = await commitBytes(place, joined === parts ? [] : joined, () =>
        thread().call(address, 'uploadComplete', drive, ref, { version: upload.version, file }));
      await discard(place, freed);
      return infoOf(ref.name, file);
    } catch (error) {
      if (!isSpaceError(error, 'STORE_CONDITION_FAILED') || attempt === ATTEMPTS) throw error;
    }
  }
}

async function joinedParts(place: DrivePlace, parts: BlobPart[]): Promise<BlobPart[]> {
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (parts.length <= JOIN_FROM_PARTS || sizeBytes / parts.length >= JOIN_BELOW_BYTES) return parts;
  const content = await place.content();
  return [await content.write(await content.read(parts))];
}
