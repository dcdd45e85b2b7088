// Owns a Store whose records are in a data worker: how the host's own records are reached. Never imports a driver.
import type { Store, StoreEntry, StoreRange, StoreReader } from './store/store.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

let nextSnapshot = 1;

export function createRemoteStore(thread: DataThread, address: Address): Store {
  return {
    supports: { snapshots: true, persistent: true },
    ...remoteReader(thread, address),
    batch: (changes, conditions) => thread.call(address, 'storeBatch', changes, conditions),
    async snapshot() {
      const snapshot = nextSnapshot++;
      await thread.call(address, 'storeSnapshot', snapshot);
      return { ...remoteReader(thread, address, snapshot), close: () => thread.call(address, 'storeSnapshotClose', snapshot) };
    },
    close: () => thread.closeStore(address),
  };
}

function remoteReader(thread: DataThread, address: Address, snapshot?: number): StoreReader {
  return {
    get: (key) => thread.call(address, 'storeGet', key, snapshot),
    getMany: (keys) => thread.call(address, 'storeGetMany', keys, snapshot),
    range: (range) => remoteRange((rest) => thread.call(address, 'storeRange', rest, snapshot), range),
  };
}

/** Page by page, so that neither side holds more than one. */
async function* remoteRange(fetchPage: (range: StoreRange) => Promise<{ entries: StoreEntry[]; isMore: boolean }>, range: StoreRange): AsyncGenerator<StoreEntry> {
  let rest = range;
  for (;;) {
    const { entries, isMore } = await fetchPage(rest);
    yield* entries;
    const last = entries.at(-1);
    if (!isMore || !last) return;
    rest = behind(rest, last[0], entries.length);
  }
}

function behind({ gt, gte, lt, lte, reverse, limit }: StoreRange, key: string, seen: number): StoreRange {
  const left = limit === undefined ? undefined : limit - seen;
  return reverse ? { gt, gte, lt: key, reverse, limit: left } : { gt: key, lt, lte, reverse, limit: left };
}
