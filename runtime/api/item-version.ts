// Owns how versions of Items look in HTTP: as ETags, and as conditions in If-Match and If-None-Match.
import type { IncomingMessage } from 'node:http';
import type { WriteCondition } from '../../sandbox-data/data.ts';

export const etagOf = (version: string): string => `"${version}"`;

/** What the headers ask of a write; `undefined` when they ask nothing. What is no list of ETags names no version. */
export function conditionOf({ headers }: IncomingMessage): WriteCondition | undefined {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match === undefined && noneMatch === undefined) return undefined;
  return {
    ...(match !== undefined && { is: versionsOf(match, true) }),
    ...(noneMatch !== undefined && { isNot: versionsOf(noneMatch, false) }),
  };
}

/** Whether the reader has this version already. */
export function isKnown({ headers }: IncomingMessage, version: string): boolean {
  const known = headers['if-none-match'];
  if (known === undefined) return false;
  const versions = versionsOf(known, false);
  return versions === 'any' || versions.includes(version);
}

/** @param isStrong a weak ETag names nothing: it says too little for a write (@source RFC 9110, 13.1.1) */
function versionsOf(header: string, isStrong: boolean): 'any' | string[] {
  if (header.trim() === '*') return 'any';
  return [...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(([, weak]) => !(weak && isStrong)).map(([, , version = '']) => version);
}
