// Owns a Collection's change log: what happened to Items and Files, in order, written in the same batch as the change.
// Bounded: the oldest entries go. Who reads it (live queries, backups, replication) is told when it came too late.
import { isSpaceError } from '../core/errors.ts';
import { LOG_HEAD_KEY, LOG_PREFIX, logKey, prefixRange } from './layout.ts';
import { intactRange } from './store/intact.ts';
import type { ReadValue, Store, StoreChange } from './store/store.ts';
import { transact } from './store/transact.ts';
import type { Area } from './layout.ts';

export interface Change {
  kind: 'put' | 'delete' | 'expire';
  area: Area;
  /** Of the Base or Drive. */
  name: string;
  /** Of the Item, or name of the File. */
  key: string;
  /** JSON of the Item, or of the File's record. */
  before?: string;
  after?: string;
}

export interface LoggedChange extends Omit<Change, 'before' | 'after'> {
  sequence: number;
  at: string;
  before: unknown;
  after: unknown;
}

/** `last` is the newest sequence (0: none yet), `first` the oldest that is kept. */
interface LogHead { first: number; last: number; length: number }

export const LOG_LIMITS = { entries: 10_000, length: 32 * 1024 * 1024 };
/** Trimming starts this far above the limits, so that it happens rarely and in large steps. */
const TRIM_SLACK = 1.25;
const TRIM_STEP = 500;
/** A page of changes ends after this many characters. */
const PAGE_MAX_LENGTH = 1024 * 1024;
/** More changes than a Store can make in a millisecond; sequences stay exact integers. */
const SEQUENCES_PER_MS = 1000;
/** More changes than can have been lost with a damaged head and the entries beside it. */
const LOST_MAX_SEQUENCES = 2 ** 40;

/** Of the change that is appended next. The transaction must have named LOG_HEAD_KEY. */
export function nextSequence(read: ReadValue): number {
  return parseHead(read(LOG_HEAD_KEY)).last + 1;
}

/** The store changes that append `changes`. The transaction must have named LOG_HEAD_KEY. */
export function appendChanges(read: ReadValue, changes: readonly Change[], at: string): StoreChange[] {
  const head = parseHead(read(LOG_HEAD_KEY));
  const appended = changes.map((change): StoreChange => {
    head.last += 1;
    const value = entryText(change, head.last, at);
    head.length += value.length;
    return { type: 'put', key: logKey(head.last), value };
  });
  return [...appended, { type: 'put', key: LOG_HEAD_KEY, value: JSON.stringify(head) }];
}

/** A page of changes after `sequence`, oldest first, of bounded length. `resync`: some of them are gone, start from the
 *  data itself and go on after `last`. */
export async function readChanges(store: Store, sequence: number, limit = 1000): Promise<{ changes: LoggedChange[]; last: number; resync: boolean }> {
  const head = parseHead(await store.get(LOG_HEAD_KEY));
  if (sequence > head.last || sequence + 1 < head.first) return { changes: [], last: head.last, resync: true };
  const changes: LoggedChange[] = [];
  let length = 0;
  try {
    for await (const [, value] of store.range({ gt: logKey(sequence), lte: logKey(head.last), limit })) {
      const change = JSON.parse(value) as LoggedChange;
      // Trimming was faster than this reader, or an entry is missing.
      if (change.sequence !== sequence + changes.length + 1) break;
      changes.push(change);
      length += value.length;
      if (length > PAGE_MAX_LENGTH) break;
    }
  } catch (error) {
    if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
  }
  return { changes, last: head.last, resync: changes.length === 0 && sequence < head.last };
}

/** Of the newest change. */
export async function lastSequence(store: Store): Promise<number> {
  return parseHead(await store.get(LOG_HEAD_KEY)).last;
}

/** After the records were set back to an earlier state: no sequence, and so no version of an Item, is used twice, and
 *  whoever read the log before starts anew. @param nowMs makes the new sequences unlike those that were lost */
export async function restartLog(store: Store, nowMs: number): Promise<void> {
  await transact(store, [LOG_HEAD_KEY], (read) => {
    const { first, last } = parseHead(read(LOG_HEAD_KEY));
    const changes: StoreChange[] = [{ type: 'put', key: LOG_HEAD_KEY, value: emptyHead(Math.max(last, Math.floor(nowMs) * SEQUENCES_PER_MS) + 1) }];
    for (let sequence = first; sequence <= last; sequence += 1) changes.push({ type: 'del', key: logKey(sequence) });
    return { changes, result: undefined };
  });
}

function emptyHead(last: number): string {
  return JSON.stringify({ first: last + 1, last, length: 0 } satisfies LogHead);
}

/** Whether the head that was just written asks for `trimChanges`. */
export function isTrimDue(changes: readonly StoreChange[], limits = LOG_LIMITS): boolean {
  const written = changes.findLast((change) => change.key === LOG_HEAD_KEY);
  if (written?.type !== 'put') return false;
  const head = parseHead(written.value);
  return head.last - head.first + 1 > limits.entries * TRIM_SLACK || head.length > limits.length * TRIM_SLACK;
}

/** Delete the oldest entries until the limits hold. */
export async function trimChanges(store: Store, limits = LOG_LIMITS): Promise<void> {
  for (;;) {
    const head = parseHead(await store.get(LOG_HEAD_KEY));
    const kept = await keptAfterStep(store, head, limits);
    if (kept.first === head.first) return;
    await transact(store, [LOG_HEAD_KEY], (read) => ({ changes: dropOldest(parseHead(read(LOG_HEAD_KEY)), head, kept), result: undefined }));
  }
}

/** A head that was damaged is made again from the entries. The newest of them may be lost too, so readers start anew. */
export async function repairLog(store: Store): Promise<void> {
  try {
    await store.get(LOG_HEAD_KEY);
  } catch (error) {
    if (!isSpaceError(error, 'RECORD_CORRUPT')) throw error;
    const changes: StoreChange[] = [];
    let last = LOST_MAX_SEQUENCES;
    for await (const [key] of intactRange(store, prefixRange(LOG_PREFIX))) {
      changes.push({ type: 'del', key });
      last = Number(key.slice(LOG_PREFIX.length)) + LOST_MAX_SEQUENCES;
    }
    await store.batch([...changes, { type: 'put', key: LOG_HEAD_KEY, value: emptyHead(last) }]);
  }
}

/** The head after at most TRIM_STEP of the oldest entries are gone. */
async function keptAfterStep(store: Store, head: LogHead, limits: typeof LOG_LIMITS): Promise<LogHead> {
  const kept = { ...head };
  for await (const [key, value] of intactRange(store, { gte: logKey(head.first), lte: logKey(head.last), limit: TRIM_STEP })) {
    if (kept.last - kept.first + 1 <= limits.entries && kept.length <= limits.length) break;
    kept.first = Number(key.slice(LOG_PREFIX.length)) + 1;
    kept.length -= value.length;
  }
  return kept;
}

/** `now` may have grown since `before` was read; `kept` is what shall remain of `before`. */
function dropOldest(now: LogHead, before: LogHead, kept: LogHead): StoreChange[] {
  const changes: StoreChange[] = [];
  for (let sequence = before.first; sequence < kept.first; sequence += 1) changes.push({ type: 'del', key: logKey(sequence) });
  const trimmed: LogHead = { ...now, first: kept.first, length: Math.max(0, now.length - (before.length - kept.length)) };
  return [...changes, { type: 'put', key: LOG_HEAD_KEY, value: JSON.stringify(trimmed) }];
}

function parseHead(text: string | undefined): LogHead {
  return text === undefined ? { first: 1, last: 0, length: 0 } : (JSON.parse(text) as LogHead);
}

/** Composed as text: `before` and `after` are JSON already. */
function entryText({ before = 'null', after = 'null', ...rest }: Change, sequence: number, at: string): string {
  return `${JSON.stringify({ sequence, at, ...rest }).slice(0, -1)},"before":${before},"after":${after}}`;
}
