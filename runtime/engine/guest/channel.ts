// Owns bodies that cross the edge of the isolate piece by piece, both ways. Neither end sends more than the other has asked
// for: what nobody reads stops at its source. The numbers are those of cell/protocol.ts.
import { type Answer, current, emit, RECORD, setCurrent, takeShared } from './bridge.ts';
import { describeError } from './inspect.ts';
import { OwnMap } from './own-map.ts';
import { openReader, type Reader, ReadableStream } from './stream.ts';

const START_CREDIT = 64 * 1024;
const WINDOW = 256 * 1024;
/** Credit is given back a good part of the window at a time. */
const CREDIT_STEP = WINDOW / 4;

interface Arriving {
  id: number;
  owner: number;
  controller: any;
  /** What came and was not read yet. */
  waiting: Uint8Array[];
  isWanted: boolean;
  /** Bytes read since the last credit; at the beginning, what the window is larger than the first credit. */
  read: number;
  state: 'open' | 'ended' | 'left';
  failure: Error | undefined;
  /** Called once nothing more can come. */
  onDone: (() => void) | undefined;
}

const arriving = new OwnMap<number, Arriving>();
/** Those that nobody asked for yet. */
const announced = new OwnMap<number, Arriving>();

/** The host announced a stream: from now on its bytes may come, also before somebody asks for it. */
export function announce(id: number): Arriving {
  const body: Arriving = { id, owner: 0, controller: undefined, waiting: [], isWanted: false, read: WINDOW - START_CREDIT, state: 'open', failure: undefined, onDone: undefined };
  arriving.set(id, body);
  announced.set(id, body);
  return body;
}

/** The stream that the host announced under this id. */
export function arrivingStream(id: number, owner: number, onDone?: () => void): ReadableStream {
  const body = announced.get(id) ?? announce(id);
  announced.delete(id);
  body.owner = owner;
  body.onDone = onDone;
  if (body.state !== 'open') onDone?.();
  return new ReadableStream({
    type: 'bytes',
    start(controller: unknown) {
      body.controller = controller;
      deliver(body);
    },
    pull() {
      body.isWanted = true;
      deliver(body);
      giveCredit(body);
    },
    cancel() { leave(body); },
  } as any, { highWaterMark: 0 });
}

/** Give the reader what it waits for. */
function deliver(body: Arriving): void {
  const { controller } = body;
  if (body.isWanted && body.waiting.length > 0) {
    const chunk = body.waiting.shift()!;
    body.isWanted = false;
    body.read += chunk.length;
    controller.enqueue(chunk);
  }
  if (body.state !== 'ended' || body.waiting.length > 0 || !controller) return;
  body.state = 'left';
  if (body.failure) {
    controller.error(body.failure);
  } else {
    controller.close();
    controller.byobRequest?.respond(0);
  }
}

function giveCredit(body: Arriving): void {
  if (body.state !== 'open' || body.read < CREDIT_STEP) return;
  emit(RECORD.credit, body.id, body.read, '', null);
  body.read = 0;
}

function leave(body: Arriving): void {
  if (body.state === 'open') emit(RECORD.stop, body.id, 0, '', null);
  body.state = 'left';
  body.waiting = [];
}

/** @param bytes a number says how many of those that the Cell left are meant */
export function takeData(id: number, bytes: ArrayBuffer | number): void {
  const body = arriving.get(id);
  const chunk = typeof bytes === 'number' ? takeShared(bytes) : new Uint8Array(bytes);
  if (body?.state !== 'open') return;
  body.waiting.push(chunk);
  act(body.owner, () => { deliver(body); giveCredit(body); });
}

export function takeEnd(id: number, failure: string): void {
  const body = arriving.get(id);
  arriving.delete(id);
  body?.onDone?.();
  if (body?.state !== 'open') return;
  body.state = 'ended';
  if (failure !== '') body.failure = new TypeError(String(JSON.parse(failure).reason));
  act(body.owner, () => { if (body.failure) body.waiting = []; deliver(body); });
}

/** Whoever reads this stream has lost interest for a reason of his own: its reader hears of that. */
export function failArriving(id: number, reason: unknown): void {
  const body = arriving.get(id);
  if (body?.state !== 'open') return;
  leave(body);
  body.controller.error(reason);
}

/** What came back from the host, as a body: a number stands for a stream. */
export function arrivingBody(body: Answer['body'], owner: number): string | Uint8Array | ReadableStream | null {
  if (body === undefined) return null;
  if (typeof body === 'number') return arrivingStream(body, owner);
  return typeof body === 'string' ? body : new Uint8Array(body);
}

interface Departing { id: number; owner: number; reader: Reader; credit: number; isOver: boolean; wake: (() => void) | undefined; onEnd: ((wasStopped: boolean) => void) | undefined }

const departing = new OwnMap<number, Departing>();
let lastId = 0;
export function nextStreamId(): number {
  return lastId += 4;
}

/** Send a stream, from the next turn of its reader on. @returns its id, for the frame that announces it */
export function departingStream(stream: ReadableStream, owner: number, onEnd?: Departing['onEnd']): number {
  const id = nextStreamId();
  const body: Departing = { id, owner, reader: openReader(stream), credit: START_CREDIT, isOver: false, wake: undefined, onEnd };
  departing.set(id, body);
  pump(body).then(() => end(body, ''), (error) => {
    body.reader.cancel(error).catch(() => {});
    const { reason, stack } = describeError(error);
    end(body, JSON.stringify({ reason, stack }));
  });
  return id;
}

async function pump(body: Departing): Promise<void> {
  for (let next = await body.reader.read(); !next.done && !body.isOver; next = await body.reader.read()) {
    const chunk = next.value;
    if (!(chunk instanceof Uint8Array)) throw new TypeError('A body stream must yield Uint8Array chunks');
    for (let at = 0; at < chunk.length && !body.isOver;) {
      if (body.credit === 0) await new Promise<void>((resolve) => { body.wake = resolve; });
      else at += sendPiece(body, chunk, at);
    }
  }
}

function sendPiece(body: Departing, chunk: Uint8Array, at: number): number {
  const size = Math.min(body.credit, chunk.length - at);
  body.credit -= size;
  emit(RECORD.piece, body.id, 0, '', chunk.subarray(at, at + size));
  return size;
}

function end(body: Departing, failure: string, wasStopped = false): void {
  if (body.isOver) return;
  body.isOver = true;
  departing.delete(body.id);
  emit(RECORD.end, body.id, 0, failure, null);
  body.onEnd?.(wasStopped);
}

export function takeCredit(id: number, bytes: number): void {
  const body = departing.get(id);
  if (!body) return;
  body.credit += bytes;
  const { wake } = body;
  body.wake = undefined;
  if (wake) act(body.owner, wake);
}

/** The other end reads on no more. */
export function takeStop(id: number): void {
  const body = departing.get(id);
  if (!body) return;
  act(body.owner, () => {
    end(body, '', true);
    body.wake?.();
    body.reader.cancel(new TypeError('The other end went away')).catch(() => {});
  });
}

/** As the request on whose behalf a stream moves. */
function act(owner: number, run: () => void): void {
  const before = current;
  setCurrent(owner);
  try {
    run();
  } finally {
    setCurrent(before);
  }
}
