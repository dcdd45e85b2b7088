// Owns what an owner is told of damage to a Collection: which Items and Files, and whether they can be read again.
// Lives in a data worker.
import { isSpaceError } from '../core/errors.ts';
import type { DamageReport, DamagedThing } from './data.ts';
import type { BlobPart, FileRecord } from './file-record.ts';
import type { Records } from './records.ts';
import type { Damage, DamageList, NotedDamage } from './store/damage.ts';
import { contentName } from './file-check.ts';
import { intactRange } from './store/intact.ts';
import type { StoreReader } from './store/store.ts';

const FILES_STEP = 200;

/** Oldest first. */
export async function reportDamage({ store }: Records, list: DamageList): Promise<DamageReport[]> {
  const state = async (key: string): Promise<DamagedThing['state']> => {
    try {
      return (await store.get(key)) === undefined ? 'missing' : 'readable';
    } catch (error) {
      if (isSpaceError(error, 'RECORD_CORRUPT')) return 'damaged';
      throw error;
    }
  };
  const stateOfFile = async (key: string, content: string): Promise<DamagedThing['state']> =>
    ((await holdsContent(store, key, content)) ? 'damaged' : state(key));
  return Promise.all((await list.list()).map((one) => reportOf(one, (key) => (one.kind === 'blob' ? stateOfFile(key, one.file ?? '') : state(key)))));
}

/** Whether the File behind the record `key` still has this content. */
async function holdsContent(store: StoreReader, key: string, content: string): Promise<boolean> {
  const text = await store.get(key).catch(() => undefined);
  return text !== undefined && contentName((JSON.parse(text) as FileRecord).parts) === content;
}

/** Tell that the content of a File is damaged, unless the File has another one by now. */
export async function tellOfFile({ records, tellDamage }: { records: Records; tellDamage(damage: Damage): Promise<void> }, damage: Damage): Promise<void> {
  if (await holdsContent(records.store, damage.keys[0] ?? '', damage.file ?? '')) await tellDamage(damage);
}

async function reportOf({ at, kind, note, keys, range }: NotedDamage, state: (key: string) => Promise<DamagedThing['state']>): Promise<DamageReport> {
  const named = keys.map((key) => ({ key, place: placeOf(key) })).filter(({ place }) => place !== undefined);
  const things = await Promise.all(named.map(async ({ key, place }) => ({ ...place!, state: await state(key) })));
  return {
    at, kind, note, things, otherRecords: keys.length - things.length,
    ...(range && { range: { after: range.after === undefined ? null : placeOf(range.after) ?? null, upTo: range.upTo === undefined ? null : placeOf(range.upTo) ?? null } }),
  };
}

/** Whose record a key is. Keys of indexes, of the change log and the like are nobody's: they follow from others. */
function placeOf(key: string): Omit<DamagedThing, 'state'> | undefined {
  const [, kind, name, rest] = /^([bd])\/([^/]*)\/(.*)$/s.exec(key) ?? [];
  if (kind === undefined || name === undefined || rest === undefined) return undefined;
  return { area: kind === 'b' ? 'base' : 'drive', name, key: rest };
}

/** Blobs of the Files behind the record `after`, for who checks them. */
export async function fileBlobs({ store }: Records, after = 'd/'): Promise<{ files: { key: string; parts: BlobPart[] }[]; isMore: boolean }> {
  const files: { key: string; parts: BlobPart[] }[] = [];
  for await (const [key, text] of intactRange(store, { gt: after, lt: 'd0', limit: FILES_STEP })) files.push({ key, parts: (JSON.parse(text) as FileRecord).parts });
  return { files, isMore: files.length === FILES_STEP };
}
