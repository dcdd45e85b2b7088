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
import { ask, HEAD_MAX_BYTES, type Incoming } from './kept.ts';

export interface ExchangeOptions {
  request: MicroRequest;
  ingress: Pick<Ingress, 'path' | 'pool'>;
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
const HEADERS_MAX = 512;
/** Repeating these does no harm, so they may go over a connection that the program may be closing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const BODYLESS = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);
/** They are about one connection, which is not the caller's. */
const OF_CONNECTION = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding']);
/** Refused before anything was sent. Front doors let none of it through; code in an isolate may try. */
const UNSENDABLE = new Set(['UND_ERR_INVALID_ARG', 'ERR_INVALID_CHAR', 'ERR_HTTP_INVALID_HEADER_VALUE', 'ERR_INVALID_HTTP_TOKEN', 'ERR_UNESCAPED_CHARACTERS']);
const AT_ONCE_MS = 1_000;
/** What is said of an answer that is not HTTP, besides the parser's own codes. */
const BROKEN: Record<string, string> = {
  UND_ERR_HEADERS_OVERFLOW: 'its headers are longer than 64 KB', UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'its body is not as long as its Content-Length says',
  'bad response': 'it comes unasked', 'bad upgrade': 'it changes to a protocol that nobody asked for',
};

export class Exchange {
  readonly answer: Promise<MicroResponse>;
  #options: ExchangeOptions;
  /** Ends it, on whatever way it is. */
  #stop = (_error: Error): void => {};
  #begunAt = 0;
  #hasHead = false;
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
  }

  /** Once. What goes wrong, at once or later, is told by `answer` and `onOver`. */
  begin(): void {
    const { request } = this.#options;
    this.#begunAt = performance.now();
    const isRepeatable = SAFE.has(request.method) && request.body === null && request.upgrade !== true;
    this.#send(() => (isRepeatable ? this.#sendKept() : this.#sendAlone()));
  }

  #send(how: () => void): void {
    try {
      how();
    } catch (error) {
      this.#onError(error as NodeJS.ErrnoException);
    }
  }

  /** The caller went. Pages send a change and load themselves anew in the same breath: the program shall have it. */
  leave(error: Error): void {
    if (this.#isAnswered || !isWholeChange(this.#options.request)) this.cancel(error);
    else this.#left = error;
  }

  /** Nobody waits for it any more. */
  cancel(error: Error): void {
    if (!this.#isAnswered) this.#fail(error);
    this.#stop(error);
    this.#end();
  }

  #sendKept(): void {
    const { request, ingress } = this.#options;
    const headers = headersFor(request);
    this.#stop = ask(ingress.pool, { method: request.method, path: pathOf(request.url), headers }, {
      onHead: (answer) => this.#onAnswer(answer),
      onEnd: () => this.#end(),
      onError: (error) => {
        // An idle connection may be closed in the moment in which it is used again. Whoever loses it later, or had an answer
        // already, was at work on it.
        const isAtOnce = !this.#hasHead && performance.now() - this.#begunAt < AT_ONCE_MS;
        if (this.#isAnswered || this.#isOver || !isAtOnce || !isClosed(error)) return this.#onError(error);
        this.#isSecondTry = true;
        this.#send(() => this.#sendAlone());
      },
    });
  }

  /** Over a connection of its own. */
  #sendAlone(): void {
    const { request, ingress } = this.#options;
    const headers = [...headersFor(request), 'Connection', request.upgrade === true ? 'Upgrade' : 'keep-alive'];
    const outgoing = httpRequest({
      socketPath: ingress.path, method: request.method, path: pathOf(request.url), headers: headers as unknown as Record<string, string>,
      agent: false, maxHeaderSize: HEAD_MAX_BYTES, setDefaultHeaders: false,
    });
    this.#stop = () => outgoing.destroy();
    outgoing.on('response', (response) => this.#onResponse(response));
    outgoing.on('upgrade', (response, socket, head) => this.#onUpgrade(response, socket, head));
    outgoing.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    sendBody(outgoing, request.body);
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (!this.#isAnswered) {
      const broken = brokenText(error);
      if (UNSENDABLE.has(error.code ?? '')) this.#fail(new SpaceError('BAD_REQUEST', { reason: 'The request has a method, an address or a header that HTTP does not allow.' }, { cause: error }));
      else if (broken !== undefined) this.#fail(new SpaceError('MICRO_BAD_RESPONSE', { reason: `it is not HTTP (${broken})` }, { cause: error }));
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
    // Whoever reads it hears of it besides; where nobody does, it must not end the host.
    response.on('error', () => {});
    response.once('close', () => {
      if (!this.#isAnswered) this.#fail(new LostConnection(new Error('its answer was cut off'), true));
      this.#end();
    });
    this.#onAnswer(incomingOf(response));
  }

  #onAnswer(answer: Incoming): void {
    const { request } = this.#options;
    this.#hasHead = true;
    if (this.#left) return this.cancel(this.#left);
    const { status, headers } = answer;
    if (status < 200 || status > 599 || headers.length > HEADERS_MAX * 2) {
      return this.cancel(new SpaceError('MICRO_BAD_RESPONSE', { reason: status < 200 || status > 599 ? 'its status is not between 200 and 599' : `it has more than ${HEADERS_MAX} headers` }));
    }
    const length = lengthOf(headers);
    const size = length === undefined ? {} : { sizeBytes: length };
    if (request.method === 'HEAD' || status === 204 || status === 304) {
      answer.skip();
      this.#give({ status, headers, body: null, ...size });
    } else if (length !== undefined && length <= WHOLE_MAX_BYTES) {
      answer.whole((body) => this.#give({ status, headers, body }));
    } else {
      this.#give({ status, headers, body: this.#streamOf(answer), ...size });
    }
  }

  #streamOf(answer: Incoming): Readable {
    const { streamIdleMs, onIdle } = this.#options;
    const idle = setTimeout(() => {
      onIdle();
      const error = new SpaceError('MICRO_TIMEOUT', { limitMs: streamIdleMs });
      body.destroy(error);
      this.#stop(error);
    }, streamIdleMs).unref();
    const body = answer.stream(() => idle.refresh());
    body.once('close', () => clearTimeout(idle));
    return body;
  }

  #give(answer: MicroResponse): void {
    this.#isAnswered = true;
    this.#resolve(answer);
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
    if (!OF_CONNECTION.has(lower) && (lower !== 'upgrade' || upgrade === true)) own.push(headers[at]!, headers[at + 1]!);
    hasHost ||= lower === 'host';
  }
  if (!hasHost) own.push('Host', URL.parse(url)?.host ?? 'localhost');
  if (body instanceof Uint8Array) own.push('Content-Length', String(body.length));
  else if (body !== null) own.push(...(length !== undefined && /^\d{1,15}$/.test(length) ? ['Content-Length', length] : ['Transfer-Encoding', 'chunked']));
  else if (!BODYLESS.has(method)) own.push('Content-Length', '0');
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

function incomingOf(response: IncomingMessage): Incoming {
  return {
    status: response.statusCode ?? 0,
    headers: response.rawHeaders,
    skip: () => void response.resume(),
    whole(done) {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    },
    stream(onMoved) {
      response.socket.on('data', onMoved).on('drain', onMoved);
      return response;
    },
  };
}

function lengthOf(headers: HeaderList): number | undefined {
  const text = headerValue(headers, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Did the other side close the connection, with nothing said? */
function isClosed({ code, message }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE' || (code === 'UND_ERR_SOCKET' && !Object.hasOwn(BROKEN, message));
}

/** `undefined` unless it said something that is not HTTP. */
function brokenText({ name, code = '', message }: NodeJS.ErrnoException): string | undefined {
  if (name === 'HTTPParserError' || code.startsWith('HPE_')) return message.replace(/^(?:Parse Error: |Response does not match the HTTP\/1\.1 protocol \()(.*?)\)?$/, '$1').slice(0, 200);
  return BROKEN[code] ?? (code === 'UND_ERR_SOCKET' ? BROKEN[message] : undefined);
}
