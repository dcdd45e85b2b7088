// Owns the text that leaves an isolate after a turn: records of (kind, id, other, meta, body). Trusts nothing in it: a guest that
// bends its own runtime may write anything, and that must cost its isolate, never the Cell.
import { META_MAX_BYTES, readFailure, readLogEntry } from '../protocol.ts';

export interface GuestRecord {
  kind: string;
  id: number;
  other: number;
  meta: string;
  /** Text, the number of a buffer, or where it lies in the memory that is shared. */
  body: string | number | { at: number; size: number } | null;
  /** The stream in which the body follows; 0: it does not. */
  stream: number;
}

const TEXT_MAX_CHARS = 64 * 1024 * 1024;

/** @throws TypeError for what no sound guest writes */
export function readRecords(text: string, take: (record: GuestRecord) => void): void {
  if (text.length > TEXT_MAX_CHARS) throw new TypeError('too much text');
  let at = 0;
  while (at < text.length) {
    const lineEnd = text.indexOf('\n', at);
    const fields = text.slice(at + 1, lineEnd).split(' ');
    if (lineEnd < 0 || fields.length !== 4) throw new TypeError('a record is broken');
    const metaEnd = lineEnd + 1 + count(fields[2]!);
    const [kind, size] = [fields[3]![0], fields[3]!.slice(1)];
    const bodyEnd = kind === 'S' ? metaEnd + count(size) : metaEnd;
    if (bodyEnd > text.length) throw new TypeError('a record is cut');
    const body = kind === 'S' ? text.slice(metaEnd, bodyEnd) : kind === 'B' ? count(size) : kind === 'M' ? place(size) : null;
    const stream = kind === 'T' ? count(size) : 0;
    take({ kind: text[at]!, id: count(fields[0]!), other: count(fields[1]!), meta: text.slice(lineEnd + 1, metaEnd), body, stream });
    at = bodyEnd;
  }
}

/** What the host takes for a breach of the protocol does not leave the Cell. @throws TypeError, SyntaxError, ProtocolError */
export function checkMeta({ kind, meta }: GuestRecord): void {
  if (isTooLong(meta)) throw new TypeError('a meta is too long');
  if (kind === 'L') readLogEntry(meta);
  if (kind === 'F') readFailure(meta);
}

export function isTooLong(meta: string): boolean {
  return meta.length > META_MAX_BYTES / 3 && Buffer.byteLength(meta) > META_MAX_BYTES;
}

function place(text: string): { at: number; size: number } {
  const middle = text.indexOf('+');
  if (middle < 1) throw new TypeError('a place is broken');
  return { at: count(text.slice(0, middle)), size: count(text.slice(middle + 1)) };
}

function count(text: string): number {
  const number = Number(text);
  if (!(number >= 0 && number <= 0xffffffff) || !Number.isInteger(number)) throw new TypeError('a number is broken');
  return number;
}
