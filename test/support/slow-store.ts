// Owns a Store whose reads of chosen keys have their value and hand it out late: for what happens in between.
import type { Store } from '../../sandbox-data/store/store.ts';

export interface SlowStore {
  store: Store;
  /** Resolves when so many reads wait. */
  waiting(count: number): Promise<void>;
  /** Hand out what waits; later reads are not held. */
  release(): void;
}

/** @param isHeld which keys are read late */
export function createSlowStore(store: Store, isHeld: (key: string) => boolean): SlowStore {
  const open = Promise.withResolvers<void>();
  let isOpen = false;
  let count = 0;
  let wake: () => void = () => {};
  return {
    store: {
      ...store,
      async get(key) {
        const value = await store.get(key);
        if (isOpen || !isHeld(key)) return value;
        count += 1;
        wake();
        await open.promise;
        return value;
      },
    },
    async waiting(wanted) {
      while (count < wanted) await new Promise<void>((resolve) => (wake = resolve));
    },
    release() {
      isOpen = true;
      open.resolve();
    },
  };
}
