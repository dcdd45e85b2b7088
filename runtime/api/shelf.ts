// Owns what Discovery shows: the newest listed Release of each app, who made it, how many people have it; found by words,
// ordered by what is liked or new. What was computed is kept until a Release changes; counts are up to a minute old.
import { LRUCache } from 'lru-cache';
import type { Builder } from '../../builder/builder.ts';
import type { Release } from '../../builder/release.ts';
import type { Clock } from '../../core/clock.ts';
import type { Spaces } from '../auth/space.ts';
import type { Instances } from '../instance/instance.ts';

export interface ShelfApp { release: Release; author: string; installs: number }

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
/** Releases that are looked at; an app beyond them is still found by its link. */
const RELEASES_MAX = 20_000;
const SEARCH_MAX_CHARACTERS = 200;
export const NOBODY = 'somebody who left';

interface Entry { release: Release; author: string; text: string }

export function createShelf(parts: ShelfParts): Shelf {
  const counts = new LRUCache<string, Promise<Installs>>({ max: 5_000, ttl: COUNTS_MAX_AGE_MS, perf: { now: () => parts.clock.now() } });
  let known: { changes: number; entries: Promise<Entry[]> } | undefined;

  function entries(): Promise<Entry[]> {
    const changes = parts.builder.releases.changes();
    if (known?.changes !== changes) {
      const loading = { changes, entries: loadEntries(parts) };
      loading.entries.catch(() => { if (known === loading) known = undefined; });
      known = loading;
    }
    return known.entries;
  }

  function installs(projectId: string): Promise<Installs> {
    const counted = counts.get(projectId) ?? countInstalls(parts, projectId);
    counted.catch(() => counts.delete(projectId));
    counts.set(projectId, counted, { noUpdateTTL: true });
    return counted;
  }

  return {
    installs,
    async find({ search, sort, offset, limit }) {
      const words = plain(search.slice(0, SEARCH_MAX_CHARACTERS)).split(/\s+/).filter(Boolean);
      const found = (await entries()).filter(({ text }) => words.every((word) => text.includes(word)));
      // Newest first, which a stable sort keeps among those that equally many people have.
      const apps = await Promise.all((sort === 'recent' ? found.slice(offset, offset + limit) : found).map(async ({ release, author }) => ({ release, author, installs: (await installs(release.projectId)).total })));
      if (sort === 'recent') return { apps, total: found.length };
      return { apps: apps.toSorted((left, right) => right.installs - left.installs).slice(offset, offset + limit), total: found.length };
    },
  };
}

async function loadEntries({ builder, spaces }: ShelfParts): Promise<Entry[]> {
  const newest = new Map<string, Release>();
  let after: string | undefined;
  for (let seen = 0; seen < RELEASES_MAX; seen += PAGE) {
    const page = await builder.releases.listListed({ limit: PAGE, after });
    for (const release of page) if (!newest.has(release.projectId)) newest.set(release.projectId, release);
    if (page.length < PAGE) break;
    after = page.at(-1)?.id;
  }
  return Promise.all([...newest.values()].map(async (release) => {
    const author = (await spaces.get(release.spaceId))?.username ?? NOBODY;
    const { appName, title, tagline } = release.discovery;
    return { release, author, text: plain([appName, title, tagline, author].join(' ')) };
  }));
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
