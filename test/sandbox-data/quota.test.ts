// Owns the proof that nobody stores more than their quota, that only they are refused, and that the meter is exact after a kill. Fault 21.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Collection, Data } from '../../sandbox-data/data.ts';
import { byteText } from '../../sandbox-data/quota.ts';
import type { QuotaSource } from '../../sandbox-data/quota.ts';
import { bytes, collected, failure, inValues, openData, REF, tempFolder } from './open-data.ts';

const FULL = failure('QUOTA_EXCEEDED');
const limits = (spaceBytes: number, collectionBytes = Infinity): QuotaSource => ({ spaceBytes: async () => spaceBytes, collectionBytes: async () => collectionBytes });

async function open(source: QuotaSource) {
  const opened = await openData();
  opened.data.useQuotas(source);
  return { ...opened, collection: opened.data.collection(REF) };
}

const text = (length: number): string => 'x'.repeat(length);

async function fillUp(collection: Collection, sizeBytes = 1000): Promise<number> {
  for (let n = 0; ; n += 1) {
    const error = await collection.base('x').put(JSON.stringify({ items: [{ key: `k${n}`, text: text(sizeBytes) }] })).then(() => undefined, (failed: unknown) => failed);
    if (!error) continue;
    expect(error).toEqual(FULL);
    return n;
  }
}

describe('a Collection that is full', () => {
  test('takes no write of any kind, but reads, deletes, and then writes again', async () => {
    const { collection, data } = await open(limits(Infinity, 20_000));
    const base = inValues(collection.base('x'));
    const drive = collection.drive('d');
    const { uploadId } = await drive.startUpload('u');
    const count = await fillUp(collection);
    expect(count).toBeGreaterThan(15);
    expect(count).toBeLessThanOrEqual(20);
    await expect(base.insert({ text: text(2000) })).rejects.toEqual(FULL);
    await expect(base.update('k0', { set: { more: text(2000) } })).rejects.toEqual(FULL);
    await expect(collection.base('x').versioned.put(JSON.stringify({ items: [{ key: 'v', text: text(2000) }] }))).rejects.toEqual(FULL);
    await expect(drive.put('f', bytes(text(2000)))).rejects.toEqual(FULL);
    await expect(drive.putPart(uploadId, 'u', 1, bytes(text(2000)))).rejects.toEqual(FULL);
    expect(await base.get('k0')).toBeDefined();
    expect(await drive.head('f')).toBeUndefined();
    expect((await data.spaceUsage(REF.spaceId)).get(REF.collectionId)).toBeLessThanOrEqual(20_000);
    for (let n = 0; n < 5; n += 1) await base.delete(`k${n}`);
    await base.insert({ text: text(2000) });
    await drive.put('f', bytes(text(2000)));
  });

  test('leaves its neighbours alone, and says what is used and by whom it can be changed', async () => {
    const { collection, data } = await open({ spaceBytes: async () => 1e6, collectionBytes: async ({ collectionId }) => (collectionId === REF.collectionId ? 10_000 : 1e6) });
    await fillUp(collection);
    await data.collection({ ...REF, collectionId: 'other' }).base('x').put(`{"items":[{"key":"a","text":"${text(20_000)}"}]}`);
    await expect(collection.drive('d').put('f', bytes(text(5000)))).rejects.toThrow(/^This app has used 9\.\d\d KB of its 10\.0 KB\. .*owner of the Space/);
  });
});

test('a Space that is full refuses in all its Collections, and no other Space', async () => {
  const { collection, data } = await open({ spaceBytes: async (id) => (id === REF.spaceId ? 50_000 : 1e9), collectionBytes: async () => Infinity });
  const second = data.collection({ ...REF, collectionId: 'second' });
  await second.drive('d').put('f', bytes(text(30_000)));
  const count = await fillUp(collection);
  expect(count).toBeGreaterThan(15);
  expect(count).toBeLessThanOrEqual(20);
  await expect(second.base('x').put(`{"items":[{"text":"${text(2000)}"}]}`)).rejects.toThrow(/^This Space has used .* of its 50\.0 KB/);
  await data.collection({ spaceId: 'another', collectionId: 'c' }).drive('d').put('f', bytes(text(100_000)));
  await second.drive('d').delete(['f']);
  await collection.base('x').put(`{"items":[{"text":"${text(2000)}"}]}`);
});

test('writes at the same time do not get past it together', async () => {
  const { collection, data } = await open(limits(Infinity, 30_000));
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => collection.base('x').put(`{"items":[{"key":"k${n}","text":"${text(1000)}"}]}`)));
  const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
  expect(kept).toBeGreaterThan(20);
  expect(kept).toBeLessThan(30);
  expect((await data.spaceUsage(REF.spaceId)).get(REF.collectionId)).toBeLessThanOrEqual(30_000);
});

test('parts of uploads count, until the upload is given up', async () => {
  const { collection } = await open(limits(Infinity, 10_000));
  const drive = collection.drive('d');
  const { uploadId } = await drive.startUpload('u');
  await drive.putPart(uploadId, 'u', 1, bytes(text(6000)));
  await expect(drive.putPart(uploadId, 'u', 2, bytes(text(6000)))).rejects.toEqual(FULL);
  await expect(drive.put('f', bytes(text(6000)))).rejects.toEqual(FULL);
  await drive.abortUpload(uploadId, 'u');
  await drive.put('f', bytes(text(6000)));
});

test('an import ends at the limit with a reason, and what was there stays', async () => {
  const { collection, data } = await open(limits(Infinity, 20_000));
  await collection.drive('d').put('f', bytes(text(9000)));
  const source = await openData();
  const other = source.data.collection(REF);
  await other.drive('d').put('large', bytes(text(15_000)));
  const archive = await collected(await other.exportArchive());
  const received = await collection.receiveArchive(bytes(archive));
  await expect(received.run()).rejects.toEqual(FULL);
  await received.close();
  expect((await collection.drive('d').list()).names).toEqual(['f']);
  expect((await data.spaceUsage(REF.spaceId)).get(REF.collectionId)).toBe(9000);
});

test('the limit can change, and a restore counts what comes back', async () => {
  let limit = 10_000;
  const { collection, data } = await open({ spaceBytes: async () => Infinity, collectionBytes: async () => limit });
  const drive = collection.drive('d');
  await drive.put('f', bytes(text(9000)));
  const { id } = await collection.snapshots.create();
  await expect(drive.put('g', bytes(text(9000)))).rejects.toEqual(FULL);
  limit = 20_000;
  data.quotaChanged(REF.spaceId);
  await drive.put('g', bytes(text(9000)));
  await drive.delete(['f', 'g']);
  await collection.snapshots.restore(id);
  await expect(drive.put('h', bytes(text(15_000)))).rejects.toEqual(FULL);
});

test('after kill -9 the meter says what is there, to the byte', { timeout: 60_000 }, async () => {
  const folder = await tempFolder();
  for (let round = 0; round < 3; round += 1) {
    await writeUntilKilled(folder, round);
    const { data } = await openData({ folder });
    const told = await data.spaceUsage('s');
    expect(told.get('c')).toBe(await countedBytes(data));
    await data.close();
    const again = await openData({ folder });
    expect(await again.data.spaceUsage('s'), 'from the note of a closed Store').toEqual(told);
    again.data.useQuotas(limits(told.get('c')! + 500));
    await expect(again.data.collection({ spaceId: 's', collectionId: 'c' }).drive('f').put('f', bytes(text(600)))).rejects.toEqual(FULL);
    await again.data.collection({ spaceId: 's', collectionId: 'c' }).drive('f').put('f', bytes(text(400)));
    await again.data.close();
  }
});

test.each([[0, '0 bytes'], [999, '999 bytes'], [1000, '1.00 KB'], [12_345_678, '12.3 MB'], [5e12, '5.00 TB'], [5e16, '50000.0 TB']])('%d is %s', (count, shown) => {
  expect(byteText(count)).toBe(shown);
});

async function countedBytes(data: Data): Promise<number> {
  const collection = data.collection({ spaceId: 's', collectionId: 'c' });
  let sum = 0;
  for (let last: string | undefined, isMore = true; isMore; isMore = last !== undefined) {
    const page = await inValues(collection.base('x')).query({ last });
    for (const item of page.items) sum += Buffer.byteLength(JSON.stringify(item));
    last = page.paging.last;
  }
  for (const name of (await collection.drive('f').list()).names) sum += (await collection.drive('f').head(name))!.sizeBytes;
  return sum;
}

async function writeUntilKilled(folder: string, round: number): Promise<void> {
  const writer = spawn(process.execPath, [fileURLToPath(new URL('./writer.ts', import.meta.url)), folder, `r${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { writer.kill('SIGKILL'); });
  let lines = 0;
  writer.stdout.on('data', (chunk: Buffer) => {
    lines += String(chunk).split('\n').length - 1;
    if (lines > 30 + round * 23) writer.kill('SIGKILL');
  });
  await once(writer, 'close');
}
