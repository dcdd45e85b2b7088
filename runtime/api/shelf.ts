// Owns what Discovery shows: the newest listed Release of each app, who made it, how many people have it; found by words,
// ordered by what is liked or new. What was read is kept, and read again for an app whose Releases change; counts are up to a minute old.
import { LRUCache } from 'lru-cache';
import type { Builder } from '../../builder/builder.ts';
import type { ReleaseSummary } from '../../builder/release-summary.ts';
import type { Clock } from '../../core/clock.ts';
import type { Spaces } from '../auth/space.ts';
import type { Instances } from '../instance/instance.ts';

export interface ShelfApp { release: ReleaseSummary; author: string; installs: number }

export interface Installs {
  /** People whose Space has a copy of any Release of the app. */
  total: number;
  /** Release id -> people that have just this one. */
  ofRelease: ReadonlyMap<string, number>;
}

export const SHELF_SORTS = ['popular', 'recent'] as const;
export type ShelfSort = (typeof SHELF_SORTS)[number];

export interface ShelfQuery { search: string; sort: ShelfSort; offset: number; limit: number }

export interface Shelf {
  /** One page of what matches, and how many there are. */
  find(query: ShelfQuery): Promise<{ apps: ShelfApp[]; total: number }>;
  installs(projectId: string): Promise<Installs>;
}

export interface ShelfParts { builder: Pick<Builder, 'releases'>; spaces: Spaces; instances: Instances; clock: Clock }

const COUNTS_MAX_AGE_MS = 60_000;
const PAGE = 200;
const COUNTED_AT_ONCE = 50;
/** Releases that are looked at; an app beyond them is still found by its link. */
const RELEASES_MAX = 20_000;
const SEARCH_MAX_CHARACTERS = 200;
export const NOBODY = 'somebody who left';

interface Entry { release: ReleaseSummary; author: string; text: string }

export function createShelf(parts: ShelfParts): Shelf {
  const counts = new LRUCache<string, Promise<Installs>>({ max: RELEASES_MAX, ttl: COUNTS_MAX_AGE_MS, perf: { now: () => parts.clock.now() } });
  const known = new Map<string, Entry>();
  let sorted: readonly Entry[] = [];
  /** Projects whose entries are to be read again; undefined: all of them. */
  let stale: Set<string> | undefined;
  let reading: Promise<void> | undefined;
  let isListening = false;

  async function read(): Promise<void> {
    // From the first read on: the table of routes alone asks nothing of anybody.
    if (!isListening) parts.builder.releases.onChange((projectId) => stale?.add(projectId));
    isListening = true;
    const wanted = stale;
    stale = new Set();
    try {
      if (wanted) await Promise.all(Array.from(wanted, async (projectId) => keep(projectId, await parts.builder.releases.latest(projectId, { listed: true }))));
      else await readAll();
    } catch (error) {
      stale = undefined;
      throw error;
    }
    sorted = [...known.values()].toSorted((left, right) => (left.release.createdAt < right.release.createdAt ? 1 : -1));
  }

  async function readAll(): Promise<void> {
    known.clear();
    for (const release of await readListed(parts)) await keep(release.projectId, release);
  }

  async function keep(projectId: string, release: ReleaseSummary | undefined): Promise<void> {
    if (release) known.set(projectId, await entryOf(parts, release));
    else known.delete(projectId);
  }

  /** One reads, and everybody who asks meanwhile has that; whoever asks after a change has it too. */
  async function entries(): Promise<readonly Entry[]> {
    await reading?.catch(() => undefined);
    if (!stale || stale.size > 0) reading ??= read().finally(() => (reading = undefined));
    await reading;
    return sorted;
  }

  function installs(projectId: string): Promise<Installs> {
    const counted = counts.get(projectId) ?? countInstalls(parts, projectId);
    counted.catch(() => counts.delete(projectId));
    counts.set(projectId, counted, { noUpdateTTL: true });
    return counted;
  }

  /** A few at a time: others want the records too. */
  async function counted(found: readonly Entry[]): Promise<ShelfApp[]> {
    const apps: ShelfApp[] = [];
    for (let at = 0; at < found.length; at += COUNTED_AT_ONCE) {
      apps.push(...(await Promise.all(found.slice(at, at + COUNTED_AT_ONCE).map(async ({ release, author }) => ({ release, author, installs: (await installs(release.projectId)).total })))));
    }
    return apps;
  }

  return {
    installs,
    async find({ search, sort, offset, limit }) {
      const words = plain(search.slice(0, SEARCH_MAX_CHARACTERS)).split(/\s+/).filter(Boolean);
      const found = (await entries()).filter(({ text }) => words.every((word) => text.includes(word)));
      // Newest first, which a stable sort keeps among those that equally many people have.
      const apps = await counted(sort === 'recent' ? found.slice(offset, offset + limit) : found);
      if (sort === 'recent') return { apps, total: found.length };
      return { apps: apps.toSorted((left, right) => right.installs - left.installs).slice(offset, offset + limit), total: found.length };
    },
  };
}

/** The newest of each app. */
async function readListed({ builder }: ShelfParts): Promise<ReleaseSummary[]> {
  const newest = new Map<string, ReleaseSummary>();
  let after: string | undefined;
  for (let seen = 0; seen < RELEASES_MAX; seen += PAGE) {
    const page = await builder.releases.listListed({ limit: PAGE, after });
    for (const release of page) if (!newest.has(release.projectId)) newest.set(release.projectId, release);
    if (page.length < PAGE) break;
    after = page.at(-1)?.id;
  }
  return [...newest.values()];
}

async function entryOf({ spaces }: ShelfParts, release: ReleaseSummary): Promise<Entry> {
  const author = (await spaces.get(release.spaceId))?.username ?? NOBODY;
  const { appName, title, tagline } = release;
  return { release, author, text: plain([appName, title, tagline, author].join(' ')) };
}

async function countInstalls({ instances }: ShelfParts, projectId: string): Promise<Installs> {
  const people = new Set<string>();
  const ofRelease = new Map<string, Set<string>>();
  for (const { spaceId, releaseId, kind, revisionId } of await instances.ofProject(projectId)) {
    if (kind !== 'installed' || revisionId === null) continue;
    people.add(spaceId);
    ofRelease.set(releaseId, (ofRelease.get(releaseId) ?? new Set()).add(spaceId));
  }
  return { total: people.size, ofRelease: new Map([...ofRelease].map(([id, spaces]) => [id, spaces.size])) };
}

/** Without case and accents: people type what they can. */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}
