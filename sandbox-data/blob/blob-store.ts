// Owns the BlobStore seam: immutable blobs of any size by key. Knows no Drive and no Revision.
import type { Readable } from 'node:stream';

/** First and last byte, both inclusive. */
export interface ByteRange { start: number; end: number }

export interface BlobInfo { sizeBytes: number }

/** Keys are 1 to 128 characters of [a-z0-9], and nothing else: they are file names. */
export interface BlobStore {
  /** Store what `source` yields. The blob exists, durable and whole, when the promise resolves, else not at all.
   *  @param maxBytes more than this gives PAYLOAD_TOO_LARGE and leaves nothing
   *  @throws STORE_FULL, PAYLOAD_TOO_LARGE, and whatever `source` throws */
  put(key: string, source: AsyncIterable<Uint8Array>, options?: { maxBytes?: number }): Promise<BlobInfo>;
  /** The bytes, or those of `range`. @throws BLOB_NOT_FOUND before the stream is returned, RANGE_NOT_SATISFIABLE */
  get(key: string, range?: ByteRange): Promise<Readable>;
  head(key: string): Promise<BlobInfo | undefined>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  list(): AsyncIterable<string>;
  close(): Promise<void>;
}

/** Opens the BlobStore of a scope: `artifacts`, or `spaces/<space>/<collection>`. Scopes never see each other's blobs. */
export interface BlobScopes {
  open(scope: string): Promise<BlobStore>;
  /** Delete every blob of the scope; what fails in between may be done again. */
  remove(scope: string): Promise<void>;
  close(): Promise<void>;
}
