import { chmod, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { createSourceZip, listSourceFiles } from '../../cli/source-zip.ts';
import { makeWorkplace } from './run-space.ts';

const paths = async (dir: string) => (await listSourceFiles(dir)).map((file) => file.path);

describe('which files are sent', () => {
  test('folders that match are skipped whole, hidden files are sent, order is by path', async () => {
    await using place = await makeWorkplace({
      Spacefile: 'v: 0', 'api/index.js': '', 'api/node_modules/x/index.js': '', '.git/HEAD': '', '.hidden': '', 'Discovery.md': '', 'dist/out.js': '',
    });
    expect(await paths(place.dir)).toEqual(['.hidden', 'Spacefile', 'api/index.js']);
  });

  test('a file below a folder that matches cannot be taken back alone; the folder can', async () => {
    await using place = await makeWorkplace({ 'dist/a.js': '', 'dist/b.js': '', '.spaceignore': '!dist/a.js' });
    expect(await paths(place.dir)).toEqual([]);
    await place.write({ '.spaceignore': '!dist\ndist/b.js' });
    expect(await paths(place.dir)).toEqual(['dist/a.js']);
  });

  test('where `.spaceignore` cannot be read nothing is sent, for it may leave secrets behind', async () => {
    await using place = await makeWorkplace({ Spacefile: 'v: 0', '.spaceignore/file': '' });
    await expect(listSourceFiles(place.dir)).rejects.toMatchObject({ text: { code: 'IGNORE_UNREADABLE', what: '`.spaceignore` cannot be read (EISDIR).' } });
  });

  test('a link that leads out of the project is refused: it may publish what is private', async () => {
    await using workplace = await makeWorkplace({ 'index.js': '1' });
    await writeFile(join(workplace.homeDir, 'id_rsa'), 'private');
    await symlink(join(workplace.homeDir, 'id_rsa'), join(workplace.dir, 'key.txt'));
    await expect(listSourceFiles(workplace.dir)).rejects.toMatchObject({ text: { code: 'LINK_LEADS_OUT' } });
    await workplace.write({ '.spaceignore': 'key.txt' });
    expect((await listSourceFiles(workplace.dir)).map(({ path }) => path)).toEqual(['index.js']);
  });

  test('a link to a file is sent as the file; links to folders, broken links and circles are not', async () => {
    await using place = await makeWorkplace({ 'real.txt': 'content' });
    await symlink('real.txt', join(place.dir, 'link.txt'));
    await symlink('nowhere', join(place.dir, 'broken'));
    await symlink('.', join(place.dir, 'circle'));
    expect(await paths(place.dir)).toEqual(['link.txt', 'real.txt']);
  });
});

describe('the zip', () => {
  test('holds the files with their content and executable bit, with forward slashes and no folders', async () => {
    await using place = await makeWorkplace({ Spacefile: 'v: 0\n', 'a/b/run.sh': '#!/bin/sh\n', 'ü/ä.txt': 'umlaut' });
    await chmod(join(place.dir, 'a/b/run.sh'), 0o755);
    await using zip = await createSourceZip(place.dir);
    expect(await unzip(zip.content)).toEqual([
      ['Spacefile', 'v: 0\n', 0o644], ['a/b/run.sh', '#!/bin/sh\n', 0o755], ['ü/ä.txt', 'umlaut', 0o644],
    ]);
  });

  test('is the same for the same files, whenever they were written', async () => {
    await using one = await makeWorkplace({ b: '2', a: '1' });
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    await using two = await makeWorkplace({ a: '1', b: '2' });
    await using first = await createSourceZip(one.dir);
    await using second = await createSourceZip(two.dir);
    expect(await first.content.bytes()).toEqual(await second.content.bytes());
  });

  test('an empty project and one of more than 250 MB are refused before anything is packed', async () => {
    await using place = await makeWorkplace();
    await expect(createSourceZip(place.dir)).rejects.toMatchObject({ text: { code: 'SOURCE_EMPTY' } });
    await place.write({ 'huge.bin': '' });
    await truncate(join(place.dir, 'huge.bin'), 250_000_001);
    await expect(createSourceZip(place.dir)).rejects.toMatchObject({ text: { code: 'SOURCE_TOO_LARGE', why: 'The largest files: huge.bin (250 MB).' } });
  });
});

async function unzip(content: Blob): Promise<[string, string, number][]> {
  const zip = await fromBufferPromise(Buffer.from(await content.bytes()));
  const found: [string, string, number][] = [];
  for await (const entry of zip.eachEntry()) {
    const stream = await zip.openReadStreamPromise(entry);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    found.push([entry.fileName, Buffer.concat(chunks).toString(), (entry.externalFileAttributes >>> 16) & 0o777]);
  }
  return found;
}
