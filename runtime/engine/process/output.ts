// Owns what a program prints: line by line into the log of its Instance, as much as that may take. A flood is read slowly, so
// that it costs the host little; ordinary output never makes the program wait.
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../../core/clock.ts';
import { LogGate } from '../cell/log-gate.ts';
import type { IsolateLimits } from '../cell/limits.ts';
import type { MicroLogEntry } from '../engine.ts';

export interface OutputOptions {
  micro: string;
  limits: IsolateLimits;
  clock: Clock;
  log(entry: MicroLogEntry): void;
  /** Of the one request that is under way; null when there is none or more than one. */
  requestId(): string | null;
}

const LINE_MAX_CHARS = 16 * 1024;
const SECOND_MS = 1_000;
const FLOOD_BYTES_PER_SECOND = 4 * 1024 * 1024;
const TAIL_LINES = 20;

export class Output {
  #options: OutputOptions;
  #gate: LogGate;
  #tail: string[] = [];
  #open: Promise<void>[] = [];

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#gate = new LogGate(options.limits, () => options.clock.now());
  }

  /** Its last lines, for the message about its end. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  /** What was printed before the end has arrived. */
  async ended(): Promise<void> {
    await Promise.all(this.#open);
  }

  follow(stream: Readable, level: MicroLogEntry['level']): void {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let inSecond = 0;
    let secondEndsAt = 0;
    const pause = (now: number): void => {
      stream.pause();
      this.#options.clock.after(secondEndsAt - now, () => stream.resume());
    };
    stream.on('data', (chunk: Buffer) => {
      const now = this.#options.clock.now();
      if (now >= secondEndsAt) [inSecond, secondEndsAt] = [0, now + SECOND_MS];
      inSecond += chunk.length;
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#say(level, line);
      if (rest.length > LINE_MAX_CHARS) {
        this.#say(level, rest);
        rest = '';
      }
      if (inSecond > FLOOD_BYTES_PER_SECOND) pause(now);
    });
    stream.on('error', () => {});
    this.#open.push(new Promise((resolve) => stream.once('close', () => {
      if (rest !== '') this.#say(level, rest);
      resolve();
    })));
  }

  #say(level: MicroLogEntry['level'], line: string): void {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text === '') return;
    this.#tail.push(text.slice(0, 500));
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    const { micro, requestId, log } = this.#options;
    this.#gate.pass({ micro, level, text, requestId: requestId() }, log);
  }
}
