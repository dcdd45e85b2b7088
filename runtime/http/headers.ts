// Owns which headers pass between a client and a Micro. One pass over the raw list: this stands on the hot path.
// A Micro never sees a platform credential, and nobody outside can set what only the platform may set.
import type { HeaderList } from '../engine/engine.ts';

/** What the front door read from the headers while it cleaned them. */
export interface CleanRequest {
  headers: HeaderList;
  /** Values of the platform's own cookies, by name; the app's cookies stay in `headers`. */
  platformCookies: Record<string, string[]>;
  hostCount: number;
}

/** What the front door adds. */
export interface ForwardedFacts { host: string; proto: 'http' | 'https'; clientAddress: string; requestId: string }

/** Cookies with these names are the platform's, on every host. */
const PLATFORM_COOKIE = /^(?:__Host-)?space_(?:session|instance)$/i;
const ACCESS_TOKEN = /^\s*bearer\s+[a-z0-9]{8}_[a-z0-9]{32}\s*$/i;

/** Never forwarded in either direction: they speak of one connection (@source RFC 9110, 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'http2-settings',
]);

/** Dropped from requests besides those and everything that begins with `x-space-`, `x-deta-` or `x-forwarded-`. */
const REQUEST_DROPPED: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip', 'true-client-ip', 'expect', 'x-request-id', 'host']);

/** Dropped from a Micro's answers (attack D18): they would speak for the whole domain or for the platform. */
const RESPONSE_DROPPED: ReadonlySet<string> = new Set([
  'strict-transport-security', 'public-key-pins', 'expect-ct', 'alt-svc', 'server', 'content-length', 'date', 'clear-site-data',
]);
/** Of those, what every server sends: nobody is told. */
const DROPPED_SILENTLY: ReadonlySet<string> = new Set(['server', 'content-length', 'date']);

export function cleanRequestHeaders(raw: readonly string[], facts: ForwardedFacts): CleanRequest {
  const headers: HeaderList = [];
  const platformCookies: Record<string, string[]> = {};
  let hostCount = 0;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'host') hostCount += 1;
    if (lower === 'cookie') {
      const rest = splitCookies(value, platformCookies);
      if (rest !== '') headers.push(name, rest);
    } else if (passesToMicro(lower, value)) {
      headers.push(name, value);
    }
  }
  headers.push('host', facts.host, 'x-forwarded-for', facts.clientAddress, 'x-forwarded-proto', facts.proto,
    'x-forwarded-host', facts.host, 'x-request-id', facts.requestId);
  return { headers, platformCookies, hostCount };
}

function passesToMicro(lower: string, value: string): boolean {
  if (HOP_BY_HOP.has(lower) || REQUEST_DROPPED.has(lower)) return false;
  if (lower === 'authorization') return !ACCESS_TOKEN.test(value);
  if (lower.charCodeAt(0) !== 120 /* x */) return true;
  // CGI-style servers fold `_` and `-` into one name, so both spellings are the platform's.
  const folded = lower.replaceAll('_', '-');
  return !(folded.startsWith('x-space-') || folded.startsWith('x-deta-') || folded.startsWith('x-forwarded-') || REQUEST_DROPPED.has(folded));
}

/** Move the platform's cookies out. @returns the other cookies as a header value */
function splitCookies(value: string, platform: Record<string, string[]>): string {
  if (!value.includes('space_')) return value;
  const rest: string[] = [];
  for (const pair of value.split(';')) {
    const cookie = pair.trim();
    const end = cookie.indexOf('=');
    const name = end < 0 ? cookie : cookie.slice(0, end).trim();
    if (!PLATFORM_COOKIE.test(name)) {
      if (cookie !== '') rest.push(cookie);
    } else {
      (platform[name] ??= []).push(cookie.slice(end + 1));
    }
  }
  return rest.join('; ');
}

/** A Micro's answer as it may leave the host.
 *  @param onDropped what its developer may have meant: the name of a header, or `Domain` of a cookie */
export function cleanResponseHeaders(headers: HeaderList, onDropped?: (what: string) => void): HeaderList {
  const clean: HeaderList = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower)) continue;
    if (RESPONSE_DROPPED.has(lower) || lower.startsWith('x-space-')) {
      if (onDropped && !DROPPED_SILENTLY.has(lower)) onDropped(lower);
    } else if (lower === 'set-cookie') {
      const cookie = hostOnlyCookie(value);
      if (cookie !== value) onDropped?.(cookie === undefined ? 'set-cookie' : 'Domain of a cookie');
      if (cookie !== undefined) clean.push(name, cookie);
    } else {
      clean.push(name, value);
    }
  }
  return clean;
}

/** An app's cookie stays on its own host: no Domain attribute, and never one of the platform's names. A cookie without
 *  a name is sent back as its bare value, which must not read like one of the platform's either. */
function hostOnlyCookie(value: string): string | undefined {
  const parts = value.split(';');
  const name = (parts[0] ?? '').replace(/^\s*=/, '').split('=')[0]?.trim() ?? '';
  if (PLATFORM_COOKIE.test(name)) return undefined;
  return parts.filter((part, index) => index === 0 || !/^\s*domain\s*(=|$)/i.test(part)).join(';');
}

/** The first value of a header, by lower-case name. */
export function headerValue(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const candidate = headers[index] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}
