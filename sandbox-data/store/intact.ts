// Owns reading past damage: the intact entries of a range, where one damaged record must not hide the others.
import { isSpaceError } from '../../core/errors.ts';
import type { StoreEntry, StoreRange, StoreReader } from './store.ts';

/** As `range`, without the damaged records. The Store reports those by itself. */
export async function* intactRange(store: StoreReader, range: StoreRange): AsyncGenerator<StoreEntry> {
  let rest = range;
  let left = range.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    try {
      for await (const entry of store.range(range.limit === undefined ? rest : { ...rest, limit: left })) {
        left -= 1;
        yield entry;
      }
      return;
    } catch (error) {
      const damaged = isSpaceError(error, 'RECORD_CORRUPT') ? error.details.key : undefined;
      if (typeof damaged !== 'string') throw error;
      rest = beyond(range, damaged);
    }
  }
}

function beyond(range: StoreRange, key: string): StoreRange {
  const { gt, gte, lt, lte, ...rest } = range;
  return range.reverse ? { ...rest, gt, gte, lt: key } : { ...rest, lt, lte, gt: key };
}
