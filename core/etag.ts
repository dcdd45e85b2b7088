// Owns how versions of Items look from outside: as ETags, and as conditions in the words of If-Match and If-None-Match. Pure.

export const etagOf = (version: string): string => `"${version}"`;

/** What If-Match and If-None-Match ask of a write; `undefined` when they ask nothing. What is no list of ETags names no version. */
export function conditionOf(match: string | undefined, noneMatch: string | undefined): { is?: 'any' | string[]; isNot?: 'any' | string[] } | undefined {
  if (match === undefined && noneMatch === undefined) return undefined;
  return {
    ...(match !== undefined && { is: versionsOf(match, true) }),
    ...(noneMatch !== undefined && { isNot: versionsOf(noneMatch, false) }),
  };
}

/** Whether the reader has this version already. @param noneMatch its If-None-Match */
export function isKnown(noneMatch: string | undefined, version: string): boolean {
  if (noneMatch === undefined) return false;
  const versions = versionsOf(noneMatch, false);
  return versions === 'any' || versions.includes(version);
}

/** @param isStrong a weak ETag names nothing: it says too little for a write (@source RFC 9110, 13.1.1) */
function versionsOf(header: string, isStrong: boolean): 'any' | string[] {
  if (header.trim() === '*') return 'any';
  return [...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(([, weak]) => !(weak && isStrong)).map(([, , version = '']) => version);
}
