// Owns one Micro inside the Cell: its isolate, its events, its timers.
import { isAscii } from 'node:buffer';
import type ivm from 'isolated-vm';
import type { Frame, FrameWriter } from '../frames.ts';
import { type CellInit, FLAG, FRAME, type GuestFailure, type IsolateLoss, type MicroLoad, readOpening } from '../protocol.ts';
import { CpuAccount } from './cpu-account.ts';
import { EVENT, type GuestIsolate, guestStack, isTimeout, type Ivm, type TurnEnd } from './isolate.ts';
import { type JobAnswer, MicroJobs } from './jobs.ts';
import { checkMeta, type GuestRecord, isTooLong, readRecords } from './records.ts';
import { MicroStreams } from './streams.ts';

/** What the Micros of a Cell share. */
export interface CellState {
  readonly ivm: Ivm;
  readonly init: CellInit;
  readonly snapshot: ivm.ExternalCopy<ArrayBuffer>;
  readonly out: FrameWriter;
  careful: boolean;
  /** Guest code has run here: code caches made from now on are not taken. */
  hasRun: boolean;
}

/** A module to run: compiled from its source, or from a cache of the host's own making. */
export interface LoadOrder { id: number; load: MicroLoad; source: string; cache: Uint8Array | null; guest: GuestIsolate }

const BATCH_EVENTS = 64;
const EMPTY = new Uint8Array(0);
const TEXT_MAX_BYTES = 64 * 1024;
const STREAM_EVENT: Record<number, number> = { [FRAME.DATA]: EVENT.data, [FRAME.END]: EVENT.end, [FRAME.CREDIT]: EVENT.credit, [FRAME.STOP]: EVENT.stop, [FRAME.CLOSE]: EVENT.close };
const CALLS_MAX = 1_024;
const TOO_LONG_HEAD = JSON.stringify({ code: 'MICRO_BAD_RESPONSE', reason: 'its headers are too long' } satisfies GuestFailure);

export class CellMicro {
  readonly index: number;
  #state: CellState;
  #limits: MicroLoad['limits'];
  #guest: GuestIsolate | undefined;
  #loading: { id: number; load: MicroLoad; deadline: number } | undefined;
  /** kind, id, meta, body, ... */
  #events: unknown[] = [];
  /** Requests that are not done, with the CPU time of each. */
  #live: CpuAccount;
  #streams: MicroStreams;
  /** Host calls in flight, and the request that each belongs to. */
  #calls = new Map<number, number>();
  /** What this process does for the guest itself. */
  #jobs: MicroJobs | undefined;
  #buffers: ArrayBuffer[] | undefined;
  #timerDue = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(index: number, state: CellState) {
    this.index = index;
    this.#state = state;
    this.#limits = state.init;
    this.#live = new CpuAccount();
    this.#streams = new MicroStreams(index, state.out, this.#live);
  }

  load({ id, load, source, cache, guest }: LoadOrder): void {
    this.#drop();
    this.#guest = guest;
    this.#limits = load.limits;
    this.#live.budgetMs = load.limits.cpuMs;
    this.#loading = { id, load, deadline: Date.now() + this.#limits.startMs };
    let made: Uint8Array | null;
    try {
      made = guest.compile(source, load.name, cache);
    } catch (error) {
      this.#failLoad(error instanceof Error ? error.message : String(error));
      return;
    }
    if (made && !this.#state.hasRun) this.#state.out.add({ type: FRAME.CODE_CACHE, id, body: made });
    this.#state.hasRun = true;
    this.#announce(0);
    const end = guest.evaluate(this.#limits.startMs);
    if (end.kind === 'threw') this.#failLoad(end.message, end.stack);
    else if (end.kind === 'timeout') this.#failLoad(`its top-level code ran longer than ${this.#limits.startMs} ms`);
    else if (end.kind === 'memory') this.#failLoad('its top-level code used too much memory');
    else {
      this.#sendCollected();
      this.#endLoading();
    }
  }

  request(frame: Frame): void {
    if (!this.#guest) return;
    const { id } = frame;
    this.#live.open(id);
    if (this.#timerDue !== 0) this.#armTimer();
    this.#events.push(EVENT.request, id, frame.latin1(), this.#bodyToGuest(frame, id));
  }

  /** The host's answer to a call; `meta` is its head, its error, or what belongs to its body. */
  result(kind: number, frame: Frame, meta: string): void {
    const owner = this.#calls.get(frame.id);
    if (!this.#guest || owner === undefined) return;
    this.#events.push(kind, frame.id, meta, this.#bodyToGuest(frame, owner));
    // While it loads, the module's top level waits for this.
    if (this.#loading) this.#runAll();
  }

  /** A stream goes on. Where there is no body, the owner stands in its place; otherwise in that of the text. */
  stream(frame: Frame): void {
    const { type, id, other, body } = frame;
    const owner = this.#guest && this.#streams.take(frame);
    if (owner === undefined) return;
    if (type === FRAME.MESSAGE) this.#events.push(EVENT.message, id, owner, (frame.flags & FLAG.text) === 0 ? this.#guest!.bring(body ?? EMPTY) : Buffer.from(body ?? EMPTY).toString());
    else if (type === FRAME.DATA) this.#events.push(EVENT.data, id, owner, body!);
    else this.#events.push(STREAM_EVENT[type], id, type === FRAME.CREDIT ? other : `${type === FRAME.CLOSE ? `${other} ` : ''}${frame.utf8()}`, owner);
    if (this.#loading) this.#runAll();
  }

  cancel(id: number): void {
    if (this.#live.close(id)) this.#events.push(EVENT.cancel, id, '', undefined);
    this.#restTimer();
  }

  /** Run everything that waits. */
  run(): void {
    if (this.#guest && !this.#loading) this.#runAll();
  }

  /** Called now and then: top-level code may not take for ever. */
  sweep(now: number): void {
    this.#streams.sweep(now);
    if (this.#loading && now > this.#loading.deadline) this.#failLoad(`its top-level code did not finish within ${this.#limits.startMs} ms`);
  }

  #runAll(): void {
    while (this.#events.length > 0 && this.#guest) {
      // Requests wait until the module is there; answers to its own calls do not.
      const events = this.#loading ? this.#takeResults() : this.#takeBatch();
      if (events.length === 0) return;
      this.#turn(events);
    }
  }

  #takeBatch(): unknown[] {
    const size = this.#state.careful ? 4 : BATCH_EVENTS * 4;
    if (this.#events.length <= size) {
      const all = this.#events;
      this.#events = [];
      return all;
    }
    return this.#events.splice(0, size);
  }

  #takeResults(): unknown[] {
    const [taken, kept]: [unknown[], unknown[]] = [[], []];
    for (let at = 0; at < this.#events.length; at += 4) (this.#events[at] === EVENT.request ? kept : taken).push(...this.#events.slice(at, at + 4));
    this.#events = kept;
    return taken;
  }

  #turn(taken: unknown[]): void {
    const guest = this.#guest!;
    const events = guest.place(taken);
    const owners = this.#ownersOf(events);
    if (this.#state.careful) this.#announce(owners[0] ?? 0);
    const before = guest.cpuTime;
    const end = guest.turn(events, this.#live.leftMs(owners));
    if (end.kind === 'memory') return this.#lose('memory', owners.length === 1 ? owners : [], []);
    const sent = this.#sendCollected(end.kind === 'timeout');
    if (sent === 'memory' || sent === 'broken') return this.#lose(sent, sent === 'memory' && owners.length === 1 ? owners : [], []);
    if (end.kind === 'timeout' || sent === 'cpu') return this.#loseToTimeout(events, owners, Number(guest.cpuTime - before) / 1e6);
    this.#endLoading();
    if (this.#guest !== guest) return;
    if (end.kind === 'threw') {
      // A module whose top-level await was rejected will never be there.
      if (this.#loading) return this.#failLoad(end.message, end.stack);
      this.#logThrown(end);
    }
    const over = this.#live.charge(owners, Number(guest.cpuTime - before) / 1e6);
    if (over.length > 0) this.#lose('cpu', over, [], Math.max(...over.map((id) => this.#live.usedMs(id))));
  }

  #ownersOf(events: unknown[]): number[] {
    const owners: number[] = [];
    for (let at = 0; at < events.length; at += 4) {
      const [kind, id] = [events[at], events[at + 1] as number];
      if (kind === EVENT.request || kind === EVENT.cancel) owners.push(id);
      else if (kind === EVENT.timers) owners.push(0);
      else if ((kind as number) >= EVENT.data) owners.push((kind === EVENT.data || kind === EVENT.message ? events[at + 2] : events[at + 3]) as number);
      else { owners.push(this.#calls.get(id) ?? 0); this.#calls.delete(id); }
    }
    return owners;
  }

  #loseToTimeout(events: unknown[], owners: number[], spentMs: number): void {
    const { begun, current } = this.#guest!.progress();
    const culprits = owners.length === 1 ? owners : current === 0 ? [] : [current];
    const unstarted: number[] = [];
    for (let at = begun * 4; at < events.length; at += 4) if (events[at] === EVENT.request) unstarted.push(events[at + 1] as number);
    this.#lose('cpu', culprits, unstarted, spentMs + this.#live.usedMs(culprits[0] ?? 0));
  }

  #lose(reason: IsolateLoss['reason'], culprits: number[], unstarted: number[], used = 0): void {
    for (let at = 0; at < this.#events.length; at += 4) if (this.#events[at] === EVENT.request) unstarted.push(this.#events[at + 1] as number);
    const loss: IsolateLoss = { reason, culprits: culprits.filter((id) => id !== 0), unstarted, used };
    this.#state.out.add({ type: FRAME.LOST, micro: this.index, id: 0, meta: JSON.stringify(loss) });
    this.#drop();
  }

  #drop(): void {
    this.#guest?.dispose();
    this.#guest = undefined;
    this.#loading = undefined;
    this.#events = [];
    this.#live.clear();
    this.#calls.clear();
    this.#jobs?.drop();
    this.#jobs = undefined;
    this.#streams.drop();
    this.#timerDue = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Say whose code runs next, before it can hang. */
  #announce(owner: number): void {
    this.#state.out.add({ type: FRAME.ENTER, micro: this.index, id: 0, other: owner });
    this.#state.out.flush();
  }

  #failLoad(reason: string, stack = ''): void {
    const { id } = this.#loading!;
    const failure: GuestFailure = { code: 'MICRO_START_FAILED', reason: reason.slice(0, 2_000), stack: guestStack(stack) };
    if (this.#guest && !this.#guest.isGone) this.#sendCollected();
    this.#state.out.add({ type: FRAME.LOAD_FAILED, micro: this.index, id, meta: JSON.stringify(failure) });
    this.#drop();
  }

  /** Once the module's top level has come to its end, its handler is taken. */
  #endLoading(): void {
    if (!this.#loading) return;
    const { id, load } = this.#loading;
    const said = this.#guest!.adopt(JSON.stringify(load.env), JSON.stringify(load.micros));
    if (said === 'wait') return;
    if (said !== 'ok') return this.#failLoad(said);
    this.#loading = undefined;
    this.#state.out.add({ type: FRAME.LOADED, micro: this.index, id });
    // What hangs from now on is a request, not the start.
    this.#state.out.flush();
  }

  /** Send what the guest says. @returns why the isolate has to go, where it has to */
  #sendCollected(wasStopped = false): 'sent' | 'memory' | 'cpu' | 'broken' {
    try {
      this.#buffers = undefined;
      readRecords(this.#guest!.collect(), (record) => this.#send(record));
      this.#streams.sendJoined();
      return 'sent';
    } catch (error) {
      if (this.#loading) return 'sent';
      if (this.#guest!.isGone) return 'memory';
      // Promises that a stopped turn left behind go on here: they may take too long as well, and what they throw is thrown here.
      return wasStopped || isTimeout(error) ? 'cpu' : 'broken';
    }
  }

  #send(record: GuestRecord): void {
    const { out } = this.#state;
    const { id, other, meta } = record;
    if (record.kind !== 'P') this.#streams.sendJoined();
    if (record.kind === 'R' && isTooLong(meta)) return this.#send({ ...record, kind: 'F', meta: TOO_LONG_HEAD, body: null });
    checkMeta(record);
    switch (record.kind) {
      case 'R': case 'F': {
        if (!this.#live.has(id)) return;
        if (other === 0) this.#finish(id);
        if (record.kind === 'R') this.#streams.sendBody({ type: FRAME.RESPONSE, micro: this.index, id, other, meta, latin1: true }, record, { body: this.#body(record), owner: id });
        else out.add({ type: FRAME.FAILED, micro: this.index, id, other, meta });
        return;
      }
      case 'C': {
        if (this.#calls.size >= CALLS_MAX || this.#calls.has(id)) throw new TypeError('too many calls');
        const owner = this.#ownerOf(other);
        this.#calls.set(id, owner);
        return this.#streams.sendBody({ type: FRAME.CALL, micro: this.index, id, other: owner, meta }, record, { body: this.#body(record), owner });
      }
      case 'K':
        if (this.#calls.size >= CALLS_MAX || this.#calls.has(id)) throw new TypeError('too many calls');
        this.#calls.set(id, this.#ownerOf(other));
        this.#jobs ??= new MicroJobs((answer) => this.#jobDone(answer), (owner) => this.#loading !== undefined || this.#live.has(owner) || (owner === 0 && this.#live.size > 0));
        return this.#jobs.take({ id, owner: this.#ownerOf(other), meta, body: this.#jobBody(record) });
      case 'A': return out.add({ type: FRAME.ABORT, micro: this.index, id });
      case 'L': return out.add({ type: FRAME.LOG, micro: this.index, id: 0, other, meta });
      case 'D':
        this.#finish(id);
        return out.add({ type: FRAME.DONE, micro: this.index, id });
      case 'T':
        this.#timerDue = Number(meta) < 0 ? 0 : Date.now() + Number(meta);
        return this.#armTimer();
      default: if (!this.#streams.say(record, this.#body(record))) throw new TypeError('unknown record');
    }
  }

  #jobDone({ id, owner, meta, body, spentMs }: JobAnswer): void {
    this.#events.push(EVENT.result, id, meta, body === null ? undefined : this.#guest!.bring(body));
    const over = this.#live.charge([owner], spentMs);
    if (over.length > 0) this.#lose('cpu', over, []);
    else this.#runAll();
    this.#state.out.flush();
  }

  #jobBody(record: GuestRecord): Uint8Array | null {
    const body = this.#body(record);
    return body instanceof Uint8Array ? body.slice() : null;
  }

  /** After an await the guest does not know whose code runs; with one request there is no doubt. */
  #ownerOf(claimed: number): number {
    return this.#live.has(claimed) ? claimed : this.#live.only ?? claimed;
  }

  #body(record: GuestRecord): string | Uint8Array | null {
    if (record.body !== null && typeof record.body === 'object') return this.#guest!.left(record.body.at, record.body.size);
    if (typeof record.body !== 'number') return record.body;
    this.#buffers ??= this.#guest!.takeBuffers();
    const buffer = this.#buffers[record.body];
    if (!(buffer instanceof ArrayBuffer)) throw new TypeError('a buffer is missing');
    return new Uint8Array(buffer);
  }

  #finish(id: number): void {
    this.#live.close(id);
    this.#restTimer();
  }

  /** Timers run only on behalf of a request that is not done; with none, the isolate rests. */
  #armTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#timerDue === 0 || (this.#live.size === 0 && !this.#loading)) return;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, this.#timerDue - Date.now()));
  }

  #restTimer(): void {
    if (this.#live.size === 0 && this.#timer) { clearTimeout(this.#timer); this.#timer = undefined; }
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#timerDue = 0;
    this.#events.push(EVENT.timers, 0, '', undefined);
    this.#runAll();
    this.#state.out.flush();
  }

  #logThrown(end: Extract<TurnEnd, { kind: 'threw' }>): void {
    const text = `Uncaught (in promise) ${end.stack || end.message}`;
    this.#state.out.add({ type: FRAME.LOG, micro: this.index, id: 0, meta: JSON.stringify(['error', text.slice(0, 8_000)]) });
  }

  /** For a stream, its id. */
  #bodyToGuest(frame: Frame, owner: number): unknown {
    if ((frame.flags & FLAG.stream) === 0) return this.#toGuest(frame.body, (frame.flags & FLAG.text) !== 0);
    const { id } = readOpening(frame.body);
    this.#streams.arrive(id, owner);
    return id;
  }

  /** Short ASCII as text, which is cheapest; anything else as bytes. */
  #toGuest(body: Uint8Array | null, isText: boolean): unknown {
    if (body === null) return undefined;
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (isText) return bytes.toString();
    if (bytes.length <= TEXT_MAX_BYTES && isAscii(bytes)) return bytes.toString('latin1');
    return this.#guest!.bring(bytes);
  }
}
