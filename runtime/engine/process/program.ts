// Owns one running program of a Micro: its start, its requests, their deadlines, when it stands still, and why it ended.
// Which program runs at all is the Engine's to say.
import type { Readable } from 'node:stream';
import { SpaceError, toSpaceError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Box, BoxEnd, Boxes } from '../../../sandbox/box.ts';
import type { IsolateLimits } from '../cell/limits.ts';
import type { InstanceSpec, MicroRequest, MicroResponse, MicroSpec } from '../engine.ts';
import type { Berth, Berths } from './berth.ts';
import type { Compiles } from './compile.ts';
import { type Demise, judgeDemise, type Killed, listeningPorts, quiet } from './demise.ts';
import { Exchange, isWholeChange, LostConnection, withWholeBody } from './exchange.ts';
import { Output } from './output.ts';
import type { Package, Packages } from './packages.ts';
import type { Starts } from './starts.ts';

export interface ProgramOptions {
  instance: InstanceSpec;
  spec: MicroSpec;
  limits: IsolateLimits;
  boxes: Boxes;
  packages: Packages;
  starts: Starts;
  berths: Berths;
  compiles: Compiles;
  clock: Clock;
  log: Log;
  /** Called once, when nothing of it is left. */
  onEnd(demise: Demise): void;
}

/** The program was gone before it had the request: another may take it. */
export class NotTaken extends Error {}

const STUCK_LOOK_MS = 250;
const STUCK_LOOKS = 240;
const STUCK_CPU_MS = 500;
/** What was printed may arrive after the end. */
const OUTPUT_PATIENCE_MS = 1_000;
/** The end of a program is heard of a little later than that of its connections. */
const END_PATIENCE_MS = 1_000;
/** Who takes longer to come up mostly waits for something, and so leaves its place to the next. */
const SLOW_START_MS = 5_000;
const TMP_FILES = 50_000;
const OPEN_FILES = 4_096;
const MIB = 1024 * 1024;

interface Parts extends Berth { held: Package }

export class Program {
  readonly instance: InstanceSpec;
  usedAt: number;
  /** Requests under way. */
  load = 0;
  isRetired = false;
  /** Everything of it is gone. */
  readonly ended: Promise<void>;
  #options: ProgramOptions;
  #output: Output;
  #started: Promise<Parts>;
  #parts: Parts | undefined;
  #exchanges = new Map<Exchange, MicroRequest>();
  #killed: Killed | undefined;
  #ports: number[] = [];
  #answersAt: number | undefined;
  #lastAnswerAt = 0;
  /** Requests, one after the other, that took too long. */
  #timedOut = 0;
  #isFrozen = false;
  #isReclaimed = false;
  #isLooking = false;
  #demise: Demise | undefined;

  constructor(options: ProgramOptions) {
    const { spec, limits, clock, instance } = options;
    this.#options = options;
    this.instance = instance;
    this.usedAt = clock.now();
    this.#output = new Output({
      micro: spec.name, limits, clock, log: (entry) => instance.services.log(entry),
      requestId: () => (this.#exchanges.size === 1 ? this.#exchanges.values().next().value!.id : null),
    });
    this.#started = this.#start();
    this.ended = this.#live();
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** It takes no more requests. */
  get isOver(): boolean {
    return this.isRetired || this.#killed !== undefined || this.#demise !== undefined;
  }

  async fetch(asked: MicroRequest): Promise<MicroResponse> {
    const { limits, clock } = this.#options;
    if (this.load >= limits.requestsMax) throw new SpaceError('MICRO_BUSY');
    this.load += 1;
    this.#thaw();
    let parts: Parts;
    let request: MicroRequest;
    try {
      [parts, request] = await Promise.all([this.#started, this.#whole(asked)]);
      this.#assertWanted(request);
    } catch (error) {
      this.#release();
      throw this.#demise?.error ?? toSpaceError(error);
    }
    const end = parts.surroundings.received?.(request.hops);
    const exchange: Exchange = new Exchange({
      request, ingress: parts.ingress, streamIdleMs: limits.streamIdleMs,
      onOver: () => {
        end?.();
        this.#exchanges.delete(exchange);
        this.#release();
      },
      onIdle: () => this.#say('warn', `The answer was cut off: nothing of its stream moved for ${limits.streamIdleMs / 1000} seconds.`, request.id),
    });
    this.#exchanges.set(exchange, request);
    const sentAt = clock.now();
    const stopTimer = this.#limit(exchange, request);
    exchange.begin();
    const gone = (): void => exchange.leave(new SpaceError('MICRO_TIMEOUT', { limitMs: limits.wallMs }));
    request.onGone?.(gone);
    request.signal?.addEventListener('abort', gone, { once: true });
    try {
      const answer = await exchange.answer;
      this.#lastAnswerAt = Math.max(this.#lastAnswerAt, sentAt);
      this.#timedOut = 0;
      return answer;
    } catch (error) {
      throw await this.#explain(error as Error, request);
    } finally {
      stopTimer();
    }
  }

  /** @throws MICRO_TIMEOUT when it does not come, because of the caller's going or slowness */
  async #whole(request: MicroRequest): Promise<MicroRequest> {
    const whole = withWholeBody(request);
    if (!(whole instanceof Promise)) return whole;
    const { clock, limits } = this.#options;
    const stop = clock.after(limits.wallMs, () => (request.body as Readable).destroy());
    return whole.catch((error: unknown) => { throw new SpaceError('MICRO_TIMEOUT', { limitMs: limits.wallMs }, { cause: error }); }).finally(stop);
  }

  #assertWanted(request: MicroRequest): void {
    if (request.signal?.aborted && !isWholeChange(request)) throw new SpaceError('MICRO_TIMEOUT', { limitMs: this.#options.limits.wallMs });
  }

  #release(): void {
    this.load -= 1;
    this.usedAt = this.#options.clock.now();
  }

  /** Its time runs from when the program is up. */
  #limit(exchange: Exchange, request: MicroRequest): () => void {
    const { clock, limits } = this.#options;
    let stop = (): void => {};
    let isDone = false;
    const begin = (): void => {
      if (isDone) return;
      stop = clock.after(limits.wallMs, () => {
        this.#say('error', `Took longer than ${limits.wallMs / 1000} seconds: ${request.method} ${URL.parse(request.url)?.pathname ?? ''}`, request.id);
        exchange.cancel(new SpaceError('MICRO_TIMEOUT', { limitMs: limits.wallMs }));
        this.#timedOut += 1;
        void this.#lookWhetherStuck(clock.now() - limits.wallMs);
      });
    };
    if (this.#answersAt === undefined) void this.#parts?.box.answers.then(begin);
    else begin();
    return () => {
      isDone = true;
      stop();
    };
  }

  /** A program that waits for something is left alone, and so is one for whose answer nobody waits: it will stand still. One
   *  that computes while others wait or waited in vain, and answers nobody, is ended. */
  async #lookWhetherStuck(since: number): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { clock } = this.#options;
    const { box } = this.#parts!;
    const before = await box.usage();
    for (let looks = 0; looks < STUCK_LOOKS && this.#lastAnswerAt < since && !this.isOver; looks += 1) {
      await new Promise<void>((resolve) => { clock.after(STUCK_LOOK_MS, resolve); });
      const { cpuMs } = await box.usage();
      if ((this.load > 0 || this.#timedOut > 1) && this.#lastAnswerAt < since && cpuMs - before.cpuMs >= STUCK_CPU_MS) this.kill('stuck');
    }
    this.#isLooking = false;
  }

  /** Why the connection broke is known when the program has ended, which may be a moment later. */
  async #explain(lost: Error, request: MicroRequest): Promise<Error> {
    if (!(lost instanceof LostConnection)) {
      if (lost instanceof SpaceError && lost.code === 'MICRO_BAD_RESPONSE') this.#say('error', lost.message, request.id);
      return lost;
    }
    await Promise.race([this.ended, new Promise<void>((resolve) => { this.#options.clock.after(END_PATIENCE_MS, resolve); })]);
    if (!lost.isTaken && this.#answersAt !== undefined) return new NotTaken();
    if (this.#demise) return this.#demise.error;
    this.#say('error', `The connection was closed without an answer: ${request.method} ${URL.parse(request.url)?.pathname ?? ''}`, request.id);
    return new SpaceError("MICRO_BAD_RESPONSE", { reason: "it closed the connection without an answer" }, { cause: lost });
  }

  #say(level: 'info' | 'warn' | 'error', text: string, requestId: string | null = null): void {
    this.instance.services.log({ micro: this.#options.spec.name, level, text, requestId });
  }

  async #start(): Promise<Parts> {
    const { instance, spec, boxes, packages, limits, berths, compiles, starts, clock } = this.#options;
    const done = await starts.enter(instance.spaceId);
    const opened: (() => unknown)[] = [];
    try {
      // Nobody wants it any more: a host that closes would wait for each that only waited for its turn.
      if (this.#killed !== undefined) throw new SpaceError('MICRO_CRASHED');
      const held = await packages.hold(spec);
      opened.push(held.release);
      const boxLimits = { memoryMb: limits.memoryMb, processes: limits.processesMax, openFiles: OPEN_FILES, tmpMb: limits.tmpMb, tmpFiles: TMP_FILES };
      const berth = await berths.open({ instance, spec, folder: held.folder, compiled: compiles.of(held), limits: boxLimits }, boxes);
      const { box } = berth;
      const stopWaiting = clock.after(SLOW_START_MS, done);
      void Promise.race([box.answers, box.ended]).then(stopWaiting).then(done);
      void box.answers.then(() => compiles.want(held, spec, { boxes, limits: boxLimits }));
      this.#output.follow(box.stdout, 'info');
      this.#output.follow(box.stderr, 'warn');
      return { ...berth, held };
    } catch (error) {
      done();
      for (const close of opened.toReversed()) await close();
      throw error;
    }
  }

  async #live(): Promise<void> {
    const { clock, limits, log, spec, onEnd } = this.#options;
    let parts: Parts;
    try {
      parts = await this.#started;
    } catch (error) {
      const known = toSpaceError(error);
      this.#finish(this.#killed === undefined ? { error: known, text: known.message, isFault: known.blame === 'micro', keepsFrom: true } : quiet(undefined), onEnd);
      return;
    }
    this.#parts = parts;
    const { box } = parts;
    // Asked to end while it was started.
    if (this.#killed !== undefined) void box.kill();
    void box.answers.then(() => { this.#answersAt = clock.now(); });
    const stopBoot = clock.after(limits.bootMs, () => this.#giveUpBoot(box));
    void box.answers.then(stopBoot);
    const end = await box.ended;
    stopBoot();
    await Promise.race([this.#output.ended(), new Promise<void>((resolve) => { clock.after(OUTPUT_PATIENCE_MS, resolve); })]);
    const demise = this.#judge(end, parts.port);
    log.info('program.ended', { instanceId: this.instance.instanceId, micro: spec.name, killed: this.#killed, code: end.code });
    this.#finish(demise, onEnd);
    await parts.ingress.close();
    await parts.surroundings.close();
    parts.held.release();
  }

  #judge(end: BoxEnd, port: number): Demise {
    return judgeDemise({ end, port, killed: this.#killed, hasAnswered: this.#answersAt !== undefined, limits: this.#options.limits, tail: this.#output.tail, ports: this.#ports });
  }

  #finish(demise: Demise, onEnd: ProgramOptions['onEnd']): void {
    this.#demise = demise;
    if (demise.text !== undefined) this.#say(demise.isFault ? 'error' : 'info', demise.text);
    onEnd(demise);
  }

  #giveUpBoot(box: Box): void {
    if (this.#answersAt !== undefined) return;
    this.#ports = listeningPorts(box.insidePid ?? 0);
    this.kill('boot');
  }

  #thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    this.#isReclaimed = false;
    this.#parts?.box.thaw();
  }

  freeze(): void {
    if (this.#isFrozen || this.load > 0 || this.#answersAt === undefined || this.isOver) return;
    this.#isFrozen = true;
    this.#parts?.box.freeze();
  }

  /** Its memory goes to swap while it stands still. Once: what it does not touch stays there. */
  async reclaim(): Promise<void> {
    if (!this.#isFrozen || this.#isReclaimed || this.isOver) return;
    this.#isReclaimed = true;
    await this.#parts?.box.reclaim(() => this.#isFrozen);
    this.#options.log.info('program.reclaimed', { instanceId: this.instance.instanceId, micro: this.#options.spec.name });
  }

  /** What it holds by itself. */
  async privateBytes(): Promise<number> {
    return (await this.#parts?.box.usage())?.privateBytes ?? 0;
  }

  /** Only the kernel's own limit is exact; this one is for machines where it cannot be had. */
  async lookAtMemory(): Promise<void> {
    if (this.#options.boxes.groups || this.isOver) return;
    if ((await this.privateBytes()) > this.#options.limits.memoryMb * MIB) this.kill('memory');
  }

  kill(reason: Killed): void {
    if (this.#killed !== undefined || this.#demise) return;
    this.#killed = reason;
    void this.#parts?.box.kill();
  }

  /** No new requests; those under way may finish. */
  async retire(graceMs: number): Promise<void> {
    this.isRetired = true;
    const { clock } = this.#options;
    const until = clock.now() + graceMs;
    while (this.load > 0 && clock.now() < until && !this.#demise) await new Promise<void>((resolve) => { clock.after(Math.min(50, graceMs), resolve); });
    this.kill('retired');
    await this.ended;
  }
}
