// Owns the boxes that are kept ready for whoever starts next: how many, of which kind, when they are made anew and when given up.
// The last kinds that were wanted are the ones that are made. What is taken is gone from here: no box is given twice.
import { freemem } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Boxes } from '../../../sandbox/box.ts';
import type { BoxLimits } from '../../../sandbox/box-command.ts';
import { READ_AT_START, type ReadyBox } from '../../../sandbox/ready-box.ts';
import { type Ingress, openIngress } from './ingress.ts';
import type { Surroundings } from './surroundings.ts';

/** What a box has to be made for: two programs with the same could have each other's. */
export interface Kind {
  port: number;
  ports: readonly number[];
  authority?: string | undefined;
  /** Those that Node.js reads when it starts, with values that are the same for all. */
  env: Readonly<Record<string, string>>;
  limits: BoxLimits;
}

export interface Waiting {
  kind: Kind;
  ready: ReadyBox;
  ingress: Ingress;
  socketPath: string;
  user: number | undefined;
  /** Whoever took it does not want it. */
  discard(): Promise<void>;
}

export interface ReadyOptions {
  most: number;
  socketFolder: string;
  clock: Clock;
  log: Log;
  /** Nothing is starting, so that making one takes nothing away from anybody. */
  isQuiet(): boolean;
}

const QUIET_MS = 250;
/** With less left on this machine, nothing is kept ready. */
const FREE_MIN_BYTES = 512 * 1024 ** 2;
const FAILURES_MAX = 3;
const BOOT_ENV = [...READ_AT_START, 'NODE_USE_ENV_PROXY'];
let last = 0;

export class ReadyBoxes {
  #options: ReadyOptions;
  /** The last ones that were wanted, newest first. */
  #kinds: Kind[] = [];
  #waiting: Waiting[] = [];
  #boxes: Boxes | undefined;
  #stopTimer: (() => void) | undefined;
  #filling: Promise<void> | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(options: ReadyOptions) {
    this.#options = options;
  }

  /** @param isLike the kind that is guessed: what a box needs is known for certain only later */
  take(isLike: (kind: Kind) => boolean): Waiting | undefined {
    const at = this.#waiting.findIndex(({ kind }) => isLike(kind));
    if (at < 0) return undefined;
    const [waiting] = this.#waiting.splice(at, 1);
    this.#options.log.debug('ready.taken', { pid: waiting!.ready.box.pid });
    return waiting;
  }

  /** This kind was wanted: more of it are made as soon as nothing else happens. */
  want(kind: Kind, boxes: Boxes): void {
    const { most } = this.#options;
    if (most === 0 || this.#failures >= FAILURES_MAX) return;
    this.#boxes = boxes;
    this.#kinds = [kind, ...this.#kinds.filter((other) => keyOf(other) !== keyOf(kind))].slice(0, most);
    this.#schedule();
  }

  /** @param isFull programs have all that they may have together */
  look(isFull: boolean): void {
    if (isFull || freemem() < FREE_MIN_BYTES) void this.#giveUp();
  }

  /** The next start makes new ones, if there is room again. */
  async #giveUp(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    await Promise.all(this.#waiting.splice(0).map((each) => each.discard()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#giveUp();
    await this.#filling;
    await this.#giveUp();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#stopTimer?.();
    this.#stopTimer = this.#options.clock.after(QUIET_MS, () => {
      this.#stopTimer = undefined;
      if (!this.#options.isQuiet()) this.#schedule();
      else this.#filling ??= this.#fill().finally(() => { this.#filling = undefined; });
    });
  }

  /** One after the other, and only while it stays quiet. */
  async #fill(): Promise<void> {
    const { most, log, isQuiet } = this.#options;
    if (freemem() < FREE_MIN_BYTES) return this.#giveUp();
    const missing = Array.from({ length: most }, (_, at) => this.#kinds[at % this.#kinds.length]!);
    const superfluous = this.#waiting.filter(({ kind }) => {
      const at = missing.findIndex((other) => keyOf(other) === keyOf(kind));
      if (at >= 0) missing.splice(at, 1);
      return at < 0;
    });
    // All at once: whoever comes while one of them ends must not be given another.
    this.#waiting = this.#waiting.filter((each) => !superfluous.includes(each));
    await Promise.all(superfluous.map((each) => each.discard()));
    for (const kind of missing) {
      if (this.#isClosed) return;
      if (!isQuiet()) return this.#schedule();
      try {
        await this.#make(kind);
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        log.warn('ready.failed', { error: String(error) });
        return;
      }
    }
  }

  async #make(kind: Kind): Promise<void> {
    const boxes = this.#boxes!;
    const socketPath = join(this.#options.socketFolder, `r${last += 1}`);
    const user = boxes.nextUser();
    const ingress = await openIngress(`${socketPath}.in`);
    const { port, ports, authority, env, limits } = kind;
    const ready = await boxes.ready({ ports, env, limits, user, ingress: { handle: ingress.handle, port }, ...(authority === undefined ? {} : { authority }) })
      .catch(async (error: unknown) => { await ingress.close(); throw error; });
    if (!ready) {
      this.#failures = FAILURES_MAX;
      return ingress.close();
    }
    await ingress.handOver();
    const waiting: Waiting = {
      kind, ready, ingress, socketPath, user,
      async discard() {
        await ready.box.kill();
        await ingress.close();
      },
    };
    this.#waiting.push(waiting);
    this.#options.log.debug('ready.made', { pid: ready.box.pid });
    void ready.box.ended.then(() => {
      const at = this.#waiting.indexOf(waiting);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      void ingress.close();
    });
  }
}

/** @param surroundings what the program finds around itself */
export function kindOf({ forwards, authority, env }: Surroundings, port: number, limits: BoxLimits): Kind {
  const known = BOOT_ENV.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return { port, ports: Object.keys(forwards).map(Number), authority, env: Object.fromEntries(known), limits };
}

export const keyOf = (kind: Kind): string => JSON.stringify(kind);
