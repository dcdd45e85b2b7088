// Owns bounds on keys: what is within them, and the range of a Store that they stand for. Pure.
import { prefixRange } from './layout.ts';
import type { KeyBounds } from './query.ts';
import type { StoreRange } from './store/store.ts';
import { compareText } from './text-order.ts';

/** The range of the keys behind `prefix` that are within the bounds. */
export function storeRange(prefix: string, { bounds, descending }: { bounds: KeyBounds; descending: boolean }): StoreRange {
  const all = prefixRange(prefix);
  const lower = bounds.gt !== undefined ? { gt: prefix + bounds.gt } : { gte: prefix + (bounds.gte ?? '') };
  const upper = bounds.lt !== undefined ? { lt: prefix + bounds.lt } : bounds.lte !== undefined ? { lte: prefix + bounds.lte } : { lt: all.lt };
  return { ...lower, ...upper, reverse: descending };
}

/** LevelDB forgives bounds that cross; other Stores need not. */
export function isEmptyRange({ gt, gte, lt, lte }: KeyBounds): boolean {
  const lower = gt ?? gte;
  const upper = lt ?? lte;
  if (lower === undefined || upper === undefined) return false;
  return gt !== undefined && lt !== undefined ? compareText(lower, upper) >= 0 : compareText(lower, upper) > 0;
}

export function isWithin({ gt, gte, lt, lte }: KeyBounds, key: string): boolean {
  return (gt === undefined || compareText(key, gt) > 0) && (gte === undefined || compareText(key, gte) >= 0)
    && (lt === undefined || compareText(key, lt) < 0) && (lte === undefined || compareText(key, lte) <= 0);
}
