// Owns the WebSockets of one Cell: each joins a connection that the host holds to an end inside the Cell, message by message,
// each way within what the other end asked for. Frames of a Cell are hostile input here as everywhere.
import type { RawData, WebSocket } from 'ws';
import type { Frame, Outgoing } from './frames.ts';
import { FRAME, FLAG, isGuestStream, MESSAGE_COST_BYTES, MESSAGE_MAX_BYTES, ProtocolError, WINDOW_BYTES } from './protocol.ts';

/** A sound Cell has its own, lower limit. */
const SOCKETS_MAX = 1_024;
/** A connection is asked for a sign of life; one that gave none until the next question is cut. */
const PING_MS = 30_000;
const NO_CODE = 1005;
/** @source RFC 6455, 7.4.1, and the registry of close codes: going away, internal error, service restart */
export const SOCKET_CODES = { away: 1001, crashed: 1011, restarting: 1012 } as const;

export interface SocketOptions {
  micro: number;
  id: number;
  /** The request that it belongs to. */
  owner: number;
  send(frame: Outgoing): void;
  /** Both ends have said so. */
  onDone(): void;
}

export class CellSocket {
  readonly owner: number;
  readonly micro: number;
  /** Its connection is closed. */
  onEnd: () => void = () => {};
  #options: SocketOptions;
  #connection: WebSocket | undefined;
  /** What the Cell may still send, and what may still be sent to it. */
  #owed = WINDOW_BYTES;
  #credit = WINDOW_BYTES;
  /** From the Cell, before there is a connection; from the connection, while there is no credit. */
  #outward: { data: string | Uint8Array }[] = [];
  #inward: { data: Buffer; isText: boolean }[] = [];
  #closing: { code: number; reason: string } | undefined;
  #saidClose = false;
  #heardClose = false;
  #pingedAt = 0;
  #isAlive = true;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.owner = options.owner;
    this.micro = options.micro;
  }

  attach(connection: WebSocket): void {
    if (this.#saidClose) return connection.terminate();
    this.#connection = connection;
    // It may have waited for somebody to listen.
    connection.resume();
    connection.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    connection.on('close', (code, reason) => this.#sayClose(code, reason.toString()));
    connection.on('pong', () => { this.#isAlive = true; });
    // What is wrong with a connection ends it, and its end is what counts.
    connection.on('error', () => {});
    for (const { data } of this.#outward.splice(0)) this.#write(data);
    if (this.#closing) this.close(this.#closing.code, this.#closing.reason);
  }

  /** From the Cell. @throws ProtocolError */
  message(frame: Frame): void {
    const { body } = frame;
    const size = body?.length ?? 0;
    if (this.#heardClose || this.#owed <= 0 || size > MESSAGE_MAX_BYTES) throw new ProtocolError('a message that was not asked for');
    this.#owed -= size + MESSAGE_COST_BYTES;
    if (this.#saidClose) return;
    const data = (frame.flags & FLAG.text) === 0 ? Buffer.from(body ?? []) : Buffer.from(body ?? []).toString();
    if (this.#connection) this.#write(data);
    else this.#outward.push({ data });
  }

  /** From the Cell: it sends nothing more. @throws ProtocolError */
  closed(frame: Frame): void {
    if (this.#heardClose) throw new ProtocolError('closed twice');
    this.#heardClose = true;
    this.close(frame.other, frame.utf8());
    this.#settle();
  }

  /** From the Cell. @throws ProtocolError */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (bytes === 0 || this.#credit > WINDOW_BYTES) throw new ProtocolError('too much credit');
    while (this.#credit > 0 && this.#inward.length > 0) this.#pass(this.#inward.shift()!);
    if (this.#inward.length === 0) this.#connection?.resume();
  }

  /** End the connection. */
  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    if (!this.#connection || this.#saidClose) return;
    if (isSendable(code)) this.#connection.close(code, shortened(reason));
    else this.#connection.close();
  }

  /** There will be no connection, or nobody inside is left. */
  drop(code = 1006): void {
    this.close(code, '');
    this.#sayClose(code, '');
  }

  /** Is anybody at the other end? */
  look(now: number): void {
    if (!this.#connection || now - this.#pingedAt < PING_MS) return;
    if (!this.#isAlive) return this.#connection.terminate();
    this.#isAlive = this.#pingedAt === 0;
    if (this.#pingedAt !== 0 && this.#connection.readyState === this.#connection.OPEN) this.#connection.ping();
    this.#pingedAt = now;
  }

  #write(data: string | Uint8Array): void {
    const cost = (typeof data === 'string' ? Buffer.byteLength(data) : data.length) + MESSAGE_COST_BYTES;
    this.#connection!.send(data, { binary: typeof data !== 'string' }, () => this.#giveCredit(cost));
  }

  #giveCredit(bytes: number): void {
    if (this.#heardClose) return;
    this.#owed += bytes;
    const { micro, id, send } = this.#options;
    send({ type: FRAME.CREDIT, micro, id, other: bytes });
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    const message = { data: Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer), isText: !isBinary };
    if (this.#credit > 0 && this.#inward.length === 0) return this.#pass(message);
    this.#inward.push(message);
    this.#connection!.pause();
  }

  #pass({ data, isText }: { data: Buffer; isText: boolean }): void {
    this.#credit -= data.length + MESSAGE_COST_BYTES;
    const { micro, id, send } = this.#options;
    if (!this.#saidClose) send({ type: FRAME.MESSAGE, micro, id, flags: isText ? FLAG.text : 0, body: data, whole: true });
  }

  #sayClose(code: number, reason: string): void {
    if (this.#saidClose) return;
    for (const message of this.#inward.splice(0)) this.#pass(message);
    this.#saidClose = true;
    this.onEnd();
    const { micro, id, send } = this.#options;
    send({ type: FRAME.CLOSE, micro, id, other: code, meta: reason });
    this.#settle();
  }

  #settle(): void {
    if (this.#saidClose && this.#heardClose) this.#options.onDone();
  }
}

export class CellSockets {
  #send: (frame: Outgoing) => void;
  #open = new Map<number, CellSocket>();

  constructor(send: (frame: Outgoing) => void) {
    this.#send = send;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @throws ProtocolError */
  open({ micro, id, owner }: { micro: number; id: number; owner: number }): CellSocket {
    const key = keyOf(micro, id);
    if (!isGuestStream(id) || this.#open.has(key) || this.#open.size >= SOCKETS_MAX) throw new ProtocolError('this socket cannot be opened');
    const socket = new CellSocket({ micro, id, owner, send: this.#send, onDone: () => this.#open.delete(key) });
    this.#open.set(key, socket);
    return socket;
  }

  /** @throws ProtocolError */
  of({ micro, id }: Frame): CellSocket {
    const socket = this.#open.get(keyOf(micro, id));
    if (!socket) throw new ProtocolError('no such socket');
    return socket;
  }

  look(now: number): void {
    for (const socket of this.#open.values()) socket.look(now);
  }

  /** The request is over. */
  release(owner: number): void {
    for (const socket of this.#open.values()) if (socket.owner === owner) socket.close(SOCKET_CODES.away, '');
  }

  closeAll(code: number, reason: string): void {
    for (const socket of this.#open.values()) socket.close(code, reason);
  }

  /** Nobody inside is left, in this Micro or in the whole Cell. */
  lose(code: number, micro?: number): void {
    for (const [key, socket] of this.#open) {
      if (micro !== undefined && socket.micro !== micro) continue;
      this.#open.delete(key);
      socket.drop(code);
    }
  }
}

const MICRO_FACTOR = 2 ** 32;
const keyOf = (micro: number, id: number): number => micro * MICRO_FACTOR + id;

/** @source RFC 6455, 7.4; the rest is never sent. */
function isSendable(code: number): boolean {
  return code === 1000 || (code >= 1001 && code <= 1014 && code !== NO_CODE && code !== 1006 && code !== 1004) || (code >= 3000 && code <= 4999);
}

function shortened(reason: string): string {
  return Buffer.byteLength(reason) <= 123 ? reason : Buffer.from(reason).subarray(0, 120).toString().replace(/\uFFFD+$/, '');
}
