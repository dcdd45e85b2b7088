// Owns a Store that lives in memory, for tests that need records and no disk. Everything is gone with the object.
import { SpaceError } from '../../core/errors.ts';
import type { Store, StoreChange, StoreEntry, StoreRange, StoreReader } from '../../sandbox-data/store/store.ts';

/** A new empty Store with conditional batches and snapshots. */
export function createMemoryStore(): Store {
  const values = new Map<string, string>();
  return {
    ...reader(values),
    supports: { snapshots: true, persistent: false },
    async batch(changes, conditions = []) {
      if (!conditions.every(({ key, is }) => values.get(key) === is)) throw new SpaceError('STORE_CONDITION_FAILED');
      apply(values, changes);
    },
    snapshot: async () => ({ ...reader(new Map(values)), close: async () => {} }),
    close: async () => {},
  };
}

function apply(values: Map<string, string>, changes: readonly StoreChange[]): void {
  for (const change of changes) {
    if (change.type === 'put') values.set(change.key, change.value);
    else values.delete(change.key);
  }
}

function reader(values: Map<string, string>): StoreReader {
  return {
    get: async (key) => values.get(key),
    getMany: async (keys) => keys.map((key) => values.get(key)),
    async *range(range) {
      yield* select([...values], range);
    },
  };
}

const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));

function select(entries: StoreEntry[], range: StoreRange): StoreEntry[] {
  const found = entries.filter(([key]) => isWithin(key, range)).sort(([left], [right]) => byBytes(left, right));
  if (range.reverse) found.reverse();
  return range.limit === undefined ? found : found.slice(0, range.limit);
}

function isWithin(key: string, { gt, gte, lt, lte }: StoreRange): boolean {
  return (gt === undefined || byBytes(key, gt) > 0) && (gte === undefined || byBytes(key, gte) >= 0)
    && (lt === undefined || byBytes(key, lt) < 0) && (lte === undefined || byBytes(key, lte) <= 0);
}

