// Owns Stores that do not write: after so many batches, as a host does that is killed there, or as long as the test says.
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

/** @returns a Store that refuses every write while `isBroken`, as a full disk does */
export function createFlakyStore(store: Store): { store: Store; isBroken: boolean; refused: number } {
  const flaky = {
    isBroken: false,
    refused: 0,
    store: {
      ...store,
      transact: undefined,
      async batch(...what: Parameters<Store['batch']>) {
        flaky.refused += flaky.isBroken ? 1 : 0;
        if (flaky.isBroken) throw new SpaceError('STORE_UNAVAILABLE');
        await store.batch(...what);
      },
    } satisfies Store,
  };
  return flaky;
}
