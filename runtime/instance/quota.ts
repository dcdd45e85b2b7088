// Owns how much each Space and each Collection may store: what was set, and what holds otherwise.
// Knows no byte that is stored; sandbox-data counts those.
import type { Data } from '../../sandbox-data/data.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, createTable } from '../../sandbox-data/store/table.ts';

/** Where nothing was set. */
export const SPACE_DEFAULT_BYTES = 50e9;
export const COLLECTION_DEFAULT_BYTES = 10e9;

/** `id`: of the Space or Collection. */
interface QuotaRecord { id: string; limitBytes: number }

export interface QuotaUsage { usedBytes: number; limitBytes: number; collections: { id: string; usedBytes: number; limitBytes: number }[] }

export interface QuotaLimits {
  /** What a Space uses of what it may. */
  usage(spaceId: string): Promise<QuotaUsage>;
  /** @param limitBytes `null`: the default */
  setSpace(spaceId: string, limitBytes: number | null): Promise<void>;
  setCollection(ref: { spaceId: string; collectionId: string }, limitBytes: number | null): Promise<void>;
}

export function createQuotaLimits({ store, data }: { store: Store; data: Data }): QuotaLimits {
  const spaces = createTable<QuotaRecord>(store, 'space-quota');
  const collections = createTable<QuotaRecord>(store, 'collection-quota');
  const spaceBytes = async (id: string): Promise<number> => (await spaces.get(id))?.limitBytes ?? SPACE_DEFAULT_BYTES;
  const collectionBytes = async (id: string): Promise<number> => (await collections.get(id))?.limitBytes ?? COLLECTION_DEFAULT_BYTES;
  data.useQuotas({ spaceBytes, collectionBytes: ({ collectionId }) => collectionBytes(collectionId) });

  async function set(table: typeof spaces, id: string, limitBytes: number | null): Promise<void> {
    const before = await table.get(id);
    if (limitBytes === null) await table.delete(id);
    else await commit(store, before ? table.replaceWrite(before, { id, limitBytes }) : table.insertWrite({ id, limitBytes }));
  }

  return {
    async usage(spaceId) {
      const used = [...(await data.spaceUsage(spaceId))];
      return {
        usedBytes: used.reduce((sum, [, bytes]) => sum + bytes, 0), limitBytes: await spaceBytes(spaceId),
        collections: await Promise.all(used.map(async ([id, usedBytes]) => ({ id, usedBytes, limitBytes: await collectionBytes(id) }))),
      };
    },
    async setSpace(spaceId, limitBytes) {
      await set(spaces, spaceId, limitBytes);
      data.quotaChanged(spaceId);
    },
    async setCollection({ spaceId, collectionId }, limitBytes) {
      await set(collections, collectionId, limitBytes);
      data.quotaChanged(spaceId);
    },
  };
}
