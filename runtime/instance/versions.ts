// Owns the versions of an Instance: what an update would bring, what it ran before, what a rollback would undo.
// The jobs themselves are Installations.
import { orMissing, SpaceError } from '../../core/errors.ts';
import { RELEASES_MAX } from '../../builder/release-summary.ts';
import type { Release, Releases } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { ChangesSince, Snapshots } from '../../sandbox-data/data.ts';
import type { Installation, Installations } from './installation.ts';
import type { Code, Instance } from './instance.ts';
import type { Lifecycle } from './lifecycle.ts';
import { revisionChanges, type RevisionChange } from './revision-diff.ts';

export interface VersionsParts {
  installations: Installations;
  lifecycle: Lifecycle;
  releases: Releases;
  revision(id: string): Promise<Revision | undefined>;
  snapshotsOf(instance: Instance): Snapshots;
}

/** `notes` of all Releases that it brings, newest first. */
export interface UpdateOffer { release: Release; notes: Release[]; changes: RevisionChange[] }

/** A moment to go back to: what ran until `leftAt`, and the data of then where they are still kept. `id` is that of the
 *  Installation which ended it. */
export interface ReturnPoint extends Code { id: string; leftAt: string; snapshotId: string | undefined }

export interface RollbackWish { to?: string; data: 'keep' | 'restore' }

export interface RollbackPlan {
  point: ReturnPoint;
  data: 'keep' | 'restore';
  /** What the data of then do not have. */
  undone: ChangesSince | undefined;
  /** What it means, for people. */
  statement: string;
}

export interface Versions {
  /** What an update to this Release, or to the one on offer, would bring. @throws RELEASE_NOT_FOUND, CONFLICT */
  offer(instance: Instance, releaseId?: string): Promise<UpdateOffer | undefined>;
  /** Newest first. */
  points(instance: Instance): Promise<ReturnPoint[]>;
  /** @throws VERSION_NOT_FOUND, SNAPSHOT_NOT_FOUND */
  plan(instance: Instance, wish: RollbackWish): Promise<RollbackPlan>;
  /** @throws VERSION_NOT_FOUND, SNAPSHOT_NOT_FOUND, INSTALLATION_RUNNING */
  rollback(instance: Instance, wish: RollbackWish): Promise<Installation>;
}

/** Releases whose notes are shown. */
const NOTES_MAX = 20;

export function createVersions(parts: VersionsParts): Versions {
  const { installations, lifecycle, releases } = parts;

  async function notesUpTo(instance: Instance, release: Release): Promise<Release[]> {
    const current = await releases.summary(instance.releaseId);
    const listed = current ? await releases.listByProject(release.projectId, { listed: true, limit: RELEASES_MAX }) : [];
    const between = listed.filter(({ createdAt }) => createdAt > (current?.createdAt ?? '') && createdAt < release.createdAt);
    const found = await Promise.all(between.slice(0, NOTES_MAX - 1).map(({ id }) => orMissing(releases.get(id))));
    return [release, ...found.filter((each) => each !== undefined)];
  }

  async function points(instance: Instance): Promise<ReturnPoint[]> {
    const kept = new Set((await parts.snapshotsOf(instance).list()).map(({ id }) => id));
    const jobs = await installations.ofInstance(instance.id);
    return jobs.flatMap(({ id, state, before, updatedAt, snapshotId, replacedId }) => {
      if (state !== 'complete' || !before) return [];
      const snapshot = snapshotId ?? replacedId;
      return [{ id, ...before, leftAt: updatedAt, snapshotId: snapshot !== undefined && kept.has(snapshot) ? snapshot : undefined }];
    });
  }

  async function pointFor(instance: Instance, { to, data }: RollbackWish): Promise<ReturnPoint> {
    const point = (await points(instance)).find(({ id }) => to === undefined || id === to);
    if (!point) throw new SpaceError('VERSION_NOT_FOUND');
    if (data === 'restore' && point.snapshotId === undefined) throw new SpaceError('SNAPSHOT_NOT_FOUND');
    return point;
  }

  return {
    points,
    async offer(instance, releaseId) {
      const release = releaseId === undefined ? await lifecycle.offer(instance) : await lifecycle.suitable(instance, releaseId);
      if (!release) return undefined;
      const [before, after] = await Promise.all([instance.revisionId === null ? undefined : parts.revision(instance.revisionId), parts.revision(release.revisionId)]);
      if (!after) throw new SpaceError('RELEASE_NOT_FOUND');
      return { release, notes: await notesUpTo(instance, release), changes: revisionChanges(before?.micros ?? [], after.micros) };
    },
    async plan(instance, wish) {
      const point = await pointFor(instance, wish);
      const undone = wish.data === 'restore' ? await parts.snapshotsOf(instance).since(point.snapshotId!) : undefined;
      return { point, data: wish.data, undone, statement: statementOf(instance, point, undone) };
    },
    async rollback(instance, wish) {
      const { revisionId, releaseId, version, snapshotId } = await pointFor(instance, wish);
      return installations.rollback(instance, { target: { revisionId, releaseId, version }, restoreId: wish.data === 'restore' ? snapshotId : undefined });
    },
  };
}

function statementOf({ version }: Instance, point: ReturnPoint, undone: ChangesSince | undefined): string {
  const code = `Version ${point.version} takes the place of version ${version}.`;
  if (!undone) return `${code} The data stay as they are. Version ${point.version} may not understand what version ${version} wrote.`;
  const when = `${point.leftAt.slice(0, 16).replace('T', ' ')} UTC`;
  if (undone.items + undone.files === 0 && !undone.isMore) return `${code} The data are those of ${when}: nothing was written since.`;
  const what = undone.isMore && undone.items + undone.files === 0 ? 'Everything' : `${undone.isMore ? 'More than ' : ''}${counted(undone.items, 'Item')} and ${counted(undone.files, 'File')}`;
  return `${code} The data go back to ${when}. ${what} that changed since then will be as then. The data of now are kept aside as a snapshot, and can be brought back.`;
}

function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
