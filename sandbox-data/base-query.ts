// Owns how a query runs over a Base: bounded in Items, bytes and work a page, in slices that let others run.
import type { BaseCall } from './base.ts';
import type { JsonText } from './data.ts';
import { isExpired } from './expiry.ts';
import { decodeItem } from './item.ts';
import { parseJson } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { itemPrefix, prefixRange } from './layout.ts';
import { parseQuery } from './query.ts';
import type { KeyBounds, Query } from './query.ts';
import { intactRange } from './store/intact.ts';
import type { StoreRange } from './store/store.ts';
import { compareText } from './text-order.ts';

/** A page ends when its Items are this long together. Deta's pages ended after 1 MB that was looked at. */
const PAGE_MAX_LENGTH = 8 * 1024 * 1024;
/** A page ends after this much work, though it may then have few Items or none: clients go on while there is a `last`. */
const PAGE_MAX_WORK = 64 * 1024 * 1024;
/** What evaluating a condition costs, in characters read. */
const CONDITION_WORK = 20;

interface Page { items: string[]; last?: string }

/** `{"query","limit","last","sort"}` -> `{"paging":{"size","last"?},"items":[...]}`.
 *  `last` is there only when more Items match, or when the page ended early for its work. @throws BASE_BAD_QUERY */
export async function queryItems(call: BaseCall, request: JsonText): Promise<string> {
  const query = parseQuery(parseJson(request));
  const { items, last } = await readPage(call, query);
  const paging = JSON.stringify({ size: items.length, last });
  return `{"paging":${paging},"items":[${items.join(',')}]}`;
}

async function readPage({ records, base, nowMs }: BaseCall, query: Query): Promise<Page> {
  const prefix = itemPrefix(base);
  const items: string[] = [];
  let last: string | undefined;
  let length = 0;
  let work = 0;
  if (isEmpty(query.bounds)) return { items };
  for await (const [storeKey, record] of intactRange(records.store, storeRange(prefix, query))) {
    const { json, expires } = decodeItem(record);
    const isMatch = !isExpired(expires, nowMs) && (!query.matches || query.matches(JSON.parse(json) as JsonObject));
    const isFull = items.length === query.limit || length > PAGE_MAX_LENGTH;
    if (isMatch && isFull) return { items, last };
    if (isMatch) {
      items.push(json);
      length += json.length;
    }
    if (!isFull) last = storeKey.slice(prefix.length);
    work += record.length + query.conditionCount * CONDITION_WORK;
    if (work > PAGE_MAX_WORK) return { items, last };
  }
  return { items };
}

function storeRange(prefix: string, { bounds, descending }: Query): StoreRange {
  const all = prefixRange(prefix);
  const lower = bounds.gt !== undefined ? { gt: prefix + bounds.gt } : { gte: prefix + (bounds.gte ?? '') };
  const upper = bounds.lt !== undefined ? { lt: prefix + bounds.lt } : bounds.lte !== undefined ? { lte: prefix + bounds.lte } : { lt: all.lt };
  return { ...lower, ...upper, reverse: descending };
}

/** LevelDB forgives bounds that cross; other Stores need not. */
function isEmpty({ gt, gte, lt, lte }: KeyBounds): boolean {
  const lower = gt ?? gte;
  const upper = lt ?? lte;
  if (lower === undefined || upper === undefined) return false;
  return gt !== undefined && lt !== undefined ? compareText(lower, upper) >= 0 : compareText(lower, upper) > 0;
}
