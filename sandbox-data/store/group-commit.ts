// Owns the merging of concurrent transactions into one synced write. Knows no database: it is given how to read and write.
// Within a group each transaction sees what those before it decided, so a hot key costs one sync for all of them.
import { SpaceError } from '../../core/errors.ts';
import { Slice } from '../turn.ts';
import type { Decision, ReadValue, StoreChange } from './store.ts';

/** A read value, or the error that reading it gave. */
export type ReadOutcome = { value: string | undefined } | { error: unknown };

export interface GroupCommitTarget {
  /** Outcomes in the order of `keys`. */
  read(keys: readonly string[]): Promise<ReadOutcome[]>;
  /** Write all, synced, or throw. A key occurs once. */
  write(changes: StoreChange[]): Promise<void>;
}

interface Waiting {
  keys: readonly string[];
  decide: (read: ReadValue) => Decision<unknown>;
  resolve: (result: any) => void;
  reject: (error: unknown) => void;
}

/** More than this in one group would make the first of them wait for the last. */
const GROUP_MAX_TRANSACTIONS = 512;
/** More than this would make the first of them wait for long. */
const GROUP_MAX_KEYS = 600;
/** Those beyond are refused: on a slow disk they would wait for longer than anybody does. */
const WAITING_MAX = 2048;

export class GroupCommit {
  readonly #target: GroupCommitTarget;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(target: GroupCommitTarget) {
    this.#target = target;
  }

  /** @throws STORE_BUSY at once when too many wait */
  transact<R>(keys: readonly string[], decide: (read: ReadValue) => Decision<R>): Promise<R> {
    if (this.#queue.length >= WAITING_MAX) return Promise.reject(new SpaceError('STORE_BUSY'));
    return new Promise<R>((resolve, reject) => {
      this.#queue.push({ keys, decide, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when everything that was submitted has been answered. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what arrives in the same tick joins the first group
    while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0, this.#nextGroupLength()));
    this.#running = undefined;
  }

  /** At least one, however many keys it has. */
  #nextGroupLength(): number {
    const most = Math.min(this.#queue.length, GROUP_MAX_TRANSACTIONS);
    let keys = this.#queue[0]?.keys.length ?? 0;
    for (let length = 1; length < most; length += 1) {
      keys += this.#queue[length]!.keys.length;
      if (keys > GROUP_MAX_KEYS) return length;
    }
    return most;
  }

  /** A refusal is answered after the write too: it may rest on what an earlier transaction of the group wrote. */
  async #commit(group: Waiting[]): Promise<void> {
    try {
      const answers: (() => void)[] = [];
      const changes = await this.#decideAll(group, await this.#readAll(group), answers);
      if (changes.length > 0) await this.#target.write(changes);
      for (const answer of answers) answer();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  async #readAll(group: Waiting[]): Promise<Map<string, ReadOutcome>> {
    const keys = [...new Set(group.flatMap((waiting) => waiting.keys))];
    const outcomes = keys.length > 0 ? await this.#target.read(keys) : [];
    return new Map(keys.map((key, index) => [key, outcomes[index]!]));
  }

  async #decideAll(group: Waiting[], stored: Map<string, ReadOutcome>, answers: (() => void)[]): Promise<StoreChange[]> {
    const slice = new Slice();
    const decided = new Map<string, StoreChange>();
    const read: ReadValue = (key) => {
      const change = decided.get(key);
      if (change) return change.type === 'put' ? change.value : undefined;
      const outcome = stored.get(key);
      if (!outcome) throw new TypeError('a transaction reads only the keys that it named');
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    };
    for (const { decide, resolve, reject } of group) {
      try {
        const { changes, result } = decide(read);
        for (const change of changes) decided.set(change.key, change);
        answers.push(() => resolve(result));
      } catch (error) {
        answers.push(() => reject(error));
      }
      if (slice.isOver()) await slice.next();
    }
    return [...decided.values()];
  }
}
