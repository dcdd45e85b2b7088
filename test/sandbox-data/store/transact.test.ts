// Owns the proof of the optimistic loop: a Store without transactions of its own keeps the same contract.
import { expect, test } from 'vitest';
import { transact } from '../../../sandbox-data/store/transact.ts';
import { describeStore } from '../../contract/store.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

describeStore('memory, with the optimistic loop,', async () => createMemoryStore());

test('it decides anew when somebody else was faster', async () => {
  const store = createMemoryStore();
  let decisions = 0;
  await transact(store, ['a'], (read) => {
    decisions += 1;
    if (decisions === 1) void store.batch([{ type: 'put', key: 'a', value: 'theirs' }]);
    return { changes: [{ type: 'put', key: 'b', value: `after ${read('a')}` }], result: undefined };
  });
  expect([decisions, await store.get('b')]).toEqual([2, 'after theirs']);
});
