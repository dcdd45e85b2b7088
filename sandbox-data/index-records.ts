// Owns which automatic indexes a Collection has, and what each of them says about an Item. Lives in a data worker.
// The list in memory is the truth for writes: what is in it is kept in the same batch as the Item.
import { INDEX_RECORD_PREFIX, indexPrefix, indexRecordKey, prefixRange } from './layout.ts';
import { indexedTexts, textLength } from './index-value.ts';
import type { JsonObject } from './json-value.ts';
import { valueAt } from './json-value.ts';
import { intactRange } from './store/intact.ts';
import type { Store, StoreChange } from './store/store.ts';

/** `dropping`: writes leave it alone, its entries are being deleted. */
export type IndexState = 'building' | 'ready' | 'dropping';

export interface IndexRecord {
  id: string;
  base: string;
  /** Dotted path. */
  field: string;
  state: IndexState;
  /** Key of the last Item that building has looked at. */
  builtTo?: string;
  usedAtMs: number;
}

export interface IndexLimits {
  perBase: number;
  /** So many queries must ask for a field. */
  demand: number;
  /** Only queries that look at so many Items in vain count. */
  minLooked: number;
  unusedMs: number;
  /** A plan with more candidates than this is no better than a scan. */
  candidates: number;
}

export const INDEX_LIMITS: IndexLimits = { perBase: 8, demand: 3, minLooked: 1000, unusedMs: 14 * 24 * 60 * 60 * 1000, candidates: 2000 };

export interface Indexes {
  readonly limits: IndexLimits;
  readonly byBase: Map<string, IndexRecord[]>;
  /** Those that shall go. */
  readonly dropping: Set<IndexRecord>;
  /** `<base>/<field>` -> how many queries asked for it. */
  readonly demand: Map<string, number>;
  /** Index id -> the time of its last use that is stored. */
  readonly savedUse: Map<string, number>;
  /** What waits for its turn in the background, by index id. */
  readonly queued: Set<string>;
  /** What happens in the background, one after the other. */
  work: Promise<void>;
}

/** A damaged record's index is forgotten: its entries are collected as those of no index. */
export async function loadIndexes(store: Store, limits: Partial<IndexLimits> = {}): Promise<Indexes> {
  const indexes: Indexes = { limits: { ...INDEX_LIMITS, ...limits }, byBase: new Map(), dropping: new Set(), demand: new Map(), savedUse: new Map(), queued: new Set(), work: Promise.resolve() };
  for await (const [, value] of intactRange(store, prefixRange(INDEX_RECORD_PREFIX))) {
    const index = JSON.parse(value) as IndexRecord;
    indexes.savedUse.set(index.id, index.usedAtMs);
    if (index.state === 'dropping') indexes.dropping.add(index);
    else addIndex(indexes, index);
  }
  return indexes;
}

export function indexesOf({ byBase }: Indexes, base: string): readonly IndexRecord[] {
  return byBase.get(base) ?? [];
}

export function addIndex({ byBase }: Indexes, index: IndexRecord): void {
  byBase.set(index.base, [...(byBase.get(index.base) ?? []), index]);
}

export function removeIndex({ byBase }: Indexes, index: IndexRecord): void {
  byBase.set(index.base, (byBase.get(index.base) ?? []).filter((other) => other !== index));
}

export function putIndexRecord(index: IndexRecord): StoreChange {
  return { type: 'put', key: indexRecordKey(index.id), value: JSON.stringify(index) };
}

/** What one index holds of an Item, as keys. */
export function indexEntries({ id, field }: IndexRecord, key: string, item: JsonObject): string[] {
  return indexedTexts(valueAt(item, field.split('.'))).map((text) => indexPrefix(id) + text + key);
}

/** The Item that an entry stands for. */
export function keyOfEntry({ id }: IndexRecord, entry: string): string {
  const text = entry.slice(indexPrefix(id).length);
  return text.slice(textLength(text));
}

/** How the indexes of a Base follow a change of an Item. @param before its JSON   @param after its value */
export function indexChanges(indexes: readonly IndexRecord[], key: string, before: string | undefined, after: JsonObject | undefined): StoreChange[] {
  if (indexes.length === 0) return [];
  const old = before === undefined ? undefined : (JSON.parse(before) as JsonObject);
  return indexes.flatMap((index) => {
    const stale = new Set(old && indexEntries(index, key, old));
    const fresh = after ? indexEntries(index, key, after) : [];
    // What building has not reached yet is not there, though the old Item says so.
    const missing = index.state === 'ready' ? fresh.filter((entry) => !stale.has(entry)) : fresh;
    for (const entry of fresh) stale.delete(entry);
    return [
      ...[...stale].map((entry): StoreChange => ({ type: 'del', key: entry })),
      ...missing.map((entry): StoreChange => ({ type: 'put', key: entry, value: '' })),
    ];
  });
}
