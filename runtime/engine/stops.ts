// Owns which Instances were stopped lately: a request that came before that, and whose body came after, must not wake the code
// that was stopped.
import { LRUCache } from 'lru-cache';

export class Stops {
  #counts = new LRUCache<string, number>({ max: 100_000 });
  #last = 0;

  note(instanceId: string): void {
    this.#last += 1;
    this.#counts.set(instanceId, this.#last);
  }

  /** @returns whether it was stopped since this call */
  since(instanceId: string): () => boolean {
    const before = this.#counts.get(instanceId);
    return () => this.#counts.get(instanceId) !== before;
  }
}
