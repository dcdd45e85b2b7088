// Owns the decisions on a request path: its normal form, the Micro that it belongs to, and whether it is public.
// Hot path, pure. Must not know requests, sessions or anything that reads a disk.
import type { SpacefileMicro } from './types.ts';

const UNRESERVED = /[A-Za-z0-9._~-]/;
/** Written literally; the rest of ASCII is percent-encoded, as a URL parser would do. */
const LITERAL = /[A-Za-z0-9._~!$&'()*+,;=:@/[\]|-]/;
/** The common path: nothing to decode or to encode, no empty segment, and none that begins with a dot. */
const PLAIN = /^\/(?:[A-Za-z0-9_~!$&'()*+,;=:@[\]|-][A-Za-z0-9._~!$&'()*+,;=:@[\]|-]*\/)*(?:[A-Za-z0-9_~!$&'()*+,;=:@[\]|-][A-Za-z0-9._~!$&'()*+,;=:@[\]|-]*)?$/;
const ENCODED = /%[0-9A-Fa-f]{2}/g;

/** The one form of a path on which every decision is taken and which the Micro receives.
 *  - dot segments are resolved, plain and percent-encoded ones alike; leading slashes become one
 *  - percent-encoded unreserved characters are decoded, other encodings are upper case
 *  - `%2F` and `%5C` stay encoded: they never separate segments
 *
 *  Idempotent, and equal to what `new URL()` makes of it. Takes linear time.
 *  @param rawPath from the request line, without the query
 *  @returns undefined for what must be answered 400: no leading slash, a malformed or non-UTF-8 encoding, NUL and other
 *    raw control or non-ASCII characters, a backslash, `?` or `#`, a way out of the root, and dot segments that hide behind
 *    an encoded separator, a second encoding or a `;` */
export function normalizePath(rawPath: string): string | undefined {
  if (PLAIN.test(rawPath)) return rawPath;
  if (!rawPath.startsWith('/') || /[^\x20-\x7e]|[\\?#]/.test(rawPath)) return undefined;
  const encoded = encodeCanonically(rawPath);
  return encoded === undefined || hidesDotSegment(encoded) ? undefined : resolveDotSegments(encoded);
}

/** One spelling for every character, or undefined when the bytes are not UTF-8 or hold NUL. */
function encodeCanonically(path: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(path)) return undefined;
  try {
    decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const decoded = path.replace(ENCODED, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return UNRESERVED.test(character) ? character : triplet.toUpperCase();
  });
  return decoded.replace(/[^%A-Za-z0-9/]/g, (character) => LITERAL.test(character) ? character : encodeURIComponent(character));
}

/** Would software behind us, which decodes once or twice more or cuts `;parameters`, see `.` or `..` or NUL? */
function hidesDotSegment(path: string): boolean {
  const plainDots = countDotSegments(path);
  const decodedOnce = decodeURIComponent(path);
  return [decodedOnce, decodeAscii(decodedOnce)].some((text) =>
    text.includes('\0') || /(?:^|[\\/])\.{1,2};/.test(text) || countDotSegments(text) > plainDots);
}

/** Decodes ASCII only: what is not an encoding stays as it is. */
function decodeAscii(text: string): string {
  return text.replace(/%[0-7][0-9A-Fa-f]/g, (triplet) => String.fromCharCode(Number.parseInt(triplet.slice(1), 16)));
}

function countDotSegments(text: string): number {
  return text.match(/(?<=^|[\\/])\.{1,2}(?=[\\/]|$)/g)?.length ?? 0;
}

function resolveDotSegments(path: string): string | undefined {
  const kept: string[] = [];
  const segments = path.replace(/^\/+/, '').split('/');
  for (const [index, segment] of segments.entries()) {
    const isDots = segment === '.' || segment === '..';
    if (segment === '..' && kept.pop() === undefined) return undefined;
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`.replace(/^\/+/, '/');
}

/** Is it the platform's, or would software that minds no case, cuts `;parameters` or decodes once more take it for that?
 *  No request from outside may reach a Micro there, whatever prefix stood before it.
 *  @param path as `normalizePath` or `microForPath` returned it */
export function isReservedPath(path: string): boolean {
  const second = path.charCodeAt(1);
  if (second !== 95 /* _ */ && second !== 37 /* % */) return false;
  return /^[\\/]+__space(?:$|[\\/;])/i.test(decodeAscii(decodeAscii(path)));
}

/** What routing needs to know of a Micro. */
export type RoutedMicro = Pick<SpacefileMicro, 'path' | 'primary'>;

/** The Micro that answers `path`, and the path as that Micro sees it (its prefix removed: `/api` becomes `/`).
 *  The longest prefix of whole segments wins; the primary takes the rest.
 *  @param path as `normalizePath` returned it */
export function microForPath<M extends RoutedMicro>(micros: readonly M[], path: string): { micro: M; path: string } | undefined {
  let found: M | undefined;
  for (const micro of micros) {
    if (micro.primary ? found === undefined : isPrefix(micro.path, path) && isCloser(micro, found)) found = micro;
  }
  if (found === undefined) return undefined;
  return { micro: found, path: found.primary ? path : withoutPrefix(found.path, path) };
}

function isPrefix(prefix: string, path: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

function isCloser(micro: RoutedMicro, found: RoutedMicro | undefined): boolean {
  return found === undefined || found.primary || micro.path.length > found.path.length;
}

/** `//x` must not reach a Micro: as a URL reference it names another host. */
function withoutPrefix(prefix: string, path: string): string {
  const rest = path.slice(prefix.length);
  return rest.startsWith('//') ? rest.replace(/^\/+/, '/') : rest || '/';
}

/** May anybody call `path` of this Micro without being signed in? Patterns match the whole path, `*` any run of characters.
 *  A pattern that spells out the Micro's own prefix is understood as well, since some apps wrote it that way.
 *  @param path as `microForPath` returned it: normalised, without the Micro's prefix
 *  @source Deta Space, public routes */
export function isPublicRoute(micro: Pick<SpacefileMicro, 'path' | 'publicRoutes'>, path: string): boolean {
  if (micro.publicRoutes.length === 0) return false;
  let patterns = patternsOfMicro.get(micro);
  if (patterns === undefined) {
    patterns = micro.publicRoutes.flatMap((route) => patternsOfRoute(route, micro.path));
    patternsOfMicro.set(micro, patterns);
  }
  return patterns.some((pattern) => matches(pattern, path));
}

/** Compiled once for each Micro: a parsed Spacefile does not change. */
const patternsOfMicro = new WeakMap<object, Pattern[]>();

/** The literal runs between the `*` of a public route; one run means an exact match. */
type Pattern = readonly string[];

function patternsOfRoute(route: string, prefix: string): Pattern[] {
  const rooted = route.startsWith('/') || route.startsWith('*') ? route : `/${route}`;
  const pattern = rooted.split('*').map(encodeLiteral);
  const [start = '', ...others] = pattern;
  if (prefix === '/' || !(start.startsWith(`${prefix}/`) || rooted === prefix)) return [pattern];
  return [pattern, [start.slice(prefix.length) || '/', ...others]];
}

/** A literal run in the spelling of `normalizePath`. What cannot be spelled so matches nothing. */
function encodeLiteral(text: string): string {
  return encodeCanonically(text.toWellFormed().replace(/[^\x20-\x7e]|%(?![0-9A-Fa-f]{2})/gu, encodeURIComponent)) ?? '\0';
}

/** Leftmost matching of each run: no backtracking. */
function matches(pattern: Pattern, path: string): boolean {
  const first = pattern[0] ?? '';
  const last = pattern[pattern.length - 1] ?? '';
  if (pattern.length === 1) return path === first;
  if (path.length < first.length + last.length || !path.startsWith(first) || !path.endsWith(last)) return false;
  let from = first.length;
  for (let index = 1; index < pattern.length - 1; index++) {
    const run = pattern[index] ?? '';
    const at = path.indexOf(run, from);
    if (at < 0) return false;
    from = at + run.length;
  }
  return from <= path.length - last.length;
}
