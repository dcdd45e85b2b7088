// Owns Blob and File, held in memory. Their bytes never change, so slices share them.
import { bytesOfSource, joinBytes } from './buffer-source.ts';
import { decodeText, encodeText } from './encoding.ts';
import { ReadableStream } from './stream.ts';
import { defineInterface, dictionary, domString, needArguments, usvString } from './web-idl.ts';

/** The bytes themselves: do not change them. */
export let bytesOfBlob: (blob: Blob) => Uint8Array;
/** A Blob around bytes that nobody else changes. */
export let blobAround: (bytes: Uint8Array, type: string) => Blob;

export interface BlobOptions { endings?: 'transparent' | 'native'; type?: unknown }

const CHUNK_BYTES = 64 * 1024;

export class Blob {
  #bytes: Uint8Array;
  #type: string;

  static {
    bytesOfBlob = (blob) => blob.#bytes;
    blobAround = (bytes, type) => {
      const blob = new Blob([], { type });
      blob.#bytes = bytes;
      return blob;
    };
  }

  constructor(parts?: Iterable<unknown>, options?: BlobOptions) {
    const list = parts === undefined ? [] : partsOf(parts);
    const { endings = 'transparent', type = '' } = dictionary(options, 'BlobPropertyBag');
    const how = domString(endings);
    if (how !== 'transparent' && how !== 'native') throw new TypeError(`endings cannot be ${how}`);
    this.#type = checkedType(type);
    this.#bytes = joinBytes(list.map((part) => bytesOfPart(part, how === 'native')));
  }

  get size(): number { return this.#bytes.length; }
  get type(): string { return this.#type; }
  slice(start: unknown = 0, end?: unknown, type: unknown = ''): Blob {
    const place = (value: unknown): number => {
      const at = clamp(value);
      return at < 0 ? Math.max(this.size + at, 0) : Math.min(at, this.size);
    };
    const from = place(start);
    const to = end === undefined ? this.size : place(end);
    return blobAround(this.#bytes.subarray(from, Math.max(from, to)), domString(type));
  }
  async text(): Promise<string> { return decodeText(this.#bytes); }
  async arrayBuffer(): Promise<ArrayBuffer> { return this.#bytes.slice().buffer; }
  async bytes(): Promise<Uint8Array> { return this.#bytes.slice(); }
  stream(): ReadableStream {
    const bytes = this.#bytes;
    let at = 0;
    return new ReadableStream({
      type: 'bytes',
      pull(controller) {
        const chunk = bytes.slice(at, at + CHUNK_BYTES);
        at += chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        if (at < bytes.length) return;
        controller.close();
        controller.byobRequest?.respond(0);
      },
    }, { highWaterMark: 0 });
  }
}
defineInterface(Blob, { length: 0 });

export class File extends Blob {
  #name: string;
  #lastModified: number;
  constructor(parts: Iterable<unknown>, name: unknown, options?: BlobOptions & { lastModified?: unknown }) {
    needArguments(arguments.length, 2, 'File');
    super(partsOf(parts), options);
    this.#name = usvString(name);
    const { lastModified } = dictionary(options, 'FilePropertyBag');
    this.#lastModified = lastModified === undefined ? Date.now() : Math.trunc(Number(lastModified)) || 0;
  }
  get name(): string { return this.#name; }
  get lastModified(): number { return this.#lastModified; }
}
defineInterface(File, { length: 2 });

function partsOf(parts: unknown): unknown[] {
  if ((typeof parts !== 'object' && typeof parts !== 'function') || parts === null || !(Symbol.iterator in parts)) throw new TypeError('A Blob is made of a list of parts');
  const list: unknown[] = [];
  // A part that is read may change those behind it.
  for (const part of parts as Iterable<unknown>) list.push(part instanceof Blob || bytesOfSource(part) ? part : usvString(part));
  return list;
}

function bytesOfPart(part: unknown, hasNativeEndings: boolean): Uint8Array {
  if (part instanceof Blob) return bytesOfBlob(part);
  if (typeof part === 'string') return encodeText(hasNativeEndings ? part.replace(/\r\n?/g, '\n') : part);
  return bytesOfSource(part)!;
}

function checkedType(type: unknown): string {
  const text = domString(type);
  return /[^\x20-\x7e]/.test(text) ? '' : text.toLowerCase();
}

/** Web IDL's [Clamp] long long. */
function clamp(value: unknown): number {
  const number = Math.min(Math.max(Number(value) || 0, -(2 ** 53)), 2 ** 53);
  const below = Math.floor(number);
  // A half goes to the even side.
  const isUp = number - below > 0.5 || (number - below === 0.5 && below % 2 !== 0);
  return isUp ? below + 1 : below;
}
