// Owns the proof that the host's Store, reached through a data worker, is a Store like any other.
import { expect, test } from 'vitest';
import { createTable } from '../../sandbox-data/store/table.ts';
import { describeStore } from '../contract/store.ts';
import { openData } from './open-data.ts';

describeStore('the host Store in a data worker', async () => (await openData()).data.hostStore);

test('tables work on it, also when many insert at once', async () => {
  const { data } = await openData();
  const people = createTable<{ id: string; name: string; city: string }>(data.hostStore, 'people', {
    name: { of: ({ name }) => name, unique: true }, city: { of: ({ city }) => city },
  });
  const inserts = Array.from({ length: 40 }, (_, n) => people.insert({ id: `p${String(n).padStart(2, '0')}`, name: `n${n % 30}`, city: `c${n % 2}` }));
  const outcomes = await Promise.allSettled(inserts);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(30);
  expect(await people.find('name', 'n7')).toMatchObject({ id: 'p07' });
  expect((await people.list({ by: { index: 'city', value: 'c1' } })).map(({ id }) => id).slice(0, 2)).toEqual(['p01', 'p03']);
});
