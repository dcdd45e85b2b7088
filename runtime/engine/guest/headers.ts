// Owns Headers: names and values checked as HTTP demands, order and combination as the Fetch standard says.
import { defineInterface, definePairs, domString, needArguments } from './web-idl.ts';

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\x00-\xff]/;

/** @throws TypeError */
function checkName(name: unknown): string {
  const text = domString(name);
  if (!NAME.test(text)) throw new TypeError(`Invalid header name: ${JSON.stringify(text.slice(0, 100))}`);
  return text.toLowerCase();
}

/** @throws TypeError */
function checkValue(value: unknown): string {
  const text = domString(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (BAD_VALUE.test(text)) throw new TypeError(`Invalid header value: ${JSON.stringify(text.slice(0, 100))}`);
  return text;
}

export type HeadersInit = Headers | Iterable<readonly [string, string]> | Record<string, string>;

/** Flat list: name in lower case, value, name, value. */
export let listOf: (headers: Headers) => string[];
/** Headers around a list that is known to be good. */
export let headersFrom: (list: string[] | string, immutable?: boolean) => Headers;
export let setDefault: (headers: Headers, name: string, value: string) => void;

export class Headers {
  #list: string[] = [];
  /** Lines of a head that nobody has asked for yet. */
  #raw: string | undefined = undefined;
  #immutable = false;
  /** In the order of names, as a walk sees them. */
  #sorted: [string, string][] | undefined = undefined;

  static {
    listOf = (headers) => headers.#parsed();
    headersFrom = (list, immutable = false) => {
      const headers = new Headers();
      if (typeof list === 'string') headers.#raw = list;
      else headers.#list = list;
      headers.#immutable = immutable;
      return headers;
    };
    setDefault = (headers, name, value) => {
      const list = headers.#parsed();
      if (valueAt(list, name, 0) >= 0) return;
      list.push(name, value);
      headers.#sorted = undefined;
    };
    defineInterface(this, { length: 0 });
    definePairs(this, (headers) => headers.#sorted ??= sortedPairs(headers.#parsed()));
  }

  constructor(init?: HeadersInit) {
    if (init === undefined) return;
    if (init === null || (typeof init !== 'object' && typeof init !== 'function')) throw new TypeError('Headers: init is not an object');
    const iterator = (init as any)[Symbol.iterator] as unknown;
    if (iterator === undefined || iterator === null) this.#fillFromRecord(init as Record<string, unknown>);
    else if (#list in init && iterator === PRISTINE_ITERATOR) this.#list = init.#parsed().slice();
    else this.#fillFromPairs(init as Iterable<Iterable<unknown>>);
  }

  append(name: string, value: string): void {
    needArguments(arguments.length, 2, 'append');
    const checked = checkName(name);
    const text = checkValue(value);
    this.#writable().push(checked, text);
  }

  delete(name: string): void {
    needArguments(arguments.length, 1, 'delete');
    const checked = checkName(name);
    const list = this.#writable();
    this.#list = list.filter((_, at) => list[at & ~1] !== checked);
  }

  get(name: string): string | null {
    needArguments(arguments.length, 1, 'get');
    return combined(this.#parsed(), checkName(name));
  }

  getSetCookie(): string[] {
    const list = this.#parsed();
    return list.filter((_, at) => (at & 1) === 1 && list[at - 1] === 'set-cookie');
  }

  has(name: string): boolean {
    needArguments(arguments.length, 1, 'has');
    return valueAt(this.#parsed(), checkName(name), 0) >= 0;
  }

  set(name: string, value: string): void {
    needArguments(arguments.length, 2, 'set');
    const checked = checkName(name);
    const text = checkValue(value);
    const list = this.#writable();
    const at = valueAt(list, checked, 0);
    if (at < 0) {
      list.push(checked, text);
    } else {
      list[at] = text;
      this.#list = list.filter((_, index) => index <= at || list[index & ~1] !== checked);
    }
  }

  /** Everything is read before the first of it is taken. */
  #fillFromRecord(init: Record<string, unknown>): void {
    const list: string[] = [];
    for (const key of Reflect.ownKeys(init)) {
      if (!Reflect.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
      const name = byteString(key);
      list.push(name, byteString(init[name]));
    }
    for (let at = 0; at < list.length; at += 2) this.#list.push(checkName(list[at]), checkValue(list[at + 1]));
  }

  #fillFromPairs(init: Iterable<Iterable<unknown>>): void {
    for (const pair of [...init].map((entry) => [...entry])) {
      if (pair.length !== 2) throw new TypeError('Headers: each entry needs a name and a value');
      this.#list.push(checkName(pair[0]), checkValue(pair[1]));
    }
  }

  #writable(): string[] {
    if (this.#immutable) throw new TypeError('These headers cannot be changed; copy them with new Headers(headers)');
    this.#sorted = undefined;
    return this.#parsed();
  }

  #parsed(): string[] {
    if (this.#raw !== undefined) {
      this.#list = this.#raw === '' ? [] : this.#raw.split('\n');
      for (let at = 0; at < this.#list.length; at += 2) this.#list[at] = this.#list[at]!.toLowerCase();
      this.#raw = undefined;
    }
    return this.#list;
  }

  // What the static block defines.
  declare entries: () => IterableIterator<[string, string]>;
  declare keys: () => IterableIterator<string>;
  declare values: () => IterableIterator<string>;
  declare forEach: (callback: (value: string, name: string, headers: Headers) => void, thisArg?: unknown) => void;
  declare [Symbol.iterator]: () => IterableIterator<[string, string]>;
}
const PRISTINE_ITERATOR = Headers.prototype[Symbol.iterator];

function byteString(value: unknown): string {
  const text = domString(value);
  if (/[^\x00-\xff]/.test(text)) throw new TypeError(`Headers consist of Latin-1 characters: ${JSON.stringify(text.slice(0, 100))}`);
  return text;
}

/** Where the value of a name stands, from `from` on; -1 for nowhere. */
function valueAt(list: string[], name: string, from: number): number {
  for (let at = from; at < list.length; at += 2) if (list[at] === name) return at + 1;
  return -1;
}

function combined(list: string[], name: string): string | null {
  let found: string | null = null;
  for (let at = valueAt(list, name, 0); at >= 0; at = valueAt(list, name, at + 1)) found = found === null ? list[at]! : `${found}, ${list[at]}`;
  return found;
}

function sortedPairs(list: string[]): [string, string][] {
  const names = [...new Set(list.filter((_, at) => (at & 1) === 0))].sort();
  return names.flatMap((name): [string, string][] => {
    if (name !== 'set-cookie') return [[name, combined(list, name)!]];
    return list.filter((_, at) => (at & 1) === 1 && list[at - 1] === name).map((value) => [name, value]);
  });
}
