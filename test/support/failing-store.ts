// Owns a Store that stops writing after so many batches, as a host does that is killed there.
import { SpaceError } from '../../core/errors.ts';
import type { Store } from '../../sandbox-data/store/store.ts';

/** @param allowed batches that still succeed; all later ones fail, and none of them is written */
export function createFailingStore(store: Store, allowed: number): Store {
  let left = allowed;
  return {
    ...store,
    transact: undefined,
    async batch(changes, conditions) {
      left -= 1;
      if (left < 0) throw new SpaceError('STORE_UNAVAILABLE');
      await store.batch(changes, conditions);
    },
  };
}
