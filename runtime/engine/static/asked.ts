// Owns what the head of a request asks of a file: which version, which coding, which part. One pass: this stands on the hot path.
import { isKnown } from '../../../core/etag.ts';
import type { HeaderList } from '../engine.ts';

export interface Asked {
  acceptEncoding?: string;
  accept?: string;
  fetchMode?: string;
  range?: string;
  ifRange?: string;
  ifMatch?: string;
  ifNoneMatch?: string;
}

const FIELDS: Readonly<Record<string, keyof Asked>> = {
  'accept-encoding': 'acceptEncoding', accept: 'accept', 'sec-fetch-mode': 'fetchMode', range: 'range', 'if-range': 'ifRange', 'if-match': 'ifMatch', 'if-none-match': 'ifNoneMatch',
};
const LENGTHS: ReadonlySet<number> = new Set(Object.keys(FIELDS).map((name) => name.length));

export function readAsked(headers: HeaderList): Asked {
  const asked: Asked = {};
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!LENGTHS.has(name.length)) continue;
    const field = FIELDS[name.toLowerCase()];
    // Several fields are one list (@source RFC 9110, 5.3).
    if (field !== undefined) asked[field] = asked[field] === undefined ? headers[index + 1] : `${asked[field]}, ${headers[index + 1]}`;
  }
  return asked;
}

/** Does a person go there, so that the answer is seen as a page? Browsers say so; of others, whoever would take a page. */
export function isVisit({ fetchMode, accept }: Asked): boolean {
  if (fetchMode !== undefined) return fetchMode === 'navigate';
  return accept === undefined || /text\/html|\*\/\*/.test(accept);
}

/** What If-Match and If-None-Match decide about this version, in the order of RFC 9110, 13.2.2. Dates decide nothing: a
 *  Revision's files have none that would be true after a rollback. */
export function precondition({ ifMatch, ifNoneMatch }: Asked, etag: string): 'failed' | 'unchanged' | 'send' {
  const version = etag.slice(1, -1);
  if (ifMatch !== undefined && ifMatch.trim() !== '*' && !isKnown(ifMatch.replace(/W\/"[^"]*"/g, ''), version)) return 'failed';
  return ifNoneMatch !== undefined && isKnown(ifNoneMatch, version) ? 'unchanged' : 'send';
}

/** The Range header, unless it was meant for another version: only the strong ETag itself says that it was not. */
export function rangeAsked({ range, ifRange }: Asked, etag: string): string | undefined {
  return ifRange === undefined || ifRange.trim() === etag ? range : undefined;
}
