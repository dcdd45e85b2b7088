// Owns the Store seam: ordered keys, atomic conditional batches, snapshot reads. Knows no Base, no HTTP.

/** One change of a batch. Keys order by their UTF-8 bytes; values are text (JSON, as a rule). */
export type StoreChange =
  | { type: 'put'; key: string; value: string }
  | { type: 'del'; key: string };

/** What must hold when a batch commits; checked and committed as one step. `is: undefined` means absent. */
export interface StoreCondition {
  key: string;
  is: string | undefined;
}

export interface StoreRange {
  gt?: string;
  gte?: string;
  lt?: string;
  lte?: string;
  reverse?: boolean;
  limit?: number;
}

export type StoreEntry = [key: string, value: string];

/** Reads, on a Store as it is now or on a snapshot of it. */
export interface StoreReader {
  /** A missing key gives `undefined`. @throws RECORD_CORRUPT for this key only, STORE_UNAVAILABLE */
  get(key: string): Promise<string | undefined>;
  /** Results in the order of `keys`. */
  getMany(keys: readonly string[]): Promise<(string | undefined)[]>;
  /** Entries in key order. A damaged record ends the iteration with RECORD_CORRUPT, whose `key` detail says
   *  where: go on with `gt` (in reverse `lt`) that key. */
  range(range: StoreRange): AsyncIterable<StoreEntry>;
}

/** The value of a key that the transaction named. @throws RECORD_CORRUPT */
export type ReadValue = (key: string) => string | undefined;

export interface Decision<R> {
  changes: readonly StoreChange[];
  result: R;
}

export interface Store extends StoreReader {
  readonly supports: { readonly snapshots: boolean; readonly persistent: boolean };
  /** All changes or none, durable when the promise resolves.
   *  @throws STORE_CONDITION_FAILED (nothing was written), STORE_FULL, STORE_UNAVAILABLE */
  batch(changes: readonly StoreChange[], conditions?: readonly StoreCondition[]): Promise<void>;
  /** Read `keys`, decide, commit, as one step; durable when the promise resolves. `decide` is synchronous, may run
   *  more than once, and may throw: then nothing is written. Drivers that can do better than the optimistic loop
   *  of `transact.ts` offer this; call it through there.
   *  @throws what `decide` throws, STORE_FULL, STORE_UNAVAILABLE */
  transact?<R>(keys: readonly string[], decide: (read: ReadValue) => Decision<R>): Promise<R>;
  /** A consistent view of this moment. Close it. */
  snapshot(): Promise<StoreReader & { close(): Promise<void> }>;
  /** Look through all that is stored for damage, and tell of it as if it had been met by reading. */
  verify?(): Promise<void>;
  close(): Promise<void>;
}
