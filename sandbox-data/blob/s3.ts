// Owns blobs as objects of an S3 bucket, one prefix for each scope. S3 shows an object only when it is whole.
import type { Readable } from 'node:stream';
import type { Client } from 'minio';
import { systemClock } from '../../core/clock.ts';
import type { Clock } from '../../core/clock.ts';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import type { BlobInfo, BlobScopes, BlobStore, ByteRange } from './blob-store.ts';
import { placeName } from './s3-place.ts';
import type { S3Place } from './s3-place.ts';
import { answerCode, openTransport, persistently, storeError, translated } from './s3-request.ts';

/** Smaller blobs go in one request. An upload holds two of these in memory: one fills while the other is sent. */
const PART_BYTES = 8 * 1024 * 1024;
/** @source AWS S3 User Guide, "Amazon S3 multipart upload limits" */
const MAX_PARTS = 10_000;
/** What a small blob takes at first; doubled until it is a part. */
const FIRST_BYTES = 64 * 1024;
/** Keys in one answer or request. @source AWS S3 API, ListObjectsV2 and DeleteObjects */
const PAGE = 1000;
/** An upload that began so long ago belongs to a process that died. */
const ABANDONED_MS = 24 * 3_600_000;
const SILENCE_MS = 30_000;
const SCOPE = /^[a-z0-9]+(\/[a-z0-9]+)*$/;

/** Where objects are asked for. */
interface Shelf { client: Client; bucket: string }

/** Connect, and see that blobs can be written. A bucket that is missing is made.
 *  @param options.silenceMs how long S3 may say nothing  @throws BLOBS_UNUSABLE with what S3 or the network said */
export async function openS3(place: S3Place, { clock = systemClock, silenceMs = SILENCE_MS }: { clock?: Clock; silenceMs?: number } = {}): Promise<BlobScopes> {
  const { Client } = await import('minio');
  const { agent, transport, close } = openTransport(place.hasTls, silenceMs);
  const client = new Client({
    endPoint: place.host, port: place.port, useSSL: place.hasTls, accessKey: place.accessKey, secretKey: place.secretKey,
    // The library's own retries speak to the console.
    transport, transportAgent: agent, retryOptions: { disableRetry: true },
    ...(place.region === undefined ? {} : { region: place.region }),
  });
  const shelf = { client, bucket: place.bucket };
  await probe(shelf, place.region).catch((error: unknown) => {
    close();
    throw new SpaceError('BLOBS_UNUSABLE', { place: placeName(place), reason: reasonOf(error) }, { cause: error });
  });
  void abortAbandoned(shelf, clock.now() - ABANDONED_MS).catch(() => {}); // the next start tries again
  return {
    open: async (scope) => new S3BlobStore(shelf, prefixOf(scope)),
    remove: (scope) => removeAll(shelf, prefixOf(scope)),
    close: async () => close(),
  };
}

class S3BlobStore implements BlobStore {
  readonly #client: Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor({ client, bucket }: Shelf, prefix: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async put(key: string, source: AsyncIterable<Uint8Array>, options: { maxBytes?: number } = {}): Promise<BlobInfo> {
    const upload = new Upload({ client: this.#client, bucket: this.#bucket }, this.#name(key));
    const maxBytes = Math.min(options.maxBytes ?? Number.POSITIVE_INFINITY, MAX_PARTS * PART_BYTES);
    try {
      let sizeBytes = 0;
      for await (const part of inParts(upTo(maxBytes, source))) {
        sizeBytes += part.length;
        await upload.add(part);
      }
      await upload.complete();
      return { sizeBytes };
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    const name = this.#name(key);
    if (range && (range.start < 0 || range.start > range.end)) throw await this.#unsatisfiable(key);
    try {
      const [start, length] = range ? [range.start, range.end - range.start + 1] : [0, 0]; // 0: to the end
      return translated(await persistently(() => this.#client.getPartialObject(this.#bucket, name, start, length)));
    } catch (error) {
      throw answerCode((error as Error).cause) === 'InvalidRange' ? await this.#unsatisfiable(key) : error;
    }
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    const name = this.#name(key);
    try {
      const { size: sizeBytes } = await persistently(() => this.#client.statObject(this.#bucket, name));
      return { sizeBytes };
    } catch (error) {
      if (isSpaceError(error, 'BLOB_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    const name = this.#name(key);
    try {
      await persistently(() => this.#client.removeObject(this.#bucket, name));
    } catch (error) {
      if (!isSpaceError(error, 'BLOB_NOT_FOUND')) throw error;
    }
  }

  async *list(): AsyncGenerator<string> {
    for await (const names of pages({ client: this.#client, bucket: this.#bucket }, this.#prefix)) {
      yield* names.map((name) => name.slice(this.#prefix.length));
    }
  }

  async close(): Promise<void> {}

  async #unsatisfiable(key: string): Promise<SpaceError> {
    const info = await this.head(key);
    return info ? new SpaceError('RANGE_NOT_SATISFIABLE', { ...info }) : new SpaceError('BLOB_NOT_FOUND');
  }

  /** The only place where a key becomes a name in the bucket. */
  #name(key: string): string {
    if (!/^[a-z0-9]{1,128}$/.test(key)) throw new TypeError('a blob key is 1 to 128 characters of [a-z0-9]');
    return this.#prefix + key;
  }
}

/** One object on its way: in one request while it is less than a part, else in parts that count only together. */
class Upload {
  readonly #shelf: Shelf;
  readonly #name: string;
  #id: string | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #count = 0;
  readonly #sent: { part: number; etag: string }[] = [];
  #sending: Promise<void> = Promise.resolve();

  constructor(shelf: Shelf, name: string) {
    this.#shelf = shelf;
    this.#name = name;
  }

  /** Returns while `part` is still being sent; only the last one may be shorter than the others. */
  async add(part: Buffer): Promise<void> {
    if (part.length < PART_BYTES && this.#id === undefined) {
      this.#rest = part;
      return;
    }
    const { client, bucket } = this.#shelf;
    this.#id ??= await persistently(() => client.initiateNewMultipartUpload(bucket, this.#name, {}));
    await this.#sending;
    this.#sending = this.#send(part);
    this.#sending.catch(() => {}); // whoever waits for it hears of it
  }

  async complete(): Promise<void> {
    const { client, bucket } = this.#shelf;
    const id = this.#id;
    if (id === undefined) {
      await persistently(() => client.putObject(bucket, this.#name, this.#rest));
      return;
    }
    await this.#sending;
    // Not tried again: the second try would find the upload gone after a first that worked.
    await client.completeMultipartUpload(bucket, this.#name, id, this.#sent).catch((error: unknown) => {
      throw storeError(error);
    });
  }

  /** A part that arrives after the abort would stay, so the last one is waited for. What fails here is swept at the next start. */
  async abort(): Promise<void> {
    const { client, bucket } = this.#shelf;
    const id = this.#id;
    if (id === undefined) return;
    await this.#sending.catch(() => {});
    await persistently(() => client.abortMultipartUpload(bucket, this.#name, id)).catch(() => {});
  }

  async #send(part: Buffer): Promise<void> {
    this.#count += 1;
    const { client, bucket } = this.#shelf;
    const target = { bucketName: bucket, objectName: this.#name, uploadID: this.#id!, partNumber: this.#count };
    const { etag } = await persistently(() => client.uploadPart({ ...target, headers: {} }, part));
    this.#sent.push({ part: target.partNumber, etag });
  }
}

async function* upTo(maxBytes: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: maxBytes });
    yield chunk;
  }
}

/** Copies, so that a million tiny chunks are no million objects. */
async function* inParts(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafe(FIRST_BYTES);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength;) {
      if (filled === part.length) part = Buffer.concat([part], part.length * 2);
      const taken = chunk.subarray(at, at + part.length - filled);
      part.set(taken, filled);
      at += taken.byteLength;
      filled += taken.byteLength;
      if (filled < PART_BYTES) continue;
      yield part;
      part = Buffer.allocUnsafe(PART_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

/** Names of objects below `prefix`, up to a thousand at a time. */
async function* pages({ client, bucket }: Shelf, prefix: string): AsyncGenerator<string[]> {
  for (let token = ''; ;) {
    const page = await persistently(() => client.listObjectsV2Query(bucket, prefix, token, '', PAGE, ''));
    yield page.objects.map(({ name }) => name ?? '');
    if (!page.isTruncated) return;
    token = page.nextContinuationToken;
  }
}

async function removeAll(shelf: Shelf, prefix: string): Promise<void> {
  const { client, bucket } = shelf;
  for await (const names of pages(shelf, prefix)) {
    if (names.length === 0) continue;
    const failures = await persistently(() => client.removeObjects(bucket, names));
    const [first] = failures.flatMap((each) => each?.Error ?? []);
    if (first) throw new SpaceError('STORE_UNAVAILABLE', {}, { cause: new Error(`not deleted: ${first.Code}`) });
  }
}

/** Ids are made of these characters, so no scope can reach into another. */
function prefixOf(scope: string): string {
  if (!SCOPE.test(scope)) throw new TypeError('a scope is words of [a-z0-9] with slashes between them');
  return `${scope}/`;
}

async function probe({ client, bucket }: Shelf, region: string | undefined): Promise<void> {
  if (!(await client.bucketExists(bucket))) await client.makeBucket(bucket, region);
  await client.putObject(bucket, 'write-probe', Buffer.alloc(0));
  await client.removeObject(bucket, 'write-probe');
}

/** What S3 itself or the system says, in one word. Longer texts of a server stay in the cause. */
function reasonOf(error: unknown): string {
  const code = answerCode(error);
  if (code !== undefined) return `it said ${code}`;
  const { code: errno } = error as NodeJS.ErrnoException;
  return errno === undefined || isSpaceError(error) ? 'it gave no usable answer' : `it cannot be reached (${errno})`;
}

/** Parts that a process left behind when it died in the middle of an upload. MinIO does not list them, and removes them by itself. */
async function abortAbandoned({ client, bucket }: Shelf, beforeMs: number): Promise<void> {
  for (const prefix of ['artifacts/', 'spaces/']) {
    for (let from: [key: string, uploadId: string] | undefined = ['', '']; from;) {
      const page = await persistently(() => client.listIncompleteUploadsQuery(bucket, prefix, ...from!, ''));
      for (const { key, uploadId, initiated } of page.uploads) {
        if (initiated.getTime() < beforeMs) await client.abortMultipartUpload(bucket, key, uploadId);
      }
      from = page.isTruncated ? [page.nextKeyMarker, page.nextUploadIdMarker] : undefined;
    }
  }
}
