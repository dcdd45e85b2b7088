// Owns one cordon's Cell at work: its Micros, the requests in it, their host calls, and who is to blame when it ends.
// Knows no Instance beyond the services it was given, and no pool.
import { errorFromRecord, SpaceError, type ErrorCode } from '../../../core/errors.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import { readUsage } from '../../../sandbox/watch.ts';
import type { InstanceSpec, MicroLogEntry, MicroRequest, MicroResponse, MicroSpec } from '../engine.ts';
import type { CodeCache } from './build.ts';
import { parseResponseHead } from './head.ts';
import { BadQuestion, guestError, type HostAnswer, performHostCall } from './host-call.ts';
import type { IsolateLimits } from './limits.ts';
import { LogGate } from './log-gate.ts';
import type { CellEnd, CellProcess } from './process.ts';
import { FLAG, FRAME, type Frame, type GuestFailure, type IsolateLoss, type MicroLoad, ProtocolError } from './protocol.ts';

/** A request on its way: kept until it is answered, so that it can be tried again elsewhere. */
export interface Flight {
  readonly instance: InstanceSpec;
  readonly micro: string;
  readonly request: MicroRequest;
  readonly head: string;
  readonly body: Uint8Array | null;
  readonly resolve: (response: MicroResponse) => void;
  readonly reject: (error: SpaceError) => void;
  readonly deadline: number;
  attempts: number;
  /** Somebody got an answer or an error already. */
  isOver: boolean;
}

/** A flight in this Cell. After its answer it may live on for background work. */
interface Live { id: number; flight: Flight; slot: Slot; until: number; isAnswered: boolean }

interface Slot {
  index: number;
  instance: InstanceSpec;
  spec: MicroSpec;
  state: 'absent' | 'reading' | 'loading' | 'loaded';
  loadId: number;
  loadedAt: number;
  source: Buffer | undefined;
  waiting: Flight[];
  calls: number;
  /** Largest hop count of the requests that the load was made for. */
  hops: number;
}

export interface RunningCellOptions {
  cell: CellProcess;
  limits: IsolateLimits;
  clock: Clock;
  log: Log;
  codeCache: CodeCache;
  careful: boolean;
  /** Ask for another attempt of these requests, or fail them. */
  onRetry(flights: Flight[], failure: SpaceError): void;
  onStrike(instanceId: string, micro: string, reason: string): void;
  onEnd(): void;
}

const CAREFUL_MS = 30_000;
const CALLS_TOLERANCE = 4;

export class RunningCell {
  readonly cell: CellProcess;
  isRetired = false;
  idleSince: number;
  #options: RunningCellOptions;
  #slots: Slot[] = [];
  #byKey = new Map<string, Slot>();
  #live = new Map<number, Live>();
  #lastId = 0;
  #entered: { slot: Slot | undefined; id: number } | undefined;
  #isCareful = false;
  #carefulUntil = 0;
  #ping: { id: number; at: number; cpuMs: number } | undefined;
  #pings = 0;
  #sweeps = 0;
  #nested = 0;
  #gates = new Map<string, LogGate>();
  #hadLoad = false;

  constructor(options: RunningCellOptions) {
    this.#options = options;
    this.cell = options.cell;
    this.idleSince = options.clock.now();
    if (options.careful) this.#goCareful();
    this.cell.onFrame = (frame) => this.#onFrame(frame);
    this.cell.onEnd = (end) => this.#onCellEnd(end);
  }

  /** Requests that wait for an answer or work in the background. */
  get load(): number {
    let waiting = 0;
    for (const slot of this.#slots) waiting += slot.waiting.length;
    return this.#live.size + waiting;
  }

  serves(instanceId: string): boolean {
    return this.#slots.some((slot) => slot.instance.instanceId === instanceId);
  }

  run(flight: Flight): void {
    const { limits } = this.#options;
    if (this.load >= limits.requestsMax) return this.#reject(flight, new SpaceError('MICRO_BUSY'));
    const slot = this.#slotOf(flight);
    if (!slot) return this.#reject(flight, new SpaceError('MICRO_NOT_FOUND'));
    if (slot.state === 'loaded' || slot.state === 'loading') return this.#send(slot, flight);
    slot.waiting.push(flight);
    slot.hops = Math.max(slot.hops, flight.request.hops);
    if (slot.state === 'absent') void this.#load(slot);
  }

  #slotOf({ instance, micro }: Flight): Slot | undefined {
    const key = `${instance.instanceId}/${instance.generation}/${micro}`;
    let slot = this.#byKey.get(key);
    if (slot) {
      slot.instance = instance;
      return slot;
    }
    const spec = instance.micros.find((candidate) => candidate.name === micro);
    if (!spec) return undefined;
    slot = { index: this.#slots.length, instance, spec, state: 'absent', loadId: 0, loadedAt: 0, source: undefined, waiting: [], calls: 0, hops: 0 };
    this.#slots.push(slot);
    this.#byKey.set(key, slot);
    return slot;
  }

  async #load(slot: Slot): Promise<void> {
    slot.state = 'reading';
    try {
      slot.source ??= await slot.spec.readFile(slot.spec.entry);
      const cache = await this.#options.codeCache.get(slot.source);
      if (!this.cell.isDead) this.#sendLoad(slot, cache);
    } catch (error) {
      this.#options.log.error('micro.unreadable', { instanceId: slot.instance.instanceId, micro: slot.spec.name, error });
      this.#failLoad(slot, 'its code cannot be read');
    }
  }

  #sendLoad(slot: Slot, cache: Buffer | null): void {
    const { instance, spec } = slot;
    slot.state = 'loading';
    slot.loadId = ++this.#lastId;
    slot.loadedAt = this.#options.clock.now();
    if (cache) this.cell.send({ type: FRAME.CACHE, micro: slot.index, id: slot.loadId, body: cache, whole: true });
    const meta: MicroLoad = { name: spec.name, micros: instance.micros.map((micro) => micro.name), env: spec.env };
    this.cell.send({ type: FRAME.LOAD, micro: slot.index, id: slot.loadId, meta: JSON.stringify(meta), body: slot.source!, whole: true });
    for (const flight of slot.waiting.splice(0)) this.#send(slot, flight);
  }

  #send(slot: Slot, flight: Flight): void {
    if (flight.isOver) return;
    const id = ++this.#lastId;
    this.#live.set(id, { id, flight, slot, until: flight.deadline, isAnswered: false });
    this.cell.send({ type: FRAME.REQUEST, micro: slot.index, id, meta: flight.head, latin1: true, body: flight.body });
  }

  /** The caller went away. */
  cancel(flight: Flight): void {
    for (const live of this.#live.values()) if (live.flight === flight) this.#drop(live);
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case FRAME.RESPONSE: return this.#onResponse(frame);
      case FRAME.CALL: return this.#onCall(frame);
      case FRAME.FAILED: return this.#onFailed(frame);
      case FRAME.LOG: return this.#onLog(frame);
      case FRAME.PONG: if (this.#ping?.id === frame.id) this.#ping = undefined; return;
      case FRAME.DONE: return this.#onDone(frame.id);
      case FRAME.ENTER: this.#entered = { slot: this.#slots[frame.micro], id: frame.other }; return;
      case FRAME.LOADED: return this.#onLoaded(this.#slot(frame), frame.id);
      case FRAME.LOAD_FAILED: return this.#onLoadFailed(this.#slot(frame), frame);
      case FRAME.CODE_CACHE: return this.#onCodeCache(frame);
      case FRAME.LOST: return this.#onLost(this.#slot(frame), JSON.parse(frame.utf8()) as IsolateLoss);
      default: throw new ProtocolError(`unexpected frame ${frame.type}`);
    }
  }

  #slot(frame: Frame): Slot {
    const slot = this.#slots[frame.micro];
    if (!slot) throw new ProtocolError('no such Micro');
    return slot;
  }

  #onResponse(frame: Frame): void {
    const live = this.#live.get(frame.id);
    if (!live || live.isAnswered) return;
    this.#settleLive(live, frame.other === 1);
    try {
      const { status, headers } = parseResponseHead(frame.latin1());
      if (frame.body !== null && frame.body.length > this.#options.limits.bodyMaxBytes) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: `its body is larger than ${this.#options.limits.bodyMaxBytes} bytes` });
      live.flight.isOver = true;
      live.flight.resolve({ status, headers: headers.slice(), body: frame.body });
    } catch (error) {
      this.#blame(live, error as SpaceError);
    }
  }

  #onFailed(frame: Frame): void {
    const live = this.#live.get(frame.id);
    if (!live || live.isAnswered) return;
    this.#settleLive(live, frame.other === 1);
    const { code, reason, stack } = JSON.parse(frame.utf8()) as GuestFailure;
    const known: ErrorCode = code === 'MICRO_BAD_RESPONSE' ? 'MICRO_BAD_RESPONSE' : 'MICRO_THREW';
    this.#blame(live, errorFromRecord({ code: known, details: { reason: String(reason) } }), typeof stack === 'string' && stack !== '' ? stack : String(reason));
  }

  #settleLive(live: Live, goesOn: boolean): void {
    live.isAnswered = true;
    if (goesOn) live.until = this.#options.clock.now() + this.#options.limits.backgroundMs;
    else this.#forget(live.id);
  }

  #onDone(id: number): void {
    if (this.#live.get(id)?.isAnswered) this.#forget(id);
  }

  #forget(id: number): void {
    this.#live.delete(id);
    if (this.#live.size === 0) this.idleSince = this.#options.clock.now();
  }

  /** Reject, and tell the Instance's log. */
  #blame(live: Live, error: SpaceError, text: string = error.message): void {
    this.#say(live.slot, { micro: live.slot.spec.name, level: 'error', text, requestId: live.flight.request.id });
    this.#reject(live.flight, error);
  }

  #reject(flight: Flight, error: SpaceError): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.reject(error);
  }

  #say(slot: Slot, entry: MicroLogEntry): void {
    const { instance } = slot;
    let gate = this.#gates.get(instance.instanceId);
    if (!gate) this.#gates.set(instance.instanceId, gate = new LogGate(this.#options.limits, () => this.#options.clock.now()));
    gate.pass(entry, (passed) => slot.instance.services.log(passed));
  }

  #onLog(frame: Frame): void {
    const slot = this.#slot(frame);
    const [level, text] = JSON.parse(frame.utf8()) as unknown[];
    if (typeof text !== 'string' || !isLevel(level)) throw new ProtocolError('no log entry');
    const live = this.#live.get(frame.other) ?? this.#onlyLive(slot);
    this.#say(slot, { micro: slot.spec.name, level, text, requestId: live?.flight.request.id ?? null });
  }

  /** With one request in a Micro there is no doubt whose code runs. */
  #onlyLive(slot: Slot): Live | undefined {
    if (this.#live.size !== 1) return undefined;
    const [live] = this.#live.values();
    return live!.slot === slot ? live : undefined;
  }

  #onCall(frame: Frame): void {
    const slot = this.#slot(frame);
    const id = frame.id;
    if (slot.calls >= this.#options.limits.callsMax * CALLS_TOLERANCE) throw new ProtocolError('too many calls');
    const owner = this.#ownerOf(slot, frame.other);
    if (!owner) return this.#answerError(slot, id, new SpaceError('BAD_REQUEST', { reason: 'The request is over; give work that goes on to ctx.waitUntil.' }));
    const question: unknown = JSON.parse(frame.utf8());
    const isNested = Array.isArray(question) && question[0] === 'micro';
    if (isNested && this.#nested >= this.#options.limits.nestedMax) return this.#answerError(slot, id, new SpaceError('MICRO_BUSY'));
    if (isNested) this.#nested++;
    slot.calls++;
    const { bodyMaxBytes, dataMaxBytes } = this.#options.limits;
    const body = frame.body === null ? null : Buffer.from(frame.body);
    const done = (): void => { slot.calls--; if (isNested) this.#nested--; };
    let answer: Promise<HostAnswer>;
    try {
      answer = performHostCall({ question, body, services: slot.instance.services, ...owner, bodyMaxBytes, dataMaxBytes });
    } catch (error) {
      if (error instanceof BadQuestion) throw new ProtocolError(error.message);
      answer = Promise.reject(error);
    }
    const loadId = slot.loadId;
    answer.then((result) => { done(); if (slot.loadId === loadId) this.#answer(slot, id, result); }, (error) => { done(); if (slot.loadId === loadId) this.#answerError(slot, id, error); });
  }

  /** The request that a call is made for. A claim counts only for a living request of this very Micro; without
   *  one, the deepest of them is taken, so that nobody can make himself less deep than he is. */
  #ownerOf(slot: Slot, claimed: number): { requestId: string; hops: number; origin: string } | undefined {
    const direct = this.#live.get(claimed);
    let deepest = direct?.slot === slot ? direct : undefined;
    if (!deepest) for (const live of this.#live.values()) if (live.slot === slot && (!deepest || live.flight.request.hops > deepest.flight.request.hops)) deepest = live;
    if (!deepest) return undefined;
    const { request } = deepest.flight;
    return { requestId: request.id, hops: slot.state === 'loading' ? Math.max(slot.hops, request.hops) : request.hops, origin: originOf(request.url) };
  }

  #answer(slot: Slot, id: number, answer: HostAnswer): void {
    const base = { micro: slot.index, id, body: answer.body };
    if (answer.kind === 'response') this.cell.send({ ...base, type: FRAME.RESULT_RESPONSE, meta: answer.head, latin1: true });
    else this.cell.send({ ...base, type: FRAME.RESULT, meta: answer.meta, flags: answer.text ? FLAG.text : 0 });
  }

  #answerError(slot: Slot, id: number, error: unknown): void {
    const told = guestError(error);
    if (told.code === 'INTERNAL') this.#options.log.error('micro.call_failed', { instanceId: slot.instance.instanceId, micro: slot.spec.name, error });
    this.cell.send({ type: FRAME.RESULT_ERROR, micro: slot.index, id, meta: JSON.stringify(told) });
  }

  #onLoaded(slot: Slot, loadId: number): void {
    if (slot.state !== 'loading' || slot.loadId !== loadId) return;
    slot.state = 'loaded';
    slot.source = undefined;
    this.#entered = undefined;
    this.#options.log.debug('micro.loaded', { instanceId: slot.instance.instanceId, micro: slot.spec.name, durationMs: this.#options.clock.now() - slot.loadedAt });
  }

  #onLoadFailed(slot: Slot, frame: Frame): void {
    if (slot.state !== 'loading' || slot.loadId !== frame.id) return;
    const { reason, stack } = JSON.parse(frame.utf8()) as GuestFailure;
    this.#entered = undefined;
    this.#failLoad(slot, String(reason), stack);
  }

  #failLoad(slot: Slot, reason: string, stack = ''): void {
    slot.state = 'absent';
    slot.source = undefined;
    const error = new SpaceError('MICRO_START_FAILED', { reason });
    this.#say(slot, { micro: slot.spec.name, level: 'error', text: stack === '' ? error.message : `${error.message}\n${stack}`, requestId: null });
    for (const flight of slot.waiting.splice(0)) this.#reject(flight, error);
    for (const live of this.#livesOf(slot)) { this.#forget(live.id); this.#reject(live.flight, error); }
  }

  /** Taken only from a Cell in which no guest had run: afterwards it could be anything. */
  #onCodeCache(frame: Frame): void {
    const slot = this.#slot(frame);
    if (this.#hadLoad || slot.state !== 'loading' || !slot.source || frame.body === null) return;
    this.#hadLoad = true;
    this.#options.codeCache.put(slot.source, Buffer.from(frame.body)).catch((error) => this.#options.log.warn('code_cache.write_failed', { error }));
  }

  #livesOf(slot: Slot): Live[] {
    return [...this.#live.values()].filter((live) => live.slot === slot);
  }

  /** One isolate is gone; the Cell lives. */
  #onLost(slot: Slot, loss: IsolateLoss): void {
    const lives = this.#livesOf(slot).filter((live) => !live.isAnswered);
    for (const live of this.#livesOf(slot)) this.#forget(live.id);
    slot.state = 'absent';
    slot.calls = 0;
    this.#goCareful();
    const named = lives.filter((live) => loss.culprits.includes(live.id));
    const culprits = named.length > 0 || lives.length !== 1 ? named : lives;
    const failure = this.#failureOf(loss.reason);
    for (const live of culprits) this.#blame(live, failure);
    if (culprits.length === 0) this.#say(slot, { micro: slot.spec.name, level: 'error', text: failure.message, requestId: null });
    this.#retry(lives.filter((live) => !culprits.includes(live)), loss.unstarted);
  }

  #failureOf(reason: string): SpaceError {
    const { cpuMs, heapMb } = this.#options.limits;
    if (reason === 'cpu') return new SpaceError('MICRO_CPU_EXCEEDED', { limitMs: cpuMs });
    if (reason === 'memory') return new SpaceError('MICRO_OUT_OF_MEMORY', { limitMb: heapMb });
    return new SpaceError('MICRO_CRASHED');
  }

  #goCareful(): void {
    this.#carefulUntil = this.#options.clock.now() + CAREFUL_MS;
    if (this.#isCareful) return;
    this.#isCareful = true;
    this.cell.send({ type: FRAME.CAREFUL, id: 0, meta: '1' });
  }

  #retry(lives: Live[], unstarted: number[] = []): void {
    const failure = new SpaceError('MICRO_CRASHED');
    const safe = lives.filter((live) => unstarted.includes(live.id) || isRepeatable(live.flight));
    for (const live of lives) if (!safe.includes(live)) this.#blame(live, failure);
    if (safe.length > 0) this.#options.onRetry(safe.map((live) => live.flight), failure);
  }

  /** The process is gone, whoever ended it. */
  #onCellEnd(end: CellEnd): void {
    this.#options.onEnd();
    const lives = [...this.#live.values()].filter((live) => !live.isAnswered);
    const waiting = this.#slots.flatMap((slot) => slot.waiting.splice(0));
    this.#live.clear();
    const loading = this.#slots.filter((slot) => slot.state === 'loading');
    for (const slot of this.#slots) slot.state = 'absent';
    if (end === 'idle' || end === 'retired') {
      for (const live of lives) this.#reject(live.flight, new SpaceError('MICRO_CRASHED'));
    } else {
      this.#settleCrash(end, lives, loading);
    }
    if (waiting.length > 0) this.#options.onRetry(waiting, new SpaceError('MICRO_CRASHED'));
  }

  #settleCrash(end: CellEnd, lives: Live[], loading: Slot[]): void {
    const entered = this.#entered;
    const starter = entered?.slot && entered.id === 0 && loading.includes(entered.slot) ? entered.slot : undefined;
    const failure = starter ? new SpaceError('MICRO_START_FAILED', { reason: this.#failureOf(end).message }) : this.#failureOf(end);
    const culprits = starter ? lives.filter((live) => live.slot === starter) : this.#culprits(lives);
    const slot = starter ?? culprits[0]?.slot ?? onlyOne(lives.map((live) => live.slot));
    this.#options.log.warn('cell.ended', { pid: this.cell.pid, reason: end, instanceId: slot?.instance.instanceId, micro: slot?.spec.name, inFlight: lives.length, culprits: culprits.length });
    if (slot && (culprits.length > 0 || lives.length > 0)) this.#options.onStrike(slot.instance.instanceId, slot.spec.name, failure.message);
    for (const live of culprits) this.#blame(live, failure);
    if (culprits.length === 0 && slot) this.#say(slot, { micro: slot.spec.name, level: 'error', text: failure.message, requestId: null });
    this.#retry(lives.filter((live) => !culprits.includes(live)));
  }

  #culprits(lives: Live[]): Live[] {
    if (lives.length === 1) return lives;
    const entered = this.#isCareful && this.#entered ? lives.filter((live) => live.id === this.#entered!.id) : [];
    return entered;
  }

  /** Called every `watchMs`. */
  sweep(now: number): void {
    if (this.cell.isDead) return;
    this.#sweeps++;
    this.#expire(now);
    if (this.#isCareful && now > this.#carefulUntil) {
      this.#isCareful = false;
      this.#entered = undefined;
      this.cell.send({ type: FRAME.CAREFUL, id: 0, meta: '0' });
    }
    if (this.load > 0 || this.#ping || this.#sweeps % 10 === 0) this.#watch(now);
  }

  #expire(now: number): void {
    for (const live of this.#live.values()) {
      if (now < live.until) continue;
      if (!live.isAnswered) this.#blame(live, new SpaceError('MICRO_TIMEOUT', { limitMs: this.#options.limits.wallMs }));
      this.#drop(live);
    }
    for (const slot of this.#slots) {
      for (const flight of slot.waiting) if (now >= flight.deadline) this.#reject(flight, new SpaceError('MICRO_TIMEOUT', { limitMs: this.#options.limits.wallMs }));
      if (slot.waiting.some((flight) => flight.isOver)) slot.waiting = slot.waiting.filter((flight) => !flight.isOver);
    }
  }

  #drop(live: Live): void {
    this.#forget(live.id);
    this.cell.send({ type: FRAME.CANCEL, micro: live.slot.index, id: live.id });
  }

  /** Silence beyond the CPU limit, or too much memory, is the end. A Cell that cannot run for lack of a processor is given more time. */
  #watch(now: number): void {
    const { cpuMs, startMs, graceMs, cellMb } = this.#options.limits;
    const usage = readUsage(this.cell.pid);
    if (usage && usage.residentBytes > cellMb * 1024 * 1024) return this.cell.kill('memory');
    if (!this.cell.isReady) return;
    if (!this.#ping) {
      this.#ping = { id: ++this.#pings, at: now, cpuMs: usage?.cpuMs ?? 0 };
      return this.cell.send({ type: FRAME.PING, id: this.#ping.id });
    }
    const limit = (this.#slots.some((slot) => slot.state === 'loading') ? Math.max(cpuMs, startMs) : cpuMs) + graceMs;
    const silentMs = now - this.#ping.at;
    const burntMs = usage ? usage.cpuMs - this.#ping.cpuMs : silentMs;
    if (silentMs > limit && (burntMs > limit * 0.8 || silentMs > limit * 4)) this.cell.kill('cpu');
  }
}

function isLevel(level: unknown): level is MicroLogEntry['level'] {
  return level === 'debug' || level === 'info' || level === 'warn' || level === 'error';
}

function onlyOne<T>(items: T[]): T | undefined {
  return items.length > 0 && items.every((item) => item === items[0]) ? items[0] : undefined;
}

/** Sent again without harm: no body, and a method that changes nothing. */
function isRepeatable({ request, body }: Flight): boolean {
  return body === null && (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS');
}

function originOf(url: string): string {
  const end = url.indexOf('/', url.indexOf('//') + 2);
  return end < 0 ? url : url.slice(0, end);
}
