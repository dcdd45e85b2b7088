// Owns WebSocket: as a client, and the two ends of a WebSocketPair, one of which a Response carries out of the isolate.
// The host speaks the protocol; here are only messages, each way within what the other end asked for.
// @source WebSockets standard; WebSocketPair as Cloudflare Workers have it
import { beginWork, finishWork } from './background.ts';
import { Blob, blobAround, bytesOfBlob } from './blob.ts';
import { callHost, current, emit, RECORD, setCurrent } from './bridge.ts';
import { bytesOfSource } from './buffer-source.ts';
import { nextStreamId } from './channel.ts';
import { DOMException } from './dom-exception.ts';
import { encodeText } from './encoding.ts';
import { CloseEvent, Event, EventTarget, Handler, MessageEvent } from './events.ts';
import { OwnMap } from './own-map.ts';
import { URL } from './url.ts';
import { defineInterface } from './web-idl.ts';

/** The numbers are those of cell/protocol.ts. */
const WINDOW = 256 * 1024;
const MESSAGE_MAX = 1024 * 1024;
const MESSAGE_COST = 64;
const BUFFERED_MAX = 16 * 1024 * 1024;

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

type Data = string | Uint8Array;
interface Closing { code: number; reason: string }

/** An end whose other end is the host: the id of its stream, and what may be sent. */
interface Line { id: number; owner: number; isAnnounced: boolean; saidClose: boolean; credit: number; waiting: Data[]; waitingBytes: number; received: number; closing: Closing | undefined }

const lines = new OwnMap<number, WebSocket>();
const PASS = {};

let pairOf: (a: WebSocket, b: WebSocket) => void;
/** Can a Response carry it? */
export let canBeGiven: (socket: WebSocket) => boolean;
/** The end that a Response carries becomes the client's connection. @returns the end that stays, when `canBeGiven` */
export let connectToHost: (socket: WebSocket, owner: number) => WebSocket;
/** The host has heard of this end: from now on messages may leave. */
export let announceLine: (socket: WebSocket) => void;
export let lineId: (socket: WebSocket) => number;
export let isWebSocket: (value: unknown) => value is WebSocket;
let take: (socket: WebSocket, data: string | ArrayBuffer) => void;
let grant: (socket: WebSocket, bytes: number) => void;
let finish: (socket: WebSocket, closing: Closing, wasClean: boolean) => void;
let ownerOf: (socket: WebSocket) => number;

export class WebSocket extends EventTarget {
  #state: number = CONNECTING;
  #url = '';
  #protocol = '';
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  #peer: WebSocket | undefined;
  #line: Line | undefined;
  #isGiven = false;
  #isAccepted = true;
  /** What came before `accept()`. */
  #early: (() => void)[] = [];
  #handlers: Record<string, Handler> = {};

  static {
    pairOf = (a, b) => {
      for (const [one, other] of [[a, b], [b, a]] as const) {
        one.#state = OPEN;
        one.#peer = other;
        one.#isAccepted = false;
        one.#binaryType = 'arraybuffer';
      }
    };
    canBeGiven = (socket) => socket.#peer !== undefined && !socket.#isGiven && !socket.#isAccepted;
    connectToHost = (socket, owner) => {
      const peer = socket.#peer!;
      socket.#isGiven = true;
      peer.#openLine(owner);
      for (const send of socket.#early.splice(0)) send();
      return peer;
    };
    isWebSocket = (value): value is WebSocket => typeof value === 'object' && value !== null && #state in value;
    take = (socket, data) => socket.#receive(data);
    grant = (socket, bytes) => {
      socket.#line!.credit += bytes;
      socket.#drain();
    };
    finish = (socket, closing, wasClean) => socket.#finish(closing, wasClean);
    announceLine = (socket) => {
      socket.#line!.isAnnounced = true;
      socket.#drain();
    };
    lineId = (socket) => socket.#line!.id;
    ownerOf = (socket) => socket.#line?.owner ?? 0;
  }

  constructor(url: unknown, protocols: unknown = []) {
    super();
    if (url === PASS) return;
    this.#url = socketUrl(url);
    const list = Array.isArray(protocols) ? protocols.map(String) : [String(protocols)];
    if (!list.every((one) => TOKEN.test(one)) || new Set(list).size !== list.length) throw new DOMException('The protocols are not valid', 'SyntaxError');
    this.#openLine(current);
    const { id, owner } = this.#line!;
    // Where it fails, the end of the line says so.
    callHost(['socket', this.#url, ...list], () => id, { owner, onSent: () => announceLine(this) }).then((answer) => this.#opened(answer.meta), () => {});
  }

  get readyState(): number { return this.#state; }
  get url(): string { return this.#url; }
  get protocol(): string { return this.#protocol; }
  get extensions(): string { return ''; }
  get bufferedAmount(): number { return this.#line?.waitingBytes ?? 0; }
  get binaryType() { return this.#binaryType; }
  set binaryType(value) { if (value === 'blob' || value === 'arraybuffer') this.#binaryType = value; }
  get onopen() { return this.#handler('open').get(); }
  set onopen(listener) { this.#handler('open').set(listener); }
  get onmessage() { return this.#handler('message').get(); }
  set onmessage(listener) { this.#handler('message').set(listener); }
  get onclose() { return this.#handler('close').get(); }
  set onclose(listener) { this.#handler('close').set(listener); }
  get onerror() { return this.#handler('error').get(); }
  set onerror(listener) { this.#handler('error').set(listener); }

  /** Of a WebSocketPair: from now on messages come. */
  accept(): void {
    if (this.#isGiven) throw new TypeError('This end was given away with a Response');
    this.#isAccepted = true;
    for (const deliver of this.#early.splice(0)) queueJob(deliver);
  }

  send(data: unknown): void {
    if (this.#state === CONNECTING) throw new DOMException('The WebSocket is not open yet', 'InvalidStateError');
    if (this.#peer && !this.#isAccepted) throw new TypeError('Call accept() before send()');
    const content = contentOf(data);
    if (content.length > MESSAGE_MAX) throw new TypeError(`A message has up to ${MESSAGE_MAX} bytes`);
    if (this.#state !== OPEN) return;
    if (this.#line) this.#post(content);
    else this.#peer!.#arrive(() => this.#peer!.#deliver(typeof content === 'string' ? content : content.slice().buffer), () => this.#post(content));
  }

  close(code?: number, reason = ''): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new DOMException('The code must be 1000, or between 3000 and 4999', 'InvalidAccessError');
    const text = String(reason);
    if (encodeText(text).length > 123) throw new DOMException('The reason is longer than 123 bytes', 'SyntaxError');
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    const closing = { code: code ?? 1005, reason: text };
    if (this.#line) this.#closeLine(closing);
    else this.#peer!.#arrive(() => { this.#peer!.#finish(closing, true); this.#finish(closing, true); }, () => this.#closeLine(closing));
  }

  /** For this end of a pair: now, or once somebody listens; `out`: or once it is the host's. */
  #arrive(deliver: () => void, out: () => void): void {
    if (this.#isAccepted) queueJob(deliver);
    else this.#early.push(() => (this.#isGiven ? out() : deliver()));
  }

  #openLine(owner: number): void {
    const id = nextStreamId();
    this.#line = { id, owner, isAnnounced: false, saidClose: false, credit: WINDOW, waiting: [], waitingBytes: 0, received: 0, closing: undefined };
    lines.set(id, this);
    emit(RECORD.socket, id, owner, '', null);
    beginWork(owner);
  }

  #opened(protocol: string): void {
    if (this.#state !== CONNECTING) return;
    this.#state = OPEN;
    this.#protocol = protocol;
    this.#dispatch(new Event('open'));
  }

  #post(content: Data): void {
    const line = this.#line!;
    line.waitingBytes += content.length;
    if (line.waitingBytes > BUFFERED_MAX) throw new DOMException(`More than ${BUFFERED_MAX} bytes wait to be sent`, 'QuotaExceededError');
    line.waiting.push(typeof content === 'string' ? content : content.slice());
    this.#drain();
  }

  #closeLine(closing: Closing): void {
    this.#line!.closing = closing;
    this.#drain();
  }

  #drain(): void {
    const line = this.#line!;
    if (!line.isAnnounced) return;
    while (line.credit > 0 && line.waiting.length > 0) {
      const content = line.waiting.shift()!;
      line.waitingBytes -= content.length;
      const bytes = typeof content === 'string' ? encodeText(content) : content;
      line.credit -= bytes.length + MESSAGE_COST;
      emit(RECORD.message, line.id, typeof content === 'string' ? 1 : 0, '', bytes);
    }
    if (line.closing && line.waiting.length === 0) {
      if (!line.saidClose) emit(RECORD.close, line.id, line.closing.code, line.closing.reason, null);
      line.saidClose = true;
      line.closing = undefined;
    }
  }

  #receive(data: string | ArrayBuffer): void {
    const line = this.#line!;
    line.received += (typeof data === 'string' ? encodeText(data).length : data.byteLength) + MESSAGE_COST;
    const deliver = (): void => {
      if (line.received >= WINDOW / 4) {
        emit(RECORD.credit, line.id, line.received, '', null);
        line.received = 0;
      }
      this.#deliver(data);
    };
    if (this.#isAccepted) deliver();
    else this.#early.push(deliver);
  }

  #deliver(data: string | ArrayBuffer): void {
    if (this.#state === CLOSED) return;
    const isBlob = typeof data !== 'string' && this.#binaryType === 'blob';
    this.#dispatch(new MessageEvent('message', { data: isBlob ? blobAround(new Uint8Array(data), '') : data, origin: this.#url === '' ? '' : new URL(this.#url).origin }));
  }

  #finish({ code, reason }: Closing, wasClean: boolean): void {
    if (this.#state === CLOSED) return;
    if (this.#state === CONNECTING) this.#dispatch(new Event('error'));
    this.#state = CLOSED;
    const line = this.#line;
    if (line) {
      // Each end says once that it is done.
      line.waiting = [];
      line.isAnnounced = true;
      line.closing ??= { code, reason: '' };
      this.#drain();
    }
    this.#dispatch(new CloseEvent('close', { code, reason, wasClean }));
    if (!line) return;
    lines.delete(line.id);
    finishWork(line.owner);
  }

  #dispatch(event: Event): void {
    const before = current;
    if (this.#line) setCurrent(this.#line.owner);
    this.dispatchEvent(event);
    setCurrent(before);
  }

  #handler(type: string): Handler {
    return this.#handlers[type] ??= new Handler(this, type);
  }
}
for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  for (const target of [WebSocket, WebSocket.prototype]) Object.defineProperty(target, name, { value, enumerable: true });
}
defineInterface(WebSocket);

/** Two ends, each of which hears what the other one sends. */
export class WebSocketPair {
  0: WebSocket;
  1: WebSocket;
  constructor() {
    this[0] = new WebSocket(PASS);
    this[1] = new WebSocket(PASS);
    pairOf(this[0], this[1]);
  }
}

const settled = Promise.resolve();
const then = Promise.prototype.then;
function queueJob(job: () => void): void {
  Reflect.apply(then, settled, [job]);
}

function socketUrl(value: unknown): string {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw new DOMException('The address of the WebSocket is not valid', 'SyntaxError');
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if ((url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.hash !== '') throw new DOMException('The address of a WebSocket begins with ws: or wss: and has no fragment', 'SyntaxError');
  return url.href;
}

function contentOf(data: unknown): Data {
  if (data instanceof Blob) return bytesOfBlob(data);
  return bytesOfSource(data) ?? String(data);
}

/** A message from outside. */
export function takeMessage(id: number, data: string | ArrayBuffer): void {
  const socket = lines.get(id);
  if (socket) as(socket, () => take(socket, data));
}

/** @returns whether the id is that of a WebSocket */
export function takeSocketCredit(id: number, bytes: number): boolean {
  const socket = lines.get(id);
  if (socket) as(socket, () => grant(socket, bytes));
  return socket !== undefined;
}

/** @param told its code, a space, its reason */
export function takeClose(id: number, told: string): void {
  const socket = lines.get(id);
  const at = told.indexOf(' ');
  const code = Number(told.slice(0, at));
  if (socket) as(socket, () => finish(socket, { code, reason: told.slice(at + 1) }, code !== 1006));
}

function as(socket: WebSocket, run: () => void): void {
  setCurrent(ownerOf(socket));
  run();
  setCurrent(0);
}
