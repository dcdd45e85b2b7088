// Owns what a Cell keeps of requests and Micros while it works: flights, their lives in a Cell, and slots.
import { Readable } from 'node:stream';
import type { SpaceError } from '../../../core/errors.ts';
import type { InstanceSpec, MicroRequest, MicroResponse, MicroSpec } from '../engine.ts';
import type { ArrivingBody } from './arriving-body.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellSocket } from './sockets.ts';

/** A request on its way: kept until it is answered, so that it can be tried again elsewhere. */
export interface Flight {
  readonly instance: InstanceSpec;
  readonly micro: string;
  readonly request: MicroRequest;
  readonly head: string;
  readonly body: Uint8Array | Readable | null;
  readonly resolve: (response: MicroResponse) => void;
  readonly reject: (error: SpaceError) => void;
  readonly deadline: number;
  /** The host's numbers, with those of this Instance. */
  readonly limits: IsolateLimits;
  attempts: number;
  /** Somebody got an answer or an error already. */
  isOver: boolean;
}

/** A flight in this Cell. After its answer it may live on: while its body streams, and for background work. */
export interface Live {
  id: number;
  flight: Flight;
  slot: Slot;
  until: number;
  isAnswered: boolean;
  body: ArrivingBody | undefined;
  socket: CellSocket | undefined;
  /** Made so far on its behalf: calls of all kinds, and those that leave the Micro. */
  calls: number;
  subrequests: number;
}

/** A Micro's place in a Cell. */
export interface Slot {
  index: number;
  instance: InstanceSpec;
  spec: MicroSpec;
  limits: IsolateLimits;
  state: 'absent' | 'reading' | 'loading' | 'loaded';
  loadId: number;
  loadedAt: number;
  source: Buffer | undefined;
  waiting: Flight[];
  calls: number;
  /** Largest hop count of the requests that the load was made for. */
  hops: number;
}

/** Nothing of it is used up: a stream that was begun cannot be sent again. */
export function isWhole({ body }: Flight): boolean {
  return !(body instanceof Readable);
}

/** Sent again without harm: no body, and a method that changes nothing. */
export function isRepeatable({ request, body }: Flight): boolean {
  return body === null && (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS');
}

/** Scheme and host of an address. */
export function originOf(url: string): string {
  const end = url.indexOf('/', url.indexOf('//') + 2);
  return end < 0 ? url : url.slice(0, end);
}

/** Somebody still waits for something of it. */
export function isAtWork(live: Live): boolean {
  return !live.isAnswered || live.body !== undefined || live.socket !== undefined;
}
