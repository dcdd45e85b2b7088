// Owns the judgement over one Cell from outside: does it still answer, what does it burn, how large is it.
import { readUsage } from '../../../sandbox/watch.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellProcess } from './process.ts';
import { FRAME } from './protocol.ts';

/** Of a silent Cell's limit, this part must have been burnt, or this many times it passed: else the machine is just busy. */
const BURNT_SHARE = 0.8;
const PATIENCE = 4;

export class CellWatch {
  #cell: CellProcess;
  #limits: IsolateLimits;
  #ping: { id: number; at: number; cpuMs: number } | undefined;
  #pings = 0;

  constructor(cell: CellProcess, limits: IsolateLimits) {
    this.#cell = cell;
    this.#limits = limits;
  }

  get isWaiting(): boolean {
    return this.#ping !== undefined;
  }

  pong(id: number): void {
    if (this.#ping?.id === id) this.#ping = undefined;
  }

  /** Silence beyond the CPU limit, or too much memory, is the end. */
  look(now: number, isLoading: boolean): void {
    const usage = readUsage(this.#cell.pid);
    if (usage && usage.residentBytes > this.#limits.cellMb * 1024 * 1024) return this.#cell.kill('memory');
    if (!this.#cell.isReady) return;
    if (!this.#ping) {
      this.#ping = { id: ++this.#pings, at: now, cpuMs: usage?.cpuMs ?? 0 };
      return this.#cell.send({ type: FRAME.PING, id: this.#ping.id });
    }
    const { cpuMs, startMs, graceMs } = this.#limits;
    const limit = (isLoading ? Math.max(cpuMs, startMs) : cpuMs) + graceMs;
    const silentMs = now - this.#ping.at;
    const burntMs = usage ? usage.cpuMs - this.#ping.cpuMs : silentMs;
    if (silentMs > limit && (burntMs > limit * BURNT_SHARE || silentMs > limit * PATIENCE)) this.#cell.kill('cpu');
  }
}
