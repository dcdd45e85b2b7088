// Owns the way out of the isolate: records collected during a turn, host calls and who made them.
// Runs inside the isolate. What it keeps is never read by the host; only texts and buffers leave.
import { OwnMap } from './own-map.ts';

/** Kinds of records; the Cell translates them into frames. */
export const RECORD = { response: 'R', failed: 'F', call: 'C', log: 'L', done: 'D', timer: 'T', piece: 'P', end: 'E', credit: 'W', stop: 'Q', abort: 'A', job: 'K', socket: 'S', message: 'M', close: 'X' } as const;

const CALLS_IN_FLIGHT = 256;
const CALLS_QUEUED = 10_000;
const QUESTION_MAX_CHARS = 256 * 1024;
const LOG_CHARS_PER_TURN = 64 * 1024;

/** Each way; the number of cell/inside/isolate.ts. */
const SHARED_BYTES = 272 * 1024;
/** What is longer, and no piece of a stream, is sent on bit by bit: it needs memory of its own. */
const SHARED_BODY_MAX = 64 * 1024;

/** Nobody but this runtime gets a view of the shared memory: methods are those from before any guest code. */
const Bytes = Uint8Array;
const copyBytes = Function.prototype.call.bind(Bytes.prototype.set) as (to: Uint8Array, from: Uint8Array, at: number) => void;
/** Copies from and to an aligned place are several times as fast. */
const aligned = (at: number): number => (at + 7) & ~7;
let shared: SharedArrayBuffer;
let sharedOut: Uint8Array;
let inEnd = 0;
let outEnd = 0;

export function useShared(memory: SharedArrayBuffer): void {
  shared = memory;
  sharedOut = new Bytes(memory, SHARED_BYTES, SHARED_BYTES);
}

/** A turn begins: what the Cell left lies at the beginning. */
export function resetShared(): void {
  inEnd = 0;
}

/** The next bytes that the Cell left, as a copy. */
export function takeShared(size: number): Uint8Array {
  const bytes = new Bytes(size);
  copyBytes(bytes, new Bytes(shared, inEnd, size), 0);
  inEnd = aligned(inEnd + size);
  return bytes;
}

let out = '';
let buffers: ArrayBuffer[] = [];
let logChars = 0;
let logsDropped = 0;

/** The request whose code runs right now, as far as that is known: 0 is nobody. */
export let current = 0;
export function setCurrent(id: number): void {
  current = id;
}

/** A body that leaves: text travels as it is, bytes are copied by the host, a number is the id of a stream. */
export type OutBody = string | Uint8Array | number | null;

export function emit(kind: string, id: number, other: number, meta: string, body: OutBody): void {
  if (body === null) {
    out += kind + id + ' ' + other + ' ' + meta.length + ' N\n' + meta;
  } else if (typeof body === 'number') {
    out += kind + id + ' ' + other + ' ' + meta.length + ' T' + body + '\n' + meta;
  } else if (typeof body === 'string') {
    out += kind + id + ' ' + other + ' ' + meta.length + ' S' + body.length + '\n' + meta + body;
  } else if (aligned(outEnd) + 8 + body.length <= SHARED_BYTES && (kind === RECORD.piece || body.length <= SHARED_BODY_MAX)) {
    outEnd = aligned(outEnd) + (body.byteOffset & 7);
    copyBytes(sharedOut, body, outEnd);
    out += kind + id + ' ' + other + ' ' + meta.length + ' M' + outEnd + '+' + body.length + '\n' + meta;
    outEnd += body.length;
  } else {
    buffers.push(exactBuffer(body));
    out += kind + id + ' ' + other + ' ' + meta.length + ' B' + (buffers.length - 1) + '\n' + meta;
  }
}

export function emitLog(level: string, text: string): void {
  if (logChars > LOG_CHARS_PER_TURN) {
    logsDropped++;
    return;
  }
  logChars += text.length + 16;
  emit(RECORD.log, 0, current, JSON.stringify([level, text]), null);
}

/** Everything since the last call, as one text. */
export function flush(): string {
  if (logsDropped > 0) {
    emit(RECORD.log, 0, 0, JSON.stringify(['warn', `${logsDropped} log entries were dropped: too much output at once`]), null);
    logsDropped = 0;
  }
  logChars = 0;
  outEnd = 0;
  const result = out;
  out = '';
  return result;
}

/** The buffers that the last flush spoke of. */
export function takeBuffers(): ArrayBuffer[] {
  const result = buffers;
  buffers = [];
  return result;
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

/** What came back: text for data, a head for a fetch. A number is the id of a stream. */
export interface Answer { meta: string; body: string | ArrayBuffer | number | undefined }
interface Waiting { resolve: (answer: Answer) => void; reject: (error: Error) => void; owner: number }
/** A stream is begun when its call is sent, not before. */
type CallBody = OutBody | (() => number);
interface Queued extends Waiting { kind: string; meta: string; body: CallBody; onSent: ((id: number) => void) | undefined }
interface CallOptions { owner?: number; onSent?: (id: number) => void; kind?: string }

const waiting = new OwnMap<number, Waiting>();
const queue: Queued[] = [];
let lastCall = 0;

/** One call to the host. `owner` is the request on whose behalf it is made; the host checks that it is alive. */
export function callHost(question: unknown[], body: CallBody, options?: CallOptions): Promise<Answer> {
  return ask(JSON.stringify(question), body, options);
}

/** The same for what the Cell answers itself. */
export function callJob(question: string, body: Uint8Array | null): Promise<Answer> {
  return ask(question, body, { kind: RECORD.job });
}

function ask(meta: string, body: CallBody, { owner = current, onSent, kind = RECORD.call }: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = { kind, resolve, reject, owner, meta, body, onSent };
    if (call.meta.length > QUESTION_MAX_CHARS) reject(new TypeError('The names, address and headers of a call are too long together.'));
    else if (waiting.size < CALLS_IN_FLIGHT) send(call);
    else if (queue.length < CALLS_QUEUED) queue.push(call);
    else reject(new Error(`More than ${CALLS_QUEUED} calls are waiting; wait for some of them first.`));
  });
}

function send(call: Queued): void {
  const id = ++lastCall;
  waiting.set(id, call);
  emit(call.kind, id, call.owner, call.meta, typeof call.body === 'function' ? call.body() : call.body);
  call.onSent?.(id);
}

/** Nobody waits for this call any more. */
export function abortCall(id: number): void {
  if (waiting.has(id)) emit(RECORD.abort, id, 0, '', null);
}

/** The host's answer to call `id`. */
export function settle(id: number, failure: boolean, meta: string, body: Answer['body']): void {
  const call = waiting.get(id);
  if (!call) return;
  waiting.delete(id);
  const next = queue.shift();
  if (next) send(next);
  current = call.owner;
  if (failure) call.reject(hostError(meta));
  else call.resolve({ meta, body });
  current = 0;
}

const loops = new WeakSet<object>();
const addLoop = WeakSet.prototype.add.bind(loops);
const hasLoop = WeakSet.prototype.has.bind(loops);
/** Is this what a call too deep throws? */
export const isLoop = (error: unknown): boolean => typeof error === 'object' && error !== null && hasLoop(error);

function hostError(meta: string): Error {
  const { code, message, status } = JSON.parse(meta);
  const error: any = String(code).startsWith('EGRESS_') ? new TypeError(message) : new Error(message);
  error.code = code;
  error.status = status;
  if (code === 'MICRO_LOOP') addLoop(error);
  return error;
}
