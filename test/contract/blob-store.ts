// Owns what every BlobStore driver must do. A driver's test calls `describeBlobStore` with a way to open an empty one.
import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { gather } from './gather.ts';
import type { BlobStore } from '../../sandbox-data/blob/blob-store.ts';

/** @param openEmpty a new empty BlobStore each time; it cleans up after the test by itself */
export function describeBlobStore(name: string, openEmpty: () => Promise<BlobStore>): void {
  const open = async (): Promise<BlobStore> => {
    const blobs = await openEmpty();
    onTestFinished(() => blobs.close());
    return blobs;
  };

  describe(`${name} keeps the contract of a BlobStore:`, () => {
    describeContent(open);
    describeRefusals(open);
  });
}

type Open = () => Promise<BlobStore>;

function describeContent(open: Open): void {
  test.each([0, 1, 65_536, 3_000_001])('%i bytes come back exactly', async (size) => {
    const blobs = await open();
    const content = randomBytes(size);
    expect(await blobs.put('a', inChunks(content, 70_000))).toEqual({ sizeBytes: size });
    expect(await blobs.head('a')).toEqual({ sizeBytes: size });
    expect(content.equals(await read(blobs, 'a'))).toBe(true);
  });

  test('chunks of a single byte come back in order', async () => {
    const blobs = await open();
    const content = randomBytes(5000);
    await blobs.put('a', inChunks(content, 1));
    expect(content.equals(await read(blobs, 'a'))).toBe(true);
  });

  test('ranges are inclusive at both ends', async () => {
    const blobs = await open();
    await blobs.put('a', inChunks(Buffer.from('0123456789'), 3));
    const cases = [[0, 0, '0'], [2, 5, '2345'], [9, 9, '9'], [0, 9, '0123456789'], [5, 100, '56789']] as const;
    for (const [start, end, expected] of cases) expect((await read(blobs, 'a', { start, end })).toString()).toBe(expected);
  });

  test('a blob is replaced whole', async () => {
    const blobs = await open();
    await blobs.put('a', inChunks(Buffer.from('long content'), 4));
    await blobs.put('a', inChunks(Buffer.from('short'), 4));
    expect((await read(blobs, 'a')).toString()).toBe('short');
  });

  test('list gives each key once', async () => {
    const blobs = await open();
    const keys = ['a', 'ab', 'abc', 'abd', '0', 'z'.repeat(128)];
    for (const key of keys) await blobs.put(key, inChunks(Buffer.from(key), 10));
    expect((await gather(blobs.list())).toSorted()).toEqual(keys.toSorted());
  });

  test('a deleted blob is gone; deleting again is no error', async () => {
    const blobs = await open();
    await blobs.put('a', inChunks(Buffer.from('x'), 1));
    await blobs.delete('a');
    await blobs.delete('a');
    expect(await blobs.head('a')).toBeUndefined();
    expect(await gather(blobs.list())).toEqual([]);
  });

  test('a reader that started before the deletion reads to the end', async () => {
    const blobs = await open();
    const content = randomBytes(2_000_000);
    await blobs.put('a', inChunks(content, 100_000));
    const stream = await blobs.get('a');
    await blobs.delete('a');
    expect(content.equals(Buffer.concat(await gather(stream)))).toBe(true);
  });
}

function describeRefusals(open: Open): void {
  test('a missing blob fails before a stream is returned', async () => {
    const blobs = await open();
    await expect(blobs.get('a')).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    expect(await blobs.head('a')).toBeUndefined();
  });

  test.each([[{ start: 10, end: 10 }], [{ start: 3, end: 2 }], [{ start: -1, end: 2 }]])('range %o of ten bytes is refused', async (range) => {
    const blobs = await open();
    await blobs.put('a', inChunks(Buffer.from('0123456789'), 3));
    await expect(blobs.get('a', range)).rejects.toMatchObject({ code: 'RANGE_NOT_SATISFIABLE' });
  });

  test('more than maxBytes leaves nothing, exactly maxBytes is fine', async () => {
    const blobs = await open();
    await expect(blobs.put('a', inChunks(randomBytes(11), 2), { maxBytes: 10 })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await gather(blobs.list())).toEqual([]);
    await blobs.put('a', inChunks(randomBytes(10), 2), { maxBytes: 10 });
  });

  test('a source that fails leaves nothing, and what was there before', async () => {
    const blobs = await open();
    await blobs.put('old', inChunks(Buffer.from('kept'), 2));
    for (const key of ['old', 'fresh']) await expect(blobs.put(key, failing())).rejects.toThrow('the sender went away');
    expect(await gather(blobs.list())).toEqual(['old']);
    expect((await read(blobs, 'old')).toString()).toBe('kept');
  });

  test('a blob is invisible until it is whole', async () => {
    const blobs = await open();
    let finish = (): void => {};
    const gate = new Promise<void>((resolve) => { finish = resolve; });
    const put = blobs.put('a', (async function* () { yield randomBytes(600_000); await gate; })());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await blobs.head('a')).toBeUndefined();
    finish();
    await put;
    expect(await blobs.head('a')).toEqual({ sizeBytes: 600_000 });
  });

  test.each(['', '../a', 'a/b', 'A', 'a.b', 'a\u0000', 'ä', 'a'.repeat(129)])('%j is no key', async (key) => {
    const blobs = await open();
    await expect(blobs.put(key, inChunks(Buffer.from('x'), 1))).rejects.toThrow(TypeError);
    await expect(blobs.get(key)).rejects.toThrow(TypeError);
    await expect(blobs.delete(key)).rejects.toThrow(TypeError);
  });
}

async function* inChunks(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += size) yield content.subarray(start, start + size);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield randomBytes(300_000);
  throw new Error('the sender went away');
}

async function read(blobs: BlobStore, key: string, range?: { start: number; end: number }): Promise<Buffer> {
  return Buffer.concat(await gather(await blobs.get(key, range)));
}
