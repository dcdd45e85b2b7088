// Owns reads of Items that are asked for in the same tick: those of one Base travel as one call. A call costs more than a read.
// Never imports a driver.
import { errorFromRecord } from '../core/errors.ts';
import type { DataThread } from './worker/data-thread.ts';
import type { Address } from './worker/messages.ts';

/** One call holds up the others of its worker no longer than a slice of a scan does. */
const KEYS_MAX = 100;

interface Read { key: string; resolve: (text: string | undefined) => void; reject: (error: unknown) => void }

export class ReadBatch {
  readonly #thread: () => DataThread;
  readonly #address: Address;
  #reads = new Map<string, Read[]>();

  constructor({ thread, address }: { thread: () => DataThread; address: Address }) {
    this.#thread = thread;
    this.#address = address;
  }

  /** The Item behind its version, as one text. */
  get(base: string, key: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#reads.size === 0) queueMicrotask(() => this.#send());
      const reads = this.#reads.get(base);
      const read = { key, resolve, reject };
      if (reads) reads.push(read);
      else this.#reads.set(base, [read]);
    });
  }

  #send(): void {
    const all = this.#reads;
    this.#reads = new Map();
    for (const [base, reads] of all) {
      for (let at = 0; at < reads.length; at += KEYS_MAX) void this.#sendOne(base, reads.slice(at, at + KEYS_MAX));
    }
  }

  async #sendOne(base: string, reads: readonly Read[]): Promise<void> {
    try {
      const answers = await this.#thread().call(this.#address, 'versionedGetMany', base, reads.map(({ key }) => key));
      for (const [at, { resolve, reject }] of reads.entries()) {
        const answer = answers[at];
        if (typeof answer === 'object') reject(errorFromRecord(answer));
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }
}
