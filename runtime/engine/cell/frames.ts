// Owns the layout of frames between the host and a Cell: how they are written to a socket, and cut from what comes out of one.
// Shared by both ends; knows what no frame means, but that the bytes of a stream need not wait for each other.
import { CHUNK_BYTES, FLAG, FRAME, META_MAX_BYTES, ProtocolError } from './protocol.ts';

const HEADER_BYTES = 20;
const FRAME_MAX_BYTES = HEADER_BYTES + META_MAX_BYTES + CHUNK_BYTES;
/** Most bytes of unfinished bodies that one end keeps for the other. */
const ASSEMBLY_MAX_BYTES = 160 * 1024 * 1024;

/** One frame as received. It is reused: take what you need before you return. `body` may be kept, unless its reader borrows. */
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
  /** Nobody changes the body's bytes before they are written: they need not be copied. */
  isOwn?: boolean;
}

interface Transfer { type: number; micro: number; id: number; body: Uint8Array; at: number }

interface ByteSink {
  write(bytes: Uint8Array, done?: () => void): boolean;
  cork(): void;
  uncork(): void;
  readonly writableLength: number;
}

/** A copy of less costs less than a part of its own in a write. */
const COPY_MAX_BYTES = 8 * 1024;
/** What a larger frame needed is given back. */
const KEPT_MAX_BYTES = 8 * CHUNK_BYTES;

/** `writes`: how many of it are under way. */
interface Memory { bytes: Buffer; writes: number }
const newMemory = (size: number): Memory => ({ bytes: Buffer.allocUnsafeSlow(size), writes: 0 });

/** Collects frames and writes all of a tick at once; long bodies follow piece by piece, in turns. */
export class FrameWriter {
  #sink: ByteSink;
  #memory = newMemory(CHUNK_BYTES);
  #end = 0;
  /** What was on its way before, for the next time that other is needed. */
  #spare: Memory | undefined;
  /** What is to be written before the bytes from `#start` on: bodies that were not copied, and what stands between them. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #start = 0;
  #transfers: Transfer[] = [];

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Bytes waiting for a peer that does not read. */
  get backlogBytes(): number {
    let size = this.#sink.writableLength + this.#partsBytes + this.#end - this.#start;
    for (const transfer of this.#transfers) size += transfer.body.length - transfer.at;
    return size;
  }

  add(frame: Outgoing): void {
    const { body, type } = frame;
    const bytes = typeof body === 'string' && body.length > CHUNK_BYTES / 4 ? Buffer.from(body) : body;
    if (!bytes || typeof bytes === 'string') return this.#encode(frame, bytes ?? null, 0);
    // Credit says how long the pieces of a stream may be.
    if (type !== FRAME.DATA && bytes.length > CHUNK_BYTES) return this.#addLong(frame, bytes);
    if (frame.isOwn && bytes.length > COPY_MAX_BYTES) this.#addUncopied(frame, bytes);
    else this.#encode(frame, bytes, 0);
  }

  #addLong(frame: Outgoing, bytes: Uint8Array): void {
    this.#encode(frame, bytes.subarray(0, CHUNK_BYTES), FLAG.more);
    const transfer = { type: frame.type, micro: frame.micro ?? 0, id: frame.id, body: bytes, at: CHUNK_BYTES };
    if (frame.whole) while (this.#encodePiece(transfer));
    else this.#transfers.push(transfer);
  }

  #addUncopied(frame: Outgoing, body: Uint8Array): void {
    const at = this.#end;
    this.#encode(frame, null, FLAG.body);
    this.#memory.bytes.writeUInt32LE(this.#end - at + body.length, at);
    const before = this.#memory.bytes.subarray(this.#start, this.#end);
    this.#parts.push(before, body);
    this.#partsBytes += before.length + body.length;
    this.#start = this.#end;
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
    const memory = this.#memory;
    memory.writes++;
    const done = (): void => {
      memory.writes--;
      if (memory.writes === 0 && memory !== this.#memory && memory.bytes.length <= KEPT_MAX_BYTES) this.#spare = memory;
    };
    if (this.#parts.length > 0) this.#writeParts(done);
    else this.#sink.write(memory.bytes.subarray(0, this.#end), done);
    this.#end = this.#start = 0;
    // When the kernel took it all, the memory is ours again.
    if (this.#sink.writableLength === 0 && memory.bytes.length <= KEPT_MAX_BYTES) return;
    this.#memory = this.#spare ?? newMemory(CHUNK_BYTES);
    this.#spare = undefined;
  }

  #writeParts(done: () => void): void {
    this.#sink.cork();
    for (const part of this.#parts) this.#sink.write(part);
    this.#sink.write(this.#memory.bytes.subarray(this.#start, this.#end), done);
    this.#sink.uncork();
    this.#parts = [];
    this.#partsBytes = 0;
  }

  #encode(frame: Outgoing, body: string | Uint8Array | null, flags: number): void {
    const meta = frame.meta ?? '';
    const start = this.#end;
    const room = HEADER_BYTES + (frame.latin1 ? meta.length : meta.length * 3) + (body === null ? 0 : typeof body === 'string' ? body.length * 3 : body.length);
    if (start + room > this.#memory.bytes.length) this.#grow(start + room);
    const { bytes } = this.#memory;
    let at = start + HEADER_BYTES;
    if (meta !== '') at += bytes.write(meta, at, frame.latin1 ? 'latin1' : 'utf8');
    const metaBytes = at - start - HEADER_BYTES;
    if (typeof body === 'string') at += bytes.write(body, at, 'utf8');
    else if (body !== null) at += copyBytes(body, bytes, at);
    bytes.writeUInt32LE(at - start, start);
    bytes[start + 4] = frame.type;
    bytes[start + 5] = (frame.flags ?? 0) | (body === null ? 0 : FLAG.body) | flags;
    bytes.writeUInt16LE(frame.micro ?? 0, start + 6);
    bytes.writeUInt32LE(frame.id, start + 8);
    bytes.writeUInt32LE(frame.other ?? 0, start + 12);
    bytes.writeUInt32LE(metaBytes, start + 16);
    this.#end = at;
  }

  #grow(needed: number): void {
    const { bytes } = this.#memory;
    this.#memory = newMemory(Math.max(needed, bytes.length * 2));
    bytes.copy(this.#memory.bytes, 0, 0, this.#end);
  }
}

interface Assembly { type: number; flags: number; other: number; head: Buffer; pieces: Uint8Array[]; sizeBytes: number }

/** A DATA frame of which some bytes have not come yet. */
interface OpenData { micro: number; id: number; left: number }

/** Cuts a byte stream into frames; the bytes of a DATA frame are handed on as they come, in as many as there are.
 *  @throws ProtocolError when the peer does not keep to the layout or its limits */
export class FrameReader {
  /** The begin of a frame whose end has not come, and how much of it is needed to go on. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needBytes = 0;
  #data: OpenData = { micro: 0, id: 0, left: 0 };
  #frame = new Frame();
  #assemblies = new Map<string, Assembly>();
  #assembledBytes = 0;
  #bodyMaxBytes: number;
  #onFrame: (frame: Frame) => void;
  #borrows: boolean;

  /** @param borrows the chunks are their owner's again after `push`, and so is each body after `onFrame` */
  constructor(bodyMaxBytes: number, onFrame: (frame: Frame) => void, borrows = false) {
    this.#bodyMaxBytes = bodyMaxBytes;
    this.#onFrame = onFrame;
    this.#borrows = borrows;
  }

  push(chunk: Buffer): void {
    let bytes = chunk;
    while (this.#restBytes > 0 && bytes.length > 0) {
      const taken = this.#needBytes - this.#restBytes;
      this.#keep(bytes.subarray(0, taken));
      bytes = bytes.subarray(taken);
      if (this.#restBytes < this.#needBytes) return;
      const begin = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest);
      this.#rest = [];
      this.#restBytes = 0;
      this.#cut(begin);
    }
    if (bytes.length > 0) this.#cut(bytes);
  }

  #keep(bytes: Buffer): void {
    this.#rest.push(this.#borrows ? Buffer.from(bytes) : bytes);
    this.#restBytes += bytes.length;
  }

  #cut(bytes: Buffer): void {
    let at = this.#goOnWithData(bytes);
    for (;;) {
      const there = bytes.length - at;
      if (there === 0) return;
      this.#needBytes = needed(bytes, at, there);
      if (there < this.#needBytes) return this.#keep(bytes.subarray(at));
      const end = at + bytes.readUInt32LE(at);
      this.#read(bytes, at, Math.min(end, bytes.length));
      if (end > bytes.length) this.#data.left = end - bytes.length;
      at = Math.min(end, bytes.length);
    }
  }

  /** @returns where the next frame begins */
  #goOnWithData(bytes: Buffer): number {
    const data = this.#data;
    if (data.left === 0) return 0;
    const frame = this.#frame;
    const end = Math.min(data.left, bytes.length);
    data.left -= end;
    frame.type = FRAME.DATA;
    frame.flags = FLAG.body;
    frame.micro = data.micro;
    frame.id = data.id;
    frame.other = frame.metaStart = frame.metaEnd = 0;
    frame.bytes = bytes;
    frame.body = bytes.subarray(0, end);
    this.#onFrame(frame);
    return end;
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
    else if (frame.type === FRAME.DATA) this.#beginData(frame, bytes.readUInt32LE(start) > HEADER_BYTES);
    else this.#onFrame(frame);
  }

  /** Of a piece that is only announced so far nobody hears. */
  #beginData(frame: Frame, hasBytes: boolean): void {
    this.#data.micro = frame.micro;
    this.#data.id = frame.id;
    if (!hasBytes || frame.body === null || frame.body.length > 0) this.#onFrame(frame);
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
    assembly.pieces.push(this.#borrows ? Buffer.from(frame.body) : frame.body);
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

const PLAIN_COPY_BYTES = 1_024;

/** V8 copies shared memory byte by byte unless both ends are aligned, Node a part of a buffer as fast as can be: what is long
 *  goes as a part of all its memory. @returns how many bytes it were */
export function copyBytes(from: Uint8Array, to: Buffer, at: number): number {
  if (from.length < PLAIN_COPY_BYTES) to.set(from, at);
  else Buffer.from(from.buffer).copy(to, at, from.byteOffset, from.byteOffset + from.length);
  return from.length;
}

/** How many bytes of the frame that begins here must be there to go on. @throws ProtocolError */
function needed(bytes: Buffer, at: number, there: number): number {
  if (there < HEADER_BYTES) return HEADER_BYTES;
  const size = bytes.readUInt32LE(at);
  if (size < HEADER_BYTES || size > FRAME_MAX_BYTES) throw new ProtocolError(`frame of ${size} bytes`);
  const isData = bytes[at + 4] === FRAME.DATA && bytes[at + 5] === FLAG.body && bytes.readUInt32LE(at + 16) === 0;
  return isData ? HEADER_BYTES : size;
}
