// Owns looking for damage in a table file of LevelDB: each of its blocks has a checksum that LevelDB does not check when
// it reads. What is found is told by keys, or by the keys between which the block lies.   @source leveldb 1.20, doc/table_format.md
import { crc32c } from '@node-rs/crc32';
import { uncompress } from 'snappyjs';
import { Cursor, userKey } from './level-batch.ts';
import { unmasked } from './level-log.ts';
import type { Damage } from './damage.ts';

const FOOTER_BYTES = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** Kind of compression, and checksum. */
const TRAILER_BYTES = 5;
const SNAPPY = 1;
/** A block is 4 KB, unless one record is longer. */
const BLOCK_MAX_BYTES = 64 * 1024 * 1024;

interface Handle { offset: number; length: number }
interface Entry { key: Buffer; value: Buffer }

/** @param table the whole file  @param file its name, for the report */
export function inspectTable(table: Buffer, file: string, between: { after?: string; upTo?: string } = {}): Damage[] {
  const index = indexOf(table);
  if (!index) return [{ kind: 'table', file, keys: [], range: between, note: 'The index of a table is damaged: none of its records can be read.' }];
  const found: Damage[] = [];
  let after = between.after;
  for (const entry of index) {
    const upTo = userKey(entry.key);
    const handle = handleOf(new Cursor(entry.value));
    const raw = handle && rawBlock(table, handle);
    if (!raw?.isIntact) found.push({ kind: 'table', file, keys: raw ? keysOf(raw.bytes, raw.kind) : [], range: { after, upTo }, note: 'A block of a table is damaged.' });
    after = upTo ?? after;
  }
  if (!areFiltersIntact(table)) found.push({ kind: 'table', file, keys: [], range: between, note: 'The filter of a table is damaged: a record may not be found by its key.' });
  return found;
}

function indexOf(table: Buffer): Entry[] | undefined {
  return entriesAt(table, handlesOf(table)?.index);
}

function areFiltersIntact(table: Buffer): boolean {
  const filters = entriesAt(table, handlesOf(table)?.filters);
  return filters !== undefined && filters.every(({ value }) => {
    const handle = handleOf(new Cursor(value));
    return handle !== undefined && rawBlock(table, handle)?.isIntact === true;
  });
}

function handlesOf(table: Buffer): { filters: Handle | undefined; index: Handle | undefined } | undefined {
  if (table.length < FOOTER_BYTES || !table.subarray(-8).equals(MAGIC)) return undefined;
  const cursor = new Cursor(table.subarray(-FOOTER_BYTES));
  return { filters: handleOf(cursor), index: handleOf(cursor) };
}

function entriesAt(table: Buffer, handle: Handle | undefined): Entry[] | undefined {
  const raw = handle && rawBlock(table, handle);
  return raw?.isIntact ? entriesOf(contentOf(raw.bytes, raw.kind)) : undefined;
}

function handleOf(cursor: Cursor): Handle | undefined {
  const offset = cursor.varint();
  const length = cursor.varint();
  return offset === undefined || length === undefined ? undefined : { offset, length };
}

function rawBlock(table: Buffer, { offset, length }: Handle): { bytes: Buffer; kind: number; isIntact: boolean } | undefined {
  const end = offset + length + TRAILER_BYTES;
  if (end > table.length) return undefined;
  const isIntact = unmasked(table.readUInt32LE(end - 4)) === crc32c(table.subarray(offset, end - 4));
  return { bytes: table.subarray(offset, offset + length), kind: table[offset + length]!, isIntact };
}

function contentOf(bytes: Buffer, kind: number): Buffer | undefined {
  try {
    return kind === SNAPPY ? Buffer.from(uncompress(bytes, BLOCK_MAX_BYTES)) : bytes;
  } catch {
    return undefined;
  }
}

/** Those that can be made out in a damaged block. */
function keysOf(bytes: Buffer, kind: number): string[] {
  const keys = entriesOf(contentOf(bytes, kind)).map(({ key }) => userKey(key));
  return [...new Set(keys.filter((key) => key !== undefined))];
}

/** Each key is what it has in common with the one before it, and the rest. The block ends with its restart points. */
function entriesOf(block: Buffer | undefined): Entry[] {
  if (!block || block.length < 4) return [];
  const end = block.length - 4 - block.readUInt32LE(block.length - 4) * 4;
  const cursor = new Cursor(block.subarray(0, Math.max(end, 0)));
  const entries: Entry[] = [];
  let previous: Buffer = Buffer.alloc(0);
  while (!cursor.isAtEnd) {
    const [shared, rest, valueLength] = [cursor.varint(), cursor.varint(), cursor.varint()];
    const tail = cursor.take(rest);
    const value = cursor.take(valueLength);
    if (shared === undefined || !tail || !value || shared > previous.length) break;
    previous = Buffer.concat([previous.subarray(0, shared), tail]);
    entries.push({ key: previous, value });
  }
  return entries;
}
