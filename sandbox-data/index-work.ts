// Owns how an index comes to be and goes: in the background, in slices, resumed after a kill. Lives in a data worker.
// One piece of work at a time for each Collection; a failure leaves it to the next sweep, or to the next opening.
import { randomText } from '../core/ids.ts';
import { addIndex, indexesOf, indexEntries, putIndexRecord, removeIndex } from './index-records.ts';
import type { IndexRecord } from './index-records.ts';
import { decodeItem } from './item.ts';
import type { JsonObject } from './json-value.ts';
import { indexPrefix, indexRecordKey, itemPrefix, prefixRange } from './layout.ts';
import type { Records } from './records.ts';
import { intactRange, readBefore } from './store/intact.ts';
import type { ReadValue, StoreChange, StoreRange } from './store/store.ts';
import { transact } from './store/transact.ts';
import { nextTurn } from './turn.ts';

const BUILD_STEP = 200;
/** A step ends earlier when its Items are this long together. */
const BUILD_STEP_LENGTH = 256 * 1024;
const DROP_STEP = 1000;
const ID_LENGTH = 12;
/** A time of last use need not be more exact than this. */
const USE_STEP_MS = 60 * 60 * 1000;

export function createIndex(records: Records, { base, field, nowMs }: { base: string; field: string; nowMs: number }): void {
  const index: IndexRecord = { id: randomText(ID_LENGTH), base, field, state: 'building', usedAtMs: nowMs };
  addIndex(records.indexes, index);
  enqueue(records, index.id, async () => {
    await begin(records, index);
    await build(records, index);
  });
}

/** Neither writes nor queries know it any more when this resolves; its entries go in the background. */
export async function dropIndex(records: Records, index: IndexRecord): Promise<void> {
  const dropped: IndexRecord = { ...index, state: 'dropping' };
  try {
    // Writes leave it alone from the moment in which the batch says so, not earlier.
    await transact(records.store, [], () => {
      removeIndex(records.indexes, index);
      return { changes: [putIndexRecord(dropped)], result: undefined };
    });
  } catch (error) {
    // It is what it was, but for what was written meanwhile.
    if (!isListed(records, index)) addIndex(records.indexes, Object.assign(index, { state: 'building', builtTo: undefined }));
    throw error;
  }
  records.indexes.dropping.add(dropped);
  resumeIndexes(records);
}

/** For an index that was found to be damaged: queries do not see it until it is built anew. */
export async function rebuildIndex(records: Records, index: IndexRecord, nowMs: number): Promise<void> {
  if (!isListed(records, index)) return;
  await dropIndex(records, index);
  createIndex(records, { base: index.base, field: index.field, nowMs });
}

/** Go on with what was interrupted. */
export function resumeIndexes(records: Records): void {
  for (const index of [...records.indexes.byBase.values()].flat()) {
    if (index.state === 'building') enqueue(records, index.id, () => build(records, index));
  }
  for (const index of records.indexes.dropping) enqueue(records, `-${index.id}`, () => drop(records, index));
}

/** Store the times of last use that have changed by much. */
export async function saveUse(records: Records): Promise<void> {
  const { byBase, savedUse } = records.indexes;
  const used = [...byBase.values()].flat().filter(({ id, usedAtMs, state }) => state === 'ready' && usedAtMs - (savedUse.get(id) ?? 0) > USE_STEP_MS);
  if (used.length === 0) return;
  await transact(records.store, [], () => {
    const known = used.filter((index) => indexesOf(records.indexes, index.base).includes(index));
    return { changes: known.map(putIndexRecord), result: undefined };
  });
  for (const { id, usedAtMs } of used) savedUse.set(id, usedAtMs);
}

function enqueue({ indexes }: Records, id: string, work: () => Promise<void>): void {
  if (indexes.queued.has(id)) return;
  indexes.queued.add(id);
  indexes.work = indexes.work.then(work).catch(() => {}).finally(() => { indexes.queued.delete(id); });
}

/** Writes keep the index already. Those that were decided before it was listed are committed when this resolves. */
async function begin(records: Records, index: IndexRecord): Promise<void> {
  try {
    await transact(records.store, [], () => ({ changes: isListed(records, index) ? [putIndexRecord(index)] : [], result: undefined }));
  } catch (error) {
    removeIndex(records.indexes, index);
    throw error;
  }
}

async function build(records: Records, index: IndexRecord): Promise<void> {
  while (isListed(records, index) && index.state === 'building') {
    await nextTurn();
    const keys = await nextItems(records, index);
    if (keys.length === 0) {
      await commitBuilt(records, { ...index, builtTo: undefined, state: 'ready' }, []);
      Object.assign(index, { builtTo: undefined, state: 'ready' });
      return;
    }
    const builtTo = keys.at(-1)!.slice(itemPrefix(index.base).length);
    await commitBuilt(records, { ...index, builtTo }, keys);
    index.builtTo = builtTo;
  }
}

async function nextItems({ store }: Records, { base, builtTo }: IndexRecord): Promise<string[]> {
  const prefix = itemPrefix(base);
  const { gte, lt } = prefixRange(prefix);
  const range: StoreRange = { ...(builtTo === undefined ? { gte } : { gt: prefix + builtTo }), lt, limit: BUILD_STEP };
  const keys: string[] = [];
  let length = 0;
  for await (const [key, record] of intactRange(store, range)) {
    keys.push(key);
    length += record.length;
    if (length > BUILD_STEP_LENGTH) break;
  }
  return keys;
}

/** Index the Items as they are when this commits. */
async function commitBuilt(records: Records, index: IndexRecord, keys: string[]): Promise<void> {
  await transact(records.store, keys, (read) => {
    if (!indexesOf(records.indexes, index.base).some(({ id }) => id === index.id)) return { changes: [], result: undefined };
    return { changes: [...keys.flatMap((key) => entriesOfItem(index, key, read)), putIndexRecord(index)], result: undefined };
  });
}

function entriesOfItem(index: IndexRecord, storeKey: string, read: ReadValue): StoreChange[] {
  const record = readBefore(read, storeKey);
  if (record === undefined) return [];
  const item = JSON.parse(decodeItem(record).json) as JsonObject;
  return indexEntries(index, storeKey.slice(itemPrefix(index.base).length), item).map((key) => ({ type: 'put', key, value: '' }));
}

async function drop(records: Records, index: IndexRecord): Promise<void> {
  await deleteEntries(records, index.id);
  await records.store.batch([{ type: 'del', key: indexRecordKey(index.id) }]);
  records.indexes.dropping.delete(index);
  records.indexes.savedUse.delete(index.id);
}

/** @returns how many there were */
export async function deleteEntries({ store }: Records, id: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const keys: string[] = [];
    for await (const [key] of intactRange(store, { ...prefixRange(indexPrefix(id)), limit: DROP_STEP })) keys.push(key);
    if (keys.length === 0) return deleted;
    await store.batch(keys.map((key) => ({ type: 'del', key })));
    deleted += keys.length;
    await nextTurn();
  }
}

function isListed(records: Records, index: IndexRecord): boolean {
  return indexesOf(records.indexes, index.base).includes(index);
}
