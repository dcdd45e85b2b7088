// Owns what LevelDB writes into its files about keys: write batches of its logs, edits of its manifest.
// Reads as far as it can: what it is given may be damaged.   @source leveldb 1.20, write_batch.cc, version_edit.cc

/** Reads numbers and texts one after the other; `undefined` once the bytes end or make no sense. */
export class Cursor {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number | undefined {
    return this.#bytes[this.#at++];
  }

  varint(): number | undefined {
    let value = 0;
    for (let factor = 1, digits = 0; digits < 8; factor *= 128, digits += 1) {
      const byte = this.byte();
      if (byte === undefined) return undefined;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return undefined;
  }

  take(length: number | undefined): Buffer | undefined {
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): Buffer | undefined {
    return this.take(this.varint());
  }
}

/** Sequence number and count come before the changes. */
const BATCH_HEADER_BYTES = 12;
const KEYS_MAX = 1000;

/** The keys that a batch changes, up to where it can no longer be read. */
export function keysOfBatch(batch: Buffer): string[] {
  const keys = new Set<string>();
  const cursor = new Cursor(batch, BATCH_HEADER_BYTES);
  while (!cursor.isAtEnd && keys.size < KEYS_MAX) {
    const tag = cursor.byte();
    const key = readableKey(cursor.text());
    if (key === undefined || (tag !== 0 && tag !== 1)) break;
    keys.add(key);
    if (tag === 1 && cursor.text() === undefined) break;
  }
  return [...keys];
}

/** A key as we write them: well-formed text without control characters at its beginning. */
export function readableKey(bytes: Buffer | undefined): string | undefined {
  if (!bytes || bytes.length === 0) return undefined;
  const key = bytes.toString();
  return /^[\x20-\x7e]/.test(key) && !key.includes('\ufffd') ? key : undefined;
}

/** The key of an entry as tables and the manifest have it: sequence and kind follow it. */
export function userKey(internal: Buffer | undefined): string | undefined {
  return internal && internal.length > 8 ? readableKey(internal.subarray(0, -8)) : undefined;
}

export interface TableInfo { number: number; sizeBytes: number; smallest: string | undefined; largest: string | undefined }

/** What a manifest says at its end: which tables make up the Store, and from which log on it has to be replayed. */
export interface ManifestState { tables: Map<number, TableInfo>; logNumber: number }

/** @returns undefined when an edit makes no sense */
export function stateOfEdits(edits: readonly Buffer[]): ManifestState | undefined {
  const state: ManifestState = { tables: new Map(), logNumber: 0 };
  for (const edit of edits) if (!applyEdit(state, new Cursor(edit))) return undefined;
  return state;
}

function applyEdit(state: ManifestState, cursor: Cursor): boolean {
  while (!cursor.isAtEnd) {
    switch (cursor.varint()) {
      case 1: cursor.text(); break; // comparator
      case 2: state.logNumber = cursor.varint() ?? 0; break;
      case 3: case 4: case 9: cursor.varint(); break; // next file, last sequence, previous log
      case 5: cursor.varint(); cursor.text(); break; // compact pointer
      case 6: {
        cursor.varint();
        state.tables.delete(cursor.varint() ?? -1);
        break;
      }
      case 7: {
        cursor.varint();
        const number = cursor.varint();
        const sizeBytes = cursor.varint();
        const smallest = userKey(cursor.text());
        const largest = userKey(cursor.text());
        if (number === undefined || sizeBytes === undefined) return false;
        state.tables.set(number, { number, sizeBytes, smallest, largest });
        break;
      }
      default: return false;
    }
  }
  return true;
}
