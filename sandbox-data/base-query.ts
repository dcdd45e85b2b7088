// Owns how a query runs over a Base: through an index or by a scan, bounded in Items, bytes and work a page, in slices
// that let others run.
import type { BaseCall } from './base.ts';
import type { JsonText } from './data.ts';
import { isExpired } from './expiry.ts';
import { noteDemand } from './index-demand.ts';
import { IndexDamage, planQuery, usableIndexes } from './index-plan.ts';
import { indexesOf } from './index-records.ts';
import { rebuildIndex } from './index-work.ts';
import { decodeItem } from './item.ts';
import { isLong, parseJson } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { isEmptyRange, storeRange } from './key-range.ts';
import { itemPrefix } from './layout.ts';
import { parseQuery } from './query.ts';
import type { Query } from './query.ts';
import { intactRange } from './store/intact.ts';
import type { StoreEntry } from './store/store.ts';
import { nextTurn, Slice } from './turn.ts';

/** A page ends when its Items are this long together. Deta's pages ended after 1 MB that was looked at. */
const PAGE_MAX_LENGTH = 8 * 1024 * 1024;
/** A page ends after this much work, though it may then have few Items or none: clients go on while there is a `last`. */
const PAGE_MAX_WORK = 64 * 1024 * 1024;
/** What evaluating a condition costs, in characters read. */
const CONDITION_WORK = 20;
/** What looking for a text costs, for each character of the Item. */
const SEARCH_WORK = 1 / 4;
/** One Item that is more work than this, in characters times alternatives, is looked at with breaks. */
const HEAVY_WORK = 4 * 1024 * 1024;
/** What reading one Item by its key costs. */
const LOOKUP_WORK = 400;
/** Whether others should get a turn is looked at after so much work. */
const SLICE_MIN_WORK = 2 * 1024;

interface Page { items: string[]; last?: string; looked: number }

/** `{"query","limit","last","sort"}` -> `{"paging":{"size","last"?},"items":[...]}`.
 *  `last` is there only when more Items match, or when the page ended early for its work. @throws BASE_BAD_QUERY */
export async function queryItems(call: BaseCall, request: JsonText): Promise<string> {
  if (isLong(request)) await nextTurn();
  const query = parseQuery(parseJson(request));
  const { items, last } = isEmptyRange(query.bounds) ? { items: [] } : ((await indexedPage(call, query)) ?? (await scannedPage(call, query)));
  const paging = JSON.stringify({ size: items.length, last });
  return `{"paging":${paging},"items":[${items.join(',')}]}`;
}

async function scannedPage(call: BaseCall, query: Query): Promise<Page> {
  const page = await readPage(call, query, { entries: intactRange(call.records.store, storeRange(itemPrefix(call.base), query)), lookupWork: 0 });
  noteDemand(call, query, { looked: page.looked, found: page.items.length });
  return page;
}

/** @returns `undefined` when a scan is better */
async function indexedPage(call: BaseCall, query: Query): Promise<Page | undefined> {
  const { records, base } = call;
  const usable = usableIndexes(records, base, query);
  if (usable.length === 0) return undefined;
  const snapshot = await records.store.snapshot();
  try {
    // One that is being dropped may have lost entries already.
    const indexes = usable.filter((index) => indexesOf(records.indexes, base).includes(index));
    const plan = await planQuery(snapshot, { indexes, query, base, limit: records.indexes.limits.candidates });
    if (!plan) return undefined;
    for (const index of plan.indexes) index.usedAtMs = call.nowMs;
    return await readPage(call, query, { entries: plan.entries, lookupWork: LOOKUP_WORK });
  } catch (error) {
    if (!(error instanceof IndexDamage)) throw error;
    await rebuildIndex(records, error.index, call.nowMs).catch(() => {}); // the next query finds the damage again
    return undefined;
  } finally {
    await snapshot.close();
  }
}

async function readPage({ base, nowMs }: BaseCall, query: Query, { entries, lookupWork }: { entries: AsyncIterable<StoreEntry>; lookupWork: number }): Promise<Page> {
  const prefixLength = itemPrefix(base).length;
  const page: Page = { items: [], looked: 0 };
  const slice = new Slice();
  let { length, work, slicedWork } = { length: 0, work: 0, slicedWork: 0 };
  for await (const [storeKey, record] of entries) {
    const isHeavy = record.length * query.steps.length > HEAVY_WORK;
    const json = isHeavy ? await matchingJsonInTurns(record, query, nowMs) : matchingJson(record, query, nowMs);
    const isFull = page.items.length === query.limit || length > PAGE_MAX_LENGTH;
    if (json !== undefined && isFull) return page;
    if (json !== undefined) {
      page.items.push(json);
      length += json.length;
    }
    if (!isFull) page.last = storeKey.slice(prefixLength);
    page.looked += 1;
    work += record.length + query.conditionCount * (CONDITION_WORK + record.length * SEARCH_WORK) + lookupWork;
    if (work > PAGE_MAX_WORK) return page;
    if (work - slicedWork < SLICE_MIN_WORK) continue;
    slicedWork = work;
    if (slice.isOver()) await slice.next();
  }
  return { items: page.items, looked: page.looked };
}

/** The Item's JSON when it matches. */
function matchingJson(record: string, { matches, mayMatch }: Query, nowMs: number): string | undefined {
  const { json, expires } = decodeItem(record);
  if (isExpired(expires, nowMs)) return undefined;
  return !matches || (mayMatch(json) && matches(JSON.parse(json) as JsonObject)) ? json : undefined;
}

async function matchingJsonInTurns(record: string, { steps }: Query, nowMs: number): Promise<string | undefined> {
  const { json, expires } = decodeItem(record);
  if (isExpired(expires, nowMs)) return undefined;
  const item = JSON.parse(json) as JsonObject;
  const slice = new Slice();
  for (const isMatch of steps) {
    if (isMatch(item)) return json;
    if (slice.isOver()) await slice.next();
  }
  return undefined;
}
