// Owns the proof that whoever follows a Collection misses nothing and gets everything once, in order: at any speed, across
// a dead worker and a killed host; and is told where the log has left it behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../core/log.ts';
import { LOG_LIMITS } from '../../sandbox-data/change-log.ts';
import { followChanges } from '../../sandbox-data/change-reader.ts';
import type { Collection, CollectionChange } from '../../sandbox-data/data.ts';
import { DataThread } from '../../sandbox-data/worker/data-thread.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { bytes, failure, inValues, openCollection, openData, REF, tempFolder } from './open-data.ts';

/** Follow in the background; `seen` grows. */
function follow(collection: Collection, after?: number) {
  const stop = new AbortController();
  const seen: CollectionChange[] = [];
  const ended = (async () => {
    for await (const change of collection.changes({ after, signal: stop.signal })) seen.push(change);
  })();
  ended.catch(() => {});
  onTestFinished(() => stop.abort());
  return { seen, ended, stop: () => stop.abort() };
}

const sequences = (changes: CollectionChange[]): number[] => changes.map(({ sequence }) => sequence);
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, n) => from + n);

test('changes of Items and Files arrive while they happen, in order, at every reader', async () => {
  const { collection, data } = await openCollection();
  const base = inValues(collection.base('b'));
  const readers = [follow(collection, 0), follow(collection, 0)];
  const other = follow(data.collection({ ...REF, collectionId: 'elsewhere' }), 0);
  await base.put({ key: 'a', n: 1 });
  await base.update('a', { set: { n: 2 } });
  await collection.drive('d').put('f', bytes('x'));
  await base.delete('a');
  for (const { seen } of readers) {
    await expect.poll(() => seen.length).toBe(4);
    expect(seen[1]).toEqual({ kind: 'put', sequence: 2, at: expect.any(String), area: 'base', name: 'b', key: 'a', before: { key: 'a', n: 1 }, after: { key: 'a', n: 2 } });
    expect(seen.map((change) => ('key' in change ? [change.kind, change.key] : []))).toEqual([['put', 'a'], ['put', 'a'], ['put', 'f'], ['delete', 'a']]);
  }
  expect(other.seen).toEqual([]);
  readers[0]!.stop();
  await readers[0]!.ended;
  await base.put({ key: 'b' });
  await expect.poll(() => readers[1]!.seen.length).toBe(5);
  expect(readers[0]!.seen).toHaveLength(4);
});

test('without a place to go on it starts now', async () => {
  const { collection } = await openCollection();
  const base = inValues(collection.base('b'));
  await base.put({ key: 'before' });
  const { seen } = follow(collection);
  await expect.poll(async () => {
    await base.put({ key: 'after' });
    return seen.length;
  }).toBeGreaterThan(0);
  expect(seen.every((change) => 'key' in change && change.key === 'after')).toBe(true);
});

test('a reader that stops comes to an end, whether it waits or reads', async () => {
  const { collection } = await openCollection();
  const waiting = follow(collection, 0);
  waiting.stop();
  await waiting.ended;
  await inValues(collection.base('b')).put(...upTo(25).map((n) => ({ key: `${n}` })));
  for await (const { sequence } of collection.changes({ after: 0 })) if (sequence === 3) break;
});

test('under many writers nothing is missing, nothing twice', async () => {
  const { collection } = await openCollection();
  const base = inValues(collection.base('b'));
  const { seen } = follow(collection, 0);
  await Promise.all(upTo(40).map(async (lane) => { for (let n = 0; n < 10; n += 1) await base.put({ key: `${lane}`, n }); }));
  await expect.poll(() => seen.length).toBe(400);
  expect(sequences(seen)).toEqual(upTo(400));
});

test('a slow reader holds up nobody and gets all, until the log has left it behind: then it is told, once', { timeout: 60_000 }, async () => {
  const { collection } = await openCollection();
  const base = inValues(collection.base('b'));
  const quick = follow(collection, 0);
  const slow = collection.changes({ after: 0 })[Symbol.asyncIterator]();
  await base.put({ key: 'first' });
  expect((await slow.next()).value).toMatchObject({ sequence: 1 });
  const rounds = Math.ceil((LOG_LIMITS.entries * 1.5) / 25);
  for (let round = 0; round < rounds; round += 1) await base.put(...upTo(25).map((n) => ({ key: `${n}`, round })));
  const last = 1 + rounds * 25;
  await expect.poll(() => quick.seen.length).toBe(last);
  expect(sequences(quick.seen)).toEqual(upTo(last));
  const rest: CollectionChange[] = [];
  for (let change = await slow.next(); rest.push(change.value) && rest.at(-1)!.sequence < last;) change = await slow.next();
  const marks = rest.filter(({ kind }) => kind === 'resync');
  expect(marks).toHaveLength(1);
  // Before the mark it had what was handed over already, without a gap; behind the mark it goes on where the mark says.
  const at = rest.indexOf(marks[0]!);
  expect(sequences(rest.slice(0, at))).toEqual(upTo(at, 2));
  expect(at).toBeLessThan(1000);
  await base.put({ key: 'last' });
  expect((await slow.next()).value).toMatchObject({ sequence: last + 1, key: 'last' });
  await slow.return?.();
});

test('after a restore its reader starts anew', async () => {
  const { collection } = await openCollection();
  const base = inValues(collection.base('b'));
  await base.put({ key: 'a' });
  const { id } = await collection.snapshots.create();
  const { seen } = follow(collection, 0);
  await base.put({ key: 'b' });
  await expect.poll(() => seen.length).toBe(2);
  await collection.snapshots.restore(id);
  await expect.poll(() => seen.length).toBe(3);
  expect(seen[2]).toMatchObject({ kind: 'resync' });
  await base.put({ key: 'c' });
  await expect.poll(() => seen.at(-1)).toMatchObject({ kind: 'put', key: 'c', sequence: seen[2]!.sequence + 1 });
});

test('the Store may close meanwhile', async () => {
  const { data } = await openData({ idleMs: 40 });
  const collection = data.collection(REF);
  const base = inValues(collection.base('b'));
  const { seen } = follow(collection, 0);
  for (let n = 1; n <= 3; n += 1) {
    await base.put({ key: `${n}` });
    await new Promise((resolve) => { setTimeout(resolve, 120); });
  }
  expect(sequences(seen)).toEqual(upTo(3));
});

test('the data worker may die meanwhile', async () => {
  const thread = new DataThread({ settings: { folder: await tempFolder(), maxOpenStores: 4, idleMs: 60_000 }, clock: createFakeClock(), log: silentLog });
  onTestFinished(() => thread.close());
  const put = (key: string) => thread.call('s/c', 'itemsPut', 'b', JSON.stringify({ items: [{ key }] }));
  const seen: number[] = [];
  const stop = new AbortController();
  const reading = (async () => { for await (const { sequence } of followChanges({ thread: () => thread, address: 's/c' }, { after: 0, signal: stop.signal })) seen.push(sequence); })();
  for (let n = 0; n < 3; n += 1) {
    await put(`a${n}`);
    const cut = Array.from({ length: 20 }, (_, lane) => put(`b${n}-${lane}`).catch(() => {}));
    await thread.worker?.terminate();
    await Promise.all(cut);
  }
  await put('last');
  const last = await thread.call('s/c', 'changesLast');
  await expect.poll(() => seen.at(-1)).toBe(last);
  expect(seen).toEqual(upTo(last));
  stop.abort();
  await reading;
});

test('its host closes: the reader ends with an error, and goes on at the next one', async () => {
  const { data, folder } = await openData();
  await inValues(data.collection(REF).base('b')).put({ key: 'a' });
  const { seen, ended } = follow(data.collection(REF), 0);
  await expect.poll(() => seen.length).toBe(1);
  await data.close();
  await expect(ended).rejects.toEqual(failure('STORE_UNAVAILABLE'));
  const next = (await openData({ folder })).data.collection(REF);
  await inValues(next.base('b')).put({ key: 'b' });
  const again = follow(next, 1);
  await expect.poll(() => sequences(again.seen)).toEqual([2]);
});

test('kill -9 again and again: a reader that keeps its place sees every change once, in order, and every acknowledged one', { timeout: 90_000 }, async () => {
  const folder = await tempFolder();
  const seen: { sequence: number; key: string }[] = [];
  const acknowledged: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('./change-follower.ts', import.meta.url)), folder, String(round), String(seen.at(-1)?.sequence ?? 0)], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => { child.kill('SIGKILL'); });
    let count = 0;
    for await (const line of createInterface(child.stdout)) {
      const [what, key = '', sequence = ''] = line.split(' ');
      if (what === 'wrote') acknowledged.push(key);
      else if (sequence.endsWith(';')) seen.push({ sequence: Number.parseInt(sequence, 10), key });
      count += 1;
      if (count === 60 + round * 41) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    expect(child.signalCode).toBe('SIGKILL');
  }
  const { data } = await openData({ folder });
  const rest = follow(data.collection(REF), seen.at(-1)!.sequence);
  await inValues(data.collection(REF).base('b')).put({ key: 'end' });
  await expect.poll(() => rest.seen.at(-1)).toMatchObject({ key: 'end' });
  const all = [...seen, ...rest.seen.map((change) => ({ sequence: change.sequence, key: 'key' in change ? change.key : '' }))];
  expect(all.map(({ sequence }) => sequence)).toEqual(upTo(all.length));
  const keys = all.map(({ key }) => key);
  expect(keys).toEqual(expect.arrayContaining(acknowledged));
  expect(new Set(keys).size).toBe(keys.length);
  expect(acknowledged.length).toBeGreaterThan(100);
});
