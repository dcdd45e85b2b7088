// Owns Cells that wait for work: started ahead, so that waking an Instance does not wait for a process.
import type { CellProcess } from './process.ts';

/** @param spawn starts a Cell and sends it INIT */
export class CellPool {
  #spawn: () => CellProcess;
  #size: number;
  #waiting: CellProcess[] = [];
  #isClosed = false;
  #refill: NodeJS.Timeout | undefined;

  constructor(size: number, spawn: () => CellProcess) {
    this.#size = size;
    this.#spawn = spawn;
  }

  get pids(): number[] {
    return this.#waiting.map((cell) => cell.pid).filter((pid) => pid > 0);
  }

  /** A ready Cell where there is one, else one that is starting: frames may be sent at once. */
  take(): CellProcess {
    this.#waiting = this.#waiting.filter((cell) => !cell.isDead);
    const at = Math.max(0, this.#waiting.findIndex((cell) => cell.isReady));
    const [cell] = this.#waiting.splice(at, 1);
    this.fill();
    return cell ?? this.#spawn();
  }

  /** In the background: whoever just took one needs the processor first. */
  fill(): void {
    if (this.#refill || this.#isClosed) return;
    this.#refill = setTimeout(() => {
      this.#refill = undefined;
      if (this.#isClosed || this.#waiting.length >= this.#size) return;
      const cell = this.#spawn();
      this.#waiting.push(cell);
      void cell.ready.then(() => { if (!cell.isDead) this.fill(); });
    }, 20);
    this.#refill.unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refill);
    for (const cell of this.#waiting) cell.kill('retired');
    await Promise.all(this.#waiting.map((cell) => cell.exited));
  }
}
