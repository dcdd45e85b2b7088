// Owns what a Base does: the requests and answers of Deta's Base API, on a Collection's records. Lives in a data worker.
import { SpaceError, isSpaceError } from '../core/errors.ts';
import type { JsonText } from './data.ts';
import type { Change } from './change-log.ts';
import { SWEEP_GRACE_SECONDS, isExpired } from './expiry.ts';
import { decodeItem, encodeItem, isKey, itemFromValue } from './item.ts';
import type { Item } from './item.ts';
import { isObject, ownValue, parseJson } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { EXPIRY_PREFIX, expiryBefore, expiryKey, itemKey, itemOfExpiryKey } from './layout.ts';
import { commitLogged, readBefore } from './records.ts';
import type { LoggedDecision, Records } from './records.ts';
import { intactRange } from './store/intact.ts';
import type { ReadValue, StoreChange } from './store/store.ts';
import { parseUpdate, updateItem } from './update.ts';

export const PUT_MAX_ITEMS = 25;
const SWEEP_STEP = 500;

/** Who acts on what: an open Collection, a Base of it, the time of the call. */
export interface BaseCall { records: Records; base: string; nowMs: number }

/** The Item's JSON; `undefined` when missing or expired. @throws RECORD_CORRUPT */
export async function getItem({ records, base, nowMs }: BaseCall, key: string): Promise<string | undefined> {
  if (!isKey(key)) return undefined;
  const record = await records.store.get(itemKey(base, key));
  if (record === undefined) return undefined;
  const { json, expires } = decodeItem(record);
  return isExpired(expires, nowMs) ? undefined : json;
}

/** `{"items":[...]}` -> `{"processed":{"items":[...]}}`. All or nothing.
 *  @throws BASE_BAD_ITEM, TOO_MANY_ITEMS, ITEM_TOO_LARGE   @source reference 4.2, PUT /items */
export async function putItems(call: BaseCall, request: JsonText): Promise<string> {
  const items = itemsOfRequest(requestObject(request));
  const keys = items.map(({ key }) => itemKey(call.base, key));
  await commitLogged(call.records, call.nowMs, keys, (read) => {
    const writes = items.map((item) => writeItem(call.base, item, readBefore(read, itemKey(call.base, item.key))));
    return { changes: writes.flatMap(({ changes }) => changes), log: writes.map(({ change }) => change), result: undefined };
  });
  return `{"processed":{"items":[${items.map(({ json }) => json).join(',')}]}}`;
}

/** `{"item":{...}}` -> the Item. An expired Item of that key is no conflict. @throws BASE_KEY_EXISTS, BASE_BAD_ITEM, ITEM_TOO_LARGE */
export async function insertItem(call: BaseCall, request: JsonText): Promise<string> {
  const item = itemFromValue(ownValue(requestObject(request), 'item'));
  const storeKey = itemKey(call.base, item.key);
  return commitLogged(call.records, call.nowMs, [storeKey], (read) => {
    const before = read(storeKey);
    if (before !== undefined && !isExpired(decodeItem(before).expires, call.nowMs)) throw new SpaceError('BASE_KEY_EXISTS');
    return oneWrite(writeItem(call.base, item, before), item.json);
  });
}

/** Five operations on one Item -> their echo with `key`. @throws BASE_KEY_NOT_FOUND, BASE_BAD_UPDATE, ITEM_TOO_LARGE */
export async function updateItemOf(call: BaseCall, key: string, request: JsonText): Promise<string> {
  const update = parseUpdate(requestObject(request));
  if (!isKey(key)) throw new SpaceError('BASE_KEY_NOT_FOUND');
  const storeKey = itemKey(call.base, key);
  return commitLogged(call.records, call.nowMs, [storeKey], (read) => {
    const before = read(storeKey);
    const stored = before === undefined ? undefined : decodeItem(before);
    if (before === undefined || !stored || isExpired(stored.expires, call.nowMs)) throw new SpaceError('BASE_KEY_NOT_FOUND');
    const item = updateItem(key, JSON.parse(stored.json) as JsonObject, update);
    return oneWrite(writeItem(call.base, item, before), JSON.stringify({ key, ...update.echo }));
  });
}

/** Deleting what is not there is no error. */
export async function deleteItem(call: BaseCall, key: string): Promise<void> {
  if (!isKey(key)) return;
  const storeKey = itemKey(call.base, key);
  await commitLogged(call.records, call.nowMs, [storeKey], (read) => removal(call.base, key, recordOrDamage(read, storeKey), 'delete'));
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
    return { ...removal(base, key, record, 'expire'), result: 1 };
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
function writeItem(base: string, item: Item, before: string | undefined): ItemWrite {
  const old = before === undefined ? undefined : decodeItem(before);
  const changes: StoreChange[] = [{ type: 'put', key: itemKey(base, item.key), value: encodeItem(item) }];
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

function removal(base: string, key: string, record: string | typeof DAMAGED | undefined, kind: 'delete' | 'expire'): LoggedDecision<undefined> {
  if (record === undefined) return { changes: [], log: [], result: undefined };
  const { json, expires } = record === DAMAGED ? {} : decodeItem(record);
  const changes: StoreChange[] = [{ type: 'del', key: itemKey(base, key) }];
  if (expires !== undefined) changes.push({ type: 'del', key: expiryKey(expires, base, key) });
  return { changes, log: [{ kind, area: 'base', name: base, key, before: json }], result: undefined };
}
