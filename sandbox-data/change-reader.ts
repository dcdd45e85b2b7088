// Owns how somebody follows a Collection's changes from the caller's thread: in order, without a gap, at the reader's own
// speed. It reads the log page by page, so a slow reader costs one page; one that the log has left behind is told.
import { setTimeout as sleep } from 'node:timers/promises';
import { isSpaceError } from '../core/errors.ts';
import type { readChanges } from './change-log.ts';
import type { CollectionChange } from './data.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

/** Changes that wait for a slow reader; beyond them they wait in the log. */
const PAGE_CHANGES = 200;
const ATTEMPTS = 5;
const ATTEMPT_PAUSE_MS = 50;

export interface FollowPlace { thread: () => DataThread; address: Address }

/** See `Collection.changes`. @throws what reading the log throws, while the reader may go on later with its last sequence */
export async function* followChanges({ thread, address }: FollowPlace, { after, signal }: { after?: number; signal?: AbortSignal } = {}): AsyncGenerator<CollectionChange> {
  const growth = new Signal();
  const stop = thread().watch(address, () => growth.raise());
  const abort = (): void => growth.raise();
  signal?.addEventListener('abort', abort);
  try {
    let sequence = after ?? (await thread().call(address, 'changesLast'));
    while (!signal?.aborted) {
      growth.lower(); // before reading: what comes during it raises again
      const { changes, last, resync } = await readPage({ thread, address }, sequence);
      if (resync) yield { kind: 'resync', sequence: last };
      for (const change of changes) {
        if (signal?.aborted) return;
        yield change;
      }
      const reached = resync ? last : (changes.at(-1)?.sequence ?? sequence);
      if (reached === sequence && changes.length === 0) await growth.raised();
      sequence = reached;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    stop();
  }
}

/** A worker that died is replaced meanwhile. */
async function readPage({ thread, address }: FollowPlace, sequence: number): ReturnType<typeof readChanges> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await thread().call(address, 'changesRead', sequence, PAGE_CHANGES);
    } catch (error) {
      if (!isSpaceError(error, 'STORE_UNAVAILABLE') || attempt === ATTEMPTS) throw error;
      await sleep(ATTEMPT_PAUSE_MS * attempt);
    }
  }
}

/** Raised or not; whoever waits goes on when it is. */
class Signal {
  #isRaised = false;
  #go = (): void => {};

  raise(): void {
    this.#isRaised = true;
    this.#go();
  }

  lower(): void {
    this.#isRaised = false;
  }

  raised(): Promise<void> {
    return this.#isRaised ? Promise.resolve() : new Promise((resolve) => { this.#go = resolve; });
  }
}
