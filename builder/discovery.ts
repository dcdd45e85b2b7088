// Owns the texts by which a Release is found and presented, and their limits. Knows no file and no page:
// `contentRaw` is a stranger's Markdown and is shown only sanitised.
import { SpaceError } from '../core/errors.ts';

/** @source reference 9.1 */
export interface Discovery {
  appName: string;
  title: string;
  tagline: string;
  themeColor: string;
  git: string;
  homepage: string;
  /** Addresses of pictures and videos, in order; screenshots that were uploaded are kept apart. */
  media: string[];
  portedFrom: string;
  openCode: boolean;
  worksWith: string[];
  contentRaw: string;
}

export const EMPTY_DISCOVERY: Discovery = {
  appName: '', title: '', tagline: '', themeColor: '', git: '', homepage: '', media: [], portedFrom: '',
  openCode: false, worksWith: [], contentRaw: '',
};

/** Wider than what is recommended, since old apps were never checked; tight enough that no record grows large. */
const LIMITS_CHARACTERS: Partial<Record<keyof Discovery, number>> = {
  appName: 64, title: 128, tagline: 256, themeColor: 32, git: 1024, homepage: 1024, portedFrom: 1024, contentRaw: 20_000,
};
const MAX_LIST = 20;
const MAX_LIST_ENTRY_CHARACTERS = 1024;
const LINKS = ['git', 'homepage', 'portedFrom'] as const;

/** What was given, completed and checked. @throws INVALID_FIELD */
export function checkedDiscovery(given: Partial<Discovery>): Discovery {
  const discovery = { ...EMPTY_DISCOVERY, ...given };
  for (const [field, limit] of Object.entries(LIMITS_CHARACTERS)) {
    if (String(discovery[field as keyof Discovery]).length > limit) throw invalid(field, `has more than ${limit} characters`);
  }
  for (const field of LINKS) assertLink(field, discovery[field]);
  for (const field of ['media', 'worksWith'] as const) assertList(field, discovery[field]);
  return discovery;
}

function assertLink(field: string, text: string): void {
  if (text === '') return;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw invalid(field, 'is not a web address');
}

function assertList(field: string, list: string[]): void {
  if (list.length > MAX_LIST) throw invalid(field, `has more than ${MAX_LIST} entries`);
  if (list.some((entry) => entry.length > MAX_LIST_ENTRY_CHARACTERS)) {
    throw invalid(field, `has an entry of more than ${MAX_LIST_ENTRY_CHARACTERS} characters`);
  }
}

function invalid(field: string, reason: string): SpaceError {
  return new SpaceError('INVALID_FIELD', { field, reason });
}
