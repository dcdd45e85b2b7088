// Owns the data plane as a whole: its workers, which Collection is pinned to which, and what has to be swept.
// The front door's thread imports this; nothing here may import a Store driver.
import { availableParallelism } from 'node:os';
import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { SpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { BlobScopes, BlobStore } from './blob/blob-store.ts';
import { openFileBlobStore } from './blob/file.ts';
import { createCollection } from './collection.ts';
import { Content } from './content.ts';
import type { Collection, CollectionRef, Data } from './data.ts';
import { diskError, hasErrno } from './disk-error.ts';
import { createFolder } from './folder.ts';
import { collectionFolder, collectionScope, isId } from './place.ts';
import { Quotas } from './quota.ts';
import type { QuotaSource } from './quota.ts';
import { createRemoteStore } from './remote-store.ts';
import { CollectionSnapshots } from './snapshots.ts';
import type { Damage } from './store/damage.ts';
import { RoomGuard } from './store/room.ts';
import { readUsageMark } from './usage-mark.ts';
import { Verifier } from './verifier.ts';
import { DataThread } from './worker/data-thread.ts';
import { HOST_ADDRESS } from './worker/messages.ts';

export interface DataOptions {
  /** The data folder, DATA. */
  folder: string;
  log: Log;
  clock?: Clock;
  /** Where the bytes of Files are kept; default: in each Collection's folder. Whoever opened it closes it. */
  blobs?: BlobScopes;
  /** Data workers; default: one less than the machine's cores, 1 to 4. */
  workers?: number;
  /** Stores of Collections that one worker holds open; the least recently used goes first. Each has up to
   *  8 MB of buffers, when much is written to it. */
  maxOpenStores?: number;
  /** A Store that nobody used for this long is closed. */
  idleMs?: number;
}

/** One that is open takes 60 KB and 4 descriptors at first; opening it again takes ten times as long as a synced write. */
const MAX_OPEN_STORES = 200;
const IDLE_MS = 5 * 60_000;
const SWEEP_EVERY_MS = 60_000;

/** @throws DATA_LOCKED when another host has the folder, STORE_FULL, STORE_UNAVAILABLE */
export async function createData(options: DataOptions): Promise<Data> {
  const data = new DataPlane(options);
  try {
    await data.start();
    return data;
  } catch (error) {
    await data.close();
    throw error;
  }
}

class DataPlane implements Data {
  readonly hostStore;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #blobs: BlobScopes | undefined;
  readonly #room: RoomGuard;
  readonly #threads: DataThread[];
  readonly #contents = new Map<string, Promise<Content>>();
  readonly #snapshots = new Map<string, CollectionSnapshots>();
  readonly #removing = new Set<string>();
  readonly #quotas = new Quotas({ used: (ref) => this.#used(ref), collectionsOf: (spaceId) => this.#collectionsOf(spaceId) });
  readonly #verifier: Verifier;
  /** Background work that `close` waits for. */
  readonly #chores = new Set<Promise<unknown>>();
  #onDamage: (ref: CollectionRef, damage: Damage) => void = () => {};
  #stopSweeping = () => {};

  constructor({ folder, log, blobs, clock = systemClock, workers = workerCount(), maxOpenStores = MAX_OPEN_STORES, idleMs = IDLE_MS }: DataOptions) {
    this.#folder = folder;
    this.#room = new RoomGuard(folder);
    this.#clock = clock;
    this.#log = log;
    this.#blobs = blobs;
    const settings = { folder, maxOpenStores, idleMs };
    this.#threads = Array.from({ length: workers }, () => new DataThread({ settings, clock, log, onDamage: (address, damage) => this.#tellDamage(address, damage) }));
    this.hostStore = createRemoteStore(this.#threads[0]!, HOST_ADDRESS);
    this.#verifier = new Verifier({
      clock, log, list: () => this.#onDisk(), folderOf: (ref) => collectionFolder(folder, ref), areFilesLocal: blobs === undefined,
      placeOf: (ref) => ({ address: addressOf(ref), thread: () => this.#threadOf(addressOf(ref)), content: () => this.#contentOf(ref) }),
    });
  }

  /** Opening the host's Store takes the lock that keeps a second host out. */
  async start(): Promise<void> {
    await this.hostStore.get('t/');
    await rm(this.#incomingFolder(), { recursive: true, force: true });
    this.#chore(rm(this.#removedFolder(), { recursive: true, force: true }), 'data.remove-failed');
    this.#sweepLater();
  }

  collection(ref: CollectionRef): Collection {
    const address = addressOf(ref);
    return createCollection({
      ref: { ...ref }, address, clock: this.#clock,
      thread: () => this.#threadOf(address),
      content: () => this.#contentOf(ref),
      snapshots: this.#snapshotsOf(ref), incoming: this.#incomingFolder(), quotas: this.#quotas, verifier: this.#verifier,
    });
  }

  useQuotas(source: QuotaSource): void {
    this.#quotas.use(source);
  }

  quotaChanged(spaceId: string): void {
    this.#quotas.forget(spaceId);
  }

  spaceUsage(spaceId: string): Promise<Map<string, number>> {
    return this.#quotas.usage(spaceId);
  }

  async #used(ref: CollectionRef): Promise<number> {
    const marked = await readUsageMark(collectionFolder(this.#folder, ref));
    return marked ?? this.#threadOf(addressOf(ref)).call(addressOf(ref), 'usedBytes');
  }

  async #collectionsOf(spaceId: string): Promise<string[]> {
    return namesIn(dirname(collectionFolder(this.#folder, { spaceId, collectionId: 'any' })));
  }

  async #onDisk(): Promise<CollectionRef[]> {
    const spaces = (await namesIn(join(this.#folder, 'spaces'))).filter(isId);
    const found = await Promise.all(spaces.map(async (spaceId) => (await this.#collectionsOf(spaceId)).filter(isId).map((collectionId) => ({ spaceId, collectionId }))));
    return found.flat();
  }

  onDamage(listener: (ref: CollectionRef, damage: Damage) => void): void {
    this.#onDamage = listener;
  }

  /** The host's own records belong to nobody's Collection: the log has those. */
  #tellDamage(address: string, damage: Damage): void {
    if (address !== HOST_ADDRESS) this.#onDamage(refOf(address), damage);
  }

  /** What is there is moved aside at once, so that a kill in between leaves nothing half-deleted in its place. */
  async remove(ref: CollectionRef): Promise<void> {
    const address = addressOf(ref);
    const thread = this.#threadOf(address);
    await this.#snapshotsOf(ref).close();
    this.#removing.add(address);
    try {
      await thread.closeStore(address);
      await this.#contents.get(address)?.catch(() => {});
      this.#contents.delete(address);
      this.#snapshots.delete(address);
      await createFolder(this.#removedFolder());
      const aside = join(this.#removedFolder(), newId('blob'));
      await rename(collectionFolder(this.#folder, ref), aside).catch((error: unknown) => {
        if (!hasErrno(error, 'ENOENT')) throw error; // never written to, or removed by a call that ended before its blobs were
      });
      await rm(aside, { recursive: true, force: true });
      await this.#blobs?.remove(collectionScope(ref));
    } catch (error) {
      throw diskError(error);
    } finally {
      this.#removing.delete(address);
      this.#quotas.forget(ref.spaceId);
    }
  }

  async close(): Promise<void> {
    this.#stopSweeping();
    await this.#verifier.close();
    await Promise.all(this.#chores);
    this.#stopSweeping(); // a sweep that ended meanwhile has set the next
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #threadOf(address: string): DataThread {
    if (this.#removing.has(address)) throw new SpaceError('COLLECTION_NOT_FOUND');
    return this.#threads[hash(address) % this.#threads.length]!;
  }

  #contentOf(ref: CollectionRef): Promise<Content> {
    const address = addressOf(ref);
    const known = this.#contents.get(address);
    if (known) return known;
    if (this.#removing.has(address)) return Promise.reject(new SpaceError('COLLECTION_NOT_FOUND'));
    const snapshots = this.#snapshotsOf(ref);
    const opening = this.#openBlobs(ref).then(async (blobs) => new Content(blobs, await snapshots.exist()));
    this.#contents.set(address, opening);
    opening.then(
      () => this.#chore(snapshots.collect(), 'data.collect-failed'),
      () => this.#contents.delete(address));
    return opening;
  }

  #snapshotsOf(ref: CollectionRef): CollectionSnapshots {
    const address = addressOf(ref);
    let snapshots = this.#snapshots.get(address);
    if (!snapshots) {
      const folder = collectionFolder(this.#folder, ref);
      snapshots = new CollectionSnapshots({ folder, address, clock: this.#clock, thread: () => this.#threadOf(address), content: () => this.#contentOf(ref), onRestored: () => this.#quotas.forget(ref.spaceId) });
      this.#snapshots.set(address, snapshots);
    }
    return snapshots;
  }

  #openBlobs(ref: CollectionRef): Promise<BlobStore> {
    return this.#blobs?.open(collectionScope(ref)) ?? openFileBlobStore(join(collectionFolder(this.#folder, ref), 'blobs'), { room: this.#room });
  }

  /** Not before the last one has ended. */
  #sweepLater(): void {
    this.#stopSweeping = this.#clock.after(SWEEP_EVERY_MS, () => {
      this.#chore(this.#sweep().finally(() => this.#sweepLater()), 'data.sweep-failed');
    });
  }

  /** Open Stores only: nobody misses what is swept later. */
  async #sweep(): Promise<void> {
    for (const thread of this.#threads) {
      for (const address of await thread.openAddresses()) await this.#sweepOne(thread, address);
    }
  }

  async #sweepOne(thread: DataThread, address: string): Promise<void> {
    const { freed } = await thread.call(address, 'sweep');
    this.#quotas.loosen(refOf(address));
    if (freed.length > 0) await (await this.#contentOf(refOf(address))).discard(freed);
  }

  #chore(work: Promise<unknown>, failed: string): void {
    const chore = work.catch((error: unknown) => this.#log.warn(failed, { error })).finally(() => this.#chores.delete(chore));
    this.#chores.add(chore);
  }

  #incomingFolder(): string {
    return join(this.#folder, 'incoming');
  }

  #removedFolder(): string {
    return join(this.#folder, 'removed');
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return [];
    throw diskError(error);
  });
}

function workerCount(): number {
  return Math.min(Math.max(availableParallelism() - 1, 1), 4);
}

function addressOf(ref: CollectionRef): string {
  collectionFolder('', ref); // refuses what is no id
  return `${ref.spaceId}/${ref.collectionId}`;
}

function refOf(address: string): CollectionRef {
  const [spaceId = '', collectionId = ''] = address.split('/');
  return { spaceId, collectionId };
}

/** FNV-1a: which worker a Collection is pinned to. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}
