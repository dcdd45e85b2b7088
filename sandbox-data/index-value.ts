// Owns how a value becomes text of an index: tagged by type, in the order of its type, never longer than a bound.
// Long texts are cut, so an index finds candidates, and whoever reads it looks at the Items themselves. Pure.
import { textAfterPrefix } from './text-order.ts';

/** A longer text is cut to this many UTF-16 units. */
const TEXT_MAX_LENGTH = 120;
/** A longer list is in the index as a list that might contain anything. */
const LIST_MAX_TEXTS = 100;

/** Ends a text. What lies behind it is another part of the key. */
const END = '\0\0';
const NUMBER = 'n';
const TEXT = 't';
const NUMBER_LENGTH = 17;
const MEMBER = 'm';
const LONG_LIST = 'l';

/** What an index holds of one value: equality, order and membership find it by these. */
export function indexedTexts(value: unknown): string[] {
  if (Array.isArray(value)) return membersOf(value);
  const text = equalityText(value);
  return text === undefined ? [] : [text];
}

/** @returns `undefined` for what is not found by equality: lists, objects */
export function equalityText(value: unknown): string | undefined {
  if (value === null) return 'a';
  if (typeof value === 'boolean') return value ? 'c' : 'b';
  if (typeof value === 'number') return NUMBER + orderedNumber(value);
  return typeof value === 'string' ? TEXT + endedText(value) : undefined;
}

/** Where the text at the start of `entry` ends; behind it is the Item's key. */
export function textLength(entry: string): number {
  const tag = entry[0];
  if (tag === NUMBER) return NUMBER_LENGTH;
  return tag === TEXT || tag === MEMBER ? entry.indexOf(END) + END.length : 1;
}

export const memberText = (member: string): string => MEMBER + endedText(member);

/** Every value that may contain a text: lists that are too long to be listed, and texts. */
export const CONTAINER_TAGS: readonly string[] = [LONG_LIST, TEXT];

export interface TextRange { gte: string; lt: string | undefined }

/** Everything whose indexed text starts like this. */
export function startingWith(text: string): TextRange {
  return { gte: text, lt: textAfterPrefix(text) };
}

/** Texts that start with `prefix`, and perhaps others. */
export function prefixTexts(prefix: string): TextRange {
  return startingWith(TEXT + escaped(cut(prefix)));
}

/** Values of the bounds' type between them, both included, and perhaps others. A missing bound is open. */
export function betweenTexts(least: unknown, most: unknown): TextRange {
  const all = startingWith(typeof (least ?? most) === 'number' ? NUMBER : TEXT);
  const gte = least === undefined ? all.gte : equalityText(least)!;
  return { gte, lt: most === undefined ? all.lt : startingWith(equalityText(most)!).lt };
}

function membersOf(list: readonly unknown[]): string[] {
  const texts = new Set(list.filter((member) => typeof member === 'string'));
  return texts.size > LIST_MAX_TEXTS ? [LONG_LIST] : [...new Set([...texts].map(memberText))];
}

const double = new DataView(new ArrayBuffer(8));

/** 16 hexadecimal digits that order as the numbers do. */
function orderedNumber(value: number): string {
  double.setFloat64(0, value === 0 ? 0 : value); // -0 equals 0
  const bits = double.getBigUint64(0);
  const flipped = value < 0 ? ~bits : bits | 0x8000_0000_0000_0000n;
  return BigInt.asUintN(64, flipped).toString(16).padStart(16, '0');
}

function endedText(text: string): string {
  return escaped(cut(text)) + END;
}

/** No text contains END, and the order stays. */
function escaped(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\0\u0001') : text;
}

/** A pair of surrogates stays whole, else the order of cut texts would differ from that of whole ones. */
function cut(text: string): string {
  if (text.length <= TEXT_MAX_LENGTH) return text;
  return text.slice(0, TEXT_MAX_LENGTH + Number(isHighSurrogate(text.charCodeAt(TEXT_MAX_LENGTH - 1))));
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
