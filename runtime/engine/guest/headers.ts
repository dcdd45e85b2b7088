// Owns Headers: names and values checked as HTTP demands, order and combination as the Fetch standard says.
import { defineInterface } from './web-idl.ts';

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\x00-\xff]/;

/** @throws TypeError */
export function checkName(name: unknown): string {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError(`Invalid header name: ${JSON.stringify(text.slice(0, 100))}`);
  return text.toLowerCase();
}

/** @throws TypeError */
export function checkValue(value: unknown): string {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
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
      if (!headers.has(name)) headers.#list.push(name, value);
    };
  }

  constructor(init?: HeadersInit) {
    if (init === undefined) return;
    if (init === null || (typeof init !== 'object' && typeof init !== 'function')) throw new TypeError('Headers: init is not an object');
    if (#list in init) {
      this.#list = init.#parsed().slice();
    } else if (Symbol.iterator in init) {
      for (const pair of init as Iterable<readonly [string, string]>) this.#appendPair([...pair]);
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (typeof name === 'string' && Object.prototype.propertyIsEnumerable.call(init, name)) this.append(name, (init)[name]!);
      }
    }
  }

  append(name: string, value: string): void {
    const checked = checkName(name);
    const text = checkValue(value);
    this.#writable().push(checked, text);
  }

  delete(name: string): void {
    const checked = checkName(name);
    const list = this.#writable();
    this.#list = list.filter((_, at) => list[at & ~1] !== checked);
  }

  get(name: string): string | null {
    const checked = checkName(name);
    const list = this.#parsed();
    let found: string | null = null;
    for (let at = 0; at < list.length; at += 2) {
      if (list[at] === checked) found = found === null ? list[at + 1]! : `${found}, ${list[at + 1]}`;
    }
    return found;
  }

  getSetCookie(): string[] {
    const list = this.#parsed();
    return list.filter((_, at) => (at & 1) === 1 && list[at - 1] === 'set-cookie');
  }

  has(name: string): boolean {
    const checked = checkName(name);
    const list = this.#parsed();
    for (let at = 0; at < list.length; at += 2) if (list[at] === checked) return true;
    return false;
  }

  set(name: string, value: string): void {
    const checked = checkName(name);
    const text = checkValue(value);
    const list = this.#writable();
    let at = 0;
    while (at < list.length && list[at] !== checked) at += 2;
    if (at >= list.length) {
      list.push(checked, text);
    } else {
      list[at + 1] = text;
      this.#list = list.filter((_, index) => index <= at + 1 || list[index & ~1] !== checked);
    }
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArg?: unknown): void {
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }
  *entries(): IterableIterator<[string, string]> {
    const list = this.#parsed();
    const names: string[] = [];
    for (let at = 0; at < list.length; at += 2) if (!names.includes(list[at]!)) names.push(list[at]!);
    for (const name of names.sort()) {
      if (name === 'set-cookie') for (const value of this.getSetCookie()) yield [name, value];
      else yield [name, this.get(name)!];
    }
  }
  *keys(): IterableIterator<string> { for (const [name] of this) yield name; }
  *values(): IterableIterator<string> { for (const [, value] of this) yield value; }
  [Symbol.iterator](): IterableIterator<[string, string]> { return this.entries(); }

  #appendPair(pair: unknown[]): void {
    if (pair.length !== 2) throw new TypeError('Headers: each entry needs a name and a value');
    this.append(pair[0] as string, pair[1] as string);
  }

  #writable(): string[] {
    if (this.#immutable) throw new TypeError('These headers cannot be changed; copy them with new Headers(headers)');
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
}
defineInterface(Headers);
