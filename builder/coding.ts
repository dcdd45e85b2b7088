// Owns the codings in which the files of a static Micro are kept beside them: made once, while it is built, so that no request
// waits for it. Equal files give equal bytes.
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import mime from 'mime';
import type { Artifact, ArtifactFiles, Artifacts, ArtifactSource, Encoding } from './artifact.ts';

/** Below that it is one packet anyway. */
const FILE_MIN_BYTES = 1024;
const FILE_MAX_BYTES = 16 * 1024 * 1024;
/** Of one Micro, in the order of its paths: so much gets the best that Brotli has (2 ms of CPU time a KB), ... */
const BEST_BYTES = 384 * 1024;
/** ... so much what it does quickly, and the rest stays as it is. */
const QUICK_BYTES = 64 * 1024 * 1024;
/** What saves less is not worth keeping. */
const WORTH = 0.9;

/** Types that are no compressed form already. */
const TEXT_LIKE = /^text\/|[/+](?:javascript|json|xml|wasm|x-ndjson|rtf|yaml|toml|manifest\+json|vnd\.ms-fontobject|x-font-ttf)$|^font\/(?:ttf|otf|collection)$|^image\/(?:bmp|x-icon|vnd\.microsoft\.icon)$/;

type Quality = 'best' | 'quick';

const COMPRESS: Record<Encoding, (bytes: Buffer, quality: Quality) => Promise<Buffer>> = {
  br: (bytes, quality) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality === 'best' ? 11 : 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  gzip: (bytes, quality) => promisify(gzip)(bytes, { level: quality === 'best' ? 9 : 6 }),
};

type Encodings = Partial<Record<Encoding, Artifact>>;

/** Most files of a push are those of the push before. */
const REMEMBERED = 10_000;
const known = new WeakMap<Artifacts, LRUCache<string, Encodings>>();

/** `files` with their codings, where a coding is worth it. One file after the other: other work on this machine goes on. */
export async function withCodings(files: ArtifactFiles, sources: ReadonlyMap<string, ArtifactSource>, { artifacts, signal }: { artifacts: Artifacts; signal: AbortSignal }): Promise<ArtifactFiles> {
  const result: ArtifactFiles = {};
  let bytesSoFar = 0;
  for (const [path, file] of Object.entries(files)) {
    signal.throwIfAborted();
    const source = sources.get(path);
    result[path] = file;
    if (!source || !isWorthTrying(path, file) || bytesSoFar > QUICK_BYTES) continue;
    bytesSoFar += file.sizeBytes;
    const encodings = await codingsOnce(file, source, { artifacts, quality: bytesSoFar <= BEST_BYTES ? 'best' : 'quick' });
    if (Object.keys(encodings).length > 0) result[path] = { ...file, encodings };
  }
  return result;
}

function isWorthTrying(path: string, { sizeBytes }: Artifact): boolean {
  return sizeBytes >= FILE_MIN_BYTES && sizeBytes <= FILE_MAX_BYTES && TEXT_LIKE.test(mime.getType(`/${path}`) ?? '');
}

async function codingsOnce({ hash }: Artifact, source: ArtifactSource, { artifacts, quality }: { artifacts: Artifacts; quality: Quality }): Promise<Encodings> {
  const memory = known.get(artifacts) ?? new LRUCache<string, Encodings>({ max: REMEMBERED });
  known.set(artifacts, memory);
  const remembered = memory.get(`${hash} ${quality}`);
  if (remembered && (await artifacts.haveAll(Object.values(remembered)))) return remembered;
  const encodings = await codingsOf('content' in source ? Buffer.from(source.content) : await readFile(source.path), quality, artifacts);
  memory.set(`${hash} ${quality}`, encodings);
  return encodings;
}

async function codingsOf(content: Buffer, quality: Quality, artifacts: Artifacts): Promise<Encodings> {
  const kept: Encodings = {};
  for (const encoding of ['br', 'gzip'] as const) {
    const bytes = await COMPRESS[encoding](content, quality);
    if (bytes.length <= content.length * WORTH) kept[encoding] = await artifacts.put({ content: bytes });
  }
  return kept;
}
