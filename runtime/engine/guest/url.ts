// Owns URL and URLSearchParams. Plain http(s) addresses are cut up here; everything else is parsed by the Cell's own URL.
import type { AskCell } from './bridge.ts';
import { defineInterface } from './web-idl.ts';

let ask: AskCell;
export function useAskCell(askCell: AskCell): void {
  ask = askCell;
}

/** Questions of `AskCell`. */
export const ASK = { parseUrl: 1, setUrl: 2, random: 3 } as const;

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
  return (base === undefined ? parsePlain(text) : undefined) ?? fromAnswer(ask(ASK.parseUrl, text, base), text);
}

export class URL {
  #parts: Parts;
  #params: URLSearchParams | undefined;

  constructor(url: unknown, base?: unknown) {
    if (arguments.length === 0) throw new TypeError('URL needs an address');
    this.#parts = parse(String(url), base === undefined ? undefined : String(base));
  }

  static canParse(url: unknown, base?: unknown): boolean {
    return URL.parse(url, base) !== null;
  }
  static parse(url: unknown, base?: unknown): URL | null {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  get href() { return this.#parts.href; }
  set href(value: string) { this.#parts = parse(String(value)); this.#refresh(); }
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
    this.#parts = fromAnswer(ask(ASK.setUrl, this.#parts.href, property, String(value)), this.#parts.href);
  }
  #refresh(): void {
    if (this.#params) refill(this.#params, this.#parts.search);
  }
}
defineInterface(URL);

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
  }

  constructor(init: unknown = '') {
    if (typeof init === 'object' && init !== null) {
      if (Symbol.iterator in init) for (const pair of init as Iterable<Iterable<unknown>>) this.#pairs.push(checkPair([...pair]));
      else for (const name of Object.keys(init)) this.#pairs.push([wellFormed(name), wellFormed((init as any)[name])]);
    } else {
      this.#pairs = parsePairs(wellFormed(init).replace(/^\?/, ''));
    }
  }

  get size(): number { return this.#pairs.length; }
  append(name: unknown, value: unknown): void { this.#pairs.push([wellFormed(name), wellFormed(value)]); this.#changed(); }
  delete(name: unknown, value?: unknown): void {
    this.#pairs = this.#pairs.filter((pair) => !matches(pair, name, value));
    this.#changed();
  }
  get(name: unknown): string | null { return this.#pairs.find((pair) => matches(pair, name))?.[1] ?? null; }
  getAll(name: unknown): string[] { return this.#pairs.filter((pair) => matches(pair, name)).map((pair) => pair[1]); }
  has(name: unknown, value?: unknown): boolean { return this.#pairs.some((pair) => matches(pair, name, value)); }
  set(name: unknown, value: unknown): void {
    const first = this.#pairs.findIndex((pair) => matches(pair, name));
    const pair: Pair = [wellFormed(name), wellFormed(value)];
    if (first < 0) this.#pairs.push(pair);
    else this.#pairs = this.#pairs.filter((other, at) => at <= first || !matches(other, name)).with(first, pair);
    this.#changed();
  }
  sort(): void {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#pairs) callback.call(thisArg, value, name, this);
  }
  *entries(): IterableIterator<Pair> { for (let at = 0; at < this.#pairs.length; at++) yield [...this.#pairs[at]!] as Pair; }
  *keys(): IterableIterator<string> { for (const [name] of this.entries()) yield name; }
  *values(): IterableIterator<string> { for (const [, value] of this.entries()) yield value; }
  [Symbol.iterator](): IterableIterator<Pair> { return this.entries(); }
  toString(): string { return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&'); }

  #changed(): void { this.#onChange?.(this.toString()); }
}
defineInterface(URLSearchParams);

function matches(pair: Pair, name: unknown, value?: unknown): boolean {
  return pair[0] === wellFormed(name) && (value === undefined || pair[1] === wellFormed(value));
}

function checkPair(pair: unknown[]): Pair {
  if (pair.length !== 2) throw new TypeError('URLSearchParams: each entry needs a name and a value');
  return [wellFormed(pair[0]), wellFormed(pair[1])];
}

function wellFormed(value: unknown): string {
  return (String(value) as any).toWellFormed();
}

function parsePairs(text: string): Pair[] {
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
