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
  /** Entries in key order. */
  range(range: StoreRange): AsyncIterable<StoreEntry>;
}

export interface Store extends StoreReader {
  readonly supports: { readonly snapshots: boolean; readonly persistent: boolean };
  /** All changes or none, durable when the promise resolves.
   *  @throws STORE_CONDITION_FAILED (nothing was written), STORE_FULL, STORE_UNAVAILABLE */
  batch(changes: readonly StoreChange[], conditions?: readonly StoreCondition[]): Promise<void>;
  /** A consistent view of this moment. Close it. */
  snapshot(): Promise<StoreReader & { close(): Promise<void> }>;
  close(): Promise<void>;
}
