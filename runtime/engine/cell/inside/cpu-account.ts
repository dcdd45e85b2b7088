// Owns how much CPU time each request of a Micro has used, and what is left of its budget.

/** Shares smaller than this are not put on a request's account. */
const NOTEWORTHY_MS = 0.05;

export class CpuAccount {
  /** Of each request; what the Micro was loaded with. */
  budgetMs = 0;
  #used = new Map<number, number>();

  /** Requests that are not done. */
  get size(): number {
    return this.#used.size;
  }

  has(id: number): boolean {
    return this.#used.has(id);
  }

  /** The request, where there is only one. */
  get only(): number | undefined {
    if (this.#used.size !== 1) return undefined;
    const [id] = this.#used.keys();
    return id;
  }

  open(id: number): void {
    this.#used.set(id, 0);
  }

  /** @returns whether it was open */
  close(id: number): boolean {
    return this.#used.delete(id);
  }

  clear(): void {
    this.#used.clear();
  }

  usedMs(id: number): number {
    return this.#used.get(id) ?? 0;
  }

  /** For a turn. In a batch the longest rest counts; alone, a request has what is left of its own. */
  leftMs(owners: number[]): number {
    if (owners.length !== 1) return this.budgetMs;
    return Math.max(1, Math.ceil(this.budgetMs - (this.#used.get(owners[0]!) ?? 0)));
  }

  /** @returns the requests whose budget is used up now */
  charge(owners: number[], spentMs: number): number[] {
    const share = spentMs / owners.length;
    const over: number[] = [];
    if (share < NOTEWORTHY_MS) return over;
    for (const owner of owners) {
      // Nobody's work is everybody's.
      if (!this.#used.has(owner)) for (const id of this.#used.keys()) this.#add(id, share / this.#used.size, over);
      else this.#add(owner, share, over);
    }
    return over;
  }

  #add(id: number, spentMs: number, over: number[]): void {
    const used = this.#used.get(id)! + spentMs;
    this.#used.set(id, used);
    if (used >= this.budgetMs && !over.includes(id)) over.push(id);
  }

  refund(id: number, cpuMs: number): void {
    const used = this.#used.get(id);
    if (used) this.#used.set(id, Math.max(0, used - cpuMs));
  }
}
