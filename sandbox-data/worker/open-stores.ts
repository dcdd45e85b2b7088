// Owns which Stores are open in a data worker: opened on first use, closed when idle or when others need the place.
// A closed one costs nothing but its files.
import { dirname, join } from 'node:path';
import { diskError } from '../disk-error.ts';
import { createFolder } from '../folder.ts';
import { collectionFolder } from '../place.ts';
import { openRecords } from '../records.ts';
import { DamageList } from '../store/damage.ts';
import type { Damage } from '../store/damage.ts';
import { usedBytes } from '../collection-usage.ts';
import { writeUsageMark } from '../usage-mark.ts';
import { closeSnapshotCopy, openSnapshotCopy, settleSnapshots, snapshotFolder } from '../snapshot-files.ts';
import { openLevelStore } from '../store/level.ts';
import type { LevelStoreOptions } from '../store/level.ts';
import { RoomGuard } from '../store/room.ts';
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

/** Of an entry that only keeps others out. */
const NEVER_OPENED = new Promise<never>(() => {});

export class OpenStores {
  readonly #settings: WorkerSettings;
  readonly #warn: (event: string, fields: LogFields) => void;
  readonly #onDamage: (address: Address, damage: Damage) => void;
  readonly #room: RoomGuard;
  readonly #entries = new Map<Address, Entry>();
  readonly #timer: NodeJS.Timeout;

  /** @param onDamage told of each damage once */
  constructor(settings: WorkerSettings, warn: (event: string, fields: LogFields) => void, onDamage: (address: Address, damage: Damage) => void = () => {}) {
    this.#settings = settings;
    this.#warn = warn;
    this.#onDamage = onDamage;
    this.#room = new RoomGuard(settings.folder);
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
    return [...this.#entries.keys()].filter((address) => address !== HOST_ADDRESS && !isSnapshot(address));
  }

  /** Run `run` on the folder of the Collection, whose Store is closed, when the calls on it have ended. Those that come
   *  meanwhile wait, and then open it anew. */
  async whileClosed<R>(address: Address, run: (folder: string) => Promise<R>): Promise<R> {
    for (let held = this.#held(address); held; held = this.#held(address)) await held;
    const entry = this.#entries.get(address) ?? { address, opening: NEVER_OPENED, active: 0, lastUsedMs: performance.now() };
    this.#entries.set(address, entry);
    const work = this.#closeWhenIdle(entry).then(() => run(dirname(storeFolder(this.#settings.folder, address))));
    entry.closing = work.then(() => {}, () => {}).finally(() => this.#forget(entry));
    return work;
  }

  /** As `whileClosed`, but a Store that is open stays so; nothing is read or written meanwhile. */
  async whileStill<R>(address: Address, run: (folder: string) => Promise<R>): Promise<R> {
    for (let held = this.#held(address); held; held = this.#held(address)) await held;
    const entry = this.#entries.get(address);
    if (!entry) return this.whileClosed(address, run);
    const work = this.#idle(entry).then(() => run(dirname(storeFolder(this.#settings.folder, address))));
    entry.closing = work.then(() => {}, () => {}).finally(() => { entry.closing = undefined; });
    return work;
  }

  /** Close once the calls on it have ended; those that come later open it anew. */
  async close(address: Address): Promise<void> {
    for (let held = this.#held(address); held; held = this.#held(address)) await held;
    const entry = this.#entries.get(address);
    if (entry) await this.#closeEntry(entry);
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#entries.keys()].map((address) => this.close(address)));
  }

  /** Set while somebody closes the Store or has it for himself. Look again after waiting: others may have been faster. */
  #held(address: Address): Promise<void> | undefined {
    return this.#entries.get(address)?.closing?.catch(() => {});
  }

  async #enter(address: Address): Promise<Entry> {
    for (let held = this.#held(address); held; held = this.#held(address)) await held;
    let entry = this.#entries.get(address);
    if (!entry) {
      this.#makeRoom();
      entry = { address, opening: this.#open(address), active: 0, lastUsedMs: performance.now() };
      this.#entries.set(address, entry);
      const opened = entry;
      opened.opening.catch(() => { if (!opened.closing) this.#forget(opened); });
    }
    entry.active += 1;
    return entry;
  }

  async #open(address: Address): Promise<OpenCollection> {
    const folder = await this.#prepare(address).catch((error: unknown) => { throw diskError(error); });
    const damage = new DamageList(join(dirname(storeFolder(this.#settings.folder, address)), 'damage.jsonl'));
    const store = await openLevelStore(folder, this.#storeOptions(address, damage));
    const records = await openRecords(store).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    return { records, snapshots: new Map(), damage, tellDamage: (one) => this.#noteDamage(address, damage, one) };
  }

  /** The host's own Store may use the last of the disk: people sign in when it is full. */
  #storeOptions(address: Address, list: DamageList): LevelStoreOptions {
    return {
      ...(address === HOST_ADDRESS ? {} : { room: this.#room }),
      onDamage: (damage) => void this.#noteDamage(address, list, damage),
      onCut: (file, bytes) => this.#warn('store.log-cut', { store: address, file, bytes }),
    };
  }

  /** Tell of damage, unless it is known already. */
  async #noteDamage(address: Address, list: DamageList, damage: Damage): Promise<void> {
    const isNews = isSnapshot(address) || (await list.note(damage));
    if (!isNews) return;
    const { kind, note, file, keys } = damage;
    this.#warn('data.damaged', { store: address, kind, note, file, keyCount: keys.length });
    this.#onDamage(address, damage);
  }

  /** The folder to open: for a snapshot a copy of it, which is thrown away afterwards. */
  async #prepare(address: Address): Promise<string> {
    const folder = storeFolder(this.#settings.folder, address);
    if (isSnapshot(address)) return openSnapshotCopy(folder);
    if (address !== HOST_ADDRESS) await settleSnapshots(dirname(folder));
    await createFolder(folder);
    return folder;
  }

  #closeEntry(entry: Entry): Promise<void> {
    entry.closing ??= this.#closeWhenIdle(entry).finally(() => this.#forget(entry));
    return entry.closing;
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.address) === entry) this.#entries.delete(entry.address);
  }

  async #idle(entry: Entry): Promise<void> {
    if (entry.active > 0) await new Promise<void>((resolve) => { entry.whenIdle = resolve; });
  }

  async #closeWhenIdle(entry: Entry): Promise<void> {
    await this.#idle(entry);
    const collection = entry.opening === NEVER_OPENED ? undefined : await entry.opening.catch(() => undefined);
    if (!collection) return;
    const folder = storeFolder(this.#settings.folder, entry.address);
    const isLive = !isSnapshot(entry.address) && entry.address !== HOST_ADDRESS;
    const bytes = isLive ? await usedBytes(collection.records).catch(() => undefined) : undefined;
    await collection.records.store.close();
    if (bytes !== undefined) await writeUsageMark(folder, bytes).catch(() => {}); // without it the Store is asked
    if (isSnapshot(entry.address)) await closeSnapshotCopy(folder);
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
  const [spaceId = '', collectionId = '', snapshotId] = address.split('/');
  const collection = collectionFolder(folder, { spaceId, collectionId });
  return snapshotId === undefined ? join(collection, 'store') : snapshotFolder(collection, snapshotId);
}

function isSnapshot(address: Address): boolean {
  return address.split('/').length === 3;
}
