// Owns what is known of a file before it is read: its type, its forms, and the head of each. Made once for each file.
import type { HeaderList, MicroSpec } from '../engine.ts';
import type { Coding } from './accept-encoding.ts';
import { hasHashInName } from './hashed-name.ts';
import { typeOf, type Place } from './site.ts';

/** One form of a file: as it is, or in a coding. Each has an ETag of its own: their bytes differ. */
export interface Representation {
  coding: Coding;
  hash: string;
  sizeBytes: number;
  /** Strong. */
  etag: string;
  headers: HeaderList;
  /** Of a 304. */
  unchanged: HeaderList;
  /** Where it is nowhere stored. */
  content?: Buffer;
}

export interface Resource {
  status: 200 | 404;
  isPage: boolean;
  representations: Partial<Record<Coding, Representation>> & { '': Representation };
}

type FilePlace = Extract<Place, { path: string }>;

/** Private: who may see a file is decided anew each time, which a shared cache would not do. */
const IMMUTABLE = 'private, max-age=31536000, immutable';
const REVALIDATED = 'no-cache';
const ETAG_CHARACTERS = 32;

const resources = new WeakMap<MicroSpec['files'], Map<string, Resource>>();

export function resourceOf(files: MicroSpec['files'], place: FilePlace): Resource {
  let known = resources.get(files);
  if (!known) resources.set(files, known = new Map());
  const key = place.isForPeople ? `*${place.path}` : place.path;
  let resource = known.get(key);
  if (!resource) known.set(key, resource = createResource(files, place));
  return resource;
}

function createResource(files: MicroSpec['files'], { path, status, isForPeople = false }: FilePlace): Resource {
  const file = files[path];
  if (!file) throw new TypeError(`there is no file ${path}`);
  const type = contentType(path);
  const codings = Object.entries(file.encodings ?? {}) as [Coding, typeof file][];
  const vary = [...(codings.length > 0 ? ['accept-encoding'] : []), ...(isForPeople ? ['accept', 'sec-fetch-mode'] : [])].join(', ');
  const cacheControl = !isForPeople && hasHashInName(path) ? IMMUTABLE : REVALIDATED;
  const form = (coding: Coding, { hash, sizeBytes }: typeof file): Representation =>
    representation({ coding, hash, sizeBytes, version: file.hash.slice(0, ETAG_CHARACTERS), type, vary, cacheControl });
  return {
    status, isPage: type.startsWith('text/html'),
    representations: { '': form('', file), ...Object.fromEntries(codings.map(([coding, stored]) => [coding, form(coding, stored)])) },
  };
}

export interface Form { coding: Coding; hash: string; sizeBytes: number; version: string; type: string; vary: string; cacheControl: string; content?: Buffer }

export function representation({ coding, hash, sizeBytes, version, type, vary, cacheControl, content }: Form): Representation {
  const etag = `"${version}${coding === '' ? '' : `.${coding}`}"`;
  const unchanged = ['etag', etag, 'cache-control', cacheControl, ...(vary === '' ? [] : ['vary', vary])];
  const headers = [...unchanged, 'content-type', type, 'x-content-type-options', 'nosniff', ...(coding === '' ? ['accept-ranges', 'bytes'] : ['content-encoding', coding])];
  return { coding, hash, sizeBytes, etag, headers, unchanged, ...(content && { content }) };
}

function contentType(path: string): string {
  const type = typeOf(path) ?? 'application/octet-stream';
  return /^text\/|javascript$|json$|xml$/.test(type) ? `${type}; charset=utf-8` : type;
}
