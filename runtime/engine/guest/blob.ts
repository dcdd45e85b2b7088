// Owns Blob and File, held in memory.
import { decodeText, encodeText } from './encoding.ts';
import { ReadableStream } from './stream.ts';
import { defineInterface } from './web-idl.ts';

/** The bytes themselves: do not change them. */
export let bytesOfBlob: (blob: Blob) => Uint8Array;
/** A Blob around bytes that nobody else holds. */
export let blobAround: (bytes: Uint8Array, type: string) => Blob;

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

  constructor(parts: Iterable<unknown> = [], options: { type?: unknown } = {}) {
    if (typeof parts !== 'object' || parts === null || !(Symbol.iterator in parts)) throw new TypeError('Blob needs a list of parts');
    const type = String(options?.type ?? '');
    this.#bytes = joinBytes([...parts].map(bytesOfPart));
    this.#type = /[^\x20-\x7e]/.test(type) ? '' : type.toLowerCase();
  }

  get size(): number { return this.#bytes.length; }
  get type(): string { return this.#type; }
  slice(start = 0, end = this.size, type = ''): Blob {
    return blobAround(this.#bytes.slice(start, end), String(type));
  }
  async text(): Promise<string> { return decodeText(this.#bytes); }
  async arrayBuffer(): Promise<ArrayBuffer> { return this.#bytes.slice().buffer; }
  async bytes(): Promise<Uint8Array> { return this.#bytes.slice(); }
  stream(): ReadableStream { return ReadableStream.from(this.#bytes.length > 0 ? [this.#bytes.slice()] : []); }
}
defineInterface(Blob);

export class File extends Blob {
  readonly name: string;
  readonly lastModified: number;
  constructor(parts: Iterable<unknown>, name: string, options: { type?: unknown; lastModified?: number } = {}) {
    super(parts, options);
    this.name = String(name);
    this.lastModified = Number(options.lastModified ?? Date.now());
  }
}
defineInterface(File);

function bytesOfPart(part: unknown): Uint8Array {
  if (part instanceof Blob) return bytesOfBlob(part);
  return bytesOfSource(part) ?? encodeText(String(part));
}

/** The bytes of a buffer or of a view, not copied; `undefined` for anything else. */
export function bytesOfSource(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return undefined;
}

export function joinBytes(parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { joined.set(part, at); at += part.length; }
  return joined;
}
