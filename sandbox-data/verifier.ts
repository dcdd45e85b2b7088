// Owns looking through whole Collections for damage: when somebody asks, and each of them now and then by itself.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isoTime } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { isSpaceError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { CollectionPlace } from './collection.ts';
import type { CollectionRef, Verified } from './data.ts';
import { verifyFiles } from './file-check.ts';

export type VerifyPlace = Pick<CollectionPlace, 'thread' | 'address' | 'content'>;

export interface VerifierOptions {
  clock: Clock;
  log: Log;
  /** Those that are on the disk. */
  list(): Promise<CollectionRef[]>;
  folderOf(ref: CollectionRef): string;
  placeOf(ref: CollectionRef): VerifyPlace;
  /** Reading them costs nothing but time. */
  areFilesLocal: boolean;
}

const LOOK_EVERY_MS = 3_600_000;
const VERIFY_EVERY_MS = 7 * 86_400_000;
/** How much of the Files is read by itself, so that others hardly notice. */
const BYTES_PER_SECOND = 20 * 1024 * 1024;
const PACE_BYTES = 1024 * 1024;

export class Verifier {
  readonly #options: VerifierOptions;
  /** What people asked for: who asks meanwhile gets the same. */
  readonly #asked = new Map<string, Promise<Verified>>();
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;
  #stopLooking = (): void => {};

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#lookLater();
  }

  async close(): Promise<void> {
    this.#stopLooking();
    this.#closing.abort();
    await this.#working;
  }

  /** Read everything of a Collection, as fast as that goes. */
  verify(ref: CollectionRef): Promise<Verified> {
    const place = this.#options.placeOf(ref);
    const asked = this.#asked.get(place.address) ?? this.#verify(ref, place).finally(() => this.#asked.delete(place.address));
    this.#asked.set(place.address, asked);
    return asked;
  }

  async #verify(ref: CollectionRef, place: VerifyPlace): Promise<Verified> {
    await place.thread().call(place.address, 'verify');
    await verifyFiles(place);
    const indexes = await place.thread().call(place.address, 'indexesCheck');
    await this.#mark(ref).catch(() => {}); // it is looked through again a little early
    return { damage: await place.thread().call(place.address, 'damageReport'), indexes };
  }

  #lookLater(): void {
    this.#stopLooking = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.#working ??= this.#look().catch((error: unknown) => this.#options.log.warn('data.verify-failed', { error })).finally(() => { this.#working = undefined; });
      this.#lookLater();
    });
  }

  /** One Collection after the other. What was never looked through is due a week after it was first met. */
  async #look(): Promise<void> {
    for (const ref of await this.#options.list()) {
      if (this.#closing.signal.aborted) return;
      const lastMs = await this.#lastMs(ref);
      if (lastMs === undefined) await this.#mark(ref).catch(() => {});
      else if (this.#options.clock.now() - lastMs >= VERIFY_EVERY_MS) await this.#verifySlowly(ref);
    }
  }

  async #verifySlowly(ref: CollectionRef): Promise<void> {
    const { log, placeOf, areFilesLocal } = this.#options;
    const place = placeOf(ref);
    try {
      await place.thread().call(place.address, 'verify');
      if (areFilesLocal) await verifyFiles(place, createPace(this.#closing.signal));
      const { rebuilt } = await place.thread().call(place.address, 'indexesCheck');
      if (rebuilt.length > 0) log.warn('data.indexes-rebuilt', { store: place.address, count: rebuilt.length });
      await this.#mark(ref);
    } catch (error) {
      if (this.#closing.signal.aborted || isSpaceError(error, 'COLLECTION_NOT_FOUND')) return;
      log.warn('data.verify-failed', { store: place.address, error });
    }
  }

  async #lastMs(ref: CollectionRef): Promise<number | undefined> {
    const ms = Date.parse(await readFile(this.#markPath(ref), 'utf8').catch(() => ''));
    return Number.isNaN(ms) ? undefined : ms;
  }

  async #mark(ref: CollectionRef): Promise<void> {
    await writeFile(this.#markPath(ref), isoTime(this.#options.clock.now()));
  }

  #markPath(ref: CollectionRef): string {
    return join(this.#options.folderOf(ref), 'verified');
  }
}

/** Waits so long that no more than so many bytes a second pass. @throws when `signal` aborts */
function createPace(signal: AbortSignal): (bytes: number) => Promise<void> {
  let passed = 0;
  return async (bytes) => {
    signal.throwIfAborted();
    passed += bytes;
    if (passed < PACE_BYTES) return;
    const ms = (passed / BYTES_PER_SECOND) * 1000;
    passed = 0;
    await wait(ms, undefined, { signal, ref: false });
  };
}
