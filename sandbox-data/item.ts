// Owns one Item: what may be stored, under which key, and how its record looks.
import { SpaceError } from '../core/errors.ts';
import { newItemKey } from '../core/ids.ts';
import { expiryOf } from './expiry.ts';
import { isObject, ownValue, unstorableReason } from './json-value.ts';
import type { JsonObject } from './json-value.ts';

/** @source reference 4.1: the limits of DynamoDB, which Deta kept */
export const ITEM_MAX_BYTES = 400 * 1024;
export const KEY_MAX_BYTES = 1024;

export interface Item {
  key: string;
  /** The whole Item, `key` included. */
  json: string;
  value: JsonObject;
  /** Epoch seconds. */
  expires?: number;
}

/** What a caller sent, as an Item; a missing key is made up. The value is changed: it gets that key.
 *  @throws BASE_BAD_ITEM, ITEM_TOO_LARGE */
export function itemFromValue(value: unknown): Item {
  if (!isObject(value)) throw new SpaceError('BASE_BAD_ITEM', { reason: 'An item is an object' });
  const reason = unstorableReason(value);
  if (reason !== undefined) throw new SpaceError('BASE_BAD_ITEM', { reason });
  if (!Object.hasOwn(value, 'key')) value.key = newItemKey();
  return { key: checkedKey(value), json: itemJson(value), value, expires: expiryOf(value) };
}

/** @throws ITEM_TOO_LARGE */
export function itemJson(value: JsonObject): string {
  const json = JSON.stringify(value);
  if (json.length > ITEM_MAX_BYTES || (json.length * 3 > ITEM_MAX_BYTES && Buffer.byteLength(json) > ITEM_MAX_BYTES)) {
    throw new SpaceError('ITEM_TOO_LARGE', { limitBytes: ITEM_MAX_BYTES });
  }
  return json;
}

/** Whether an Item could have this key. */
export function isKey(key: unknown): key is string {
  return typeof key === 'string' && key !== '' && key.length <= KEY_MAX_BYTES
    && key.isWellFormed() && Buffer.byteLength(key) <= KEY_MAX_BYTES;
}

function checkedKey(value: JsonObject): string {
  const key = ownValue(value, 'key');
  if (!isKey(key)) throw new SpaceError('BASE_BAD_ITEM', { reason: `A key is a text of 1 to ${KEY_MAX_BYTES} bytes` });
  return key;
}

/** What is stored of an Item. `version` is the sequence of its last change; 0 for those from before there were versions. */
export interface StoredItem { json: string; expires?: number; version: number }

/** The record of an Item: `<expiry>@<version><json>`, so that neither needs parsing. */
export function encodeItem({ json, expires, version }: StoredItem): string {
  return `${expires ?? ''}@${version}${json}`;
}

export function decodeItem(record: string): StoredItem {
  const start = record.indexOf('{');
  const json = start === 0 ? record : record.slice(start);
  const mark = record.lastIndexOf('@', start);
  const expiry = record.slice(0, mark === -1 ? start : mark);
  return { json, ...(expiry !== '' && { expires: Number(expiry) }), version: mark === -1 ? 0 : Number(record.slice(mark + 1, start)) };
}
