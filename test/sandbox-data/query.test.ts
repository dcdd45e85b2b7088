// Owns the proof of the query language: each operator, each refusal, and a model that filters plainly.
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseQuery } from '../../sandbox-data/query.ts';
import { createData } from '../../sandbox-data/open.ts';
import { silentLog } from '../../core/log.ts';
import { inValues, REF, tempFolder } from './open-data.ts';

const matches = (query: unknown, item: object): boolean => parseQuery({ query }).matches?.(item as Record<string, unknown>) ?? true;

describe('operators', () => {
  const item = JSON.parse(`{"key":"k","n":5,"s":"banana","b":true,"z":null,"l":["a","b"],"nums":[1,2],"o":{"p":{"q":7},"r":"x"},
    "__proto__":{"evil":1},"emoji":"😀","empty":""}`) as object;
  const yes: object[] = [
    {}, { n: 5 }, { s: 'banana' }, { b: true }, { z: null }, { l: ['a', 'b'] }, { o: { r: 'x', p: { q: 7 } } }, { 'o.p.q': 7 }, { 'o.p': { q: 7 } },
    { 'n?ne': 6 }, { 'n?ne': '5' }, { 'missing?ne': 1 }, { 'z?ne': 1 }, { 'n?lt': 6 }, { 'n?<': 6 }, { 'n?gt': 4 }, { 'n?>': 4 }, { 'n?lte': 5 }, { 'n?<=': 5 },
    { 'n?gte': 5 }, { 'n?>=': 5 }, { 's?gt': 'apple' }, { 's?lt': 'bananas' }, { 'emoji?gt': '\uffff' }, { 's?pfx': 'ban' }, { 's?pfx': '' },
    { 'n?r': [5, 9] }, { 'n?r': [1, 5] }, { 's?r': ['a', 'c'] }, { 's?contains': 'nan' }, { 'l?contains': 'b' }, { 'empty?contains': '' },
    { 's?not_contains': 'x' }, { 's?!contains': 'x' }, { 'l?not_contains': 'c' }, { 'missing?not_contains': 'x' }, { 'nums?not_contains': '1' },
    { '__proto__.evil': 1 }, { 'o.r': 'x', n: 5 },
  ];
  const no: object[] = [
    { n: '5' }, { n: 4 }, { b: 1 }, { missing: null }, { l: ['b', 'a'] }, { l: ['a'] }, { o: { r: 'x' } }, { 'o.p.q.r': 7 }, { 's.length': 6 }, { 'l.0': 'a' },
    { 'n?ne': 5 }, { 'o?ne': { r: 'x', p: { q: 7 } } }, { 'n?lt': 5 }, { 'n?gt': 5 }, { 'n?gt': '1' }, { 's?gt': 1 }, { 'z?lt': 1 }, { 'missing?lt': 1 }, { 'b?gte': 0 },
    { 's?pfx': 'x' }, { 'n?pfx': '5' }, { 'missing?pfx': '' }, { 'n?r': [6, 9] }, { 'n?r': [9, 1] }, { 's?r': [1, 2] }, { 's?contains': 'xx' }, { 'nums?contains': 1 },
    { 'n?contains': '5' }, { 'missing?contains': '' }, { 's?not_contains': 'nan' }, { 'l?!contains': 'a' }, { constructor: {} }, { 'toString?ne': 1, n: 4 },
    { 'o.r': 'x', n: 4 }, { 'constructor.name': 'Object' },
  ];
  test.each(yes.map((query) => [JSON.stringify(query), query]))('%s matches', (_name, query) => { expect(matches(query, item)).toBe(true); });
  test.each(no.map((query) => [JSON.stringify(query), query]))('%s does not match', (_name, query) => { expect(matches(query, item)).toBe(false); });

  test('alternatives are ORed, conditions ANDed', () => {
    expect(matches([{ n: 1 }, { n: 5 }], item)).toBe(true);
    expect(matches([{ n: 1 }, { s: 'x' }], item)).toBe(false);
    expect(matches([], item)).toBe(true);
    expect(matches([{}, { n: 1 }], item)).toBe(true);
  });
});

describe('refusals have the one text that clients compare', () => {
  const bad: [string, unknown][] = [
    ['an empty name', { query: { '?': 1 } }], ['an empty name with operator', { query: { '?gt': 1 } }], ['nothing at all as name', { query: { '': 1 } }],
    ['a trailing ?', { query: { 'name?': 'x' } }], ['a double ??', { query: { 'name??gt': 1 } }], ['an unknown operator', { query: { 'name?random': 1 } }],
    ['an operator of the prototype', { query: { 'name?constructor': 1 } }],
    ['a prefix that is no text', { query: { 'a?pfx': 1 } }], ['a range that is no list', { query: { 'a?r': 1 } }], ['a range of three', { query: { 'a?r': [1, 2, 3] } }],
    ['a range of two types', { query: { 'a?r': [1, 'b'] } }], ['a range of nulls', { query: { 'a?r': [null, null] } }], ['less than true', { query: { 'a?lt': true } }], ['less than null', { query: { 'a?<': null } }],
    ['a text as query', { query: 'x' }], ['a list of texts', { query: ['x'] }], ['a nested list', { query: [[]] }], ['a list as body', []], ['null as body', null],
    ['limit 0', { limit: 0 }], ['limit -1', { limit: -1 }], ['limit 1.5', { limit: 1.5 }], ['limit as text', { limit: '5' }], ['an unknown sort', { sort: 'up' }],
    ['last that is a number', { last: 5 }], ['last with a lone surrogate', { last: 'a\ud800' }], ['a lone surrogate', { query: { a: '\udfff' } }],
    ['a key that is a number', { query: { key: 1 } }], ['a key prefix that is a number', { query: { 'key?pfx': 1 } }], ['a key range of numbers', { query: { 'key?r': [1, 2] } }],
    ['key ne', { query: { 'key?ne': 'a' } }], ['key contains', { query: { 'key?contains': 'a' } }], ['key !contains', { query: { 'key?!contains': 'a' } }],
    ['two key conditions', { query: { key: 'a', 'key?>': 'b' } }], ['different keys', { query: [{ key: 'a' }, { key: 'b' }] }],
    ['different key operators', { query: [{ 'key?>': 'a' }, { 'key?>=': 'a' }] }], ['key in one alternative only', { query: [{ key: 'a' }, { n: 1 }] }],
    ['key beside everything', { query: [{ 'key?>': 'a' }, {}] }], ['more conditions than anyone needs', { query: Array.from({ length: 1001 }, () => ({ a: 1 })) }],
  ];
  test.each(bad)('%s', (_name, request) => {
    expect(() => parseQuery(request)).toThrow(expect.objectContaining({ code: 'BASE_BAD_QUERY', message: 'Bad query', status: 400 }));
  });

  test.each([[{}], [{ query: null, limit: null, last: null, sort: null }], [{ query: [], last: '', sort: '' }], [{ query: [{}], limit: 50_000 }], [{ query: { a: 1 } }]])('%j is fine', (request) => {
    expect(parseQuery(request).limit).toBe(1000);
  });

  test('alternatives that share one key condition are fine, in any spelling', () => {
    const query = parseQuery({ query: [{ 'key?>=': 'k1', 'a?>': 40, 'a?<': 50 }, { 'key?gte': 'k1', 'a?<': 40 }] });
    expect(query.bounds).toEqual({ gte: 'k1' });
    expect([30, 40, 45, 60].map((a) => query.matches?.({ a }))).toEqual([true, false, true, false]);
  });
});

describe('against plain filtering', () => {
  const name = fc.constantFrom('a', 'b', 'c.d', '__proto__', 'constructor');
  const scalar = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('', 'a', 'ab', 'b', '\uffff', '😀'), fc.boolean(), fc.constant(null));
  const value = fc.oneof({ weight: 3, arbitrary: scalar }, fc.array(fc.constantFrom('a', 'ab', 1), { maxLength: 2 }), fc.record({ d: scalar }));
  const key = fc.constantFrom('a', 'aa', 'ab', 'b', '%@#//#!#)#$_', '~', '\uffff', '😀', 'ä');
  const item = fc.tuple(key, fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), value, { maxKeys: 4, noNullPrototype: true }))
    .map(([itemKey, rest]): Record<string, unknown> => ({ ...rest, key: itemKey }));
  const ordering = fc.constantFrom('lt', 'gt', 'lte', 'gte', '<', '>', '<=', '>=');
  const comparable = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('', 'a', 'ab', '\uffff', '😀'));
  const condition: fc.Arbitrary<[string, unknown]> = fc.oneof(
    fc.tuple(name, value),
    fc.tuple(name.map((field) => `${field}?ne`), value),
    fc.tuple(fc.tuple(name, ordering).map(([field, operator]) => `${field}?${operator}`), comparable),
    fc.tuple(name.map((field) => `${field}?pfx`), fc.constantFrom('', 'a', 'ab')),
    fc.tuple(name.map((field) => `${field}?r`), fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 3 }))),
    fc.tuple(fc.tuple(name, fc.constantFrom('contains', 'not_contains', '!contains')).map(([field, operator]) => `${field}?${operator}`), fc.constantFrom('', 'a', 'b')),
  );
  const keyCondition = fc.oneof(
    fc.tuple(fc.constantFrom('key', 'key?pfx', 'key?<', 'key?gt', 'key?lte', 'key?>='), fc.oneof(key, fc.constant(''))),
    fc.tuple(fc.constant('key?r'), fc.tuple(key, key)),
  );
  const request = fc.record({
    alternatives: fc.array(fc.array(condition, { maxLength: 2 }), { maxLength: 3 }), keyed: fc.option(keyCondition), sort: fc.constantFrom('asc', 'desc'), limit: fc.integer({ min: 1, max: 4 }),
  });

  test('every query gives what a plain scan gives, page by page', { timeout: 60_000 }, async () => {
    const data = await createData({ folder: await tempFolder(), log: silentLog });
    onTestFinished(() => data.close());
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.uniqueArray(item, { selector: (one) => one.key, maxLength: 8 }), fc.array(request, { minLength: 1, maxLength: 5 }), async (items, requests) => {
      run += 1;
      const base = inValues(data.collection(REF).base(`b${run}`));
      await inValues(data.collection(REF).base(`b${run}x`)).put({ key: 'neighbour' });
      if (items.length > 0) await base.put(...items);
      for (const { alternatives, keyed, sort, limit } of requests) {
        const objects = (alternatives.length === 0 && keyed ? [[]] : alternatives).map((conditions) => Object.fromEntries([...conditions, ...(keyed ? [keyed] : [])]));
        const expected = inOrder(items, sort).filter((one) => objects.length === 0 || objects.some((object) => Object.entries(object).every(([field, operand]) => plainly(one, field, operand))));
        const pages: unknown[] = [];
        for (let last: string | undefined, first = true; first || last !== undefined; first = false) {
          const page = await base.query({ query: objects, sort, limit, last });
          expect(page.paging.size).toBe(page.items.length);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          pages.push(...page.items);
          last = page.paging.last;
          if (last !== undefined) expect(pages.length, 'last only when more Items match').toBeLessThan(expected.length);
        }
        expect(pages).toEqual(expected);
      }
    }), { numRuns: 200 });
  });

  function inOrder(items: Record<string, unknown>[], sort: string): Record<string, unknown>[] {
    const sorted = items.toSorted((left, right) => Buffer.compare(Buffer.from(String(left.key)), Buffer.from(String(right.key))));
    return sort === 'desc' ? sorted.reverse() : sorted;
  }
});

/** The language as the reference words it, written a second time and without regard for speed. */
function plainly(item: Record<string, unknown>, name: string, operand: any): boolean {
  const [field = '', operator] = name.split('?');
  let value: any = item;
  for (const step of field.split('.')) {
    value = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  const order = (): number => (typeof value !== typeof operand ? Number.NaN : typeof value === 'string' ? Buffer.compare(Buffer.from(value), Buffer.from(operand)) : value - operand);
  const has = (): boolean => (typeof value === 'string' || Array.isArray(value)) && value.includes(operand as never);
  switch (operator) {
    case undefined: return value !== undefined && sorted(value) === sorted(operand);
    case 'ne': return value === undefined || sorted(value) !== sorted(operand);
    case 'lt': case '<': return order() < 0;
    case 'gt': case '>': return order() > 0;
    case 'lte': case '<=': return order() <= 0;
    case 'gte': case '>=': return order() >= 0;
    case 'pfx': return typeof value === 'string' && value.startsWith(operand);
    case 'r': return plainly(item, `${field}?gte`, operand[0]) && plainly(item, `${field}?lte`, operand[1]);
    case 'contains': return has();
    default: return !has();
  }
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)) : inner);
}
