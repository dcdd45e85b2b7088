// Owns URL and URLSearchParams. Plain http(s) addresses are cut up here; everything else is parsed by the Cell's own URL.
import { ASK, askCell } from './ask-cell.ts';
import { defineInterface, definePairs, needArguments, usvString } from './web-idl.ts';

/** Lower-case host with a letter in its last label, no escapes and no dots to resolve: what needs no parser. */
const PLAIN = /^(https?:)\/\/((?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*)(?::([1-9][0-9]{0,4}))?(\/[A-Za-z0-9\-_~!$&()*+,;=:@/.]*)?(\?[A-Za-z0-9\-._~!$&()*+,;=:@/?%]*)?(#[A-Za-z0-9\-._~!$&()*+,;=:@/?%]*)?$/;

interface Parts {
  href: string; protocol: string; username: string; password: string; host: string; hostname: string;
  port: string; pathname: string; search: string; hash: string; origin: string;
}

function parsePlain(text: string): Parts | undefined {
  const match = PLAIN.exec(text);
  if (!match) return undefined;
  const [, protocol, hostname, port = '', pathname = '/', search = '', hash = ''] = match as unknown as string[];
  if (pathname.includes('/.') || hostname!.includes('xn--') || Number(port) > 65535) return undefined;
  if ((protocol === 'http:' && port === '80') || (protocol === 'https:' && port === '443')) return undefined;
  const host = port === '' ? hostname! : `${hostname}:${port}`;
  const origin = `${protocol}//${host}`;
  const [query, fragment] = [search === '?' ? '' : search, hash === '#' ? '' : hash];
  return { href: `${origin}${pathname}${search}${hash}`, protocol: protocol!, username: '', password: '', host, hostname: hostname!, port: port, pathname: pathname, search: query, hash: fragment, origin };
}

function fromAnswer(answer: string | undefined, shown: string): Parts {
  if (answer === undefined) throw Object.assign(new TypeError(`Invalid URL: ${shown.slice(0, 200)}`), { code: 'ERR_INVALID_URL' });
  const [href, protocol, username, password, host, hostname, port, pathname, search, hash, origin] = answer.split('\n') as any;
  return { href, protocol, username, password, host, hostname, port, pathname, search, hash, origin };
}

function parse(text: string, base?: string): Parts {
  return (base === undefined ? parsePlain(text) : undefined) ?? fromAnswer(askCell(ASK.parseUrl, text, base), text);
}

/** An address that may be relative where the code has set `self.location`, as libraries for pages do. @throws TypeError */
export function resolveUrl(input: unknown): URL {
  const location: unknown = (globalThis as any).location?.href;
  return typeof location === 'string' ? new URL(input, location) : new URL(input);
}

export class URL {
  #parts: Parts;
  #params: URLSearchParams | undefined;

  constructor(url: unknown, base?: unknown) {
    needArguments(arguments.length, 1, 'URL');
    this.#parts = parse(usvString(url), base === undefined ? undefined : usvString(base));
  }

  static canParse(url: unknown, base?: unknown): boolean {
    needArguments(arguments.length, 1, 'URL.canParse');
    return URL.parse(url, base) !== null;
  }
  static parse(url: unknown, base?: unknown): URL | null {
    needArguments(arguments.length, 1, 'URL.parse');
    const [text, baseText] = [usvString(url), base === undefined ? undefined : usvString(base)];
    try {
      return new URL(text, baseText);
    } catch {
      return null;
    }
  }

  get href() { return this.#parts.href; }
  set href(value: string) { this.#parts = parse(usvString(value)); this.#refresh(); }
  get origin() { return this.#parts.origin; }
  get protocol() { return this.#parts.protocol; }
  set protocol(value: string) { this.#set('protocol', value); }
  get username() { return this.#parts.username; }
  set username(value: string) { this.#set('username', value); }
  get password() { return this.#parts.password; }
  set password(value: string) { this.#set('password', value); }
  get host() { return this.#parts.host; }
  set host(value: string) { this.#set('host', value); }
  get hostname() { return this.#parts.hostname; }
  set hostname(value: string) { this.#set('hostname', value); }
  get port() { return this.#parts.port; }
  set port(value: string) { this.#set('port', value); }
  get pathname() { return this.#parts.pathname; }
  set pathname(value: string) { this.#set('pathname', value); }
  get search() { return this.#parts.search; }
  set search(value: string) { this.#set('search', value); this.#refresh(); }
  get hash() { return this.#parts.hash; }
  set hash(value: string) { this.#set('hash', value); }
  get searchParams(): URLSearchParams {
    this.#params ??= boundParams(this.#parts.search, (search) => this.#set('search', search));
    return this.#params;
  }
  toString(): string { return this.#parts.href; }
  toJSON(): string { return this.#parts.href; }

  #set(property: string, value: unknown): void {
    this.#parts = fromAnswer(askCell(ASK.setUrl, this.#parts.href, property, usvString(value)), this.#parts.href);
  }
  #refresh(): void {
    if (this.#params) refill(this.#params, this.#parts.search);
  }
}
defineInterface(URL, { length: 1 });
for (const name of ['parse', 'canParse']) Object.defineProperty((URL as any)[name], 'length', { value: 1, configurable: true });

let boundParams: (search: string, onChange: (search: string) => void) => URLSearchParams;
let refill: (params: URLSearchParams, search: string) => void;

type Pair = [name: string, value: string];

/** application/x-www-form-urlencoded, and the query of a URL. */
export class URLSearchParams {
  #pairs: Pair[] = [];
  #onChange: ((search: string) => void) | undefined;

  static {
    boundParams = (search, onChange) => {
      const params = new URLSearchParams(search);
      params.#onChange = onChange;
      return params;
    };
    refill = (params, search) => { params.#pairs = parsePairs(search.replace(/^\?/, '')); };
    defineInterface(this, { length: 0 });
    definePairs(this, (params) => params.#pairs);
  }

  constructor(init: unknown = '') {
    if ((typeof init !== 'object' && typeof init !== 'function') || init === null) {
      this.#pairs = parsePairs(usvString(init).replace(/^\?/, ''));
      return;
    }
    const iterator = (init as any)[Symbol.iterator] as unknown;
    this.#pairs = iterator === undefined || iterator === null ? pairsOfRecord(init) : [...init as Iterable<Iterable<unknown>>].map(checkPair);
  }

  get size(): number { return this.#pairs.length; }
  append(name: unknown, value: unknown): void {
    needArguments(arguments.length, 2, 'append');
    this.#pairs.push([usvString(name), usvString(value)]);
    this.#changed();
  }
  delete(name: unknown, ...[value]: unknown[]): void {
    needArguments(arguments.length, 1, 'delete');
    const matches = matcher(name, value);
    this.#pairs = this.#pairs.filter((pair) => !matches(pair));
    this.#changed();
  }
  get(name: unknown): string | null {
    needArguments(arguments.length, 1, 'get');
    return this.#pairs.find(matcher(name))?.[1] ?? null;
  }
  getAll(name: unknown): string[] {
    needArguments(arguments.length, 1, 'getAll');
    return this.#pairs.filter(matcher(name)).map((pair) => pair[1]);
  }
  has(name: unknown, ...[value]: unknown[]): boolean {
    needArguments(arguments.length, 1, 'has');
    return this.#pairs.some(matcher(name, value));
  }
  set(name: unknown, value: unknown): void {
    needArguments(arguments.length, 2, 'set');
    const matches = matcher(name);
    const first = this.#pairs.findIndex(matches);
    const pair: Pair = [usvString(name), usvString(value)];
    if (first < 0) this.#pairs.push(pair);
    else this.#pairs = this.#pairs.filter((other, at) => at <= first || !matches(other)).with(first, pair);
    this.#changed();
  }
  sort(): void {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  toString(): string { return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&'); }

  #changed(): void { this.#onChange?.(this.toString()); }

  // What the static block defines.
  declare entries: () => IterableIterator<Pair>;
  declare keys: () => IterableIterator<string>;
  declare values: () => IterableIterator<string>;
  declare forEach: (callback: (value: string, name: string, params: URLSearchParams) => void, thisArg?: unknown) => void;
  declare [Symbol.iterator]: () => IterableIterator<Pair>;
}

/** A value that is given has to be the same, too. */
function matcher(name: unknown, value?: unknown): (pair: Pair) => boolean {
  const key = usvString(name);
  if (value === undefined) return (pair) => pair[0] === key;
  const text = usvString(value);
  return (pair) => pair[0] === key && pair[1] === text;
}

function checkPair(entry: Iterable<unknown>): Pair {
  if (typeof entry !== 'object' || entry === null) throw new TypeError('URLSearchParams: each entry needs a name and a value');
  const pair = [...entry];
  if (pair.length !== 2) throw new TypeError('URLSearchParams: each entry needs a name and a value');
  return [usvString(pair[0]), usvString(pair[1])];
}

/** Names that differ only in what is no Unicode are one name. */
function pairsOfRecord(init: object): Pair[] {
  const pairs = new Map<string, string>();
  for (const key of Reflect.ownKeys(init)) {
    if (Reflect.getOwnPropertyDescriptor(init, key)?.enumerable) pairs.set(usvString(key), usvString((init as any)[key]));
  }
  return [...pairs];
}

export function parsePairs(text: string): Pair[] {
  const pairs: Pair[] = [];
  for (const part of text.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    pairs.push(at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
  }
  return pairs;
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+');
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replace(/\+/g, ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return decodeLoosely(spaced);
  }
}

/** What decodeURIComponent refuses: stray per cent signs stay, bytes that are no UTF-8 become replacement characters. */
function decodeLoosely(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    const bytes = new Uint8Array(run.length / 3);
    for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(run.slice(at * 3 + 1, at * 3 + 3), 16);
    return new (globalThis as any).TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  });
}
