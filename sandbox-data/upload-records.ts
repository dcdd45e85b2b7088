// Owns the records of chunked uploads: parts in any order, repeated or none; visible as a File when completed, only then.
// Lives in a data worker.
import { SpaceError } from '../core/errors.ts';
import { refer, unrefer, writeFile } from './drive-records.ts';
import type { DriveCall, Freed } from './drive-records.ts';
import { assertFileName } from './file-record.ts';
import type { BlobPart, FileRecord, UploadRecord, UploadRef } from './file-record.ts';
import { fileKey, partKey, partPrefix, prefixRange, UPLOAD_PREFIX, uploadKey } from './layout.ts';
import { commitLogged } from './records.ts';
import type { Records } from './records.ts';
import { intactRange, readBefore } from './store/intact.ts';
import type { ReadValue, StoreChange } from './store/store.ts';

/** An upload that is not completed in this time is given up. */
export const UPLOAD_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** What completing starts from. A completed upload has its File instead of parts. */
export interface UploadState { upload: UploadRecord; parts: BlobPart[] }

/** @throws NAME_INVALID */
export async function startUpload(call: DriveCall, { uploadId, name }: UploadRef, contentType?: string): Promise<void> {
  assertFileName(name);
  const upload: UploadRecord = { drive: call.drive, name, contentType, startedAtMs: call.nowMs, version: 0 };
  await call.records.store.batch([{ type: 'put', key: uploadKey(uploadId), value: JSON.stringify(upload) }]);
}

/** @throws UPLOAD_NOT_FOUND: unknown, of another Drive or name, or no longer open */
export async function getUpload(call: DriveCall, { uploadId, name }: UploadRef): Promise<UploadState> {
  const upload = ownUpload(call, name, await call.records.store.get(uploadKey(uploadId)));
  return { upload, parts: upload.completed ? [] : (await partsOf(call.records, uploadId)).map(({ blob, sizeBytes, crc }) => ({ blob, sizeBytes, crc })) };
}

/** Whether a part may come. @throws UPLOAD_NOT_FOUND */
export async function checkUpload(call: DriveCall, { uploadId, name }: UploadRef): Promise<void> {
  openUpload(call, name, await call.records.store.get(uploadKey(uploadId)));
}

/** A part of the same number is replaced. @throws UPLOAD_NOT_FOUND */
export async function putPart(call: DriveCall, { uploadId, name }: UploadRef, part: { number: number; contentType?: string } & BlobPart): Promise<Freed> {
  const { number, contentType, ...piece } = part;
  const key = partKey(uploadId, number);
  return commitLogged(call.records, call.nowMs, [uploadKey(uploadId), key], (read) => {
    const upload = openUpload(call, name, read(uploadKey(uploadId)));
    const grown: UploadRecord = { ...upload, contentType: upload.contentType ?? contentType, version: upload.version + 1 };
    const before = readBefore(read, key);
    const freed = before === undefined ? [] : [(JSON.parse(before) as BlobPart).blob];
    const changes: StoreChange[] = [
      { type: 'put', key: uploadKey(uploadId), value: JSON.stringify(grown) },
      { type: 'put', key, value: JSON.stringify(piece) }, ...refer([piece]), ...unrefer(freed),
    ];
    return { changes, log: [], result: freed };
  });
}

/** Make the File. @throws UPLOAD_NOT_FOUND, STORE_CONDITION_FAILED when a part came since `version` */
export async function completeUpload(call: DriveCall, { uploadId, name }: UploadRef, { version, file }: { version: number; file: FileRecord }): Promise<Freed> {
  const parts = await partsOf(call.records, uploadId);
  const kept = new Set(file.parts.map(({ blob }) => blob));
  const unused = parts.map(({ blob }) => blob).filter((blob) => !kept.has(blob));
  return commitLogged(call.records, call.nowMs, [uploadKey(uploadId), fileKey(call.drive, name)], (read) => {
    const upload = openUpload(call, name, read(uploadKey(uploadId)));
    if (upload.version !== version) throw new SpaceError('STORE_CONDITION_FAILED');
    const write = writeFile(call.drive, name, file, read);
    const done: StoreChange = { type: 'put', key: uploadKey(uploadId), value: JSON.stringify({ ...upload, completed: file }) };
    return {
      changes: [...write.changes, done, ...dropParts(parts), ...unrefer(unused)],
      log: write.log,
      result: [...write.result, ...unused],
    };
  });
}

/** @throws UPLOAD_NOT_FOUND */
export async function abortUpload(call: DriveCall, { uploadId, name }: UploadRef): Promise<Freed> {
  return abandon(call.records, call.nowMs, uploadId, (read) => openUpload(call, name, read(uploadKey(uploadId))));
}

/** Give up uploads that were started too long ago, and forget completed ones. */
export async function sweepUploads(records: Records, nowMs: number): Promise<Freed> {
  const freed: Freed[] = [];
  for await (const [key, value] of intactRange(records.store, prefixRange(UPLOAD_PREFIX))) {
    const { startedAtMs } = JSON.parse(value) as UploadRecord;
    if (nowMs - startedAtMs > UPLOAD_MAX_AGE_MS) freed.push(await abandon(records, nowMs, key.slice(UPLOAD_PREFIX.length), () => {}));
  }
  return freed.flat();
}

async function abandon(records: Records, nowMs: number, uploadId: string, check: (read: ReadValue) => void): Promise<Freed> {
  for (;;) {
    const parts = await partsOf(records, uploadId, true);
    const before = await records.store.get(uploadKey(uploadId));
    const isDone = await commitLogged(records, nowMs, [uploadKey(uploadId)], (read) => {
      check(read);
      if (read(uploadKey(uploadId)) !== before) return { changes: [], log: [], result: false };
      const blobs = parts.map(({ blob }) => blob);
      return { changes: [{ type: 'del', key: uploadKey(uploadId) }, ...dropParts(parts), ...unrefer(blobs)], log: [], result: true };
    });
    if (isDone) return parts.map(({ blob }) => blob);
  }
}

interface StoredPart extends BlobPart { key: string }

/** In the order of their numbers. @param isGivenUp damaged parts are passed over */
async function partsOf({ store }: Records, uploadId: string, isGivenUp = false): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  const range = prefixRange(partPrefix(uploadId));
  for await (const [key, value] of isGivenUp ? intactRange(store, range) : store.range(range)) parts.push({ key, ...(JSON.parse(value) as BlobPart) });
  return parts;
}

function dropParts(parts: StoredPart[]): StoreChange[] {
  return parts.map(({ key }) => ({ type: 'del', key }));
}

/** An upload id of another Drive, or with another name, is as good as unknown. */
function ownUpload(call: DriveCall, name: string, text: string | undefined): UploadRecord {
  const upload = text === undefined ? undefined : (JSON.parse(text) as UploadRecord);
  if (!upload || upload.drive !== call.drive || upload.name !== name) throw new SpaceError('UPLOAD_NOT_FOUND');
  return upload;
}

function openUpload(call: DriveCall, name: string, text: string | undefined): UploadRecord {
  const upload = ownUpload(call, name, text);
  if (upload.completed) throw new SpaceError('UPLOAD_NOT_FOUND');
  return upload;
}
