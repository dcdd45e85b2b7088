// Owns how a Collection's records change: data, names and change log in one batch. Lives in a data worker.
// Knows what a Base or Drive is called, not what they mean.
import { isSpaceError } from '../core/errors.ts';
import { isoTime } from '../core/clock.ts';
import { appendChanges, isTrimDue, repairLog, trimChanges } from './change-log.ts';
import type { Change } from './change-log.ts';
import { LOG_HEAD_KEY, nameKey, namePrefix, prefixRange } from './layout.ts';
import type { Area } from './layout.ts';
import { intactRange } from './store/intact.ts';
import type { ReadValue, Store, StoreChange } from './store/store.ts';
import { transact } from './store/transact.ts';

/** An open Collection. */
export interface Records {
  readonly store: Store;
  /** Names that are known to be stored already, as their keys. */
  readonly names: Set<string>;
  trimming: boolean;
}

/** What one transaction does: to the records, and what the log says about it. */
export interface LoggedDecision<R> {
  changes: StoreChange[];
  log: Change[];
  result: R;
}

export async function openRecords(store: Store): Promise<Records> {
  await repairLog(store);
  return { store, names: new Set(), trimming: false };
}

/** Read `keys`, decide, commit with the log, as one step. Without `log` entries only `changes` are written. */
export async function commitLogged<R>(records: Records, nowMs: number, keys: string[], decide: (read: ReadValue) => LoggedDecision<R>): Promise<R> {
  const fresh = new Set<string>();
  let isTrimming = false;
  const result = await transact(records.store, [...keys, LOG_HEAD_KEY], (read) => {
    const decision = decide(read);
    if (decision.log.length === 0) return decision;
    const names = unknownNames(records, decision.log, fresh);
    const appended = appendChanges(read, decision.log, isoTime(nowMs));
    isTrimming = isTrimDue(appended);
    return { changes: [...decision.changes, ...names, ...appended], result: decision.result };
  });
  for (const key of fresh) records.names.add(key);
  if (isTrimming) trimInBackground(records);
  return result;
}

/** What a key held before a write that replaces it anyway: damage counts as nothing. */
export function readBefore(read: ReadValue, key: string): string | undefined {
  try {
    return read(key);
  } catch (error) {
    if (isSpaceError(error, 'RECORD_CORRUPT')) return undefined;
    throw error;
  }
}

/** Names of the Bases or Drives that have been written to. */
export async function writtenNames({ store }: Records, area: Area): Promise<string[]> {
  const names: string[] = [];
  for await (const [key] of intactRange(store, prefixRange(namePrefix(area)))) names.push(key.slice(namePrefix(area).length));
  return names;
}

function unknownNames(records: Records, log: Change[], fresh: Set<string>): StoreChange[] {
  const changes: StoreChange[] = [];
  for (const { area, name } of log) {
    const key = nameKey(area, name);
    if (records.names.has(key)) continue;
    fresh.add(key);
    changes.push({ type: 'put', key, value: '{}' });
  }
  return changes;
}

/** A failure is no harm: the next change that finds the log too long tries again. */
function trimInBackground(records: Records): void {
  if (records.trimming) return;
  records.trimming = true;
  trimChanges(records.store).catch(() => {}).finally(() => { records.trimming = false; });
}
