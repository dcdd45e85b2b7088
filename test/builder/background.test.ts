// Owns the proof that a Build has a thread of its own, that what is given up ends, and that what brings a thread down harms nobody else.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBackground } from '../../builder/background.ts';
import type { Background, Workbench } from '../../builder/background.ts';
import { zipOf } from './archive.ts';

let folder: string;
let background: Background;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'background-'));
  background = createBackground({ idleMs: 50, heapMaxMb: 32 });
});
afterEach(async () => {
  await background.close();
  await rm(folder, { recursive: true });
});

const PATIENT = { timeout: 20_000, interval: 5 };
const { signal } = new AbortController();
const hashOf = (bench: Workbench, path: string): Promise<string> => bench.run('identify', path, signal).then(({ hash }) => hash);

/** Of this process; Linux tells their names. */
async function threads(): Promise<number> {
  const names = await Promise.all((await readdir('/proc/self/task')).map((tid) => readFile(`/proc/self/task/${tid}/comm`, 'utf8').catch(() => '')));
  return names.filter((name) => name === 'build\n').length;
}

test('its errors are those of the task, with their codes', async () => {
  const path = join(folder, 'source.zip');
  await writeFile(path, 'no zip');
  await background.lend(async (bench) => {
    await expect(bench.run('unpack', { path, folder: join(folder, 'source') }, signal)).rejects.toMatchObject({ code: 'SOURCE_INVALID', name: 'SpaceError' });
    await expect(bench.run('identify', join(folder, 'nothing'), signal)).rejects.toThrow('ENOENT');
    await writeFile(path, await zipOf({ 'a.txt': 'a' }));
    expect(await bench.run('unpack', { path, folder: join(folder, 'source') }, signal)).toEqual(new Map([['a.txt', expect.stringMatching(/^[0-9a-f]{64}$/)]]));
  });
});

test('what is given up ends with the reason of its signal, and leaves nothing behind', async () => {
  const path = join(folder, 'source.zip');
  await writeFile(path, await zipOf(Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`${at}.txt`, 'x']))));
  const given = new AbortController();
  await background.lend(async (bench) => {
    const unpacked = bench.run('unpack', { path, folder: join(folder, 'source') }, given.signal);
    await vi.waitFor(async () => expect((await readdir(join(folder, 'source'))).length).toBeGreaterThan(0), PATIENT);
    given.abort(new Error('cancelled'));
    await expect(unpacked).rejects.toThrow('cancelled');
    expect(await readdir(folder)).toEqual(['source.zip']);
    await expect(bench.run('identify', path, given.signal)).rejects.toThrow('cancelled');
    expect(await hashOf(bench, path)).toMatch(/^[0-9a-f]{64}$/);
  });
});

test('what takes all memory fails alone, and the next has a thread again', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'x');
  const huge = { path: join(folder, 'archive'), files: new Map(Array.from({ length: 200_000 }, (_, at) => [`some/folder/of/some/length/${at}`, { kind: 'folder' as const }])) };
  await background.lend(async (bench) => {
    const innocent = background.lend((other) => hashOf(other, path));
    await expect(bench.run('archive', huge, signal)).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
    await expect(hashOf(bench, path)).rejects.toThrow('ended');
    expect(await innocent).toMatch(/^[0-9a-f]{64}$/);
  });
  expect(await background.lend((bench) => hashOf(bench, path))).toMatch(/^[0-9a-f]{64}$/);
});

test.skipIf(process.platform !== 'linux')('each has its own, those that nobody needs end, and all do with the host', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'x');
  const before = await threads();
  await background.lend(async (one) => {
    await hashOf(one, path);
    await background.lend(async (other) => {
      await hashOf(other, path);
      expect(await threads()).toBe(before + 2);
    });
  });
  await vi.waitFor(async () => expect(await threads()).toBe(before), PATIENT);
  background.prepare();
  background.prepare();
  await vi.waitFor(async () => expect(await threads()).toBe(before + 1), PATIENT);
  await background.close();
  expect(await threads()).toBe(before);
});
