// Owns the proof that an index orders values as queries do, and never leaves out what a query would find.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { betweenTexts, equalityText, indexedTexts, memberText, prefixTexts, startingWith, textLength } from '../../sandbox-data/index-value.ts';
import type { TextRange } from '../../sandbox-data/index-value.ts';
import { compareText } from '../../sandbox-data/text-order.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const has = ({ gte, lt }: TextRange, text: string): boolean => Buffer.compare(bytes(text), bytes(gte)) >= 0 && (lt === undefined || Buffer.compare(bytes(text), bytes(lt)) < 0);
const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.constantFrom(0, -0, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53));
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', '\u0001', 'a', '\uffff', '😀', '\ue000') }),
  fc.string({ unit: fc.constantFrom('a', '😀', '\uffff'), minLength: 115, maxLength: 130 }),
  fc.string({ unit: 'grapheme' }),
).filter((one) => one.isWellFormed());
/** Behind each text comes the key of an Item. */
const key = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('\0', 'a', '\u{10ffff}') });

test('numbers keep their order', () => {
  fc.assert(fc.property(number, number, (left, right) => {
    const order = Buffer.compare(bytes(equalityText(left)!), bytes(equalityText(right)!));
    expect(order).toBe(left === right ? 0 : left < right ? -1 : 1);
  }), { numRuns: 2000 });
});

test('texts keep their order, also where they are cut', () => {
  fc.assert(fc.property(text, text, (left, right) => {
    const order = Buffer.compare(bytes(equalityText(left)!), bytes(equalityText(right)!));
    if (order !== 0) expect(Math.sign(compareText(left, right))).toBe(order);
    else expect(left === right || Math.min(left.length, right.length) >= 120).toBe(true);
  }), { numRuns: 2000 });
});

test('a range, a prefix, equality and membership leave nothing out', () => {
  fc.assert(fc.property(fc.oneof(fc.tuple(number, number, number), fc.tuple(text, text, text)), key, ([value, one, other], itemKey) => {
    const at = equalityText(value)! + itemKey;
    const compare = (left: unknown, right: unknown): number => (typeof left === 'number' ? left - (right as number) : compareText(left as string, right as string));
    if (compare(value, one) >= 0) expect(has(betweenTexts(one, undefined), at)).toBe(true);
    if (compare(value, one) <= 0) expect(has(betweenTexts(undefined, one), at)).toBe(true);
    if (compare(value, one) >= 0 && compare(value, other) <= 0) expect(has(betweenTexts(one, other), at)).toBe(true);
    if (typeof value !== 'string') return;
    const prefix = Array.from(value).slice(0, 3).join('');
    expect(has(prefixTexts(prefix), at)).toBe(true);
    expect(has(prefixTexts(value), at)).toBe(true);
    expect(has(startingWith(equalityText(value)!), at)).toBe(true);
  }), { numRuns: 2000 });
});

test('types are apart, and the key behind a text is found again', () => {
  fc.assert(fc.property(fc.oneof(number, text, fc.boolean(), fc.constant(null), fc.array(text, { maxLength: 5 })), key, (value, itemKey) => {
    for (const one of indexedTexts(value)) {
      expect((one + itemKey).slice(textLength(one + itemKey))).toBe(itemKey);
      expect(has(betweenTexts(0, undefined), one)).toBe(typeof value === 'number' && value >= 0);
      expect(has(prefixTexts(''), one)).toBe(typeof value === 'string');
    }
  }), { numRuns: 1000 });
  expect(indexedTexts(['a', 'b', 'a', 1, null, ['c']])).toEqual([memberText('a'), memberText('b')]);
  expect(indexedTexts({ a: 1 })).toEqual([]);
  expect(indexedTexts(undefined)).toEqual([]);
  expect(indexedTexts(Array.from({ length: 5000 }, String))).toHaveLength(1);
});
