// Owns which Stores are open in a data worker: opened on first use, closed when idle or when others need the place.
// A closed one costs nothing but its files.
import { join } from 'node:path';
import { createFolder } from '../folder.ts';
import { collectionFolder } from '../place.ts';
import { openRecords } from '../records.ts';
import { openLevelStore } from '../store/level.ts';
import type { LogFields } from '../../core/log.ts';
import { HOST_ADDRESS } from './messages.ts';
import type { Address, WorkerSettings } from './messages.ts';
import type { OperationContext } from './operations.ts';

export type OpenCollection = Omit<OperationContext, 'nowMs'>;

interface Entry {
  address: Address;
  opening: Promise<OpenCollection>;
  /** Calls that use it right now. */
  active: number;
  lastUsedMs: number;
  closing?: Promise<void>;
  whenIdle?: () => void;
}

export class OpenStores {
  readonly #settings: WorkerSettings;
  readonly #warn: (event: string, fields: LogFields) => void;
  readonly #entries = new Map<Address, Entry>();
  readonly #timer: NodeJS.Timeout;

  constructor(settings: WorkerSettings, warn: (event: string, fields: LogFields) => void) {
    this.#settings = settings;
    this.#warn = warn;
    this.#timer = setInterval(() => this.#closeIdle(), Math.max(settings.idleMs / 4, 10));
    this.#timer.unref();
  }

  /** Run `use` while the Store at `address` is held open. */
  async use<R>(address: Address, use: (collection: OpenCollection) => Promise<R>): Promise<R> {
    const entry = await this.#enter(address);
    try {
      return await use(await entry.opening);
    } finally {
      entry.active -= 1;
      entry.lastUsedMs = performance.now();
      if (entry.active === 0) entry.whenIdle?.();
    }
  }

  /** Addresses of the open Stores of Collections. */
  addresses(): Address[] {
    return [...this.#entries.keys()].filter((address) => address !== HOST_ADDRESS);
  }

  /** Close once the calls on it have ended; those that come later open it anew. */
  async close(address: Address): Promise<void> {
    const entry = this.#entries.get(address);
    if (entry) await this.#closeEntry(entry);
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#entries.values()].map((entry) => this.#closeEntry(entry)));
  }

  async #enter(address: Address): Promise<Entry> {
    let entry = this.#entries.get(address);
    while (entry?.closing) {
      await entry.closing;
      entry = this.#entries.get(address);
    }
    if (!entry) {
      this.#makeRoom();
      entry = { address, opening: this.#open(address), active: 0, lastUsedMs: performance.now() };
      this.#entries.set(address, entry);
      entry.opening.catch(() => this.#entries.delete(address));
    }
    entry.active += 1;
    return entry;
  }

  async #open(address: Address): Promise<OpenCollection> {
    const folder = storeFolder(this.#settings.folder, address);
    await createFolder(folder);
    const store = await openLevelStore(folder, { onCorrupt: () => this.#warn('record.corrupt', { store: address }) });
    return { records: await openRecords(store), snapshots: new Map() };
  }

  #closeEntry(entry: Entry): Promise<void> {
    entry.closing ??= this.#closeWhenIdle(entry).finally(() => {
      if (this.#entries.get(entry.address) === entry) this.#entries.delete(entry.address);
    });
    return entry.closing;
  }

  async #closeWhenIdle(entry: Entry): Promise<void> {
    if (entry.active > 0) await new Promise<void>((resolve) => { entry.whenIdle = resolve; });
    const collection = await entry.opening.catch(() => undefined);
    await collection?.records.store.close();
  }

  #closeIdle(): void {
    const limit = performance.now() - this.#settings.idleMs;
    for (const entry of this.#closeable()) if (entry.lastUsedMs < limit) this.#closeInBackground(entry);
  }

  /** Over the cap the least recently used one goes. When all are busy there are more open than the cap for a while. */
  #makeRoom(): void {
    const isOpen = [...this.#entries.values()].filter((entry) => !entry.closing && entry.address !== HOST_ADDRESS);
    if (isOpen.length < this.#settings.maxOpenStores) return;
    const oldest = this.#closeable().toSorted((left, right) => left.lastUsedMs - right.lastUsedMs)[0];
    if (oldest) this.#closeInBackground(oldest);
  }

  #closeable(): Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.active === 0 && !entry.closing && entry.address !== HOST_ADDRESS);
  }

  #closeInBackground(entry: Entry): void {
    this.#closeEntry(entry).catch((error: unknown) => this.#warn('store.close-failed', { store: entry.address, error }));
  }
}

function storeFolder(folder: string, address: Address): string {
  if (address === HOST_ADDRESS) return join(folder, 'host');
  const [spaceId = '', collectionId = ''] = address.split('/');
  return join(collectionFolder(folder, { spaceId, collectionId }), 'store');
}
