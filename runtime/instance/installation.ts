// Owns the jobs that put a Revision on an Instance, or take the Instance away. Every step is one batch, and a job that
// was cut off is taken up again at its step when the host starts: it ends complete or undone, never in between.
import { isSpaceError, SpaceError, toSpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Release } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, createTable, type Table } from '../../sandbox-data/store/table.ts';
import type { Collections } from './collection.ts';
import type { Instance, Instances, NewInstance } from './instance.ts';
import { isFinal, nextState, type InstallationEvent, type InstallationState } from './installation-state.ts';

export interface Installation {
  id: string;
  spaceId: string;
  instanceId: string;
  releaseId: string;
  kind: 'install' | 'update' | 'uninstall';
  /** What becomes of the data, for an uninstall. */
  data: 'keep' | 'delete';
  state: InstallationState;
  /** Why it failed, for a person. */
  error: string | null;
  /** What a follower reads. */
  lines: string[];
  createdAt: string;
  updatedAt: string;
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
  /** The Instance is gone: keys, logs. Called again after a restart, so it must bear repetition. */
  onRemoved(instance: Instance): Promise<void>;
  urlOf(instance: Instance): string;
}

export interface Installations {
  get(id: string): Promise<Installation | undefined>;
  list(options: { spaceId?: string; releaseId?: string }): Promise<Installation[]>;
  /** The one job that is not done, if any. */
  openFor(instanceId: string): Promise<Installation | undefined>;
  /** A new Instance of a Release. Resolves when the job is recorded, not when it is done. */
  install(fresh: NewInstance): Promise<Installation>;
  /** @throws INSTALLATION_RUNNING */
  update(instance: Instance, release: Release): Promise<Installation>;
  /** @throws INSTALLATION_RUNNING */
  uninstall(instance: Instance, data: 'keep' | 'delete'): Promise<Installation>;
  /** Lines until the job has ended; its state is final then. */
  follow(id: string): AsyncIterable<string>;
  /** Resolves when the job has ended. */
  ended(id: string): Promise<Installation>;
  /** Take up what a kill cut off. */
  resume(): Promise<void>;
  /** Wait for what runs. */
  close(): Promise<void>;
}

export function createInstallations(parts: InstallationParts): Installations {
  const table = createTable<Installation>(parts.store, 'installation', {
    space: { of: (job) => job.spaceId },
    release: { of: (job) => job.releaseId },
    /** One open job an Instance. */
    open: { of: (job) => (isFinal(job.state) ? undefined : job.instanceId), unique: true },
    unfinished: { of: (job) => (isFinal(job.state) ? undefined : 'yes') },
  });
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Set<() => void>>();

  const notify = (id: string): void => waiting.get(id)?.forEach((wake) => wake());

  function draft(kind: Installation['kind'], instance: Instance, more: { releaseId: string; data?: 'keep' | 'delete' }): Installation {
    const now = isoTime(parts.clock.now());
    return {
      id: newId('installation'), spaceId: instance.spaceId, instanceId: instance.id, releaseId: more.releaseId, kind,
      data: more.data ?? 'keep', state: 'pending', error: null, lines: [`starting ${kind}...`], createdAt: now, updatedAt: now,
    };
  }

  function step(job: Installation, event: InstallationEvent, ...lines: string[]): Installation {
    return { ...job, state: nextState(job.state, event), lines: [...job.lines, ...lines], updatedAt: isoTime(parts.clock.now()) };
  }

  function start(job: Installation): void {
    const work = run(job)
      .catch((error) => parts.log.error('installation.failed', { installationId: job.id, error }))
      .finally(() => {
        running.delete(job.id);
        notify(job.id);
      });
    running.set(job.id, work);
  }

  async function run(job: Installation): Promise<void> {
    try {
      await (job.kind === 'uninstall' ? remove(table, parts, job, step) : place(table, parts, job, step));
    } catch (error) {
      await fail(job.id, error);
    }
  }

  async function fail(id: string, error: unknown): Promise<void> {
    const job = await table.get(id);
    if (!job || isFinal(job.state)) return;
    const known = toSpaceError(error);
    if (known.blame === 'platform') parts.log.error('installation.failed', { installationId: id, error });
    const failed = { ...step(job, 'fail', `failed: ${known.message}`), error: known.message };
    const instance = await parts.instances.get(job.instanceId);
    const marks = instance ? stateAfterFailure(instance).map((state) => parts.instances.replaceWrite(instance, parts.instances.touched(instance, { state }))) : [];
    await commit(parts.store, table.replaceWrite(job, failed), ...marks);
  }

  async function record(job: Installation, ...writes: Parameters<typeof commit>[1][]): Promise<Installation> {
    try {
      await commit(parts.store, table.insertWrite(job), ...writes);
    } catch (error) {
      throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('INSTALLATION_RUNNING', {}, { cause: error }) : error;
    }
    start(job);
    return job;
  }

  async function ended(id: string): Promise<Installation> {
    for (;;) {
      const job = await table.get(id);
      if (!job) throw new SpaceError('INSTALLATION_NOT_FOUND');
      if (isFinal(job.state)) return job;
      await changed(id);
    }
  }

  /** Resolves at the next change of the job, or after a moment, whichever comes first. */
  function changed(id: string): Promise<void> {
    return new Promise((resolve) => {
      const wakers = waiting.get(id) ?? new Set();
      waiting.set(id, wakers);
      const wake = (): void => {
        clearTimeout(timer);
        wakers.delete(wake);
        if (wakers.size === 0) waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(wake, 200);
      wakers.add(wake);
    });
  }

  return {
    get: (id) => table.get(id),
    async list({ spaceId, releaseId }) {
      const by = releaseId === undefined ? { index: 'space', value: spaceId ?? '' } : { index: 'release', value: releaseId };
      const found = await table.list({ by });
      const mine = spaceId === undefined ? found : found.filter((job) => job.spaceId === spaceId);
      return mine.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
    },
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
    update: (instance, release) => record(draft('update', instance, { releaseId: release.id })),
    uninstall(instance, data) {
      const leaving = parts.instances.replaceWrite(instance, parts.instances.touched(instance, { state: 'removing' }));
      return record(draft('uninstall', instance, { releaseId: instance.releaseId, data }), leaving);
    },
    async *follow(id) {
      for (let shown = 0; ;) {
        const job = await table.get(id);
        if (!job) return;
        yield* job.lines.slice(shown);
        shown = job.lines.length;
        if (isFinal(job.state)) return;
        await changed(id);
      }
    },
    ended,
    async resume() {
      for (const job of await table.list({ by: { index: 'unfinished', value: 'yes' } })) start(job);
    },
    async close() {
      await Promise.allSettled(running.values());
    },
  };
}

type Step = (job: Installation, event: InstallationEvent, ...lines: string[]) => Installation;

/** Install or update: pending -> preparing -> complete. */
async function place(table: Table<Installation>, parts: InstallationParts, job: Installation, step: Step): Promise<void> {
  const preparing = job.state === 'pending' ? await advance(table, job, step(job, 'start', 'fetching release configuration...')) : job;
  const release = await parts.release(job.releaseId);
  const revision = release && (await parts.revision(release.revisionId));
  if (!release || !revision) throw new SpaceError('RELEASE_NOT_FOUND');
  await parts.checkRunnable(revision);
  const instance = await parts.instances.get(job.instanceId);
  if (!instance || instance.state === 'removing') throw new SpaceError('INSTANCE_NOT_FOUND');
  const placed = parts.instances.touched(instance, {
    revisionId: revision.id, releaseId: release.id, version: release.version, state: 'ready', generation: instance.generation + 1,
  });
  const done = step(preparing, 'placed', ...revision.micros.map((_, index) => `configuring resource ${index + 1} out of ${revision.micros.length}...`), parts.urlOf(instance));
  // The one batch in which the Instance moves: before it everything is old, after it everything is new.
  await commit(parts.store, parts.instances.replaceWrite(instance, placed), table.replaceWrite(preparing, done));
  await parts.onChanged(instance.id);
}

/** Uninstall: pending -> preparing -> complete. The Instance was marked when the job was recorded. */
async function remove(table: Table<Installation>, parts: InstallationParts, job: Installation, step: Step): Promise<void> {
  const preparing = job.state === 'pending' ? await advance(table, job, step(job, 'start', 'stopping the app...')) : job;
  const instance = await parts.instances.get(job.instanceId);
  if (!instance) {
    await advance(table, preparing, step(preparing, 'placed'));
    return;
  }
  await parts.onChanged(instance.id);
  await parts.onRemoved(instance);
  const collection = await parts.collections.get(instance.collectionId);
  const fate = collection ? [parts.collections.detachWrite(collection, job.data)] : [];
  const done = step(preparing, 'placed', job.data === 'keep' ? 'the data was kept as a Collection' : 'the data was put into the trash');
  await commit(parts.store, parts.instances.deleteWrite(instance), table.replaceWrite(preparing, done), ...fate);
  parts.collections.forget(instance.collectionId);
  await parts.onChanged(instance.id);
}

/** An install that failed has nothing to go back to; an uninstall that failed leaves what its owner can use and uninstall
 *  again; an update that failed changed nothing. */
function stateAfterFailure({ state, revisionId }: Instance): Instance['state'][] {
  if (state === 'installing') return ['failed'];
  return state === 'removing' ? [revisionId === null ? 'failed' : 'ready'] : [];
}

async function advance(table: Table<Installation>, before: Installation, after: Installation): Promise<Installation> {
  await table.update(before.id, () => after);
  return after;
}
