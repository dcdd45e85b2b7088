// Owns the trash: apps with their data, and Collections, that somebody deleted. For 30 days each can come back as it was;
// then, or when its owner says so, it is gone for good. What lies in it stands in the records of Collections.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Data } from '../../sandbox-data/data.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, type Write } from '../../sandbox-data/store/table.ts';
import type { CollectionRecord, Collections } from './collection.ts';
import { INSTANCES_MAX, type Instance, type Instances } from './instance.ts';

export const TRASH_MS = 30 * 86_400_000;

/** A Collection in the trash, with its Instance where it had one. */
export type Trashed = CollectionRecord & { trashedAt: string };

export interface TrashParts {
  store: Store;
  clock: Clock;
  data: Data;
  collections: Collections;
  instances: Instances;
  hasRevision(id: string): Promise<boolean>;
  /** The Instance will not come back: keys, logs, settings. Must bear repetition. */
  onRemoved(instance: Instance): Promise<void>;
  /** The data go for good: their keys. Must bear repetition. */
  onPurged(collectionId: string): Promise<void>;
}

export interface Trash {
  get(id: string): Promise<Trashed | undefined>;
  /** Newest first. */
  list(spaceId: string): Promise<Trashed[]>;
  /** A headless Collection. */
  discard(record: CollectionRecord): Promise<void>;
  /** @param as `collection`: of an app only its data  @returns the Instance, where there is one again  @throws TRASH_NOT_FOUND, CONFLICT, COUNT_LIMIT */
  restore(trashed: Trashed, as?: 'app' | 'collection'): Promise<Instance | undefined>;
  /** Delete for good. @throws TRASH_NOT_FOUND */
  purge(trashed: Trashed): Promise<void>;
  /** Delete for good what has lain there for 30 days, and what a kill left half deleted or half gone. */
  sweep(): Promise<void>;
}

export function createTrash(parts: TrashParts): Trash {
  const { store, clock, data, collections, instances } = parts;

  async function purge(trashed: Trashed): Promise<void> {
    const going: Trashed = { ...trashed, isPurging: true };
    // From here on nobody brings it back, and whoever starts next goes on.
    if (!trashed.isPurging) await change(collections.replaceWrite(trashed, going));
    for (const instance of [trashed.trashedInstance, trashed.leaving]) if (instance) await parts.onRemoved(instance);
    await parts.onPurged(trashed.id);
    await data.remove({ spaceId: trashed.spaceId, collectionId: trashed.id });
    await collections.remove(trashed.id);
  }

  /** @throws TRASH_NOT_FOUND when somebody else was faster */
  async function change(...writes: Write[]): Promise<void> {
    try {
      await commit(store, ...writes);
    } catch (error) {
      throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('TRASH_NOT_FOUND', {}, { cause: error }) : error;
    }
  }

  async function restoreInstance(trashed: Trashed, given: Instance): Promise<Instance> {
    if (given.revisionId !== null && !(await parts.hasRevision(given.revisionId))) throw new SpaceError('CONFLICT', { reason: 'The code of this app is gone. Bring its data back as a Collection.' });
    if (given.kind === 'builder' && (await instances.builderOf(given.projectId))) throw new SpaceError('CONFLICT', { reason: 'This project has another Builder Instance by now. Bring the data of this one back as a Collection.' });
    if ((await instances.list(given.spaceId)).length >= INSTANCES_MAX) throw new SpaceError('COUNT_LIMIT', { limit: INSTANCES_MAX, what: 'apps', remedy: 'Uninstall one that you no longer need.' });
    const instance = instances.touched(given, { state: given.revisionId === null ? 'failed' : 'ready', generation: given.generation + 1, label: await instances.labelFor(given) });
    const owned = { ...withoutTrash(trashed), instanceId: instance.id, ...(instance.kind === 'builder' && { projectId: instance.projectId }) };
    await change(collections.replaceWrite(trashed, owned), ...(await instances.restoreWrites(instance)));
    return instance;
  }

  return {
    async get(id) {
      const record = await collections.get(id);
      return record && isTrashed(record) ? record : undefined;
    },
    list: async (spaceId) => (await collections.listTrash(spaceId)).filter(isTrashed).toSorted((a, b) => b.trashedAt.localeCompare(a.trashedAt)),
    async discard(record) {
      await commit(store, collections.trashWrite(record));
      collections.forget(record.id);
    },
    async restore(trashed, as = 'app') {
      const { trashedInstance: gone } = trashed;
      let instance: Instance | undefined;
      if (gone && as === 'app') {
        instance = await restoreInstance(trashed, gone);
      } else {
        await change(collections.replaceWrite(trashed, { ...withoutTrash(trashed), ...(gone && { leaving: gone }) }));
        // The data are back in any case; what fails here is done by the next sweep.
        await letGo(parts, trashed.id).catch(() => undefined);
      }
      collections.forget(trashed.id);
      return instance;
    },
    purge,
    async sweep() {
      for (const trashed of (await collections.listTrash()).filter((record) => record.trashedAt !== null)) {
        const isOld = clock.now() - Date.parse(trashed.trashedAt!) >= TRASH_MS;
        if (isOld || trashed.isPurging) await purge(trashed as Trashed).catch((error: unknown) => { if (!isSpaceError(error, 'TRASH_NOT_FOUND')) throw error; });
      }
      for (const { id } of await collections.listLeaving()) await letGo(parts, id);
    },
  };
}

/** An Instance is gone for good by what is written: what was its goes after that, and after a kill in between, so that it
 *  never lacks what is its while it is there. */
export async function letGo({ collections, onRemoved }: Pick<TrashParts, 'collections' | 'onRemoved'>, collectionId: string): Promise<void> {
  const leaving = (await collections.get(collectionId))?.leaving;
  if (!leaving) return;
  await onRemoved(leaving);
  await collections.hasLeft(collectionId, leaving.id);
}

function isTrashed(record: CollectionRecord): record is Trashed {
  return record.trashedAt !== null && !record.isPurging;
}

function withoutTrash({ trashedInstance: _, isPurging: __, ...record }: CollectionRecord): CollectionRecord {
  return { ...record, trashedAt: null };
}
