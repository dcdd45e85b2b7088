// Owns the host calls of one Cell: on whose behalf each is made, how many there may be, and how the answer goes back.
import { Readable } from 'node:stream';
import { SpaceError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { type Live, originOf, type Slot } from './flight.ts';
import { collectBody, guestError, type HostAnswer, type HostCall, performHostCall, readQuestion } from './host-call.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellProcess } from './process.ts';
import type { Frame } from './frames.ts';
import { FLAG, FRAME, ProtocolError, readOpening, streamOpening } from './protocol.ts';
import type { CellSockets } from './sockets.ts';
import type { CellStreams } from './streams.ts';

/** A sound guest keeps to `callsMax` itself; what is far beyond does not come from one. */
const CALLS_TOLERANCE = 4;

/** A call under way: what it asks, and the end that nobody may want any more. */
class OpenCall implements HostCall {
  readonly owner: number;
  readonly services: HostCall['services'];
  readonly bodyMaxBytes: number;
  readonly requestId: string;
  readonly hops: number;
  readonly origin: string;
  readonly question: HostCall['question'];
  readonly body: HostCall['body'];
  readonly socket: HostCall['socket'];
  readonly whole: HostCall['whole'];
  #abort: AbortController | undefined;

  constructor(slot: Slot, { live, hops, origin }: Asker, { question, body, socket, whole }: Pick<HostCall, 'question' | 'body' | 'socket' | 'whole'>) {
    this.owner = live.id;
    this.services = slot.instance.services;
    this.bodyMaxBytes = slot.limits.bodyMaxBytes;
    this.requestId = live.flight.request.id;
    this.hops = hops;
    this.origin = origin;
    this.question = question;
    this.body = body;
    this.socket = socket;
    this.whole = whole;
  }

  /** Most calls cannot be aborted, and a controller costs as much as all else here. */
  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  abort(): void {
    this.#abort?.abort();
  }
}

/** On whose behalf a call is made. */
interface Asker { live: Live; hops: number; origin: string }

export class CallDesk {
  #cell: CellProcess;
  #limits: IsolateLimits;
  #log: Log;
  #live: ReadonlyMap<number, Live>;
  #nested = 0;
  #open = new Map<number, OpenCall>();
  #streams: CellStreams;
  #sockets: CellSockets;
  /** Large bodies that must be whole are collected one after the other, so that they cannot fill the host's memory. */
  #collected: Promise<unknown> = Promise.resolve();

  constructor(cell: CellProcess, { limits, log, live, streams, sockets }: { limits: IsolateLimits; log: Log; live: ReadonlyMap<number, Live>; streams: CellStreams; sockets: CellSockets }) {
    this.#cell = cell;
    this.#live = live;
    this.#streams = streams;
    this.#sockets = sockets;
    this.#limits = limits;
    this.#log = log;
  }

  /** @throws ProtocolError for what no sound guest asks */
  take(slot: Slot, frame: Frame): void {
    const { id } = frame;
    if (slot.calls >= this.#limits.callsMax * CALLS_TOLERANCE) throw new ProtocolError('too many calls');
    const question = readQuestion(frame.utf8());
    const owner = this.#ownerOf(slot, frame.other);
    const body = this.#bodyOf(frame, owner?.live.id ?? 0);
    const kind = question?.[0];
    const isNested = kind === 'micro';
    const socket = (frame.flags & FLAG.socket) === 0 ? undefined : this.#sockets.open({ micro: slot.index, id: readOpening(frame.body).id, owner: owner?.live.id ?? 0 });
    if (kind !== 'socket') socket?.drop();
    const refusal = !owner ? new SpaceError('BAD_REQUEST', { reason: 'The request is over; give work that goes on to ctx.waitUntil.' })
      : isNested && this.#nested >= slot.limits.nestedMax ? new SpaceError('MICRO_BUSY') : count(owner.live, kind, slot.limits);
    if (!owner || refusal) {
      discardBody(body);
      socket?.drop();
      return this.#refuse(slot, id, refusal);
    }
    const call = new OpenCall(slot, owner, { question, body, socket, whole: () => this.#collect(body, slot.limits) });
    this.#open.set(keyOf(slot, id), call);
    const answer = this.#perform(call);
    this.#await({ slot, id, isNested, owner: owner.live.id }, answer.then(
      (result) => { if (result.kind === 'RESULT') discardBody(body); return result; },
      (error) => { discardBody(body); socket?.drop(); throw error; },
    ));
  }

  /** The guest waits for this call no longer. */
  abort(slot: Slot, id: number): void {
    this.#open.get(keyOf(slot, id))?.abort();
  }

  /** This request is over, and nobody waits for its calls. */
  release(owner: number): void {
    if (this.#open.size === 0) return;
    for (const call of this.#open.values()) if (call.owner === owner) call.abort();
  }

  #bodyOf(frame: Frame, owner: number): Uint8Array | Readable | null {
    if ((frame.flags & FLAG.socket) !== 0) return null;
    if ((frame.flags & FLAG.stream) === 0) return frame.body === null ? null : Buffer.from(frame.body);
    return this.#streams.open(frame, owner, ({ reason }) => new SpaceError('BAD_REQUEST', { reason }));
  }

  #collect(body: Uint8Array | Readable | null, { dataMaxBytes }: IsolateLimits): Promise<Uint8Array | null> {
    if (!(body instanceof Readable)) return collectBody(body, dataMaxBytes);
    const collected = this.#collected.then(() => collectBody(body, dataMaxBytes));
    this.#collected = collected.catch(() => {});
    return collected;
  }

  #perform(call: HostCall): Promise<HostAnswer> {
    try {
      return performHostCall(call);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #await({ slot, id, isNested, owner }: { slot: Slot; id: number; isNested: boolean; owner: number }, answer: Promise<HostAnswer>): void {
    const { loadId } = slot;
    const key = keyOf(slot, id);
    slot.calls++;
    if (isNested) this.#nested++;
    const done = (): boolean => {
      if (isNested) this.#nested--;
      this.#open.delete(key);
      // An isolate that came after this one knows nothing of the call.
      if (slot.loadId !== loadId) return false;
      slot.calls--;
      return true;
    };
    answer.then((result) => { if (done()) this.#answer({ slot, id, owner }, result); else discardBody(result.body); }, (error) => { if (done()) this.#refuse(slot, id, error); });
  }

  /** The request that a call is made for. A claim counts only for a living request of this very Micro; without
   *  one, the deepest of them is taken, so that nobody can make himself less deep than he is. */
  #ownerOf(slot: Slot, claimed: number): Asker | undefined {
    const direct = this.#live.get(claimed);
    const live = direct?.slot === slot ? direct : this.#deepest(slot);
    if (!live) return undefined;
    const { request } = live.flight;
    const hops = slot.state === 'loading' ? Math.max(slot.hops, request.hops) : request.hops;
    return { live, hops, origin: originOf(request.url) };
  }

  #deepest(slot: Slot): Live | undefined {
    let deepest: Live | undefined;
    for (const live of this.#live.values()) {
      if (live.slot === slot && (!deepest || live.flight.request.hops > deepest.flight.request.hops)) deepest = live;
    }
    return deepest;
  }

  #answer({ slot, id, owner }: { slot: Slot; id: number; owner: number }, { head, body, kind }: HostAnswer): void {
    const base = { micro: slot.index, id, type: FRAME[kind], meta: head, latin1: kind === 'RESULT_RESPONSE' };
    if (!(body instanceof Readable)) return this.#cell.send({ ...base, body, flags: typeof body === 'string' ? FLAG.text : 0 });
    // Nobody is left who could read it.
    if (!this.#live.has(owner)) body.destroy();
    this.#cell.send({ ...base, flags: FLAG.stream, body: streamOpening(this.#streams.depart(body, { micro: slot.index, owner, destroysSource: true })) });
  }

  #refuse(slot: Slot, id: number, error: unknown): void {
    const told = guestError(error);
    if (told.code === 'INTERNAL') this.#log.error('micro.call_failed', { instanceId: slot.instance.instanceId, micro: slot.spec.name, error });
    this.#cell.send({ type: FRAME.RESULT_ERROR, micro: slot.index, id, meta: JSON.stringify(told) });
  }
}

const MICRO_FACTOR = 2 ** 32;
/** Ids of calls are a Micro's own. */
const keyOf = (slot: Slot, id: number): number => slot.index * MICRO_FACTOR + id;

function discardBody(body: string | Uint8Array | Readable | null): void {
  if (body instanceof Readable) body.destroy();
}

/** One more call of a request. @returns why there may be no more */
function count(live: Live, kind: unknown, { hostCallsMax, subrequestsMax }: IsolateLimits): SpaceError | undefined {
  live.calls++;
  if (kind === 'fetch' || kind === 'micro' || kind === 'socket') live.subrequests++;
  if (live.calls > hostCallsMax) return new SpaceError('MICRO_CALLS_EXCEEDED', { limit: hostCallsMax, what: 'calls to the host' });
  if (live.subrequests > subrequestsMax) return new SpaceError('MICRO_CALLS_EXCEEDED', { limit: subrequestsMax, what: 'calls by fetch and to other Micros' });
  return undefined;
}
