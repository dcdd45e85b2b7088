// Owns guests' JSON as values: parsing, bounds, comparison. Keys are theirs too (`__proto__` is a plain name),
// so objects are read through `ownValue` and written through `setOwn`, never by `object[key]`.
import { SpaceError } from '../core/errors.ts';
import type { JsonText } from './data.ts';

export type JsonObject = Record<string, unknown>;

/** Nesting of a stored value. Deeper input is refused before anything recursive meets it. */
export const JSON_MAX_DEPTH = 100;
export const REQUEST_MAX_BYTES = 16 * 1024 * 1024;
/** Objects, lists and names of one request: parsing and checking takes a second for each million, and others wait. */
const PIECES_MAX = 500_000;
/** Shorter text cannot nest so deeply that parsing it harms. */
const SCAN_FROM_LENGTH = 64 * 1024;

/** A request that is longer waits for its turn: parsing cannot be sliced. */
const TURN_FROM_LENGTH = 256 * 1024;

/** Whether parsing it would keep others waiting. */
export const isLong = (text: JsonText): boolean => text.length > TURN_FROM_LENGTH;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws BAD_JSON, BASE_BAD_ITEM when it is longer than REQUEST_MAX_BYTES */
export function parseJson(text: JsonText): unknown {
  if (text.length > REQUEST_MAX_BYTES) throw new SpaceError('BASE_BAD_ITEM', { reason: `A request may have ${REQUEST_MAX_BYTES} bytes at most` });
  try {
    const decoded = typeof text === 'string' ? text : utf8.decode(text);
    if (decoded.length > SCAN_FROM_LENGTH) assertSimpleText(decoded);
    return JSON.parse(decoded);
  } catch (error) {
    if (error instanceof SpaceError) throw error;
    throw new SpaceError('BAD_JSON', {}, { cause: error });
  }
}

/** Numbers beyond a double, nesting beyond JSON_MAX_DEPTH and lone surrogates cannot be stored.
 *  @returns why not, or `undefined` when it can */
export function unstorableReason(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'Text must be well-formed Unicode';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'A number is too large';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= JSON_MAX_DEPTH) return `Nesting may be ${JSON_MAX_DEPTH} levels deep at most`;
  if (Array.isArray(value)) return firstReason(value, depth);
  for (const name of Object.keys(value)) if (!name.isWellFormed()) return 'Text must be well-formed Unicode';
  return firstReason(Object.values(value), depth);
}

function firstReason(values: unknown[], depth: number): string | undefined {
  for (const value of values) {
    const reason = unstorableReason(value, depth + 1);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property; nothing that a prototype offers. */
export function ownValue(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** What is at a path of own properties; `undefined` when nothing is. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  for (const name of path) {
    if (!isObject(value)) return undefined;
    value = ownValue(value, name);
  }
  return value;
}

/** Assignment that makes an own property of any name. */
export function setOwn(object: JsonObject, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Same type and content; the order of object keys does not matter. Both sides are bounded in depth. */
export function isSameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length
      && left.every((value, index) => isSameJson(value, right[index]));
  }
  const names = Object.keys(left);
  return names.length === Object.keys(right).length
    && names.every((name) => Object.hasOwn(right, name) && isSameJson((left as JsonObject)[name], (right as JsonObject)[name]));
}

/** A megabyte of `[` would parse into a million objects. */
function assertSimpleText(text: string): void {
  let depth = 0;
  let pieces = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) at = endOfString(text, at);
    else if (unit === 0x3a) pieces += 1;
    else if (unit === 0x5b || unit === 0x7b) {
      depth += 1;
      pieces += 1;
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1;
    // A request wraps its Items in a few levels of its own.
    if (depth > JSON_MAX_DEPTH + 4) throw new SpaceError('BAD_JSON', { reason: `nesting may be ${JSON_MAX_DEPTH} levels deep at most` });
    if (pieces > PIECES_MAX) throw new SpaceError('BAD_JSON', { reason: `a request may have ${PIECES_MAX} objects, lists and names at most` });
  }
}

/** Index of the quote that ends the string which starts at `at`. */
function endOfString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
