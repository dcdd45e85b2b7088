// Owns Request. One that arrives is built from its head without any check: the host made it.
import type { AbortSignal} from './abort.ts';
import { newSignal } from './abort.ts';
import { Body, bodyFrom, type BodyState, cloneBody, newBody, receivedBody } from './body.ts';
import type { Answer } from './bridge.ts';
import { arrivingBody } from './channel.ts';
import { Headers, headersFrom, type HeadersInit, setDefault } from './headers.ts';
import { URL } from './url.ts';
import { defineInterface } from './web-idl.ts';

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const UPPER = /^(?:delete|get|head|options|post|put|patch)$/i;
const REDIRECTS = ['follow', 'error', 'manual'];

export interface RequestInit { method?: string; headers?: HeadersInit; body?: unknown; signal?: AbortSignal | null; redirect?: string }

/** The request that the host sent: its id, and the way to tell it that the caller went away. */
export let incomingRequest: (id: number, head: string, body: Answer['body']) => Request;
/** 0 when the guest made it. */
export let originOf: (request: Request) => number;
export let isRequest: (value: unknown) => value is Request;
export let startedSignal: (request: Request) => AbortSignal | undefined;

export class Request extends Body {
  #method = 'GET';
  #url = '';
  #headers: Headers | undefined;
  #head = '';
  #state: BodyState;
  #signal: AbortSignal | undefined;
  #redirect = 'follow';
  #origin = 0;

  static {
    incomingRequest = (id, head, body) => {
      const request = new Request(undefined, PASS);
      const methodEnd = head.indexOf('\n');
      const urlEnd = head.indexOf('\n', methodEnd + 1);
      request.#method = head.slice(0, methodEnd);
      request.#url = urlEnd < 0 ? head.slice(methodEnd + 1) : head.slice(methodEnd + 1, urlEnd);
      request.#head = urlEnd < 0 ? '' : head.slice(urlEnd + 1);
      request.#state = receivedBody(arrivingBody(body, id));
      request.#origin = id;
      return request;
    };
    originOf = (request) => request.#origin;
    isRequest = (value): value is Request => typeof value === 'object' && value !== null && #origin in value;
    startedSignal = (request) => request.#signal;
  }

  constructor(input: unknown, init: RequestInit = {}) {
    super();
    this.#state = EMPTY;
    if (init === (PASS as unknown)) return;
    if (isRequest(input)) this.#copy(input, init);
    else this.#url = fetchableUrl(input);
    if (init.method !== undefined) this.#method = checkMethod(init.method);
    if (init.headers !== undefined) this.#headers = new Headers(init.headers);
    this.#headers ??= new Headers();
    if (init.signal) this.#signal = init.signal;
    if (init.redirect !== undefined && !REDIRECTS.includes(init.redirect)) throw new TypeError(`redirect cannot be ${init.redirect}`);
    this.#redirect = init.redirect ?? this.#redirect;
    this.#setBody(init.body);
  }

  get _body(): BodyState { return this.#state; }
  get _type(): string | null { return this.headers.get('content-type'); }
  get method(): string { return this.#method; }
  get url(): string { return this.#url; }
  get headers(): Headers {
    this.#headers ??= headersFrom(this.#head, true);
    return this.#headers;
  }
  get signal(): AbortSignal {
    this.#signal ??= newSignal();
    return this.#signal;
  }
  get redirect(): string { return this.#redirect; }
  get destination(): string { return ''; }
  get referrer(): string { return 'about:client'; }
  get referrerPolicy(): string { return ''; }
  get mode(): string { return 'cors'; }
  get credentials(): string { return 'same-origin'; }
  get cache(): string { return 'default'; }
  get integrity(): string { return ''; }
  get keepalive(): boolean { return false; }
  get duplex(): string { return 'half'; }

  clone(): Request {
    const copy = new Request(undefined, PASS);
    copy.#state = cloneBody(this.#state);
    copy.#take(this, headersFrom(listCopy(this.headers), false));
    return copy;
  }

  #copy(input: Request, init: RequestInit): void {
    this.#take(input, new Headers(input.headers));
    if (init.body !== undefined && init.body !== null) return;
    if (input.#state.used || input.#state.stream?.locked) throw new TypeError('The body of that request was read already');
    this.#state = newBody(input.#state.stream ?? input.#state.content, input.#state.maxBytes);
    if (input.#state.content !== null) input.#state.used = true;
  }

  #take(input: Request, headers: Headers): void {
    this.#method = input.#method;
    this.#url = input.#url;
    this.#headers = headers;
    this.#signal = input.#signal;
    this.#redirect = input.#redirect;
    this.#origin = input.#origin;
  }

  #setBody(init: unknown): void {
    if (init !== undefined && init !== null) {
      const { content, type } = bodyFrom(init);
      this.#state = newBody(content);
      if (type) setDefault(this.#headers!, 'content-type', type);
    }
    if (this.#state.content !== null && (this.#method === 'GET' || this.#method === 'HEAD')) throw new TypeError(`A ${this.#method} request has no body`);
  }
}
defineInterface(Request);

const PASS = {};
const EMPTY = newBody(null);

function listCopy(headers: Headers): string[] {
  return [...headers].flat();
}

function checkMethod(method: unknown): string {
  const text = String(method);
  if (!METHOD.test(text) || /^(?:connect|trace|track)$/i.test(text)) throw new TypeError(`The method ${JSON.stringify(text.slice(0, 50))} is not allowed`);
  return UPPER.test(text) ? text.toUpperCase() : text;
}

function fetchableUrl(input: unknown): string {
  const url = new URL(input);
  if (url.username !== '' || url.password !== '') throw new TypeError('A URL with a user name or password cannot be fetched');
  return url.href;
}
