// Owns how a Collection's records change: data, counts and change log in one batch. Lives in a data worker.
// Knows what a Base or Drive is called, not what they mean.
import { isSpaceError } from '../core/errors.ts';
import { isoTime } from '../core/clock.ts';
import { appendChanges, isTrimDue, nextSequence, repairLog, trimChanges } from './change-log.ts';
import type { Change } from './change-log.ts';
import { LOG_HEAD_KEY, nameKeyOf, namePrefix, prefixRange } from './layout.ts';
import type { Area } from './layout.ts';
import { intactRange } from './store/intact.ts';
import type { ReadValue, Store, StoreChange } from './store/store.ts';
import { transact } from './store/transact.ts';
import { loadIndexes } from './index-records.ts';
import type { Indexes, IndexLimits } from './index-records.ts';
import { resumeIndexes } from './index-work.ts';
import { countChanges } from './usage.ts';

/** An open Collection. */
export interface Records {
  readonly store: Store;
  readonly indexes: Indexes;
  /** How many changes were logged since it is open. */
  loggedCount: number;
  trimming: boolean;
}

/** What one transaction does: to the records, and what the log says about it. */
export interface LoggedDecision<R> {
  changes: StoreChange[];
  log: Change[];
  result: R;
}

export async function openRecords(store: Store, limits?: Partial<IndexLimits>): Promise<Records> {
  await repairLog(store);
  const records: Records = { store, indexes: await loadIndexes(store, limits), loggedCount: 0, trimming: false };
  resumeIndexes(records);
  return records;
}

/** Read `keys`, decide, commit with counts and log, as one step. Without `log` entries only `changes` are written.
 *  @param decide its `sequence` is that of its first log entry */
export async function commitLogged<R>(records: Records, nowMs: number, keys: string[], decide: (read: ReadValue, sequence: number) => LoggedDecision<R>): Promise<R> {
  let isTrimming = false;
  let logged = 0;
  const result = await transact(records.store, [...keys, ...namesOf(keys), LOG_HEAD_KEY], (readValue) => {
    const { read, met } = noticingDamage(readValue);
    const decision = decide(read, nextSequence(read));
    logged = decision.log.length;
    if (logged === 0) return decision;
    const counts = countChanges(readValue, decision.log, met.isDamaged);
    const appended = appendChanges(read, decision.log, isoTime(nowMs));
    isTrimming = isTrimDue(appended);
    return { changes: [...decision.changes, ...counts, ...appended], result: decision.result };
  });
  records.loggedCount += logged;
  if (isTrimming) trimInBackground(records);
  return result;
}

function namesOf(keys: readonly string[]): Set<string> {
  return new Set(keys.map(nameKeyOf).filter((key) => key !== undefined));
}

function noticingDamage(readValue: ReadValue): { read: ReadValue; met: { isDamaged: boolean } } {
  const met = { isDamaged: false };
  const read: ReadValue = (key) => {
    try {
      return readValue(key);
    } catch (error) {
      met.isDamaged ||= isSpaceError(error, 'RECORD_CORRUPT');
      throw error;
    }
  };
  return { read, met };
}

/** Names of the Bases or Drives that have been written to. */
export async function writtenNames({ store }: Records, area: Area): Promise<string[]> {
  const names: string[] = [];
  for await (const [key] of intactRange(store, prefixRange(namePrefix(area)))) names.push(key.slice(namePrefix(area).length));
  return names;
}

/** A failure is no harm: the next change that finds the log too long tries again. */
function trimInBackground(records: Records): void {
  if (records.trimming) return;
  records.trimming = true;
  trimChanges(records.store).catch(() => {}).finally(() => { records.trimming = false; });
}
