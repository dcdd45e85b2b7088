// Owns how file paths and URL prefixes of a Spacefile are brought into one form, or refused. Pure: never looks at a disk.
import { normalizePath } from './route.ts';

/** A path relative to its folder, with `/`, without `.` and `..`; `.` is the folder itself.
 *  @returns undefined when it is absolute or leads outside */
export function relativePath(text: string): string | undefined {
  const slashed = text.replaceAll('\\', '/');
  if (slashed.startsWith('/') || /^[A-Za-z]:/.test(slashed) || slashed.includes('\0')) return undefined;
  const kept: string[] = [];
  for (const segment of slashed.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') kept.push(segment);
    else if (kept.pop() === undefined) return undefined;
  }
  return kept.join('/') || '.';
}

/** A URL prefix with a leading and without a trailing slash.
 *  @returns undefined when it is the root, or not in the form in which request paths are compared */
export function urlPrefix(text: string): string | undefined {
  const prefix = `/${text.replace(/^\//, '').replace(/\/$/, '')}`;
  return prefix === '/' || prefix.includes('//') || normalizePath(prefix) !== prefix ? undefined : prefix;
}
