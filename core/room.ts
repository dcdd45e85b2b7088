// Owns how much of something that is scarce is taken: by each, and by all together. Knows not what it is.
import type { SpaceError } from './errors.ts';

export interface Room {
  /** @throws what `refuse` makes, when so much more is too much */
  assert(owner: string, amount: number): void;
  /** So much more for `id`, which is this owner's. @throws as `assert`, and then nothing is taken */
  take(id: string, owner: string, amount: number): void;
  /** It is there already, whatever the limits. */
  count(id: string, owner: string, amount: number): void;
  /** Everything that `id` took. */
  free(id: string): void;
  /** What passes is taken for `id`, beyond the amount that was taken before it came. @throws as `assert` */
  counted(id: string, owner: string, stream: AsyncIterable<Uint8Array>, announced: number): AsyncIterable<Uint8Array>;
}

export function createRoom({ each, all, refuse }: { each: number; all: number; refuse: (whose: 'each' | 'all') => SpaceError }): Room {
  const taken = new Map<string, { owner: string; amount: number }>();

  function assert(owner: string, amount: number): void {
    let [own, total] = [amount, amount];
    for (const one of taken.values()) {
      total += one.amount;
      if (one.owner === owner) own += one.amount;
    }
    if (own > each) throw refuse('each');
    if (total > all) throw refuse('all');
  }

  function take(id: string, owner: string, amount: number): void {
    assert(owner, amount);
    taken.set(id, { owner, amount: (taken.get(id)?.amount ?? 0) + amount });
  }

  return {
    assert,
    take,
    count: (id, owner, amount) => void taken.set(id, { owner, amount }),
    free: (id) => void taken.delete(id),
    async *counted(id, owner, stream, announced) {
      let arrived = 0;
      for await (const chunk of stream) {
        const before = Math.max(announced, arrived);
        arrived += chunk.length;
        if (arrived > before) take(id, owner, arrived - before);
        yield chunk;
      }
    },
  };
}
