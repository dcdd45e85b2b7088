// Owns the streams of one Micro inside the Cell: which request each belongs to, and the CPU time that it earns.
// Large bodies that left the isolate whole become streams here, so that one neither blocks others nor fills the host.
import type { Frame, FrameWriter, Outgoing } from '../frames.ts';
import { CHUNK_BYTES, FLAG, FRAME, isGuestStream, isHostStream, readStreamFailure, START_CREDIT_BYTES, streamOpening, WINDOW_BYTES } from '../protocol.ts';
import type { CpuAccount } from './cpu-account.ts';
import type { GuestRecord } from './records.ts';
import { MicroSockets } from './sockets.ts';

const STREAMS_MAX = 2_048;
const MB = 1024 * 1024;
/** Each megabyte that streams, and each second that a stream is open, gives a request this much of its CPU time back. */
const CPU_MS_PER_MB = 10;
const CPU_MS_PER_SECOND = 100;

/** A stream that the guest reads or writes: the request that it belongs to, and how many bytes its sender may still send. */
interface Stream { owner: number; credit: number }

/** A whole body on its way. */
interface Parcel { bytes: Uint8Array; at: number; credit: number }

export class MicroStreams {
  #micro: number;
  #out: FrameWriter;
  #account: CpuAccount;
  /** A guest that bends its runtime may say anything of a stream: what it may say is known here too. */
  #streams = new Map<number, Stream>();
  #parcels = new Map<number, Parcel>();
  #sockets: MicroSockets;
  #lastParcel = -2;
  #sweptAt = 0;
  /** Pieces of one stream that lie one after the other leave as one. */
  #joined: { id: number; bytes: Uint8Array } | undefined;

  constructor(micro: number, out: FrameWriter, account: CpuAccount) {
    this.#micro = micro;
    this.#out = out;
    this.#account = account;
    this.#sockets = new MicroSockets(micro, out, account);
  }

  /** A stream into the guest. */
  arrive(id: number, owner: number): void {
    this.#streams.set(id, { owner, credit: START_CREDIT_BYTES });
  }

  /** A frame of a stream. @returns the request that it belongs to, where the guest has to hear of it */
  take(frame: Frame): number | undefined {
    const { id, type, body, other } = frame;
    if (!isHostStream(id) && !isGuestStream(id)) {
      this.#takeForParcel(frame);
      return undefined;
    }
    if (this.#sockets.has(id)) return this.#sockets.take(frame);
    const stream = this.#streams.get(id);
    if (!stream) return undefined;
    if (type === FRAME.CREDIT) stream.credit += other;
    if (body !== null) {
      stream.credit -= body.length;
      this.#account.refund(stream.owner, body.length / MB * CPU_MS_PER_MB);
    }
    if (type === FRAME.END) this.#streams.delete(id);
    return stream.owner;
  }

  /** What the guest says of a stream. @returns false when it says something else  @throws TypeError for what no sound guest says */
  say(record: GuestRecord, body: string | Uint8Array | null): boolean {
    if (this.#sockets.say(record, body)) return true;
    const { kind, id, other, meta } = record;
    const frame = { micro: this.#micro, id };
    switch (kind) {
      case 'P': this.#sendPiece(id, body); return true;
      case 'E':
        if (!isGuestStream(id) || !this.#streams.delete(id)) throw new TypeError('no such stream');
        if (meta !== '') readStreamFailure(meta);
        this.#out.add({ ...frame, type: FRAME.END, meta });
        return true;
      case 'W': this.#grant(id, other); return true;
      case 'Q': if (this.#arriving(id)) this.#out.add({ ...frame, type: FRAME.STOP }); return true;
      default: return false;
    }
  }

  /** One that has ended may still be spoken of. @throws TypeError for one that the guest writes itself */
  #arriving(id: number): Stream | undefined {
    if (!isHostStream(id)) throw new TypeError('no such stream');
    return this.#streams.get(id);
  }

  #grant(id: number, bytes: number): void {
    const stream = this.#arriving(id);
    if (!stream) return;
    if (bytes === 0 || stream.credit + bytes > WINDOW_BYTES) throw new TypeError('too much credit');
    stream.credit += bytes;
    this.#out.add({ type: FRAME.CREDIT, micro: this.#micro, id, other: bytes });
  }

  #sendPiece(id: number, body: string | Uint8Array | null): void {
    const stream = this.#streams.get(id);
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (!stream || !isGuestStream(id) || bytes === null || bytes.length === 0 || bytes.length > stream.credit) throw new TypeError('no piece of a stream');
    stream.credit -= bytes.length;
    this.#account.refund(stream.owner, bytes.length / MB * CPU_MS_PER_MB);
    const joined = this.#joined;
    if (joined?.id === id && joined.bytes.buffer === bytes.buffer && joined.bytes.byteOffset + joined.bytes.length === bytes.byteOffset) {
      joined.bytes = new Uint8Array(bytes.buffer, joined.bytes.byteOffset, joined.bytes.length + bytes.length);
      return;
    }
    this.sendJoined();
    this.#joined = { id, bytes };
  }

  /** What follows may speak of the end of these bytes, and the next turn writes over them. */
  sendJoined(): void {
    if (!this.#joined) return;
    const { id, bytes } = this.#joined;
    this.#joined = undefined;
    this.#out.add({ type: FRAME.DATA, micro: this.#micro, id, body: bytes });
  }

  /** Send a frame with the guest's body: as it is, or announced, when it follows by the guest's doing or for its size. */
  sendBody(frame: Outgoing, { stream }: GuestRecord, { body, owner }: { body: string | Uint8Array | null; owner: number }): void {
    if (this.#sockets.has(stream)) {
      this.#sockets.announce(stream);
      return this.#out.add({ ...frame, flags: FLAG.stream | FLAG.socket, body: streamOpening(stream) });
    }
    if (stream !== 0) {
      if (!isGuestStream(stream) || this.#streams.has(stream) || this.#streams.size >= STREAMS_MAX) throw new TypeError('no such stream');
      this.#streams.set(stream, { owner, credit: START_CREDIT_BYTES });
      return this.#out.add({ ...frame, flags: FLAG.stream, body: streamOpening(stream) });
    }
    if (body === null || body.length <= CHUNK_BYTES / 4) return this.#out.add({ ...frame, body });
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (bytes.length <= CHUNK_BYTES) return this.#out.add({ ...frame, body: bytes });
    const id = this.#lastParcel += 4;
    this.#parcels.set(id, { bytes, at: 0, credit: START_CREDIT_BYTES });
    this.#out.add({ ...frame, flags: FLAG.stream, body: streamOpening(id, bytes.length) });
    this.#pump(id);
  }

  #takeForParcel({ type, id, other }: Frame): void {
    const parcel = this.#parcels.get(id);
    if (!parcel) return;
    if (type !== FRAME.CREDIT) return this.#endParcel(id);
    parcel.credit += other;
    this.#pump(id);
  }

  #pump(id: number): void {
    const parcel = this.#parcels.get(id)!;
    while (parcel.credit > 0 && parcel.at < parcel.bytes.length) {
      const piece = parcel.bytes.subarray(parcel.at, parcel.at + Math.min(parcel.credit, CHUNK_BYTES));
      parcel.at += piece.length;
      parcel.credit -= piece.length;
      this.#out.add({ type: FRAME.DATA, micro: this.#micro, id, body: piece });
    }
    if (parcel.at === parcel.bytes.length) this.#endParcel(id);
  }

  #endParcel(id: number): void {
    this.#parcels.delete(id);
    this.#out.add({ type: FRAME.END, micro: this.#micro, id });
  }

  /** Called now and then: a request whose stream stays open earns time. */
  sweep(now: number): void {
    const openMs = Math.min(now - this.#sweptAt, 1_000);
    this.#sweptAt = now;
    for (const owner of new Set([...this.#streams.values()].map((stream) => stream.owner).concat(this.#sockets.owners))) this.#account.refund(owner, openMs / 1_000 * CPU_MS_PER_SECOND);
  }

  /** The isolate is gone. */
  drop(): void {
    this.#joined = undefined;
    this.#streams.clear();
    this.#parcels.clear();
    this.#sockets.drop();
  }
}
