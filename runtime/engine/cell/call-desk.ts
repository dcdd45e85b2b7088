// Owns the host calls of one Cell: on whose behalf each is made, how many there may be, and how the answer goes back.
import { SpaceError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { type Live, originOf, type Slot } from './flight.ts';
import { BadQuestion, guestError, type HostAnswer, type HostCall, performHostCall } from './host-call.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellProcess } from './process.ts';
import { FLAG, FRAME, type Frame, ProtocolError } from './protocol.ts';

/** A sound guest keeps to `callsMax` itself; what is far beyond does not come from one. */
const CALLS_TOLERANCE = 4;

export class CallDesk {
  #cell: CellProcess;
  #limits: IsolateLimits;
  #log: Log;
  #live: ReadonlyMap<number, Live>;
  #nested = 0;

  constructor(cell: CellProcess, live: ReadonlyMap<number, Live>, { limits, log }: { limits: IsolateLimits; log: Log }) {
    this.#cell = cell;
    this.#live = live;
    this.#limits = limits;
    this.#log = log;
  }

  /** @throws ProtocolError for what no sound guest asks */
  take(slot: Slot, frame: Frame): void {
    const { id } = frame;
    if (slot.calls >= this.#limits.callsMax * CALLS_TOLERANCE) throw new ProtocolError('too many calls');
    const question: unknown = JSON.parse(frame.utf8());
    const body = frame.body === null ? null : Buffer.from(frame.body);
    const owner = this.#ownerOf(slot, frame.other);
    if (!owner) return this.#refuse(slot, id, new SpaceError('BAD_REQUEST', { reason: 'The request is over; give work that goes on to ctx.waitUntil.' }));
    const isNested = Array.isArray(question) && question[0] === 'micro';
    if (isNested && this.#nested >= this.#limits.nestedMax) return this.#refuse(slot, id, new SpaceError('MICRO_BUSY'));
    const { bodyMaxBytes, dataMaxBytes } = this.#limits;
    const answer = this.#perform({ question, body, services: slot.instance.services, ...owner, bodyMaxBytes, dataMaxBytes });
    this.#await(slot, id, isNested, answer);
  }

  #perform(call: HostCall): Promise<HostAnswer> {
    try {
      return performHostCall(call);
    } catch (error) {
      if (error instanceof BadQuestion) throw new ProtocolError(error.message);
      return Promise.reject(error);
    }
  }

  #await(slot: Slot, id: number, isNested: boolean, answer: Promise<HostAnswer>): void {
    const { loadId } = slot;
    slot.calls++;
    if (isNested) this.#nested++;
    const done = (): boolean => {
      if (isNested) this.#nested--;
      // An isolate that came after this one knows nothing of the call.
      if (slot.loadId !== loadId) return false;
      slot.calls--;
      return true;
    };
    answer.then((result) => { if (done()) this.#answer(slot, id, result); }, (error) => { if (done()) this.#refuse(slot, id, error); });
  }

  /** The request that a call is made for. A claim counts only for a living request of this very Micro; without
   *  one, the deepest of them is taken, so that nobody can make himself less deep than he is. */
  #ownerOf(slot: Slot, claimed: number): Pick<HostCall, 'requestId' | 'hops' | 'origin'> | undefined {
    const direct = this.#live.get(claimed);
    const live = direct?.slot === slot ? direct : this.#deepest(slot);
    if (!live) return undefined;
    const { request } = live.flight;
    const hops = slot.state === 'loading' ? Math.max(slot.hops, request.hops) : request.hops;
    return { requestId: request.id, hops, origin: originOf(request.url) };
  }

  #deepest(slot: Slot): Live | undefined {
    let deepest: Live | undefined;
    for (const live of this.#live.values()) {
      if (live.slot === slot && (!deepest || live.flight.request.hops > deepest.flight.request.hops)) deepest = live;
    }
    return deepest;
  }

  #answer(slot: Slot, id: number, answer: HostAnswer): void {
    const base = { micro: slot.index, id, body: answer.body };
    if (answer.kind === 'response') this.#cell.send({ ...base, type: FRAME.RESULT_RESPONSE, meta: answer.head, latin1: true });
    else this.#cell.send({ ...base, type: FRAME.RESULT, meta: answer.meta, flags: answer.text ? FLAG.text : 0 });
  }

  #refuse(slot: Slot, id: number, error: unknown): void {
    const told = guestError(error);
    if (told.code === 'INTERNAL') this.#log.error('micro.call_failed', { instanceId: slot.instance.instanceId, micro: slot.spec.name, error });
    this.#cell.send({ type: FRAME.RESULT_ERROR, micro: slot.index, id, meta: JSON.stringify(told) });
  }
}
