// Owns the host's records of Collections: whose each one is, and what becomes of it without its Instance.
// Knows no Item and no File; those are sandbox-data's.
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable, type Write } from '../../sandbox-data/store/table.ts';
import type { Instance } from './instance.ts';

/** `instanceId` null: headless, or waiting for its Project's first push. `trashedAt`: gone for its owner, deleted for good
 *  after 30 days. */
export interface CollectionRecord {
  id: string;
  spaceId: string;
  name: string;
  instanceId: string | null;
  /** The Project whose Builder Instance has it, or will have it. */
  projectId?: string;
  createdAt: string;
  trashedAt: string | null;
  /** In the trash: the Instance that it belonged to, as it was. */
  trashedInstance?: Instance;
  /** It is being deleted for good; nobody brings it back. */
  isPurging?: true;
  /** The Instance that it belonged to, gone for good, while what was the Instance's is not removed yet. */
  leaving?: Instance;
}

export interface Collections {
  get(id: string): Promise<CollectionRecord | undefined>;
  /** The one that is not in the trash. Immediate when it was asked for lately: this stands on the hot path. */
  open(id: string): CollectionRecord | undefined | Promise<CollectionRecord | undefined>;
  /** What was remembered of it is no longer true. */
  forget(id: string): void;
  /** What is not in the trash. */
  list(spaceId: string): Promise<CollectionRecord[]>;
  /** @throws COUNT_LIMIT when there may be no more of them, those in the trash included */
  assertRoom(spaceId: string): Promise<void>;
  /** A headless Collection. @throws COUNT_LIMIT */
  create(spaceId: string, name: string): Promise<CollectionRecord>;
  /** What waits for the first push of this Project, made when it is asked for: code on a developer's own machine needs
   *  data before there is an Instance. @throws STORE_CONDITION_FAILED when a push was faster */
  reserve(project: { id: string; spaceId: string; name: string }): Promise<CollectionRecord>;
  reservedFor(projectId: string): Promise<CollectionRecord | undefined>;
  /** The Project is gone: what waited for it is a headless Collection. */
  unreserve(projectId: string): Promise<void>;
  /** The record of a new Instance's Collection, to be written with the Instance. A Builder Instance names its Project:
   *  what was reserved for it in the meantime makes the write fail. */
  forInstance(owner: { spaceId: string; instanceId: string; name: string; projectId?: string; reserved?: CollectionRecord }): { record: CollectionRecord; write: Write };
  /** Its Instance goes for good, its data stay as a headless Collection. */
  detachWrite(record: CollectionRecord, leaving: Instance): Write;
  /** Those whose Instance left something. */
  listLeaving(): Promise<CollectionRecord[]>;
  /** What this Instance left is removed. */
  hasLeft(id: string, instanceId: string): Promise<void>;
  /** It goes into the trash, with its Instance where it has one. */
  trashWrite(record: CollectionRecord, instance?: Instance): Write;
  /** What is in the trash, of one Space or of all. */
  listTrash(spaceId?: string): Promise<CollectionRecord[]>;
  replaceWrite(before: CollectionRecord, after: CollectionRecord): Write;
  /** The record; its data have to be gone. */
  remove(id: string): Promise<void>;
}

/** Of one Space, with those of its apps and those in the trash. */
export const COLLECTIONS_MAX = 1000;

export function createCollections({ store, clock }: { store: Store; clock: Clock }): Collections {
  const records = createTable<CollectionRecord>(store, 'collection', {
    space: { of: (record) => record.spaceId },
    trash: { of: (record) => (record.trashedAt === null ? undefined : 'trash') },
    project: { of: (record) => record.projectId, unique: true },
    leaving: { of: (record) => (record.leaving ? 'yes' : undefined) },
  });
  const known = new LRUCache<string, CollectionRecord>({ max: 10_000 });
  /** Rises with every change, so that what was read before it is not remembered after it. */
  let changes = 0;
  const forget = (id: string): void => {
    changes += 1;
    known.delete(id);
  };
  const newRecord = (spaceId: string, name: string, instanceId: string | null): CollectionRecord =>
    ({ id: newId('collection'), spaceId, name, instanceId, createdAt: isoTime(clock.now()), trashedAt: null });
  const headless = ({ projectId: _, ...record }: CollectionRecord): CollectionRecord => ({ ...record, instanceId: null });

  async function assertRoom(spaceId: string): Promise<void> {
    const known = await records.list({ by: { index: 'space', value: spaceId }, limit: COLLECTIONS_MAX });
    if (known.length >= COLLECTIONS_MAX) throw new SpaceError('COUNT_LIMIT', { limit: COLLECTIONS_MAX, what: 'Collections', remedy: 'Delete those that nobody uses, and empty the trash.' });
  }

  return {
    assertRoom,
    get: (id) => records.get(id),
    open(id) {
      const found = known.get(id);
      if (found) return found;
      const before = changes;
      return records.get(id).then((record) => {
        if (record?.trashedAt !== null) return undefined;
        if (before === changes) known.set(id, record);
        return record;
      });
    },
    forget,
    list: async (spaceId) => (await records.list({ by: { index: 'space', value: spaceId } })).filter((record) => record.trashedAt === null),
    async create(spaceId, name) {
      await assertRoom(spaceId);
      const record = newRecord(spaceId, name, null);
      await records.insert(record);
      return record;
    },
    async reserve({ id, spaceId, name }) {
      const known = await records.find('project', id);
      if (known) return known;
      const record = { ...newRecord(spaceId, name, null), projectId: id };
      await records.insert(record);
      return record;
    },
    async reservedFor(projectId) {
      const known = await records.find('project', projectId);
      return known?.instanceId === null ? known : undefined;
    },
    async unreserve(projectId) {
      const known = await records.find('project', projectId);
      if (known?.instanceId === null) await records.update(known.id, headless);
    },
    forInstance({ spaceId, instanceId, name, projectId, reserved }) {
      if (reserved) {
        const record = { ...reserved, instanceId };
        return { record, write: records.replaceWrite(reserved, record) };
      }
      const record = { ...newRecord(spaceId, name, instanceId), ...(projectId !== undefined && { projectId }) };
      return { record, write: records.insertWrite(record) };
    },
    detachWrite: (record, leaving) => records.replaceWrite(record, { ...headless(record), leaving }),
    listLeaving: () => records.list({ by: { index: 'leaving', value: 'yes' } }),
    async hasLeft(id, instanceId) {
      await records.update(id, ({ leaving, ...record }) => (leaving?.id === instanceId ? record : undefined));
    },
    trashWrite: (record, instance) => records.replaceWrite(record, { ...headless(record), trashedAt: isoTime(clock.now()), ...(instance && { trashedInstance: instance }) }),
    async listTrash(spaceId) {
      const found = await records.list({ by: { index: 'trash', value: 'trash' } });
      return spaceId === undefined ? found : found.filter((record) => record.spaceId === spaceId);
    },
    replaceWrite: records.replaceWrite,
    async remove(id) {
      await records.delete(id);
      forget(id);
    },
  };
}
