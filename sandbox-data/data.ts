// Owns the door to everything that a Micro can persist: the data plane as the rest of the host sees it.
// Stores live in data workers; this side only sends requests to them. Knows no HTTP and no Instance.
import type { Readable } from 'node:stream';
import type { ByteRange } from './blob/blob-store.ts';
import type { Damage } from './store/damage.ts';
import type { QuotaSource } from './quota.ts';
import type { Store } from './store/store.ts';

/** JSON as text or as its UTF-8 bytes. It is parsed in the data worker, never on the caller's thread. */
export type JsonText = string | Uint8Array;

export interface CollectionRef { spaceId: string; collectionId: string }

/** Opened on first use; the Store closes by itself when idle. Holding a Collection costs nothing. */
export interface Collection {
  readonly ref: CollectionRef;
  /** @throws NAME_INVALID */
  base(name: string): Base;
  /** @throws NAME_INVALID */
  drive(name: string): Drive;
  /** Names of what has been written to. */
  contents(): Promise<{ bases: string[]; drives: string[] }>;
  /** What is known of damage to what is stored, oldest first. */
  damage(): Promise<DamageReport[]>;
  /** Strike what is known of damage off the list; what is still damaged comes back when it is met. */
  forgetDamage(): Promise<void>;
  /** Read everything, records and content of Files, so that damage is noticed; hold the indexes against the Items.
   *  It happens by itself once a week. */
  verify(): Promise<Verified>;
  readonly snapshots: Snapshots;
  /** A zip of one moment, this one or that of a snapshot: `bases/<name>.json`, `drives/<name>/<path>`, `manifest.json`.
   *  @throws SNAPSHOT_NOT_FOUND */
  exportArchive(snapshotId?: string): Promise<Readable>;
  /** Take such a zip in, also without the manifest. Close what you get. @throws ARCHIVE_INVALID, PAYLOAD_TOO_LARGE, STORE_FULL */
  receiveArchive(source: AsyncIterable<Uint8Array>): Promise<ArchiveImport>;
  /** Exact counts of what is stored, and the indexes that the Bases have. */
  usage(): Promise<CollectionUsage>;
  /** Every change of an Item or File after `after` (default: from now on), in order, without a gap, until `signal` aborts
   *  or the loop ends. Where changes are gone for good (the log is bounded) comes one `resync`: read the data itself, then
   *  go on after its `sequence`. It waits for its reader, who may keep the last sequence and go on there after a restart. */
  changes(options?: { after?: number; signal?: AbortSignal }): AsyncIterable<CollectionChange>;
}

/** kind: somebody asked for it, the host took it before it changed something, or a restore put it aside. Items and Files of
 *  one moment. */
export interface SnapshotInfo { id: string; kind: 'manual' | 'automatic' | 'replaced'; note: string; createdAt: string }

/** Items and Files that were written or deleted after a snapshot, each counted once. With `isMore` there may be others: the
 *  log does not go back that far, or there are too many to count. */
export interface ChangesSince { items: number; files: number; isMore: boolean }

/** Taking and restoring take the same time whatever is stored; writes wait meanwhile. A snapshot costs the space of what
 *  has changed since. */
export interface Snapshots {
  /** Oldest first. */
  list(): Promise<SnapshotInfo[]>;
  /** @param options.id a new one unless it is given; one that is there already under this id is replaced
   *  @throws CONFLICT when there are too many, STORE_FULL */
  create(options?: { note?: string; kind?: 'manual' | 'automatic'; id?: string }): Promise<SnapshotInfo>;
  /** Go back to it. What is there now becomes a snapshot too, so that this can be undone.
   *  @param options.replacedId of that snapshot. Where there is one already, this restore was done before, and is not done again
   *  @throws SNAPSHOT_NOT_FOUND */
  restore(id: string, options?: { replacedId?: string; note?: string }): Promise<{ replaced: SnapshotInfo }>;
  /** What going back to it would undo. @throws SNAPSHOT_NOT_FOUND */
  since(id: string): Promise<ChangesSince>;
  /** @throws SNAPSHOT_NOT_FOUND */
  drop(id: string): Promise<void>;
}

/** An Item (`area: 'base'`) or File that damage hit. `readable`: its record can be read, again or still. */
export interface DamagedThing { area: 'base' | 'drive'; name: string; key: string; state: 'damaged' | 'missing' | 'readable' }

export interface DamageReport {
  at: string;
  kind: 'record' | 'table' | 'log' | 'manifest' | 'blob';
  note: string;
  /** Those whose names could be read. */
  things: DamagedThing[];
  /** Records of the Collection's own besides: of indexes, names, uploads. */
  otherRecords: number;
  /** More may be hit in between, `after` excluded; null: the beginning or the end. */
  range?: Record<'after' | 'upTo', Omit<DamagedThing, 'state'> | null>;
}

export interface Verified {
  damage: DamageReport[];
  indexes: IndexReport;
}

/** `rebuilt`: those that were wrong; they are built anew from now on. `orphans`: entries that belonged to none, and are deleted. */
export interface IndexReport { checked: number; rebuilt: { base: string; field: string }[]; orphans: number }

export interface ImportCounts { added: number; changed: number; unchanged: number }

/** `ignored`: files that are neither of a Base nor of a Drive, the first 100. `isVerified`: a manifest was there, and holds. */
export interface ImportReport {
  bases: ({ name: string } & ImportCounts)[];
  drives: ({ name: string } & ImportCounts)[];
  ignored: string[];
  isVerified: boolean;
}

/** First everything is checked, then what is not there yet is brought in. */
export interface ImportProgress { step: 'check' | 'import'; bytes: number; totalBytes: number }

/** An archive that was taken in. */
export interface ArchiveImport {
  /** Bring it in; what is there already stays. Cut off, it can be done again and goes on. With `isRehearsal` nothing is
   *  written. @throws ARCHIVE_INVALID, STORE_FULL, QUOTA_EXCEEDED */
  run(options?: { isRehearsal?: boolean; onProgress?: (progress: ImportProgress) => void; signal?: AbortSignal }): Promise<ImportReport>;
  /** Throw the archive away. */
  close(): Promise<void>;
}

export interface CollectionUsage {
  /** `bytes`: of the Items' JSON. */
  bases: { name: string; items: number; bytes: number; indexes: IndexInfo[] }[];
  /** `bytes`: of the Files' content. */
  drives: { name: string; files: number; bytes: number }[];
}

/** An automatic index. `field` is a dotted path, `usedAt` the time of the last query that it served. */
export interface IndexInfo { field: string; state: 'building' | 'ready'; usedAt: string }

/** `before` and `after`: the Item, or the record of the File; `null` when there was or is none. */
export type CollectionChange =
  | { kind: 'put' | 'delete' | 'expire'; sequence: number; at: string; area: 'base' | 'drive'; name: string; key: string; before: unknown; after: unknown }
  | { kind: 'resync'; sequence: number };

/** Requests and answers are the JSON of Deta's HTTP API v1, without its HTTP (@source reference ch. 4). */
export interface Base {
  /** The Item's JSON; `undefined` when missing or expired. */
  get(key: string): Promise<string | undefined>;
  /** `{"items":[...]}` -> `{"processed":{"items":[...]}}`. Nothing is stored on a caller error. @throws BASE_BAD_ITEM, TOO_MANY_ITEMS, ITEM_TOO_LARGE */
  put(request: JsonText): Promise<string>;
  /** `{"item":{...}}` -> the Item. @throws BASE_KEY_EXISTS, BASE_BAD_ITEM */
  insert(request: JsonText): Promise<string>;
  /** `{"set","increment","append","prepend","delete"}` -> its echo with `key`. @throws BASE_KEY_NOT_FOUND, BASE_BAD_UPDATE */
  update(key: string, request: JsonText): Promise<string>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  /** `{"query","limit","last","sort"}` -> `{"paging":{...},"items":[...]}`. @throws BASE_BAD_QUERY */
  query(request: JsonText): Promise<string>;
  /** The same, with the Items' versions and writes that depend on them. */
  readonly versioned: VersionedBase;
}

/** An Item's version changes with every write of it and never comes back. Opaque. */
export interface Versioned { json: string; version: string }

/** What must hold of the Item when the write commits: checked and committed as one step. `is`: it exists, with one of these
 *  versions; `isNot`: it does not exist, or with none of them. An expired Item does not exist. */
export interface WriteCondition { is?: 'any' | readonly string[]; isNot?: 'any' | readonly string[] }

/** Each operation writes one Item, whose new version it returns. */
export interface VersionedBase {
  get(key: string): Promise<Versioned | undefined>;
  /** @throws as `Base.put`, BASE_CONDITION_FAILED, BASE_BAD_ITEM for a condition on several Items.
   *  `version` is empty for several Items */
  put(request: JsonText, condition?: WriteCondition): Promise<Versioned>;
  /** @throws as `Base.insert`, BASE_CONDITION_FAILED */
  insert(request: JsonText, condition?: WriteCondition): Promise<Versioned>;
  /** @throws as `Base.update`, BASE_CONDITION_FAILED */
  update(key: string, request: JsonText, condition?: WriteCondition): Promise<Versioned>;
  /** @throws BASE_CONDITION_FAILED */
  delete(key: string, condition?: WriteCondition): Promise<void>;
}

/** `etag` is a quoted, strong validator: it changes with the content. */
export interface FileInfo { name: string; sizeBytes: number; contentType: string; etag: string; modifiedAt: string }

export interface Drive {
  /** Store a File whole; a File of the same name is replaced. An empty `contentType` is guessed from the name.
   *  @throws NAME_INVALID, PAYLOAD_TOO_LARGE, STORE_FULL */
  put(name: string, source: AsyncIterable<Uint8Array>, options?: { contentType?: string; maxBytes?: number }): Promise<FileInfo>;
  head(name: string): Promise<FileInfo | undefined>;
  /** `undefined` when there is no such File. @throws RANGE_NOT_SATISFIABLE, BLOB_NOT_FOUND */
  get(name: string, range?: ByteRange): Promise<{ info: FileInfo; stream: Readable } | undefined>;
  /** Names in byte order; `last` is set only when there are more. Without `recursive` (default true), names
   *  below the next `/` after the prefix appear once, as `folder/` (@source reference 5.3). */
  list(options?: { limit?: number; prefix?: string; last?: string; recursive?: boolean }): Promise<{ names: string[]; last?: string }>;
  delete(names: readonly string[]): Promise<{ deleted: string[]; failed: Record<string, string> }>;
  /** Chunked upload (@source reference 5.4): the File is visible after `completeUpload` only. */
  startUpload(name: string, options?: { contentType?: string }): Promise<{ uploadId: string }>;
  putPart(uploadId: string, name: string, part: number, source: AsyncIterable<Uint8Array>, options?: { contentType?: string; maxBytes?: number }): Promise<void>;
  completeUpload(uploadId: string, name: string): Promise<FileInfo>;
  abortUpload(uploadId: string, name: string): Promise<void>;
}

export interface Data {
  /** The host's own records. */
  readonly hostStore: Store;
  /** @param ref ids come from the host's own records, never from a request */
  collection(ref: CollectionRef): Collection;
  /** `listener` is told of each damage once, when it is met. */
  onDamage(listener: (ref: CollectionRef, damage: Damage) => void): void;
  /** From here on no more is stored than this says; without it there is no limit. */
  useQuotas(source: QuotaSource): void;
  /** The source would say something else now. */
  quotaChanged(spaceId: string): void;
  /** Bytes of the Items and Files of each Collection of a Space, exact. */
  spaceUsage(spaceId: string): Promise<Map<string, number>>;
  /** Close the Collection and delete its folder. */
  remove(ref: CollectionRef): Promise<void>;
  close(): Promise<void>;
}
