// Owns the records of Files: get, put, list, delete. Lives in a data worker; the bytes are in blobs, on the other side.
// What a change no longer refers to is returned, so that the caller deletes those blobs once the batch is durable.
import { SpaceError } from '../core/errors.ts';
import { assertFileName, DELETE_MAX_NAMES, isFileName, LIST_MAX_NAMES } from './file-record.ts';
import type { BlobPart, FileRecord, ListOptions } from './file-record.ts';
import { blobKey, fileKey, filePrefix } from './layout.ts';
import { commitLogged } from './records.ts';
import type { LoggedDecision, Records } from './records.ts';
import { intactRange, readBefore } from './store/intact.ts';
import type { ReadValue, StoreChange } from './store/store.ts';
import { compareText, textAfterPrefix } from './text-order.ts';

export interface DriveCall { records: Records; drive: string; nowMs: number }
/** Blobs that nothing refers to any more. */
export type Freed = string[];

/** @throws RECORD_CORRUPT */
export async function getFile({ records, drive }: DriveCall, name: string): Promise<FileRecord | undefined> {
  if (!isFileName(name)) return undefined;
  const text = await records.store.get(fileKey(drive, name));
  return text === undefined ? undefined : (JSON.parse(text) as FileRecord);
}

/** Let `name` refer to the blobs of `file`. */
export async function putFile(call: DriveCall, name: string, file: FileRecord): Promise<Freed> {
  assertFileName(name);
  return commitLogged(call.records, call.nowMs, [fileKey(call.drive, name)], (read) => writeFile(call.drive, name, file, read));
}

/** The decision of putting one File. The transaction must have named its key. */
export function writeFile(drive: string, name: string, file: FileRecord, read: ReadValue): LoggedDecision<Freed> {
  const key = fileKey(drive, name);
  const before = readBefore(read, key);
  const after = JSON.stringify(file);
  const kept = new Set(file.parts.map(({ blob }) => blob));
  const freed = blobsOf(before).filter((blob) => !kept.has(blob));
  return {
    changes: [{ type: 'put', key, value: after }, ...refer(file.parts), ...unrefer(freed)],
    log: [{ kind: 'put', area: 'drive', name: drive, key: name, before, after }],
    result: freed,
  };
}

/** @throws NAME_INVALID when no name is valid, TOO_MANY_ITEMS */
export async function deleteFiles(call: DriveCall, names: readonly unknown[]): Promise<{ deleted: string[]; failed: Record<string, string>; freed: Freed }> {
  if (names.length > DELETE_MAX_NAMES) throw new SpaceError('TOO_MANY_ITEMS', { limit: DELETE_MAX_NAMES });
  const deleted = [...new Set(names.filter(isFileName))];
  if (deleted.length === 0) throw new SpaceError('NAME_INVALID', { reason: "Names can't be empty" });
  const failed = names.filter((name) => !isFileName(name)).map((name): [string, string] => [String(name), 'invalid name']);
  const freed = await commitLogged(call.records, call.nowMs, deleted.map((name) => fileKey(call.drive, name)), (read) => {
    const removals = deleted.map((name) => removeFile(call.drive, name, readBefore(read, fileKey(call.drive, name))));
    return { changes: removals.flatMap(({ changes }) => changes), log: removals.flatMap(({ log }) => log), result: removals.flatMap(({ result }) => result) };
  });
  return { deleted, failed: Object.fromEntries(failed), freed };
}

function removeFile(drive: string, name: string, before: string | undefined): LoggedDecision<Freed> {
  // Without a readable record there may still be a damaged one: deleting heals.
  const changes: StoreChange[] = [{ type: 'del', key: fileKey(drive, name) }];
  if (before === undefined) return { changes, log: [], result: [] };
  const freed = blobsOf(before);
  return { changes: [...changes, ...unrefer(freed)], log: [{ kind: 'delete', area: 'drive', name: drive, key: name, before }], result: freed };
}

/** Names in byte order; with `recursive: false` what lies below the next `/` is one entry, `folder/`.   @source reference 5.3 */
export async function listFiles(call: DriveCall, options: ListOptions): Promise<{ names: string[]; last?: string }> {
  const { prefix = '', last = '', recursive = true } = options;
  if (!prefix.isWellFormed() || !last.isWellFormed()) throw new SpaceError('NAME_INVALID');
  const limit = listLimit(options.limit);
  const names: string[] = [];
  let from: From | undefined = last !== '' && compareText(last, prefix) >= 0 ? { gt: last } : { gte: prefix };
  let step = recursive ? limit + 1 : FOLDER_STEP;
  while (from && names.length <= limit) {
    const found = await fileNames(call, from, { prefix, limit: step });
    const end = recursive ? -1 : found.findIndex((name) => folderOf(name, prefix) !== undefined);
    names.push(...(end === -1 ? found : found.slice(0, end)));
    const folder = end === -1 ? undefined : folderOf(found[end]!, prefix)!;
    if (folder !== undefined && (last === '' || compareText(folder, last) > 0)) names.push(folder);
    from = folder !== undefined ? behind(folder) : found.length < step ? undefined : { gt: found.at(-1)! };
    step = folder !== undefined || recursive ? step : Math.min(step * 2, LIST_MAX_NAMES);
  }
  return names.length > limit ? { names: names.slice(0, limit), last: names[limit - 1]! } : { names };
}

type From = { gte: string } | { gt: string };

/** A folder costs one look into it; what is read beyond its first name is in vain. */
const FOLDER_STEP = 8;

function behind(folder: string): From | undefined {
  const next = textAfterPrefix(folder);
  return next === undefined ? undefined : { gte: next };
}

async function fileNames({ records, drive }: DriveCall, from: From, { prefix, limit }: { prefix: string; limit: number }): Promise<string[]> {
  const base = filePrefix(drive);
  const lower = 'gt' in from ? { gt: base + from.gt } : { gte: base + from.gte };
  const names: string[] = [];
  for await (const [key] of intactRange(records.store, { ...lower, lt: textAfterPrefix(base + prefix), limit })) names.push(key.slice(base.length));
  return names;
}

function folderOf(name: string, prefix: string): string | undefined {
  const end = name.indexOf('/', prefix.length);
  return end === -1 ? undefined : name.slice(0, end + 1);
}

function listLimit(limit: number | undefined): number {
  if (limit === undefined || limit === 0) return LIST_MAX_NAMES;
  if (!Number.isInteger(limit) || limit < 0) throw new SpaceError('INVALID_FIELD', { field: 'limit', reason: 'is a whole number' });
  return Math.min(limit, LIST_MAX_NAMES);
}

/** Those of `blobs` that nothing refers to. A damaged reference is a reference. */
export async function unreferredBlobs({ store }: Records, blobs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(blobs.map((blob) => store.get(blobKey(blob)).then((value) => value !== undefined, () => true)));
  return blobs.filter((_, index) => !found[index]);
}

export function refer(parts: readonly BlobPart[]): StoreChange[] {
  return parts.map(({ blob }) => ({ type: 'put', key: blobKey(blob), value: '{}' }));
}

export function unrefer(blobs: readonly string[]): StoreChange[] {
  return blobs.map((blob) => ({ type: 'del', key: blobKey(blob) }));
}

function blobsOf(record: string | undefined): string[] {
  return record === undefined ? [] : (JSON.parse(record) as FileRecord).parts.map(({ blob }) => blob);
}
