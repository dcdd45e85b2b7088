// Owns noticing that the content of a File is not what was stored: a checksum for each blob, taken while it is written,
// compared while it is read whole, before its last bytes are handed on.
import { crc32 } from 'node:zlib';
import type { Readable } from 'node:stream';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import type { CollectionPlace } from './collection.ts';
import type { BlobPart } from './file-record.ts';
import type { Damage } from './store/damage.ts';

/** Passes `source` on; `sum()` is the checksum of what has passed. */
export function summed(source: AsyncIterable<Uint8Array>): { source: AsyncIterable<Uint8Array>; sum: () => number } {
  let crc = 0;
  const passed = (async function* () {
    for await (const chunk of source) {
      crc = crc32(chunk, crc);
      yield chunk;
    }
  })();
  return { source: passed, sum: () => crc };
}

/** The chunks of `stream`; their end comes only when they were what was stored, else it fails with the last one held back. */
export async function* checked(stream: Readable, { crc: expected }: BlobPart): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    crc = crc32(chunk, crc);
    if (held) yield held;
    held = chunk;
  }
  if (expected !== undefined && crc !== expected) throw new SpaceError('BLOB_CORRUPT');
  if (held) yield held;
}

/** The damage of a File whose content is missing or wrong; `undefined` for other errors. @param key of its record */
export function damageOfFile(error: unknown, key: string, parts: readonly BlobPart[]): Damage | undefined {
  const hit = { kind: 'blob' as const, keys: [key], file: contentName(parts) };
  if (isSpaceError(error, 'BLOB_NOT_FOUND')) return { ...hit, note: 'The content of a File is missing, or cut.' };
  if (isSpaceError(error, 'BLOB_CORRUPT')) return { ...hit, note: 'The content of a File is not what was stored.' };
  return undefined;
}

/** Tells what a File holds from what it held before: blobs are never written twice. */
export function contentName(parts: readonly BlobPart[]): string {
  return parts[0]?.blob ?? '';
}

/** Called with the bytes that were read; who looks takes his time by it. */
type Pace = (bytes: number) => Promise<void> | void;

/** Read all Files, so that damage is noticed and noted. */
export async function verifyFiles({ thread, address, content }: Pick<CollectionPlace, 'thread' | 'address' | 'content'>, pace: Pace = () => {}): Promise<void> {
  for (let after: string | undefined, isMore = true; isMore;) {
    const page: { files: { key: string; parts: BlobPart[] }[]; isMore: boolean } = await thread().call(address, 'fileBlobs', after);
    for (const { key, parts } of page.files) {
      const damage = await readThrough(await content(), parts, pace).then(() => undefined, (error: unknown) => {
        const found = damageOfFile(error, key, parts);
        if (!found) throw error;
        return found;
      });
      if (damage) await thread().call(address, 'blobDamaged', damage);
    }
    isMore = page.isMore;
    after = page.files.at(-1)?.key;
  }
}

async function readThrough(content: { read(parts: readonly BlobPart[]): Promise<Readable> }, parts: readonly BlobPart[], pace: Pace): Promise<void> {
  for await (const chunk of await content.read(parts)) await pace((chunk as Uint8Array).length); // reading is looking
}
