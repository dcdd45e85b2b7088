// Owns the proof of a Base: put, insert, get, delete, expiry, limits, paging; what hostile Items cannot do.
import { describe, expect, test } from 'vitest';
import { failure, inValues, openBase } from './open-data.ts';

const KB = 1024;

describe('put', () => {
  test('stores what it got and answers it in order, with keys made up where none was given', async () => {
    const { base } = await openBase();
    const items = await base.put({ key: 'b', value: 0 }, { value: false }, { key: 'a', nested: { list: [3, 1, 2], nothing: null } });
    expect(items.map((item: { value?: unknown }) => item.value)).toEqual([0, false, undefined]);
    expect(items[1].key).toMatch(/^[a-z0-9]{12}$/);
    for (const item of items) expect(await base.get(item.key)).toEqual(item);
  });

  test('replaces the whole Item', async () => {
    const { base } = await openBase();
    await base.put({ key: 'a', old: 1 });
    await base.put({ key: 'a', fresh: 1 });
    expect(await base.get('a')).toEqual({ key: 'a', fresh: 1 });
  });

  const refused: [string, unknown, string][] = [
    ['a number as key', { items: [{ key: 'ok' }, { key: 1 }] }, 'BASE_BAD_ITEM'], ['true as key', { items: [{ key: 'ok' }, { key: true }] }, 'BASE_BAD_ITEM'],
    ['null as key', { items: [{ key: null }] }, 'BASE_BAD_ITEM'], ['an empty key', { items: [{ key: 'ok' }, { key: '' }] }, 'BASE_BAD_ITEM'],
    ['a key of 1025 bytes', { items: [{ key: 'ok' }, { key: 'ä'.repeat(513) }] }, 'BASE_BAD_ITEM'], ['a lone surrogate in a key', { items: [{ key: 'ok' }, { key: 'a\ud800' }] }, 'BASE_BAD_ITEM'],
    ['a lone surrogate in a value', { items: [{ key: 'ok' }, { key: 'a', v: ['\udc00'] }] }, 'BASE_BAD_ITEM'], ['a lone surrogate in a name', { items: [{ key: 'ok' }, { key: 'a', '\udc00': 1 }] }, 'BASE_BAD_ITEM'],
    ['the same key twice', { items: [{ key: 'ok' }, { key: 'ok' }] }, 'BASE_BAD_ITEM'], ['no items', {}, 'BASE_BAD_ITEM'], ['an empty list', { items: [] }, 'BASE_BAD_ITEM'],
    ['items that are none', { items: 'x' }, 'BASE_BAD_ITEM'], ['a text as item', { items: [{ key: 'ok' }, 'x'] }, 'BASE_BAD_ITEM'], ['a list as item', { items: [[]] }, 'BASE_BAD_ITEM'],
    ['null as item', { items: [null] }, 'BASE_BAD_ITEM'], ['a list as body', [], 'BASE_BAD_ITEM'], ['__expires as text', { items: [{ key: 'ok', __expires: 'soon' }] }, 'BASE_BAD_ITEM'],
    ['26 items', { items: Array.from({ length: 26 }, (_, n) => ({ key: `ok${n}` })) }, 'TOO_MANY_ITEMS'],
    ['an item over 400 KB', { items: [{ key: 'ok' }, { key: 'big', v: 'x'.repeat(400 * KB) }] }, 'ITEM_TOO_LARGE'],
    ['an item over 400 KB in bytes only', { items: [{ key: 'ok' }, { key: 'big', v: '€'.repeat(140 * KB) }] }, 'ITEM_TOO_LARGE'],
  ];
  test.each(refused)('refuses %s and stores nothing', async (_name, request, code) => {
    const { base } = await openBase();
    await expect(base.raw.put(JSON.stringify(request))).rejects.toEqual(failure(code));
    expect(await base.keys()).toEqual([]);
  });

  test.each([
    ['broken JSON', '{"items":[', 'BAD_JSON'], ['nothing', '', 'BAD_JSON'], ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff]), 'BAD_JSON'],
    ['many bytes that are no UTF-8', Buffer.concat([Buffer.alloc(100 * KB, 0x20), Buffer.from([0xff])]), 'BAD_JSON'],
    ['a number beyond a double', '{"items":[{"key":"a","n":1e999}]}', 'BASE_BAD_ITEM'],
    ['nesting of 101', `{"items":[{"key":"a","v":${'['.repeat(100)}${']'.repeat(100)}}]}`, 'BASE_BAD_ITEM'],
    ['a million brackets', `{"items":[{"key":"a","v":${'['.repeat(1_000_000)}`, 'BAD_JSON'],
    ['10,000 closed brackets', `{"items":[{"key":"a","v":${'['.repeat(10_000)}${']'.repeat(10_000)}}]}`, 'BASE_BAD_ITEM'],
    ['17 MB', `{"items":[{"key":"a","v":"${'x'.repeat(17 * KB * KB)}"}]}`, 'BASE_BAD_ITEM'],
  ])('refuses %s', async (_name, text, code) => {
    const { base } = await openBase();
    await expect(base.raw.put(text)).rejects.toEqual(failure(code));
  });

  test('takes what is just within the limits', async () => {
    const { base } = await openBase();
    const deep = JSON.parse(`${'['.repeat(99)}${']'.repeat(99)}`) as unknown;
    await base.put({ key: 'k'.repeat(1024), deep });
    expect(await base.get('k'.repeat(1024))).toEqual({ key: 'k'.repeat(1024), deep });
    const large = Array.from({ length: 25 }, (_, n) => ({ key: `l${n}`, v: 'x'.repeat(399 * KB) }));
    expect(await base.put(...large)).toHaveLength(25);
  });

  test('takes bytes, also a window on a larger buffer', async () => {
    const { base } = await openBase();
    for (const size of [10, 100 * KB]) {
      const window = Buffer.from(`###{"items":[{"key":"ä","v":"${'€'.repeat(size)}"}]}###`).subarray(3, -3);
      await base.raw.put(window);
      expect(window.toString().startsWith('{"items"')).toBe(true);
      expect((await base.get('ä')).v).toHaveLength(size);
    }
  });
});

describe('insert', () => {
  test('stores once', async () => {
    const { base } = await openBase();
    expect(await base.insert({ key: 'a', n: 1 })).toEqual({ key: 'a', n: 1 });
    await expect(base.insert({ key: 'a', n: 2 })).rejects.toEqual(failure('BASE_KEY_EXISTS'));
    expect(await base.get('a')).toEqual({ key: 'a', n: 1 });
    expect((await base.insert({ n: 3 })).key).toMatch(/^[a-z0-9]{12}$/);
  });

  test('of many at once exactly one wins', async () => {
    const { base } = await openBase();
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => base.insert({ key: 'a', n })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test.each([[{}], [{ item: [] }], [{ item: { key: 5 } }]])('refuses %j', async (request) => {
    const { base } = await openBase();
    await expect(base.raw.insert(JSON.stringify(request))).rejects.toEqual(failure('BASE_BAD_ITEM'));
  });
});

test('get of what is not there is undefined, delete is no error', async () => {
  const { base } = await openBase();
  for (const key of ['nope', '', 'x'.repeat(2000), 'a\ud800']) {
    expect(await base.get(key)).toBeUndefined();
    await base.delete(key);
  }
  await base.put({ key: 'a' });
  await base.delete('a');
  expect(await base.get('a')).toBeUndefined();
});

test('keys of any characters live side by side and do not leave their Base', async () => {
  const { collection, base } = await openBase();
  const keys = ['%@#//#!#)#$_', 'this is some random key', '\u0000', '../x', '__proto__', 'constructor', '/', 'a/b', '\u202eabc', '\n', '😀', '\u{10ffff}', '0', ' '];
  await base.put(...keys.map((key) => ({ key })));
  const others = ['thing', 'things2', 'things.', 'thing s', '__proto__'];
  for (const other of others) await inValues(collection.base(other)).put({ key: 'b/things/intruder' }, { key: '/things/x' });
  expect(await base.keys()).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  for (const key of keys) expect(await base.get(key)).toEqual({ key });
  expect((await collection.contents()).bases).toEqual([...others, 'things'].toSorted());
});

test.each(['', ' ', 'a/b', '.', '..', 'a\u0000', 'x'.repeat(257), 'a\ud800'])('%j is no name of a Base or Drive', async (name) => {
  const { collection } = await openBase();
  expect(() => collection.base(name)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  expect(() => collection.drive(name)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
});

test('__proto__ is data like any other, at every depth', async () => {
  const { base } = await openBase();
  const text = '{"key":"a","__proto__":{"polluted":1,"__proto__":{"polluted":2}},"constructor":{"prototype":{"polluted":3}}}';
  await base.raw.put(`{"items":[${text}]}`);
  await base.raw.update('a', '{"set":{"__proto__.x":1,"constructor.prototype.y":2,"toString":"mine"}}');
  expect(await base.raw.get('a')).toBe('{"key":"a","__proto__":{"polluted":1,"__proto__":{"polluted":2},"x":1},"constructor":{"prototype":{"polluted":3,"y":2}},"toString":"mine"}');
  await base.put({ key: 'b' });
  expect(await base.keys({ polluted: 1 })).toEqual([]);
  await expect(base.update('b', { set: { 'constructor.prototype.polluted': 1 } })).rejects.toEqual(failure('BASE_BAD_UPDATE'));
  await expect(base.update('b', { append: { toString: [1] } })).rejects.toEqual(failure('BASE_BAD_UPDATE'));
});

describe('expiry', () => {
  test('an Item is invisible from the moment it expires, everywhere', async () => {
    const { base, clock } = await openBase();
    const expires = clock.now() / 1000 + 60;
    await base.put({ key: 'short', __expires: expires }, { key: 'long', __expires: expires + 60 }, { key: 'always' });
    expect(await base.get('short')).toEqual({ key: 'short', __expires: expires });
    clock.advance(59_999);
    expect(await base.keys()).toEqual(['always', 'long', 'short']);
    clock.advance(1);
    expect(await base.get('short')).toBeUndefined();
    expect(await base.keys()).toEqual(['always', 'long']);
    await expect(base.update('short', { set: { a: 1 } })).rejects.toEqual(failure('BASE_KEY_NOT_FOUND'));
    expect(await base.insert({ key: 'short', again: true })).toEqual({ key: 'short', again: true });
    expect(await base.get('short')).toEqual({ key: 'short', again: true });
  });

  test('what expired before it was written succeeds and is not there', async () => {
    const { base } = await openBase();
    for (const __expires of [0, -5, 1, 1.5]) expect(await base.put({ key: 'a', __expires })).toEqual([{ key: 'a', __expires }]);
    expect(await base.get('a')).toBeUndefined();
    await base.put({ key: 'b', __expires: null }, { key: 'c', __expires: 1e300 });
    expect(await base.keys()).toEqual(['b', 'c']);
    expect(await base.get('c')).toEqual({ key: 'c', __expires: 1e300 });
  });

  test('put without it clears it, update changes or removes it, other updates leave it', async () => {
    const { base, clock } = await openBase();
    const soon = Math.floor(clock.now() / 1000) + 10;
    await base.put(...['put', 'set', 'deleted', 'kept'].map((key) => ({ key, __expires: soon })));
    await base.put({ key: 'put' });
    await base.update('set', { set: { __expires: soon + 100 } });
    await base.update('deleted', { delete: ['__expires'] });
    await base.update('kept', { set: { n: 1 } });
    clock.advance(11_000);
    expect(await base.keys()).toEqual(['deleted', 'put', 'set']);
  });

  test('expired Items count neither for the limit nor for last', async () => {
    const { base } = await openBase();
    await base.put({ key: 'a' }, { key: 'b', __expires: 1 }, { key: 'c' }, { key: 'd', __expires: 1 });
    expect(await base.query({ limit: 2 })).toEqual({ paging: { size: 2 }, items: [{ key: 'a' }, { key: 'c' }] });
  });
});

describe('paging', () => {
  test('last is there only when something further matches', async () => {
    const { base } = await openBase();
    await base.put({ key: 'a', n: 1 }, { key: 'b', n: 2 }, { key: 'c', n: 3 });
    expect((await base.query({ query: [{ n: 1 }], limit: 1 })).paging).toEqual({ size: 1 });
    expect((await base.query({ limit: 3 })).paging).toEqual({ size: 3 });
    expect((await base.query({ limit: 2 })).paging).toEqual({ size: 2, last: 'b' });
    expect((await base.query({ limit: 2, last: 'b' })).items).toEqual([{ key: 'c', n: 3 }]);
    expect((await base.query({ limit: 2, sort: 'desc' })).paging).toEqual({ size: 2, last: 'b' });
    expect((await base.query({ last: 'bb', sort: 'desc' })).items.map(({ key }: { key: string }) => key)).toEqual(['b', 'a']);
    expect(await base.query({ query: [{ none: 1 }] })).toEqual({ paging: { size: 0 }, items: [] });
  });

  test('a page has 1000 Items, and pages neither repeat nor skip while others write', async () => {
    const { base } = await openBase();
    const keys = Array.from({ length: 1200 }, (_, n) => `k${String(n).padStart(5, '0')}`);
    for (let start = 0; start < keys.length; start += 25) await base.put(...keys.slice(start, start + 25).map((key) => ({ key })));
    const first = await base.query({});
    expect(first.paging).toEqual({ size: 1000, last: 'k00999' });
    await base.put({ key: 'k00500x' }, { key: 'a' });
    await base.delete('k00999');
    const second = await base.query({ last: first.paging.last });
    expect([...first.items, ...second.items].map(({ key }: { key: string }) => key)).toEqual(keys);
  });

  test('a page of large Items ends early, and together the pages are whole', async () => {
    const { base } = await openBase();
    for (let n = 0; n < 3; n += 1) await base.put(...Array.from({ length: 25 }, (_, m) => ({ key: `k${n}${String(m).padStart(2, '0')}`, v: 'x'.repeat(200 * KB) })));
    const first = await base.query({});
    expect(first.paging.size).toBeLessThan(75);
    const second = await base.query({ last: first.paging.last });
    expect(first.items.length + second.items.length).toBe(75);
    expect(second.paging.last).toBeUndefined();
  });
});
