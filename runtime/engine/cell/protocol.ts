// Owns what the host and a Cell say to each other: the frames' names and meanings, their numbers, the texts in them.
// Shared by both ends; knows neither processes nor isolates, nor how a frame is laid out (frames.ts).

/** Frame types. `>` goes to the Cell, `<` comes from it. Every frame has an id; its meaning is in brackets.
 *
 *  A body is whole, in the frame that it belongs to, or it follows as a stream: then the frame has the flag STREAM and, in
 *  place of the body, an opening (`streamOpening`). DATA and END come from the end that opened the stream, CREDIT and STOP
 *  from the other one. A stream begins with START_CREDIT bytes; more may follow only where CREDIT allows it. After a STOP
 *  the sender still says END, so that both ends know when an id is free. A WebSocket is a stream of messages both ways: each
 *  end begins with the whole window; a RESPONSE or a CALL announces it
 *  with the flag SOCKET. Ids say who opened a stream: see `isHostStream`. */
export const FRAME = {
  /** > [0] meta: CellInit; body: the snapshot, or the source to make one of */
  INIT: 1,
  /** > [load id] a code cache of the host's own making for the LOAD that follows */
  CACHE: 2,
  /** > [load id] meta: MicroLoad; body: the module's source */
  LOAD: 3,
  /** > [request id] meta: head; body */
  REQUEST: 4,
  /** > [call id] a host call's value as text (meta) or bytes (body) */
  RESULT: 5,
  /** > [call id] the answer to a fetch; meta: head */
  RESULT_RESPONSE: 6,
  /** > [call id] meta: GuestError */
  RESULT_ERROR: 7,
  /** > [request id] nobody waits for this request any more */
  CANCEL: 8,
  /** > [sequence number] */
  PING: 9,
  /** > [0] meta: '1' or '0': one event a turn, announced by ENTER */
  CAREFUL: 10,
  /** Both: [stream id] the next bytes of a streamed body */
  DATA: 11,
  /** Both: [stream id] nothing follows; meta: '', or the JSON of a reason when this is not the body's end */
  END: 12,
  /** Both: [stream id] other: how many bytes more may follow */
  CREDIT: 13,
  /** Both: [stream id] nobody reads on */
  STOP: 14,
  /** Both: [stream id] one message of a WebSocket; costs its bytes and MESSAGE_COST_BYTES of credit. It may be sent while any is left */
  MESSAGE: 16,
  /** Both: [stream id] this end of a WebSocket sends nothing more; other: code, meta: reason. Each end says it once */
  CLOSE: 17,
  /** Both: the next piece of a whole body. The last one has no MORE flag. */
  CHUNK: 15,

  /** < [0] */
  READY: 20,
  /** < [0] body: a fresh snapshot */
  SNAPSHOT: 21,
  /** < [load id] */
  LOADED: 22,
  /** < [load id] meta: GuestFailure */
  LOAD_FAILED: 23,
  /** < [load id] body: the compiled code's cache */
  CODE_CACHE: 24,
  /** < [request id] meta: head; other: 1 when background work goes on */
  RESPONSE: 25,
  /** < [request id] meta: GuestFailure; other: 1 when background work goes on */
  FAILED: 26,
  /** < [call id] other: the request that asks, 0 unknown; meta: JSON array */
  CALL: 27,
  /** < [0] other: the request, 0 unknown; meta: JSON [level, text] */
  LOG: 28,
  /** < [sequence number] */
  PONG: 29,
  /** < [0] meta: IsolateLoss */
  LOST: 30,
  /** < [request id] background work is done */
  DONE: 31,
  /** < [0] other: the request whose code runs next (careful turns only) */
  ENTER: 32,
  /** < [call id] the guest waits for it no longer */
  ABORT: 33,
} as const;

export const FLAG = { body: 1, more: 2, text: 4, stream: 8, socket: 16 } as const;

/** Bytes of a stream that may be sent before the first CREDIT, and most that may be on their way. */
export const START_CREDIT_BYTES = 64 * 1024;
export const WINDOW_BYTES = 256 * 1024;
export const MESSAGE_MAX_BYTES = 1024 * 1024;
export const MESSAGE_COST_BYTES = 64;

/** Streams are numbered by who opens them: the host 1, 3, 5...; the guest 4, 8, 12...; the Cell around it 2, 6, 10... */
export const isHostStream = (id: number): boolean => id % 2 === 1;
export const isGuestStream = (id: number): boolean => id % 4 === 0;

/** What a Micro may use, as far as the Cell itself sees to it. */
export interface InnerLimits { heapMb: number; bodyMaxBytes: number; dataMaxBytes: number; cpuMs: number; startMs: number }
export interface CellInit extends InnerLimits { mode: 'serve' | 'snapshot'; careful: boolean }
export interface MicroLoad { name: string; micros: string[]; env: Record<string, string>; limits: InnerLimits }
/** What a guest's error becomes: text only, made inside the isolate. */
export interface GuestFailure { code: 'MICRO_THREW' | 'MICRO_BAD_RESPONSE' | 'MICRO_CPU_EXCEEDED' | 'MICRO_START_FAILED'; reason: string; stack?: string }
/** An isolate that is gone: who did it, and which requests had not been started. */
export interface IsolateLoss {
  reason: 'cpu' | 'memory' | 'broken';
  culprits: number[];
  unstarted: number[];
  /** CPU milliseconds of the culprit, where they are the reason. */
  used: number;
}
export interface GuestError { code: string; message: string; status: number }

/** What stands in place of a body that follows as a stream; the size only where it is known. */
export function streamOpening(id: number, sizeBytes?: number): string {
  return sizeBytes === undefined ? String(id) : `${id} ${sizeBytes}`;
}

/** @throws ProtocolError */
export function readOpening(body: Uint8Array | null): { id: number; sizeBytes: number | undefined } {
  const match = /^([1-9]\d{0,9})(?: (\d{1,15}))?$/.exec(Buffer.from(body ?? []).toString('latin1'));
  if (!match) throw new ProtocolError('no stream');
  return { id: Number(match[1]), sizeBytes: match[2] === undefined ? undefined : Number(match[2]) };
}

/** @throws ProtocolError */
export function readStreamFailure(text: string): { reason: string; stack: string } {
  const { reason, stack = '' } = readObject(text);
  if (typeof reason !== 'string' || typeof stack !== 'string') throw new ProtocolError('no failure');
  return { reason: reason.slice(0, TEXT_MAX_CHARS), stack: stack.slice(0, TEXT_MAX_CHARS) };
}

/** @throws ProtocolError */
export function readLoss(text: string): IsolateLoss {
  const { reason, culprits, unstarted, used } = readObject(text);
  if ((reason !== 'cpu' && reason !== 'memory' && reason !== 'broken') || !isIds(culprits) || !isIds(unstarted) || typeof used !== 'number') throw new ProtocolError('no loss');
  return { reason, culprits, unstarted, used };
}

/** @throws ProtocolError */
export function readFailure(text: string): { code: string; reason: string; stack: string } {
  const { code, reason, stack = '' } = readObject(text);
  if (typeof code !== 'string' || typeof reason !== 'string' || typeof stack !== 'string') throw new ProtocolError('no failure');
  return { code, reason: reason.slice(0, TEXT_MAX_CHARS), stack: stack.slice(0, TEXT_MAX_CHARS) };
}

/** @throws ProtocolError */
export function readLogEntry(text: string): { level: 'debug' | 'info' | 'warn' | 'error'; text: string } {
  const entry: unknown = JSON.parse(text);
  if (!Array.isArray(entry) || typeof entry[1] !== 'string' || !isLevel(entry[0])) throw new ProtocolError('no log entry');
  return { level: entry[0], text: entry[1] };
}

function isLevel(level: unknown): level is 'debug' | 'info' | 'warn' | 'error' {
  return level === 'debug' || level === 'info' || level === 'warn' || level === 'error';
}

function readObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new ProtocolError('no object');
  return value as Record<string, unknown>;
}

function isIds(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((id) => typeof id === 'number');
}

const TEXT_MAX_CHARS = 16 * 1024;
/** Bodies larger than this travel in pieces, so that one does not block the others. */
export const CHUNK_BYTES = 64 * 1024;
export const META_MAX_BYTES = 1024 * 1024;

/** What a peer did that no well-behaved peer does. */
export class ProtocolError extends Error {}
