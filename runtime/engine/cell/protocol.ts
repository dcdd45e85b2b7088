// Owns the frames between the host and a Cell: what they are called, how they are laid out, how large they may be.
// Shared by both ends; knows neither processes nor isolates.

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
const HEADER_BYTES = 20;
/** Bodies larger than this travel in pieces, so that one does not block the others. */
export const CHUNK_BYTES = 64 * 1024;
export const META_MAX_BYTES = 1024 * 1024;
const FRAME_MAX_BYTES = HEADER_BYTES + META_MAX_BYTES + CHUNK_BYTES;
/** Most bytes of unfinished bodies that one end keeps for the other. */
const ASSEMBLY_MAX_BYTES = 160 * 1024 * 1024;

/** One frame as received. It is reused: take what you need before you return. `body` may be kept. */
export class Frame {
  type = 0;
  flags = 0;
  micro = 0;
  id = 0;
  other = 0;
  body: Uint8Array | null = null;
  bytes: Buffer = Buffer.alloc(0);
  metaStart = 0;
  metaEnd = 0;

  /** For heads: one byte a character. */
  latin1(): string {
    return this.bytes.toString('latin1', this.metaStart, this.metaEnd);
  }

  utf8(): string {
    return this.bytes.toString('utf8', this.metaStart, this.metaEnd);
  }
}

/** What is to be sent. `latin1` says that `meta` is a head. */
export interface Outgoing {
  type: number;
  id: number;
  micro?: number;
  other?: number;
  flags?: number;
  meta?: string;
  latin1?: boolean;
  body?: string | Uint8Array | null;
  /** Nothing may overtake it: its pieces follow each other without a gap. */
  whole?: boolean;
}

/** What a peer did that no well-behaved peer does. */
export class ProtocolError extends Error {}

interface Transfer { type: number; micro: number; id: number; body: Uint8Array; at: number }

interface ByteSink {
  write(bytes: Uint8Array): boolean;
  readonly writableLength: number;
}

/** Collects frames and writes all of a tick at once; long bodies follow piece by piece, in turns. */
export class FrameWriter {
  #sink: ByteSink;
  #bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #end = 0;
  #transfers: Transfer[] = [];

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Bytes waiting for a peer that does not read. */
  get backlogBytes(): number {
    let size = this.#sink.writableLength + this.#end;
    for (const transfer of this.#transfers) size += transfer.body.length - transfer.at;
    return size;
  }

  add(frame: Outgoing): void {
    const { body } = frame;
    const bytes = typeof body === 'string' && body.length > CHUNK_BYTES / 4 ? Buffer.from(body) : body;
    if (bytes && typeof bytes !== 'string' && bytes.length > CHUNK_BYTES) {
      this.#encode(frame, bytes.subarray(0, CHUNK_BYTES), FLAG.more);
      const transfer = { type: frame.type, micro: frame.micro ?? 0, id: frame.id, body: bytes, at: CHUNK_BYTES };
      if (frame.whole) while (this.#encodePiece(transfer));
      else this.#transfers.push(transfer);
    } else {
      this.#encode(frame, bytes ?? null, 0);
    }
  }

  /** Write what was added; call it once a tick, and again when the sink drained. */
  flush(): void {
    this.#write();
    while (this.#transfers.length > 0 && this.#sink.writableLength < 4 * CHUNK_BYTES) this.#pump();
  }

  #pump(): void {
    const transfer = this.#transfers.shift()!;
    if (this.#encodePiece(transfer)) this.#transfers.push(transfer);
    this.#write();
  }

  /** @returns whether there is more */
  #encodePiece(transfer: Transfer): boolean {
    const piece = transfer.body.subarray(transfer.at, transfer.at + CHUNK_BYTES);
    transfer.at += piece.length;
    const hasMore = transfer.at < transfer.body.length;
    this.#encode({ type: FRAME.CHUNK, id: transfer.id, micro: transfer.micro, other: transfer.type }, piece, hasMore ? FLAG.more : 0);
    return hasMore;
  }

  #write(): void {
    if (this.#end === 0) return;
    this.#sink.write(this.#bytes.subarray(0, this.#end));
    this.#end = 0;
    // When the kernel took it all, the memory is ours again; what a large frame needed is given back.
    if (this.#sink.writableLength > 0 || this.#bytes.length > 4 * CHUNK_BYTES) this.#bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  #encode(frame: Outgoing, body: string | Uint8Array | null, more: number): void {
    const meta = frame.meta ?? '';
    const start = this.#end;
    const room = HEADER_BYTES + (frame.latin1 ? meta.length : meta.length * 3) + (body === null ? 0 : typeof body === 'string' ? body.length * 3 : body.length);
    if (start + room > this.#bytes.length) this.#grow(start + room);
    const bytes = this.#bytes;
    let at = start + HEADER_BYTES;
    if (meta !== '') at += bytes.write(meta, at, frame.latin1 ? 'latin1' : 'utf8');
    const metaBytes = at - start - HEADER_BYTES;
    if (typeof body === 'string') at += bytes.write(body, at, 'utf8');
    else if (body !== null) { bytes.set(body, at); at += body.length; }
    bytes.writeUInt32LE(at - start, start);
    bytes[start + 4] = frame.type;
    bytes[start + 5] = (frame.flags ?? 0) | (body === null ? 0 : FLAG.body) | more;
    bytes.writeUInt16LE(frame.micro ?? 0, start + 6);
    bytes.writeUInt32LE(frame.id, start + 8);
    bytes.writeUInt32LE(frame.other ?? 0, start + 12);
    bytes.writeUInt32LE(metaBytes, start + 16);
    this.#end = at;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

interface Assembly { type: number; flags: number; other: number; head: Buffer; pieces: Uint8Array[]; sizeBytes: number }

/** Cuts a byte stream into frames. @throws ProtocolError when the peer does not keep to the layout or its limits */
export class FrameReader {
  /** The begin of a frame whose end has not come, and how long it is as far as that is known. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needBytes = 4;
  #frame = new Frame();
  #assemblies = new Map<string, Assembly>();
  #assembledBytes = 0;
  #bodyMaxBytes: number;
  #onFrame: (frame: Frame) => void;

  constructor(bodyMaxBytes: number, onFrame: (frame: Frame) => void) {
    this.#bodyMaxBytes = bodyMaxBytes;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#restBytes += chunk.length;
    if (this.#rest.length > 0 && this.#restBytes < this.#needBytes) {
      this.#rest.push(chunk);
      return;
    }
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([...this.#rest, chunk]);
    this.#rest = [];
    this.#restBytes = 0;
    this.#cut(bytes);
  }

  #cut(bytes: Buffer): void {
    let at = 0;
    this.#needBytes = 4;
    while (bytes.length - at >= 4) {
      const size = bytes.readUInt32LE(at);
      if (size < HEADER_BYTES || size > FRAME_MAX_BYTES) throw new ProtocolError(`frame of ${size} bytes`);
      if (bytes.length - at < size) {
        this.#needBytes = size;
        break;
      }
      this.#read(bytes, at, at + size);
      at += size;
    }
    if (at === bytes.length) return;
    this.#rest = [bytes.subarray(at)];
    this.#restBytes = bytes.length - at;
  }

  #read(bytes: Buffer, start: number, end: number): void {
    const frame = this.#frame;
    const metaBytes = bytes.readUInt32LE(start + 16);
    if (metaBytes > META_MAX_BYTES || start + HEADER_BYTES + metaBytes > end) throw new ProtocolError('meta is too long');
    frame.type = bytes[start + 4]!;
    frame.flags = bytes[start + 5]!;
    frame.micro = bytes.readUInt16LE(start + 6);
    frame.id = bytes.readUInt32LE(start + 8);
    frame.other = bytes.readUInt32LE(start + 12);
    frame.bytes = bytes;
    frame.metaStart = start + HEADER_BYTES;
    frame.metaEnd = frame.metaStart + metaBytes;
    frame.body = (frame.flags & FLAG.body) === 0 ? null : bytes.subarray(frame.metaEnd, end);
    if (frame.type === FRAME.CHUNK || (frame.flags & FLAG.more) !== 0) this.#assemble(frame);
    else this.#onFrame(frame);
  }

  #assemble(frame: Frame): void {
    const isFirst = frame.type !== FRAME.CHUNK;
    const type = isFirst ? frame.type : frame.other;
    const key = `${type}/${frame.micro}/${frame.id}`;
    let assembly = this.#assemblies.get(key);
    if (isFirst === (assembly !== undefined) || frame.body === null || frame.body.length === 0) throw new ProtocolError('a piece is out of place');
    if (!assembly) {
      const head = Buffer.from(frame.bytes.subarray(frame.metaStart, frame.metaEnd));
      assembly = { type, flags: frame.flags & ~FLAG.more, other: frame.other, head, pieces: [], sizeBytes: 0 };
      this.#assemblies.set(key, assembly);
    }
    assembly.pieces.push(frame.body);
    assembly.sizeBytes += frame.body.length;
    this.#assembledBytes += frame.body.length;
    if (assembly.sizeBytes > this.#bodyMaxBytes || this.#assembledBytes > ASSEMBLY_MAX_BYTES) throw new ProtocolError('a body is too long');
    if ((frame.flags & FLAG.more) === 0) this.#complete(key, assembly);
  }

  #complete(key: string, assembly: Assembly): void {
    const frame = this.#frame;
    this.#assemblies.delete(key);
    this.#assembledBytes -= assembly.sizeBytes;
    frame.type = assembly.type;
    frame.flags = assembly.flags;
    frame.other = assembly.other;
    frame.bytes = assembly.head;
    frame.metaStart = 0;
    frame.metaEnd = assembly.head.length;
    frame.body = Buffer.concat(assembly.pieces, assembly.sizeBytes);
    this.#onFrame(frame);
  }
}
