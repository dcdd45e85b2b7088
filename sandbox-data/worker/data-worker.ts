// Owns the inside of a data worker: receives batches of calls, runs them on open Stores, answers in batches.
// Started by data-thread.ts; nothing may import this file.
import { parentPort, workerData } from 'node:worker_threads';
import { errorRecord, toSpaceError } from '../../core/errors.ts';
import type { Call, CallBatch, ReplyBatch, WorkerSettings } from './messages.ts';
import { OpenStores } from './open-stores.ts';
import { operations } from './operations.ts';
import type { OperationContext, OperationName } from './operations.ts';

const port = parentPort;
if (!port) throw new TypeError('this file runs as a worker');

const pending: ReplyBatch = { replies: [], log: [] };
let isFlushDue = false;

const stores = new OpenStores(workerData as WorkerSettings, (event, fields) => {
  pending.log?.push(['warn', event, fields]);
  flushSoon();
});

port.on('message', ({ nowMs, calls }: CallBatch) => {
  for (const call of calls) void answer(call, nowMs);
});

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
    case 'addresses': return Promise.resolve(stores.addresses());
    default: {
      const perform = operations[operation as OperationName] as (context: OperationContext, ...parameters: unknown[]) => Promise<unknown>;
      return stores.use(address, (collection) => perform({ ...collection, nowMs }, ...parameters));
    }
  }
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
  const { replies, log } = pending;
  pending.replies = [];
  pending.log = [];
  port!.postMessage({ replies, log } satisfies ReplyBatch);
}
