// Owns the proof of the file BlobStore: the contract, and what a process that died leaves behind.
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFileBlobStore } from '../../../sandbox-data/blob/file.ts';
import { describeBlobStore } from '../../contract/blob-store.ts';
import { gather } from '../../contract/gather.ts';
import { bytes, tempFolder } from '../open-data.ts';

describeBlobStore('file', async () => openFileBlobStore(await tempFolder()));

test('half-written blobs of an earlier process are removed when opened', async () => {
  const folder = await tempFolder();
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await writeFile(join(folder, 'tmp', 'half'), 'x');
  const blobs = await openFileBlobStore(folder);
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  expect(await gather(blobs.list())).toEqual([]);
});

test('blobs fan out into folders of two characters, and nothing temporary stays', async () => {
  const folder = await tempFolder();
  const blobs = await openFileBlobStore(folder);
  await blobs.put('abcdef', bytes('1'));
  await expect(blobs.put('abfail', bytes('12'), { maxBytes: 1 })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  expect(await readdir(join(folder, 'ab'))).toEqual(['abcdef']);
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
});

test('a link in the place of a blob is not followed, wherever it leads', async () => {
  const folder = await tempFolder();
  const blobs = await openFileBlobStore(folder);
  await blobs.put('abcdef', bytes('mine'));
  const place = join(folder, 'ab', 'abcdef');
  await rename(place, join(folder, 'elsewhere'));
  for (const target of [join(folder, 'elsewhere'), '/etc/passwd', place]) {
    await symlink(target, place);
    await expect(blobs.get('abcdef'), target).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    expect(await blobs.head('abcdef'), target).toBeUndefined();
    await blobs.delete('abcdef');
  }
  await rename(join(folder, 'elsewhere'), place);
  expect((await gather(await blobs.get('abcdef'))).join('')).toBe('mine');
});
