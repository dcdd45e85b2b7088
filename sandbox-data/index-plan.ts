// Owns how a query finds its Items through indexes: candidates in key order, which may match. Whoever asks looks at the
// Items themselves. Lives in a data worker.
import { isSpaceError } from '../core/errors.ts';
import { betweenTexts, CONTAINER_TAGS, equalityText, memberText, prefixTexts, startingWith } from './index-value.ts';
import type { TextRange } from './index-value.ts';
import { indexesOf, keyOfEntry } from './index-records.ts';
import type { IndexRecord } from './index-records.ts';
import { indexPrefix, itemKey } from './layout.ts';
import { isWithin, storeRange } from './key-range.ts';
import type { Query, Term } from './query.ts';
import type { Records } from './records.ts';
import type { StoreEntry, StoreReader } from './store/store.ts';
import { compareText } from './text-order.ts';

/** Entries of an index that a term asks for. `text`: all of them have this one, so they are in the order of their keys. */
interface Source { index: IndexRecord; ranges: TextRange[]; text?: string }

export interface Plan {
  indexes: IndexRecord[];
  /** Records of the candidates in the query's order, as a scan gives them. @throws IndexDamage */
  entries: AsyncIterable<StoreEntry>;
}

/** An index could not be read; the Items could. */
export class IndexDamage extends Error {
  readonly index: IndexRecord;

  constructor(index: IndexRecord, cause: unknown) {
    super('a damaged index', { cause });
    this.index = index;
  }
}

/** Which terms an index can answer. */
export function isIndexable({ operator, operand }: Term): boolean {
  switch (operator) {
    case 'eq': return equalityText(operand) !== undefined;
    case 'contains': return typeof operand === 'string';
    case 'ne': case 'not_contains': return false;
    default: return true;
  }
}

/** @param reader a snapshot that was taken while `indexes` were ready
 *  @returns `undefined` when a scan is better   @throws IndexDamage */
export async function planQuery(reader: StoreReader, { indexes, query, base, limit }: { indexes: readonly IndexRecord[]; query: Query; base: string; limit: number }): Promise<Plan | undefined> {
  const choices = query.alternatives.map((terms) => terms.flatMap((term) => sourceOf(indexes, term)));
  if (choices.length === 0 || choices.some((sources) => sources.length === 0)) return undefined;
  const only = choices.length === 1 && choices[0]!.length === 1 ? await ordered(reader, choices[0]![0]!) : undefined;
  if (only) return streamed(reader, only, { query, base });
  const keys = new Set<string>();
  const used: IndexRecord[] = [];
  for (const sources of choices) {
    const best = await smallest(reader, sources, limit);
    if (!best) return choices.length === 1 ? streamedAny(reader, sources, { query, base }) : undefined;
    for (const key of best.keys) keys.add(key);
    used.push(best.index);
    if (keys.size > limit) return undefined;
  }
  const inOrder = sorted([...keys].filter((key) => isWithin(query.bounds, key)));
  if (query.descending) inOrder.reverse();
  return { indexes: used, entries: itemsOf(reader, base, inOrder) };
}

/** Ready indexes that a query could use. */
export function usableIndexes(records: Records, base: string, { alternatives, bounds }: Query): IndexRecord[] {
  if (alternatives.length === 0 || (bounds.gte !== undefined && bounds.gte === bounds.lte)) return [];
  const ready = indexesOf(records.indexes, base).filter(({ state }) => state === 'ready');
  if (ready.length === 0) return [];
  const fields = new Set(alternatives.flat().filter(isIndexable).map(({ field }) => field));
  return ready.filter(({ field }) => fields.has(field));
}

function sourceOf(indexes: readonly IndexRecord[], term: Term): Source[] {
  const index = indexes.find(({ field }) => field === term.field);
  if (!index || !isIndexable(term)) return [];
  const { operator, operand } = term;
  switch (operator) {
    case 'eq': return [withText(index, equalityText(operand)!)];
    case 'contains': return [{ index, ranges: [startingWith(memberText(operand as string)), ...CONTAINER_TAGS.map(startingWith)], text: memberText(operand as string) }];
    case 'pfx': return [{ index, ranges: [prefixTexts(operand as string)] }];
    case 'r': return [{ index, ranges: [betweenTexts(...(operand as [unknown, unknown]))] }];
    case 'gt': case 'gte': return [{ index, ranges: [betweenTexts(operand, undefined)] }];
    default: return [{ index, ranges: [betweenTexts(undefined, operand)] }];
  }
}

function withText(index: IndexRecord, text: string): Source {
  return { index, ranges: [startingWith(text)], text };
}

/** The source, if all that it has is in the order of keys. */
async function ordered(reader: StoreReader, source: Source): Promise<Source | undefined> {
  if (source.text === undefined) return undefined;
  for (const range of source.ranges.slice(1)) {
    for await (const _entry of entriesOf(reader, source.index, range, 1)) return undefined;
  }
  return source;
}

async function streamedAny(reader: StoreReader, sources: readonly Source[], { query, base }: { query: Query; base: string }): Promise<Plan | undefined> {
  for (const source of sources) if (await ordered(reader, source)) return streamed(reader, source, { query, base });
  return undefined;
}

function streamed(reader: StoreReader, { index, text }: Source, { query, base }: { query: Query; base: string }): Plan {
  const prefix = indexPrefix(index.id) + text!;
  async function* keys(): AsyncGenerator<string> {
    for await (const [entry] of damageOf(index, reader.range(storeRange(prefix, query)))) yield entry.slice(prefix.length);
  }
  return { indexes: [index], entries: itemsOf(reader, base, keys()) };
}

/** The source with the fewest candidates, if any has at most `limit`. */
async function smallest(reader: StoreReader, sources: readonly Source[], limit: number): Promise<{ index: IndexRecord; keys: Set<string> } | undefined> {
  let best: { index: IndexRecord; keys: Set<string> } | undefined;
  for (const source of sources) {
    const keys = await keysOf(reader, source, best ? best.keys.size : limit);
    if (keys) best = { index: source.index, keys };
  }
  return best;
}

/** @returns `undefined` when there are more than `limit` */
async function keysOf(reader: StoreReader, { index, ranges }: Source, limit: number): Promise<Set<string> | undefined> {
  const keys = new Set<string>();
  for (const range of ranges) {
    for await (const [entry] of entriesOf(reader, index, range, limit + 1)) {
      keys.add(keyOfEntry(index, entry));
      if (keys.size > limit) return undefined;
    }
  }
  return keys;
}

function entriesOf(reader: StoreReader, index: IndexRecord, { gte, lt }: TextRange, limit: number): AsyncGenerator<StoreEntry> {
  const prefix = indexPrefix(index.id);
  return damageOf(index, reader.range({ gte: prefix + gte, lt: lt === undefined ? startingWith(prefix).lt : prefix + lt, limit }));
}

async function* damageOf(index: IndexRecord, entries: AsyncIterable<StoreEntry>): AsyncGenerator<StoreEntry> {
  try {
    yield* entries;
  } catch (error) {
    throw isSpaceError(error, 'RECORD_CORRUPT') ? new IndexDamage(index, error) : error;
  }
}

/** Damaged Items are passed over, as in a scan. */
async function* itemsOf(reader: StoreReader, base: string, keys: Iterable<string> | AsyncIterable<string>): AsyncGenerator<StoreEntry> {
  for await (const key of keys) {
    const record = await reader.get(itemKey(base, key)).catch((error: unknown) => {
      if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
    });
    if (record !== undefined) yield [itemKey(base, key), record];
  }
}

/** By bytes; the language's own order is the same, and faster, below the surrogates. */
function sorted(keys: string[]): string[] {
  return keys.some((key) => /[\ud800-\uffff]/.test(key)) ? keys.sort(compareText) : keys.sort();
}
