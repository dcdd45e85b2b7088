// Owns how an Installation moves from one step to the next: each ends with one batch, so that it can be done again after a
// kill. Knows not what the steps are.
import { isDeepStrictEqual } from 'node:util';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { isoTime } from '../../core/clock.ts';
import type { Release } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import { commit, type Table } from '../../sandbox-data/store/table.ts';
import type { Code, Instance } from './instance.ts';
import { nextState, type InstallationEvent } from './installation-state.ts';
import type { Installation, InstallationParts } from './installation.ts';

/** A job and the Instance that it is about, as they are stored. */
export interface Pair { job: Installation; instance: Instance }

export interface InstallationGround {
  parts: InstallationParts;
  table: Table<Installation>;
  /** The job after this event, not written yet. */
  step(job: Installation, event: InstallationEvent, change: Partial<Installation>, ...lines: string[]): Installation;
  /** Write the job alone. */
  write(after: Installation): Promise<Installation>;
  /** Job and Instance change in one batch. What its owner changed of the Instance meanwhile, such as its address, stays.
   *  Other code raises its generation. */
  both(before: Pair, job: Installation, change: Partial<Instance>): Promise<Pair>;
  /** From pending to preparing; a job that is further already stays. */
  begun(job: Installation, line: string): Promise<Installation>;
  /** From preparing to saving: from here on requests wait. */
  hold(before: Pair, change: Partial<Installation>, line: string): Promise<Pair>;
  /** What was done until here outlives a kill. */
  reached(job: Installation, what: string): void;
  /** @throws INSTANCE_NOT_FOUND */
  instanceOf(job: Installation): Promise<Instance>;
  /** Snapshots that were taken by themselves are of use for a while only. */
  prune(instance: Instance): Promise<void>;
}

/** Snapshots that updates and rollbacks took of one Collection; older ones go. */
export const AUTOMATIC_SNAPSHOTS_KEPT = 10;

/** @param changed the job of this id is at another step */
export function createGround(table: Table<Installation>, parts: InstallationParts, changed: (id: string) => void): InstallationGround {
  const { instances, log, store } = parts;
  const ground: InstallationGround = {
    table, parts,
    step: (job, event, change, ...lines) => ({ ...job, ...change, state: nextState(job.state, event), lines: [...job.lines, ...lines], updatedAt: isoTime(parts.clock.now()) }),
    async write(after) {
      await table.update(after.id, () => after);
      ground.reached(after, after.state);
      return after;
    },
    async both(before, job, change) {
      let { instance } = before;
      for (;;) {
        const after = instances.touched(instance, { ...change, ...(change.revisionId !== undefined && { generation: instance.generation + 1 }) });
        try {
          await commit(store, instances.replaceWrite(instance, after), table.replaceWrite(before.job, job));
          ground.reached(job, job.state);
          return { job, instance: after };
        } catch (error) {
          const now = await instances.get(instance.id);
          if (!isSpaceError(error, 'STORE_CONDITION_FAILED') || !now || now.state !== instance.state || isDeepStrictEqual(now, instance)) throw error;
          instance = now;
        }
      }
    },
    begun: async (job, line) => (job.state === 'pending' ? ground.write(ground.step(job, 'start', {}, line)) : job),
    hold: ({ job, instance }, change, line) => ground.both({ job, instance }, ground.step(job, 'hold', { ...change, before: codeOf(instance) }, line), { state: 'updating' }),
    reached({ id, kind }, what) {
      log.debug('installation.step', { installationId: id, kind, reached: what });
      changed(id);
    },
    async instanceOf(job) {
      const instance = await instances.get(job.instanceId);
      if (!instance || instance.state === 'removing') throw new SpaceError('INSTANCE_NOT_FOUND');
      return instance;
    },
    async prune(instance) {
      const snapshots = parts.snapshotsOf(instance);
      try {
        const automatic = (await snapshots.list()).filter(({ kind }) => kind === 'automatic');
        for (const { id } of automatic.slice(0, -AUTOMATIC_SNAPSHOTS_KEPT)) await snapshots.drop(id);
      } catch (error) {
        log.warn('installation.prune-failed', { instanceId: instance.id, error });
      }
    },
  };
  return ground;
}

export function codeOf({ revisionId, releaseId, version }: Instance): Code | undefined {
  return revisionId === null ? undefined : { revisionId, releaseId, version };
}

export function codeOfRelease({ revisionId, id, version }: Release): Code {
  return { revisionId, releaseId: id, version };
}

export function resourceLines({ micros }: Revision): string[] {
  return micros.map((_, index) => `configuring resource ${index + 1} out of ${micros.length}...`);
}
