// Owns the check of a Collection's indexes against its Items. What is wrong is built anew. Lives in a data worker.
import type { IndexReport } from './data.ts';
import { indexEntries, indexesOf } from './index-records.ts';
import type { IndexRecord } from './index-records.ts';
import { deleteEntries, rebuildIndex } from './index-work.ts';
import { decodeItem } from './item.ts';
import type { JsonObject } from './json-value.ts';
import { ALL_INDEXES_PREFIX, INDEX_RECORD_PREFIX, indexPrefix, indexRecordKey, itemPrefix, prefixRange } from './layout.ts';
import type { Records } from './records.ts';
import { intactRange } from './store/intact.ts';
import type { StoreReader } from './store/store.ts';
import { textAfterPrefix } from './text-order.ts';
import { nextTurn } from './turn.ts';

const CHECK_SLICE = 500;

/** Look through everything; others get their turns meanwhile. */
export async function checkIndexes(records: Records, nowMs: number): Promise<IndexReport> {
  const report: IndexReport = { checked: 0, rebuilt: [], orphans: await deleteOrphans(records) };
  const ready = [...records.indexes.byBase.values()].flat().filter(({ state }) => state === 'ready');
  for (const index of ready) {
    report.checked += 1;
    if (await isSound(records, index)) continue;
    report.rebuilt.push({ base: index.base, field: index.field });
    await rebuildIndex(records, index, nowMs);
  }
  return report;
}

/** Every Item has its entries, and there are no others. */
async function isSound(records: Records, index: IndexRecord): Promise<boolean> {
  const snapshot = await records.store.snapshot();
  try {
    if (!indexesOf(records.indexes, index.base).includes(index)) return true; // dropped meanwhile
    const expected = await countExpected(snapshot, index);
    return expected !== undefined && expected === (await countEntries(snapshot, index));
  } finally {
    await snapshot.close();
  }
}

/** @returns `undefined` when one of them is missing or damaged */
async function countExpected(reader: StoreReader, index: IndexRecord): Promise<number | undefined> {
  const prefix = itemPrefix(index.base);
  let [expected, looked] = [0, 0];
  for await (const [key, record] of intactRange(reader, prefixRange(prefix))) {
    const entries = indexEntries(index, key.slice(prefix.length), JSON.parse(decodeItem(record).json) as JsonObject);
    const found = await reader.getMany(entries).catch((): undefined[] => [undefined]);
    if (found.some((entry) => entry === undefined)) return undefined;
    expected += entries.length;
    looked += 1;
    if (looked % CHECK_SLICE === 0) await nextTurn();
  }
  return expected;
}

async function countEntries(reader: StoreReader, { id }: IndexRecord): Promise<number> {
  let count = 0;
  for await (const _entry of intactRange(reader, prefixRange(indexPrefix(id)))) {
    count += 1;
    if (count % CHECK_SLICE === 0) await nextTurn();
  }
  return count;
}

async function deleteOrphans(records: Records): Promise<number> {
  const { byBase, dropping } = records.indexes;
  let deleted = 0;
  for (let from: string | undefined = ALL_INDEXES_PREFIX; from !== undefined;) {
    const id: string | undefined = await idFrom(records, from);
    if (id === undefined) break;
    const isKnown = [...dropping, ...byBase.values()].flat().some((index) => index.id === id);
    if (!isKnown) deleted += await deleteEntries(records, id);
    from = textAfterPrefix(indexPrefix(id));
  }
  await forgetDamagedRecords(records);
  return deleted;
}

async function idFrom({ store }: Records, from: string): Promise<string | undefined> {
  for await (const [key] of intactRange(store, { gte: from, lt: textAfterPrefix(ALL_INDEXES_PREFIX), limit: 1 })) return key.split('/', 2)[1];
  return undefined;
}

/** An index whose record is damaged was not loaded; nothing else would remove the record. */
async function forgetDamagedRecords(records: Records): Promise<void> {
  try {
    for await (const _record of records.store.range(prefixRange(INDEX_RECORD_PREFIX))) continue;
  } catch (error) {
    const key = (error as { details?: { key?: unknown } }).details?.key;
    if (typeof key !== 'string' || !key.startsWith(indexRecordKey(''))) throw error;
    await records.store.batch([{ type: 'del', key }]);
    await forgetDamagedRecords(records);
  }
}
