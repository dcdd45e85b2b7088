// Owns the proof that a data folder is used only where that is safe, and is left as it was where it is not.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DATA_FORMAT, lockedError, prepareDataFolder, writeDurably } from '../../runtime/data-folder.ts';
import { startHostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { startTestHost } from '../support/start-host.ts';

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'ownspace-')); });
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a new folder is made for its owner only, with its format', async () => {
  const fresh = join(folder, 'a', 'b');
  await prepareDataFolder(fresh);
  expect((await stat(fresh)).mode & 0o777).toBe(0o700);
  expect(JSON.parse(await readFile(join(fresh, 'format.json'), 'utf8'))).toEqual({ format: DATA_FORMAT });
  expect(await readdir(fresh)).toEqual(['format.json']);
  await prepareDataFolder(fresh);
});

test('a folder of a newer version is refused and not touched', async () => {
  await writeFile(join(folder, 'format.json'), JSON.stringify({ format: DATA_FORMAT + 1 }));
  await expect(startTestHost({ dataFolder: folder })).rejects.toMatchObject({ code: 'DATA_NEWER', message: expect.stringContaining(`data format ${DATA_FORMAT + 1}; this version reads up to ${DATA_FORMAT}`) });
  expect(await readdir(folder)).toEqual(['format.json']);
});

test.each(['', '{', 'null', '{"format":"1"}', '[]', '\0'.repeat(20)])('a damaged format file (%j) is named, and not replaced', async (text) => {
  await writeFile(join(folder, 'format.json'), text);
  await expect(prepareDataFolder(folder)).rejects.toMatchObject({ code: 'DATA_NOT_WRITABLE', message: expect.stringContaining('format.json is damaged') });
  expect(await readFile(join(folder, 'format.json'), 'utf8')).toBe(text);
});

test('one that programs would see is refused, by a link too, and not made', async () => {
  await symlink('/usr/lib', join(folder, 'link'));
  for (const seen of ['/usr/ownspace-data', join(folder, 'link', 'ownspace-data', 'below')]) {
    await expect(prepareDataFolder(seen)).rejects.toMatchObject({ code: 'DATA_EXPOSED', message: expect.stringContaining('below /usr') });
    await expect(stat(seen)).rejects.toMatchObject({ code: 'ENOENT' });
  }
});

test.each(['/proc/ownspace', '/proc/ownspace/data'])('nor is one tried for ever where nothing can be made: %s', async (below) => {
  await expect(prepareDataFolder(below)).rejects.toMatchObject({ code: 'DATA_NOT_WRITABLE', message: expect.stringContaining(below) });
});

test('a folder that cannot be made is named, with the reason', async () => {
  await writeFile(join(folder, 'file'), '');
  const below = join(folder, 'file', 'data');
  await expect(startTestHost({ dataFolder: below })).rejects.toMatchObject({ code: 'DATA_NOT_WRITABLE', message: expect.stringContaining(below) });
  await expect(prepareDataFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'DATA_NOT_WRITABLE' });
  await mkdir(join(folder, 'taken', 'format.json'), { recursive: true });
  await expect(prepareDataFolder(join(folder, 'taken'))).rejects.toMatchObject({ code: 'DATA_NOT_WRITABLE', details: { reason: 'EISDIR' } });
});

test('a small file is there whole or not at all', async () => {
  const file = join(folder, 'x');
  await writeDurably(file, 'one');
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(['two', 'three'].map((text) => writeDurably(file, text)));
    expect(['two', 'three']).toContain(await readFile(file, 'utf8'));
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(writeDurably(join(folder, 'none', 'x'), 'one')).rejects.toThrow('ENOENT');
});

describe('two hosts on one folder', () => {
  test('the second one is told which process has it, and the first goes on', async () => {
    const first = await startTestHost({ dataFolder: folder });
    try {
      await expect(startTestHost({ dataFolder: folder })).rejects.toMatchObject({ code: 'DATA_LOCKED', details: { pid: process.pid } });
      expect((await first.owner.call('GET /space')).status).toBe(200);
      expect((await first.owner.call('POST /collections', { name: 'still writing' })).status).toBe(201);
    } finally {
      await first.close();
    }
  });

  test('a host of another process holds it just as well; when it is killed the folder is free', async () => {
    const other = await startHostProcess({ dataFolder: folder });
    const refused = await startTestHost({ dataFolder: folder }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'DATA_LOCKED', message: expect.stringMatching(/in use by another host \(process \d+, since \d{4}-/) });
    expect((await send(`${other.url}/api/v0/health`)).status).toBe(200);
    await other.kill();
    const next = await startTestHost({ dataFolder: folder });
    expect(JSON.parse(await readFile(join(folder, 'host.pid'), 'utf8'))).toMatchObject({ pid: process.pid });
    await next.close();
    expect(await readdir(folder)).not.toContain('host.pid');
  });

  test('who holds it may be unknown', async () => {
    expect((await lockedError(folder, undefined)).message).toContain('is in use by another host. Stop that one first');
    await writeFile(join(folder, 'host.pid'), 'damaged');
    expect((await lockedError(folder, undefined)).code).toBe('DATA_LOCKED');
  });
});
