// What a disk can do to the files of a Store: faults 14, 15, 16 and 17, at every kind of place.
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, test } from 'vitest';
import { readLog, writeLog } from '../../../sandbox-data/store/level-log.ts';
import { REF, bytes, openData, tempFolder } from '../open-data.ts';
import { copyOf, fileOf, flip, isTold, openAndCompare, storeWith } from './damaged-store.ts';

/** LevelDB's blocks of records have 4 KB before compression. */
const BLOCK_RECORDS_MAX = 200;

describe('fault 15: a log cut at every byte of the last record', () => {
  test('opens, keeps all complete records, reports what was cut', { timeout: 120_000 }, async () => {
    const { folder, records } = await storeWith(12, false);
    const log = await fileOf(folder, /\.log$/);
    const file = await readFile(log);
    const start = lastRecordStart(file);
    const last = [...records.keys()].at(-1)!;
    for (let length = start; length <= file.length; length += 1) {
      await writeFile(log, file.subarray(0, length));
      const copy = await copyOf(folder);
      const { store, cuts, lost, damage } = await openAndCompare(copy, records);
      // The control is the whole file, and the one that ends before the record: neither is damaged.
      const isWhole = length === file.length;
      expect(lost, `cut at ${length}`).toEqual(isWhole ? [] : [last]);
      expect(damage).toEqual([]);
      expect(cuts).toEqual(isWhole || length === start ? [] : [length - start]);
      await store.close();
      await rm(join(copy, '..'), { recursive: true });
    }
  });
});

describe('fault 16: a bit that flips in a log', () => {
  test('every byte of the last record: only its own keys are lost, and they are named', { timeout: 120_000 }, async () => {
    const { folder, records } = await storeWith(8, false);
    const file = await readFile(await fileOf(folder, /\.log$/));
    const last = [...records.keys()].at(-1)!;
    const start = lastRecordStart(file);
    let unnamed = 0;
    for (let at = start; at < file.length; at += 1) {
      const copy = await copyOf(folder);
      await flip(await fileOf(copy, /\.log$/), at);
      const { store, lost, damage, cuts } = await openAndCompare(copy, records);
      expect([[], [last]], `flipped at ${at}`).toContainEqual(lost);
      if (lost.length > 0) expect(damage.length + cuts.length, `flipped at ${at}, told`).toBeGreaterThan(0);
      if (lost.length > 0 && !isTold(damage, last)) unnamed += 1;
      await store.close();
      await rm(join(copy, '..'), { recursive: true });
    }
    // Where the key itself, or what leads to it, is hit, no name can be read.
    expect(unnamed).toBeLessThan((file.length - start) / 2);
  });

  test('in the middle: the records behind it in the block are kept, which LevelDB alone would drop', async () => {
    const { folder, records } = await storeWith(60, false);
    const log = await fileOf(folder, /\.log$/);
    const file = await readFile(log);
    const victim = [...records.keys()][20]!;
    await flip(log, file.indexOf(records.get(victim)!.slice(0, 20)) + 3);
    const alone = await copyOf(folder);
    const { store, lost, damage } = await openAndCompare(folder, records);
    expect(lost).toEqual([victim]);
    expect(damage).toMatchObject([{ kind: 'log', keys: [victim] }]);
    expect(await readdir(join(folder, '..', 'damaged'))).toHaveLength(1);
    await store.close();
    // The control: LevelDB without the look before it.
    const raw = new ClassicLevel(alone);
    await raw.open();
    expect((await raw.keys().all()).length).toBeLessThan(30);
    await raw.close();
  });
});

describe('fault 16: a bit that flips in a table', () => {
  test.each([['data', 0.2], ['data', 0.5], ['data', 0.8], ['filter', -3], ['index', -2], ['footer', -1]] as const)('in its %s (%d): confined, and told by key or by range', { timeout: 60_000 }, async (part, where) => {
    const { folder, records } = await storeWith(1500, true);
    const table = await fileOf(folder, /\.ldb$/);
    const file = await readFile(table);
    const at = where > 0 ? Math.floor(where * indexStart(file)) : where === -1 ? file.length - 3 : where === -2 ? indexStart(file) + 10 : filterStart(file) + 40;
    await flip(table, at);
    const { store, lost, damage } = await openAndCompare(folder, records);
    expect(damage.length).toBeGreaterThan(0);
    expect(lost.filter((key) => !isTold(damage, key))).toEqual([]);
    if (part === 'data') expect(lost.length).toBeLessThan(BLOCK_RECORDS_MAX);
    // Writing goes on, and what is written over is healed.
    const victim = lost[0] ?? [...records.keys()][0]!;
    await store.batch([{ type: 'put', key: victim, value: '{}' }]);
    expect(await store.get(victim)).toBe('{}');
    await store.close();
  });

  test('every 97th byte of a table: never a wrong value, never a loss without a word', { timeout: 120_000 }, async () => {
    const { folder, records } = await storeWith(150, true);
    const file = await readFile(await fileOf(folder, /\.ldb$/));
    for (let at = 5; at < file.length; at += 97) {
      const copy = await copyOf(folder);
      await flip(await fileOf(copy, /\.ldb$/), at);
      const { store, lost, damage } = await openAndCompare(copy, records);
      expect(lost.filter((key) => !isTold(damage, key)), `flipped at ${at}`).toEqual([]);
      await store.close();
      await rm(join(copy, '..'), { recursive: true });
    }
  });
});

describe('faults 14 and 17: files of a Store that are gone or cut', () => {
  test('CURRENT is missing: nothing is lost (LevelDB alone deletes everything)', async () => {
    const { folder, records } = await storeWith(300, true);
    await rm(join(folder, 'CURRENT'));
    const alone = await copyOf(folder);
    const { store, lost, damage } = await openAndCompare(folder, records);
    expect(lost).toEqual([]);
    expect(damage).toMatchObject([{ kind: 'manifest' }]);
    await store.close();
    const raw = new ClassicLevel(alone);
    await raw.open();
    expect(await raw.keys().all()).toEqual([]);
    await raw.close();
  });

  test('CURRENT names what is not there', async () => {
    const { folder, records } = await storeWith(300, true);
    await writeFile(join(folder, 'CURRENT'), 'MANIFEST-999999\n');
    const { store, lost } = await openAndCompare(folder, records);
    expect(lost).toEqual([]);
    await store.close();
  });

  test('the manifest is cut or flipped, at every 7th byte', { timeout: 120_000 }, async () => {
    const { folder, records } = await storeWith(40, true);
    const manifest = await readFile(await fileOf(folder, /^MANIFEST/));
    for (let at = 0; at < manifest.length; at += 7) {
      for (const damageAt of [(file: string) => flip(file, at), (file: string) => truncate(file, at)]) {
        const copy = await copyOf(folder);
        await damageAt(await fileOf(copy, /^MANIFEST/));
        const { store, lost } = await openAndCompare(copy, records);
        expect(lost, `at ${at}`).toEqual([]);
        await store.close();
        await rm(join(copy, '..'), { recursive: true });
      }
    }
  });

  test('a table is missing, or cut: the Store opens, and the range is told', { timeout: 60_000 }, async () => {
    const { folder, records } = await storeWith(1500, true);
    for (const hurt of [(file: string) => rm(file), (file: string) => truncate(file, 3000)]) {
      const copy = await copyOf(folder);
      await hurt(await fileOf(copy, /\.ldb$/));
      const { store, lost, damage } = await openAndCompare(copy, records);
      expect(lost.filter((key) => !isTold(damage, key))).toEqual([]);
      expect(damage.some(({ range }) => range?.upTo !== undefined)).toBe(true);
      await store.batch([{ type: 'put', key: 'b/things/new', value: '{}' }]);
      await store.close();
    }
  });
});

test('what is written as a log reads as the same records', () => {
  const records = [1, 100, 32_761, 32_762, 40_000, 100_000].map((length) => Buffer.alloc(length, length % 251));
  expect(readLog(writeLog(records))).toEqual({ records, damaged: [], cutBytes: 0, isMisread: false });
});

/** Where the last record of a log begins: small ones are one piece each. */
function lastRecordStart(file: Buffer): number {
  let start = 0;
  for (let at = 0; at < file.length; at += 7 + file.readUInt16LE(at + 4)) start = at;
  return start;
}

/** Offsets as the footer has them: of what describes the filters, then of the index. */
function handles(table: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = table.length - 48; numbers.length < 4;) {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = table[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    numbers.push(value);
  }
  return numbers;
}

const indexStart = (table: Buffer): number => handles(table)[2]!;
/** The filter is the block before its description. */
const filterStart = (table: Buffer): number => handles(table)[0]! - 300;

test('fault 16: while records are lost, what they may have referred to is kept; other Collections go on collecting', async () => {
  const folder = await tempFolder();
  const put = async (name: string): Promise<void> => {
    const { data } = await openData({ folder });
    await data.collection({ ...REF, collectionId: name }).drive('d').put('file', bytes('content'));
    await data.close();
  };
  const storeOf = (name: string): string => join(folder, 'spaces', REF.spaceId, 'collections', name, 'store');
  const blobCount = async (name: string): Promise<number> => {
    const all = await readdir(join(storeOf(name), '..', 'blobs'), { recursive: true, withFileTypes: true });
    return all.filter((entry) => entry.isFile()).length;
  };
  await put('hurt');
  await put('emptied');
  await flip(await fileOf(storeOf('hurt'), /\.log$/), 40);
  await rm(storeOf('emptied'), { recursive: true }); // the control: nothing says that there was a record
  const { data } = await openData({ folder });
  for (const name of ['hurt', 'emptied']) {
    const collection = data.collection({ ...REF, collectionId: name });
    expect(await collection.drive('d').get('file')).toBeUndefined();
    await collection.drive('d').put('other', bytes('opens the blobs'));
  }
  await expect.poll(() => blobCount('emptied')).toBe(1);
  expect(await blobCount('hurt')).toBe(2);
  expect(await data.collection({ ...REF, collectionId: 'hurt' }).damage()).toMatchObject([{ kind: 'log' }]);
});
