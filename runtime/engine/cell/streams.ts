// Owns the streamed bodies of one Cell: what it sends waits here within a window, what is sent to it waits for its credit.
// Every frame is hostile input: what no sound Cell sends is a ProtocolError.
import type { Readable } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import { SpaceError } from '../../../core/errors.ts';
import { ArrivingBody } from './arriving-body.ts';
import { DepartingBody, type DepartingOptions } from './departing-body.ts';
import type { Frame, Outgoing } from './frames.ts';
import { isGuestStream, isHostStream, ProtocolError, readOpening, readStreamFailure, START_CREDIT_BYTES, WINDOW_BYTES } from './protocol.ts';

/** A sound Cell has at most a few for each request and call. */
const STREAMS_MAX = 4_096;
/** With more streams than this, each has a small window: then all of them together stay small. */
const WIDE_STREAMS_MAX = 128;
/** What becomes of a Micro's own words about a stream that it could not finish. */
export type OnFailure = (failure: { reason: string; stack: string }) => SpaceError;

export class CellStreams {
  #send: (frame: Outgoing) => void;
  #clock: Clock;
  #arriving = new Map<number, { body: ArrivingBody; owner: number; onFailure: OnFailure }>();
  #departing = new Map<number, { body: DepartingBody; micro: number; owner: number }>();
  #lastId = -1;

  constructor(send: (frame: Outgoing) => void, clock: Clock) {
    this.#send = send;
    this.#clock = clock;
  }

  get size(): number {
    return this.#arriving.size + this.#departing.size;
  }

  /** A body that the Cell announced. @param owner the request that it belongs to  @throws ProtocolError */
  open(frame: Frame, owner: number, onFailure: OnFailure): ArrivingBody {
    const { id, sizeBytes } = readOpening(frame.body);
    const key = keyOf(frame.micro, id);
    if (isHostStream(id) || this.#arriving.has(key) || this.#arriving.size >= STREAMS_MAX) throw new ProtocolError('this stream cannot be opened');
    const { micro } = frame;
    const windowBytes = this.#arriving.size < WIDE_STREAMS_MAX ? WINDOW_BYTES : START_CREDIT_BYTES;
    const body = new ArrivingBody({ micro, id, sizeBytes, windowBytes, clock: this.#clock, send: this.#send });
    this.#arriving.set(key, { body, owner, onFailure });
    return body;
  }

  /** Send this body. @returns its id */
  depart(source: Readable, { micro, owner, ...options }: Omit<DepartingOptions, 'send' | 'id' | 'onEnd'> & { owner: number }): number {
    const id = this.#lastId += 2;
    const body = new DepartingBody(source, { ...options, micro, id, send: this.#send, onEnd: () => this.#departing.delete(id) });
    this.#departing.set(id, { body, micro, owner });
    return id;
  }

  /** @throws ProtocolError for a stream that is none, or more than was allowed */
  data(frame: Frame): void {
    this.#arrivingOf(frame).body.accept(frame.body);
  }

  end(frame: Frame): void {
    const { body, onFailure } = this.#arrivingOf(frame);
    this.#arriving.delete(keyOf(frame.micro, frame.id));
    const text = frame.utf8();
    body.end(text === '' ? undefined : onFailure(readStreamFailure(text)));
  }

  /** One that has ended may still be spoken of: the word was on its way. */
  credit(frame: Frame): void {
    this.#departingOf(frame)?.grant(frame.other);
  }

  stop(frame: Frame): void {
    this.#departingOf(frame)?.stop();
  }

  #arrivingOf(frame: Frame): { body: ArrivingBody; onFailure: OnFailure } {
    const found = this.#arriving.get(keyOf(frame.micro, frame.id));
    if (!found) throw new ProtocolError('no such stream');
    return found;
  }

  #departingOf({ id, micro }: Frame): DepartingBody | undefined {
    if (!isHostStream(id) || id > this.#lastId) throw new ProtocolError('no such stream');
    const found = this.#departing.get(id);
    if (found && found.micro !== micro) throw new ProtocolError('the stream of another');
    return found?.body;
  }

  /** This request is over: nobody inside reads or writes for it any more. */
  release(owner: number): void {
    if (this.size === 0) return;
    for (const departing of this.#departing.values()) if (departing.owner === owner) departing.body.cut();
    for (const [key, arriving] of this.#arriving) {
      if (arriving.owner === owner && isGuestStream(key % MICRO_FACTOR)) arriving.body.destroy(new SpaceError('MICRO_CRASHED'));
    }
  }

  /** The isolate is gone, or with `micro` undefined the whole Cell: nobody will end its streams. */
  lose(error: SpaceError, micro?: number): void {
    for (const [key, { body }] of this.#arriving) {
      if (micro !== undefined && Math.floor(key / MICRO_FACTOR) !== micro) continue;
      this.#arriving.delete(key);
      body.end(error);
    }
    for (const departing of this.#departing.values()) if (micro === undefined || departing.micro === micro) departing.body.cut();
  }
}

const MICRO_FACTOR = 2 ** 32;
/** Ids of a Cell's streams are its own, Micro by Micro. */
const keyOf = (micro: number, id: number): number => micro * MICRO_FACTOR + id;
