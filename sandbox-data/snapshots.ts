// Owns the snapshots of one Collection as its callers hold them: take, list, restore, drop, and which blobs they keep.
// Lives on the caller's thread; the Store's part of the work is done in its data worker.
import { SpaceError } from '../core/errors.ts';
import { isoTime } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { newId } from '../core/ids.ts';
import type { Content } from './content.ts';
import type { ChangesSince, SnapshotInfo, Snapshots } from './data.ts';
import { diskError } from './disk-error.ts';
import { dropSnapshot, listSnapshots } from './snapshot-files.ts';
import type { SnapshotRecord } from './snapshot-files.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

type Draft = Pick<SnapshotRecord, 'id' | 'kind' | 'note'>;

export interface SnapshotPlace {
  /** Of the Collection. */
  folder: string;
  address: Address;
  clock: Clock;
  thread: () => DataThread;
  content: () => Promise<Content>;
  /** Other Items and Files are there now. */
  onRestored: () => void;
}

/** Each keeps what it needs on the disk; nobody looks through more. */
export const SNAPSHOTS_MAX = 500;
/** What a restore puts aside has a place also when all others are taken: going back must not fail for that. */
const REPLACED_MAX = SNAPSHOTS_MAX + 100;
/** Changes that are looked through to say what going back would undo. */
const COUNTED_MAX = 5000;
const COUNT_PAGE = 500;
const NOTE_MAX_LENGTH = 500;

export class CollectionSnapshots implements Snapshots {
  readonly #place: SnapshotPlace;
  /** Held by an export of this process. */
  readonly #passing = new Set<string>();
  /** Blob -> a snapshot that is known to need it, which is so as long as that exists. */
  readonly #neededBy = new Map<string, string>();
  /** One thing at a time: what decides that nobody needs a blob must not meet a restore. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(place: SnapshotPlace) {
    this.#place = place;
  }

  async list(): Promise<SnapshotInfo[]> {
    return (await this.#records()).filter(({ kind }) => kind !== 'passing').map(infoOf);
  }

  async create({ note = '', kind = 'manual', id = newId('snapshot') }: { note?: string; kind?: 'manual' | 'automatic'; id?: string } = {}): Promise<SnapshotInfo> {
    if (await this.#isThere(id)) await this.#drop(id);
    return infoOf(await this.#take({ id, kind, note }));
  }

  async restore(id: string, { replacedId = newId('snapshot'), note }: { replacedId?: string; note?: string } = {}): Promise<{ replaced: SnapshotInfo }> {
    const content = await this.#place.content();
    return this.#alone(async () => {
      await this.#place.thread().settleSnapshots(this.#place.address);
      const records = await this.#records();
      const done = records.find((record) => record.id === replacedId);
      if (done) return { replaced: infoOf(done) };
      const wanted = records.find((record) => record.id === id);
      if (!wanted) throw new SpaceError('SNAPSHOT_NOT_FOUND');
      const replaced = await this.#record({ id: replacedId, kind: 'replaced', note: note ?? `Before going back to ${wanted.createdAt}` });
      await content.freeze(() => this.#place.thread().restoreSnapshot(this.#place.address, id, replaced));
      this.#place.onRestored();
      return { replaced: infoOf(replaced) };
    });
  }

  since(id: string): Promise<ChangesSince> {
    const { address, thread } = this.#place;
    return this.hold(id, async (held) => {
      const seen = { base: new Set<string>(), drive: new Set<string>() };
      let sequence = await thread().call(held, 'changesLast');
      for (let counted = 0; counted < COUNTED_MAX; ) {
        const { changes, last, resync } = await thread().call(address, 'changesRead', sequence, COUNT_PAGE);
        if (resync) return { items: 0, files: 0, isMore: true };
        for (const { area, name, key } of changes) seen[area].add(JSON.stringify([name, key]));
        counted += changes.length;
        sequence = changes.at(-1)?.sequence ?? sequence;
        if (sequence >= last || changes.length === 0) return { items: seen.base.size, files: seen.drive.size, isMore: false };
      }
      return { items: seen.base.size, files: seen.drive.size, isMore: true };
    });
  }

  async drop(id: string): Promise<void> {
    await this.#assertThere(id);
    await this.#drop(id);
    await this.collect();
  }

  /** Hold this moment, or a snapshot that exists, while `use` reads it at the address that it is given. */
  async hold<R>(id: string | undefined, use: (address: Address) => Promise<R>): Promise<R> {
    if (id !== undefined) await this.#assertThere(id);
    const held = id ?? (await this.#take({ id: newId('snapshot'), kind: 'passing', note: '' })).id;
    const address = `${this.#place.address}/${held}`;
    try {
      return await use(address);
    } finally {
      await this.#place.thread().closeStore(address).catch(() => {});
      if (id === undefined) await this.#drop(held).finally(() => this.#passing.delete(held));
    }
  }

  /** Delete the blobs that neither the Collection nor a snapshot of it refers to. */
  async collect(): Promise<number> {
    for (const { id } of (await this.#records()).filter(({ kind, id }) => kind === 'passing' && !this.#passing.has(id))) await this.#drop(id);
    const content = await this.#place.content();
    return content.collect((blobs) => this.#alone(() => this.#unneeded(blobs)));
  }

  /** Whether there are any, so that blobs may be needed that no record refers to. */
  async exist(): Promise<boolean> {
    return (await this.#records()).length > 0;
  }

  /** Let go of the files, so that the Collection's folder can be removed. */
  async close(): Promise<void> {
    const { address, thread } = this.#place;
    await this.#alone(async () => {
      for (const { id } of await this.#records()) await thread().closeStore(`${address}/${id}`);
    });
  }

  async #take(draft: Draft): Promise<SnapshotRecord> {
    if (draft.note.length > NOTE_MAX_LENGTH) throw new SpaceError('INVALID_FIELD', { field: 'note', reason: `has ${NOTE_MAX_LENGTH} characters at most` });
    const content = await this.#place.content();
    return this.#alone(async () => {
      const record = await this.#record(draft);
      if (record.kind === 'passing') this.#passing.add(record.id);
      await content.freeze(() => this.#place.thread().takeSnapshot(this.#place.address, record));
      return record;
    });
  }

  async #drop(id: string): Promise<void> {
    const { folder, address, thread, content } = this.#place;
    await this.#alone(async () => {
      await thread().closeStore(`${address}/${id}`);
      await dropSnapshot(folder, id).catch((error: unknown) => { throw diskError(error); });
      (await content()).setHasSnapshots(await this.exist());
    });
  }

  /** The Collection is asked first: what it does not refer to, only a snapshot that exists by then can bring back. */
  async #unneeded(blobs: string[]): Promise<string[]> {
    const { address, thread } = this.#place;
    const unreferred = await thread().call(address, 'blobsUnreferred', blobs);
    const snapshots = await this.#records();
    let left = unreferred.filter((blob) => !snapshots.some(({ id }) => id === this.#neededBy.get(blob)));
    for (const { id } of snapshots.toReversed()) {
      if (left.length === 0) break;
      const unneeded = new Set(await thread().call(`${address}/${id}`, 'blobsUnreferred', left));
      for (const blob of left) if (!unneeded.has(blob)) this.#neededBy.set(blob, id);
      left = [...unneeded];
      if (!this.#passing.has(id)) await thread().closeStore(`${address}/${id}`);
    }
    for (const blob of left) this.#neededBy.delete(blob);
    return left;
  }

  async #record(draft: Draft): Promise<SnapshotRecord> {
    const records = await this.#records();
    if (records.length >= (draft.kind === 'replaced' ? REPLACED_MAX : SNAPSHOTS_MAX)) throw new SpaceError('CONFLICT', { reason: `There are ${SNAPSHOTS_MAX} snapshots already. Drop one first.` });
    return { ...draft, number: (records.at(-1)?.number ?? 0) + 1, createdAt: isoTime(this.#place.clock.now()) };
  }

  async #records(): Promise<SnapshotRecord[]> {
    return listSnapshots(this.#place.folder).catch((error: unknown) => { throw diskError(error); });
  }

  async #isThere(id: string): Promise<boolean> {
    return (await this.#records()).some((record) => record.id === id);
  }

  async #assertThere(id: string): Promise<void> {
    if (!(await this.#isThere(id))) throw new SpaceError('SNAPSHOT_NOT_FOUND');
  }

  #alone<R>(run: () => Promise<R>): Promise<R> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function infoOf({ id, kind, note, createdAt }: SnapshotRecord): SnapshotInfo {
  return { id, kind: kind === 'passing' ? 'manual' : kind, note, createdAt };
}
