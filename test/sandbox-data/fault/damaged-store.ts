// Owns what tests of damage start from: a Store with known records, whose files are then cut, flipped or removed, and
// the check that whatever is not as it was has been told.
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { expect } from 'vitest';
import { isSpaceError } from '../../../core/errors.ts';
import type { Damage } from '../../../sandbox-data/store/damage.ts';
import { intactRange } from '../../../sandbox-data/store/intact.ts';
import { openLevelStore } from '../../../sandbox-data/store/level.ts';
import { damageOfTables } from '../../../sandbox-data/store/level-repair.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { tempFolder } from '../open-data.ts';

export type Records = Map<string, string>;

/** @param isCompacted in tables, else in the log */
export async function storeWith(count: number, isCompacted: boolean): Promise<{ folder: string; records: Records }> {
  const folder = join(await tempFolder(), 'store');
  const records: Records = new Map();
  const store = await openLevelStore(folder);
  for (let n = 0; n < count; n += 1) {
    const key = `b/things/key${String(n).padStart(5, '0')}`;
    const value = JSON.stringify({ n, text: `value ${n} `.repeat(4) });
    records.set(key, value);
    await store.batch([{ type: 'put', key, value }]);
  }
  await store.close();
  if (isCompacted) {
    const raw = new ClassicLevel(folder);
    await raw.open();
    await raw.compactRange('', '~');
    await raw.close();
  }
  return { folder, records };
}

export async function copyOf(folder: string): Promise<string> {
  const copy = join(await tempFolder(), 'store');
  await cp(folder, copy, { recursive: true });
  return copy;
}

export async function fileOf(folder: string, ending: RegExp): Promise<string> {
  const name = (await readdir(folder)).filter((each) => ending.test(each)).toSorted().at(-1);
  if (name === undefined) throw new Error(`no file like ${String(ending)} in ${folder}`);
  return join(folder, name);
}

export async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = bytes[at]! ^ 0x20;
  await writeFile(file, bytes);
}

export interface Outcome { store: Store; damage: Damage[]; cuts: number[]; lost: string[] }

/** Open it, read everything in every way, and hold what is missing or wrong against what was told. */
export async function openAndCompare(folder: string, records: Records): Promise<Outcome> {
  const damage: Damage[] = [];
  const cuts: number[] = [];
  const store = await openLevelStore(folder, { onDamage: (one) => damage.push(one), onCut: (_, bytes) => cuts.push(bytes) });
  const lost: string[] = [];
  for (const [key, value] of records) {
    const found = await store.get(key).catch((error: unknown) => { if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error; });
    if (found === value) continue;
    expect(found, `${key} is lost, never wrong`).toBeUndefined();
    lost.push(key);
  }
  damage.push(...(await damageOfTables(folder)));
  const scanned = new Map<string, string>();
  for await (const [key, value] of intactRange(store, { gte: 'b/' })) scanned.set(key, value);
  for (const [key, value] of scanned) expect(value, `scanned ${key}`).toBe(records.get(key));
  for (const key of records.keys()) if (!scanned.has(key)) lost.push(key);
  return { store, damage, cuts, lost: [...new Set(lost)] };
}

export function isTold(damage: readonly Damage[], key: string): boolean {
  return damage.some(({ keys, range }) => keys.includes(key)
    || (range !== undefined && (range.after === undefined || key >= range.after) && (range.upTo === undefined || key <= range.upTo)));
}
