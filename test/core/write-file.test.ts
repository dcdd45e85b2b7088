// Owns the proof that of a stream that fails nothing is left once its file was removed, however early it fails.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileFrom } from '../../core/write-file.ts';

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'ownspace-')); });
afterEach(() => rm(folder, { recursive: true, force: true }));

const broken = (): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('cut')) }) });

test('what failed at once and was removed does not come back', async () => {
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const path = join(folder, String(index));
    await expect(writeFileFrom(broken(), path)).rejects.toThrow('cut');
    await rm(path, { force: true });
  }));
  expect(await readdir(folder)).toEqual([]);
});

test('what does not fail is there whole; what cannot be opened is told', async () => {
  await writeFileFrom((async function* whole() { yield Buffer.from('a'); yield Buffer.from('b'); })(), join(folder, 'whole'));
  expect(await readFile(join(folder, 'whole'), 'utf8')).toBe('ab');
  await expect(writeFileFrom(broken(), join(folder, 'none', 'file'))).rejects.toThrow(/ENOENT|cut/);
});
