// Owns the WebSockets of one Micro inside the Cell. A guest that bends its runtime may say anything: only what the host takes
// from a sound Cell goes on to it.
import type { Frame, FrameWriter } from '../frames.ts';
import { FLAG, FRAME, isGuestStream, MESSAGE_COST_BYTES, MESSAGE_MAX_BYTES, WINDOW_BYTES } from '../protocol.ts';
import type { CpuAccount } from './cpu-account.ts';
import type { GuestRecord } from './records.ts';

const SOCKETS_MAX = 512;

/** `toHost` and `fromHost`: credit that is left for messages each way. */
interface Socket { owner: number; isAnnounced: boolean; toHost: number; fromHost: number; saidClose: boolean; heardClose: boolean }

export class MicroSockets {
  #micro: number;
  #out: FrameWriter;
  #account: CpuAccount;
  #open = new Map<number, Socket>();

  constructor(micro: number, out: FrameWriter, account: CpuAccount) {
    this.#micro = micro;
    this.#out = out;
    this.#account = account;
  }

  has(id: number): boolean {
    return this.#open.has(id);
  }

  get owners(): number[] {
    return [...this.#open.values()].map(({ owner }) => owner);
  }

  /** Its RESPONSE or CALL goes to the host now. @throws TypeError */
  announce(id: number): void {
    const socket = this.#open.get(id);
    if (!socket || socket.isAnnounced) throw new TypeError('no such socket');
    socket.isAnnounced = true;
  }

  /** A frame from the host. @returns the request that it belongs to */
  take(frame: Frame): number {
    const socket = this.#open.get(frame.id)!;
    if (frame.type === FRAME.CREDIT) socket.toHost += frame.other;
    if (frame.type === FRAME.MESSAGE) socket.fromHost -= (frame.body?.length ?? 0) + MESSAGE_COST_BYTES;
    if (frame.type === FRAME.CLOSE) {
      socket.heardClose = true;
      this.#settle(frame.id, socket);
    }
    return socket.owner;
  }

  /** What the guest says. @returns false when it says something else  @throws TypeError for what no sound guest says */
  say({ kind, id, other, meta }: GuestRecord, body: string | Uint8Array | null): boolean {
    switch (kind) {
      case 'S': this.#begin(id, other); return true;
      case 'M': this.#sendMessage(id, other, body); return true;
      case 'X': this.#close(id, other, meta); return true;
      case 'W': return this.#grant(id, other);
      default: return false;
    }
  }

  #begin(id: number, owner: number): void {
    if (!isGuestStream(id) || this.#open.has(id) || this.#open.size >= SOCKETS_MAX) throw new TypeError('no such socket');
    this.#open.set(id, { owner: this.#account.has(owner) ? owner : 0, isAnnounced: false, toHost: WINDOW_BYTES, fromHost: WINDOW_BYTES, saidClose: false, heardClose: false });
  }

  #sendMessage(id: number, isText: number, body: string | Uint8Array | null): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body ?? new Uint8Array(0);
    const socket = this.#spoken(id);
    if (socket.toHost <= 0 || bytes.length > MESSAGE_MAX_BYTES) throw new TypeError('a message that was not asked for');
    socket.toHost -= bytes.length + MESSAGE_COST_BYTES;
    this.#out.add({ type: FRAME.MESSAGE, micro: this.#micro, id, flags: isText === 1 ? FLAG.text : 0, body: bytes, whole: true });
  }

  #close(id: number, code: number, reason: string): void {
    const socket = this.#spoken(id);
    socket.saidClose = true;
    this.#out.add({ type: FRAME.CLOSE, micro: this.#micro, id, other: code, meta: reason.slice(0, 123) });
    this.#settle(id, socket);
  }

  #spoken(id: number): Socket {
    const socket = this.#open.get(id);
    if (!socket?.isAnnounced || socket.saidClose) throw new TypeError('no such socket');
    return socket;
  }

  /** Said of a socket that is closed by now, it was on its way. */
  #grant(id: number, bytes: number): boolean {
    if (!isGuestStream(id)) return false;
    const socket = this.#open.get(id);
    if (!socket || socket.saidClose) return true;
    if (bytes === 0 || socket.fromHost + bytes > WINDOW_BYTES) throw new TypeError('too much credit');
    socket.fromHost += bytes;
    this.#out.add({ type: FRAME.CREDIT, micro: this.#micro, id, other: bytes });
    return true;
  }

  #settle(id: number, { saidClose, heardClose }: Socket): void {
    if (saidClose && heardClose) this.#open.delete(id);
  }

  drop(): void {
    this.#open.clear();
  }
}
