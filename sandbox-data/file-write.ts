// Owns how bytes and records of a File come together: written first, then referred to, and never left without a record.
import mime from 'mime';
import { isoTime } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { newSecret } from '../core/ids.ts';
import type { Content } from './content.ts';
import type { BlobPart, FileRecord } from './file-record.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

/** Where a Drive's records and bytes are. */
export interface DrivePlace {
  /** @throws COLLECTION_NOT_FOUND while the Collection is being removed */
  thread: () => DataThread;
  address: Address;
  drive: string;
  clock: Clock;
  /** Opened on first use. */
  content: () => Promise<Content>;
  /** What may still be stored. @throws QUOTA_EXCEEDED */
  room: { check(): Promise<void>; write<R>(bytes: number, write: () => Promise<R>): Promise<R>; loosen(): void };
}

const UNSPECIFIED_TYPE = 'binary/octet-stream';
const DEFAULT_TYPE = 'application/octet-stream';

/** The record of a File made now from these blobs. */
export function newFile(clock: Clock, name: string, parts: BlobPart[], contentType?: string): FileRecord {
  return {
    sizeBytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    contentType: knownType(contentType) ?? mime.getType(name) ?? DEFAULT_TYPE,
    etag: `"${newSecret(22)}"`,
    modifiedAt: isoTime(clock.now()),
    parts: parts.filter(({ sizeBytes }) => sizeBytes > 0),
  };
}

/** What a caller said, unless it says nothing or could not stand in a header. SDKs send `binary/octet-stream` for "unknown". */
export function knownType(contentType: string | undefined): string | undefined {
  const isKnown = contentType !== undefined && contentType !== UNSPECIFIED_TYPE && /^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(contentType);
  return isKnown ? contentType : undefined;
}

/** Write bytes, then let `commit` refer to them. Whatever happens, no blob stays without a record. */
export async function commitBytes<R>(place: DrivePlace, parts: BlobPart[], commit: () => Promise<R>): Promise<R> {
  const content = await place.content();
  try {
    const result = await commit();
    content.settle(parts);
    return result;
  } catch (error) {
    // After a failure the batch may have been written all the same: the records decide.
    const orphans = await place.thread().call(place.address, 'blobsUnreferred', parts.map(({ blob }) => blob)).catch(() => []);
    await content.discard(orphans);
    content.settle(parts);
    throw error;
  }
}

export async function discard(place: DrivePlace, blobs: readonly string[]): Promise<void> {
  if (blobs.length > 0) await (await place.content()).discard(blobs);
}
