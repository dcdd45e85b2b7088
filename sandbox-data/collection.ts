// Owns a Collection as its callers hold it: names are checked, requests travel to its data worker. Never imports a driver.
import { isUtf8 } from 'node:buffer';
import { exportArchive } from './archive-export.ts';
import { receiveArchive } from './archive-import.ts';
import type { Clock } from '../core/clock.ts';
import { SpaceError } from '../core/errors.ts';
import type { Content } from './content.ts';
import { followChanges } from './change-reader.ts';
import type { Base, Collection, CollectionRef, ImportCounts, JsonText, Versioned } from './data.ts';
import { createDrive } from './drive.ts';
import type { DrivePlace } from './file-write.ts';
import { assertName } from './layout.ts';
import type { Quotas } from './quota.ts';
import { ReadBatch } from './read-batch.ts';
import type { CollectionSnapshots } from './snapshots.ts';
import type { Verifier } from './verifier.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

export interface CollectionPlace {
  ref: CollectionRef;
  /** @throws COLLECTION_NOT_FOUND while it is being removed */
  thread: () => DataThread;
  address: Address;
  clock: Clock;
  content: () => Promise<Content>;
  snapshots: CollectionSnapshots;
  /** For archives on their way in. */
  incoming: string;
  quotas: Quotas;
  verifier: Verifier;
}

/** Longer requests travel as bytes; for shorter ones a copy of the text is cheaper than handing over a buffer. */
const TEXT_MAX_BYTES = 64 * 1024;

export function createCollection(place: CollectionPlace): Collection {
  const reads = new ReadBatch(place);
  const collection: Collection = {
    ref: place.ref,
    base(name) {
      assertName('base', name);
      return createBase(place, name, reads);
    },
    drive(name) {
      assertName('drive', name);
      const { address, clock, content, thread } = place;
      return createDrive({ thread, address, clock, content, drive: name, room: roomOf(place) });
    },
    snapshots: place.snapshots,
    contents: async () => place.thread().call(place.address, 'contents'),
    damage: async () => place.thread().call(place.address, 'damageReport'),
    forgetDamage: async () => place.thread().call(place.address, 'damageForget'),
    verify: async () => place.verifier.verify(place.ref),
    usage: async () => place.thread().call(place.address, 'usage'),
    changes: (options) => followChanges(place, options),
    exportArchive: (snapshotId) => exportArchive(place, snapshotId),
    receiveArchive: (source) => receiveArchive({
      collection, folder: place.incoming,
      importItems: async (base, texts, options) => {
        const run = async (): Promise<ImportCounts> => place.thread().call(place.address, 'itemsImport', base, texts, options);
        return options.isRehearsal ? run() : place.quotas.write(place.ref, texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0), run);
      },
    }, source),
  };
  return collection;
}

function roomOf({ quotas, ref }: CollectionPlace): DrivePlace['room'] {
  return { check: () => quotas.check(ref), write: (bytes, write) => quotas.write(ref, bytes, write), loosen: () => quotas.loosen(ref) };
}

function createBase({ thread, address, quotas, ref }: CollectionPlace, base: string, reads: ReadBatch): Base {
  /** What is stored is not much longer than what was sent. */
  const within = <R>(request: JsonText, write: () => Promise<R>): Promise<R> =>
    quotas.write(ref, typeof request === 'string' ? Buffer.byteLength(request) : request.byteLength, write);
  return {
    get: async (key) => thread().call(address, 'itemGet', base, key),
    put: (request) => within(request, async () => thread().call(address, 'itemsPut', base, portable(thread(), request))),
    insert: (request) => within(request, async () => thread().call(address, 'itemInsert', base, portable(thread(), request))),
    update: (key, request) => within(request, async () => thread().call(address, 'itemUpdate', base, key, portable(thread(), request))),
    delete: async (key) => thread().call(address, 'itemDelete', base, key).finally(() => quotas.loosen(ref)),
    query: async (request) => thread().call(address, 'itemsQuery', base, portable(thread(), request)),
    versioned: {
      async get(key) {
        const text = await reads.get(base, key);
        return text === undefined ? undefined : splitVersion(text);
      },
      put: (request, condition) => within(request, async () => thread().call(address, 'versionedPut', base, portable(thread(), request), condition)),
      insert: (request, condition) => within(request, async () => thread().call(address, 'versionedInsert', base, portable(thread(), request), condition)),
      update: (key, request, condition) =>
        within(request, async () => thread().call(address, 'versionedUpdate', base, key, { request: portable(thread(), request), condition })),
      delete: async (key, condition) => thread().call(address, 'versionedDelete', base, key, condition).finally(() => quotas.loosen(ref)),
    },
  };
}

/** @param text `<version>{...}`, one text over the border */
function splitVersion(text: string): Versioned {
  const start = text.indexOf('{');
  return { version: text.slice(0, start), json: text.slice(start) };
}

/** Bytes as text, or in a buffer of their own that is given away: the caller's may be a window on a larger one. */
function portable(thread: DataThread, request: JsonText): JsonText {
  if (typeof request === 'string') return request;
  if (request.byteLength > TEXT_MAX_BYTES) {
    const copy = new Uint8Array(request);
    thread.transfer(copy.buffer);
    return copy;
  }
  if (!isUtf8(request)) throw new SpaceError('BAD_JSON', { reason: 'it is not UTF-8' });
  return Buffer.from(request.buffer, request.byteOffset, request.byteLength).toString();
}
