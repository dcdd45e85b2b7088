// Owns Response, and how one is flattened to leave the isolate.
import { Body, bodyFrom, type BodyContent, type BodyState, cloneBody, newBody, receivedBody, takeContent } from './body.ts';
import { Headers, headersFrom, type HeadersInit, listOf, setDefault } from './headers.ts';
import { resolveUrl } from './url.ts';
import { defineInterface, dictionary, domString, needArguments } from './web-idl.ts';
import { canBeGiven, isWebSocket, type WebSocket } from './web-socket.ts';

export interface ResponseInit { status?: number; statusText?: string; headers?: HeadersInit; webSocket?: WebSocket | null }

const NULL_BODY = [101, 103, 204, 205, 304];
const REDIRECTS = [301, 302, 303, 307, 308];
const TEXT_LIST = ['content-type', 'text/plain;charset=UTF-8'];

export let isResponse: (value: unknown) => value is Response;
/** A Response that came from outside. */
export let receivedResponse: (head: string, body: BodyContent, url: string) => Response;
/** Head and content; the Response cannot be used again. @throws TypeError */
export let spendResponse: (response: Response) => { head: string; content: BodyContent; webSocket: WebSocket | undefined };

export class Response extends Body {
  #status = 200;
  #statusText = '';
  #headers: Headers | undefined;
  #state: BodyState;
  #type = 'default';
  #url = '';
  #isRedirected = false;
  #hasOnlyText = false;
  #webSocket: WebSocket | undefined;

  static {
    isResponse = (value): value is Response => typeof value === 'object' && value !== null && #status in value;
    receivedResponse = (head, body, url) => {
      const response = new Response();
      const end = head.indexOf('\n');
      // The address follows the status where redirects led elsewhere.
      const [status, finalUrl] = (end < 0 ? head : head.slice(0, end)).split(' ');
      response.#status = Number(status);
      response.#isRedirected = finalUrl !== undefined;
      response.#headers = headersFrom(end < 0 ? '' : head.slice(end + 1), true);
      response.#state = receivedBody(NULL_BODY.includes(response.#status) ? null : body);
      response.#url = finalUrl ?? url;
      response.#type = 'basic';
      return response;
    };
    spendResponse = (response) => {
      if (response.#status === 0) throw new TypeError('Response.error() is no answer');
      const webSocket = response.#webSocket;
      if (webSocket && !canBeGiven(webSocket)) throw new TypeError('Only an end of a WebSocketPair that was neither accepted nor used before can be given to a Response.');
      return { content: takeContent(response.#state), head: headOf(response), webSocket };
    };
    const headOf = (response: Response): string => {
      if (response.#hasOnlyText && !response.#headers) return TEXT_HEADS[response.#status] ??= `${response.#status}\n${TEXT_LIST.join('\n')}`;
      const list = listOf(response.headers);
      return list.length === 0 ? String(response.#status) : `${response.#status}\n${list.join('\n')}`;
    };
    const TEXT_HEADS: Record<number, string> = {};
  }

  constructor(body: unknown = null, init?: ResponseInit) {
    super();
    if (typeof body === 'string' && init === undefined) {
      this.#state = newBody(body);
      this.#hasOnlyText = true;
      return;
    }
    this.#state = newBody(null);
    if (init !== undefined && init !== null) this.#setHead(dictionary<ResponseInit>(init, 'ResponseInit'));
    if (body !== null && body !== undefined) this.#setBody(body);
  }

  static json(data: unknown, init?: ResponseInit): Response {
    needArguments(arguments.length, 1, 'Response.json');
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('The value cannot be written as JSON');
    const response = new Response(null, init);
    setDefault(response.headers, 'content-type', 'application/json');
    response.#replaceBody(text);
    return response;
  }

  static redirect(url: unknown, status: unknown = 302): Response {
    needArguments(arguments.length, 1, 'Response.redirect');
    const { href } = resolveUrl(url);
    if (!REDIRECTS.includes(Number(status))) throw new RangeError(`${Number(status)} is no redirect status`);
    const response = new Response(null);
    response.#status = Number(status);
    response.#headers = headersFrom(['location', href], true);
    return response;
  }

  static error(): Response {
    const response = new Response(null);
    response.#status = 0;
    response.#type = 'error';
    response.#headers = headersFrom([], true);
    return response;
  }

  get _body(): BodyState { return this.#state; }
  get _type(): string | null { return this.headers.get('content-type'); }
  get status(): number { return this.#status; }
  get statusText(): string { return this.#statusText; }
  get ok(): boolean { return this.#status >= 200 && this.#status < 300; }
  get headers(): Headers {
    this.#headers ??= headersFrom(this.#hasOnlyText ? TEXT_LIST.slice() : []);
    return this.#headers;
  }
  get webSocket(): WebSocket | null { return this.#webSocket ?? null; }
  get type(): string { return this.#type; }
  get url(): string { return this.#url; }
  get redirected(): boolean { return this.#isRedirected; }

  clone(): Response {
    const copy = new Response(null);
    copy.#state = cloneBody(this.#state);
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#headers = headersFrom(listOf(this.headers).slice());
    copy.#type = this.#type;
    copy.#url = this.#url;
    copy.#isRedirected = this.#isRedirected;
    return copy;
  }

  #setHead({ status = 200, statusText = '', headers, webSocket }: ResponseInit): void {
    this.#webSocket = isWebSocket(webSocket) ? webSocket : undefined;
    this.#status = this.#webSocket && Number(status) === 101 ? 101 : checkStatus(status);
    if (this.#webSocket && this.#status !== 101) throw new RangeError('A Response with a WebSocket has the status 101');
    this.#statusText = domString(statusText);
    if (/[^\t\x20-\xff]|\x7f/.test(this.#statusText)) throw new TypeError('Invalid statusText');
    if (headers !== undefined) this.#headers = new Headers(headers);
  }

  #setBody(body: unknown): void {
    const { content, type } = bodyFrom(body);
    this.#replaceBody(content);
    if (type) setDefault(this.headers, 'content-type', type);
  }

  #replaceBody(content: BodyContent): void {
    if (NULL_BODY.includes(this.#status)) throw new TypeError(`A response of status ${this.#status} has no body`);
    this.#state = newBody(content);
  }
}
defineInterface(Response, { length: 0 });

function checkStatus(status: unknown): number {
  const number = Math.trunc(Number(status));
  if (!(number >= 200 && number <= 599)) throw new RangeError(`The status ${String(status)} is not between 200 and 599`);
  return number;
}
