// Owns read-decide-commit on any Store: the driver's own way where it has one, else an optimistic loop.
import { isSpaceError } from '../../core/errors.ts';
import type { Decision, ReadValue, Store } from './store.ts';

const ATTEMPTS = 50;

/** Read `keys`, decide, commit as one step. See `Store.transact`.
 *  @throws what `decide` throws, STORE_CONDITION_FAILED when others were faster too often */
export function transact<R>(store: Store, keys: readonly string[], decide: (read: ReadValue) => Decision<R>): Promise<R> {
  return store.transact ? store.transact(keys, decide) : optimistic(store, keys, decide);
}

async function optimistic<R>(store: Store, keys: readonly string[], decide: (read: ReadValue) => Decision<R>): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    const values = await store.getMany(keys);
    const seen = new Map(keys.map((key, index) => [key, values[index]]));
    const { changes, result } = decide((key) => seen.get(key));
    if (changes.length === 0) return result;
    try {
      await store.batch(changes, [...seen].map(([key, is]) => ({ key, is })));
      return result;
    } catch (error) {
      if (!isSpaceError(error, 'STORE_CONDITION_FAILED') || attempt === ATTEMPTS) throw error;
    }
  }
}
