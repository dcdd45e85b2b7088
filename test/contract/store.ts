// Owns what every Store driver must do. A driver's test calls `describeStore` with a way to open an empty one.
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Store, StoreEntry, StoreRange, StoreReader } from '../../sandbox-data/store/store.ts';
import { transact } from '../../sandbox-data/store/transact.ts';
import { gather } from './gather.ts';

/** @param openEmpty a new empty Store each time; it cleans up after the test by itself */
export function describeStore(name: string, openEmpty: () => Promise<Store>): void {
  const opened = async (): Promise<Store> => {
    const store = await openEmpty();
    onTestFinished(() => store.close());
    return store;
  };

  describe(`${name} keeps the contract of a Store:`, () => {
    describeReads(opened);
    describeBatches(opened);
    describeTransactions(opened);
    describeSnapshots(opened);
  });
}

type Open = () => Promise<Store>;

function describeReads(open: Open): void {
  test('a missing key is undefined', async () => {
    const store = await open();
    expect(await store.get('a')).toBeUndefined();
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined]);
  });

  test('what was written is read back, whatever characters it has', async () => {
    const store = await open();
    const texts = ['plain', '', '\u0000\n"', 'ü€😀', '\u{10ffff}', 'x'.repeat(100_000)];
    await store.batch(texts.map((text) => ({ type: 'put', key: `k${text}`, value: text })));
    expect(await store.getMany(texts.map((text) => `k${text}`))).toEqual(texts);
  });

  test('a long key is never taken for a shorter one, whatever it is made of', async () => {
    const store = await open();
    for (const character of ['a', 'ä', '€', '😀']) {
      for (let start = 0; start < 5; start += 1) {
        await store.get('short');
        const keys = Array.from({ length: 90 }, (_, length) => 'a'.repeat(start) + character.repeat(length + 1));
        await store.batch(keys.map((key) => ({ type: 'put', key, value: key })));
        for (const key of keys.toReversed()) expect(await store.get(key)).toBe(key);
      }
      const long = `aa${character.repeat(1000)}`;
      expect(await store.get(long)).toBeUndefined();
    }
  });

  test('getMany answers in the order of its keys, and a key may occur twice', async () => {
    const store = await filled(open, ['a', 'b']);
    expect(await store.getMany(['b', 'x', 'a', 'b'])).toEqual(['vb', undefined, 'va', 'vb']);
  });

  test('ranges hold their bounds, direction and limit', async () => {
    const store = await filled(open, ['a', 'b', 'c', 'd']);
    const cases: [StoreRange, string][] = [
      [{}, 'abcd'], [{ gte: 'b' }, 'bcd'], [{ gt: 'b' }, 'cd'], [{ lt: 'c' }, 'ab'], [{ lte: 'c' }, 'abc'], [{ gt: 'a', lt: 'd' }, 'bc'],
      [{ reverse: true }, 'dcba'], [{ reverse: true, lt: 'd', limit: 2 }, 'cb'], [{ limit: 3 }, 'abc'], [{ limit: 0 }, ''], [{ gt: 'd' }, ''],
    ];
    for (const [range, keys] of cases) expect(await keysOf(store, range), JSON.stringify(range)).toEqual([...keys]);
  });

  test('a range may be longer than any page, and be left early', async () => {
    const store = await open();
    const keys = Array.from({ length: 3000 }, (_, index) => `k${String(index).padStart(5, '0')}`);
    await store.batch(keys.map((key) => ({ type: 'put', key, value: 'v'.repeat(500) })));
    expect(await keysOf(store, {})).toEqual(keys);
    expect(await keysOf(store, { reverse: true, limit: 2500 })).toEqual(keys.toReversed().slice(0, 2500));
    for await (const [key] of store.range({})) {
      expect(key).toBe('k00000');
      break;
    }
  });

  test('keys order by their UTF-8 bytes', async () => {
    const store = await open();
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 });
    await fc.assert(fc.asyncProperty(fc.uniqueArray(text, { maxLength: 30 }), async (keys) => {
      await store.batch((await keysOf(store, {})).map((key) => ({ type: 'del', key })));
      await store.batch(keys.map((key) => ({ type: 'put', key, value: '' })));
      expect(await keysOf(store, {})).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }), { numRuns: 25, examples: [[['\uffff', '\u{10000}', '\ud7ff', 'z']]] });
  });
}

function describeBatches(open: Open): void {
  test('a batch puts and deletes; deleting what is not there is no error', async () => {
    const store = await filled(open, ['a', 'b']);
    await store.batch([{ type: 'put', key: 'c', value: '1' }, { type: 'del', key: 'a' }, { type: 'del', key: 'never' }]);
    expect(await keysOf(store, {})).toEqual(['b', 'c']);
  });

  test('the last change of a key in a batch wins', async () => {
    const store = await open();
    await store.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'del', key: 'a' }, { type: 'put', key: 'a', value: '2' }]);
    expect(await store.get('a')).toBe('2');
  });

  test('nothing is written unless all conditions hold', async () => {
    const store = await filled(open, ['a']);
    const change = [{ type: 'put', key: 'x', value: '1' }] as const;
    for (const conditions of [[{ key: 'a', is: 'other' }], [{ key: 'a', is: undefined }], [{ key: 'a', is: 'va' }, { key: 'b', is: '' }]]) {
      await expect(store.batch(change, conditions)).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
    }
    expect(await store.get('x')).toBeUndefined();
    await store.batch(change, [{ key: 'a', is: 'va' }, { key: 'b', is: undefined }]);
    expect(await store.get('x')).toBe('1');
  });

  test('of a hundred that claim a key at once, one wins', async () => {
    const store = await open();
    const claims = Array.from({ length: 100 }, (_, index) => store.batch([{ type: 'put', key: 'a', value: String(index) }], [{ key: 'a', is: undefined }]));
    const outcomes = await Promise.allSettled(claims);
    const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    expect(await store.get('a')).toBe(String(winners[0]));
  });

  test('a batch with a failed condition does not harm those beside it', async () => {
    const store = await open();
    const [good, bad, other] = await Promise.allSettled([
      store.batch([{ type: 'put', key: 'a', value: '1' }]),
      store.batch([{ type: 'put', key: 'b', value: '1' }], [{ key: 'a', is: 'nonsense' }]),
      store.batch([{ type: 'put', key: 'c', value: '1' }]),
    ]);
    expect([good.status, bad.status, other.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await keysOf(store, {})).toEqual(['a', 'c']);
  });
}

function describeTransactions(open: Open): void {
  test('a thousand concurrent increments of one key are all counted', async () => {
    const store = await open();
    const increment = () => transact(store, ['n'], (read) => {
      const next = Number(read('n') ?? 0) + 1;
      return { changes: [{ type: 'put', key: 'n', value: String(next) }], result: next };
    });
    const count = store.transact ? 1000 : 20; // the optimistic loop gives up when others win too often
    const results = await Promise.all(Array.from({ length: count }, increment));
    expect(await store.get('n')).toBe(String(count));
    expect(new Set(results).size).toBe(count);
  });

  test('what decide throws arrives, and nothing is written', async () => {
    const store = await filled(open, ['a']);
    await expect(transact(store, ['a'], () => { throw new RangeError('no'); })).rejects.toThrow(RangeError);
    expect(await keysOf(store, {})).toEqual(['a']);
  });

  test('deciding for no change is fine', async () => {
    const store = await filled(open, ['a']);
    expect(await transact(store, ['a'], (read) => ({ changes: [], result: read('a') }))).toBe('va');
  });
}

function describeSnapshots(open: Open): void {
  test('a snapshot stays as it was', async () => {
    const store = await filled(open, ['a', 'b']);
    if (!store.supports.snapshots) return;
    const snapshot = await store.snapshot();
    await store.batch([{ type: 'put', key: 'a', value: 'changed' }, { type: 'del', key: 'b' }, { type: 'put', key: 'c', value: '1' }]);
    expect([await snapshot.get('a'), await snapshot.get('b'), await snapshot.get('c')]).toEqual(['va', 'vb', undefined]);
    expect(await keysOf(snapshot, {})).toEqual(['a', 'b']);
    expect(await keysOf(store, {})).toEqual(['a', 'c']);
    await snapshot.close();
  });
}

async function filled(open: Open, keys: string[]): Promise<Store> {
  const store = await open();
  await store.batch(keys.map((key) => ({ type: 'put', key, value: `v${key}` })));
  return store;
}

async function keysOf(reader: StoreReader, range: StoreRange): Promise<string[]> {
  const entries: StoreEntry[] = await gather(reader.range(range));
  return entries.map(([key]) => key);
}
