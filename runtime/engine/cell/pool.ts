// Owns Cells that wait for work: started ahead, so that waking an Instance does not wait for a process.
import type { CellProcess } from './process.ts';

/** A machine that cannot start one now, for want of descriptors or processes, may be able to later. */
const RETRY_MS = 1_000;
const REFILL_MS = 20;

/** @param spawn starts a Cell and sends it INIT; may fail  @param onFailure told when it did, and nobody waited for it */
export class CellPool {
  #spawn: () => Promise<CellProcess>;
  #size: number;
  #waiting: CellProcess[] = [];
  #isClosed = false;
  #refill: NodeJS.Timeout | undefined;
  #starting: Promise<void> | undefined;
  #onFailure: (error: unknown) => void;

  constructor(size: number, spawn: () => Promise<CellProcess>, onFailure: (error: unknown) => void) {
    this.#size = size;
    this.#onFailure = onFailure;
    this.#spawn = spawn;
  }

  get pids(): number[] {
    return this.#waiting.map((cell) => cell.pid).filter((pid) => pid > 0);
  }

  /** A ready Cell where there is one, else one that is starting: frames may be sent at once. */
  async take(): Promise<CellProcess> {
    this.#waiting = this.#waiting.filter((cell) => !cell.isDead);
    const at = Math.max(0, this.#waiting.findIndex((cell) => cell.isReady));
    const [cell] = this.#waiting.splice(at, 1);
    this.fill();
    return cell ?? this.#spawn();
  }

  /** In the background: whoever just took one needs the processor first. */
  fill(afterMs = REFILL_MS): void {
    if (this.#refill || this.#starting || this.#isClosed) return;
    this.#refill = setTimeout(() => {
      this.#refill = undefined;
      if (!this.#isClosed && this.#waiting.length < this.#size) this.#starting = this.#add();
    }, afterMs);
    this.#refill.unref();
  }

  async #add(): Promise<void> {
    try {
      const cell = await this.#spawn().finally(() => { this.#starting = undefined; });
      this.#waiting.push(cell);
      void cell.ready.then(() => { if (!cell.isDead) this.fill(); });
    } catch (error) {
      this.#onFailure(error);
      this.fill(RETRY_MS);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refill);
    await this.#starting;
    for (const cell of this.#waiting) cell.kill('retired');
    await Promise.all(this.#waiting.map((cell) => cell.exited));
  }
}
