// Owns heads: the first lines of a request or a response as one text, fields divided by line feeds.
// What comes from a Cell is checked here; a field cannot hold a line feed, since that is what divides them.
import { SpaceError } from '../../../core/errors.ts';
import type { HeaderList, ScheduledEvent } from '../engine.ts';

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;
/** What Node.js and every proxy refuse in a value, some of which the Fetch standard lets through. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const HEADERS_MAX = 512;

export interface ResponseHead { status: number; headers: HeaderList }

export function requestHead(method: string, url: string, headers: HeaderList): string {
  return headers.length === 0 ? `${method}\n${url}` : `${method}\n${url}\n${headers.join('\n')}`;
}

/** Of a request that is about an event: it stands behind the method, where no method of anybody else's has a space. */
export function eventHead(event: ScheduledEvent, method: string, url: string, headers: HeaderList): string {
  return requestHead(`${method} ${JSON.stringify(event)}`, url, headers);
}

/** @param url where it came from, when redirects led elsewhere */
export function responseHead(status: number, headers: HeaderList, url?: string): string {
  const first = url === undefined ? String(status) : `${status} ${url}`;
  return headers.length === 0 ? first : `${first}\n${headers.join('\n')}`;
}

const known = new Map<string, ResponseHead>();
const KNOWN_MAX = 256;
const KNOWN_MAX_CHARS = 2_048;

/** Heads repeat: each is parsed and checked once. The result is shared: copy the headers before changing them.
 *  @throws MICRO_BAD_RESPONSE */
export function parseResponseHead(text: string): ResponseHead {
  const found = known.get(text);
  if (found) return found;
  const [status, ...headers] = text.split('\n');
  const head = { status: Number(status), headers: checkHeaders(headers) };
  if (!(head.status >= 200 && head.status <= 599)) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'its status is not between 200 and 599' });
  if (text.length <= KNOWN_MAX_CHARS) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(text, head);
  }
  return head;
}

/** @throws MICRO_BAD_RESPONSE */
export function checkHeaders(headers: HeaderList): HeaderList {
  if (headers.length % 2 !== 0 || headers.length > HEADERS_MAX * 2) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'its headers are not in order' });
  for (let at = 0; at < headers.length; at += 2) {
    if (!NAME.test(headers[at]!) || BAD_VALUE.test(headers[at + 1]!)) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'a header is not valid' });
  }
  return headers;
}
