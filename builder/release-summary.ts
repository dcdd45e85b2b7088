// Owns what is listed and searched of Releases: a short record beside each that others may install, written in the same batch.
// Whole ones have notes, texts and pictures, and are read one at a time.
import { isDeepStrictEqual } from 'node:util';
import { SpaceError } from '../core/errors.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { contended, createTable } from '../sandbox-data/store/table.ts';
import type { Write } from '../sandbox-data/store/table.ts';
import { tookPlace } from './project.ts';
import type { Release } from './release.ts';
import type { PageOptions } from './revision.ts';

export interface ReleaseSummary {
  /** Of the Release. */
  id: string;
  projectId: string;
  spaceId: string;
  version: string;
  listed: boolean;
  appName: string;
  title: string;
  tagline: string;
  hasIcon: boolean;
  createdAt: string;
}

export interface ReleaseSummaries {
  get(id: string): Promise<ReleaseSummary | undefined>;
  /** Newest first. */
  ofProject(projectId: string, options?: PageOptions & { listed?: boolean }): Promise<ReleaseSummary[]>;
  /** Listed ones of everybody, newest first. */
  listed(options?: PageOptions): Promise<ReleaseSummary[]>;
  /** What becomes of it with this change of its Release; nothing where that is for its developer alone. */
  writes(release: Release): Promise<Write[]>;
  deleteWrites(id: string): Promise<Write[]>;
  /** @throws COUNT_LIMIT */
  assertRoom(owner: { projectId: string; spaceId: string }): Promise<void>;
  /** Make those of Releases that were made before there were any. Bears repetition. */
  fill(page: (after: string | undefined) => Promise<Release[]>): Promise<void>;
}

/** Of one Project. */
export const RELEASES_MAX = 200;
/** Of one Space. */
export const RELEASES_MAX_SPACE = 1000;
const FILLED = 'filled';

export function createReleaseSummaries(store: Store): ReleaseSummaries {
  const order = ({ createdAt }: ReleaseSummary): string => createdAt;
  const table = createTable<ReleaseSummary>(store, 'release-summary', {
    project: { of: ({ projectId }) => projectId, order },
    projectListed: { of: ({ projectId, listed }) => (listed ? projectId : undefined), order },
    listed: { of: ({ listed }) => (listed ? 'yes' : undefined), order },
    space: { of: ({ spaceId }) => spaceId },
  });
  const marks = createTable<{ id: string }>(store, 'release-summary-mark');

  async function writes(release: Release): Promise<Write[]> {
    if (release.channel !== 'experimental') return [];
    const before = await table.get(release.id);
    const after = summaryOf(release);
    if (!before) return [table.insertWrite(after)];
    return isDeepStrictEqual(before, after) ? [] : [table.replaceWrite(before, after)];
  }

  async function assertRoom(by: { index: string; value: string }, limit: number, what: string): Promise<void> {
    if ((await table.list({ by, limit })).length < limit) return;
    throw new SpaceError('COUNT_LIMIT', { limit, what, remedy: 'Take back old ones that nobody has installed: DELETE /api/v0/releases/ID.' });
  }

  return {
    get: (id) => table.get(id),
    ofProject: (projectId, { listed = false, after, limit = 50 } = {}) => table.list({ by: { index: listed ? 'projectListed' : 'project', value: projectId }, reverse: true, after, limit }),
    listed: ({ after, limit = 50 } = {}) => table.list({ by: { index: 'listed', value: 'yes' }, reverse: true, after, limit }),
    writes,
    async deleteWrites(id) {
      const known = await table.get(id);
      return known ? [table.deleteWrite(known)] : [];
    },
    async assertRoom({ projectId, spaceId }) {
      await assertRoom({ index: 'project', value: projectId }, RELEASES_MAX, 'releases of this project');
      await assertRoom({ index: 'space', value: spaceId }, RELEASES_MAX_SPACE, 'releases of yours');
    },
    async fill(page) {
      if (await marks.get(FILLED)) return;
      for (let found = await page(undefined); found.length > 0; found = await page(found.at(-1)?.id)) {
        for (const release of found) if (release.channel === 'experimental') await contended(async () => (await table.get(release.id)) === undefined && table.insert(summaryOf(release)));
      }
      await tookPlace(() => marks.insert({ id: FILLED }));
    },
  };
}

function summaryOf({ id, projectId, spaceId, version, listed, discovery, icon, createdAt }: Release): ReleaseSummary {
  const { appName, title, tagline } = discovery;
  return { id, projectId, spaceId, version, listed, appName, title, tagline, hasIcon: icon !== undefined, createdAt };
}
