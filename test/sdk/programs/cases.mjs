// Owns what every JavaScript SDK must be able to do, in Node and in a page: one small program each, with a Base and a
// Drive of its own. Knows the SDK as its users do; asserts with `same` and `fails`, since a page has no node:assert.

const MIB = 1024 * 1024;
const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const textOf = async (blob) => new TextDecoder().decode(await bytesOf(blob));
const keysOf = ({ items }) => items.map(({ key }) => key);
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Order of names does not matter; `undefined` is the same as absent, `null` is not. */
function canonical(value) {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.keys(value).toSorted().map((name) => [name, canonical(value[name])]));
}

export function same(actual, expected) {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(canonical(value)));
  if (left !== right) throw new Error(`got ${left}, expected ${right}`);
}

export async function fails(promise, message) {
  const error = await Promise.resolve(promise).then(() => undefined, (reason) => reason);
  if (error === undefined) throw new Error('it did not fail');
  if (message !== undefined) same(error.message, message);
}

function near(actual, expected) {
  if (typeof actual !== 'number' || Math.abs(actual - expected) > 5) throw new Error(`${actual} is not near ${expected}`);
}

/** Bytes that differ everywhere, so that a swapped part shows. */
function noise(length) {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let index = 0; index < length; index += 1) bytes[index] = (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return bytes;
}

function sameBytes(actual, expected) {
  same(actual.length, expected.length);
  for (let index = 0; index < expected.length; index += 1) if (actual[index] !== expected[index]) throw new Error(`byte ${index} differs`);
}

const PEOPLE = [
  { key: 'a', name: 'Ada', age: 36, tags: ['math', 'code'], home: { city: 'London' }, active: true },
  { key: 'b', name: 'Bob', age: 20, tags: ['sea'], home: { city: 'Paris' }, active: false },
  { key: 'c', name: 'Cyd', age: 50, tags: [], home: null, active: true },
  { key: 'd', name: 'dan', age: '36', home: { city: 'Lyon' } },
];
const FILES = ['list-a', 'list-b', 'list-c', 'list/a', 'list/b', 'list/child/a', 'list/child/b'];

/** Name -> {run, isShort?, since?}: short ones run with all other tests, `since` is the major version that has it. */
export const CASES = {
  'put returns what it stored, with a key': { isShort: true, async run({ base }) {
    for (const value of ['Hello', 1, true, false, 0, -0.125, [1, [2]], '']) {
      const stored = await base.put(value);
      same(stored, { key: stored.key, value });
      same(/^[a-z0-9]{12}$/.test(stored.key), true);
      same(await base.get(stored.key), stored);
    }
    const given = { name: 'x', nested: { list: [3, 1, 2], nothing: null } };
    same(await base.put(given, 'named'), { ...given, key: 'named' });
    same(given.key, undefined);
    same(await base.put({ other: 1 }, 'named'), { other: 1, key: 'named' });
    same(await base.get('named'), { other: 1, key: 'named' });
  } },
  'a key is a text': { async run({ base }) {
    await fails(base.put({ key: 1 }));
    await fails(base.put({ key: true }));
    await fails(base.insert({ key: 1 }));
    same((await base.fetch()).items, []);
  } },
  'keys of any characters': { isShort: true, async run({ base }) {
    for (const key of ['%@#//#!#)#$_', 'this is some random key', '/', '%2F', '?a=b', 'ключ', '🔑', '__proto__', 'x'.repeat(1024)]) {
      same(await base.put({ name: key }, key), { name: key, key });
      same(await base.get(key), { name: key, key });
      await base.update({ name: 'changed' }, key);
      same(await base.get(key), { name: 'changed', key });
      same(await base.delete(key), null);
      same(await base.get(key), null);
    }
    await fails(base.put({}, 'x'.repeat(1025)));
  } },
  'what is not there': { isShort: true, async run({ base }) {
    same(await base.get('nobody'), null);
    same(await base.delete('nobody'), null);
    await fails(base.update({ a: 1 }, 'nobody'), 'Key not found');
    await fails(base.get('  '), 'Key is empty');
    same(await base.fetch(), { items: [], count: 0 });
    same(await base.fetch({ nothing: 1 }), { items: [], count: 0 });
  } },
  'insert refuses a key that is there': { isShort: true, async run({ base }) {
    same(await base.insert({ a: 1 }, 'once'), { a: 1, key: 'once' });
    await fails(base.insert({ a: 2 }, 'once'), 'Item with key once already exists');
    same(await base.get('once'), { a: 1, key: 'once' });
    same((await base.insert('made up')).value, 'made up');
  } },
  'putMany keeps the order': { async run({ base }) {
    const { processed } = await base.putMany([{ key: 'z' }, 'text', ['list']]);
    same(processed.items.map(({ value }) => value ?? null), [null, 'text', ['list']]);
    same(processed.items[0].key, 'z');
    await fails(base.putMany(Array.from({ length: 26 }, () => 1)), "We can't put more than 25 items at a time");
    same((await base.putMany(Array.from({ length: 25 }, (_, value) => value))).processed.items.length, 25);
    await fails(base.putMany([{ key: 'same' }, { key: 'same' }]));
    same(await base.get('same'), null);
    await fails(base.putMany([{ key: 'good' }, { key: 7 }]));
    same(await base.get('good'), null);
  } },
  'update with every operation': { isShort: true, async run({ base }) {
    await base.put({ profile: { age: 32, active: false, hometown: 'p' }, on_mobile: true, likes: ['anime'], dislikes: ['comedy'], purchases: 1 }, 'u');
    const { util } = base;
    same(await base.update({
      'profile.age': 33, 'profile.active': true, 'profile.email': 'jimmy@deta.sh', 'profile.hometown': util.trim(), on_mobile: util.trim(),
      purchases: util.increment(2), likes: util.append('ramen'), dislikes: util.prepend('action'),
    }, 'u'), null);
    same(await base.get('u'), {
      key: 'u', profile: { age: 33, active: true, email: 'jimmy@deta.sh' }, likes: ['anime', 'ramen'], dislikes: ['action', 'comedy'], purchases: 3,
    });
    await base.update({ purchases: util.increment(-5), likes: util.append(['a', ['b']]), 'profile.age': util.increment(), absent: util.trim() }, 'u');
    const { purchases, likes, profile } = await base.get('u');
    same([purchases, likes, profile.age], [-2, ['anime', 'ramen', 'a', ['b']], 34]);
  } },
  'update refuses what makes no sense': { async run({ base }) {
    await base.put({ text: 'x', list: [1], object: { a: 1 } }, 'u');
    const { util } = base;
    const refused = [
      {}, { key: 'other' }, { key: util.trim() }, { key: util.append('x') }, { 'absent.below': 1 }, { 'text.below': 1 },
      { text: util.increment() }, { absent: util.increment() }, { text: util.append('y') }, { absent: util.append('y') },
      { object: { b: 1 }, 'object.a': util.trim() }, { 'object.a': 1, object: util.trim() },
    ];
    for (const updates of refused) await fails(base.update(updates, 'u'));
    same(await base.get('u'), { key: 'u', text: 'x', list: [1], object: { a: 1 } });
  } },
  'fetch with every operator': { isShort: true, async run({ base }) {
    await base.putMany(PEOPLE);
    const expected = [
      [{}, 'abcd'], [[], 'abcd'], [[{}], 'abcd'],
      [{ name: 'Ada' }, 'a'], [{ age: 36 }, 'a'], [{ age: '36' }, 'd'], [{ tags: ['sea'] }, 'b'], [{ home: { city: 'Paris' } }, 'b'], [{ home: null }, 'c'],
      [{ 'home.city': 'London' }, 'a'], [{ active: true }, 'ac'], [{ 'name?ne': 'Ada' }, 'bcd'], [{ 'active?ne': true }, 'bd'],
      [{ 'age?lt': 36 }, 'b'], [{ 'age?<': 36 }, 'b'], [{ 'age?gt': 36 }, 'c'], [{ 'age?>': 36 }, 'c'], [{ 'age?lte': 36 }, 'ab'], [{ 'age?<=': 36 }, 'ab'],
      [{ 'age?gte': 36 }, 'ac'], [{ 'age?>=': 36 }, 'ac'], [{ 'name?gt': 'B' }, 'bcd'], [{ 'age?r': [20, 36] }, 'ab'], [{ 'age?r': [36, 20] }, ''],
      [{ 'name?pfx': 'A' }, 'a'], [{ 'name?contains': 'a' }, 'ad'], [{ 'tags?contains': 'sea' }, 'b'], [{ 'tags?not_contains': 'sea' }, 'acd'], [{ 'tags?!contains': 'sea' }, 'acd'],
      [{ active: true, 'age?gt': 40 }, 'c'], [[{ name: 'Ada' }, { 'age?gt': 10 }], 'abc'], [{ 'absent?lt': 1 }, ''], [{ 'name.below': 1 }, ''],
      [{ key: 'b' }, 'b'], [{ 'key?pfx': 'c' }, 'c'], [{ 'key?gt': 'b' }, 'cd'], [{ 'key?>=': 'b', active: true }, 'c'], [{ 'key?r': ['b', 'c'] }, 'bc'],
      [[{ 'key?>=': 'b', 'age?>': 40 }, { 'key?>=': 'b', 'age?<': 30 }], 'bc'],
    ];
    for (const [query, keys] of expected) {
      const found = await base.fetch(query);
      if (keysOf(found).join('') !== keys || found.count !== keys.length) throw new Error(`${JSON.stringify(query)} found ${keysOf(found)}, expected ${keys}`);
      same('last' in found && found.last !== undefined, false);
    }
  } },
  'a bad query says so': { isShort: true, async run({ base }) {
    await base.put({ a: 1 }, 'a');
    const bad = [
      { '?': 1 }, { 'a?': 1 }, { 'a??': 1 }, { 'a?random': 1 }, { 'a?pfx': 1 }, { 'a?r': 1 }, { 'a?r': [1] }, { 'a?r': [1, 2, 3] }, { 'a?lt': true }, { 'a?gt': null },
      { key: 1 }, { 'key?ne': 'a' }, { 'key?contains': 'a' }, { 'key?not_contains': 'a' }, { 'key?r': ['a', 1] }, { 'key?pfx': 7 },
      { key: 'a', 'key?>': 'a' }, [{ key: 'a' }, { key: 'b' }], [{ key: 'a' }, { a: 1 }], [{ 'key?>': 'a' }, { 'key?<': 'a' }],
    ];
    for (const query of bad) await fails(base.fetch(query), 'Bad query');
    for (const limit of [0, -1, 1.5]) await fails(base.fetch({}, { limit }), 'Bad query');
  } },
  'fetch in pages': { isShort: true, async run({ base }) {
    await Promise.all(Array.from({ length: 30 }, (_, n) => base.put({ n, even: n % 2 === 0 }, `k${String(n).padStart(2, '0')}`)));
    const all = [];
    let last;
    do {
      const page = await base.fetch({ even: true }, { limit: 4, last });
      same(page.count, page.items.length);
      all.push(...keysOf(page));
      last = page.last;
    } while (last !== undefined);
    same(all, Array.from({ length: 15 }, (_, n) => `k${String(n * 2).padStart(2, '0')}`));
    same((await base.fetch({ n: 7 }, { limit: 1 })).last, undefined);
    same((await base.fetch({}, { limit: 30 })).last, undefined);
    same((await base.fetch({}, { limit: 29 })).last, 'k28');
    same(keysOf(await base.fetch({}, { last: 'k27zzz' })), ['k28', 'k29']);
  } },
  'fetch backwards': { since: 2, async run({ base }) {
    await base.putMany(['b', 'a', 'd', 'c'].map((key) => ({ key })));
    same(keysOf(await base.fetch({}, { desc: true })), ['d', 'c', 'b', 'a']);
    const page = await base.fetch({}, { desc: true, limit: 2 });
    same([keysOf(page), page.last], [['d', 'c'], 'c']);
    same(await base.fetch({}, { desc: true, last: 'c' }), { items: [{ key: 'b' }, { key: 'a' }], count: 2 });
  } },
  'keys in byte order': { async run({ base }) {
    await base.putMany(['z', 'é', '\u{ff5e}', '🔑', 'Z', '~'].map((key) => ({ key })));
    same(keysOf(await base.fetch()), ['Z', 'z', '~', 'é', '\u{ff5e}', '🔑']);
  } },
  'Items expire': { isShort: true, async run({ base }) {
    const in5Minutes = nowSeconds() + 300;
    near((await base.put('x', 'in', { expireIn: 300 })).__expires, in5Minutes);
    same((await base.put('x', 'at', { expireAt: in5Minutes })).__expires, in5Minutes);
    same((await base.insert('x', 'date', { expireAt: new Date(in5Minutes * 1000) })).__expires, in5Minutes);
    near((await base.putMany(['x', 'y'], { expireIn: 300 })).processed.items[1].__expires, in5Minutes);
    await base.update({ other: 1 }, 'at');
    same((await base.get('at')).__expires, in5Minutes);
    await base.update({}, 'at', { expireAt: in5Minutes + 60 });
    same((await base.get('at')).__expires, in5Minutes + 60);
    same((await base.put('x', 'gone', { expireAt: nowSeconds() - 10 })).key, 'gone');
    same(await base.get('gone'), null);
    same(await base.fetch({ 'key?pfx': 'gone' }), { items: [], count: 0 });
    await fails(base.update({ a: 1 }, 'gone'), 'Key not found');
    same((await base.insert('y', 'gone')).value, 'y');
    same((await base.put('x', 'in')).__expires, undefined);
    same((await base.get('in')).__expires, undefined);
    await base.update({ __expires: base.util.trim() }, 'date');
    same((await base.get('date')).__expires, undefined);
    await fails(base.put('x', 'both', { expireIn: 1, expireAt: in5Minutes }));
  } },
  'names of members are only names': { async run({ base }) {
    const stored = await base.put(JSON.parse('{"constructor":{"a":1},"toString":"x","":1,"a.b":2}'), 'odd');
    same(stored, JSON.parse('{"constructor":{"a":1},"toString":"x","":1,"a.b":2,"key":"odd"}'));
    await base.update({ 'constructor.a': base.util.increment() }, 'odd');
    same(keysOf(await base.fetch({ 'constructor.a': 2 })), ['odd']);
    same(keysOf(await base.fetch({ 'toString.length': 1 })), []);
  } },
  'limits of an Item': { async run({ base }) {
    await base.put('x'.repeat(399 * 1024), 'large');
    await fails(base.put('x'.repeat(400 * 1024), 'larger'));
    await fails(base.update({ more: 'x'.repeat(2048) }, 'large'));
    same((await base.get('large')).value.length, 399 * 1024);
  } },
  'a File comes back as it went': { isShort: true, async run({ drive }) {
    for (const [name, data] of [['plain.txt', 'Hello\r\nno newline'], ['a b+c%2F&é.txt', 'x'], ['/lead/ing', 'y'], ['..', 'dots'], ['dir/../up', 'z']]) {
      same(await drive.put(name, { data }), name);
      same(await textOf(await drive.get(name)), data);
      same(await drive.put(name, { data: `${data}2` }), name);
      same(await textOf(await drive.get(name)), `${data}2`);
    }
    await drive.put('bytes', { data: noise(1000) });
    sameBytes(await bytesOf(await drive.get('bytes')), noise(1000));
    await drive.put('empty', { data: new Uint8Array() });
    same(await textOf(await drive.get('empty')), '');
    same(await drive.get('nothing'), null);
    for (const name of ['', ' ', null, undefined]) await fails(drive.put(name, { data: 'x' }));
    await fails(drive.put('folder/', { data: 'x' }));
    await fails(drive.put('x'.repeat(1025), { data: 'x' }));
  } },
  'a File remembers its type': { since: 2, async run({ drive }) {
    await drive.put('page', { data: '<p>', contentType: 'text/html' });
    same((await drive.get('page')).type, 'text/html');
    await drive.put('guessed.png', { data: 'x' });
    same((await drive.get('guessed.png')).type, 'image/png');
  } },
  'a File of 21 MB in parts': { async run({ drive }) {
    const data = noise(2 * 10 * MIB + 1000);
    same(await drive.put('big', { data }), 'big');
    sameBytes(await bytesOf(await drive.get('big')), data);
  } },
  'list': { isShort: true, async run({ drive }) {
    same(await drive.list(), { names: [] });
    for (const name of FILES) await drive.put(name, { data: name });
    const page = (names) => ({ names, paging: { size: names.length, last: names.at(-1) } });
    const expected = [
      [{}, { names: FILES }], [{ limit: 1 }, page(['list-a'])], [{ limit: 2, prefix: 'list-' }, page(['list-a', 'list-b'])], [{ limit: 7 }, { names: FILES }],
      [{ limit: 2, prefix: 'list', last: 'list/child/a' }, { names: ['list/child/b'] }],
      [{ prefix: 'list/', recursive: false }, { names: ['list/a', 'list/b', 'list/child/'] }],
      [{ limit: 2, prefix: 'list/', recursive: false }, page(['list/a', 'list/b'])],
      [{ limit: 1, prefix: 'list/', recursive: false, last: 'list/a' }, page(['list/b'])],
      [{ limit: 2, prefix: 'list/', recursive: false, last: 'list/a' }, { names: ['list/b', 'list/child/'] }],
      [{ prefix: 'list', recursive: false }, { names: ['list-a', 'list-b', 'list-c', 'list/'] }],
      [{ prefix: '/list' }, { names: [] }], [{ prefix: '/list', recursive: false }, { names: [] }], [{ limit: 0 }, { names: FILES }],
    ];
    for (const [options, found] of expected) {
      const listed = await drive.list(options);
      if (JSON.stringify(canonical(listed)) !== JSON.stringify(canonical(found))) throw new Error(`${JSON.stringify(options)}: ${JSON.stringify(listed)}`);
    }
  } },
  'delete': { isShort: true, async run({ drive }) {
    for (const name of ['a', 'b', 'c']) await drive.put(name, { data: name });
    same(await drive.delete('a'), 'a');
    same(await drive.delete('never there'), 'never there');
    const { deleted, failed } = await drive.deleteMany(['b', 'nobody', '', '  ']);
    same([deleted, failed], [['b', 'nobody'], { '': 'invalid name', '  ': 'invalid name' }]);
    await fails(drive.deleteMany([]), "Names can't be empty");
    await fails(drive.deleteMany(['', ' ']), "Names can't be empty");
    await fails(drive.deleteMany(Array.from({ length: 1001 }, () => 'x')));
    same(await drive.list(), { names: ['c'] });
  } },
  'many at once': { async run({ base, drive }) {
    await Promise.all(Array.from({ length: 40 }, (_, n) => base.put({ n }, `k${n}`)));
    same((await base.fetch()).count, 40);
    await Promise.all(Array.from({ length: 40 }, () => base.update({ n: base.util.increment() }, 'k0')));
    same((await base.get('k0')).n, 40);
    await Promise.all(Array.from({ length: 10 }, (_, n) => drive.put(`f${n}`, { data: `content ${n}` })));
    same((await drive.list()).names.length, 10);
  } },
};

/** @returns what there is to run: name -> error message, or null when all went well */
export async function runCases({ Base, Drive, major, isShort, isPage = false }) {
  const results = {};
  let number = 0;
  for (const [name, { run, isShort: isOfShort = false, since = 0 }] of Object.entries(CASES)) {
    if (since > major || (isShort && !isOfShort)) continue;
    number += 1;
    const label = `js${major}${isPage ? '-page' : ''}-${Date.now().toString(36)}-${number}`;
    results[name] = await run({ base: Base(label), drive: Drive(label) }).then(() => null, (error) => String(error?.stack ?? error));
  }
  return results;
}
