// Owns the proof that a snapshot is a Collection's Items and Files of one moment, that it costs what changes, and that
// nothing it needs goes away.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Collection, Drive } from '../../sandbox-data/data.ts';
import { bytes, collected, failure, inValues, openData, REF, tempFolder } from './open-data.ts';

async function open() {
  const opened = await openData();
  const collection = opened.data.collection(REF);
  const folder = join(opened.folder, 'spaces', REF.spaceId, 'collections', REF.collectionId);
  return { ...opened, root: opened.folder, collection, folder, base: inValues(collection.base('things')), drive: collection.drive('files') };
}

async function textOf(drive: Drive, name: string): Promise<string | undefined> {
  const file = await drive.get(name);
  return file && String(await collected(file.stream));
}

async function blobsIn(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).length;
}

describe('a snapshot', () => {
  test('brings back Items and Files as they were, and can be undone', async () => {
    const { collection, base, drive } = await open();
    await base.put({ key: 'a', n: 1 }, { key: 'gone', n: 1 });
    await drive.put('x.txt', bytes('before'));
    await drive.put('gone.txt', bytes('kept'));
    const snapshot = await collection.snapshots.create({ note: 'the first' });
    await base.put({ key: 'a', n: 2 }, { key: 'fresh', n: 2 });
    await base.delete('gone');
    await drive.put('x.txt', bytes('after'));
    await drive.delete(['gone.txt']);

    const { replaced } = await collection.snapshots.restore(snapshot.id);
    expect(await base.keys()).toEqual(['a', 'gone']);
    expect(await base.get('a')).toEqual({ key: 'a', n: 1 });
    expect(await textOf(drive, 'x.txt')).toBe('before');
    expect(await textOf(drive, 'gone.txt')).toBe('kept');

    await collection.snapshots.restore(replaced.id);
    expect(await base.keys()).toEqual(['a', 'fresh']);
    expect(await textOf(drive, 'x.txt')).toBe('after');
    expect(await textOf(drive, 'gone.txt')).toBeUndefined();
    const listed = await collection.snapshots.list();
    expect(listed.map(({ kind, note }) => [kind, note])).toEqual([
      ['manual', 'the first'], ['replaced', expect.stringContaining('Before going back')], ['replaced', expect.stringContaining('Before going back')],
    ]);
  });

  test('can be asked what going back to it would undo', async () => {
    const { collection, base, drive } = await open();
    await base.put({ key: 'a', n: 1 }, { key: 'b', n: 1 });
    const { id } = await collection.snapshots.create();
    expect(await collection.snapshots.since(id)).toEqual({ items: 0, files: 0, isMore: false });
    for (let n = 0; n < 3; n += 1) await base.put({ key: 'a', n });
    await base.delete('b');
    await drive.put('x.txt', bytes('x'));
    expect(await collection.snapshots.since(id)).toEqual({ items: 2, files: 1, isMore: false });
    // What is put back has a log of its own: nobody can say what differs.
    await collection.snapshots.restore((await collection.snapshots.create()).id);
    expect(await collection.snapshots.since(id)).toMatchObject({ isMore: true });
  });

  test('whose name and whose replaced one are given beforehand is taken and restored once, however often that is asked', async () => {
    const { collection, base } = await open();
    await base.put({ key: 'a', n: 1 });
    await collection.snapshots.create({ id: 'before', kind: 'automatic' });
    await base.put({ key: 'a', n: 2 });
    await collection.snapshots.create({ id: 'before', kind: 'automatic', note: 'again' });
    expect(await collection.snapshots.list()).toMatchObject([{ id: 'before', kind: 'automatic', note: 'again' }]);
    await base.put({ key: 'a', n: 3 });
    for (let n = 0; n < 2; n += 1) {
      expect(await collection.snapshots.restore('before', { replacedId: 'aside', note: 'put aside' })).toMatchObject({ replaced: { id: 'aside', kind: 'replaced', note: 'put aside' } });
      expect(await base.get('a')).toMatchObject({ n: 2 });
      await base.put({ key: 'a', n: 2, written: 'after the return' });
    }
    expect(await base.get('a')).toMatchObject({ written: 'after the return' });
    await collection.snapshots.restore('aside');
    expect(await base.get('a')).toMatchObject({ n: 3 });
  });

  test('is there after a restart, and of no other Collection', async () => {
    const { collection, base, data, root } = await open();
    await base.put({ key: 'a' });
    const { id } = await collection.snapshots.create();
    const other = data.collection({ ...REF, collectionId: 'other' });
    await expect(other.snapshots.restore(id)).rejects.toEqual(failure('SNAPSHOT_NOT_FOUND'));
    for (const wrong of ['..', '../x', 'nobody', '', 'open', '.new-a']) {
      await expect(collection.snapshots.restore(wrong)).rejects.toEqual(failure('SNAPSHOT_NOT_FOUND'));
      await expect(collection.snapshots.drop(wrong)).rejects.toEqual(failure('SNAPSHOT_NOT_FOUND'));
    }
    await base.delete('a');
    await data.close();
    const again = (await openData({ folder: root })).data.collection(REF);
    expect((await again.snapshots.list()).map((one) => one.id)).toEqual([id]);
    await again.snapshots.restore(id);
    expect(await again.base('things').get('a')).toBe('{"key":"a"}');
  });

  test('of a Collection that nobody wrote to is empty', async () => {
    const { collection, base } = await open();
    const { id } = await collection.snapshots.create();
    await base.put({ key: 'a' });
    await collection.snapshots.restore(id);
    expect(await base.keys()).toEqual([]);
    await base.put({ key: 'b' });
    expect(await base.keys()).toEqual(['b']);
  });

  test('is of one moment while writes go on, which wait and never fail', async () => {
    const { collection, base, drive } = await open();
    let isOver = false;
    let written = 0;
    const writer = (async () => {
      for (; !isOver; written += 1) {
        await base.put({ key: 'first', n: written }, { key: 'second', n: written });
        if (written % 5 === 0) await drive.put('f', bytes(String(written)));
      }
    })();
    const taken: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const before = written;
      taken.push((await collection.snapshots.create()).id);
      while (written < before + 2) await new Promise((resolve) => { setTimeout(resolve, 1); });
    }
    isOver = true;
    await writer;
    expect(written).toBeGreaterThan(8);
    const seen: number[] = [];
    for (const id of taken) {
      await collection.snapshots.restore(id);
      const [first, second] = [await base.get('first'), await base.get('second')];
      expect(first?.n).toBe(second?.n);
      if (first === undefined) continue;
      seen.push(first.n);
      const file = Number(await textOf(drive, 'f') ?? -1);
      expect(first.n - file).toBeLessThanOrEqual(5);
      expect(file).toBeLessThanOrEqual(first.n);
    }
    expect(seen).toEqual(seen.toSorted((left, right) => left - right));
  });

  test('restored while writes go on loses none that came after', async () => {
    const { collection, base } = await open();
    await base.put({ key: 'old' });
    const { id } = await collection.snapshots.create();
    const writes = Array.from({ length: 50 }, (_, n) => base.put({ key: `w${n}` }));
    await collection.snapshots.restore(id);
    await base.put({ key: 'later' });
    await Promise.all(writes);
    const keys = await base.keys();
    expect(keys).toContain('old');
    expect(keys).toContain('later');
  });
});

describe('blobs', () => {
  test('that a snapshot needs stay until the last that needs them is dropped', async () => {
    const { collection, drive, folder } = await open();
    await drive.put('x', bytes('one'));
    const first = await collection.snapshots.create();
    const second = await collection.snapshots.create();
    await drive.put('x', bytes('two'));
    await drive.put('x', bytes('three'));
    expect(await blobsIn(folder), 'two is needed by nobody').toBe(2);
    await collection.snapshots.drop(first.id);
    expect(await blobsIn(folder)).toBe(2);
    await collection.snapshots.restore(second.id);
    expect(await textOf(drive, 'x')).toBe('one');
    const [, replaced] = await collection.snapshots.list();
    await collection.snapshots.drop(second.id);
    expect(await textOf(drive, 'x')).toBe('one');
    expect(await blobsIn(folder)).toBe(2);
    await collection.snapshots.drop(replaced!.id);
    expect(await blobsIn(folder)).toBe(1);
    expect(await textOf(drive, 'x')).toBe('one');
    await drive.delete(['x']);
    expect(await blobsIn(folder), 'without snapshots nothing is kept').toBe(0);
  });

  test('survive a restart in which orphans are collected', async () => {
    const { collection, drive, root, data } = await open();
    await drive.put('x', bytes('one'));
    const { id } = await collection.snapshots.create();
    await drive.delete(['x']);
    await data.close();
    const again = (await openData({ folder: root })).data;
    const later = again.collection(REF);
    await later.drive('files').put('y', bytes('y'));
    await again.close(); // waits for the collection of orphans
    const third = (await openData({ folder: root })).data.collection(REF);
    await third.snapshots.restore(id);
    expect(await textOf(third.drive('files'), 'x')).toBe('one');
  });

  test('are read to their end while a restore replaces the File', async () => {
    const { collection, drive } = await open();
    await drive.put('x', bytes('one'));
    const { id } = await collection.snapshots.create();
    const content = Buffer.alloc(3_000_000, 'z');
    await drive.put('x', bytes(content));
    const reading = await drive.get('x');
    await collection.snapshots.restore(id);
    expect((await collected(reading!.stream)).equals(content)).toBe(true);
  });
});

test('100 snapshots cost what changes, not what is stored', { timeout: 120_000 }, async () => {
  const { collection, base, drive, folder } = await open();
  await fill(collection, 24);
  await drive.put('large', bytes(Buffer.alloc(16 * 1024 * 1024, 'x')));
  await collection.snapshots.create();
  const before = diskBytes(folder);
  const startedAt = performance.now();
  for (let n = 0; n < 99; n += 1) {
    await base.put({ key: `change${n}`, text: 'y'.repeat(2000) });
    await collection.snapshots.create();
  }
  const each = (performance.now() - startedAt) / 99;
  const grown = diskBytes(folder) - before;
  expect(each, 'ms').toBeLessThan(500);
  expect(before).toBeGreaterThan(35e6);
  expect(grown, `of ${before}`).toBeLessThan(before);
});

test('kill -9 while snapshots come, go and are restored leaves only states that were', { timeout: 120_000 }, async () => {
  const folder = await tempFolder();
  for (let round = 0; round < 4; round += 1) {
    await writeUntilKilled(folder, round);
    const { data } = await openData({ folder });
    const collection = data.collection({ spaceId: 's', collectionId: 'c' });
    const base = inValues(collection.base('x'));
    const check = async (what: string): Promise<void> => {
      const [a, b] = [await base.get('a'), await base.get('b')];
      expect(a?.number, what).toBe(b?.number);
      const file = await collection.drive('f').get('file');
      if (file) expect((await collected(file.stream)).length, what).toBe(5000);
    };
    await check(`round ${round}`);
    const listed = await collection.snapshots.list();
    for (const { id } of listed.slice(-3)) {
      const { replaced } = await collection.snapshots.restore(id);
      await check(`round ${round}, snapshot ${id}`);
      await collection.snapshots.drop(replaced.id);
    }
    const inside = join(folder, 'spaces', 's', 'collections', 'c');
    const leftovers = [...await readdir(inside), ...await readdir(join(inside, 'snapshots'))].filter((name) => /^\.|\.next|journal|restore|part/.test(name));
    expect(leftovers).toEqual([]);
    await data.close();
  }
});

async function writeUntilKilled(folder: string, round: number): Promise<void> {
  const writer = spawn(process.execPath, [fileURLToPath(new URL('./snapshot-writer.ts', import.meta.url)), folder, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { writer.kill('SIGKILL'); });
  let snapshots = 0;
  writer.stdout.on('data', (chunk: Buffer) => {
    snapshots += String(chunk).split('snapshot').length - 1;
    if (snapshots > 2 + (round % 2)) setTimeout(() => writer.kill('SIGKILL'), round * 17);
  });
  await once(writer, 'close');
  expect(writer.signalCode).toBe('SIGKILL');
}

/** Items of 1 MB in all, `megabytes` times, that do not compress. */
async function fill(collection: Collection, megabytes: number): Promise<void> {
  for (let n = 0; n < megabytes; n += 1) {
    const items = Array.from({ length: 20 }, (_, i) => ({ key: `k${n}-${i}`, text: randomBytes(37_000).toString('base64') }));
    await collection.base('things').put(JSON.stringify({ items }));
  }
}

/** What is allocated; a file with several names counts once. */
function diskBytes(folder: string): number {
  return Number(execFileSync('du', ['-s', '--block-size=1', folder]).toString().split('\t')[0]);
}
