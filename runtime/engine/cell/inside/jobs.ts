// Owns what a guest gives the Cell itself to do: keys and compression. One job at a time for each Micro, so that the time a job
// takes is the time that it costs, and can be charged to its request.
import { pack, unpack } from './packing.ts';
import { GuestSubtle } from './subtle.ts';
import { GuestZips, type ZipStep } from './zip.ts';

export interface Job { id: number; owner: number; meta: string; body: Uint8Array | null }
export interface JobAnswer { id: number; owner: number; meta: string; body: Uint8Array | null; spentMs: number }

/** Names of errors that a guest may see; whatever else goes wrong is an OperationError. */
const ERRORS = new Set(['TypeError', 'RangeError', 'SyntaxError', 'NotSupportedError', 'InvalidAccessError', 'DataError', 'OperationError', 'QuotaExceededError', 'InvalidStateError']);

export class MicroJobs {
  #done: (answer: JobAnswer) => void;
  #isWanted: (owner: number) => boolean;
  #queue: Job[] = [];
  #isBusy = false;
  #isOver = false;
  #subtle: GuestSubtle | undefined;
  #zips: GuestZips | undefined;

  /** @param isWanted whether somebody is there whose time a job may cost: what nobody pays for is not done */
  constructor(done: (answer: JobAnswer) => void, isWanted: (owner: number) => boolean) {
    this.#done = done;
    this.#isWanted = isWanted;
  }

  take(job: Job): void {
    this.#queue.push(job);
    if (!this.#isBusy) void this.#work();
  }

  /** Nobody waits for answers any more. */
  drop(): void {
    this.#isOver = true;
    this.#queue = [];
    this.#zips?.dispose();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) {
      const started = performance.now();
      const { text, bytes } = await this.#answer(job);
      if (this.#isOver) return;
      this.#done({ id: job.id, owner: job.owner, meta: text, body: bytes, spentMs: performance.now() - started });
    }
    this.#isBusy = false;
  }

  async #answer({ owner, meta, body }: Job): Promise<{ text: string; bytes: Uint8Array | null }> {
    try {
      if (!this.#isWanted(owner)) throw new Error('The request is over; give work that goes on to ctx.waitUntil.');
      return pack({ value: await this.#run(unpack(meta, body) as unknown[]) });
    } catch (error) {
      const { name, message } = error as Error;
      return pack({ error: ERRORS.has(name) ? name : 'OperationError', message: String(message).slice(0, 200) });
    }
  }

  #run([kind, method, ...args]: unknown[]): Promise<unknown> {
    if (kind === 'zip') return (this.#zips ??= new GuestZips()).run(method as ZipStep, ...args as [number, string | null, Uint8Array]);
    return (this.#subtle ??= new GuestSubtle()).run(String(method), args);
  }
}
