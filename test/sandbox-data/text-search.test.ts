// Owns the proof that finding a text in a text is right, and quick for whoever chooses both.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseQuery } from '../../sandbox-data/query.ts';
import { containing } from '../../sandbox-data/text-search.ts';

test('it finds what the engine finds', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'aaaaaaaaaaaaaaaa', 'é', '🔑'), { maxLength: 30 }).map((pieces) => pieces.join(''));
  fc.assert(fc.property(text, text, fc.nat(), fc.nat(), (one, other, start, length) => {
    const piece = one.slice(start % (one.length + 1)).slice(0, length % (one.length + 1));
    for (const needle of [piece, other, `${piece}${other}`]) expect(containing(needle)(one)).toBe(one.includes(needle));
  }), { numRuns: 300 });
});

const TEXT = `${'a'.repeat(100_000)}c`;
const CRAFTED = `ab${'a'.repeat(20_000)}`;
const seconds = (run: () => void): number => {
  const start = performance.now();
  run();
  return (performance.now() - start) / 1000;
};

test('a needle that is crafted against its haystack costs no more than their lengths', () => {
  const naive = seconds(() => TEXT.includes(CRAFTED));
  const search = containing(CRAFTED);
  expect(search(TEXT)).toBe(false);
  const best = Math.min(...[1, 2, 3].map(() => seconds(() => search(TEXT))));
  expect(best, `the engine takes ${naive} s`).toBeLessThan(naive / 10);
});

test('no condition of a query is such a needle', () => {
  for (const query of [{ 'text?contains': CRAFTED }, { 'text?not_contains': CRAFTED }, { text: CRAFTED }, { 'text?pfx': CRAFTED }]) {
    const { matches, mayMatch } = parseQuery({ query });
    const took = seconds(() => {
      if (mayMatch(JSON.stringify({ text: TEXT }))) matches?.({ text: TEXT });
    });
    expect(took, Object.keys(query)[0]).toBeLessThan(0.1);
  }
});
