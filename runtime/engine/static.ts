// Owns serving a static Micro: the Revision's files, without a process. Knows no Instance and no session.
import { LRUCache } from 'lru-cache';
import mime from 'mime';
import { headerValue } from '../http/headers.ts';
import type { Engine, MicroRequest, MicroResponse, MicroSpec } from './engine.ts';

/** Contents kept in memory, over all Instances; the same bytes of two Instances count once. */
const CACHE_BYTES = 64 * 1024 * 1024;
/** Larger files are read each time. */
const CACHED_FILE_BYTES = 4 * 1024 * 1024;
const INDEX = 'index.html';

export function createStaticEngine(): Engine {
  const contents = new LRUCache<string, Buffer>({ maxSize: CACHE_BYTES, sizeCalculation: (bytes) => bytes.length + 200 });

  async function read(micro: MicroSpec, path: string): Promise<Buffer> {
    const { hash = '', sizeBytes = 0 } = micro.files[path] ?? {};
    const known = contents.get(hash);
    if (known) return known;
    const bytes = await micro.readFile(path);
    if (sizeBytes <= CACHED_FILE_BYTES) contents.set(hash, bytes);
    return bytes;
  }

  return {
    async fetch(instance, name, request) {
      const micro = instance.micros.find((candidate) => candidate.name === name);
      if (!micro) throw new TypeError(`no Micro ${name}`);
      if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'This address takes GET only.', ['allow', 'GET, HEAD']);
      const path = fileFor(micro, new URL(request.url).pathname);
      if (path === undefined) return plain(404, 'Not found.');
      const file = micro.files[path];
      const etag = `"${file?.hash.slice(0, 32)}"`;
      const headers = ['etag', etag, 'cache-control', 'no-cache', 'content-type', contentType(path), 'x-content-type-options', 'nosniff'];
      if (matches(request, etag)) return { status: 304, headers, body: null };
      return { status: 200, headers, body: await read(micro, path) };
    },
    async stop() {},
    async close() {
      contents.clear();
    },
  };
}

/** The file itself, then a folder's index, then the root's index for addresses that an app makes up in the browser.
 *  What looks like a file (its last segment has a type) is not found, so that a missing script is no HTML.
 *  @source reference 2.6 */
function fileFor({ files }: MicroSpec, pathname: string): string | undefined {
  const path = decoded(pathname)?.replace(/^\/+/, '');
  if (path === undefined) return undefined;
  const candidates = path === '' || path.endsWith('/') ? [`${path}${INDEX}`] : [path, `${path}/${INDEX}`];
  const found = candidates.find((candidate) => Object.hasOwn(files, candidate));
  if (found !== undefined) return found;
  return Object.hasOwn(files, INDEX) && typeOf(path) === null ? INDEX : undefined;
}

/** By the last segment's extension. The slash tells the library that this is a path: `pages` alone would be one. */
function typeOf(path: string): string | null {
  return mime.getType(`/${path}`);
}

function decoded(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
}

function contentType(path: string): string {
  const type = typeOf(path) ?? 'application/octet-stream';
  return /^text\/|javascript$|json$|xml$/.test(type) ? `${type}; charset=utf-8` : type;
}

function matches(request: MicroRequest, etag: string): boolean {
  const asked = headerValue(request.headers, 'if-none-match');
  return asked !== undefined && (asked.trim() === '*' || asked.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));
}

function plain(status: number, text: string, headers: string[] = []): MicroResponse {
  return { status, headers: ['content-type', 'text/plain; charset=utf-8', ...headers], body: Buffer.from(text) };
}
