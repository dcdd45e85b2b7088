// Owns the proof of typed records: indexes follow their records, unique values are refused, damage hides no other record.
import { ClassicLevel } from 'classic-level';
import { expect, onTestFinished, test } from 'vitest';
import { openLevelStore } from '../../../sandbox-data/store/level.ts';
import { commit, createTable } from '../../../sandbox-data/store/table.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { tempFolder } from '../open-data.ts';

interface Person { id: string; name: string; city?: string; age: number }

const openPeople = (store: Store) => createTable<Person>(store, 'people', { name: { of: ({ name }) => name, unique: true }, city: { of: ({ city }) => city } });
const person = (id: string, rest: Partial<Person> = {}): Person => ({ id, name: `name of ${id}`, age: 1, ...rest });

async function opened(folder?: string): Promise<Store> {
  const store = await openLevelStore(folder ?? (await tempFolder()));
  onTestFinished(() => store.close());
  return store;
}

test('a record is found by id, unique value and index, and indexes follow it', async () => {
  const people = openPeople(await opened());
  await people.insert(person('a', { city: 'Rom' }));
  await people.insert(person('b', { city: 'Rom' }));
  await people.update('a', (record) => ({ ...record, name: 'new', city: 'Bonn' }));
  expect(await people.find('name', 'new')).toEqual(person('a', { name: 'new', city: 'Bonn' }));
  expect(await people.find('name', 'name of a')).toBeUndefined();
  expect((await people.list({ by: { index: 'city', value: 'Rom' } })).map(({ id }) => id)).toEqual(['b']);
  expect(await people.delete('b')).toEqual(person('b', { city: 'Rom' }));
  expect(await people.list({ by: { index: 'city', value: 'Rom' } })).toEqual([]);
  expect(await people.delete('b')).toBeUndefined();
});

test('ids and unique values are taken once, also when freed or claimed by an update', async () => {
  const people = openPeople(await opened());
  await people.insert(person('a'));
  await people.insert(person('b'));
  await expect(people.insert(person('a', { name: 'other' }))).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
  await expect(people.insert(person('c', { name: 'name of a' }))).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
  await expect(people.update('b', (record) => ({ ...record, name: 'name of a' }))).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
  await people.delete('a');
  await people.insert(person('c', { name: 'name of a' }));
  expect((await people.list()).map(({ id }) => id)).toEqual(['b', 'c']);
});

test('pages in both directions', async () => {
  const people = openPeople(await opened());
  for (const id of ['a', 'b', 'c', 'd']) await people.insert(person(id));
  const ids = async (options: Parameters<typeof people.list>[0]) => (await people.list(options)).map(({ id }) => id).join('');
  expect([await ids({ limit: 2 }), await ids({ after: 'b' }), await ids({ reverse: true, limit: 2 }), await ids({ reverse: true, after: 'c' })]).toEqual(['ab', 'cd', 'dc', 'ba']);
});

test('a few who update one record at once do not lose each other', async () => {
  const people = openPeople(await opened());
  await people.insert(person('a', { age: 0 }));
  await Promise.all(Array.from({ length: 10 }, () => people.update('a', (record) => ({ ...record, age: record.age + 1 }))));
  expect((await people.get('a'))?.age).toBe(10);
});

test('writes of two tables commit together or not at all', async () => {
  const store = await opened();
  const people = openPeople(store);
  const cities = createTable<{ id: string }>(store, 'cities');
  await commit(store, people.insertWrite(person('a')), cities.insertWrite({ id: 'Rom' }));
  await expect(commit(store, people.insertWrite(person('b')), cities.insertWrite({ id: 'Rom' }))).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
  expect(await people.get('b')).toBeUndefined();
});

test('a damaged record fails by its id, and lists show the others', async () => {
  const folder = await tempFolder();
  const first = await openLevelStore(folder);
  for (const id of ['a', 'b', 'c']) await openPeople(first).insert(person(id, { city: 'Rom' }));
  await first.close();
  const raw = new ClassicLevel(folder);
  await raw.put('t/people/b', 'garbage');
  await raw.close();
  const people = openPeople(await opened(folder));
  await expect(people.get('b')).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
  expect((await people.list()).map(({ id }) => id)).toEqual(['a', 'c']);
  expect((await people.list({ by: { index: 'city', value: 'Rom' } })).map(({ id }) => id)).toEqual(['a', 'c']);
});
