// Owns what a Base does: the requests and answers of Deta's Base API, on a Collection's records. Lives in a data worker.
import { SpaceError, isSpaceError } from '../core/errors.ts';
import type { JsonText, Versioned, WriteCondition } from './data.ts';
import type { Change } from './change-log.ts';
import { SWEEP_GRACE_SECONDS, isExpired } from './expiry.ts';
import { decodeItem, encodeItem, isKey, itemFromValue } from './item.ts';
import type { Item, StoredItem } from './item.ts';
import { indexChanges, indexesOf } from './index-records.ts';
import { isLong, isObject, ownValue, parseJson } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { EXPIRY_PREFIX, expiryBefore, expiryKey, itemKey, itemOfExpiryKey } from './layout.ts';
import { commitLogged } from './records.ts';
import type { LoggedDecision, Records } from './records.ts';
import { intactRange, readBefore } from './store/intact.ts';
import type { ReadValue, StoreChange } from './store/store.ts';
import { nextTurn } from './turn.ts';
import { parseUpdate, updateItem } from './update.ts';
import { assertAllowed } from './write-condition.ts';

export const PUT_MAX_ITEMS = 25;
const SWEEP_STEP = 500;

/** Who acts on what: an open Collection, a Base of it, the time of the call. */
export interface BaseCall { records: Records; base: string; nowMs: number }

/** The Item's JSON; `undefined` when missing or expired. @throws RECORD_CORRUPT */
export async function getItem(call: BaseCall, key: string): Promise<string | undefined> {
  return (await visibleItem(call, key))?.json;
}

/** The same behind its version, `<version>{...}`: one text is cheaper to hand over than two. */
export async function getVersionedItem(call: BaseCall, key: string): Promise<string | undefined> {
  const item = await visibleItem(call, key);
  return item && `${item.version}${item.json}`;
}

async function visibleItem({ records, base, nowMs }: BaseCall, key: string): Promise<StoredItem | undefined> {
  if (!isKey(key)) return undefined;
  const record = await records.store.get(itemKey(base, key));
  return visible(record, nowMs);
}

function visible(record: string | undefined, nowMs: number): StoredItem | undefined {
  const item = record === undefined ? undefined : decodeItem(record);
  return item && !isExpired(item.expires, nowMs) ? item : undefined;
}

function versionOf(record: string | undefined, nowMs: number): string | undefined {
  return visible(record, nowMs)?.version.toString();
}

/** `{"items":[...]}` -> `{"processed":{"items":[...]}}`. All or nothing.
 *  @throws BASE_BAD_ITEM, TOO_MANY_ITEMS, ITEM_TOO_LARGE   @source reference 4.2, PUT /items */
export async function putItems(call: BaseCall, request: JsonText): Promise<string> {
  return (await putVersionedItems(call, request)).json;
}

/** @param condition on the only Item   @returns its version besides, of several none   @throws BASE_CONDITION_FAILED */
export async function putVersionedItems(call: BaseCall, request: JsonText, condition?: WriteCondition): Promise<Versioned> {
  if (isLong(request)) await nextTurn();
  const items = itemsOfRequest(requestObject(request));
  if (condition && items.length > 1) throw new SpaceError('BASE_BAD_ITEM', { reason: 'A condition is on one item' });
  const keys = items.map(({ key }) => itemKey(call.base, key));
  const version = await commitLogged(call.records, call.nowMs, keys, (read, sequence) => {
    const writes = items.map((item, at) => {
      const before = readBefore(read, itemKey(call.base, item.key));
      assertAllowed(condition, versionOf(before, call.nowMs));
      return writeItem(call, item, { before, version: sequence + at });
    });
    return { changes: writes.flatMap(({ changes }) => changes), log: writes.map(({ change }) => change), result: items.length === 1 ? String(sequence) : '' };
  });
  return { json: `{"processed":{"items":[${items.map(({ json }) => json).join(',')}]}}`, version };
}

/** `{"item":{...}}` -> the Item. An expired Item of that key is no conflict. @throws BASE_KEY_EXISTS, BASE_BAD_ITEM, ITEM_TOO_LARGE */
export async function insertItem(call: BaseCall, request: JsonText): Promise<string> {
  return (await insertVersionedItem(call, request)).json;
}

/** @throws BASE_CONDITION_FAILED */
export async function insertVersionedItem(call: BaseCall, request: JsonText, condition?: WriteCondition): Promise<Versioned> {
  if (isLong(request)) await nextTurn();
  const item = itemFromValue(ownValue(requestObject(request), 'item'));
  const storeKey = itemKey(call.base, item.key);
  return commitLogged(call.records, call.nowMs, [storeKey], (read, sequence) => {
    const before = read(storeKey);
    assertAllowed(condition, versionOf(before, call.nowMs));
    if (visible(before, call.nowMs)) throw new SpaceError('BASE_KEY_EXISTS');
    return oneWrite(writeItem(call, item, { before, version: sequence }), { json: item.json, version: String(sequence) });
  });
}

/** Five operations on one Item -> their echo with `key`. @throws BASE_KEY_NOT_FOUND, BASE_BAD_UPDATE, ITEM_TOO_LARGE */
export async function updateItemOf(call: BaseCall, key: string, request: JsonText): Promise<string> {
  return (await updateVersionedItem(call, key, { request })).json;
}

/** @throws BASE_CONDITION_FAILED */
export async function updateVersionedItem(call: BaseCall, key: string, { request, condition }: { request: JsonText; condition?: WriteCondition }): Promise<Versioned> {
  if (isLong(request)) await nextTurn();
  const update = parseUpdate(requestObject(request));
  if (!isKey(key)) throw new SpaceError('BASE_KEY_NOT_FOUND');
  const storeKey = itemKey(call.base, key);
  return commitLogged(call.records, call.nowMs, [storeKey], (read, sequence) => {
    const before = read(storeKey);
    const stored = visible(before, call.nowMs);
    if (!stored) throw new SpaceError('BASE_KEY_NOT_FOUND');
    assertAllowed(condition, String(stored.version));
    const item = updateItem(key, JSON.parse(stored.json) as JsonObject, update);
    const written = { json: JSON.stringify({ key, ...update.echo }), version: String(sequence) };
    return oneWrite(writeItem(call, item, { before, version: sequence }), written);
  });
}

/** Deleting what is not there is no error. */
export async function deleteItem(call: BaseCall, key: string, condition?: WriteCondition): Promise<void> {
  if (!isKey(key)) {
    assertAllowed(condition, undefined);
    return;
  }
  const storeKey = itemKey(call.base, key);
  await commitLogged(call.records, call.nowMs, [storeKey], (read) => {
    const record = recordOrDamage(read, storeKey);
    assertAllowed(condition, record === DAMAGED ? undefined : versionOf(record, call.nowMs));
    return removal(call, key, { record, kind: 'delete' });
  });
}

/** Delete Items of any Base that expired a while ago. @returns how many */
export async function sweepExpired(records: Records, nowMs: number): Promise<number> {
  const range = { gte: EXPIRY_PREFIX, lt: expiryBefore(nowMs / 1000 - SWEEP_GRACE_SECONDS), limit: SWEEP_STEP };
  let swept = 0;
  for await (const [key] of intactRange(records.store, range)) swept += await sweepItem(records, nowMs, key);
  return swept;
}

function sweepItem(records: Records, nowMs: number, expiry: string): Promise<number> {
  const { base, key } = itemOfExpiryKey(expiry);
  const storeKey = itemKey(base, key);
  return commitLogged(records, nowMs, [storeKey], (read) => {
    const record = readBefore(read, storeKey);
    const stored = record === undefined ? undefined : decodeItem(record);
    const isOver = stored?.expires !== undefined && expiryKey(stored.expires, base, key) === expiry;
    // An index entry without its Item is left over from a damaged record.
    if (!isOver) return { changes: [{ type: 'del', key: expiry }], log: [], result: 0 };
    return { ...removal({ records, base }, key, { record, kind: 'expire' }), result: 1 };
  });
}

function requestObject(request: JsonText): JsonObject {
  const body = parseJson(request);
  if (!isObject(body)) throw new SpaceError('BASE_BAD_ITEM', { reason: 'The body is a JSON object' });
  return body;
}

function itemsOfRequest(body: JsonObject): Item[] {
  const values = ownValue(body, 'items');
  if (!Array.isArray(values) || values.length === 0) throw new SpaceError('BASE_BAD_ITEM', { reason: '`items` is a list of at least one item' });
  if (values.length > PUT_MAX_ITEMS) throw new SpaceError('TOO_MANY_ITEMS', { limit: PUT_MAX_ITEMS });
  const items = values.map(itemFromValue);
  if (new Set(items.map(({ key }) => key)).size !== items.length) throw new SpaceError('BASE_BAD_ITEM', { reason: 'Two items have the same key' });
  return items;
}

interface ItemWrite { changes: StoreChange[]; change: Change }

/** @param before the record that it replaces */
function writeItem({ records, base }: Omit<BaseCall, 'nowMs'>, item: Item, { before, version }: { before: string | undefined; version: number }): ItemWrite {
  const old = before === undefined ? undefined : decodeItem(before);
  const changes: StoreChange[] = [{ type: 'put', key: itemKey(base, item.key), value: encodeItem({ ...item, version }) }];
  changes.push(...indexChanges(indexesOf(records.indexes, base), item.key, old?.json, item.value));
  if (old?.expires !== undefined) changes.push({ type: 'del', key: expiryKey(old.expires, base, item.key) });
  if (item.expires !== undefined) changes.push({ type: 'put', key: expiryKey(item.expires, base, item.key), value: '{}' });
  return { changes, change: { kind: 'put', area: 'base', name: base, key: item.key, before: old?.json, after: item.json } };
}

function oneWrite<R>({ changes, change }: ItemWrite, result: R): LoggedDecision<R> {
  return { changes, log: [change], result };
}

/** A record that cannot be read any more; it can be deleted. */
const DAMAGED = Symbol('damaged');

function recordOrDamage(read: ReadValue, storeKey: string): string | typeof DAMAGED | undefined {
  try {
    return read(storeKey);
  } catch (error) {
    if (isSpaceError(error, 'RECORD_CORRUPT')) return DAMAGED;
    throw error;
  }
}

function removal({ records, base }: Omit<BaseCall, 'nowMs'>, key: string, { record, kind }: { record: string | typeof DAMAGED | undefined; kind: 'delete' | 'expire' }): LoggedDecision<undefined> {
  if (record === undefined) return { changes: [], log: [], result: undefined };
  const { json, expires } = record === DAMAGED ? {} : decodeItem(record);
  const changes: StoreChange[] = [{ type: 'del', key: itemKey(base, key) }, ...indexChanges(indexesOf(records.indexes, base), key, json, undefined)];
  if (expires !== undefined) changes.push({ type: 'del', key: expiryKey(expires, base, key) });
  return { changes, log: [{ kind, area: 'base', name: base, key, before: json }], result: undefined };
}
