// Owns the proof of a Drive: whole Files, ranges, lists, deletion, chunked uploads, and that no blob is lost or left.
import { randomBytes } from 'node:crypto';
import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Drive } from '../../sandbox-data/data.ts';
import { bytes, collected, failure, openCollection, openData, REF } from './open-data.ts';

async function openDrive(): Promise<Drive> {
  return (await openCollection()).collection.drive('files');
}

async function content(drive: Drive, name: string, range?: { start: number; end: number }): Promise<string> {
  const file = await drive.get(name, range);
  return (await collected(file!.stream)).toString();
}

describe('a File', () => {
  test('comes back with what is known of it', async () => {
    const drive = await openDrive();
    const info = await drive.put('a/b.txt', bytes('hel', 'lo'));
    expect(info).toMatchObject({ name: 'a/b.txt', sizeBytes: 5, contentType: 'text/plain' });
    expect(info.etag).toMatch(/^"[A-Za-z0-9]+"$/);
    expect(await drive.head('a/b.txt')).toEqual(info);
    const file = await drive.get('a/b.txt');
    expect(file?.info).toEqual(info);
    expect((await collected(file!.stream)).toString()).toBe('hello');
  });

  test('that is missing is undefined', async () => {
    const drive = await openDrive();
    for (const name of ['nope', '', 'a/', 'x'.repeat(2000), 'a\ud800']) {
      expect(await drive.head(name)).toBeUndefined();
      expect(await drive.get(name)).toBeUndefined();
    }
  });

  test('is replaced by a put of the same name, with another etag', async () => {
    const drive = await openDrive();
    const first = await drive.put('a', bytes('old'));
    const second = await drive.put('a', bytes('new!'));
    expect(second.etag).not.toBe(first.etag);
    expect(await content(drive, 'a')).toBe('new!');
  });

  test('may be empty', async () => {
    const drive = await openDrive();
    expect((await drive.put('a', bytes())).sizeBytes).toBe(0);
    expect(await content(drive, 'a')).toBe('');
    await expect(drive.get('a', { start: 0, end: 0 })).rejects.toEqual(failure('RANGE_NOT_SATISFIABLE'));
  });

  test.each([
    ['photo.PNG', undefined, 'image/png'], ['x', undefined, 'application/octet-stream'], ['a.html', 'binary/octet-stream', 'text/html'], ['a.html', '', 'text/html'],
    ['a.html', 'text/x-mine; charset=utf-8', 'text/x-mine; charset=utf-8'], ['a.html', 'text/plain\r\nSet-Cookie: a=b', 'text/html'], ['a', 'application/octet-stream', 'application/octet-stream'],
  ])('%s sent as %j is %s', async (name, contentType, expected) => {
    const drive = await openDrive();
    expect((await drive.put(name, bytes('x'), { contentType })).contentType).toBe(expected);
  });

  test('has the names that people and attackers give', async () => {
    const drive = await openDrive();
    const names = ['a\nb', '$(id)', '-rf', '\u202etxt.exe', '..', '../../etc/passwd', '.', '/leading', 'ä'.repeat(512), 'with space', '__proto__', 'a//b', '%2e%2e%2f', 'nul\u0000byte', '😀'];
    for (const name of names) await drive.put(name, bytes(name));
    for (const name of names) expect(await content(drive, name)).toBe(name);
    expect((await drive.list()).names).toEqual(names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test.each(['', '   ', 'folder/', '/', 'a\ud800', 'x'.repeat(1025)])('is not called %j', async (name) => {
    const drive = await openDrive();
    await expect(drive.put(name, bytes('x'))).rejects.toEqual(failure('NAME_INVALID'));
    await expect(drive.startUpload(name)).rejects.toEqual(failure('NAME_INVALID'));
  });

  test('larger than allowed, or whose sender goes away, leaves the old one', async () => {
    const drive = await openDrive();
    await drive.put('a', bytes('old'));
    await expect(drive.put('a', bytes('12345'), { maxBytes: 4 })).rejects.toEqual(failure('PAYLOAD_TOO_LARGE'));
    await expect(drive.put('a', (async function* () { yield Buffer.from('x'); throw new Error('gone'); })())).rejects.toThrow('gone');
    expect(await content(drive, 'a')).toBe('old');
  });

  test('is read to the end by who started before it was replaced', async () => {
    const drive = await openDrive();
    const large = randomBytes(3_000_000);
    await drive.put('a', bytes(large));
    const reading = await drive.get('a');
    await drive.put('a', bytes('new'));
    await drive.delete(['a']);
    expect((await collected(reading!.stream)).equals(large)).toBe(true);
  });

  test('ranges', async () => {
    const drive = await openDrive();
    await drive.put('a', bytes('0123456789'));
    expect(await content(drive, 'a', { start: 2, end: 4 })).toBe('234');
    expect(await content(drive, 'a', { start: 8, end: 99 })).toBe('89');
    for (const range of [{ start: 10, end: 11 }, { start: 3, end: 2 }, { start: -1, end: 1 }]) {
      await expect(drive.get('a', range)).rejects.toEqual(failure('RANGE_NOT_SATISFIABLE'));
    }
  });
});

describe('list', () => {
  const FILES = ['list-a', 'list-b', 'list-c', 'list/a', 'list/b', 'list/child/a', 'list/child/b'];
  const cases: [object, string[], string?][] = [
    [{}, FILES], [{ limit: 0 }, FILES], [{ limit: 7 }, FILES], [{ limit: 1 }, ['list-a'], 'list-a'], [{ limit: 2, prefix: 'list-' }, ['list-a', 'list-b'], 'list-b'],
    [{ limit: 2, prefix: 'list', last: 'list/child/a' }, ['list/child/b']], [{ prefix: 'list/', recursive: false }, ['list/a', 'list/b', 'list/child/']],
    [{ prefix: 'list/', recursive: false, limit: 2 }, ['list/a', 'list/b'], 'list/b'], [{ prefix: 'list/', recursive: false, limit: 1, last: 'list/a' }, ['list/b'], 'list/b'],
    [{ prefix: 'list/', recursive: false, limit: 2, last: 'list/a' }, ['list/b', 'list/child/']], [{ prefix: 'list', recursive: false }, ['list-a', 'list-b', 'list-c', 'list/']],
    [{ prefix: '/list' }, []], [{ recursive: false }, ['list-a', 'list-b', 'list-c', 'list/']], [{ recursive: false, last: 'list/' }, []],
    [{ prefix: 'list/', recursive: false, last: 'list/child/' }, []], [{ last: 'zzz' }, []], [{ last: 'a', prefix: 'list/c' }, ['list/child/a', 'list/child/b']],
  ];
  test('gives what the reference says', async () => {
    const drive = await openDrive();
    for (const name of FILES) await drive.put(name, bytes('x'));
    for (const [options, names, last] of cases) expect(await drive.list(options), JSON.stringify(options)).toEqual(last === undefined ? { names } : { names, last });
    await expect(drive.list({ limit: -1 })).rejects.toEqual(failure('INVALID_FIELD'));
  });

  test('pages with folders neither repeat nor skip', async () => {
    const drive = await openDrive();
    const names = Array.from({ length: 30 }, (_, n) => (n % 3 === 0 ? `f${n}` : `d${n % 7}/${n}`));
    for (const name of names) await drive.put(name, bytes('x'));
    const expected = [...new Set(names.map((name) => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : name)))].toSorted();
    const found: string[] = [];
    for (let last: string | undefined, more = true; more; more = last !== undefined) {
      const page = await drive.list({ recursive: false, limit: 2, last });
      found.push(...page.names);
      last = page.last;
    }
    expect(found).toEqual(expected);
  });

  test('does not see other Drives', async () => {
    const { collection } = await openCollection();
    for (const name of ['file', 'files2', 'files.']) await collection.drive(name).put('x', bytes('x'));
    expect(await collection.drive('files').list()).toEqual({ names: [] });
    expect(await collection.drive('files2').list()).toEqual({ names: ['x'] });
  });
});

describe('delete', () => {
  test('reports what is gone, also what never was, and what is no name', async () => {
    const drive = await openDrive();
    await drive.put('a', bytes('x'));
    expect(await drive.delete(['a', 'never', '', '  '])).toEqual({ deleted: ['a', 'never'], failed: { '': 'invalid name', '  ': 'invalid name' } });
    expect(await drive.list()).toEqual({ names: [] });
  });

  test.each([[[], 'NAME_INVALID'], [['', ' '], 'NAME_INVALID'], [Array.from({ length: 1001 }, (_, n) => `n${n}`), 'TOO_MANY_ITEMS']])('refuses %j', async (names, code) => {
    const drive = await openDrive();
    await expect(drive.delete(names)).rejects.toEqual(failure(code));
  });
});

describe('chunked upload', () => {
  test('parts in any order, in parallel, repeated, of any size, become one File when completed', async () => {
    const drive = await openDrive();
    const parts = [randomBytes(300_000), randomBytes(1), Buffer.alloc(0), randomBytes(70_000)];
    const { uploadId } = await drive.startUpload('big.bin', { contentType: 'video/mp4' });
    await drive.putPart(uploadId, 'big.bin', 2, bytes('wrong at first'));
    await Promise.all([3, 1, 4, 2].map((part) => drive.putPart(uploadId, 'big.bin', part, bytes(parts[part - 1]!))));
    expect(await drive.head('big.bin')).toBeUndefined();
    const info = await drive.completeUpload(uploadId, 'big.bin');
    const whole = Buffer.concat(parts);
    expect(info).toMatchObject({ sizeBytes: whole.length, contentType: 'video/mp4' });
    expect((await collected((await drive.get('big.bin'))!.stream)).equals(whole)).toBe(true);
    for (const [start, end] of [[0, 0], [299_999, 300_001], [300_000, 300_000], [100, 360_000]] as const) {
      expect((await collected((await drive.get('big.bin', { start, end }))!.stream)).equals(whole.subarray(start, end + 1))).toBe(true);
    }
  });

  test('many small parts are joined', async () => {
    const { data, folder } = await openData();
    const drive = data.collection(REF).drive('files');
    const { uploadId } = await drive.startUpload('a.txt');
    await Promise.all(Array.from({ length: 150 }, (_, n) => drive.putPart(uploadId, 'a.txt', n + 1, bytes(`part ${n};`))));
    await drive.completeUpload(uploadId, 'a.txt');
    expect(await content(drive, 'a.txt')).toBe(Array.from({ length: 150 }, (_, n) => `part ${n};`).join(''));
    expect(await blobsOf(folder)).toHaveLength(1);
  });

  test('no parts make an empty File', async () => {
    const drive = await openDrive();
    const { uploadId } = await drive.startUpload('a');
    expect((await drive.completeUpload(uploadId, 'a')).sizeBytes).toBe(0);
    expect(await content(drive, 'a')).toBe('');
  });

  test('the type comes from the start, else from a part, else from the name', async () => {
    const drive = await openDrive();
    for (const [start, part, expected] of [['a/b', 'c/d', 'a/b'], [undefined, 'c/d', 'c/d'], ['binary/octet-stream', 'binary/octet-stream', 'text/css']]) {
      const { uploadId } = await drive.startUpload('x.css', { contentType: start });
      await drive.putPart(uploadId, 'x.css', 1, bytes('x'), { contentType: part });
      expect((await drive.completeUpload(uploadId, 'x.css')).contentType).toBe(expected);
    }
  });

  test('completing twice answers the same; a part after the end is refused', async () => {
    const drive = await openDrive();
    const { uploadId } = await drive.startUpload('a');
    await drive.putPart(uploadId, 'a', 1, bytes('x'));
    const [first, second] = await Promise.allSettled([drive.completeUpload(uploadId, 'a'), drive.completeUpload(uploadId, 'a')]);
    expect(first.status === 'fulfilled' || second.status === 'fulfilled').toBe(true);
    expect(await drive.completeUpload(uploadId, 'a')).toEqual(await drive.head('a'));
    await expect(drive.putPart(uploadId, 'a', 2, bytes('y'))).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
    await expect(drive.abortUpload(uploadId, 'a')).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
    expect(await content(drive, 'a')).toBe('x');
  });

  test('an unknown id, another name, or another Drive is refused, before its bytes are taken', async () => {
    const { collection } = await openCollection();
    const drive = collection.drive('files');
    const { uploadId } = await drive.startUpload('a');
    let taken = 0;
    const source = async function* () { taken += 1; yield Buffer.from('x'); };
    for (const [where, id, name] of [[drive, 'x', 'a'], [drive, uploadId, 'b'], [collection.drive('other'), uploadId, 'a'], [drive, '../..', 'a']] as const) {
      await expect(where.putPart(id, name, 1, source())).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
      await expect(where.completeUpload(id, name)).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
      await expect(where.abortUpload(id, name)).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
    }
    for (const part of [0, -1, 1.5, Number.NaN, 1e9]) await expect(drive.putPart(uploadId, 'a', part, source())).rejects.toEqual(failure('INVALID_FIELD'));
    expect(taken).toBe(0);
    await drive.putPart(uploadId, 'a', 1, source());
    expect(taken).toBe(1);
  });
});

describe('blobs', () => {
  test('none is left by replacing, deleting, failing, aborting or abandoning', async () => {
    const { data, folder, clock } = await openData();
    const drive = data.collection(REF).drive('files');
    await drive.put('a', bytes('1'));
    await drive.put('a', bytes('2'));
    await drive.put('gone', bytes('3'));
    await drive.delete(['gone']);
    await drive.put('fail', bytes('12345'), { maxBytes: 1 }).catch(() => {});
    const aborted = await drive.startUpload('b');
    await drive.putPart(aborted.uploadId, 'b', 1, bytes('x'));
    await drive.putPart(aborted.uploadId, 'b', 1, bytes('y'));
    await drive.abortUpload(aborted.uploadId, 'b');
    expect(await blobsOf(folder)).toHaveLength(1);
    const abandoned = await drive.startUpload('c');
    await drive.putPart(abandoned.uploadId, 'c', 1, bytes('x'));
    clock.advance(23 * 3600_000);
    expect(await blobsOf(folder)).toHaveLength(2);
    clock.advance(2 * 3600_000);
    await expect.poll(() => { clock.advance(60_000); return blobsOf(folder); }).toHaveLength(1);
    await expect(drive.completeUpload(abandoned.uploadId, 'c')).rejects.toEqual(failure('UPLOAD_NOT_FOUND'));
    expect(await content(drive, 'a')).toBe('2');
  });

  test('orphans of a process that died are collected, referred ones stay', async () => {
    const { data, folder } = await openData();
    const drive = data.collection(REF).drive('files');
    await drive.put('a', bytes('kept'));
    const upload = await drive.startUpload('b');
    await drive.putPart(upload.uploadId, 'b', 1, bytes('part'));
    await data.close();
    const { openFileBlobStore } = await import('../../sandbox-data/blob/file.ts');
    const blobs = await openFileBlobStore(join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'blobs'));
    for (let n = 0; n < 20; n += 1) await blobs.put(`orphan${n}`, bytes('x'));
    const again = await openData({ folder });
    const reopened = again.data.collection(REF).drive('files');
    await reopened.put('c', bytes('c'));
    await expect.poll(() => blobsOf(folder)).toHaveLength(3);
    await reopened.completeUpload(upload.uploadId, 'b');
    expect([await content(reopened, 'a'), await content(reopened, 'b'), await content(reopened, 'c')]).toEqual(['kept', 'part', 'c']);
  });

  test('one that is missing or cut on the disk is told, and hurts no other File', async () => {
    const { data, folder } = await openData();
    const drive = data.collection(REF).drive('files');
    await drive.put('a', bytes('first'));
    const [first] = await blobsOf(folder);
    await drive.put('b', bytes('second'));
    await truncate(first!, 2);
    await expect(drive.get('a')).rejects.toEqual(failure('BLOB_NOT_FOUND'));
    await rm(first!);
    await expect(drive.get('a')).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND', details: { name: 'a' } });
    expect(await content(drive, 'b')).toBe('second');
    await drive.put('a', bytes('healed'));
    expect(await content(drive, 'a')).toBe('healed');
  });

});

async function blobsOf(folder: string): Promise<string[]> {
  const blobs = join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'blobs');
  const entries = await readdir(blobs, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
