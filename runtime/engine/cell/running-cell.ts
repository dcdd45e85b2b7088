// Owns one cordon's Cell at work: its Micros, the requests in it, their host calls, and who is to blame when it ends.
// Knows no Instance beyond the services it was given, and no pool.
import { Readable } from 'node:stream';
import { SpaceError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { CodeCache } from './build.ts';
import { judgeEnd, judgeLoss, requestText, type Scene, timeoutEvent, type Verdict } from './blame.ts';
import { CallDesk } from './call-desk.ts';
import { CellWatch } from './cell-watch.ts';
import { failureOf, follow, readAnswer } from './answer.ts';
import type { ArrivingBody } from './arriving-body.ts';
import { type Flight, isAtWork, isRepeatable, isWhole, type Live, type Slot } from './flight.ts';
import type { IsolateLimits } from './limits.ts';
import { Loader, unload } from './loader.ts';
import { MicroLog } from './micro-log.ts';
import type { CellEnd, CellProcess } from './process.ts';
import type { Frame } from './frames.ts';
import { FLAG, FRAME, isHostStream, type IsolateLoss, ProtocolError, readLoss, streamOpening } from './protocol.ts';
import { CellSlots } from './slots.ts';
import { CellSockets, SOCKET_CODES } from './sockets.ts';
import { CellStreams } from './streams.ts';

export interface RunningCellOptions {
  cell: CellProcess;
  limits: IsolateLimits;
  clock: Clock;
  log: Log;
  codeCache: CodeCache;
  careful: boolean;
  /** Ask for another attempt of these requests, or fail them. */
  onRetry(flights: Flight[], failure: SpaceError): void;
  onStrike(slot: Slot, reason: string): void;
  onOverdue(): void; // work goes on in it for which nobody waits any more
  onEnd(): void;
}

const CAREFUL_MS = 30_000;
/** An idle Cell is looked at less often. */
const IDLE_SWEEPS = 10;

export class RunningCell {
  readonly cell: CellProcess;
  isRetired = false;
  idleSince: number;
  /** When it was last asked for something. */
  usedAt: number;
  #options: RunningCellOptions;
  #slots = new CellSlots();
  #live = new Map<number, Live>();
  #lastId = 0;
  #entered: { slot: Slot | undefined; id: number } | undefined;
  #isCareful = false;
  #carefulUntil = 0;
  #sweeps = 0;
  #calls: CallDesk;
  #streams: CellStreams;
  #sockets: CellSockets;
  #watch: CellWatch;
  #log: MicroLog;
  #loader: Loader;

  constructor(options: RunningCellOptions) {
    this.#options = options;
    this.cell = options.cell;
    this.idleSince = options.clock.now();
    this.usedAt = this.idleSince;
    this.#streams = new CellStreams((frame) => this.cell.send(frame), options.clock);
    this.#sockets = new CellSockets((frame) => this.cell.send(frame));
    this.#calls = new CallDesk(this.cell, { ...options, live: this.#live, streams: this.#streams, sockets: this.#sockets });
    this.#log = new MicroLog(this.#live, options.clock);
    this.#watch = new CellWatch(this.cell, options.limits);
    this.#loader = new Loader({
      ...options, nextId: () => ++this.#lastId,
      onSent: (slot) => { for (const flight of slot.waiting.splice(0)) this.#send(slot, flight); },
      onFailed: (slot, reason, stack) => this.#failLoad(slot, reason, stack),
    });
    if (options.careful) this.#goCareful();
    this.cell.onFrame = (frame) => this.#onFrame(frame);
    this.cell.onEnd = (end, used) => this.#onCellEnd(end, used);
  }

  /** Requests that wait for an answer or work in the background, and bodies that stream. */
  get load(): number {
    let waiting = 0;
    for (const slot of this.#slots.all) waiting += slot.waiting.length;
    return this.#live.size + waiting + this.#streams.size;
  }

  get isFull(): boolean {
    return this.#watch.isFull;
  }

  /** How long it may be without a request. */
  get idleMs(): number {
    return this.#slots.all.reduce((longest, { limits }) => Math.max(longest, limits.idleMs), this.#slots.all.length === 0 ? this.#options.limits.idleMs : 0);
  }

  serves(instanceId: string): boolean {
    return this.#slots.all.some((slot) => slot.instance.instanceId === instanceId);
  }

  isBusyFor(instanceId: string): boolean {
    return [...this.#live.values()].some((live) => live.slot.instance.instanceId === instanceId);
  }

  /** This Instance may ask nothing of the host any more, whatever of it still runs. */
  expel(instanceId: string): void {
    for (const live of this.#live.values()) {
      if (live.slot.instance.instanceId !== instanceId) continue;
      this.#reject(live.flight, new SpaceError('MICRO_CRASHED'));
      this.#drop(live);
    }
  }

  run(flight: Flight): void {
    if (this.load >= flight.limits.requestsMax) return this.#reject(flight, new SpaceError('MICRO_BUSY'));
    const slot = this.#slots.of(flight);
    if (!slot) return this.#reject(flight, new SpaceError('MICRO_NOT_FOUND'));
    if (slot.state === 'loaded' || slot.state === 'loading') return this.#send(slot, flight);
    slot.waiting.push(flight);
    slot.hops = Math.max(slot.hops, flight.request.hops);
    if (slot.state === 'absent') void this.#loader.load(slot);
  }

  #send(slot: Slot, flight: Flight): void {
    if (flight.isOver) return;
    const id = ++this.#lastId;
    const live: Live = { id, flight, slot, until: flight.deadline, isAnswered: false, body: undefined, socket: undefined, calls: 0, subrequests: 0 };
    this.#live.set(id, live);
    const { body } = flight;
    const request = { type: FRAME.REQUEST, micro: slot.index, id, meta: flight.head, latin1: true };
    if (body instanceof Readable) this.cell.send({ ...request, flags: FLAG.stream, body: streamOpening(this.#streamRequest(live, body)) });
    else this.cell.send({ ...request, body });
  }

  /** While its body arrives, the clock of a request stands still. */
  #streamRequest(live: Live, source: Readable): number {
    const { clock } = this.#options;
    const { wallMs } = live.slot.limits;
    const onMoved = (): void => { if (!live.isAnswered) live.until = clock.now() + wallMs; };
    return this.#streams.depart(source, { micro: live.slot.index, owner: live.id, destroysSource: live.flight.request.hops > 0, onMoved });
  }

  /** No new requests come: connections that would stay open for ever are asked to begin anew elsewhere. */
  retire(): void {
    this.isRetired = true;
    this.#sockets.closeAll(SOCKET_CODES.restarting, 'The app is being restarted');
  }

  /** The caller went away. */
  cancel(flight: Flight): void {
    for (const live of this.#live.values()) if (live.flight === flight) this.#drop(live);
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case FRAME.RESPONSE: return this.#onResponse(frame);
      case FRAME.DATA: return this.#streams.data(frame);
      case FRAME.CREDIT: return isHostStream(frame.id) ? this.#streams.credit(frame) : this.#sockets.of(frame).grant(frame.other);
      case FRAME.MESSAGE: return this.#sockets.of(frame).message(frame);
      case FRAME.CLOSE: return this.#sockets.of(frame).closed(frame);
      case FRAME.END: return this.#streams.end(frame);
      case FRAME.STOP: return this.#streams.stop(frame);
      case FRAME.CALL: return this.#calls.take(this.#slots.at(frame), frame);
      case FRAME.ABORT: return this.#calls.abort(this.#slots.at(frame), frame.id);
      case FRAME.FAILED: return this.#onFailed(frame);
      case FRAME.LOG: return this.#log.take(this.#slots.at(frame), frame);
      case FRAME.PONG: return this.#watch.pong(frame.id);
      case FRAME.DONE: return this.#onDone(frame);
      case FRAME.ENTER: this.#entered = { slot: this.#slots.all[frame.micro], id: frame.other }; return;
      case FRAME.LOADED: this.#entered = undefined; return this.#loader.loaded(this.#slots.at(frame), frame);
      case FRAME.LOAD_FAILED: this.#entered = undefined; return this.#loader.failed(this.#slots.at(frame), frame);
      case FRAME.CODE_CACHE: return this.#loader.keepCache(this.#slots.at(frame), frame);
      case FRAME.LOST: return this.#onLost(this.#slots.at(frame), readLoss(frame.utf8()));
      default: throw new ProtocolError(`unexpected frame ${frame.type}`);
    }
  }

  /** A Micro speaks for its own requests only. @throws ProtocolError */
  #liveOf(frame: Frame): Live | undefined {
    const live = this.#live.get(frame.id);
    if (live && live.slot.index !== frame.micro) throw new ProtocolError('the request of another Micro');
    return live;
  }

  #onResponse(frame: Frame): void {
    const live = this.#liveOf(frame);
    const answer = readAnswer(frame, live, { streams: this.#streams, sockets: this.#sockets, onFailure: (failure) => this.#onStreamFailure(live, failure) });
    if (!live || live.isAnswered) return answer.discard();
    if (frame.other === 1) follow(live, answer, this.#options.clock);
    this.#settleLive(live, frame.other === 1);
    try {
      const response = answer.response();
      live.flight.isOver = true;
      live.flight.resolve(response);
    } catch (error) {
      answer.discard();
      this.#blame(live, error as SpaceError);
    }
  }

  #onStreamFailure(live: Live | undefined, { reason, stack }: { reason: string; stack: string }): SpaceError {
    const failure = new SpaceError('MICRO_THREW', { reason });
    if (live) this.#blame(live, failure, stack || reason);
    return failure;
  }

  #onFailed(frame: Frame): void {
    const live = this.#liveOf(frame);
    if (!live || live.isAnswered) return;
    const { error, text } = failureOf(frame.utf8(), live.slot.limits);
    this.#settleLive(live, frame.other === 1);
    this.#blame(live, error, text);
  }

  #settleLive(live: Live, goesOn: boolean): void {
    live.isAnswered = true;
    if (goesOn) live.until = isAtWork(live) ? Infinity : this.#options.clock.now() + live.slot.limits.backgroundMs;
    else this.#forget(live.id);
  }

  #onDone(frame: Frame): void {
    if (this.#liveOf(frame)?.isAnswered) this.#forget(frame.id);
  }

  #forget(id: number): void {
    this.#live.delete(id);
    this.#calls.release(id);
    this.#streams.release(id);
    this.#sockets.release(id);
    if (this.#live.size === 0) this.idleSince = this.usedAt = this.#options.clock.now();
  }

  /** Reject, and tell the Instance's log. */
  #blame(live: Live, error: SpaceError, text: string = error.message): void {
    this.#log.say(live.slot, { level: 'error', text, requestId: live.flight.request.id });
    this.#reject(live.flight, error);
  }

  #reject(flight: Flight, error: SpaceError): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.reject(error);
  }

  #failLoad(slot: Slot, reason: string, stack: string): void {
    const error = new SpaceError('MICRO_START_FAILED', { reason });
    this.#log.say(slot, { level: 'error', text: stack === '' ? error.message : `${error.message}\n${stack}`, requestId: null });
    for (const flight of slot.waiting.splice(0)) this.#reject(flight, error);
    for (const live of this.#livesOf(slot)) { this.#forget(live.id); this.#reject(live.flight, error); }
  }

  #livesOf(slot: Slot): Live[] {
    return [...this.#live.values()].filter((live) => live.slot === slot);
  }

  /** One isolate is gone; the Cell lives. */
  #onLost(slot: Slot, loss: IsolateLoss): void {
    const all = this.#livesOf(slot);
    for (const live of all) this.#forget(live.id);
    unload(slot);
    this.#goCareful();
    const verdict = judgeLoss(slot, loss, all.filter(isAtWork));
    this.#streams.lose(verdict.failure, slot.index);
    this.#sockets.lose(SOCKET_CODES.crashed, slot.index);
    this.#settle(verdict, loss.unstarted);
  }

  #settle({ failure, culprits, innocent, slot, event }: Verdict, unstarted: number[] = []): void {
    for (const live of culprits) {
      this.#log.tell(live.slot, { level: 'error', text: `${event} ${requestText(live.flight.request)}`, requestId: live.flight.request.id });
      this.#reject(live.flight, failure);
    }
    if (culprits.length === 0 && slot) this.#log.tell(slot, { level: 'error', text: event, requestId: null });
    this.#retry(innocent, unstarted);
  }

  #goCareful(): void {
    this.#carefulUntil = this.#options.clock.now() + CAREFUL_MS;
    if (this.#isCareful) return;
    this.#isCareful = true;
    this.cell.send({ type: FRAME.CAREFUL, id: 0, meta: '1' });
  }

  #retry(lives: Live[], unstarted: number[]): void {
    const failure = new SpaceError('MICRO_CRASHED');
    const safe = lives.filter((live) => !live.isAnswered && ((unstarted.includes(live.id) && isWhole(live.flight)) || isRepeatable(live.flight)));
    for (const live of lives) if (!safe.includes(live)) this.#blame(live, failure);
    if (safe.length > 0) this.#options.onRetry(safe.map((live) => live.flight), failure);
  }

  /** The process is gone, whoever ended it. */
  #onCellEnd(end: CellEnd, used: number): void {
    this.#options.onEnd();
    const lives = [...this.#live.values()].filter(isAtWork);
    const waiting = this.#slots.all.flatMap((slot) => slot.waiting.splice(0));
    this.#live.clear();
    this.#streams.lose(new SpaceError('MICRO_CRASHED'));
    this.#sockets.lose(end === 'idle' || end === 'retired' ? SOCKET_CODES.restarting : SOCKET_CODES.crashed);
    const loading = this.#slots.all.filter((slot) => slot.state === 'loading');
    for (const slot of this.#slots.all) slot.state = 'absent';
    if (end === 'idle' || end === 'retired') {
      for (const live of lives) this.#reject(live.flight, new SpaceError('MICRO_CRASHED'));
    } else {
      this.#settleCrash(end, { lives, loading, used });
    }
    if (waiting.length > 0) this.#options.onRetry(waiting, new SpaceError('MICRO_CRASHED'));
  }

  #settleCrash(end: CellEnd, scene: Pick<Scene, 'lives' | 'loading' | 'used'>): void {
    const entered = this.#isCareful || this.#entered?.id === 0 ? this.#entered : undefined;
    const verdict = judgeEnd(end, { ...scene, entered, limits: this.#options.limits });
    const { culprits, slot, event } = verdict;
    this.#options.log.warn('cell.ended', { pid: this.cell.pid, reason: end, instanceId: slot?.instance.instanceId, micro: slot?.spec.name, inFlight: scene.lives.length, culprits: culprits.length, used: Math.round(scene.used) });
    if (slot && scene.lives.length > 0) this.#options.onStrike(slot, event);
    this.#settle(verdict);
  }

  /** Called every `watchMs`. */
  sweep(now: number): void {
    if (this.cell.isDead) return;
    this.#sweeps++;
    if (this.load > 0) this.usedAt = now;
    this.#expire(now);
    this.#sockets.look(now);
    if (this.#isCareful && now > this.#carefulUntil) {
      this.#isCareful = false;
      this.#entered = undefined;
      this.cell.send({ type: FRAME.CAREFUL, id: 0, meta: '0' });
    }
    if (this.load > 0 || this.#watch.isWaiting || this.#sweeps % IDLE_SWEEPS === 0) this.#watch.look(now, this.#silenceMs());
  }

  /** How long this Cell may be busy with one thing. */
  #silenceMs(): number {
    let longest = 0;
    for (const { state, limits } of this.#slots.all) {
      if (state !== 'absent') longest = Math.max(longest, limits.cpuMs, state === 'loaded' ? 0 : limits.startMs);
    }
    return longest === 0 ? this.#options.limits.cpuMs : longest;
  }

  #expire(now: number): void {
    for (const live of this.#live.values()) {
      if (live.body && now - live.body.movedAt > live.slot.limits.streamIdleMs) this.#cutIdle(live, live.body);
      if (now < live.until) continue;
      if (!live.isAnswered) this.#timeOut(live.slot, live.flight, now);
      else this.#endBackground(live.slot, live.flight.request);
      this.#drop(live);
    }
    for (const slot of this.#slots.all) {
      for (const flight of slot.waiting) if (now >= flight.deadline) this.#timeOut(slot, flight, now);
      if (slot.waiting.some((flight) => flight.isOver)) slot.waiting = slot.waiting.filter((flight) => !flight.isOver);
    }
  }

  /** V8 cannot end one promise chain of many, so the Cell is replaced. */
  #endBackground(slot: Slot, request: Flight['request']): void {
    this.#log.say(slot, { level: 'warn', text: `Background work was ended: it took longer than ${slot.limits.backgroundMs} ms. ${requestText(request)}`, requestId: request.id });
    this.#options.onOverdue();
  }

  #cutIdle(live: Live, stream: ArrivingBody): void {
    const { streamIdleMs } = live.slot.limits;
    this.#log.say(live.slot, { level: 'warn', text: `The answer was cut off: nothing of its stream moved for ${streamIdleMs / 1000} seconds.`, requestId: live.flight.request.id });
    stream.destroy(new SpaceError('MICRO_TIMEOUT', { limitMs: streamIdleMs }));
  }

  #timeOut(slot: Slot, flight: Flight, now: number): void {
    const usedMs = now - flight.deadline + flight.limits.wallMs;
    this.#log.say(slot, { level: 'error', text: timeoutEvent(flight, usedMs), requestId: flight.request.id });
    this.#reject(flight, new SpaceError('MICRO_TIMEOUT', { limitMs: flight.limits.wallMs }));
  }

  #drop(live: Live): void {
    this.#forget(live.id);
    this.cell.send({ type: FRAME.CANCEL, micro: live.slot.index, id: live.id });
  }
}
