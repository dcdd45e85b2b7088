// Owns the import of Items: what each would change, and the change itself. Lives in a data worker.
import { isSpaceError } from '../core/errors.ts';
import { invalid } from './archive-names.ts';
import { PUT_MAX_ITEMS, putItems } from './base.ts';
import type { BaseCall } from './base.ts';
import type { ImportCounts } from './data.ts';
import { isExpired } from './expiry.ts';
import { decodeItem, itemFromValue } from './item.ts';
import { isObject, isSameJson, ownValue, parseJson } from './json-value.ts';
import { itemKey } from './layout.ts';
import { Slice } from './turn.ts';

/** Bring these Items in: those that are there already stay as they are. With `isRehearsal` nothing is written.
 *  @param texts JSON of each  @param first which Item of the file the first one is, for messages  @throws ARCHIVE_INVALID */
export async function importItems(call: BaseCall, texts: readonly string[], { isRehearsal, first }: { isRehearsal: boolean; first: number }): Promise<ImportCounts> {
  const slice = new Slice();
  const items = new Map<string, string>();
  for (const [at, text] of texts.entries()) {
    items.set(...itemOf(text, first + at));
    if (slice.isOver()) await slice.next();
  }
  const fresh: string[] = [];
  let added = 0;
  for (const [key, json] of items) {
    const stored = await storedJson(call, key);
    if (stored === undefined) added += 1;
    if (!isSame(stored, json)) fresh.push(json);
    if (slice.isOver()) await slice.next();
  }
  if (!isRehearsal) await putAll(call, fresh);
  return { added, changed: fresh.length - added, unchanged: texts.length - fresh.length };
}

/** Requests as others send them, so that all that a write entails happens here too; they share one sync. */
async function putAll(call: BaseCall, items: readonly string[]): Promise<void> {
  const slice = new Slice();
  const puts: Promise<string>[] = [];
  for (let start = 0; start < items.length; start += PUT_MAX_ITEMS) {
    puts.push(putItems(call, `{"items":[${items.slice(start, start + PUT_MAX_ITEMS).join(',')}]}`));
    if (slice.isOver()) await slice.next();
  }
  await Promise.all(puts);
}

function itemOf(text: string, number: number): [key: string, json: string] {
  try {
    const value = parseJson(text);
    // A key made up here would be another one the next time.
    if (!isObject(value) || typeof ownValue(value, 'key') !== 'string') throw invalid(`item ${number} has no key`);
    const { key, json } = itemFromValue(value);
    return [key, json];
  } catch (error) {
    if (isSpaceError(error, 'ARCHIVE_INVALID') || !isSpaceError(error)) throw error;
    throw invalid(`item ${number} cannot be stored: ${error.message}`, error);
  }
}

/** What is damaged or expired counts as not there. */
async function storedJson({ records, base, nowMs }: BaseCall, key: string): Promise<string | undefined> {
  const record = await records.store.get(itemKey(base, key)).catch((error: unknown) => {
    if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
  });
  if (record === undefined) return undefined;
  const { json, expires } = decodeItem(record);
  return isExpired(expires, nowMs) ? undefined : json;
}

function isSame(stored: string | undefined, json: string): boolean {
  return stored !== undefined && (stored === json || isSameJson(JSON.parse(stored), JSON.parse(json)));
}
