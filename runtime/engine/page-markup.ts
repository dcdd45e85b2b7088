// Owns markup of the host's in the pages of apps: where it goes in a document, and how a Micro's answer gets it.
import { Transform } from 'node:stream';
import { headerValue } from '../http/headers.ts';
import type { HeaderList, MicroResponse } from './engine.ts';

/** The beginning of a page that is looked at. */
const HEAD_MAX_BYTES = 16_384;

const SPACE = /(?:\s+|<!--[\s\S]*?-->)/y;
/** Attributes may hold `>` in quotes. */
const ATTRIBUTES = '(?:\\s(?:[^>"\']|"[^"]*"|\'[^\']*\')*)?';
const OPENINGS = [/<!doctype\s[^>]*>/iy, new RegExp(`<html${ATTRIBUTES}>`, 'iy'), new RegExp(`<head${ATTRIBUTES}>`, 'iy')];

/** The document with `markup` at the begin of its head. @returns undefined for what is no whole document, such as the fragments that scripts fetch */
export function withMarkup(html: Uint8Array, markup: string): Buffer | undefined {
  const bytes = Buffer.from(html.buffer, html.byteOffset, html.byteLength);
  const at = headStart(bytes.toString('latin1', 0, HEAD_MAX_BYTES));
  if (at === undefined) return undefined;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(markup), bytes.subarray(at)]);
}

/** A character of `text` is a byte. */
function headStart(text: string): number | undefined {
  let at = text.startsWith('\xEF\xBB\xBF') ? 3 : 0;
  let found: number | undefined;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at += match[0].length;
    return match !== null;
  };
  for (const opening of OPENINGS) {
    while (skip(SPACE));
    if (skip(opening)) found = at;
  }
  return found;
}

/** A page must come as it is, to be changed. */
export function withoutCodings(headers: HeaderList): HeaderList {
  return headers.filter((_, index) => (headers[index - (index % 2)] ?? '').toLowerCase() !== 'accept-encoding');
}

/** A Micro's page with markup of the host's; anything else as it is. */
export function answerWithMarkup(answer: MicroResponse, markup: string): MicroResponse {
  const { headers, body } = answer;
  const isPage = body !== null && /^text\/html\b/i.test(headerValue(headers, 'content-type') ?? '');
  const coding = headerValue(headers, 'content-encoding');
  if (!isPage || answer.status === 206 || (coding !== undefined && coding !== 'identity')) return answer;
  if (body instanceof Uint8Array) {
    const page = withMarkup(body, markup);
    return page ? { ...answer, headers: changed(headers), body: page } : answer;
  }
  let isFirst = true;
  const page = body.pipe(new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, (isFirst && withMarkup(chunk, markup)) || chunk);
      isFirst = false;
    },
  }));
  body.on('error', (error) => page.destroy(error));
  page.on('close', () => body.destroy());
  return { ...answer, headers: changed(headers), body: page, sizeBytes: undefined };
}

/** The length is another one, and what the Micro calls this version is no longer these bytes. */
function changed(headers: HeaderList): HeaderList {
  const kept = headers.filter((_, index) => (headers[index - (index % 2)] ?? '').toLowerCase() !== 'content-length');
  return kept.map((value, index) => (index % 2 === 1 && kept[index - 1]?.toLowerCase() === 'etag' && value.startsWith('"') ? `W/${value}` : value));
}
