// Covers looking through whole Collections: by itself once a week, when asked, and what is kept of what was found.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Damage } from '../../sandbox-data/store/damage.ts';
import { bytes, collected, failure, inValues, openCollection, openData, REF } from './open-data.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Flips one byte of every blob of the Collection. */
async function flipBlobs(folder: string): Promise<void> {
  const blobs = join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'blobs');
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    content[0]! ^= 1;
    await writeFile(path, content);
  }
}

async function withDamagedFile() {
  const opened = await openData();
  const told: Damage[] = [];
  opened.data.onDamage((_, damage) => told.push(damage));
  const collection = opened.data.collection(REF);
  await collection.drive('d').put('hurt', bytes('content'));
  await collection.base('b').put('{"items":[{"key":"a"}]}');
  await flipBlobs(opened.folder);
  return { ...opened, collection, told };
}

test('damage that nobody reads is told within a week and an hour', async () => {
  const { clock, folder, collection, told } = await withDamagedFile();
  clock.advance(HOUR_MS);
  const mark = join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'verified');
  await expect.poll(() => readFile(mark, 'utf8').catch(() => '')).toBe(new Date(clock.now()).toISOString());
  clock.advance(WEEK_MS - 2 * HOUR_MS);
  await wait(300);
  expect(told, 'not due yet').toEqual([]);
  await expect.poll(() => { clock.advance(HOUR_MS); return told; }).toMatchObject([{ kind: 'blob', keys: ['d/d/hurt'] }]);
  await expect.poll(() => collection.damage()).toMatchObject([{ things: [{ name: 'd', key: 'hurt', state: 'damaged' }] }]);
});

test('what was looked through is not looked through again at once, also after a restart', async () => {
  const { folder, data, clock, collection } = await withDamagedFile();
  expect((await collection.verify()).damage).toHaveLength(1);
  await collection.forgetDamage();
  await data.close();
  const again = await openData({ folder });
  const told: Damage[] = [];
  again.data.onDamage((_, damage) => told.push(damage));
  expect(again.clock.now()).toBe(clock.now());
  for (let hour = 0; hour < 5; hour += 1) {
    again.clock.advance(HOUR_MS);
    await again.data.collection(REF).contents();
  }
  expect(told).toEqual([]);
  expect((await again.data.collection(REF).verify()).damage).toHaveLength(1);
});

test('a File that is stored again counts as readable; what its owner struck off is gone, and comes back when it is met', async () => {
  const { collection, folder, told } = await withDamagedFile();
  const state = async () => (await collection.damage()).flatMap(({ things }) => things.map((thing) => thing.state));
  await collection.verify();
  expect(await state()).toEqual(['damaged']);
  await collection.drive('d').put('hurt', bytes('new'));
  expect(await state()).toEqual(['readable']);
  await flipBlobs(folder);
  await expect(collected((await collection.drive('d').get('hurt'))!.stream)).rejects.toEqual(failure('BLOB_CORRUPT'));
  await expect.poll(state).toEqual(['readable', 'damaged']);
  await collection.drive('d').delete(['hurt']);
  expect(await state()).toEqual(['missing', 'missing']);
  await collection.forgetDamage();
  expect(await collection.damage()).toEqual([]);
  expect(told).toHaveLength(2);
  await collection.drive('d').put('third', bytes('x'));
  await flipBlobs(folder);
  expect((await collection.verify()).damage).toMatchObject([{ things: [{ key: 'third', state: 'damaged' }] }]);
});

test('a File that goes while it is looked at is not damage', async () => {
  const { collection } = await openCollection();
  const names = Array.from({ length: 150 }, (_, n) => `f${n}`);
  const drive = collection.drive('d');
  await Promise.all(names.map((name) => drive.put(name, bytes(name))));
  const [{ damage }] = await Promise.all([
    collection.verify(),
    ...names.map((name, n) => (n % 2 === 0 ? drive.delete([name]) : drive.put(name, bytes('another')))),
  ]);
  expect(damage).toEqual([]);
});

test('who asks while somebody else does gets the same answer; indexes are held against the Items', async () => {
  const { collection } = await openCollection();
  await inValues(collection.base('b')).put({ key: 'a' });
  const [first, second] = await Promise.all([collection.verify(), collection.verify()]);
  expect(first).toBe(second);
  expect(first).toEqual({ damage: [], indexes: { checked: 0, rebuilt: [], orphans: 0 } });
  expect(await collection.verify()).not.toBe(first);
});
