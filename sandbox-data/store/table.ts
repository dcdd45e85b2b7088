// Owns typed records with secondary keys on top of a Store: how the host keeps Spaces, Projects, Instances and the like.
// Knows no record type. Every write of a table is one conditional batch, and several tables can share one.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { intactRange } from './intact.ts';
import type { Store, StoreChange, StoreCondition } from './store.ts';

/** How records can be found besides their id. A unique one also refuses a second record of the same value.
 *  `order` sorts the records of one value by that text, then by id; where it changes, no list goes on `after` a record. */
export type TableIndexes<T> = Record<string, {
  of: (record: T) => string | undefined; unique?: boolean; order?: (record: T) => string;
}>;

/** A part of a batch: put several together and commit them with `commit`. */
export interface Write {
  changes: StoreChange[];
  conditions: StoreCondition[];
}

export interface ListOptions {
  /** Only records whose index has this value. */
  by?: { index: string; value: string };
  /** Start after the record of this id (in id order or the index's order, or the reverse of it). */
  after?: string;
  reverse?: boolean;
  limit?: number;
}

export interface Table<T extends { id: string }> {
  get(id: string): Promise<T | undefined>;
  /** The record whose unique index has this value. */
  find(index: string, value: string): Promise<T | undefined>;
  /** Records in id order, or in the order of the index. */
  list(options?: ListOptions): Promise<T[]>;
  /** @throws STORE_CONDITION_FAILED when the id or a unique value is taken */
  insert(record: T): Promise<void>;
  /** Read, change, write; repeated when somebody else was faster. `change` returning undefined leaves it as it is.
   *  @returns the record as it is now; undefined when there is none */
  update(id: string, change: (record: T) => T | undefined): Promise<T | undefined>;
  /** @returns what was deleted */
  delete(id: string): Promise<T | undefined>;
  insertWrite(record: T): Write;
  /** Valid only while `before` is what is stored. */
  replaceWrite(before: T, after: T): Write;
  deleteWrite(record: T): Write;
}

const ATTEMPTS = 20;

export function createTable<T extends { id: string }>(store: Store, name: string, indexes: TableIndexes<T> = {}): Table<T> {
  const recordKey = (id: string): string => `t/${name}/${id}`;
  const uniqueKey = (index: string, value: string): string => `u/${name}/${index}/${value}`;
  const indexPrefix = (index: string, value: string): string => `i/${name}/${index}/${value}\0`;

  /** Index entries of a record: key -> the value stored there. */
  function entries(record: T): Map<string, { value: string; unique: boolean }> {
    const found = new Map<string, { value: string; unique: boolean }>();
    for (const [index, { of, unique = false }] of Object.entries(indexes)) {
      const value = of(record);
      if (value === undefined) continue;
      const key = unique ? uniqueKey(index, value) : indexPrefix(index, value) + place(index, record);
      found.set(key, { value: record.id, unique });
    }
    return found;
  }

  /** Where a record stands among those of the same index value. */
  function place(index: string, record: T): string {
    const order = indexes[index]?.order;
    return order ? `${order(record)}\0${record.id}` : record.id;
  }

  async function placeOf(index: string | undefined, id: string): Promise<string> {
    if (index === undefined || !indexes[index]?.order) return id;
    const record = await get(id);
    return record ? place(index, record) : id;
  }

  function insertWrite(record: T): Write {
    const write: Write = {
      changes: [{ type: 'put', key: recordKey(record.id), value: JSON.stringify(record) }],
      conditions: [{ key: recordKey(record.id), is: undefined }],
    };
    for (const [key, { value, unique }] of entries(record)) {
      write.changes.push({ type: 'put', key, value });
      if (unique) write.conditions.push({ key, is: undefined });
    }
    return write;
  }

  function replaceWrite(before: T, after: T): Write {
    if (before.id !== after.id) throw new TypeError('a record keeps its id');
    const old = entries(before);
    const fresh = entries(after);
    const write: Write = {
      changes: [{ type: 'put', key: recordKey(after.id), value: JSON.stringify(after) }],
      conditions: [{ key: recordKey(before.id), is: JSON.stringify(before) }],
    };
    for (const key of old.keys()) if (!fresh.has(key)) write.changes.push({ type: 'del', key });
    for (const [key, { value, unique }] of fresh) {
      if (old.has(key)) continue;
      write.changes.push({ type: 'put', key, value });
      if (unique) write.conditions.push({ key, is: undefined });
    }
    return write;
  }

  function deleteWrite(record: T): Write {
    const keys = [recordKey(record.id), ...entries(record).keys()];
    return {
      changes: keys.map((key) => ({ type: 'del', key })),
      conditions: [{ key: recordKey(record.id), is: JSON.stringify(record) }],
    };
  }

  async function get(id: string): Promise<T | undefined> {
    const text = await store.get(recordKey(id));
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async function list(options: ListOptions = {}): Promise<T[]> {
    const prefix = options.by ? indexPrefix(options.by.index, options.by.value) : `t/${name}/`;
    const end = `${prefix}\u{10ffff}`;
    const after = options.after === undefined ? undefined : await placeOf(options.by?.index, options.after);
    const range = options.reverse
      ? { gte: prefix, lt: after === undefined ? end : prefix + after }
      : { gt: prefix + (after ?? ''), lt: end };
    const records: T[] = [];
    const ids: string[] = [];
    for await (const [, value] of intactRange(store, { ...range, reverse: options.reverse, limit: options.limit })) {
      if (options.by) ids.push(value);
      else records.push(JSON.parse(value) as T);
    }
    if (!options.by) return records;
    const found = await Promise.all(ids.map((id) => get(id).catch(undefinedIfCorrupt)));
    return found.filter((record) => record !== undefined);
  }

  return {
    get,
    list,
    insertWrite,
    replaceWrite,
    deleteWrite,
    async find(index, value) {
      const id = await store.get(uniqueKey(index, value));
      return id === undefined ? undefined : get(id);
    },
    insert: (record) => commit(store, insertWrite(record)),
    update: (id, change) => contended(async () => {
      const before = await get(id);
      const after = before && change(structuredClone(before));
      if (!before || !after) return before;
      await commit(store, replaceWrite(before, after));
      return after;
    }),
    delete: (id) => contended(async () => {
      const record = await get(id);
      if (record) await commit(store, deleteWrite(record));
      return record;
    }),
  };
}

function undefinedIfCorrupt(error: unknown): undefined {
  if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
}

/** Read, change and write, again while somebody else is faster. @throws STORE_CONDITION_FAILED when that has no end */
export async function contended<R>(attempt: () => Promise<R>): Promise<R> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isSpaceError(error, 'STORE_CONDITION_FAILED') || count === ATTEMPTS) throw error;
    }
  }
}

/** Commit several Writes as one batch. @throws STORE_CONDITION_FAILED */
export async function commit(store: Store, ...writes: Write[]): Promise<void> {
  const changes = writes.flatMap((write) => write.changes);
  const conditions = writes.flatMap((write) => write.conditions);
  if (new Set(changes.map((change) => change.key)).size !== changes.length) {
    throw new SpaceError('STORE_CONDITION_FAILED');
  }
  await store.batch(changes, conditions);
}
