// Owns the proof of the data plane: Collections are apart, Stores open and close by themselves, a dead worker is replaced.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLog, silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';
import { DataThread } from '../../sandbox-data/worker/data-thread.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { bytes, collected, failure, inValues, openData, REF, tempFolder } from './open-data.ts';

const storeOf = (folder: string, collectionId: string): string => join(folder, 'spaces', REF.spaceId, 'collections', collectionId, 'store');
const one = (collectionId: string) => ({ spaceId: REF.spaceId, collectionId });

describe('Collections', () => {
  test('see nothing of each other, across Spaces and within one', async () => {
    const { data } = await openData({ workers: 2 });
    const refs = [{ spaceId: 's1', collectionId: 'a' }, { spaceId: 's1', collectionId: 'b' }, { spaceId: 's2', collectionId: 'a' }, { spaceId: 's1a', collectionId: 'a' }];
    for (const ref of refs) {
      await inValues(data.collection(ref).base('things')).put({ key: 'mine', of: ref });
      await data.collection(ref).drive('files').put('mine', bytes(JSON.stringify(ref)));
    }
    for (const ref of refs) {
      expect((await inValues(data.collection(ref).base('things')).query({})).items).toEqual([{ key: 'mine', of: ref }]);
      const file = await data.collection(ref).drive('files').get('mine');
      expect(JSON.parse(String(await collected(file!.stream)))).toEqual(ref);
    }
  });

  test.each(['..', '', 'a/b', 'A', '../x', 'a\u0000', 'host', '.'].filter((id) => id !== 'host'))('%j is no id', async (id) => {
    const { data } = await openData();
    expect(() => data.collection({ spaceId: id, collectionId: 'a' })).toThrow(TypeError);
    expect(() => data.collection({ spaceId: 'a', collectionId: id })).toThrow(TypeError);
    await expect(data.remove({ spaceId: 'a', collectionId: id })).rejects.toThrow(TypeError);
  });

  test('cost nothing until they are used', async () => {
    const { data, folder } = await openData();
    data.collection(one('a')).base('x');
    expect(existsSync(join(folder, 'spaces'))).toBe(false);
    expect(await data.collection(one('a')).contents()).toEqual({ bases: [], drives: [] });
  });

  test('that are removed are gone from the disk, and empty when used again', async () => {
    const { data, folder } = await openData();
    const collection = data.collection(one('a'));
    await inValues(collection.base('x')).put({ key: 'k' });
    await collection.drive('f').put('file', bytes('x'));
    await inValues(data.collection(one('b')).base('x')).put({ key: 'neighbour' });
    await data.remove(one('a'));
    await data.remove(one('never'));
    expect(readdirSync(join(folder, 'spaces', REF.spaceId, 'collections'))).toEqual(['b']);
    expect(readdirSync(join(folder, 'removed'))).toEqual([]);
    expect(await inValues(collection.base('x')).get('k')).toBeUndefined();
    expect(await collection.drive('f').list()).toEqual({ names: [] });
    expect(await inValues(data.collection(one('b')).base('x')).get('neighbour')).toEqual({ key: 'neighbour' });
  });
});

describe('Stores', () => {
  test('that many first uses ask for at once are opened once', async () => {
    const { data } = await openData();
    const base = inValues(data.collection(one('a')).base('x'));
    await Promise.all(Array.from({ length: 50 }, (_, n) => base.put({ key: `k${n}` })));
    expect(await base.keys()).toHaveLength(50);
  });

  test('beyond the cap are closed, the least recently used first, and open again when asked for', async () => {
    const { data, folder } = await openData({ workers: 1, maxOpenStores: 3 });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const id of ids) await inValues(data.collection(one(id)).base('x')).put({ key: id });
    await expect.poll(() => lockedStores(folder, ids)).toEqual(['d', 'e', 'f']);
    for (const id of ids) expect(await inValues(data.collection(one(id)).base('x')).keys()).toEqual([id]);
    await Promise.all(Array.from({ length: 60 }, (_, n) => inValues(data.collection(one(ids[n % 6]!)).base('x')).put({ key: `n${n}` })));
    for (const id of ids) expect(await inValues(data.collection(one(id)).base('x')).keys()).toHaveLength(11);
  });

  test('that nobody uses are closed after a while, the host Store never', async () => {
    const { data, folder } = await openData({ idleMs: 60 });
    await data.hostStore.batch([{ type: 'put', key: 'a', value: '1' }]);
    await inValues(data.collection(one('a')).base('x')).put({ key: 'k' });
    expect(await lockedStores(folder, ['a'])).toEqual(['a']);
    await expect.poll(() => lockedStores(folder, ['a'])).toEqual([]);
    await expect(createData({ folder, log: silentLog })).rejects.toEqual(failure('DATA_LOCKED'));
    expect(await inValues(data.collection(one('a')).base('x')).keys()).toEqual(['k']);
  });

  test('of one folder belong to one host; after close the next may have it', async () => {
    const { data, folder } = await openData();
    await expect(createData({ folder, log: silentLog })).rejects.toEqual(failure('DATA_LOCKED'));
    await inValues(data.collection(one('a')).base('x')).put({ key: 'k' });
    await data.close();
    await expect(data.collection(one('a')).base('x').get('k')).rejects.toEqual(failure('STORE_UNAVAILABLE'));
    const next = await openData({ folder });
    expect(await inValues(next.data.collection(one('a')).base('x')).keys()).toEqual(['k']);
  });

  /** Which of these Stores somebody has open. */
  async function lockedStores(folder: string, ids: string[]): Promise<string[]> {
    const locked: string[] = [];
    for (const id of ids) {
      const text = readFileSync('/proc/locks', 'utf8');
      const inode = (await import('node:fs')).statSync(join(storeOf(folder, id), 'LOCK')).ino;
      if (text.includes(`:${inode} `)) locked.push(id);
    }
    return locked;
  }
});

describe('a data worker', () => {
  test('that dies fails the calls it had, is replaced, and nothing acknowledged is lost', async () => {
    const folder = await tempFolder();
    const lines: string[] = [];
    const thread = new DataThread({
      settings: { folder, maxOpenStores: 4, idleMs: 60_000 }, clock: createFakeClock(), log: createLog('debug', (line) => lines.push(line)),
    });
    onTestFinished(() => thread.close());
    const put = (key: string) => thread.call('s/c', 'itemsPut', 'x', JSON.stringify({ items: [{ key, v: 'x'.repeat(1000) }] }));
    await put('before');
    const calls = Array.from({ length: 400 }, (_, n) => put(`k${n}`).then(() => `k${n}`, (error: unknown) => error));
    await calls[0];
    await thread.worker?.terminate();
    const outcomes = await Promise.all([...calls, ...Array.from({ length: 10 }, (_, n) => put(`late${n}`).then(() => `late${n}`, (error: unknown) => error))]);
    for (const outcome of outcomes) {
      if (typeof outcome === 'string') expect(await thread.call('s/c', 'itemGet', 'x', outcome), outcome).toBeDefined();
      else expect(outcome).toEqual(failure('STORE_UNAVAILABLE'));
    }
    expect(outcomes.slice(-10).every((outcome) => typeof outcome === 'string')).toBe(true);
    expect(await thread.call('s/c', 'itemGet', 'x', 'before')).toBeDefined();
    expect(lines.join('')).toContain('data-worker.replaced');
  });

  test('keeps its turns short while many scans run: a small read waits for one slice of one of them', async () => {
    const { data } = await openData({ workers: 1 });
    const base = inValues(data.collection(one('a')).base('x'));
    for (let n = 0; n < 400; n += 1) await base.put(...Array.from({ length: 25 }, (_, m) => ({ key: `k${n}-${m}`, text: 'word '.repeat(40) })));
    const other = data.collection(one('b')).base('y');
    await other.put('{"items":[{"key":"k"}]}');
    const waits = async (): Promise<number> => {
      const times: number[] = [];
      for (let n = 0; n < 60; n += 1) {
        const start = performance.now();
        await other.get('k');
        times.push(performance.now() - start);
      }
      return times.toSorted((left, right) => left - right)[30]!;
    };
    let isOver = false;
    const scans = Array.from({ length: 8 }, async () => { while (!isOver) await base.query({ query: { 'text?!contains': 'word' } }); });
    const median = await waits();
    isOver = true;
    await Promise.all(scans);
    expect(median).toBeLessThan(100); // of a machine that does nothing else: about 10 ms
  });

  test('answers small reads while a large scan runs', async () => {
    const { data } = await openData({ workers: 1 });
    const base = inValues(data.collection(one('a')).base('x'));
    for (let n = 0; n < 400; n += 1) await base.put(...Array.from({ length: 25 }, (_, m) => ({ key: `k${n}-${m}`, text: 'word '.repeat(200) })));
    const scan = Promise.all(Array.from({ length: 5 }, () => base.query({ query: { 'text?contains': 'absent' } })));
    let isScanning = true;
    void scan.then(() => { isScanning = false; });
    let answered = 0;
    let slowestMs = 0;
    for (; isScanning; answered += 1) {
      const start = performance.now();
      await base.get('k3-3');
      slowestMs = Math.max(slowestMs, performance.now() - start);
    }
    expect((await scan)[0].items).toEqual([]);
    expect(answered).toBeGreaterThan(5);
    expect(slowestMs).toBeLessThan(200);
  });

  test('tells the log about a damaged record, and the other Items are served', async () => {
    const lines: string[] = [];
    const { data, folder } = await openData();
    await inValues(data.collection(one('a')).base('x')).put({ key: 'a' }, { key: 'b' }, { key: 'c' });
    await data.close();
    const raw = new ClassicLevel(storeOf(folder, 'a'));
    await raw.put('b/x/b', `${await raw.get('b/x/b')} `);
    await raw.put('m/log', 'garbage');
    await raw.close();
    const again = await openData({ folder, log: createLog('warn', (line) => lines.push(line)) });
    const base = inValues(again.data.collection(one('a')).base('x'));
    await expect(base.get('b')).rejects.toEqual(failure('RECORD_CORRUPT'));
    await expect(base.update('b', { set: { n: 1 } })).rejects.toEqual(failure('RECORD_CORRUPT'));
    await expect(base.insert({ key: 'b' })).rejects.toEqual(failure('RECORD_CORRUPT'));
    expect(await base.keys()).toEqual(['a', 'c']);
    expect(lines.join('')).toContain('data.damaged');
    await base.put({ key: 'b', healed: true }, { key: 'd' });
    expect(await base.get('b')).toEqual({ key: 'b', healed: true });
  });

  test('deletes a damaged Item', async () => {
    const { data, folder } = await openData();
    await inValues(data.collection(one('a')).base('x')).put({ key: 'b' });
    await data.close();
    const raw = new ClassicLevel(storeOf(folder, 'a'));
    await raw.put('b/x/b', 'garbage');
    await raw.close();
    const base = inValues((await openData({ folder })).data.collection(one('a')).base('x'));
    await expect(base.get('b')).rejects.toEqual(failure('RECORD_CORRUPT'));
    await base.delete('b');
    expect(await base.get('b')).toBeUndefined();
  });
});

test('expired Items are swept in the end', async () => {
  const { data, folder, clock } = await openData();
  const base = inValues(data.collection(one('a')).base('x/'.slice(0, 1)));
  const expires = clock.now() / 1000 + 5;
  await base.put({ key: 'a/b', __expires: expires }, { key: 'later', __expires: expires + 100_000 }, { key: 'always' });
  for (let minute = 0; minute < 75; minute += 1) {
    clock.advance(60_000);
    await base.get('always');
  }
  await data.close();
  const raw = new ClassicLevel(storeOf(folder, 'a'));
  const keys = await raw.keys().all();
  await raw.close();
  expect(keys.filter((key) => key.startsWith('b/'))).toEqual(['b/x/always', 'b/x/later']);
  expect(keys.filter((key) => key.startsWith('e/'))).toHaveLength(1);
});

test('the thread that imports the data plane never loads a Store driver', () => {
  const seen = new Set<string>();
  const libraries = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'/gm)) {
      if (from!.startsWith('.')) visit(resolve(dirname(file), from!));
      else libraries.add(from!);
    }
  };
  const root = join(import.meta.dirname, '../../sandbox-data');
  visit(join(root, 'open.ts'));
  expect(seen.has(join(root, 'worker/data-thread.ts'))).toBe(true);
  expect([...libraries].filter((name) => /level|^pg$/.test(name))).toEqual([]);
  visit(join(root, 'worker/data-worker.ts'));
  expect([...libraries].filter((name) => /level/.test(name)), 'this walk can find it').toEqual(['classic-level']);
});

test('nothing but the documented folders appears in DATA', async () => {
  const { data, folder } = await openData();
  await inValues(data.collection(one('a')).base('x')).put({ key: 'a' });
  await data.collection(one('a')).drive('x').put('a', bytes('a'));
  expect((await readdir(folder)).toSorted()).toEqual(['host', 'spaces']);
  expect((await readdir(dirname(storeOf(folder, 'a')))).toSorted()).toEqual(['blobs', 'store']);
});
