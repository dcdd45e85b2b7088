// Owns the judgement over one Cell from outside: does it still answer, what does it burn, how large is it, how fast it grows.
import { readUsage } from '../../../sandbox/watch.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellProcess } from './process.ts';
import { FRAME } from './protocol.ts';

/** Of a silent Cell's limit, this part must have been burnt, or this many times it passed: else the machine is just busy. */
const BURNT_SHARE = 0.8;
const PATIENCE = 4;
/** Grown so much since it was looked at, or grown to this share of its limit: it is looked at again soon. */
const FAST_BYTES = 32 * 1024 * 1024;
const NEAR_SHARE = 0.6;
const SOONER = 10;
/** At this share of its limit, a Cell is better replaced than killed later. */
const FULL_SHARE = 0.8;

export class CellWatch {
  #cell: CellProcess;
  #limits: IsolateLimits;
  #ping: { id: number; at: number; cpuMs: number } | undefined;
  #pings = 0;
  #residentBytes = 0;
  #soon: NodeJS.Timeout | undefined;

  constructor(cell: CellProcess, limits: IsolateLimits) {
    this.#cell = cell;
    this.#limits = limits;
  }

  get isWaiting(): boolean {
    return this.#ping !== undefined;
  }

  /** As of the last look. */
  get residentBytes(): number {
    return this.#residentBytes;
  }

  /** It holds so much that it should be replaced. */
  get isFull(): boolean {
    return this.#residentBytes > this.#limits.cellMb * MIB * FULL_SHARE;
  }

  pong(id: number): void {
    if (this.#ping?.id === id) this.#ping = undefined;
  }

  /** Silence beyond `silenceMs`, or too much memory, is the end. */
  look(now: number, silenceMs: number): void {
    const usage = readUsage(this.#cell.pid);
    if (usage && !this.#weigh(usage.residentBytes)) return;
    if (!this.#cell.isReady) return;
    if (!this.#ping) {
      this.#ping = { id: ++this.#pings, at: now, cpuMs: usage?.cpuMs ?? 0 };
      return this.#cell.send({ type: FRAME.PING, id: this.#ping.id });
    }
    const limit = silenceMs + this.#limits.graceMs;
    const silentMs = now - this.#ping.at;
    const burntMs = usage ? usage.cpuMs - this.#ping.cpuMs : silentMs;
    if (silentMs > limit && burntMs > Math.max(limit * BURNT_SHARE, silenceMs)) this.#cell.kill('cpu', burntMs);
    else if (silentMs > limit * PATIENCE) this.#cell.kill('silent', silentMs);
  }

  /** @returns whether it may live on */
  #weigh(bytes: number): boolean {
    const limit = this.#limits.cellMb * MIB;
    const grown = bytes - this.#residentBytes;
    this.#residentBytes = bytes;
    if (bytes > limit) {
      this.#cell.kill('memory', bytes / MIB);
      return false;
    }
    const isFast = grown > FAST_BYTES || (bytes > limit * NEAR_SHARE && grown > 0);
    if (isFast && !this.#soon) {
      this.#soon = setTimeout(() => {
        this.#soon = undefined;
        const usage = this.#cell.isDead ? undefined : readUsage(this.#cell.pid);
        if (usage) this.#weigh(usage.residentBytes);
      }, this.#limits.watchMs / SOONER);
      this.#soon.unref();
    }
    return true;
  }
}

const MIB = 1024 * 1024;
