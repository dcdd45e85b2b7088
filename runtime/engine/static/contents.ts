// Owns the bytes of static files: those asked for lately stay in memory, large ones are streamed. Knows no request.
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { ByteRange } from '../../../sandbox-data/blob/blob-store.ts';
import { withMarkup } from '../page-markup.ts';
import type { MicroSpec } from '../engine.ts';
import { representation, type Form, type Representation, type Resource } from './resource.ts';

export interface Contents {
  /** A part of a representation as it is, or all of it. */
  open(micro: MicroSpec, chosen: Representation, range?: ByteRange): Promise<{ body: Buffer | Readable; sizeBytes: number }>;
  /** A page with markup of the host's; what is no whole document stays as it is. */
  withMarkup(micro: MicroSpec, page: Resource, markup: string): Promise<Resource>;
  clear(): void;
}

/** Contents kept in memory, over all Instances; the same bytes of two Instances count once. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** Larger files are streamed each time. */
const KEPT_FILE_BYTES = 1024 * 1024;
/** Pages with markup, each in its forms. */
const PAGES_BYTES = 16 * 1024 * 1024;
const COMPRESSED_MIN_BYTES = 1024;

export function createContents(): Contents {
  const kept = new LRUCache<string, Buffer>({ maxSize: KEPT_BYTES, sizeCalculation: (bytes) => bytes.length + 200 });
  const reading = new Map<string, Promise<Buffer>>();
  const pages = new LRUCache<string, Resource>({ maxSize: PAGES_BYTES, sizeCalculation: sizeOf });

  /** Whoever asks while it is being read waits for the same bytes. */
  function read(micro: MicroSpec, hash: string): Promise<Buffer> {
    let bytes = reading.get(hash);
    if (!bytes) {
      bytes = micro.readContent(hash).finally(() => reading.delete(hash));
      reading.set(hash, bytes);
      bytes.then((content) => kept.set(hash, content), () => {});
    }
    return bytes;
  }

  return {
    async open(micro, { hash, sizeBytes, content }, range) {
      const length = range ? range.end - range.start + 1 : sizeBytes;
      const isKept = sizeBytes <= KEPT_FILE_BYTES;
      if (!content && !isKept) return { body: await micro.openContent(hash, range), sizeBytes: length };
      const bytes = content ?? kept.get(hash) ?? (await read(micro, hash));
      return { body: range ? bytes.subarray(range.start, range.end + 1) : bytes, sizeBytes: length };
    },
    async withMarkup(micro, page, markup) {
      const plain = page.representations[''];
      if (plain.sizeBytes > KEPT_FILE_BYTES) return page;
      const key = `${page.status} ${plain.etag} ${plain.unchanged.join()} ${markup}`;
      let changed = pages.get(key);
      if (!changed) {
        changed = await pageWith(markup, page, kept.get(plain.hash) ?? (await read(micro, plain.hash)));
        pages.set(key, changed);
      }
      return changed;
    },
    clear() {
      kept.clear();
      pages.clear();
    },
  };
}

const compress = {
  br: (bytes: Buffer): Promise<Buffer> => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  gzip: (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes),
};

async function pageWith(markup: string, page: Resource, html: Buffer): Promise<Resource> {
  const content = withMarkup(html, markup);
  if (!content) return page;
  const plain = page.representations[''];
  const facts = headersOf(plain);
  const vary = [...new Set([...(facts['vary']?.split(', ') ?? []), 'accept-encoding', 'sec-fetch-dest'])].join(', ');
  const version = `${plain.etag.slice(1, -1)}.${createHash('sha256').update(markup).digest('hex').slice(0, 8)}`;
  const form = (coding: Form['coding'], bytes: Buffer): Representation =>
    representation({ coding, hash: '', sizeBytes: bytes.length, version, type: facts['content-type'] ?? 'text/html', vary, cacheControl: facts['cache-control'] ?? 'no-cache', content: bytes });
  const codings = content.length < COMPRESSED_MIN_BYTES ? [] : await Promise.all((['br', 'gzip'] as const).map(async (coding) => [coding, form(coding, await compress[coding](content))] as const));
  return { ...page, representations: { '': form('', content), ...Object.fromEntries(codings) } };
}

function headersOf({ headers }: Representation): Record<string, string> {
  return Object.fromEntries(Array.from({ length: headers.length / 2 }, (_, index) => headers.slice(index * 2, index * 2 + 2) as [string, string]));
}

function sizeOf({ representations }: Resource): number {
  return Object.values(representations).reduce((sum, { content }) => sum + (content?.length ?? 0) + 500, 0);
}
