// Owns FormData and multipart/form-data.
import { Blob, bytesOfBlob, File } from './blob.ts';
import { joinBytes } from './buffer-source.ts';
import { decodeText, encodeText } from './encoding.ts';
import { defineInterface, definePairs, needArguments, usvString } from './web-idl.ts';

type Value = string | File;

export class FormData {
  #entries: [string, Value][] = [];

  static {
    defineInterface(this, { length: 0 });
    definePairs(this, (form) => form.#entries);
  }

  constructor(form?: undefined) {
    if (form !== undefined) throw new TypeError('There are no HTML forms here');
  }

  append(name: unknown, value: unknown, filename?: unknown): void {
    needArguments(arguments.length, 2, 'append');
    this.#entries.push(toEntry(name, value, filename, arguments.length > 2));
  }
  set(name: unknown, value: unknown, filename?: unknown): void {
    needArguments(arguments.length, 2, 'set');
    const entry = toEntry(name, value, filename, arguments.length > 2);
    const at = this.#entries.findIndex((other) => other[0] === entry[0]);
    if (at < 0) this.#entries.push(entry);
    else this.#entries = this.#entries.filter((other, index) => index <= at || other[0] !== entry[0]).with(at, entry);
  }
  delete(name: unknown): void {
    needArguments(arguments.length, 1, 'delete');
    const key = usvString(name);
    this.#entries = this.#entries.filter((entry) => entry[0] !== key);
  }
  get(name: unknown): Value | null {
    needArguments(arguments.length, 1, 'get');
    const key = usvString(name);
    return this.#entries.find((entry) => entry[0] === key)?.[1] ?? null;
  }
  getAll(name: unknown): Value[] {
    needArguments(arguments.length, 1, 'getAll');
    const key = usvString(name);
    return this.#entries.filter((entry) => entry[0] === key).map((entry) => entry[1]);
  }
  has(name: unknown): boolean {
    needArguments(arguments.length, 1, 'has');
    const key = usvString(name);
    return this.#entries.some((entry) => entry[0] === key);
  }

  // What the static block defines.
  declare entries: () => IterableIterator<[string, Value]>;
  declare keys: () => IterableIterator<string>;
  declare values: () => IterableIterator<Value>;
  declare forEach: (callback: (value: Value, name: string, form: FormData) => void, thisArg?: unknown) => void;
  declare [Symbol.iterator]: () => IterableIterator<[string, Value]>;
}

function toEntry(name: unknown, value: unknown, filename: unknown, hasFilename: boolean): [string, Value] {
  const key = usvString(name);
  if (!(value instanceof Blob)) {
    if (hasFilename) throw new TypeError('Only a Blob has a file name');
    return [key, usvString(value)];
  }
  if (value instanceof File && filename === undefined) return [key, value];
  const init = { type: value.type, ...(value instanceof File ? { lastModified: value.lastModified } : {}) };
  return [key, new File([value], filename === undefined ? 'blob' : filename, init)];
}

export function formFromPairs(pairs: Iterable<[string, string]>): FormData {
  const form = new FormData();
  for (const [name, value] of pairs) form.append(name, value);
  return form;
}

const quote = (text: string): string => text.replace(/\r\n|\r|\n/g, '%0D%0A').replace(/"/g, '%22');

export function formToMultipart(form: FormData): { content: Uint8Array; type: string } {
  const boundary = `----ownspace${(globalThis as any).crypto.randomUUID()}`;
  const parts: Uint8Array[] = [];
  for (const [name, value] of form) {
    const file = typeof value === 'string' ? '' : `; filename="${quote(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}`;
    parts.push(encodeText(`--${boundary}\r\nContent-Disposition: form-data; name="${quote(name)}"${file}\r\n\r\n`));
    parts.push(typeof value === 'string' ? encodeText(value.replace(/\r\n|\r|\n/g, '\r\n')) : bytesOfBlob(value), encodeText('\r\n'));
  }
  parts.push(encodeText(`--${boundary}--\r\n`));
  return { content: joinBytes(parts), type: `multipart/form-data; boundary=${boundary}` };
}

const BROKEN = 'The body is no complete multipart/form-data';

/** @throws TypeError */
export function formFromMultipart(bytes: Uint8Array, boundary: string | undefined): FormData {
  if (boundary === undefined) throw new TypeError('multipart/form-data without a boundary');
  const mark = encodeText(`--${boundary}`);
  const form = new FormData();
  let at = find(bytes, mark, 0);
  if (at < 0) throw new TypeError(BROKEN);
  for (;;) {
    at += mark.length;
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return form;
    const headEnd = find(bytes, HEAD_END, at);
    const next = headEnd < 0 ? -1 : find(bytes, mark, headEnd + 4);
    if (next < 0) throw new TypeError(BROKEN);
    appendPart(form, decodeText(bytes.subarray(at + 2, headEnd)), bytes.slice(headEnd + 4, next - 2));
    at = next;
  }
}

const HEAD_END = new Uint8Array([13, 10, 13, 10]);

function appendPart(form: FormData, head: string, content: Uint8Array): void {
  const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(head)?.[1] ?? '';
  const name = parameter(disposition, 'name');
  if (name === undefined) throw new TypeError(BROKEN);
  const filename = parameter(disposition, 'filename');
  const type = /^content-type:\s*([^\r\n]*)/im.exec(head)?.[1]?.trim();
  if (filename === undefined) form.append(name, decodeText(content));
  else form.append(name, new File([content], filename, { type: type ?? 'text/plain' }));
}

function parameter(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^;\\s]*))`, 'i').exec(disposition);
  return match ? (match[1] ?? match[2]!).replace(/%0D%0A/gi, '\r\n').replace(/%22/g, '"') : undefined;
}

function find(bytes: Uint8Array, mark: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(mark[0]!, from); at >= 0; at = bytes.indexOf(mark[0]!, at + 1)) {
    let length = 1;
    while (length < mark.length && bytes[at + length] === mark[length]) length++;
    if (length === mark.length) return at;
  }
  return -1;
}
