// Owns the inside of a data worker: receives batches of calls, runs them on open Stores, answers in batches.
// Started by data-thread.ts; nothing may import this file.
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { errorRecord, toSpaceError } from '../../core/errors.ts';
import { restartLog } from '../change-log.ts';
import { restoreSnapshot, settleSnapshots, takeSnapshot } from '../snapshot-files.ts';
import type { SnapshotRecord } from '../snapshot-files.ts';
import { openLevelStore } from '../store/level.ts';
import { noticeArrivals } from '../turn.ts';
import type { Address, Call, CallBatch, ReplyBatch, WorkerStart } from './messages.ts';
import { OpenStores } from './open-stores.ts';
import type { OpenCollection } from './open-stores.ts';
import { operations } from './operations.ts';
import type { OperationContext, OperationName } from './operations.ts';

const port = parentPort;
if (!port) throw new TypeError('this file runs as a worker');

/** Under load the front door's thread goes first: routing must never wait. */
const NICENESS = 5;

const pending: Required<Omit<ReplyBatch, 'grown'>> = { replies: [], log: [], damage: [] };
/** Addresses whose growth the other side wants to hear of. */
const watched = new Set<Address>();
const grown = new Set<Address>();
let isFlushDue = false;

const { settings, sent } = workerData as WorkerStart;
let taken = 0;
noticeArrivals(() => Atomics.load(sent, 0) !== taken);

goSecond();

const stores = new OpenStores(settings, (event, fields) => {
  pending.log.push(['warn', event, fields]);
  flushSoon();
}, (address, damage) => {
  pending.damage.push([address, damage]);
  flushSoon();
});

port.on('message', ({ nowMs, calls }: CallBatch) => {
  taken = (taken + 1) | 0;
  for (const call of calls) void answer(call, nowMs);
});

/** Linux gives each thread a priority of its own; elsewhere it stays as it is. */
function goSecond(): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), NICENESS);
  } catch {
    // no such place, or not allowed
  }
}

async function answer(call: Call, nowMs: number): Promise<void> {
  try {
    const result = await run(call, nowMs); // first: a flush in between replaces the list
    pending.replies.push([call[0], result]);
  } catch (error) {
    report(call[2], error);
    pending.replies.push([call[0], undefined, errorRecord(error)]);
  }
  flushSoon();
}

function run([, address, operation, ...parameters]: Call, nowMs: number): Promise<unknown> {
  switch (operation) {
    case 'close': return stores.close(address);
    case 'closeAll': return stores.closeAll();
    case 'snapshotTake': return stores.whileStill(address, (folder) => take(folder, parameters[0] as SnapshotRecord));
    case 'snapshotSettle': return stores.whileStill(address, (folder) => settleSnapshots(folder));
    case 'snapshotRestore': return stores.whileClosed(address, (folder) => restore(folder, parameters as [string, SnapshotRecord], nowMs)).finally(() => noteGrowth(address));
    case 'watch': return Promise.resolve(void watched.add(address));
    case 'unwatch': return Promise.resolve(void watched.delete(address));
    case 'addresses': return Promise.resolve(stores.addresses());
    default: {
      const perform = operations[operation as OperationName] as (context: OperationContext, ...parameters: unknown[]) => Promise<unknown>;
      return stores.use(address, (collection) => noticingGrowth(address, collection, () => perform({ ...collection, nowMs }, ...parameters)));
    }
  }
}

async function noticingGrowth<R>(address: Address, { records }: OpenCollection, perform: () => Promise<R>): Promise<R> {
  const before = records.loggedCount;
  try {
    return await perform();
  } finally {
    if (records.loggedCount !== before) noteGrowth(address);
  }
}

function noteGrowth(address: Address): void {
  if (!watched.has(address)) return;
  grown.add(address);
  flushSoon();
}

/** A Store that nobody opened since a restore of it was cut off is not yet what it will be. */
async function take(folder: string, record: SnapshotRecord): Promise<void> {
  await settleSnapshots(folder);
  await takeSnapshot(folder, record);
}

/** What comes back starts its log anew, so that nobody who read on meanwhile takes it for the same. */
function restore(folder: string, [id, replaced]: [string, SnapshotRecord], nowMs: number): Promise<void> {
  const adjust = async (storeFolder: string): Promise<void> => {
    const store = await openLevelStore(storeFolder);
    await restartLog(store, nowMs).finally(() => store.close());
  };
  return restoreSnapshot(folder, { id, replaced, adjust });
}

/** The cause does not cross to the other side, so it is told here. What callers did wrong is no news. */
function report(operation: string, error: unknown): void {
  const { code, blame, cause } = toSpaceError(error);
  if (blame !== 'platform' || cause === undefined) return;
  pending.log?.push(['error', 'data.failed', { operation, code, reason: cause instanceof Error ? cause.stack : String(cause) }]);
}

function flushSoon(): void {
  if (isFlushDue) return;
  isFlushDue = true;
  setImmediate(flush);
}

function flush(): void {
  isFlushDue = false;
  const { replies, log, damage } = pending;
  pending.replies = [];
  pending.log = [];
  pending.damage = [];
  port!.postMessage({ replies, log, damage, ...(grown.size > 0 && { grown: [...grown] }) } satisfies ReplyBatch);
  grown.clear();
}
