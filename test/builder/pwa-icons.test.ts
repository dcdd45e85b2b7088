// Owns the proof that a picture becomes icons of the right sizes, and that one which is none harms nothing.
import { readFile } from 'node:fs/promises';
import { imageSize } from 'image-size';
import { expect, test } from 'vitest';
import { createArtifacts } from '../../builder/artifact.ts';
import { createPwaIcons, type PwaIcon } from '../../builder/pwa-icons.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { PNG } from './test-builder.ts';

const blobs = createMemoryBlobStore();
const artifacts = createArtifacts(blobs);
const made = async (picture: Uint8Array, { signal } = new AbortController()): Promise<PwaIcon[]> => createPwaIcons(await artifacts.put({ content: picture }), { artifacts, signal });
const icons = async (picture: Uint8Array): Promise<[number, number | undefined, number | undefined, string | undefined][]> =>
  Promise.all((await made(picture)).map(async ({ sizePx, hash }) => {
    const { width, height, type } = imageSize(await artifacts.readFile(hash));
    return [sizePx, width, height, type];
  }));

/** What follows a picture in its file changes nothing in it. */
const PNG_OF_NOBODY = Buffer.concat([PNG, Buffer.from('unseen so far')]);

const SIZES = [180, 192, 512].map((size) => [size, size, size, 'png']);

test.each([['a small one', PNG], ['one of the right size', new URL('../../examples/hono/icon.png', import.meta.url)], ['one that is no square', new URL('../../docs/images/my-apps.png', import.meta.url)]])('%s', async (_, picture) => {
  expect(await icons(picture instanceof URL ? await readFile(picture) : picture)).toEqual(SIZES);
});

test.each([['no picture', Buffer.from('no picture')], ['half a picture', PNG.subarray(0, 40)], ['nothing', Buffer.alloc(0)]])('%s gives none', async (_, picture) => {
  expect(await icons(picture)).toEqual([]);
});

test('a build that is given up waits for none, and says nothing of the picture to the next', async () => {
  const given = new AbortController();
  given.abort();
  expect(await made(PNG_OF_NOBODY, given)).toEqual([]);
  expect(await icons(PNG_OF_NOBODY)).toEqual(SIZES);
});

test('the same picture gives the same without being read again, and is read again where what it gave is gone', async () => {
  const first = await made(PNG);
  const putsBefore = blobs.puts;
  expect(await made(PNG)).toEqual(first);
  expect(blobs.puts).toBe(putsBefore);
  await blobs.delete(first[1]!.hash);
  expect(await made(PNG)).toEqual(first);
  expect(blobs.puts).toBe(putsBefore + 1);
  expect(await artifacts.readFile(first[1]!.hash)).toHaveLength(first[1]!.sizeBytes);
});
