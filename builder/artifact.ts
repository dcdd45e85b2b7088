// Owns the content of Revisions: files by the hash of their bytes, each stored once. Knows no Revision.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { BlobStore, ByteRange } from '../sandbox-data/blob/blob-store.ts';

/** `hash` is SHA-256 in hex. */
export interface Artifact { hash: string; sizeBytes: number }

/** How content may be coded on its way to a browser. */
export type Encoding = 'br' | 'gzip';

/** A file, and the same content in codings that are worth keeping. */
export interface ArtifactFile extends Artifact { encodings?: Partial<Record<Encoding, Artifact>> }

/** Path inside a Micro's package -> its content; paths are in byte order. */
export type ArtifactFiles = Record<string, ArtifactFile>;

const HEADS_AT_ONCE = 64;
const READ_BYTES = 64 * 1024;

/** Something to store: bytes in memory, or a file on disk. */
export type ArtifactSource = { content: Uint8Array } | { path: string };

export interface Artifacts {
  put(source: ArtifactSource): Promise<Artifact>;
  /** Whether each is stored, by its size. */
  haveAll(artifacts: readonly Artifact[]): Promise<boolean>;
  /** Store all of `sources`, path -> content. @param options.identify in place of reading a file here */
  putFiles(sources: ReadonlyMap<string, ArtifactSource>, options?: { signal?: AbortSignal; identify?: (path: string) => Promise<Artifact> }): Promise<ArtifactFiles>;
  /** @throws BLOB_NOT_FOUND, RANGE_NOT_SATISFIABLE */
  openFile(hash: string, range?: ByteRange): Promise<Readable>;
  /** The whole content. @throws BLOB_NOT_FOUND */
  readFile(hash: string): Promise<Buffer>;
}

export function createArtifacts(blobs: BlobStore): Artifacts {
  async function put(source: ArtifactSource, identify = identifyFile): Promise<Artifact> {
    const artifact = 'content' in source ? await identified([source.content]) : await identify(source.path);
    if (!(await has(artifact))) await blobs.put(artifact.hash, chunksOf(source));
    return artifact;
  }

  async function has({ hash, sizeBytes }: Artifact): Promise<boolean> {
    return (await blobs.head(hash))?.sizeBytes === sizeBytes;
  }

  return {
    put: (source) => put(source),
    async haveAll(wanted) {
      for (let at = 0; at < wanted.length; at += HEADS_AT_ONCE) {
        const found = await Promise.all(wanted.slice(at, at + HEADS_AT_ONCE).map(has));
        if (found.includes(false)) return false;
      }
      return true;
    },
    async putFiles(sources, { signal, identify } = {}) {
      const files: [string, Artifact][] = [];
      for (const [path, source] of [...sources].sort(byPath)) {
        signal?.throwIfAborted();
        files.push([path, await put(source, identify)]);
      }
      return Object.fromEntries(files);
    },
    openFile: (hash, range) => blobs.get(hash, range),
    readFile: async (hash) => buffer(await blobs.get(hash)),
  };
}

/** One hash over a set of files: equal exactly when every path and content is. */
export function hashFiles(files: ArtifactFiles): string {
  const hash = createHash('sha256');
  for (const path of Object.keys(files).sort(byText)) hash.update(`${JSON.stringify(path)} ${files[path]?.hash}\n`);
  return hash.digest('hex');
}

/** Bytes of all files; content that is there twice counts twice. */
export function sizeOfFiles(files: ArtifactFiles): number {
  return Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What the content of a file is called, and how large it is. */
export function identifyFile(path: string): Promise<Artifact> {
  return identified(chunksOf({ path }));
}

async function identified(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Artifact> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { hash: hash.digest('hex'), sizeBytes };
}

async function* chunksOf(source: ArtifactSource): AsyncIterable<Uint8Array> {
  if ('content' in source) yield source.content;
  else yield* createReadStream(source.path, { highWaterMark: READ_BYTES });
}

function byText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function byPath([left]: [string, unknown], [right]: [string, unknown]): number {
  return byText(left, right);
}
