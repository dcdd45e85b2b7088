// Owns the proof that counts are exact: whatever is written, deleted, refused, expired, damaged or was there before counts.
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { deleteItem, insertItem, putItems, sweepExpired, updateItemOf } from '../../sandbox-data/base.ts';
import { collectionUsage } from '../../sandbox-data/collection-usage.ts';
import { deleteFiles, putFile } from '../../sandbox-data/drive-records.ts';
import { decodeItem } from '../../sandbox-data/item.ts';
import { openRecords } from '../../sandbox-data/records.ts';
import type { Records } from '../../sandbox-data/records.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { readAmount, recount } from '../../sandbox-data/usage.ts';
import { tempFolder } from './open-data.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
const inBase = (records: Records) => ({ records, base: 'b', nowMs: NOW_MS });
const inDrive = (records: Records) => ({ records, drive: 'd', nowMs: NOW_MS });
const file = (sizeBytes: number) => ({ sizeBytes, contentType: 'a/b', etag: '"x"', modifiedAt: '', parts: sizeBytes === 0 ? [] : [{ blob: 'x', sizeBytes }] });

async function open(folder?: string): Promise<Records> {
  const store = await openLevelStore(folder ?? (await tempFolder()));
  onTestFinished(() => store.close());
  return openRecords(store);
}

/** What is there, counted one by one. */
async function counted({ store }: Records): Promise<object> {
  const [b, d] = [{ items: 0, bytes: 0 }, { files: 0, bytes: 0 }];
  for await (const [, record] of store.range({ gte: 'b/b/', lt: 'b/b0' })) {
    b.items += 1;
    b.bytes += Buffer.byteLength(decodeItem(record).json);
  }
  for await (const [, record] of store.range({ gte: 'd/d/', lt: 'd/d0' })) {
    d.files += 1;
    d.bytes += (JSON.parse(record) as { sizeBytes: number }).sizeBytes;
  }
  return { bases: b.items > 0 ? [b] : [], drives: d.files > 0 ? [d] : [] };
}

async function told(records: Records): Promise<object> {
  const { bases, drives } = await collectionUsage(records);
  return { bases: bases.filter(({ items }) => items > 0).map(({ items, bytes }) => ({ items, bytes })), drives: drives.filter(({ files }) => files > 0).map(({ files, bytes }) => ({ files, bytes })) };
}

const key = fc.constantFrom('a', 'b', 'é', '😀');
const item = fc.record({ key, text: fc.string(), __expires: fc.option(fc.constantFrom(1, 2e9), { nil: undefined }) });
const write = fc.oneof(
  fc.uniqueArray(item, { selector: (one) => one.key, minLength: 1 }).map((items) => (records: Records) => putItems(inBase(records), JSON.stringify({ items }))),
  item.map((one) => (records: Records) => insertItem(inBase(records), JSON.stringify({ item: one }))),
  key.map((one) => (records: Records) => updateItemOf(inBase(records), one, '{"set":{"text":"changed"}}')),
  key.map((one) => (records: Records) => deleteItem(inBase(records), one)),
  fc.constant((records: Records) => sweepExpired(records, NOW_MS)),
  fc.tuple(key, fc.nat(1000)).map(([name, size]) => (records: Records) => putFile(inDrive(records), name, file(size))),
  fc.uniqueArray(key).map((names) => (records: Records) => deleteFiles(inDrive(records), names)),
);

test('after any writes, one after the other or at once', async () => {
  await fc.assert(fc.asyncProperty(fc.array(write, { maxLength: 20 }), fc.boolean(), async (writes, atOnce) => {
    const records = await open();
    const attempt = async (one: (records: Records) => Promise<unknown>): Promise<void> => { await one(records).catch(() => {}); };
    if (atOnce) await Promise.all(writes.map(attempt));
    else for (const one of writes) await attempt(one);
    expect(await told(records)).toEqual(await counted(records));
    await records.store.close();
  }), { numRuns: 60 });
});

test('of what was there before there were counts', async () => {
  const records = await open();
  await records.store.batch([{ type: 'put', key: 'n/base/b', value: '{}' }, { type: 'put', key: 'b/b/old', value: '{"key":"old"}' }, { type: 'put', key: 'b/b/older', value: '1900000000{"key":"older"}' }]);
  await putItems(inBase(records), '{"items":[{"key":"new"}]}');
  expect(await told(records)).toEqual({ bases: [{ items: 3, bytes: 13 + 15 + 13 }], drives: [] });
  expect(await told(records)).toEqual(await counted(records));
});

test('though a record that is replaced or deleted, or the count itself, was damaged', async () => {
  for (const damaged of ['b/b/a', 'n/base/b']) {
    for (const act of [(records: Records) => putItems(inBase(records), '{"items":[{"key":"a","healed":true}]}'), (records: Records) => deleteItem(inBase(records), 'a')]) {
      const folder = await tempFolder();
      const first = await open(folder);
      await putItems(inBase(first), '{"items":[{"key":"a","text":"x"},{"key":"b"}]}');
      await first.store.close();
      await damage(folder, damaged);
      const records = await open(folder);
      await act(records);
      expect(await told(records)).toEqual(await counted(records));
      await records.store.close();
    }
  }
});

test('counting anew while others write stays exact', async () => {
  const records = await open();
  const put = (n: number): Promise<unknown> => putItems(inBase(records), JSON.stringify({ items: [{ key: `k${n}`, text: 'x'.repeat(n % 50) }] }));
  for (let n = 0; n < 300; n += 1) await put(n);
  await Promise.all([recount(records.store, 'base', 'b'), ...Array.from({ length: 200 }, (_, n) => put(n * 2)), recount(records.store, 'base', 'b')]);
  expect(await told(records)).toEqual(await counted(records));
  expect(await readAmount(records.store, 'base', 'none')).toEqual({ count: 0, bytes: 0 });
});

async function damage(folder: string, at: string): Promise<void> {
  const { ClassicLevel } = await import('classic-level');
  const level = new ClassicLevel<string, string>(folder);
  await level.put(at, `${(await level.get(at)) ?? '1'}x`);
  await level.close();
}
