// Owns a BlobStore that lives in memory, for tests that need blobs and no disk.
import { Readable } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import type { BlobStore } from '../../sandbox-data/blob/blob-store.ts';

/** A new empty BlobStore; `puts` counts the writes that reached it. */
export function createMemoryBlobStore(): BlobStore & { puts: number } {
  const blobs = new Map<string, Buffer>();
  const store: BlobStore & { puts: number } = {
    puts: 0,
    async put(key, source, { maxBytes = Infinity } = {}) {
      if (!/^[a-z0-9]{1,128}$/.test(key)) throw new TypeError(`not a blob key: ${key}`);
      store.puts += 1;
      const content = await collect(source, maxBytes);
      blobs.set(key, content);
      return { sizeBytes: content.length };
    },
    async get(key, range) {
      const content = blobs.get(key);
      if (!content) throw new SpaceError('BLOB_NOT_FOUND');
      if (range && range.start >= content.length) throw new SpaceError('RANGE_NOT_SATISFIABLE', { sizeBytes: content.length });
      return Readable.from([range ? content.subarray(range.start, range.end + 1) : content]);
    },
    async head(key) {
      const content = blobs.get(key);
      return content && { sizeBytes: content.length };
    },
    async delete(key) {
      blobs.delete(key);
    },
    async *list() {
      yield* blobs.keys();
    },
    async close() {},
  };
  return store;
}

async function collect(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: maxBytes });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
