import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as yauzl from 'yauzl';
import { SOURCE_LIMITS } from '../../builder/source-entries.ts';
import { receiveSource, unpackSource } from '../../builder/source.ts';
import { chunks, rawZip, zipOf } from './archive.ts';
import type { RawEntry } from './archive.ts';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'source-'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function unpack(zip: Buffer, limits = SOURCE_LIMITS): Promise<string> {
  const path = join(base, 'source.zip');
  await writeFile(path, zip);
  const folder = join(base, 'inner', 'source');
  await mkdir(join(base, 'inner'), { recursive: true });
  await unpackSource(path, folder, { limits });
  return folder;
}

/** Refused with `code`, and nothing but the archive itself is on the disk. */
async function expectRefusal(zip: Buffer, expected: { code: string; says?: RegExp; limits?: typeof SOURCE_LIMITS }): Promise<void> {
  const error = await unpack(zip, expected.limits).then(() => undefined, (reason: unknown) => reason);
  expect(error).toMatchObject({ code: expected.code });
  if (expected.says) expect((error as Error).message).toMatch(expected.says);
  expect(await readdir(base, { recursive: true })).toEqual(['inner', 'source.zip']);
}

describe('an honest archive', () => {
  test('is unpacked whole: content, folders, names in other scripts, empty files', async () => {
    const big = Buffer.alloc(300_000, 'abc');
    const folder = await unpack(await zipOf({ Spacefile: 'v: 0', 'api/index.js': big, 'ünï/文件.txt': 'x', empty: '' }));
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['Spacefile', 'api', 'api/index.js', 'empty', 'ünï', 'ünï/文件.txt'].sort());
    expect((await readFile(join(folder, 'api/index.js'))).equals(big)).toBe(true);
    expect(await readFile(join(folder, 'ünï/文件.txt'), 'utf8')).toBe('x');
  });

  test('written by the raw writer of these tests is unpacked too, with folder entries and modes', async () => {
    const folder = await unpack(rawZip([
      { name: 'a/', mode: 0o040755 }, { name: 'a/run.sh', content: 'hi', mode: 0o100755 }, { name: 'stored', content: 'raw', method: 0 },
    ]));
    expect(await readFile(join(folder, 'a/run.sh'), 'utf8')).toBe('hi');
    expect((await stat(join(folder, 'a/run.sh'))).mode & 0o7000).toBe(0);
    expect(await readFile(join(folder, 'stored'), 'utf8')).toBe('raw');
  });

  test('programs stay programs, also from an archive without modes; nothing else becomes one', async () => {
    const folder = await unpack(rawZip([
      { name: 'run.sh', content: '#!/bin/sh', mode: 0o104755 }, { name: 'plain', content: '\x7fELF', mode: 0o100644 },
      { name: 'program', content: '\x7fELF...' }, { name: 'text', content: 'text' },
    ]));
    const modes = await Promise.all(['run.sh', 'plain', 'program', 'text'].map(async (name) => ((await stat(join(folder, name))).mode & 0o7777).toString(8)));
    expect(modes).toEqual(['755', '644', '755', '644']);
  });
});

const slips: [what: string, name: string | Buffer][] = [
  ['the parent folder', '../evil'], ['a parent folder inside', 'a/../../evil'], ['a parent that stays inside', 'a/../b'],
  ['an absolute path', '/tmp/evil'], ['a drive letter', 'C:/evil'], ['a relative drive', 'C:evil'], ['a backslash', '..\\evil'],
  ['a share', '\\\\host\\share'], ['NUL', 'evil\0.txt'], ['a line break', 'evil\nname'], ['a dot', './evil'], ['only dots', '..'],
  ['an empty segment', 'a//b'], ['an empty name', ''], ['a name of 300 bytes', 'x'.repeat(300)], ['a path of 2,000 bytes', 'abcdefghi/'.repeat(200) + 'x'],
];
describe('names that lead elsewhere', () => {
  test.each(slips)('%s', async (_, name) => {
    await expectRefusal(rawZip([{ name: 'fine.txt', content: 'fine' }, { name, content: 'evil' }]), { code: 'SOURCE_INVALID' });
  });
});

test('the same archive, unpacked without these checks, is written beside the folder', async () => {
  const zip = await yauzl.fromBufferPromise(rawZip([{ name: 'fine.txt', content: 'fine' }, { name: 'a/../../evil', content: 'evil' }]), { decodeStrings: false });
  const folder = join(base, 'inner');
  for await (const entry of zip.eachEntry()) {
    const path = join(folder, (entry.fileName as unknown as Buffer).toString());
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await buffer(await zip.openReadStreamPromise(entry)));
  }
  expect((await readdir(base)).sort()).toEqual(['evil', 'inner']);
});

describe('kinds of entries', () => {
  const kinds: [string, RawEntry[]][] = [
    ['a symbolic link', [{ name: 'link', content: '/etc/passwd', mode: 0o120777 }]],
    ['a link and a file through it', [{ name: 'dir', content: '/tmp', mode: 0o120777 }, { name: 'dir/evil', content: 'x' }]],
    ['a folder marked as a link', [{ name: 'dir/', mode: 0o120777 }]],
    ['a character device', [{ name: 'dev', mode: 0o020666 }]],
    ['a pipe', [{ name: 'pipe', mode: 0o010666 }]],
    ['a socket', [{ name: 'socket', mode: 0o140666 }]],
    ['an encrypted file', [{ name: 'secret', content: 'x', flags: 1 }]],
    ['an unknown compression', [{ name: 'x', content: 'x', method: 12 }]],
    ['a folder with content', [{ name: 'dir/', content: 'x' }]],
  ];
  test.each(kinds)('%s', async (_, entries) => {
    await expectRefusal(rawZip([{ name: 'fine.txt', content: 'fine' }, ...entries]), { code: 'SOURCE_INVALID' });
  });
});

describe('twins', () => {
  const twins: [string, string[]][] = [
    ['the same name', ['a', 'a']], ['another case', ['Readme', 'README']], ['sharp s', ['straße', 'STRASSE']],
    ['two spellings of one letter', ['caf\u00e9', 'cafe\u0301']], ['a ligature', ['\ufb01le', 'file']],
    ['a folder in another case', ['Api/a', 'api/b']], ['a file that is a folder', ['a', 'a/b']], ['a folder that is a file', ['a/b', 'a']],
    ['a folder in another spelling', ['caf\u00e9/a', 'cafe\u0301/b']],
  ];
  test.each(twins)('%s', async (_, names) => {
    await expectRefusal(rawZip(names.map((name) => ({ name, content: name }))), { code: 'SOURCE_INVALID', says: /twice|spelling/ });
  });

  test('different names in one folder are no twins', async () => {
    const folder = await unpack(rawZip([{ name: 'a/' }, { name: 'a/b' }, { name: 'a/c/d' }, { name: 'ab' }]));
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['a', 'a/b', 'a/c', 'a/c/d', 'ab']);
  });
});

describe('bombs', () => {
  const limits = { maxEntries: 100, maxTotalBytes: 10_000_000, maxRatio: 100, ratioFreeBytes: 1_000_000 };

  test('more files than allowed are refused before the first is read', async () => {
    const entries = Array.from({ length: 101 }, (_, index) => ({ name: `f${index}` }));
    await expectRefusal(rawZip(entries), { code: 'SOURCE_TOO_LARGE', says: /100 files/, limits });
    await unpack(rawZip(entries.slice(1)), limits);
  });

  test('more bytes than allowed', async () => {
    const half = Buffer.alloc(5_000_001, Buffer.from(Array.from({ length: 997 }, () => Math.random() * 256)));
    await expectRefusal(rawZip([{ name: 'a', content: half, method: 0 }, { name: 'b', content: half, method: 0 }]), { code: 'SOURCE_TOO_LARGE', says: /10000000 bytes/, limits });
  });

  test('a ratio beyond what real sources have', async () => {
    await expectRefusal(rawZip([{ name: 'zeros', content: Buffer.alloc(5_000_000) }]), { code: 'SOURCE_TOO_LARGE', says: /100 times/, limits });
    await unpack(rawZip([{ name: 'zeros', content: Buffer.alloc(900_000) }]), limits);
  });

  test('a size that lies low is found while unpacking', async () => {
    const packed = deflateRawSync(Buffer.alloc(50_000_000));
    await expectRefusal(rawZip([{ name: 'liar', packed, saysBytes: 1000 }]), { code: 'SOURCE_INVALID', limits });
  });

  test('a size that lies high is found while unpacking', async () => {
    await expectRefusal(rawZip([{ name: 'liar', content: 'short', saysBytes: 1000 }]), { code: 'SOURCE_INVALID', limits });
  });

  test('entries that share their content', async () => {
    const content = Buffer.alloc(1000, 'x');
    await expectRefusal(rawZip([{ name: 'a', content }, { name: 'b', content, sameAs: 0 }]), { code: 'SOURCE_INVALID', says: /overlaps/, limits });
  });

  test('an archive in an archive stays one file', async () => {
    const folder = await unpack(await zipOf({ 'inner.zip': await zipOf({ a: Buffer.alloc(100_000) }) }), limits);
    expect(await readdir(folder)).toEqual(['inner.zip']);
  });
});

describe('damaged archives', () => {
  test('a wrong checksum', async () => {
    await expectRefusal(rawZip([{ name: 'a', content: 'abc', saysCrc: 1 }]), { code: 'SOURCE_INVALID', says: /checksum/ });
  });
  test('no archive at all', () => expectRefusal(Buffer.from('hello'), { code: 'SOURCE_INVALID', says: /no usable zip/ }));
  test('nothing', () => expectRefusal(Buffer.alloc(0), { code: 'SOURCE_INVALID' }));
  test('cut in the middle', async () => {
    const zip = await zipOf({ a: 'x'.repeat(5000), b: 'y' });
    await expectRefusal(zip.subarray(0, zip.length - 30), { code: 'SOURCE_INVALID' });
  });
  test('deflate that is none', () => expectRefusal(rawZip([{ name: 'a', packed: Buffer.from([255, 255, 255]), saysBytes: 10 }]), { code: 'SOURCE_INVALID' }));
});

describe('an upload', () => {
  test('is there whole, or not at all', async () => {
    const path = join(base, 'upload.zip');
    await receiveSource(chunks(Buffer.alloc(200_000, 'z')), path);
    expect((await stat(path)).size).toBe(200_000);
  });

  test('over the limit leaves nothing', async () => {
    const path = join(base, 'upload.zip');
    await expect(receiveSource(chunks(Buffer.alloc(200_000)), path, 100_000)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' });
    expect(await readdir(base)).toEqual([]);
  });

  test('that breaks off leaves nothing', async () => {
    async function* broken(): AsyncIterable<Buffer> {
      yield Buffer.from('PK');
      throw new Error('the caller went away');
    }
    await expect(receiveSource(broken(), join(base, 'upload.zip'))).rejects.toThrow('went away');
    expect(await readdir(base)).toEqual([]);
  });

  test('of nothing is refused', async () => {
    await expect(receiveSource(chunks(Buffer.alloc(0)), join(base, 'upload.zip'))).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
  });
});
