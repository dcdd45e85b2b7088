// Owns when a Base gets an index, and when it loses one: fields that queries ask for again and again, in vain for most of
// what they look at; and indexes that no query has used for long. Lives in a data worker.
import type { BaseCall } from './base.ts';
import { isIndexable } from './index-plan.ts';
import { indexesOf } from './index-records.ts';
import { createIndex, dropIndex, resumeIndexes, saveUse } from './index-work.ts';
import type { Query } from './query.ts';
import type { Records } from './records.ts';

/** A scan that finds more than one Item in so many is as good as an index. */
const WORTH_RATIO = 4;
/** Counts of demand that are kept in memory. */
const DEMAND_MAX_FIELDS = 1000;
/** Longer paths are nobody's field. */
const FIELD_MAX_LENGTH = 256;

/** A scan has happened. One that goes on behind a `last` was counted with its first page. */
export function noteDemand({ records, base, nowMs }: BaseCall, query: Query, { looked, found }: { looked: number; found: number }): void {
  const { limits, demand } = records.indexes;
  if (query.isContinued || query.alternatives.length === 0 || looked < limits.minLooked || looked < found * WORTH_RATIO) return;
  const known = new Set(indexesOf(records.indexes, base).map(({ field }) => field));
  for (const field of askedFields(query)) {
    if (known.has(field)) continue;
    const count = (demand.get(`${base}/${field}`) ?? 0) + 1;
    if (demand.size >= DEMAND_MAX_FIELDS) demand.clear();
    demand.set(`${base}/${field}`, count);
    if (count < limits.demand || indexesOf(records.indexes, base).length >= limits.perBase) continue;
    demand.delete(`${base}/${field}`);
    createIndex(records, { base, field, nowMs });
  }
}

/** Now and then: indexes that nobody uses go, work that was interrupted goes on. */
export async function sweepIndexes(records: Records, nowMs: number): Promise<void> {
  const { limits, byBase } = records.indexes;
  for (const index of [...byBase.values()].flat()) {
    if (nowMs - index.usedAtMs > limits.unusedMs) await dropIndex(records, index);
  }
  await saveUse(records);
  resumeIndexes(records);
}

/** An index helps only when every alternative can use one. */
function askedFields({ alternatives }: Query): Set<string> {
  const fields = alternatives.map((terms) => terms.filter(isIndexable).map(({ field }) => field).filter((field) => field.length <= FIELD_MAX_LENGTH));
  return fields.some(({ length }) => length === 0) ? new Set() : new Set(fields.flat());
}
