// Owns how much an Instance may log: a bucket of bytes and lines that fills every second. What is over is counted, not kept.
import type { MicroLogEntry } from '../engine.ts';
import type { IsolateLimits } from './limits.ts';

const BURST = 4;
const ENTRY_MAX_CHARS = 16 * 1024;

export class LogGate {
  #limits: IsolateLimits;
  #now: () => number;
  #bytes: number;
  #lines: number;
  #filledAt: number;
  #dropped = 0;

  constructor(limits: IsolateLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#bytes = limits.logBytesPerSecond * BURST;
    this.#lines = limits.logLinesPerSecond * BURST;
    this.#filledAt = now();
  }

  pass(entry: MicroLogEntry, write: (entry: MicroLogEntry) => void): void {
    this.#fill();
    const text = entry.text.slice(0, ENTRY_MAX_CHARS);
    if (this.#lines < 1 || this.#bytes < text.length) {
      this.#dropped++;
      return;
    }
    this.#lines--;
    this.#bytes -= text.length;
    if (this.#dropped > 0) {
      write({ micro: entry.micro, level: 'warn', text: `${this.#dropped} log entries were dropped: too much output`, requestId: null });
      this.#dropped = 0;
    }
    write({ ...entry, text });
  }

  #fill(): void {
    const now = this.#now();
    const share = Math.max(0, now - this.#filledAt) / 1000;
    this.#filledAt = now;
    this.#bytes = Math.min(this.#limits.logBytesPerSecond * BURST, this.#bytes + this.#limits.logBytesPerSecond * share);
    this.#lines = Math.min(this.#limits.logLinesPerSecond * BURST, this.#lines + this.#limits.logLinesPerSecond * share);
  }
}
