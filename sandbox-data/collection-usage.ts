// Owns what a Collection's owner is told about how much is in it. Lives in a data worker.
import { isoTime } from '../core/clock.ts';
import type { CollectionUsage, IndexInfo } from './data.ts';
import { indexesOf } from './index-records.ts';
import type { Records } from './records.ts';
import { readAmounts } from './usage.ts';

export async function collectionUsage(records: Records): Promise<CollectionUsage> {
  const bases = await readAmounts(records.store, 'base');
  const drives = await readAmounts(records.store, 'drive');
  return {
    bases: [...bases].map(([name, { count, bytes }]) => ({ name, items: count, bytes, indexes: indexInfos(records, name) })),
    drives: [...drives].map(([name, { count, bytes }]) => ({ name, files: count, bytes })),
  };
}

function indexInfos({ indexes }: Records, base: string): IndexInfo[] {
  return indexesOf(indexes, base).map(({ field, state, usedAtMs }) => ({ field, state: state === 'ready' ? 'ready' : 'building', usedAt: isoTime(usedAtMs) }));
}
