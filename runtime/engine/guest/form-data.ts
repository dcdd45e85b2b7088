// Owns FormData and multipart/form-data.
import { Blob, bytesOfBlob, File, joinBytes } from './blob.ts';
import { decodeText, encodeText } from './encoding.ts';
import { defineInterface } from './web-idl.ts';

type Value = string | File;

export class FormData {
  #entries: [string, Value][] = [];

  append(name: unknown, value: unknown, filename?: string): void { this.#entries.push([String(name), toValue(value, filename)]); }
  set(name: unknown, value: unknown, filename?: string): void {
    const key = String(name);
    const at = this.#entries.findIndex((entry) => entry[0] === key);
    const entry: [string, Value] = [key, toValue(value, filename)];
    if (at < 0) this.#entries.push(entry);
    else this.#entries = this.#entries.filter((other, index) => index <= at || other[0] !== key).with(at, entry);
  }
  delete(name: unknown): void { this.#entries = this.#entries.filter((entry) => entry[0] !== String(name)); }
  get(name: unknown): Value | null { return this.#entries.find((entry) => entry[0] === String(name))?.[1] ?? null; }
  getAll(name: unknown): Value[] { return this.#entries.filter((entry) => entry[0] === String(name)).map((entry) => entry[1]); }
  has(name: unknown): boolean { return this.#entries.some((entry) => entry[0] === String(name)); }
  forEach(callback: (value: Value, name: string, form: FormData) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#entries) callback.call(thisArg, value, name, this);
  }
  *entries(): IterableIterator<[string, Value]> { for (const [name, value] of this.#entries) yield [name, value]; }
  *keys(): IterableIterator<string> { for (const [name] of this.#entries) yield name; }
  *values(): IterableIterator<Value> { for (const [, value] of this.#entries) yield value; }
  [Symbol.iterator](): IterableIterator<[string, Value]> { return this.entries(); }
}
defineInterface(FormData);

function toValue(value: unknown, filename?: string): Value {
  if (!(value instanceof Blob)) return (String(value) as any).toWellFormed();
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename ?? 'blob', { type: value.type });
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
export function formFromMultipart(bytes: Uint8Array, type: string): FormData {
  const boundary = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type);
  if (!boundary) throw new TypeError('multipart/form-data without a boundary');
  const mark = encodeText(`--${boundary[1] ?? boundary[2]}`);
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
