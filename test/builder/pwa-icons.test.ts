// Owns the proof that a picture becomes icons of the right sizes, and that one which is none harms nothing.
import { readFile } from 'node:fs/promises';
import { imageSize } from 'image-size';
import { expect, test } from 'vitest';
import { createArtifacts } from '../../builder/artifact.ts';
import { createPwaIcons } from '../../builder/pwa-icons.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { PNG } from './test-builder.ts';

const artifacts = createArtifacts(createMemoryBlobStore());
const icons = async (picture: Uint8Array, signal = new AbortController().signal): Promise<[number, number | undefined, number | undefined, string | undefined][]> =>
  Promise.all((await createPwaIcons(picture, { artifacts, signal })).map(async ({ sizePx, hash }) => {
    const { width, height, type } = imageSize(await artifacts.readFile(hash));
    return [sizePx, width, height, type];
  }));

const SIZES = [180, 192, 512].map((size) => [size, size, size, 'png']);

test.each([['a small one', PNG], ['one of the right size', new URL('../../examples/hono/icon.png', import.meta.url)], ['one that is no square', new URL('../../docs/images/my-apps.png', import.meta.url)]])('%s', async (_, picture) => {
  expect(await icons(picture instanceof URL ? await readFile(picture) : picture)).toEqual(SIZES);
});

test.each([['no picture', Buffer.from('no picture')], ['half a picture', PNG.subarray(0, 40)], ['nothing', Buffer.alloc(0)]])('%s gives none', async (_, picture) => {
  expect(await icons(picture)).toEqual([]);
});

test('the same picture gives the same, and a build that is given up waits for none', async () => {
  const twice = await Promise.all([1, 2].map(() => createPwaIcons(PNG, { artifacts, signal: new AbortController().signal })));
  expect(twice[0]).toEqual(twice[1]);
  expect(await icons(PNG, AbortSignal.abort())).toEqual([]);
});
