// Owns what a Collection's owner is told about how much is in it. Lives in a data worker.
import { isoTime } from '../core/clock.ts';
import type { CollectionUsage, IndexInfo } from './data.ts';
import type { BlobPart } from './file-record.ts';
import { indexesOf } from './index-records.ts';
import { PART_PREFIX, prefixRange } from './layout.ts';
import type { Records } from './records.ts';
import { intactRange } from './store/intact.ts';
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

/** Of Items and Files, and of the parts of uploads that are not complete. */
export async function usedBytes({ store }: Records): Promise<number> {
  let bytes = 0;
  for (const area of ['base', 'drive'] as const) for (const amount of (await readAmounts(store, area)).values()) bytes += amount.bytes;
  for await (const [, part] of intactRange(store, prefixRange(PART_PREFIX))) bytes += (JSON.parse(part) as BlobPart).sizeBytes;
  return bytes;
}
