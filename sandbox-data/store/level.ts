// Owns the embedded Store: LevelDB in one folder. Everything that is LevelDB's own stays in this file.
import { readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { ChainedBatch, Iterator, IteratorOptions } from 'classic-level';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { diskError, hasErrno } from '../disk-error.ts';
import { createFolder, syncFolder } from '../folder.ts';
import type { OnDamage } from './damage.ts';
import { GroupCommit } from './group-commit.ts';
import type { ReadOutcome } from './group-commit.ts';
import { intactRange } from './intact.ts';
import { checkBeforeOpen, damageOfTables, repairStore } from './level-repair.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import type { RoomGuard } from './room.ts';
import type { Decision, ReadValue, Store, StoreChange, StoreCondition, StoreEntry, StoreRange, StoreReader } from './store.ts';
import { Slice } from '../turn.ts';

export interface LevelStoreOptions {
  /** Told about all damage that is met: of a record, whose reader gets RECORD_CORRUPT besides; of a block; of a log. */
  onDamage?: OnDamage;
  /** Told of the incomplete record at the end of a log that a kill left; it was never acknowledged. */
  onCut?: (file: string, bytes: number) => void;
  /** Writes are refused with STORE_FULL while less is free on the disk, so that opening and reading go on. */
  room?: RoomGuard;
}

type Database = ClassicLevel<string, string>;
type LevelSnapshot = ReturnType<Database['snapshot']>;
type LevelBatch = ChainedBatch<Database, string, string>;

const MB = 1024 * 1024;
/** Small, since many Stores are open at once; the page cache of the system serves them all. */
const LEVEL_OPTIONS = { cacheSize: 4 * MB, writeBufferSize: 4 * MB, maxFileSize: 4 * MB, maxOpenFiles: 200 };
/** Entries come in chunks of at most this: turning one into texts cannot be interrupted. */
const CHUNK_MAX_BYTES = 64 * 1024;
const CHUNK_MAX_ENTRIES = 1000;
/** Of one unit of a text. */
const UTF8_MAX_BYTES = 3;
/** Room beyond its logs that a Store needs to be opened anew. */
const PROBE_BYTES = 512 * 1024;
/** Tables have an index and filters besides what the log has. */
const TABLE_FACTOR = 1.25;

/** @throws DATA_LOCKED when another process or thread has it open, STORE_FULL, STORE_UNAVAILABLE */
export async function openLevelStore(folder: string, options: LevelStoreOptions = {}): Promise<Store> {
  try {
    await createFolder(folder);
    return new LevelStore(folder, await openDatabase(folder, options), options);
  } catch (error) {
    throw hasErrno(error, 'LEVEL_LOCKED') ? new SpaceError('DATA_LOCKED', { folder }, { cause: error }) : diskError(error);
  }
}

async function openDatabase(folder: string, { onDamage = () => {}, onCut = () => {} }: LevelStoreOptions): Promise<Database> {
  await checkBeforeOpen(folder, { onDamage, onCut });
  const database: Database = new ClassicLevel(folder, LEVEL_OPTIONS);
  try {
    await database.open();
  } catch (error) {
    if (!hasErrno(error, 'LEVEL_CORRUPTION')) throw error;
    await repairStore(folder, 'It could not be opened.', onDamage);
    await database.open();
  }
  // LevelDB renames CURRENT and makes the next log without it.
  await syncFolder(folder).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  return database;
}

class LevelStore implements Store {
  readonly supports = { snapshots: true, persistent: true } as const;
  readonly #folder: string;
  readonly #options: LevelStoreOptions;
  readonly #commits: GroupCommit;
  #database: Database;
  #state: 'open' | 'writeFailed' | 'closed' = 'open';
  #reopening: Promise<void> | undefined;
  #inspection: Promise<void> | undefined;

  constructor(folder: string, database: Database, options: LevelStoreOptions) {
    this.#folder = folder;
    this.#database = database;
    this.#options = options;
    this.#commits = new GroupCommit({ read: (keys) => this.#readOutcomes(keys), write: (changes) => this.#write(changes) });
  }

  async get(key: string, snapshot?: LevelSnapshot): Promise<string | undefined> {
    if (!this.#isReady()) await this.#reopen();
    let framed: string | undefined;
    try {
      framed = readNow(this.#database, key, snapshot);
    } catch (error) {
      throw this.#readError(error, key);
    }
    return framed === undefined ? undefined : this.#decode(key, framed);
  }

  getMany(keys: readonly string[], snapshot?: LevelSnapshot): Promise<(string | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key, snapshot)));
  }

  async *range(range: StoreRange, snapshot?: LevelSnapshot): AsyncGenerator<StoreEntry> {
    if (!this.#isReady()) await this.#reopen();
    const bounds = definedOnly(range);
    const seen: { key?: string; count: number } = { count: 0 };
    try {
      yield* this.#entries(bounds, { snapshot, chunk: CHUNK_MAX_ENTRIES, seen });
    } catch (error) {
      if (!isSpaceError(error, 'RECORD_CORRUPT') || error.details['key'] !== undefined) throw error;
      // A block that cannot be read took the rest of its chunk with it. One by one, all others come before the error.
      yield* this.#entries(behind(bounds, seen), { snapshot, chunk: 1, seen });
    }
  }

  async *#entries(range: StoreRange, { snapshot, chunk: size, seen }: { snapshot?: LevelSnapshot; chunk: number; seen: { key?: string; count: number } }): AsyncGenerator<StoreEntry> {
    const iterator = this.#iterate({ ...range, highWaterMarkBytes: CHUNK_MAX_BYTES, ...(snapshot && { snapshot }) });
    try {
      for (;;) {
        const chunk = await iterator.nextv(size).catch((error: unknown) => { throw this.#readError(error); });
        if (chunk.length === 0) return;
        let length = 0;
        for (const [key, framed] of chunk) {
          seen.key = key;
          seen.count += 1;
          length += key.length + framed.length;
          yield [key, this.#decode(key, framed)];
        }
        // Neither full nor long: the range has ended, and asking again would be a trip to the thread pool for nothing.
        if (chunk.length < size && length * UTF8_MAX_BYTES < CHUNK_MAX_BYTES) return;
      }
    } finally {
      await iterator.close();
    }
  }

  batch(changes: readonly StoreChange[], conditions: readonly StoreCondition[] = []): Promise<void> {
    return this.transact(conditions.map(({ key }) => key), (read) => {
      if (conditions.some(({ key, is }) => read(key) !== is)) throw new SpaceError('STORE_CONDITION_FAILED');
      return { changes, result: undefined };
    });
  }

  async transact<R>(keys: readonly string[], decide: (read: ReadValue) => Decision<R>): Promise<R> {
    if (this.#state === 'closed') throw new SpaceError('STORE_UNAVAILABLE');
    return this.#commits.transact(keys, (read) => {
      const decision = decide(read);
      decision.changes.forEach(assertWellFormed);
      return decision;
    });
  }

  async snapshot(): Promise<StoreReader & { close(): Promise<void> }> {
    if (!this.#isReady()) await this.#reopen();
    const snapshot = this.#takeSnapshot();
    return {
      get: (key) => this.get(key, snapshot),
      getMany: (keys) => this.getMany(keys, snapshot),
      range: (range) => this.range(range, snapshot),
      close: () => snapshot.close(),
    };
  }

  async verify(): Promise<void> {
    this.#inspection = undefined;
    await this.#inspect();
    for await (const _ of intactRange(this, {})) { /* reading is looking */ }
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#commits.settled();
    await this.#database.close();
  }

  #iterate(options: IteratorOptions<string, string>): Iterator<Database, string, string> {
    try {
      return this.#database.iterator(options);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #takeSnapshot(): LevelSnapshot {
    try {
      return this.#database.snapshot();
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #decode(key: string, framed: string): string {
    const payload = decodeRecord(key, framed);
    if (payload === undefined) throw this.#corrupt(key);
    return payload;
  }

  #corrupt(key: string, cause?: unknown): SpaceError {
    this.#options.onDamage?.({ kind: 'record', keys: [key], note: 'A record is damaged.' });
    return new SpaceError('RECORD_CORRUPT', { key }, { cause });
  }

  #readError(error: unknown, key?: string): SpaceError {
    if (!hasErrno(error, 'LEVEL_CORRUPTION')) return diskError(error);
    void this.#inspect();
    return key === undefined ? new SpaceError('RECORD_CORRUPT', {}, { cause: error }) : this.#corrupt(key, error);
  }

  /** LevelDB does not say which block it could not read. */
  #inspect(): Promise<void> {
    this.#inspection ??= damageOfTables(this.#folder).then((found) => found.forEach((one) => this.#options.onDamage?.(one)), () => {});
    return this.#inspection;
  }

  async #readOutcomes(keys: readonly string[]): Promise<ReadOutcome[]> {
    const outcomes: ReadOutcome[] = [];
    const slice = new Slice();
    for (const key of keys) {
      outcomes.push(await this.get(key).then((value) => ({ value }), (error: unknown) => ({ error })));
      if (slice.isOver()) await slice.next();
    }
    return outcomes;
  }

  async #write(changes: StoreChange[]): Promise<void> {
    try {
      if (this.#state === 'writeFailed') {
        await probeRoom(this.#folder);
        await this.#reopen();
      }
      await this.#options.room?.assertRoomFor(changes);
      const batch = await this.#fill(this.#database.batch(), changes);
      await batch.write({ sync: true });
    } catch (error) {
      if (isSpaceError(error, 'STORE_FULL')) throw error; // refused before anything was written
      // After a failed write or sync nobody knows what the log holds: only opening it anew tells.
      if (this.#state === 'open') this.#state = 'writeFailed';
      throw diskError(error);
    }
  }

  async #fill(batch: LevelBatch, changes: readonly StoreChange[]): Promise<LevelBatch> {
    const slice = new Slice();
    for (const change of changes) {
      if (change.type === 'put') batch.put(change.key, encodeRecord(change.key, change.value));
      else batch.del(change.key);
      if (slice.isOver()) await slice.next();
    }
    return batch;
  }

  /** False while, or after, an attempt to open the database anew has not succeeded. */
  #isReady(): boolean {
    return !this.#reopening && (this.#database.status === 'open' || this.#state === 'closed');
  }

  #reopen(): Promise<void> {
    this.#reopening ??= this.#replaceDatabase().finally(() => { this.#reopening = undefined; });
    return this.#reopening;
  }

  async #replaceDatabase(): Promise<void> {
    try {
      await this.#database.close();
      this.#database = await openDatabase(this.#folder, this.#options);
      if (this.#state === 'writeFailed') this.#state = 'open';
    } catch (error) {
      throw diskError(error);
    }
  }
}

/** What is left of a range behind what was seen of it. */
function behind({ gt, gte, lt, lte, reverse, limit }: StoreRange, { key, count }: { key?: string; count: number }): StoreRange {
  const left = limit === undefined ? {} : { limit: limit - count };
  if (key === undefined) return definedOnly({ gt, gte, lt, lte, reverse, ...left });
  return definedOnly(reverse ? { gt, gte, lt: key, reverse, ...left } : { gt: key, lt, lte, reverse, ...left });
}

function definedOnly(range: StoreRange): StoreRange {
  return Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined));
}

/** The synchronous call spares a trip to the thread pool, which costs more than the read itself.
 *  It may cut a text key in the middle of a character (classic-level 3.0.0), so such keys go as bytes. */
function readNow(database: Database, key: string, snapshot?: LevelSnapshot): string | undefined {
  if (Buffer.byteLength(key) === key.length) return snapshot ? database.getSync(key, { snapshot }) : database.getSync(key);
  return database.getSync<Buffer, string>(Buffer.from(key), { keyEncoding: 'buffer', valueEncoding: 'utf8', snapshot });
}

/** Readers keep the old database until it is clear that there is room to open a new one, which writes all of its
 *  logs into tables. The free space may be another's (a quota), so a little is written too. */
async function probeRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < (await logBytes(folder)) * TABLE_FACTOR + PROBE_BYTES) throw new SpaceError('STORE_FULL');
  const path = join(folder, 'room.probe');
  try {
    await writeFile(path, Buffer.alloc(PROBE_BYTES), { flush: true });
  } finally {
    await rm(path, { force: true });
  }
}

async function logBytes(folder: string): Promise<number> {
  const logs = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(logs.map((name) => stat(join(folder, name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** LevelDB would store the replacement character instead, so two keys could become one. */
function assertWellFormed(change: StoreChange): void {
  if (change.key === '' || !change.key.isWellFormed()) throw new TypeError('a key is a non-empty well-formed string');
  if (change.type === 'put' && !change.value.isWellFormed()) throw new TypeError('a value is a well-formed string');
}
