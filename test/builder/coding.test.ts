// Owns the proof of which files are kept in codings too, that they decode to the file, and that the same gives the same.
import { createHash, randomBytes } from 'node:crypto';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createArtifacts, hashFiles, sizeOfFiles, type ArtifactFile, type ArtifactFiles, type ArtifactSource } from '../../builder/artifact.ts';
import { withCodings } from '../../builder/coding.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { bench } from './toolchain-job.ts';

const TEXT = 'the same words again and again, '.repeat(200);
const signal = new AbortController().signal;

async function coded(contents: Record<string, string | Buffer>): Promise<{ files: ArtifactFiles; plain: ArtifactFiles; read(hash: string): Promise<Buffer> }> {
  const artifacts = createArtifacts(createMemoryBlobStore());
  const sources = new Map(Object.entries(contents).map(([path, content]): [string, ArtifactSource] => [path, { content: Buffer.from(content) }]));
  const plain = await artifacts.putFiles(sources);
  return { plain, files: await withCodings(plain, sources, { artifacts, bench, signal }), read: (hash) => artifacts.readFile(hash) };
}

test.each(['a.html', 'a.js', 'a.css', 'a.json', 'a.svg', 'a.wasm', 'a.xml', 'a.txt', 'a.webmanifest', 'a.ttf', 'deep/a.mjs'])('%s', async (path) => {
  const { files, read } = await coded({ [path]: TEXT });
  const { hash, sizeBytes, encodings } = files[path] as ArtifactFile;
  expect({ hash, sizeBytes }).toEqual({ hash: createHash('sha256').update(TEXT).digest('hex'), sizeBytes: TEXT.length });
  expect(brotliDecompressSync(await read(encodings?.br?.hash ?? '')).toString()).toBe(TEXT);
  expect(gunzipSync(await read(encodings?.gzip?.hash ?? '')).toString()).toBe(TEXT);
  expect((await read(encodings?.br?.hash ?? '')).length).toBe(encodings?.br?.sizeBytes);
});

test.each([['a picture', 'a.png', TEXT], ['a font that is compressed', 'a.woff2', TEXT], ['a film', 'a.mp4', TEXT], ['an unknown type', 'a', TEXT], ['a small file', 'a.js', 'x'.repeat(1000)], ['what saves nothing', 'a.txt', randomBytes(5000).toString('latin1')]])('%s is not', async (_, path, content) => {
  const bytes = path === 'a.txt' ? randomBytes(5000) : content;
  expect((await coded({ [path]: bytes })).files[path]).not.toHaveProperty('encodings');
});

test('the same gives the same, and a Revision is what its files are', async () => {
  const contents = { 'a.js': TEXT, 'b.png': 'x' };
  const [one, two] = [await coded(contents), await coded(contents)];
  expect(one.files).toEqual(two.files);
  expect(hashFiles(one.files)).toBe(hashFiles(one.plain));
  expect(sizeOfFiles(one.files)).toBe(sizeOfFiles(one.plain));
});

test('much is done quickly, and more than that not at all', async () => {
  const noise = (seed: number): string => Array.from({ length: 3000 }, (_, at) => createHash('md5').update(`${seed} ${at}`).digest('hex')).join('\n');
  const contents = Object.fromEntries(Array.from({ length: 6 }, (_, at) => [`${at}.txt`, noise(at)]));
  const { files } = await coded(contents);
  const sizes = Object.values(files).map(({ encodings }) => encodings?.br?.sizeBytes ?? 0);
  // The best for the first, what is quick for those that follow: the same kind of text, a little larger.
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  expect(sizes.at(-1)).toBeGreaterThan(sizes[0] ?? 0);
});
