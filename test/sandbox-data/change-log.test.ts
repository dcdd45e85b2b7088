// Owns the proof of the change log: every change, in order, with before and after; bounded; told when it came too late.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { readChanges, restartLog, trimChanges } from '../../sandbox-data/change-log.ts';
import { deleteItem, insertItem, putItems, sweepExpired, updateItemOf } from '../../sandbox-data/base.ts';
import { deleteFiles, putFile } from '../../sandbox-data/drive-records.ts';
import { openRecords } from '../../sandbox-data/records.ts';
import type { Records } from '../../sandbox-data/records.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { tempFolder } from './open-data.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
let records: Records;
const inBase = () => ({ records, base: 'things', nowMs: NOW_MS });
const put = (...items: object[]) => putItems(inBase(), JSON.stringify({ items }));
const file = (blob: string) => ({ sizeBytes: 1, contentType: 'a/b', etag: '"x"', modifiedAt: '', parts: [{ blob, sizeBytes: 1 }] });

beforeEach(async () => {
  const store = await openLevelStore(await tempFolder());
  onTestFinished(() => store.close());
  records = await openRecords(store);
});

test('every change of Items and Files is there, in order, once', async () => {
  await put({ key: 'a', n: 1 }, { key: 'b' });
  await insertItem(inBase(), JSON.stringify({ item: { key: 'c', __expires: 1 } }));
  await updateItemOf(inBase(), 'a', JSON.stringify({ increment: { n: 1 } }));
  await deleteItem(inBase(), 'b');
  await deleteItem(inBase(), 'never');
  await sweepExpired(records, NOW_MS);
  await putFile({ records, drive: 'files', nowMs: NOW_MS }, 'f', file('x1'));
  await deleteFiles({ records, drive: 'files', nowMs: NOW_MS }, ['f', 'never']);
  const { changes, last, resync } = await readChanges(records.store, 0);
  expect([last, resync]).toEqual([8, false]);
  expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const base = { area: 'base', name: 'things', at: '2030-01-01T00:00:00.000Z' };
  expect(changes.slice(0, 6)).toEqual([
    { ...base, sequence: 1, kind: 'put', key: 'a', before: null, after: { key: 'a', n: 1 } },
    { ...base, sequence: 2, kind: 'put', key: 'b', before: null, after: { key: 'b' } },
    { ...base, sequence: 3, kind: 'put', key: 'c', before: null, after: { key: 'c', __expires: 1 } },
    { ...base, sequence: 4, kind: 'put', key: 'a', before: { key: 'a', n: 1 }, after: { key: 'a', n: 2 } },
    { ...base, sequence: 5, kind: 'delete', key: 'b', before: { key: 'b' }, after: null },
    { ...base, sequence: 6, kind: 'expire', key: 'c', before: { key: 'c', __expires: 1 }, after: null },
  ]);
  expect(changes[6]).toMatchObject({ area: 'drive', name: 'files', key: 'f', kind: 'put', before: null, after: file('x1') });
  expect(changes[7]).toMatchObject({ area: 'drive', kind: 'delete', before: file('x1'), after: null });
});

test('a change that was refused is not there', async () => {
  await put({ key: 'a' });
  await expect(insertItem(inBase(), '{"item":{"key":"a"}}')).rejects.toMatchObject({ code: 'BASE_KEY_EXISTS' });
  await expect(updateItemOf(inBase(), 'a', '{"increment":{"x":1}}')).rejects.toMatchObject({ code: 'BASE_BAD_UPDATE' });
  expect((await readChanges(records.store, 0)).last).toBe(1);
});

test('concurrent changes have each a sequence of their own, and before and after chain up', async () => {
  await put({ key: 'a', n: 0 });
  await Promise.all(Array.from({ length: 200 }, () => updateItemOf(inBase(), 'a', '{"increment":{"n":1}}')));
  const { changes } = await readChanges(records.store, 0);
  expect(changes.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 201 }, (_, n) => n + 1));
  for (const [index, change] of changes.slice(1).entries()) expect(change.before).toEqual(changes[index]!.after);
});

test('a reader goes on where it stopped, and one that is too late, or from another time, must start anew', async () => {
  for (let n = 0; n < 30; n += 1) await put({ key: 'a', n });
  const { changes } = await readChanges(records.store, 10, 5);
  expect(changes.map(({ sequence }) => sequence)).toEqual([11, 12, 13, 14, 15]);
  expect(await readChanges(records.store, 30)).toEqual({ changes: [], last: 30, resync: false });
  expect((await readChanges(records.store, 31)).resync).toBe(true);
  await trimChanges(records.store, { entries: 12, length: 1e9 });
  expect((await readChanges(records.store, 17)).resync).toBe(true);
  expect((await readChanges(records.store, 18)).changes.map(({ sequence }) => sequence)[0]).toBe(19);
  await trimChanges(records.store, { entries: 1e9, length: 500 });
  const { changes: rest } = await readChanges(records.store, (await firstKept()) - 1);
  expect(rest.length).toBeGreaterThan(0);
  expect(rest.map((change) => JSON.stringify(change).length).reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(500);
  await put({ key: 'a', n: 31 });
  expect((await readChanges(records.store, 30)).changes).toHaveLength(1);
});

test('it is trimmed by itself', async () => {
  const items = (round: number) => Array.from({ length: 25 }, (_, n) => ({ key: `k${n}`, round }));
  for (let round = 0; round < 560; round += 1) await put(...items(round));
  await expect.poll(async () => 560 * 25 - (await firstKept()) + 1).toBeLessThan(12_600);
  expect((await readChanges(records.store, 560 * 25 - 1)).changes[0]?.after).toEqual({ key: 'k24', round: 559 });
});

test('set back to an earlier state, it begins anew, and no sequence is used twice', async () => {
  for (let n = 0; n < 5; n += 1) await put({ key: 'a', n });
  await restartLog(records.store, NOW_MS);
  const { last } = await readChanges(records.store, 0);
  expect(last).toBeGreaterThan(5);
  for (const sequence of [0, 4, 5, 6, last - 1]) expect((await readChanges(records.store, sequence)).resync, `after ${sequence}`).toBe(true);
  expect(await firstKept()).toBe(0);
  await put({ key: 'a' });
  expect((await readChanges(records.store, last)).changes.map(({ sequence }) => sequence)).toEqual([last + 1]);
  // A clock that went back, and a second time in the same millisecond.
  await restartLog(records.store, 0);
  await restartLog(records.store, NOW_MS);
  expect((await readChanges(records.store, 0)).last).toBeGreaterThan(last + 1);
  expect(Number.isSafeInteger((await readChanges(records.store, 0)).last)).toBe(true);
});

test('a head that is damaged is made again: readers start anew, and no version is used twice', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(folder);
  records = await openRecords(store);
  for (let n = 0; n < 5; n += 1) await put({ key: 'a', n });
  await store.close();
  const { ClassicLevel } = await import('classic-level');
  const level = new ClassicLevel<string, string>(folder);
  await level.put('m/log', '1garbage');
  await level.close();
  const again = await openLevelStore(folder);
  onTestFinished(() => again.close());
  records = await openRecords(again);
  expect((await readChanges(again, 5)).resync).toBe(true);
  const { last } = await readChanges(again, 0);
  await put({ key: 'a', n: 9 });
  expect((await readChanges(again, last)).changes).toMatchObject([{ sequence: last + 1, before: { n: 4 }, after: { n: 9 } }]);
  expect(last).toBeGreaterThan(5);
});

test('a page is bounded, and an entry that is missing or damaged is a gap that the reader is told of', async () => {
  for (let n = 0; n < 8; n += 1) await put({ key: 'a', text: 'x'.repeat(300_000) });
  const first = await readChanges(records.store, 0);
  expect(first.changes.length).toBeLessThan(8);
  expect(first.resync).toBe(false);
  await records.store.batch([{ type: 'del', key: 'c/0000000000000003' }]);
  expect((await readChanges(records.store, 0)).changes.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect(await readChanges(records.store, 2)).toMatchObject({ changes: [], resync: true, last: 8 });
});

async function firstKept(): Promise<number> {
  for await (const [key] of records.store.range({ gte: 'c/', lt: 'c0', limit: 1 })) return Number(key.slice(2));
  return 0;
}
