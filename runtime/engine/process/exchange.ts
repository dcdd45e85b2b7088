// Owns one request to a program and its answer: plain HTTP over the program's socket, streamed both ways as fast as the slower
// side takes it, WebSockets passed through as they are. Whoever goes first takes the other along, but what changes something
// reaches the program once it came whole. Knows nothing of why a program ended.
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { SpaceError } from '../../../core/errors.ts';
import { headerValue } from '../../http/headers.ts';
import type { HeaderList, MicroRequest, MicroResponse } from '../engine.ts';
import type { Ingress } from './ingress.ts';

export interface ExchangeOptions {
  request: MicroRequest;
  ingress: Pick<Ingress, 'path' | 'agent'>;
  streamIdleMs: number;
  /** The program has nothing more to do with it: answered in full, given up, or lost. */
  onOver(): void;
  /** Nothing went through a stream for so long that it was cut. */
  onIdle(): void;
}

/** The connection broke before an answer; `isTaken` unless it is certain that the program never had the request. */
export class LostConnection extends Error {
  isTaken: boolean;

  constructor(cause: NodeJS.ErrnoException, isTaken: boolean) {
    super(cause.message, { cause });
    this.isTaken = isTaken;
  }
}

/** Bodies up to this, whose length is known, are sent on in one piece. */
const WHOLE_MAX_BYTES = 64 * 1024;
const HEAD_MAX_BYTES = 64 * 1024;
const HEADERS_MAX = 512;
/** Repeating these does no harm, so they may go over a connection that the program may be closing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const BODYLESS = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

export class Exchange {
  readonly answer: Promise<MicroResponse>;
  #options: ExchangeOptions;
  #outgoing!: ClientRequest;
  #resolve!: (answer: MicroResponse) => void;
  #reject!: (error: Error) => void;
  #isOver = false;
  #isAnswered = false;
  #isSecondTry = false;
  #left: Error | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { request } = options;
    this.#send(SAFE.has(request.method) && request.body === null && request.upgrade !== true);
  }

  /** The caller went. Pages send a change and load themselves anew in the same breath: the program shall have it. */
  leave(error: Error): void {
    if (this.#isAnswered || !isWholeChange(this.#options.request)) this.cancel(error);
    else this.#left = error;
  }

  /** Nobody waits for it any more. */
  cancel(error: Error): void {
    if (!this.#isAnswered) this.#fail(error);
    this.#outgoing.destroy();
    this.#end();
  }

  #send(isShared: boolean): void {
    const { request, ingress } = this.#options;
    const outgoing = httpRequest({
      socketPath: ingress.path, method: request.method, path: pathOf(request.url), headers: headersFor(request) as unknown as Record<string, string>,
      agent: isShared ? ingress.agent : false, maxHeaderSize: HEAD_MAX_BYTES, setDefaultHeaders: false,
    });
    this.#outgoing = outgoing;
    outgoing.on('response', (response) => this.#onResponse(response));
    outgoing.on('upgrade', (response, socket, head) => this.#onUpgrade(response, socket, head));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      // An idle connection may be closed in the moment in which it is used again.
      if (!this.#isAnswered && !this.#isOver && isShared && outgoing.reusedSocket && error.code === 'ECONNRESET') {
        this.#isSecondTry = true;
        return this.#send(false);
      }
      this.#onError(error);
    });
    sendBody(outgoing, request.body);
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (!this.#isAnswered) {
      const isBroken = error.code?.startsWith('HPE_') ?? false;
      if (isBroken) this.#fail(new SpaceError('MICRO_BAD_RESPONSE', { reason: `it is not HTTP (${brokenText(error)})` }, { cause: error }));
      else this.#fail(new LostConnection(error, this.#isSecondTry || (error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')));
    }
    this.#end();
  }

  #fail(error: Error): void {
    this.#isAnswered = true;
    this.#reject(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onOver();
  }

  #onResponse(response: IncomingMessage): void {
    const { request, streamIdleMs } = this.#options;
    // Whoever reads it hears of it besides; where nobody does, it must not end the host.
    response.on('error', () => {});
    response.once('close', () => this.#end());
    if (this.#left) {
      this.cancel(this.#left);
      return;
    }
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 599 || response.rawHeaders.length > HEADERS_MAX * 2) {
      this.cancel(new SpaceError('MICRO_BAD_RESPONSE', { reason: status < 200 || status > 599 ? 'its status is not between 200 and 599' : `it has more than ${HEADERS_MAX} headers` }));
      return;
    }
    const head = { status, headers: response.rawHeaders };
    const length = lengthOf(response);
    if (request.method === 'HEAD' || status === 204 || status === 304) {
      response.resume();
      this.#give({ ...head, body: null, ...(length === undefined ? {} : { sizeBytes: length }) });
    } else if (length !== undefined && length <= WHOLE_MAX_BYTES) {
      this.#collect(response, head);
    } else {
      this.#outgoing.setTimeout(streamIdleMs, () => this.#cutIdle(response));
      this.#give({ ...head, body: response, ...(length === undefined ? {} : { sizeBytes: length }) });
    }
  }

  #give(answer: MicroResponse): void {
    this.#isAnswered = true;
    this.#resolve(answer);
  }

  #collect(response: IncomingMessage, head: Pick<MicroResponse, 'status' | 'headers'>): void {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.once('end', () => this.#give({ ...head, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }));
    response.once('close', () => {
      if (!this.#isAnswered) this.#fail(new LostConnection(new Error('its answer was cut off'), true));
    });
  }

  #cutIdle(response: IncomingMessage): void {
    this.#options.onIdle();
    response.destroy(new SpaceError('MICRO_TIMEOUT', { limitMs: this.#options.streamIdleMs }));
    this.#outgoing.destroy();
  }

  #onUpgrade(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { request, streamIdleMs } = this.#options;
    socket.on('error', () => {});
    if (request.upgrade !== true || response.statusCode !== 101) {
      socket.destroy();
      this.cancel(new SpaceError('MICRO_BAD_RESPONSE', { reason: 'it changes to another protocol, for which this request did not ask' }));
      return;
    }
    (socket as unknown as { setTimeout(ms: number, then: () => void): void }).setTimeout(streamIdleMs, () => {
      this.#options.onIdle();
      socket.destroy();
    });
    socket.once('close', () => this.#end());
    this.#give({ status: 101, headers: response.rawHeaders, body: null, connection: { socket, head } });
  }
}

/** Does it change something, and is nothing of it missing? */
export function isWholeChange({ method, body, upgrade }: MicroRequest): boolean {
  return !SAFE.has(method) && upgrade !== true && (!(body instanceof Readable) || body.readableEnded);
}

/** A small body is taken in whole while its program starts: it is lost with its connection otherwise. */
export function withWholeBody(request: MicroRequest): MicroRequest | Promise<MicroRequest> {
  const { method, body, headers, upgrade } = request;
  if (!(body instanceof Readable) || SAFE.has(method) || upgrade === true) return request;
  const length = headerValue(headers, 'content-length');
  if (length === undefined || !/^\d{1,6}$/.test(length) || Number(length) > WHOLE_MAX_BYTES) return request;
  return buffer(body).then((bytes) => ({ ...request, body: bytes }));
}

/** As it came: what an app sees is what the decision about it was made on. */
function pathOf(url: string): string {
  const at = url.indexOf('/', url.indexOf('://') + 3);
  if (at < 0) return '/';
  const end = url.indexOf('#', at);
  return end < 0 ? url.slice(at) : url.slice(at, end);
}

/** What was claimed of the body's length counts only where it is the body that is sent. */
function headersFor({ method, headers, body, upgrade, url }: MicroRequest): HeaderList {
  const own: HeaderList = [];
  let length: string | undefined;
  let hasHost = false;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const lower = headers[at]!.toLowerCase();
    if (lower === 'content-length') length ??= headers[at + 1];
    else if (lower !== 'connection' && lower !== 'transfer-encoding' && (lower !== 'upgrade' || upgrade === true)) own.push(headers[at]!, headers[at + 1]!);
    hasHost ||= lower === 'host';
  }
  if (!hasHost) own.push('Host', URL.parse(url)?.host ?? 'localhost');
  if (body instanceof Uint8Array) own.push('Content-Length', String(body.length));
  else if (body !== null) own.push(...(length !== undefined && /^\d{1,15}$/.test(length) ? ['Content-Length', length] : ['Transfer-Encoding', 'chunked']));
  else if (!BODYLESS.has(method)) own.push('Content-Length', '0');
  own.push('Connection', upgrade === true ? 'Upgrade' : 'keep-alive');
  return own;
}

/** When the program does not read to the end, the rest goes nowhere: its answer has to reach the one who is still sending. */
function sendBody(outgoing: ClientRequest, body: MicroRequest['body']): void {
  if (!(body instanceof Readable)) {
    outgoing.end(body ?? undefined);
    return;
  }
  const lost = (): void => void outgoing.destroy();
  body.once('error', lost);
  body.once('close', () => { if (!body.readableEnded) lost(); });
  outgoing.once('close', () => {
    body.off('error', lost);
    body.unpipe(outgoing);
    body.resume();
  });
  body.pipe(outgoing);
}

function lengthOf({ rawHeaders }: IncomingMessage): number | undefined {
  const text = headerValue(rawHeaders, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function brokenText({ message }: Error): string {
  return message.replace(/^Parse Error: /, '').slice(0, 200);
}
