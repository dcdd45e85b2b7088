// Owns the compression of one file in the codings of the web. It takes the thread that it is called on for its time.
import { readFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { ArtifactSource, Encoding } from './artifact.ts';

export interface Compression { source: ArtifactSource; quality: 'best' | 'quick' }

/** What saves less is not worth keeping. */
const WORTH = 0.9;

const COMPRESS: Record<Encoding, (bytes: Uint8Array, quality: Compression['quality']) => Buffer> = {
  br: (bytes, quality) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality === 'best' ? 11 : 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  gzip: (bytes, quality) => gzipSync(bytes, { level: quality === 'best' ? 9 : 6 }),
};

/** Those codings that are worth it; the same bytes give the same. */
export async function compressed({ source, quality }: Compression): Promise<Partial<Record<Encoding, Uint8Array>>> {
  const content = 'content' in source ? source.content : await readFile(source.path);
  const kept: Partial<Record<Encoding, Uint8Array>> = {};
  for (const encoding of ['br', 'gzip'] as const) {
    const bytes = COMPRESS[encoding](content, quality);
    if (bytes.length <= content.length * WORTH) kept[encoding] = bytes;
  }
  return kept;
}
