// Owns the proof that identifiers look as programs expect and cannot be guessed.
import { describe, expect, test } from 'vitest';
import { newId, newItemKey, newLabelSuffix, newReleaseVersion, newRevisionTag, newSecret, randomText } from '../../core/ids.ts';
import type { IdKind } from '../../core/ids.ts';

const LENGTHS: Record<IdKind, number> = {
  collection: 11, space: 12, project: 12, request: 12, revision: 16, release: 16, installation: 16, instance: 16, session: 32, blob: 32, snapshot: 12,
};

describe.each(Object.entries(LENGTHS) as [IdKind, number][])('an id of a %s', (kind, length) => {
  test('is safe in a host name, a file name and a URL', () => {
    for (let count = 0; count < 200; count += 1) expect(newId(kind)).toMatch(new RegExp(`^[a-z][a-z0-9]{${length - 1}}$`));
  });

  test('does not come twice', () => {
    expect(new Set(Array.from({ length: 5000 }, () => newId(kind))).size).toBe(5000);
  });
});

test.each([
  ['a secret', () => newSecret(), /^[A-Za-z0-9]{32}$/],
  ['a secret of a length', () => newSecret(20), /^[A-Za-z0-9]{20}$/],
  ['the key of an Item', newItemKey, /^[a-z0-9]{12}$/],
  ['the suffix of a label', newLabelSuffix, /^[a-z][1-9]\d{6}$/],
  ['the tag of a Revision', newRevisionTag, /^[a-z]+-[a-z0-9]{4}$/],
  ['the version of a Release', newReleaseVersion, /^exp-[A-Za-z0-9]{4}$/],
])('%s has its form', (_name, make, form) => {
  for (let count = 0; count < 200; count += 1) expect(make()).toMatch(form);
});

describe('random text', () => {
  test('has the length and the alphabet that were asked for', () => {
    expect(randomText(0)).toBe('');
    expect(randomText(1000, 'ab')).toMatch(/^[ab]{1000}$/);
  });

  // 256 is no multiple of 62: without care the first eight characters come 25 % more often than the others.
  test('favours no character', () => {
    const counts = new Map<string, number>();
    for (const character of randomText(124_000)) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(62);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    // 61 degrees of freedom: 150 is exceeded once in 10^9 runs; with the bias it would be about 800.
    expect(chiSquare).toBeLessThan(150);
  });
});
