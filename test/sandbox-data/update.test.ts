// Owns the proof of updates: the five operations, and each rule that refuses.
import { describe, expect, test } from 'vitest';
import { failure, openBase } from './open-data.ts';

const PERSON = { key: 'u', profile: { age: 32, active: false, hometown: 'p' }, on_mobile: true, likes: ['anime'], dislikes: ['comedy'], purchases: 1 };

test('all operations apply together to the old Item', async () => {
  const { base } = await openBase();
  await base.put(PERSON);
  const request = {
    set: { 'profile.age': 33, 'profile.active': true, 'profile.email': 'a@b' }, delete: ['profile.hometown', 'on_mobile'],
    increment: { purchases: 2 }, append: { likes: ['ramen'] }, prepend: { dislikes: ['action'] },
  };
  expect(await base.update('u', request)).toEqual({ key: 'u', ...request });
  expect(await base.get('u')).toEqual({
    key: 'u', profile: { age: 33, active: true, email: 'a@b' }, likes: ['anime', 'ramen'], dislikes: ['action', 'comedy'], purchases: 3,
  });
});

test('empty operations are allowed beside others, and not echoed', async () => {
  const { base } = await openBase();
  await base.put(PERSON);
  expect(await base.update('u', { set: {}, increment: { purchases: -1.5 }, append: {}, prepend: null, delete: [] })).toEqual({ key: 'u', increment: { purchases: -1.5 } });
  expect((await base.get('u')).purchases).toBe(-0.5);
});

test('lists are spliced in order; deleting what is missing is nothing', async () => {
  const { base } = await openBase();
  await base.put(PERSON);
  await base.update('u', { append: { likes: ['b', ['c']] }, prepend: { dislikes: ['x', 'y'] }, delete: ['never', 'profile.never'] });
  expect(await base.get('u')).toMatchObject({ likes: ['anime', 'b', ['c']], dislikes: ['x', 'y', 'comedy'] });
});

test('set replaces an object whole', async () => {
  const { base } = await openBase();
  await base.put(PERSON);
  await base.update('u', { set: { profile: { only: 1 } } });
  expect((await base.get('u')).profile).toEqual({ only: 1 });
});

describe('refused, and nothing changed:', () => {
  const bad: [string, unknown][] = [
    ['no operation at all', { set: {}, increment: {}, append: {}, prepend: {}, delete: [] }], ['an empty body', {}],
    ['set of the key', { set: { key: 'x' } }], ['set inside the key', { set: { 'key.x': 1 } }], ['delete of the key', { delete: ['key'] }], ['append to the key', { append: { key: ['x'] } }],
    ['increment of the key', { increment: { key: 1 } }], ['prepend to the key', { prepend: { key: [1] } }],
    ['the same path in set and delete', { set: { likes: 1 }, delete: ['likes'] }], ['a path inside another', { set: { 'profile.age': 1 }, delete: ['profile'] }],
    ['a path around another', { set: { profile: {} }, increment: { 'profile.age': 1 } }], ['append and prepend of one list', { append: { likes: ['a'] }, prepend: { likes: ['b'] } }],
    ['the same name deleted twice', { delete: ['likes', 'likes'] }], ['a path inside another in one operation', { set: { profile: {}, 'profile.age': 1 } }],
    ['a missing parent', { set: { 'nobody.age': 1 } }], ['a parent that is a list', { set: { 'likes.0': 1 } }], ['a parent that is a number', { delete: ['purchases.x'] }],
    ['increment of a text', { increment: { 'profile.hometown': 1 } }], ['increment of what is missing', { increment: { never: 1 } }], ['increment by a text', { increment: { purchases: '1' } }],
    ['increment beyond a double', { set: { ok: 1 }, increment: { huge: 1.7e308 } }],
    ['append to what is missing', { append: { never: [1] } }], ['append to a number', { append: { purchases: [1] } }], ['append of a scalar', { append: { likes: 'x' } }], ['prepend of an object', { prepend: { likes: {} } }],
    ['set that is a list', { set: [] }], ['delete that is an object', { delete: {} }], ['delete of a number', { delete: [1] }], ['an empty name', { set: { '': 1 } }], ['an empty step', { set: { 'profile..age': 1 } }],
    ['__expires as text', { set: { __expires: 'x' } }], ['a lone surrogate', { set: { a: '\ud800' } }], ['a list as body', []],
    ['too deep', { set: { a: JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) } }], ['an inherited name as parent', { set: { 'toString.x': 1 } }],
  ];
  test.each(bad)('%s', async (_name, request) => {
    const { base } = await openBase();
    const person = { ...PERSON, huge: 1.7e308 };
    await base.put(person);
    await expect(base.update('u', request)).rejects.toMatchObject({ status: 400 });
    expect(await base.get('u')).toEqual(person);
  });

  test('an Item that would become too large', async () => {
    const { base } = await openBase();
    await base.put({ key: 'u', text: 'x'.repeat(399 * 1024), list: [] });
    await expect(base.update('u', { append: { list: ['y'.repeat(2000)] } })).rejects.toEqual(failure('ITEM_TOO_LARGE'));
    await expect(base.update('u', { set: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`name${n}`, 1])) })).rejects.toEqual(failure('ITEM_TOO_LARGE'));
  });

  test('an Item that is not there', async () => {
    const { base } = await openBase();
    for (const key of ['never', '', 'x'.repeat(3000)]) await expect(base.update(key, { set: { a: 1 } })).rejects.toEqual(failure('BASE_KEY_NOT_FOUND'));
  });
});

test('a thousand concurrent increments are all counted', async () => {
  const { base } = await openBase();
  await base.put({ key: 'n', count: 0 });
  await Promise.all(Array.from({ length: 1000 }, () => base.update('n', { increment: { count: 1 } })));
  expect((await base.get('n')).count).toBe(1000);
});
