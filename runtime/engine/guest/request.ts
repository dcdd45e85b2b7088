// Owns Request. One that arrives is built from its head without any check: the host made it.
import { type AbortSignal, anySignal, isSignal, newSignal } from './abort.ts';
import { Body, bodyFrom, type BodyState, cloneBody, moveBody, newBody, receivedBody } from './body.ts';
import type { Answer } from './bridge.ts';
import { arrivingBody } from './channel.ts';
import { Headers, headersFrom, type HeadersInit, listOf, setDefault } from './headers.ts';
import { ReadableStream } from './stream.ts';
import { resolveUrl } from './url.ts';
import { defineInterface, dictionary, domString, needArguments, usvString } from './web-idl.ts';

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const UPPER = /^(?:delete|get|head|options|post|put)$/i;

/** What may be chosen, the default first. Only `redirect` changes what this runtime does. */
const CHOICES = {
  mode: ['cors', 'no-cors', 'same-origin'],
  credentials: ['same-origin', 'omit', 'include'],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  redirect: ['follow', 'error', 'manual'],
  referrerPolicy: ['', 'no-referrer', 'no-referrer-when-downgrade', 'same-origin', 'origin', 'strict-origin', 'origin-when-cross-origin', 'strict-origin-when-cross-origin', 'unsafe-url'],
} as const;
type Choice = keyof typeof CHOICES;
interface Traits extends Record<Choice, string> { integrity: string; keepalive: boolean; referrer: string }

const DEFAULTS: Readonly<Traits> = { mode: 'cors', credentials: 'same-origin', cache: 'default', redirect: 'follow', referrerPolicy: '', integrity: '', keepalive: false, referrer: 'about:client' };

export interface RequestInit extends Partial<Traits> {
  method?: string; headers?: HeadersInit; body?: unknown; signal?: AbortSignal | null; duplex?: string; priority?: string; window?: unknown;
}

/** The request that the host sent: its id, and the way to tell it that the caller went away. */
export let incomingRequest: (id: number, head: string, body: Answer['body']) => Request;
/** 0 when the guest made it. */
export let originOf: (request: Request) => number;
export let isRequest: (value: unknown) => value is Request;
/** What the host says that it is about; undefined for any other. */
export let eventOf: (request: Request) => string | undefined;
export let startedSignal: (request: Request) => AbortSignal | undefined;

export class Request extends Body {
  #method = 'GET';
  #url = '';
  #headers: Headers | undefined;
  #head = '';
  #state: BodyState;
  #signal: AbortSignal | undefined;
  #traits = DEFAULTS;
  #origin = 0;
  #event: string | undefined;

  static {
    incomingRequest = (id, head, body) => {
      const request = new Request(undefined, PASS);
      const methodEnd = head.indexOf('\n');
      const urlEnd = head.indexOf('\n', methodEnd + 1);
      // No method has a space: behind one stands an event of the host's.
      const method = head.slice(0, methodEnd);
      const eventStart = method.indexOf(' ');
      request.#method = eventStart < 0 ? method : method.slice(0, eventStart);
      if (eventStart > 0) request.#event = method.slice(eventStart + 1);
      request.#url = urlEnd < 0 ? head.slice(methodEnd + 1) : head.slice(methodEnd + 1, urlEnd);
      request.#head = urlEnd < 0 ? '' : head.slice(urlEnd + 1);
      request.#state = receivedBody(arrivingBody(body, id));
      request.#origin = id;
      return request;
    };
    originOf = (request) => request.#origin;
    eventOf = (request) => request.#event;
    isRequest = (value): value is Request => typeof value === 'object' && value !== null && #origin in value;
    startedSignal = (request) => request.#signal;
  }

  constructor(input: unknown, init?: RequestInit) {
    super();
    this.#state = EMPTY;
    if (init === (PASS as unknown)) return;
    needArguments(arguments.length, 1, 'Request');
    const from = isRequest(input) ? input : undefined;
    if (from) this.#take(from);
    else this.#url = fetchableUrl(input);
    const given = dictionary<RequestInit>(init, 'RequestInit');
    this.#setTraits(given);
    this.#headers = new Headers(given.headers ?? from?.headers);
    this.#setSignal(given.signal);
    this.#setBody(given, from);
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
  get redirect(): string { return this.#traits.redirect; }
  get destination(): string { return this.#method && ''; }
  get referrer(): string { return this.#traits.referrer; }
  get referrerPolicy(): string { return this.#traits.referrerPolicy; }
  get mode(): string { return this.#traits.mode; }
  get credentials(): string { return this.#traits.credentials; }
  get cache(): string { return this.#traits.cache; }
  get integrity(): string { return this.#traits.integrity; }
  get keepalive(): boolean { return this.#traits.keepalive; }
  get isReloadNavigation(): boolean { return this.#method === undefined; }
  get isHistoryNavigation(): boolean { return this.#method === undefined; }
  get duplex(): string { return this.#method && 'half'; }

  clone(): Request {
    const copy = new Request(undefined, PASS);
    copy.#state = cloneBody(this.#state);
    copy.#take(this);
    copy.#headers = headersFrom(listOf(this.headers).slice());
    copy.#signal = anySignal([this.signal]);
    return copy;
  }

  #take(from: Request): void {
    this.#method = from.#method;
    this.#url = from.#url;
    this.#traits = from.#traits;
    this.#origin = from.#origin;
    this.#signal = from.#signal;
  }

  #setTraits(given: RequestInit): void {
    if (given.window !== undefined && given.window !== null) throw new TypeError('window can only be null');
    const { mode, credentials, cache, redirect, referrerPolicy, integrity, keepalive, referrer, method } = given;
    if (method !== undefined) this.#method = checkMethod(method);
    if (given.priority !== undefined && !['high', 'low', 'auto'].includes(domString(given.priority))) throw new TypeError(`priority cannot be ${domString(given.priority)}`);
    const chosen = Object.entries({ mode, credentials, cache, redirect, referrerPolicy }).filter(([, value]) => value !== undefined);
    if (chosen.length === 0 && integrity === undefined && keepalive === undefined && referrer === undefined) return;
    const traits: Traits = { ...this.#traits };
    for (const [name, value] of chosen) traits[name as Choice] = checkChoice(name as Choice, value);
    if (integrity !== undefined) traits.integrity = domString(integrity);
    if (keepalive !== undefined) traits.keepalive = Boolean(keepalive);
    if (referrer !== undefined) traits.referrer = checkReferrer(referrer);
    if (traits.cache === 'only-if-cached' && traits.mode !== 'same-origin') throw new TypeError('cache can be only-if-cached where mode is same-origin');
    if (traits.mode === 'no-cors' && !['GET', 'HEAD', 'POST'].includes(this.#method)) throw new TypeError(`A no-cors request cannot be ${this.#method}`);
    this.#traits = traits;
  }

  /** Follows the one that was given, or that of the request it was made from. */
  #setSignal(given: AbortSignal | null | undefined): void {
    if (given !== undefined && given !== null && !isSignal(given)) throw new TypeError('signal is not an AbortSignal');
    const followed = given === undefined ? this.#signal : given;
    this.#signal = followed ? anySignal([followed]) : undefined;
  }

  #setBody({ body: init, duplex }: RequestInit, from: Request | undefined): void {
    if (duplex !== undefined && domString(duplex) !== 'half') throw new TypeError(`duplex cannot be ${domString(duplex)}`);
    const isGiven = init !== undefined && init !== null;
    const has = isGiven || (from !== undefined && from.#state.content !== null);
    if (has && (this.#method === 'GET' || this.#method === 'HEAD')) throw new TypeError(`A ${this.#method} request has no body`);
    if (isGiven) {
      const { content, type } = bodyFrom(init);
      if (content instanceof ReadableStream && duplex === undefined) throw new TypeError("A request with a stream as its body needs duplex: 'half'");
      this.#state = newBody(content);
      if (type) setDefault(this.#headers!, 'content-type', type);
    } else if (from && has) {
      this.#state = moveBody(from.#state);
    }
  }
}
defineInterface(Request, { length: 1 });

const PASS = {};
const EMPTY = newBody(null);

function checkMethod(method: unknown): string {
  const text = domString(method);
  if (!METHOD.test(text) || /^(?:connect|trace|track)$/i.test(text)) throw new TypeError(`The method ${JSON.stringify(text.slice(0, 50))} is not allowed`);
  return UPPER.test(text) ? text.toUpperCase() : text;
}

function checkChoice(name: Choice, value: unknown): string {
  const text = domString(value);
  if (!(CHOICES[name] as readonly string[]).includes(text)) throw new TypeError(`${name} cannot be ${text}`);
  return text;
}

/** Only an address of one's own origin counts, and here nobody has an origin unless he says so. */
function checkReferrer(value: unknown): string {
  const text = usvString(value);
  if (text === '') return '';
  const url = resolveUrl(text);
  return url.protocol === 'about:' && url.pathname === 'client' || url.origin !== (globalThis as any).location?.origin ? 'about:client' : url.href;
}

function fetchableUrl(input: unknown): string {
  const url = resolveUrl(usvString(input));
  if (url.username !== '' || url.password !== '') throw new TypeError('A URL with a user name or password cannot be fetched');
  return url.href;
}
