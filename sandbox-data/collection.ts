// Owns a Collection as its callers hold it: names are checked, requests travel to its data worker. Never imports a driver.
import { isUtf8 } from 'node:buffer';
import type { Clock } from '../core/clock.ts';
import { SpaceError } from '../core/errors.ts';
import type { Content } from './content.ts';
import type { Base, Collection, CollectionRef, JsonText } from './data.ts';
import { createDrive } from './drive.ts';
import { assertName } from './layout.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

export interface CollectionPlace {
  ref: CollectionRef;
  /** @throws COLLECTION_NOT_FOUND while it is being removed */
  thread: () => DataThread;
  address: Address;
  clock: Clock;
  content: () => Promise<Content>;
}

/** Longer requests travel as bytes; for shorter ones a copy of the text is cheaper than handing over a buffer. */
const TEXT_MAX_BYTES = 64 * 1024;

export function createCollection(place: CollectionPlace): Collection {
  return {
    ref: place.ref,
    base(name) {
      assertName('base', name);
      return createBase(place, name);
    },
    drive(name) {
      assertName('drive', name);
      const { address, clock, content } = place;
      return createDrive({ thread: place.thread, address, clock, content, drive: name });
    },
    contents: async () => place.thread().call(place.address, 'contents'),
  };
}

function createBase({ thread, address }: CollectionPlace, base: string): Base {
  return {
    get: async (key) => thread().call(address, 'itemGet', base, key),
    put: async (request) => thread().call(address, 'itemsPut', base, portable(thread(), request)),
    insert: async (request) => thread().call(address, 'itemInsert', base, portable(thread(), request)),
    update: async (key, request) => thread().call(address, 'itemUpdate', base, key, portable(thread(), request)),
    delete: async (key) => thread().call(address, 'itemDelete', base, key),
    query: async (request) => thread().call(address, 'itemsQuery', base, portable(thread(), request)),
  };
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
