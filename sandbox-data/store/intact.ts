// Owns reading past damage: the intact entries of a range, where one damaged record must not hide the others.
import { isSpaceError } from '../../core/errors.ts';
import type { ReadValue, StoreEntry, StoreRange, StoreReader } from './store.ts';

/** What a key held before a write that replaces it anyway: damage counts as nothing. */
export function readBefore(read: ReadValue, key: string): string | undefined {
  try {
    return read(key);
  } catch (error) {
    if (isSpaceError(error, 'RECORD_CORRUPT')) return undefined;
    throw error;
  }
}

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
      if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
      const damaged = error.details.key;
      if (typeof damaged !== 'string') return; // a damaged block: all that can be read has been given
      rest = beyond(range, damaged);
    }
  }
}

function beyond(range: StoreRange, key: string): StoreRange {
  const { gt, gte, lt, lte, ...rest } = range;
  return range.reverse ? { ...rest, gt, gte, lt: key } : { ...rest, lt, lte, gt: key };
}
