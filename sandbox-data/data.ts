// Owns the door to everything that a Micro can persist: the data plane as the rest of the host sees it.
// Stores live in data workers; this side only sends requests to them. Knows no HTTP and no Instance.
import type { Readable } from 'node:stream';
import type { ByteRange } from './blob/blob-store.ts';
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
}

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
  /** Close the Collection and delete its folder. */
  remove(ref: CollectionRef): Promise<void>;
  close(): Promise<void>;
}
