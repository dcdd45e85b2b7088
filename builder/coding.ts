// Owns the codings in which the files of a static Micro are kept beside them: made once, while it is built, so that no request
// waits for it. Equal files give equal bytes.
import { LRUCache } from 'lru-cache';
import mime from 'mime';
import type { Artifact, ArtifactFiles, Artifacts, ArtifactSource, Encoding } from './artifact.ts';
import type { Workbench } from './background.ts';
import type { Compression } from './compress.ts';

/** Below that it is one packet anyway. */
const FILE_MIN_BYTES = 1024;
const FILE_MAX_BYTES = 16 * 1024 * 1024;
/** Of one Micro, in the order of its paths: so much gets the best that Brotli has (2 ms of CPU time a KB), ... */
const BEST_BYTES = 384 * 1024;
/** ... so much what it does quickly, and the rest stays as it is. */
const QUICK_BYTES = 64 * 1024 * 1024;
/** Types that are no compressed form already. */
const TEXT_LIKE = /^text\/|[/+](?:javascript|json|xml|wasm|x-ndjson|rtf|yaml|toml|manifest\+json|vnd\.ms-fontobject|x-font-ttf)$|^font\/(?:ttf|otf|collection)$|^image\/(?:bmp|x-icon|vnd\.microsoft\.icon)$/;

type Encodings = Partial<Record<Encoding, Artifact>>;

/** Most files of a push are those of the push before. */
const REMEMBERED = 10_000;
const known = new WeakMap<Artifacts, LRUCache<string, Encodings>>();

export interface CodingParts { artifacts: Artifacts; bench: Workbench; signal: AbortSignal }

/** `files` with their codings, where a coding is worth it. */
export async function withCodings(files: ArtifactFiles, sources: ReadonlyMap<string, ArtifactSource>, parts: CodingParts): Promise<ArtifactFiles> {
  const result: ArtifactFiles = {};
  let bytesSoFar = 0;
  for (const [path, file] of Object.entries(files)) {
    parts.signal.throwIfAborted();
    const source = sources.get(path);
    result[path] = file;
    if (!source || !isWorthTrying(path, file) || bytesSoFar > QUICK_BYTES) continue;
    bytesSoFar += file.sizeBytes;
    const encodings = await codingsOnce(file, { source, quality: bytesSoFar <= BEST_BYTES ? 'best' : 'quick' }, parts);
    if (Object.keys(encodings).length > 0) result[path] = { ...file, encodings };
  }
  return result;
}

function isWorthTrying(path: string, { sizeBytes }: Artifact): boolean {
  return sizeBytes >= FILE_MIN_BYTES && sizeBytes <= FILE_MAX_BYTES && TEXT_LIKE.test(mime.getType(`/${path}`) ?? '');
}

async function codingsOnce({ hash }: Artifact, compression: Compression, parts: CodingParts): Promise<Encodings> {
  const { artifacts } = parts;
  const memory = known.get(artifacts) ?? new LRUCache<string, Encodings>({ max: REMEMBERED });
  known.set(artifacts, memory);
  const remembered = memory.get(`${hash} ${compression.quality}`);
  if (remembered && (await artifacts.haveAll(Object.values(remembered)))) return remembered;
  const encodings = await codingsOf(compression, parts);
  memory.set(`${hash} ${compression.quality}`, encodings);
  return encodings;
}

async function codingsOf(compression: Compression, { artifacts, bench, signal }: CodingParts): Promise<Encodings> {
  const kept: Encodings = {};
  for (const [encoding, content] of Object.entries(await bench.run('compress', compression, signal))) {
    kept[encoding as Encoding] = await artifacts.put({ content });
  }
  return kept;
}
