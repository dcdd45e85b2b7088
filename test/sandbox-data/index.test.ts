// Owns the proof of automatic indexes: they change no answer, come when they are asked for, survive kills and damage, go.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { deleteItem, putItems, sweepExpired, updateItemOf } from '../../sandbox-data/base.ts';
import { queryItems } from '../../sandbox-data/base-query.ts';
import { checkIndexes } from '../../sandbox-data/index-check.ts';
import { sweepIndexes } from '../../sandbox-data/index-demand.ts';
import { indexesOf } from '../../sandbox-data/index-records.ts';
import type { IndexLimits, IndexRecord } from '../../sandbox-data/index-records.ts';
import { createIndex, dropIndex } from '../../sandbox-data/index-work.ts';
import { openRecords } from '../../sandbox-data/records.ts';
import type { Records } from '../../sandbox-data/records.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { inValues, openData, REF, tempFolder } from './open-data.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
const DAY_MS = 24 * 60 * 60 * 1000;

async function openBaseRecords(limits: Partial<IndexLimits> = {}, folder?: string): Promise<Records> {
  const store = await openLevelStore(folder ?? (await tempFolder()));
  onTestFinished(async () => store.close());
  return openRecords(store, limits);
}

const inBase = (records: Records, base = 'b') => ({ records, base, nowMs: NOW_MS });
const withoutIndexes = (records: Records): Records => ({ ...records, indexes: { ...records.indexes, byBase: new Map() } });
const put = (records: Records, ...items: object[]) => putItems(inBase(records), JSON.stringify({ items }));

async function fill(records: Records, count: number, itemOf: (n: number) => object): Promise<void> {
  for (let n = 0; n < count; n += 25) await put(records, ...Array.from({ length: Math.min(25, count - n) }, (_, at) => ({ key: keyOf(n + at), ...itemOf(n + at) })));
}

const keyOf = (n: number): string => String(n).padStart(6, '0');
const pageOf = async (records: Records, request: object) => JSON.parse(await queryItems(inBase(records), JSON.stringify(request))) as { paging: { last?: string }; items: { key: string }[] };

async function allOf(records: Records, request: object): Promise<unknown[]> {
  const items: unknown[] = [];
  for (let last: string | undefined, first = true; first || last !== undefined; first = false) {
    const page = await pageOf(records, { ...request, last });
    items.push(...page.items);
    last = page.paging.last;
  }
  return items;
}

const states = (records: Records, base = 'b'): string[] => indexesOf(records.indexes, base).map(({ field, state }) => `${field} ${state}`);

async function built(records: Records, ...fields: string[]): Promise<void> {
  await expect.poll(() => states(records)).toEqual(fields.map((field) => `${field} ready`));
}

/** Fields that are indexed, values of every type, so few that they meet. */
const value = fc.oneof(
  fc.constantFrom<unknown>(0, 1, -1, 1.5, 'a', 'ab', 'b', '', 'a\0', true, false, null, 'x'.repeat(130), `${'x'.repeat(130)}y`),
  fc.array(fc.constantFrom<unknown>('a', 'ab', 'b', 1), { maxLength: 3 }),
  fc.constant({ deep: 1 }),
);
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '\0', '\ufffe', '😀', 'aa');
const item = fc.record({ key, f: value, g: fc.record({ h: value }) }, { requiredKeys: ['key'] });
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), items: fc.uniqueArray(item, { selector: (one) => one.key, minLength: 1, maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('update' as const), key, set: fc.record({ f: value }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), key }) },
);
const condition = fc.oneof(
  fc.tuple(fc.constantFrom('f', 'g.h', 'f?ne'), value),
  fc.tuple(fc.constantFrom('f?lt', 'f?gte', 'g.h?gt', 'g.h?lte'), fc.constantFrom<unknown>(0, 1, 'a', 'ab', 'x'.repeat(129))),
  fc.tuple(fc.constantFrom('f?pfx', 'f?contains', 'g.h?contains', 'f?!contains'), fc.constantFrom<unknown>('', 'a', 'ab', 'x'.repeat(131))),
  fc.tuple(fc.constantFrom('f?r', 'g.h?r'), fc.constantFrom<unknown>([0, 1], ['a', 'b'], ['b', 'a'])),
);
const request = fc.record({
  query: fc.array(fc.array(condition, { minLength: 1, maxLength: 2 }).map((conditions) => Object.fromEntries(conditions)), { minLength: 1, maxLength: 2 }),
  sort: fc.constantFrom('asc', 'desc'), limit: fc.integer({ min: 1, max: 4 }), last: fc.option(key, { nil: undefined }),
});

test('every query gives what a scan gives at some moment between its start and its end, while writes, builds and drops go on', { timeout: 120_000 }, async () => {
  let plans = 0;
  await fc.assert(fc.asyncProperty(fc.array(write, { minLength: 4, maxLength: 15 }), fc.array(request, { minLength: 3, maxLength: 10 }), fc.integer({ min: 0, max: 4 }), async (writes, requests, candidates) => {
    const records = await openBaseRecords({ candidates });
    const scanned = await openBaseRecords(); // the same writes, one after the other, without indexes
    /** What every request gave after so many writes. */
    const answers: string[][] = [];
    const answer = async (): Promise<void> => { answers.push(await Promise.all(requests.map(async (one) => JSON.stringify(await pageOf(withoutIndexes(scanned), one))))); };
    const half = Math.floor(writes.length / 2);
    for (const one of writes.slice(0, half)) { await perform(records, one); await perform(scanned, one); }
    await answer();
    for (const one of writes.slice(half)) { await perform(scanned, one); await answer(); }

    createIndex(records, { base: 'b', field: 'f', nowMs: NOW_MS });
    let done = 0;
    let begun = 0;
    const writing = (async () => {
      for (const [at, one] of writes.slice(half).entries()) {
        begun += 1;
        await perform(records, one);
        done += 1;
        if (at === 1) createIndex(records, { base: 'b', field: 'g.h', nowMs: NOW_MS });
        if (at === 4 && candidates === 0) await dropIndex(records, indexesOf(records.indexes, 'b')[0]!);
      }
    })();
    const ask = async (): Promise<void> => {
      for (const [at, one] of requests.entries()) {
        const from = done;
        plans += states(records).filter((state) => state.endsWith('ready')).length;
        const got = JSON.stringify(await pageOf(records, one));
        expect(answers.slice(from, begun + 1).map((all) => all[at])).toContain(got);
      }
    };
    await Promise.all([writing, ask(), ask()]);
    await records.indexes.work;
    await ask();
    expect(await checkIndexes(records, NOW_MS)).toMatchObject({ rebuilt: [], orphans: 0 });
    await Promise.all([records.store.close(), scanned.store.close()]);
  }), { numRuns: 60 });
  expect(plans).toBeGreaterThan(50);
});

async function perform(records: Records, one: { kind: string; items?: object[]; key?: string; set?: object }): Promise<void> {
  if (one.kind === 'put') await put(records, ...one.items!);
  if (one.kind === 'update') await updateItemOf(inBase(records), one.key!, JSON.stringify({ set: one.set })).catch(() => {});
  if (one.kind === 'delete') await deleteItem(inBase(records), one.key!);
  if (one.kind !== 'expire') return;
  await updateItemOf(inBase(records), one.key!, '{"set":{"__expires":1}}').catch(() => {});
  await sweepExpired(records, NOW_MS);
}

test('a field that queries ask for again and again gets an index, one that they find at once does not', async () => {
  const records = await openBaseRecords({ minLooked: 100 });
  await fill(records, 300, (n) => ({ user: `u${n % 50}`, kind: 'all', tags: [`t${n % 60}`, 'any'], n }));
  for (let n = 0; n < 5; n += 1) await pageOf(records, { query: { kind: 'all' }, limit: 1000 });
  await pageOf(records, { query: { user: 'u7' } });
  await pageOf(records, { query: { user: 'u8' } });
  expect(states(records)).toEqual([]);
  await pageOf(records, { query: { user: 'u9' } });
  await built(records, 'user');
  for (let n = 0; n < 3; n += 1) await pageOf(records, { query: [{ 'tags?contains': 't5' }, { 'n?lt': 2 }] });
  await built(records, 'user', 'tags', 'n');
  for (const query of [{ user: 'u7' }, { 'tags?contains': 't5' }, { 'tags?contains': 'any' }, [{ 'tags?contains': 't5' }, { 'n?lt': 2 }], { 'n?r': [5, 9] }, { 'user?pfx': 'u1' }, { user: 'u7', 'n?gt': 100 }]) {
    for (const sort of ['asc', 'desc']) expect(await allOf(records, { query, sort, limit: 3 })).toEqual(await allOf(withoutIndexes(records), { query, sort, limit: 3 }));
  }
});

test('a Base has a bounded number of them, and those that nobody uses go', async () => {
  const records = await openBaseRecords({ minLooked: 1, demand: 1, perBase: 2 });
  await fill(records, 50, (n) => ({ a: n, b: n, c: n }));
  await pageOf(records, { query: [{ a: 1 }, { b: 1 }, { c: 1 }] });
  await built(records, 'a', 'b');
  await sweepIndexes(records, NOW_MS + 13 * DAY_MS);
  expect(states(records)).toHaveLength(2);
  await queryItems({ ...inBase(records), nowMs: NOW_MS + 13 * DAY_MS }, '{"query":{"a":3}}');
  await sweepIndexes(records, NOW_MS + 15 * DAY_MS);
  expect(states(records)).toEqual(['a ready']);
  await expect.poll(() => entryCount(records)).toBe(50);
  await sweepIndexes(records, NOW_MS + 40 * DAY_MS);
  await expect.poll(() => entryCount(records)).toBe(0);
  expect(await recordCount(records)).toBe(0);
});

test('the Collection tells of its indexes and of how much is stored', async () => {
  const { data, clock } = await openData();
  const collection = data.collection(REF);
  const base = inValues(collection.base('b'));
  for (let n = 0; n < 1100; n += 25) await base.put(...Array.from({ length: 25 }, (_, at) => ({ key: keyOf(n + at), user: n + at })));
  for (let n = 0; n < 3; n += 1) expect(await base.keys({ user: 7 })).toEqual([keyOf(7)]);
  const info = { field: 'user', state: 'ready', usedAt: new Date(clock.now()).toISOString() };
  await expect.poll(async () => (await collection.usage()).bases).toMatchObject([{ name: 'b', items: 1100, indexes: [info] }]);
  expect(await base.keys({ user: 8 })).toEqual([keyOf(8)]);
});

test('a build that is killed goes on where it was, and is whole', { timeout: 60_000 }, async () => {
  const folder = await tempFolder();
  const child = spawn(process.execPath, [fileURLToPath(new URL('./index-builder.ts', import.meta.url)), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { child.kill('SIGKILL'); });
  for await (const line of child.stdout) if (String(line).includes('building')) break;
  child.kill('SIGKILL');
  await once(child, 'close');
  const store = await openLevelStore(folder);
  const stored = JSON.parse((await onlyRecord(store))!) as IndexRecord;
  expect(stored.state).toBe('building');
  expect(stored.builtTo! > keyOf(0)).toBe(true);
  await store.close();
  const records = await openBaseRecords({}, folder);
  expect(states(records)).toEqual(['n building']);
  await put(records, { key: keyOf(3), n: 'changed' });
  await records.indexes.work;
  expect(states(records)).toEqual(['n ready']);
  expect(await checkIndexes(records, NOW_MS)).toEqual({ checked: 1, rebuilt: [], orphans: 0 });
  expect((await pageOf(records, { query: { n: 'changed' } })).items.map((one) => one.key)).toEqual([keyOf(3)]);
});

async function onlyRecord(store: Records['store']): Promise<string | undefined> {
  for await (const [, text] of store.range({ gte: 'm/index/', lt: 'm/index0' })) return text;
  return undefined;
}

async function entries(records: Records): Promise<string[]> {
  const keys: string[] = [];
  for await (const [entry] of records.store.range({ gte: 'x/', lt: 'x0' })) keys.push(entry);
  return keys;
}

const entryCount = async (records: Records): Promise<number> => (await entries(records)).length;

async function recordCount(records: Records): Promise<number> {
  let count = 0;
  for await (const _record of records.store.range({ gte: 'm/index/', lt: 'm/index0' })) count += 1;
  return count;
}

test('entries that are missing, or of no index, are found by the check, and built anew or deleted', async () => {
  const records = await openBaseRecords();
  await fill(records, 60, (n) => ({ n: n % 5 }));
  createIndex(records, { base: 'b', field: 'n', nowMs: NOW_MS });
  await built(records, 'n');
  expect(await checkIndexes(records, NOW_MS)).toEqual({ checked: 1, rebuilt: [], orphans: 0 });
  const [first = ''] = await entries(records);
  await records.store.batch([{ type: 'del', key: first }, { type: 'put', key: 'x/nobody/n', value: '' }]);
  expect((await pageOf(records, { query: { n: 0 } })).items, 'the check has something to find').toHaveLength(11);
  expect(await checkIndexes(records, NOW_MS)).toEqual({ checked: 1, rebuilt: [{ base: 'b', field: 'n' }], orphans: 1 });
  expect((await pageOf(records, { query: { n: 0 } })).items).toHaveLength(12);
  await records.indexes.work;
  await built(records, 'n');
  expect((await pageOf(records, { query: { n: 0 } })).items).toHaveLength(12);
  await expect.poll(() => entryCount(records)).toBe(60);
});

test('a damaged entry, or a damaged record of an index, changes no answer', async () => {
  const folder = await tempFolder();
  const records = await openBaseRecords({}, folder);
  await fill(records, 60, (n) => ({ n: n % 5 }));
  createIndex(records, { base: 'b', field: 'n', nowMs: NOW_MS });
  await built(records, 'n');
  const [first = ''] = await entries(records);
  await records.store.close();
  await damage(folder, first);
  const again = await openBaseRecords({}, folder);
  expect((await pageOf(again, { query: { n: 0 } })).items).toHaveLength(12);
  await again.indexes.work;
  await built(again, 'n');
  expect(await checkIndexes(again, NOW_MS)).toMatchObject({ rebuilt: [], orphans: 0 });
  const { id } = indexesOf(again.indexes, 'b')[0]!;
  await again.store.close();
  await damage(folder, `m/index/${id}`);
  const third = await openBaseRecords({}, folder);
  expect(states(third)).toEqual([]);
  expect(await checkIndexes(third, NOW_MS)).toMatchObject({ checked: 0, orphans: 60 });
  expect(await recordCount(third)).toBe(0);
});

/** Write a value that does not fit its checksum. */
async function damage(folder: string, key: string): Promise<void> {
  const { ClassicLevel } = await import('classic-level');
  const level = new ClassicLevel<string, string>(folder);
  await level.put(key, `${(await level.get(key)) ?? '1'}x`);
  await level.close();
}
