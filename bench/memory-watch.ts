// Owns looking at how much memory a program under measurement takes, on Linux. Knows nothing of what it does.
import { readFileSync } from 'node:fs';

const MEMORY_EVERY_MS = 250;

/** Looks at the host's memory again and again. `ownMb`: what it has asked for. `totalMb`: with the files that it maps, which
 *  LevelDB does; the system takes those back whenever it likes. */
export class MemoryWatch {
  readonly #timer: NodeJS.Timeout;
  readonly #pid: number;
  ownMb = 0;
  totalMb = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.look(), MEMORY_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    const megabytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1024;
    this.ownMb = Math.max(this.ownMb, megabytes('RssAnon'));
    this.totalMb = Math.max(this.totalMb, megabytes('VmRSS'));
  }
}
