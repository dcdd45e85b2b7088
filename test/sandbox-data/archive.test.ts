// Owns the proof that a Collection leaves as a zip and comes back the same, that a cut-off import goes on, and that no
// archive reaches further than the Collection that it is for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { arrayText, elementsOf } from '../../sandbox-data/archive-items.ts';
import { receiveArchive } from '../../sandbox-data/archive-import.ts';
import type { ArchiveLimits } from '../../sandbox-data/archive-names.ts';
import type { Collection, ImportReport } from '../../sandbox-data/data.ts';
import { rawZip, zipOf } from '../builder/archive.ts';
import type { RawEntry } from '../builder/archive.ts';
import { bytes, collected, failure, inValues, openCollection, openData, REF, tempFolder } from './open-data.ts';

const SYMLINK = 0o120777;

async function exported(collection: Collection, snapshotId?: string): Promise<Buffer> {
  return collected(await collection.exportArchive(snapshotId));
}

async function imported(collection: Collection, archive: Buffer, options?: { isRehearsal?: boolean }): Promise<ImportReport> {
  const received = await collection.receiveArchive(bytes(archive));
  return received.run(options).finally(() => received.close());
}

async function filesOf(archive: Buffer): Promise<Record<string, string>> {
  const zip = await fromBufferPromise(archive);
  const files: Record<string, string> = {};
  for await (const entry of zip.eachEntry()) files[entry.fileName] = String(await collected(await zip.openReadStreamPromise(entry)));
  return files;
}

async function contentsOf(collection: Collection): Promise<unknown> {
  const { bases, drives } = await collection.contents();
  const found: Record<string, unknown> = {};
  for (const name of bases) found[`base ${name}`] = (await inValues(collection.base(name)).query({})).items;
  for (const name of drives) {
    for (const file of (await collection.drive(name).list()).names) {
      const { info, stream } = (await collection.drive(name).get(file))!;
      found[`drive ${name} ${file}`] = [info.contentType, String(await collected(stream))];
    }
  }
  return found;
}

const ODD_NAMES = [
  'plain.txt', 'folder/in/folder.txt', '../up', '/absolute', 'C:\\windows', 'back\\slash', 'a//b', './here', '..', '.', 'line\nbreak', 'nul\u0000', '-rf', '$(id)',
  'rtl\u202egnp.exe', '~escaped-x', '%2E%2E', 'ü'.repeat(300), 'A', 'a', 'bases/x.json', '__proto__', 'con', ' lead', 'tail ', '👩‍💻.txt', 'x'.repeat(1000),
];

describe('an export', () => {
  test('has the layout of old, Items as arrays, and a manifest with checksums', async () => {
    const { collection, clock } = await openCollection();
    await inValues(collection.base('notes')).put({ key: 'a', n: 1 }, { key: 'b', text: 'ü' }, { key: 'over', __expires: Math.floor(clock.now() / 1000) + 5 });
    await collection.drive('pictures').put('trip/one.txt', bytes('hello'), { contentType: 'text/x-mine' });
    clock.advance(10_000);
    const files = await filesOf(await exported(collection));
    expect(Object.keys(files)).toEqual(['bases/notes.json', 'drives/pictures/trip/one.txt', 'manifest.json']);
    expect(JSON.parse(files['bases/notes.json']!)).toEqual([{ key: 'a', n: 1 }, { key: 'b', text: 'ü' }]);
    expect(files['drives/pictures/trip/one.txt']).toBe('hello');
    expect(JSON.parse(files['manifest.json']!)).toMatchObject({
      format: 'ownspace-export', version: 1,
      bases: [{ name: 'notes', path: 'bases/notes.json', items: 2 }],
      files: [{ drive: 'pictures', name: 'trip/one.txt', bytes: 5, sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', content_type: 'text/x-mine' }],
    });
  });

  test('comes back the same, whatever Files and Bases are called', async () => {
    const { collection } = await openCollection();
    for (const name of ODD_NAMES) await collection.drive('odd').put(name, bytes(`of ${name}`));
    for (const name of ['plain', 'back\\slash', 'C:', '~escaped', 'a.json', 'ü', '..x', '%2F']) await inValues(collection.base(name)).put({ key: name, '__proto__x': 1 });
    for (const name of ['dri\\ve', 'C:']) await collection.drive(name).put('f', bytes(''));
    const archive = await exported(collection);
    for (const path of Object.keys(await filesOf(archive))) expect(path).not.toMatch(/\\|\p{Cc}|(^|\/)\.\.?(\/|$)|^[A-Za-z]:|^\/|\/\//u);
    const { collection: other } = await openCollection();
    const report = await imported(other, archive);
    expect(report.isVerified).toBe(true);
    expect(await contentsOf(other)).toEqual(await contentsOf(collection));
    expect(await imported(other, archive)).toMatchObject({ bases: report.bases.map(({ name }) => ({ name, added: 0, changed: 0, unchanged: 1 })) });
  });

  test('is of one moment while writes go on, or of a snapshot', async () => {
    const { collection } = await openCollection();
    const base = inValues(collection.base('x'));
    await base.put({ key: 'first', n: -1 }, { key: 'second', n: -1 });
    const { id } = await collection.snapshots.create();
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n += 1) {
        await base.put({ key: 'first', n }, { key: 'second', n });
        await collection.drive('d').put('f', bytes(String(n)));
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const [first, second] = JSON.parse((await filesOf(await exported(collection)))['bases/x.json']!);
      expect(first.n).toBe(second.n);
    }
    isOver = true;
    await writing;
    expect(JSON.parse((await filesOf(await exported(collection, id)))['bases/x.json']!)).toEqual([{ key: 'first', n: -1 }, { key: 'second', n: -1 }]);
    await expect(collection.exportArchive('nobody')).rejects.toEqual(failure('SNAPSHOT_NOT_FOUND'));
    expect(await collection.snapshots.list()).toHaveLength(1);
  });

  test('whose reader goes away leaves nothing behind, and neither does a host that is killed', async () => {
    const { data, folder } = await openData();
    const collection = data.collection(REF);
    await collection.drive('d').put('f', bytes(Buffer.alloc(8_000_000, 'x')));
    const stream = await collection.exportArchive();
    await once(stream, 'readable');
    stream.destroy();
    const snapshots = join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'snapshots');
    await expect.poll(() => readdir(snapshots)).toEqual([]);
    expect((await collected((await collection.drive('d').get('f'))!.stream)).length).toBe(8_000_000);
  });

  test('says which Files are gone, and has the others', async () => {
    const { data, folder } = await openData();
    const collection = data.collection(REF);
    await collection.drive('d').put('gone', bytes('gone'));
    const blobs = join(folder, 'spaces', REF.spaceId, 'collections', REF.collectionId, 'blobs');
    for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) if (entry.isFile()) await rm(join(entry.parentPath, entry.name));
    await collection.drive('d').put('there', bytes('there'));
    const files = await filesOf(await exported(collection));
    expect(files['drives/d/there']).toBe('there');
    expect(JSON.parse(files['manifest.json']!).missing).toEqual([{ drive: 'd', name: 'gone' }]);
  });
});

describe('an import', () => {
  test('takes an old export without a manifest', async () => {
    const { collection } = await openCollection();
    const report = await imported(collection, await zipOf({
      'bases/todos.json': JSON.stringify([{ key: 'a', done: false }, { key: 'b', done: true }], null, 2), 'bases/empty.json': '[]',
      'drives/photos/2021/cat.png': 'meow', 'readme.txt': 'hi',
    }));
    expect(report).toEqual({
      bases: [{ name: 'todos', added: 2, changed: 0, unchanged: 0 }, { name: 'empty', added: 0, changed: 0, unchanged: 0 }],
      drives: [{ name: 'photos', added: 1, changed: 0, unchanged: 0 }], ignored: ['readme.txt'], isVerified: false,
    });
    expect(await contentsOf(collection)).toEqual({ 'base todos': [{ key: 'a', done: false }, { key: 'b', done: true }], 'drive photos 2021/cat.png': ['image/png', 'meow'] });
  });

  test('rehearsed says what would change, and changes nothing', async () => {
    const { collection } = await openCollection();
    await inValues(collection.base('x')).put({ key: 'same', deep: { b: 1, a: 2 } }, { key: 'other', n: 1 }, { key: 'mine' });
    await collection.drive('d').put('same', bytes('same'));
    await collection.drive('d').put('other', bytes('1234'));
    const before = await contentsOf(collection);
    const archive = await zipOf({
      'bases/x.json': '[{"key":"same","deep":{"a":2,"b":1}},{"key":"other","n":2},{"key":"fresh"}]', 'drives/d/same': 'same', 'drives/d/other': '4321', 'drives/d/fresh': '',
    });
    const rehearsed = await imported(collection, archive, { isRehearsal: true });
    expect(rehearsed).toMatchObject({ bases: [{ name: 'x', added: 1, changed: 1, unchanged: 1 }], drives: [{ name: 'd', added: 1, changed: 1, unchanged: 1 }] });
    expect(await contentsOf(collection)).toEqual(before);
    expect(await imported(collection, archive)).toEqual(rehearsed);
    expect(await inValues(collection.base('x')).keys()).toEqual(['fresh', 'mine', 'other', 'same']);
    expect(await contentsOf(collection)).toMatchObject({ 'drive d other': [expect.anything(), '4321'] });
  });

  test('ends when whoever sent it goes away, even within one large Base', async () => {
    const { collection } = await openCollection();
    const items = Array.from({ length: 50_000 }, (_, n) => JSON.stringify({ key: `k${n}`, text: 'x'.repeat(100) }));
    const received = await collection.receiveArchive(bytes(rawZip([{ name: 'bases/x.json', content: `[${items.join(',')}]` }])));
    const gone = new AbortController();
    const running = received.run({ signal: gone.signal }).finally(() => received.close());
    setTimeout(() => gone.abort(), 50);
    await expect(running).rejects.toThrow(/abort/);
    expect((await collection.contents()).bases).toEqual([]);
  });

  test('that is killed goes on when it is started again', { timeout: 150_000 }, async () => {
    const folder = await tempFolder();
    const archive = join(folder, 'archive.zip');
    const { collection } = await openCollection();
    for (let n = 0; n < 8; n += 1) await collection.drive('d').put(`f${n}`, bytes(Buffer.alloc(400_000, String(n))));
    for (let page = 0; page < 80; page += 1) await inValues(collection.base('x')).put(...Array.from({ length: 25 }, (_, n) => ({ key: `${page}-${n}`, text: 'y'.repeat(300) })));
    await writeFile(archive, await exported(collection));
    let killed = 0;
    let outcome = '';
    for (let round = 0; !outcome.includes('report') && round < 30; round += 1) {
      outcome = await importUntilKilled(folder, archive, 1 + round);
      killed += Number(!outcome.includes('report'));
    }
    expect(killed).toBeGreaterThan(1);
    expect(outcome).toContain('report');
    const { data } = await openData({ folder });
    expect(existsSync(join(folder, 'incoming'))).toBe(false);
    expect(await imported(data.collection(REF), await exported(collection), { isRehearsal: true })).toMatchObject({
      bases: [{ added: 0, changed: 0, unchanged: 2000 }], drives: [{ added: 0, changed: 0, unchanged: 8 }],
    });
  });
});

describe('an archive is refused, and nothing is written, when it', () => {
  const good: RawEntry = { name: 'bases/x.json', content: '[{"key":"a"}]' };
  const manifest = (fields: object): RawEntry => ({ name: 'manifest.json', content: JSON.stringify({ format: 'ownspace-export', version: 1, bases: [], files: [], missing: [], ...fields }) });
  const listed = { path: 'bases/x.json', name: 'x', items: 1, bytes: 13, sha256: '9e8a4a4a4a4a' };
  const bad: Record<string, Buffer> = {
    'climbs out': rawZip([good, { name: '../x' }]), 'climbs out of a drive': rawZip([good, { name: 'drives/d/../../../etc/passwd' }]),
    'is absolute': rawZip([good, { name: '/etc/passwd' }]), 'names a disk': rawZip([good, { name: 'C:/x' }]), 'has a backslash': rawZip([good, { name: 'drives\\d\\..\\x' }]),
    'has a NUL': rawZip([good, { name: 'drives/d/a\u0000b' }]), 'has a newline': rawZip([good, { name: 'drives/d/a\nb' }]),
    'has a symlink': rawZip([good, { name: 'drives/d/link', content: '/etc/passwd', mode: SYMLINK }]), 'has a device': rawZip([good, { name: 'drives/d/x', mode: 0o020666 }]),
    'has a file twice': rawZip([good, good]), 'overlaps': rawZip([good, { name: 'drives/d/x', content: '[{"key":"a"}]', sameAs: 0 }]),
    'is encrypted': rawZip([good, { name: 'drives/d/x', flags: 1 }]), 'is packed strangely': rawZip([good, { name: 'drives/d/x', method: 12 }]),
    'lies about its size': rawZip([good, { name: 'drives/d/x', content: 'x'.repeat(1000), saysBytes: 10 }]), 'is damaged': rawZip([good, { name: 'drives/d/x', content: 'x', saysCrc: 1 }]),
    'is no zip': Buffer.from('hello'), 'is empty': Buffer.alloc(0), 'is cut off': rawZip([good]).subarray(0, 60),
    'has no array': rawZip([good, { name: 'bases/y.json', content: '{"key":"a"}' }]), 'has broken JSON': rawZip([good, { name: 'bases/y.json', content: '[{"key":"a"},{"key":}]' }]),
    'has values that are no Items': rawZip([good, { name: 'bases/y.json', content: '[1]' }]), 'ends early': rawZip([good, { name: 'bases/y.json', content: '[{"key":"a"}' }]),
    'goes on after its end': rawZip([good, { name: 'bases/y.json', content: '[{"key":"a"}] []' }]), 'has an Item without a key': rawZip([good, { name: 'bases/y.json', content: '[{"n":1}]' }]),
    'has an Item with an empty key': rawZip([good, { name: 'bases/y.json', content: '[{"key":""}]' }]), 'is not UTF-8': rawZip([good, { name: 'bases/y.json', content: Buffer.from([0x5b, 0x7b, 0x22, 0xff, 0x22]) }]),
    'has too large an Item': rawZip([good, { name: 'bases/y.json', content: `[{"key":"a","t":"${'x'.repeat(500_000)}"}]` }]), 'nests too deep': rawZip([good, { name: 'bases/y.json', content: `[{"key":"a","t":${'['.repeat(9000)}${']'.repeat(9000)}}]` }]),
    'has a commas only': rawZip([good, { name: 'bases/y.json', content: '[,]' }]), 'has a File without a name': rawZip([good, { name: 'drives/d/ ', content: 'x' }]),
    'has a manifest from the future': rawZip([good, manifest({ version: 2 })]), 'has a manifest with a wrong checksum': rawZip([good, manifest({ bases: [listed] })]),
    'lacks what its manifest lists': rawZip([good, manifest({ bases: [{ ...listed, path: 'bases/y.json' }] })]), 'has what its manifest does not list': rawZip([good, manifest({})]),
    'has a manifest without lists': rawZip([good, manifest({ bases: 7 })]), 'has a manifest with half an entry': rawZip([good, manifest({ bases: [{ path: 'bases/x.json' }] })]),
    'has a manifest that names another place': rawZip([good, manifest({ bases: [{ ...listed, name: '../../other' }] })]),
  };

  test.each(Object.entries(bad))('%s', async (_, archive) => {
    const { collection } = await openCollection();
    await expect(imported(collection, archive)).rejects.toEqual(failure('ARCHIVE_INVALID'));
    expect(await collection.contents()).toEqual({ bases: [], drives: [] });
  });

  test('while the same without the bad part is taken', async () => {
    const { collection } = await openCollection();
    await imported(collection, rawZip([good, { name: 'drives/d/' }, { name: 'drives/d/x', content: 'x'.repeat(1000) }]));
    expect(await collection.contents()).toEqual({ bases: ['x'], drives: ['d'] });
  });

  const small: ArchiveLimits = { maxEntries: 3, maxTotalBytes: 100_000, maxRatio: 100, ratioFreeBytes: 1000 };
  test.each(Object.entries({
    'has too many files': [rawZip([1, 2, 3, 4].map((n) => ({ name: `drives/d/${n}` }))), 'ARCHIVE_INVALID'],
    'unpacks to too much': [rawZip([{ name: 'drives/d/x', content: Buffer.alloc(100_001, 'x') }]), 'ARCHIVE_INVALID'],
    'unpacks to much more than it is': [rawZip([{ name: 'drives/d/x', content: Buffer.alloc(90_000, 'x') }]), 'ARCHIVE_INVALID'],
    'is too large itself': [Buffer.alloc(100_001), 'PAYLOAD_TOO_LARGE'],
  } as const))('%s', async (_, [archive, code]) => {
    const { collection } = await openCollection();
    const folder = await mkdtemp(join(tmpdir(), 'incoming-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const place = { collection, folder, importItems: async () => ({ added: 0, changed: 0, unchanged: 0 }) };
    await expect(receiveArchive(place, bytes(archive), small)).rejects.toEqual(failure(code));
    expect(await readdir(folder)).toEqual([]);
  });
});

test('arrays of any JSON are taken apart and put together, wherever their bytes are cut', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue())), fc.boolean(), fc.integer({ min: 1, max: 40 }), async (values, isPretty, size) => {
    const texts = values.map((value) => JSON.stringify(value));
    const text = isPretty ? JSON.stringify(values, null, 2) : (await collected(toBytes(arrayText(list(texts))))).toString();
    const encoded = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(encoded.length / size) }, (_, n) => encoded.subarray(n * size, (n + 1) * size));
    const found: unknown[] = [];
    for await (const batch of elementsOf(bytes(...pieces), 'x')) found.push(...batch.map((one) => JSON.parse(one)));
    expect(JSON.stringify(found)).toEqual(JSON.stringify(values));
  }), { numRuns: 300 });
});

async function* list<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function* toBytes(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

/** @returns what it printed; with `report` when it came to its end */
async function importUntilKilled(folder: string, archive: string, lines: number): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./importer.ts', import.meta.url)), folder, archive], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { child.kill('SIGKILL'); });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += String(chunk);
    if (output.split('\n').filter((line) => line.startsWith('import')).length >= lines && !output.includes('report')) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return output;
}

test('a Drive of many megabytes and a Base of many Items go out and in through little memory', { timeout: 120_000 }, async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const program = fileURLToPath(new URL('./large-data.ts', import.meta.url));
  const child = spawn(process.execPath, [program, '150', '20000', '10'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { child.kill('SIGKILL'); });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => { output += String(chunk); });
  child.on('close', () => resolve(output));
  const lines = (await promise).trim().split('\n').map((line) => JSON.parse(line));
  const peakMb = (what: string): number => lines.find((line) => line.what === what).peakMb;
  expect(lines.find((line) => line.storedMb).snapshotsCostMb).toBeLessThan(15);
  expect(lines.find((line) => line.archiveMb).archiveMb).toBeGreaterThan(150);
  for (const what of ['export', 'import', 'rehearsal']) expect(peakMb(what), what).toBeLessThan(peakMb('fill') + 150);
  expect(lines.at(-1).again).toMatchObject({ bases: [{ added: 0, changed: 0, unchanged: 20_000 }], drives: [{ added: 0, changed: 0, unchanged: 6 }] });
});
