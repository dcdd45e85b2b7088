// Owns the proof that Files of Collections live in S3 when they are told to: found again, collected, removed with their Collection.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../core/log.ts';
import type { BlobScopes } from '../../../sandbox-data/blob/blob-store.ts';
import { readS3Place, type S3Place } from '../../../sandbox-data/blob/s3-place.ts';
import { openS3 } from '../../../sandbox-data/blob/s3.ts';
import { createData } from '../../../sandbox-data/open.ts';
import { gather } from '../../contract/gather.ts';
import { findS3Server, startS3Server, type S3Server } from '../../support/s3-server.ts';
import { until } from '../../support/start-host.ts';
import { bytes, collected, failure, REF, tempFolder } from '../open-data.ts';

const program = findS3Server();

describe.skipIf(!program)('with a real S3 server', () => {
  let server: S3Server;
  let blobs: BlobScopes;
  beforeAll(async () => {
    server = await startS3Server(program!);
    blobs = await openS3(readS3Place(server.url('files')) as S3Place);
  });
  afterAll(async () => {
    await blobs?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const other = { ...REF, collectionId: 'collection2' };
  const stored = async (ref = REF): Promise<string[]> => gather((await blobs.open(`spaces/${ref.spaceId}/${ref.collectionId}`)).list());
  const open = async (folder: string) => {
    const data = await createData({ folder, log: silentLog, blobs, workers: 1 });
    let isOpen = true;
    const close = async (): Promise<void> => { if (isOpen) { isOpen = false; await data.close(); } };
    onTestFinished(close);
    return { data, close, drive: data.collection(REF).drive('photos') };
  };

  test('Files are put, read, cut, replaced and deleted there, and nothing of them is in the folder', async () => {
    const folder = await tempFolder();
    const content = randomBytes(9_000_000);
    const first = await open(folder);
    await first.drive.put('cat.png', bytes(content));
    const { uploadId } = await first.drive.startUpload('film.mp4');
    await first.drive.putPart(uploadId, 'film.mp4', 2, bytes('world'));
    await first.drive.putPart(uploadId, 'film.mp4', 1, bytes('hello '));
    await first.drive.completeUpload(uploadId, 'film.mp4');
    await first.close();

    const second = await open(folder);
    const read = async (name: string, range?: { start: number; end: number }) => collected((await second.drive.get(name, range))!.stream);
    expect(content.equals(await read('cat.png'))).toBe(true);
    expect((await read('film.mp4')).toString()).toBe('hello world');
    expect((await read('film.mp4', { start: 4, end: 7 })).toString()).toBe('o wo');
    expect(await stored()).toHaveLength(3);
    expect(await readdir(join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId))).not.toContain('blobs');

    await second.drive.put('cat.png', bytes('a smaller cat'));
    expect((await read('cat.png')).toString()).toBe('a smaller cat');
    await second.drive.delete(['cat.png', 'film.mp4']);
    expect(await stored()).toEqual([]);
    await second.close();
  });

  test('what a process that died left behind is collected, what is referred to stays', async () => {
    const folder = await tempFolder();
    const first = await open(folder);
    await first.drive.put('a', bytes('kept'));
    await first.close();
    await (await blobs.open(`spaces/${REF.spaceId}/${REF.collectionId}`)).put('orphan', bytes('never referred to'));
    expect(await stored()).toHaveLength(2);
    const second = await open(folder);
    expect((await collected((await second.drive.get('a'))!.stream)).toString()).toBe('kept');
    await until(async () => ((await stored()).length === 1 ? true : undefined));
    expect(await stored()).not.toContain('orphan');
    expect((await collected((await second.drive.get('a'))!.stream)).toString()).toBe('kept');
    await second.data.remove(REF);
  });

  test('a Collection that is removed takes its blobs with it, and nobody else\'s', async () => {
    const { data, drive } = await open(await tempFolder());
    await drive.put('a', bytes('x'));
    await data.collection(other).drive('photos').put('a', bytes('y'));
    await data.remove(REF);
    expect(await stored()).toEqual([]);
    expect(await stored(other)).toHaveLength(1);
    expect(await data.collection(REF).drive('photos').get('a')).toBeUndefined();
    await data.remove(other);
    expect(await stored(other)).toEqual([]);
  });

  test('a removal that S3 did not hear of is an error, and complete when it is done again', async () => {
    const { data, drive } = await open(await tempFolder());
    await drive.put('a', bytes('x'));
    await server.stop();
    try {
      await expect(data.remove(REF)).rejects.toEqual(failure('STORE_UNAVAILABLE'));
    } finally {
      await server.start();
    }
    expect(await stored()).toHaveLength(1);
    await data.remove(REF);
    expect(await stored()).toEqual([]);
  });

  test('while S3 is away Files fail, Items do not, and both work again without a restart', async () => {
    const { data, drive } = await open(await tempFolder());
    const base = data.collection(REF).base('notes');
    await drive.put('a', bytes('x'));
    await server.stop();
    try {
      await expect(drive.put('b', bytes('y'))).rejects.toEqual(failure('STORE_UNAVAILABLE'));
      await expect(drive.get('a')).rejects.toEqual(failure('STORE_UNAVAILABLE'));
      expect(await drive.list()).toEqual({ names: ['a'] });
      await base.put('{"items":[{"key":"k"}]}');
      expect(await base.get('k')).toBe('{"key":"k"}');
    } finally {
      await server.start();
    }
    expect(await drive.head('b')).toBeUndefined();
    expect((await collected((await drive.get('a'))!.stream)).toString()).toBe('x');
    await drive.put('b', bytes('y'));
    await data.remove(REF);
  });
});
