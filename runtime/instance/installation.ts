// Owns the jobs that put a Revision on an Instance, or take the Instance away: their records, one open job an Instance, who
// waits for them. A job that was cut off is taken up again at its step when the host starts: it ends complete or undone,
// never in between. What the steps are is in `installation-steps.ts`.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { createWakers } from '../../core/wakers.ts';
import type { Release } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Snapshots } from '../../sandbox-data/data.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, createTable, type Table } from '../../sandbox-data/store/table.ts';
import type { Collections } from './collection.ts';
import type { HealthProblem } from './health.ts';
import type { Code, Instance, Instances, NewInstance } from './instance.ts';
import { createInstallationHistory } from './installation-history.ts';
import { createSteps } from './installation-steps.ts';
import { isFinal, type InstallationState } from './installation-state.ts';

export interface Installation {
  id: string;
  spaceId: string;
  instanceId: string;
  releaseId: string;
  kind: 'install' | 'update' | 'rollback' | 'uninstall';
  /** What becomes of the data, for an uninstall. */
  data: 'keep' | 'delete';
  state: InstallationState;
  /** Why it failed, for a person. */
  error: string | null;
  /** What a follower reads. */
  lines: string[];
  createdAt: string;
  updatedAt: string;
  /** What the Instance ran before. */
  before?: Code;
  /** What a rollback goes back to. */
  target?: Code;
  /** The snapshot whose data a rollback brings back. */
  restoreId?: string;
  /** The snapshot that this job takes of the data before it changes anything. */
  snapshotId?: string;
  /** The snapshot that holds the data which this job put aside. */
  replacedId?: string;
  /** What was wrong with the new code. */
  problem?: HealthProblem;
  /** An update that is not tried before it counts. */
  isUnchecked?: boolean;
  /** Its Instance is gone for good. */
  isOfGone?: true;
}

/** What Installations need of the rest of the host. */
export interface InstallationParts {
  store: Store;
  clock: Clock;
  log: Log;
  instances: Instances;
  collections: Collections;
  release(id: string): Promise<Release | undefined>;
  revision(id: string): Promise<Revision | undefined>;
  /** @throws when this host cannot run it */
  checkRunnable(revision: Revision): Promise<void>;
  /** The Instance runs other code now, or none: forget what was remembered, retire what runs. */
  onChanged(instanceId: string): Promise<void>;
  /** Requests that waited may go on. */
  onReady(instanceId: string): void;
  snapshotsOf(instance: Instance): Snapshots;
  /** Start the code that is on the Instance, and see whether it answers. */
  check(instance: Instance): Promise<HealthProblem | undefined>;
  /** An update was undone. @param text for its owner */
  onReturned(instance: Instance, told: { problem: HealthProblem; text: string; version: string }): Promise<void>;
  /** The Instance is gone for good: its keys, logs, settings go too. Called again after a restart, so it must bear repetition. */
  onRemoved(instance: Instance): Promise<void>;
  urlOf(instance: Instance): string;
}

export interface RollbackSpec { target: Code; restoreId: string | undefined }

export interface Installations {
  get(id: string): Promise<Installation | undefined>;
  /** The last of a Space, or those of one Release in it, newest first. */
  list(options: { spaceId: string; releaseId?: string; limit?: number }): Promise<Installation[]>;
  /** The last of an Instance, newest first. */
  ofInstance(instanceId: string, limit?: number): Promise<Installation[]>;
  /** The one job that is not done, if any. */
  openFor(instanceId: string): Promise<Installation | undefined>;
  /** A new Instance of a Release. Resolves when the job is recorded, not when it is done. */
  install(fresh: NewInstance): Promise<Installation>;
  /** @throws INSTALLATION_RUNNING */
  update(instance: Instance, release: Release, options?: { isUnchecked?: boolean }): Promise<Installation>;
  /** @throws INSTALLATION_RUNNING */
  rollback(instance: Instance, spec: RollbackSpec): Promise<Installation>;
  /** @throws INSTALLATION_RUNNING */
  uninstall(instance: Instance, data: 'keep' | 'delete'): Promise<Installation>;
  /** Lines until the job has ended, and its state is final then; or until nobody reads them any more. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<string>;
  /** Resolves when the job has ended, or with what it is when nobody waits any more. */
  ended(id: string, signal?: AbortSignal): Promise<Installation>;
  /** The Instance is gone for good, and its history with it. Bears repetition. */
  forget(instance: Instance): Promise<void>;
  /** Resolves when no job of this host works on the Instance. */
  settled(instanceId: string): Promise<void>;
  /** Take up what a kill cut off. */
  resume(): Promise<void>;
  /** Wait for what runs. */
  close(): Promise<void>;
}

const LISTED = 100;
/** A job that could not even be written down as failed, say on a full disk, is taken up again after so long, later ever later. */
const RETRY_MS = 5000;
const RETRY_MAX_MS = 300_000;

export function createInstallations(parts: InstallationParts): Installations {
  const table: Table<Installation> = createTable<Installation>(parts.store, 'installation', {
    recent: { of: (job) => job.spaceId, order: (job) => job.createdAt },
    spaceRelease: { of: (job) => `${job.spaceId}/${job.releaseId}`, order: (job) => job.createdAt },
    gone: { of: (job) => (job.isOfGone ? job.spaceId : undefined), order: (job) => job.createdAt },
    instance: { of: (job) => job.instanceId, order: (job) => job.createdAt },
    /** One open job an Instance. */
    open: { of: (job) => (isFinal(job.state) ? undefined : job.instanceId), unique: true },
    unfinished: { of: (job) => (isFinal(job.state) ? undefined : 'yes') },
  });
  const history = createInstallationHistory(table);
  const wakers = createWakers();
  const steps = createSteps(table, parts, wakers.changed);
  const running = new Map<string, Promise<void>>();
  /** Jobs that wait to be taken up again, and what ends that. */
  const resting = new Map<string, () => void>();
  const tidying = new Set<Promise<void>>();
  const resumed = Promise.withResolvers<void>();
  let isClosed = false;

  function draft(kind: Installation['kind'], instance: Instance, more: { releaseId: string } & Partial<Installation>): Installation {
    const now = isoTime(parts.clock.now());
    return {
      id: newId('installation'), spaceId: instance.spaceId, instanceId: instance.id, kind,
      data: 'keep', state: 'pending', error: null, lines: [`starting ${kind}...`], createdAt: now, updatedAt: now, ...more,
    };
  }

  function start(job: Installation, attempt = 0): void {
    const work = steps.run(job)
      .catch((error) => {
        parts.log.error('installation.not-ended', { installationId: job.id, attempt, error });
        rest(job.id, attempt);
      })
      .finally(() => {
        running.delete(job.id);
        wakers.changed(job.id);
      });
    running.set(job.id, work);
  }

  /** What is stored of it is open, so that it goes on as after a restart. */
  function rest(id: string, attempt: number): void {
    if (isClosed) return;
    const again = async (): Promise<void> => {
      resting.delete(id);
      const job = await table.get(id);
      if (job && !isFinal(job.state) && !isClosed) start(job, attempt + 1);
    };
    const waitMs = Math.min(RETRY_MS * 2 ** attempt, RETRY_MAX_MS);
    resting.set(id, parts.clock.after(waitMs, () => void again().catch(() => rest(id, attempt + 1))));
  }

  async function record(job: Installation, ...writes: Parameters<typeof commit>[1][]): Promise<Installation> {
    try {
      await commit(parts.store, table.insertWrite(job), ...writes);
    } catch (error) {
      throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('INSTALLATION_RUNNING', {}, { cause: error }) : error;
    }
    start(job);
    const pruning = history.prune(job.instanceId).catch((error) => parts.log.warn('installation.history-not-pruned', { instanceId: job.instanceId, error })).finally(() => tidying.delete(pruning));
    tidying.add(pruning);
    return job;
  }

  async function ended(id: string, signal?: AbortSignal): Promise<Installation> {
    for (;;) {
      const seen = wakers.count();
      const job = await table.get(id);
      if (!job) throw new SpaceError('INSTALLATION_NOT_FOUND');
      if (isFinal(job.state) || signal?.aborted) return job;
      await wakers.next(id, seen, signal);
    }
  }

  return {
    get: (id) => table.get(id),
    list: ({ spaceId, releaseId, limit = LISTED }) => table.list({ by: releaseId === undefined ? { index: 'recent', value: spaceId } : { index: 'spaceRelease', value: `${spaceId}/${releaseId}` }, reverse: true, limit }),
    ofInstance: history.ofInstance,
    forget: history.forget,
    openFor: (instanceId) => table.find('open', instanceId),
    async install(fresh) {
      const ofBuilder = fresh.kind === 'builder' ? { projectId: fresh.projectId, reserved: await parts.collections.reservedFor(fresh.projectId) } : {};
      let collection: ReturnType<Collections['forInstance']> | undefined;
      const instance = parts.instances.draft(fresh, (instanceId) => (collection = parts.collections.forInstance({ spaceId: fresh.spaceId, instanceId, name: fresh.appName, ...ofBuilder })).record);
      if (!collection) throw new TypeError('an Instance needs a Collection');
      const job = draft('install', instance, { releaseId: fresh.releaseId });
      const recorded = await record(job, collection.write, ...parts.instances.insertWrites(instance));
      parts.collections.forget(instance.collectionId);
      return recorded;
    },
    update: (instance, release, { isUnchecked } = {}) => record(draft('update', instance, { releaseId: release.id, ...(isUnchecked && { isUnchecked }) })),
    rollback: (instance, { target, restoreId }) => record(draft('rollback', instance, { releaseId: target.releaseId, target, ...(restoreId !== undefined && { restoreId }) })),
    uninstall(instance, data) {
      const leaving = parts.instances.replaceWrite(instance, parts.instances.touched(instance, { state: 'removing' }));
      return record(draft('uninstall', instance, { releaseId: instance.releaseId, data }), leaving);
    },
    async *follow(id, signal) {
      for (let shown = 0; !signal?.aborted;) {
        const seen = wakers.count();
        const job = await table.get(id);
        if (!job) return;
        yield* job.lines.slice(shown);
        shown = job.lines.length;
        if (isFinal(job.state)) return;
        await wakers.next(id, seen, signal);
      }
    },
    ended,
    async settled(instanceId) {
      await resumed.promise;
      const job = await table.find('open', instanceId);
      if (job) await running.get(job.id);
    },
    async resume() {
      for (const job of await table.list({ by: { index: 'unfinished', value: 'yes' } })) start(job);
      resumed.resolve();
    },
    async close() {
      isClosed = true;
      for (const cancel of resting.values()) cancel();
      await Promise.allSettled([...running.values(), ...tidying]);
    },
  };
}
