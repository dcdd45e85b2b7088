// Owns the proof that no query, however it is made, costs others their answers: attack F8. Each bomb is set off while other
// requests are measured; what they take without it is the control.
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAttackedHost, type AttackedHost } from './data-plane.ts';

let space: AttackedHost;
/** Longer than any Item that is looked for: an Item of nearly the largest size. */
const LONG_TEXT = `${'a'.repeat(390_000)}c`;
const SMALL_ITEMS = 10_000;

beforeAll(async () => {
  space = await startAttackedHost();
  const { own, sibling } = space;
  for (let n = 0; n < 3; n += 1) await own.base('long/items', { method: 'PUT', body: { items: [{ key: `long${n}`, text: LONG_TEXT }] } });
  for (let start = 0; start < SMALL_ITEMS; start += 25 * 20) {
    await Promise.all(Array.from({ length: 20 }, (_, lane) => own.base('many/items', { method: 'PUT', body: { items: Array.from({ length: 25 }, (_, n) => ({ key: `k${start + lane * 25 + n}`, text: 'some text of an Item', n, tags: ['a', 'b'] })) } })));
  }
  await sibling.base('things/items', { method: 'PUT', body: { items: [{ key: 'a' }] } });
}, 60_000);
afterAll(() => space?.close());

const nested = (levels: number): unknown => JSON.parse('{"a":'.repeat(levels) + '1' + '}'.repeat(levels));
const many = (count: number, condition: (n: number) => object): object[] => Array.from({ length: count }, (_, n) => condition(n));

/** Work that is within the limits. */
const BOMBS: Record<string, { base: string; query: unknown; limit?: number }> = {
  'a crafted text to look for': { base: 'long', query: { 'text?contains': `ab${'a'.repeat(100_000)}` } },
  'the same, to be absent': { base: 'long', query: { 'text?not_contains': `${'a'.repeat(100_000)}b${'a'.repeat(100_000)}` }, limit: 1 },
  'the same, as a value and as a beginning': { base: 'long', query: [{ text: `ab${'a'.repeat(100_000)}` }, { 'text?pfx': `${'a'.repeat(100_000)}b` }] },
  'a hundred crafted texts': { base: 'long', query: many(100, (n) => ({ 'text?contains': `ab${'a'.repeat(20_000)}${n}` })) },
  'two hundred alternatives on long texts': { base: 'long', query: many(200, (n) => ({ 'text?contains': `a${n}` })) },
  'five hundred alternatives over many Items': { base: 'many', query: many(500, (n) => ({ 'text?contains': `none${n}` })) },
  'a thousand conditions in one': { base: 'many', query: Object.fromEntries(many(998, (n) => [`field${n}?ne`, n] as never) as unknown as [string, unknown][]) },
  'deep values to compare': { base: 'many', query: many(100, () => ({ text: nested(90) })) },
  'deep paths': { base: 'many', query: many(100, (n) => ({ [`${'a.'.repeat(1000)}${n}`]: 1 })) },
  'what looks like a slow regular expression': { base: 'many', query: [{ 'text?contains': '(a+)+$' }, { 'text?pfx': '.*'.repeat(1000) }] },
};

interface Latency { worstMs: number; count: number }

/** What requests to another Collection take while `run` runs. */
async function others(run: () => Promise<unknown>): Promise<Latency> {
  let isOver = false;
  const latency: Latency = { worstMs: 0, count: 0 };
  const asking = (async () => {
    while (!isOver) {
      const start = performance.now();
      const answers = await Promise.all([space.sibling.base('things/items/a'), space.sibling.base('things/items', { method: 'PUT', body: { items: [{ key: 'b' }] } }), space.own.base('small/items/a')]);
      expect(answers.map(({ status }) => status)).toEqual([200, 207, 404]);
      latency.worstMs = Math.max(latency.worstMs, performance.now() - start);
      latency.count += 1;
      await wait(5);
    }
  })();
  await run().finally(() => { isOver = true; });
  await asking;
  return latency;
}

describe('within the limits', () => {
  test.each(Object.keys(BOMBS))('%s: answered in bounded time, and others are answered meanwhile', async (name) => {
    const { base, ...query } = BOMBS[name]!;
    const control = await others(() => wait(300));
    const start = performance.now();
    const latency = await others(async () => {
      const answers = await Promise.all([1, 2].map(() => space.own.base(`${base}/query`, { method: 'POST', body: query })));
      for (const { status, json } of answers) {
        expect(status).toBe(200);
        expect(json().paging.size).toBe(json().items.length);
      }
    });
    const tookMs = performance.now() - start;
    const facts = `${name}: ${Math.round(tookMs)} ms; others at worst ${Math.round(latency.worstMs)} ms, without it ${Math.round(control.worstMs)} ms`;
    expect(tookMs, facts).toBeLessThan(50_000);
    // On one core with everything else of the tests: far below what the bomb takes, or at what it is without one.
    expect(latency.worstMs, facts).toBeLessThan(Math.max(500, control.worstMs * 5, tookMs / 8));
  }, 60_000);

  test('pages that end early for their work go on, and together they are whole', async () => {
    const keys: string[] = [];
    let last: string | undefined;
    let pages = 0;
    do {
      const page = (await space.own.base('many/query', { method: 'POST', body: { query: many(500, (n) => ({ 'text?contains': n === 499 ? 'some' : `none${n}` })), last } })).json();
      keys.push(...page.items.map(({ key }: { key: string }) => key));
      last = page.paging.last;
      pages += 1;
    } while (last !== undefined);
    expect(keys.length).toBe(SMALL_ITEMS);
    expect(pages).toBeGreaterThanOrEqual(SMALL_ITEMS / 1000);
  }, 60_000);
});

describe('beyond them', () => {
  test.each<[string, string]>([
    ['thousands of alternatives', JSON.stringify({ query: many(5000, (n) => ({ a: n })) })],
    ['a million alternatives', `{"query":[${'{},'.repeat(1_000_000)}{}]}`],
    ['a million conditions', `{"query":{${Array.from({ length: 1_000_000 }, (_, n) => `"a${n}":1`).join(',')}}}`],
    ['a value that is too deep', `{"query":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`],
    ['or inside of or', '{"query":[[{"a":1}]]}'],
    ['alternatives that are no objects', '{"query":[null,1,"a"]}'],
    ['a regular expression', '{"query":{"a?regex":"(a+)+$"}}'],
    ['JavaScript', '{"query":{"$where":"sleep(1000)","a?where":1}}'],
  ])('%s: refused at once', async (_, body) => {
    const start = performance.now();
    const { status, json } = await space.own.base('many/query', { method: 'POST', body });
    expect([status, json().code]).toEqual([400, expect.stringMatching(/^BASE_BAD_QUERY$|^BAD_JSON$/)]);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test.each([['[', 1_000_000], ['{"a":', 1_000_000], ['[', 16 * 1024 * 1024], ['{"a":', 3_000_000], ['[[],', 4_000_000]])('%s, %i times: refused, and the host lives', async (piece, count) => {
    const [answer, latency] = [await space.own.base('many/query', { method: 'POST', body: piece.repeat(count) }), await others(() => wait(50))];
    expect([answer.status, answer.json().code]).toEqual([400, 'BAD_JSON']);
    expect(latency.count).toBeGreaterThan(0);
  });

  test('16 MB of empty objects, from eight at once, are refused and forgotten', async () => {
    const body = Buffer.from(`{"items":[${'{},'.repeat(5_500_000)}{}]}`);
    const start = performance.now();
    const latency = await others(async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => space.own.base('many/items', { method: 'PUT', body })));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 400));
    });
    // Each is read in one piece; nobody waits for more than some of the eight.
    expect(latency.worstMs, 'others').toBeLessThan(Math.max(3000, (performance.now() - start) * 0.7));
    expect(space.logged()).not.toContain('"level":"error"');
  }, 60_000);
});
