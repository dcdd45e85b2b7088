// Owns how much is in each Base and Drive: counted in the same batch as the change, so that the counts are exact.
// Lives in a data worker. Counts that damage has made doubtful are counted anew when somebody asks.
import { isSpaceError } from '../core/errors.ts';
import type { Change } from './change-log.ts';
import { decodeItem } from './item.ts';
import { filePrefix, itemPrefix, nameKey, namePrefix, prefixRange } from './layout.ts';
import type { Area } from './layout.ts';
import { intactRange } from './store/intact.ts';
import type { ReadValue, Store, StoreChange, StoreReader } from './store/store.ts';
import { transact } from './store/transact.ts';
import { nextTurn } from './turn.ts';

/** Of a Base: Items and the bytes of their JSON. Of a Drive: Files and the bytes of their content. Expired Items count
 *  until they are swept. */
export interface Amount { count: number; bytes: number }

/** `isDoubtful`: something was damaged, or is from before there were counts. */
type StoredAmount = Amount & { isDoubtful?: boolean };

const RECOUNT_SLICE = 2000;

/** The store changes that keep the counts. The transaction must have named the name keys.
 *  @param isDoubtful a record that is replaced could not be read */
export function countChanges(read: ReadValue, log: readonly Change[], isDoubtful: boolean): StoreChange[] {
  const amounts = new Map<string, StoredAmount>();
  for (const change of log) {
    const key = nameKey(change.area, change.name);
    const amount = amounts.get(key) ?? parseAmount(() => read(key));
    const before = bytesOf(change.area, change.before);
    const after = bytesOf(change.area, change.after);
    amount.count += Number(after !== undefined) - Number(before !== undefined);
    amount.bytes += (after ?? 0) - (before ?? 0);
    if (isDoubtful) amount.isDoubtful = true;
    amounts.set(key, amount);
  }
  return [...amounts].map(([key, amount]) => ({ type: 'put', key, value: JSON.stringify(amount) }));
}

/** Of everything in an area, by name. */
export async function readAmounts(store: Store, area: Area): Promise<Map<string, Amount>> {
  const amounts = new Map<string, Amount>();
  const names: string[] = [];
  for await (const [key] of intactRange(store, prefixRange(namePrefix(area)))) names.push(key.slice(namePrefix(area).length));
  for (const name of names) amounts.set(name, await readAmount(store, area, name));
  return amounts;
}

/** Exact, whatever happened. */
export async function readAmount(store: Store, area: Area, name: string): Promise<Amount> {
  const key = nameKey(area, name);
  let stored = await storedAmount(store, key);
  if (stored.isDoubtful) stored = await recount(store, area, name);
  return { count: stored.count, bytes: stored.bytes };
}

/** Count on a snapshot, and correct the counts by the difference: writes go on meanwhile. */
export async function recount(store: Store, area: Area, name: string): Promise<Amount> {
  const key = nameKey(area, name);
  const snapshot = await store.snapshot();
  try {
    const claimed = await storedAmount(snapshot, key);
    const found = await countRecords(snapshot, area, name);
    return await transact(store, [key], (read) => {
      const now = parseAmount(() => read(key));
      const amount: Amount = { count: now.count + found.count - claimed.count, bytes: now.bytes + found.bytes - claimed.bytes };
      return { changes: [{ type: 'put', key, value: JSON.stringify(amount) }], result: amount };
    });
  } finally {
    await snapshot.close();
  }
}

async function countRecords(reader: StoreReader, area: Area, name: string): Promise<Amount> {
  const amount: Amount = { count: 0, bytes: 0 };
  let looked = 0;
  for await (const [, record] of intactRange(reader, prefixRange(area === 'base' ? itemPrefix(name) : filePrefix(name)))) {
    amount.count += 1;
    amount.bytes += bytesOf(area, area === 'base' ? decodeItem(record).json : record)!;
    looked += 1;
    if (looked % RECOUNT_SLICE === 0) await nextTurn();
  }
  return amount;
}

async function storedAmount(reader: StoreReader, key: string): Promise<StoredAmount> {
  try {
    const text = await reader.get(key);
    return parseAmount(() => text);
  } catch (error) {
    return parseAmount(() => { throw error; });
  }
}

function parseAmount(read: () => string | undefined): StoredAmount {
  try {
    const text = read();
    if (text === undefined) return { count: 0, bytes: 0 };
    const { count = 0, bytes = 0, isDoubtful = text === '{}' } = JSON.parse(text) as Partial<StoredAmount>;
    return { count, bytes, ...(isDoubtful && { isDoubtful }) };
  } catch (error) {
    if (isSpaceError(error, 'RECORD_CORRUPT')) return { count: 0, bytes: 0, isDoubtful: true };
    throw error;
  }
}

/** @param json of an Item, or of a File's record */
function bytesOf(area: Area, json: string | undefined): number | undefined {
  if (json === undefined) return undefined;
  return area === 'base' ? Buffer.byteLength(json) : (JSON.parse(json) as { sizeBytes: number }).sizeBytes;
}
