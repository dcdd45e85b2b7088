// Owns the list of what a data worker can be asked. Each operation gets the open Collection first.
import { errorRecord } from '../../core/errors.ts';
import type { ErrorRecord } from '../../core/errors.ts';
import { importItems } from '../archive-records.ts';
import { deleteItem, getItem, getVersionedItem, insertItem, insertVersionedItem, putItems, putVersionedItems, sweepExpired, updateItemOf, updateVersionedItem } from '../base.ts';
import { queryItems } from '../base-query.ts';
import { lastSequence, readChanges } from '../change-log.ts';
import { checkIndexes } from '../index-check.ts';
import { sweepIndexes } from '../index-demand.ts';
import { collectionUsage, usedBytes } from '../collection-usage.ts';
import type { JsonText, WriteCondition } from '../data.ts';
import { deleteFiles, getFile, listFiles, putFile, unreferredBlobs } from '../drive-records.ts';
import { fileBlobs, reportDamage, tellOfFile } from '../damage-report.ts';
import type { BlobPart, FileRecord, ListOptions, UploadRef } from '../file-record.ts';
import { writtenNames } from '../records.ts';
import type { Records } from '../records.ts';
import type { Damage, DamageList } from '../store/damage.ts';
import type { StoreChange, StoreCondition, StoreEntry, StoreRange, StoreReader } from '../store/store.ts';
import { abortUpload, checkUpload, completeUpload, getUpload, putPart, startUpload, sweepUploads } from '../upload-records.ts';

/** An open Collection, the time of the call, and the snapshots that the other side holds. */
export interface OperationContext {
  records: Records;
  nowMs: number;
  snapshots: Map<number, StoreReader & { close(): Promise<void> }>;
  /** What is known of damage to it. */
  damage: DamageList;
  tellDamage(damage: Damage): Promise<void>;
}

type C = OperationContext;
const on = ({ records, nowMs }: C, base: string) => ({ records, nowMs, base });
const inside = ({ records, nowMs }: C, drive: string) => ({ records, nowMs, drive });

/** A page of a range ends after this many characters. */
const RANGE_PAGE_LENGTH = 1024 * 1024;
export const RANGE_PAGE_ENTRIES = 1000;

export const operations = {
  itemGet: (c: C, base: string, key: string) => getItem(on(c, base), key),
  itemsPut: (c: C, base: string, request: JsonText) => putItems(on(c, base), request),
  itemInsert: (c: C, base: string, request: JsonText) => insertItem(on(c, base), request),
  itemUpdate: (c: C, base: string, key: string, request: JsonText) => updateItemOf(on(c, base), key, request),
  itemDelete: (c: C, base: string, key: string) => deleteItem(on(c, base), key),
  itemsQuery: (c: C, base: string, request: JsonText) => queryItems(on(c, base), request),
  itemsImport: (c: C, base: string, texts: readonly string[], options: { isRehearsal: boolean; first: number }) => importItems(on(c, base), texts, options),

  /** An Item that cannot be read is the matter of whoever asked for it. */
  versionedGetMany: (c: C, base: string, keys: readonly string[]): Promise<(string | ErrorRecord | undefined)[]> => Promise.all(keys.map((key) => getVersionedItem(on(c, base), key).catch(errorRecord))),
  versionedPut: (c: C, base: string, request: JsonText, condition?: WriteCondition) => putVersionedItems(on(c, base), request, condition),
  versionedInsert: (c: C, base: string, request: JsonText, condition?: WriteCondition) => insertVersionedItem(on(c, base), request, condition),
  versionedUpdate: (c: C, base: string, key: string, write: { request: JsonText; condition?: WriteCondition }) => updateVersionedItem(on(c, base), key, write),
  versionedDelete: (c: C, base: string, key: string, condition?: WriteCondition) => deleteItem(on(c, base), key, condition),

  fileGet: (c: C, drive: string, name: string) => getFile(inside(c, drive), name),
  filePut: (c: C, drive: string, name: string, file: FileRecord) => putFile(inside(c, drive), name, file),
  filesDelete: (c: C, drive: string, names: readonly unknown[]) => deleteFiles(inside(c, drive), names),
  filesList: (c: C, drive: string, options: ListOptions) => listFiles(inside(c, drive), options),
  /** None while records may be lost: what they referred to is worth keeping until the owner has seen to it. */
  blobsUnreferred: async (c: C, blobs: string[]) => ((await c.damage.lostRecords()) ? [] : unreferredBlobs(c.records, blobs)),

  uploadStart: (c: C, drive: string, upload: UploadRef, contentType?: string) => startUpload(inside(c, drive), upload, contentType),
  uploadCheck: (c: C, drive: string, upload: UploadRef) => checkUpload(inside(c, drive), upload),
  uploadGet: (c: C, drive: string, upload: UploadRef) => getUpload(inside(c, drive), upload),
  uploadPart: (c: C, drive: string, upload: UploadRef, part: { number: number; contentType?: string } & BlobPart) => putPart(inside(c, drive), upload, part),
  uploadComplete: (c: C, drive: string, upload: UploadRef, completed: { version: number; file: FileRecord }) => completeUpload(inside(c, drive), upload, completed),
  uploadAbort: (c: C, drive: string, upload: UploadRef) => abortUpload(inside(c, drive), upload),

  damageReport: (c: C) => reportDamage(c.records, c.damage),
  blobDamaged: (c: C, damage: Damage) => tellOfFile(c, damage),
  damageForget: (c: C) => c.damage.forget(),
  verify: (c: C) => c.records.store.verify?.(),
  fileBlobs: (c: C, after: string | undefined) => fileBlobs(c.records, after),

  contents: async (c: C) => ({ bases: await writtenNames(c.records, 'base'), drives: await writtenNames(c.records, 'drive') }),
  usage: (c: C) => collectionUsage(c.records),
  usedBytes: (c: C) => usedBytes(c.records),
  changesRead: (c: C, after: number, limit: number) => readChanges(c.records.store, after, limit),
  changesLast: (c: C) => lastSequence(c.records.store),
  indexesCheck: (c: C) => checkIndexes(c.records, c.nowMs),
  sweep: async (c: C) => {
    const swept = { items: await sweepExpired(c.records, c.nowMs), freed: await sweepUploads(c.records, c.nowMs) };
    await sweepIndexes(c.records, c.nowMs);
    return swept;
  },

  storeGet: (c: C, key: string, snapshot?: number) => reader(c, snapshot).get(key),
  storeGetMany: (c: C, keys: readonly string[], snapshot?: number) => reader(c, snapshot).getMany(keys),
  storeRange: (c: C, range: StoreRange, snapshot?: number) => rangePage(reader(c, snapshot), range),
  storeBatch: (c: C, changes: readonly StoreChange[], conditions?: readonly StoreCondition[]) => c.records.store.batch(changes, conditions),
  storeSnapshot: async (c: C, snapshot: number) => { c.snapshots.set(snapshot, await c.records.store.snapshot()); },
  storeSnapshotClose: async (c: C, snapshot: number) => {
    const held = c.snapshots.get(snapshot);
    c.snapshots.delete(snapshot);
    await held?.close();
  },
} as const;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

function reader(c: C, snapshot: number | undefined): StoreReader {
  if (snapshot === undefined) return c.records.store;
  const held = c.snapshots.get(snapshot);
  if (!held) throw new TypeError('this snapshot is closed');
  return held;
}

/** A part of the range; the caller goes on behind its last entry while `isMore`. */
async function rangePage(store: StoreReader, range: StoreRange): Promise<{ entries: StoreEntry[]; isMore: boolean }> {
  const limit = Math.min(range.limit ?? RANGE_PAGE_ENTRIES, RANGE_PAGE_ENTRIES);
  const entries: StoreEntry[] = [];
  let length = 0;
  for await (const entry of store.range({ ...range, limit })) {
    entries.push(entry);
    length += entry[0].length + entry[1].length;
    if (length > RANGE_PAGE_LENGTH) return { entries, isMore: true };
  }
  return { entries, isMore: entries.length === limit && limit !== range.limit };
}
