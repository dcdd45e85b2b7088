// Owns text encodings: TextEncoder, TextDecoder, their streams, atob, btoa. The codecs are @exodus/bytes.
import * as codecs from '@exodus/bytes/encoding.js';
import { fromBase64, toBase64 } from '@exodus/bytes/base64.js';
import { bytesOfSource } from './buffer-source.ts';
import { DOMException } from './dom-exception.ts';
import { TransformStream, type ReadableStream, type WritableStream } from './stream.ts';
import { defineInterface, dictionary, domString, needArguments } from './web-idl.ts';

const encoder = new codecs.TextEncoder();
const decoder = new codecs.TextDecoder();
const NOT_ASCII = /[^\x00-\x7f]/;

/** UTF-8; ASCII, the common case, without the codec. */
export function encodeText(text: string): Uint8Array {
  if (text.length > 4096 || NOT_ASCII.test(text)) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** UTF-8 with replacement characters; a leading byte order mark is dropped. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const wholeDecoder = new codecs.TextDecoder('utf-8', { ignoreBOM: true });
/** The same, but a byte order mark is a character. */
export function decodeWhole(bytes: Uint8Array): string {
  return wholeDecoder.decode(bytes);
}

export class TextEncoder {
  #codec = encoder;
  get encoding(): string { return this.#codec.encoding; }
  encode(text: unknown = ''): Uint8Array { return this.#codec.encode(domString(text)); }
  encodeInto(text: unknown, target: Uint8Array): { read: number; written: number } {
    needArguments(arguments.length, 2, 'encodeInto');
    return this.#codec.encodeInto(domString(text), target);
  }
}
defineInterface(TextEncoder);

interface DecoderOptions { fatal?: boolean; ignoreBOM?: boolean }

export class TextDecoder {
  #codec: InstanceType<typeof codecs.TextDecoder>;
  constructor(label: unknown = 'utf-8', options?: DecoderOptions) {
    const { fatal, ignoreBOM } = dictionary(options, 'TextDecoderOptions');
    this.#codec = new codecs.TextDecoder(domString(label), { fatal: Boolean(fatal), ignoreBOM: Boolean(ignoreBOM) });
  }
  get encoding(): string { return this.#codec.encoding; }
  get fatal(): boolean { return this.#codec.fatal; }
  get ignoreBOM(): boolean { return this.#codec.ignoreBOM; }
  decode(...[input, options]: [input?: unknown, options?: { stream?: boolean }]): string {
    const bytes = input === undefined ? new Uint8Array(0) : bytesOfSource(input);
    if (!bytes) throw new TypeError('decode needs an ArrayBuffer or a view of one');
    return this.#codec.decode(bytes, { stream: Boolean(dictionary(options, 'TextDecodeOptions').stream) });
  }
}
defineInterface(TextDecoder);

export class TextDecoderStream {
  #decoder: TextDecoder;
  #transform: TransformStream;
  constructor(label: unknown = 'utf-8', options?: DecoderOptions) {
    const own = new TextDecoder(label, options);
    this.#decoder = own;
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const text = decode(own, chunk, true);
        if (text !== '') controller.enqueue(text);
      },
      flush(controller) {
        const text = decode(own, undefined, false);
        if (text !== '') controller.enqueue(text);
      },
    });
  }
  get encoding(): string { return this.#decoder.encoding; }
  get fatal(): boolean { return this.#decoder.fatal; }
  get ignoreBOM(): boolean { return this.#decoder.ignoreBOM; }
  get readable(): ReadableStream { return this.#transform.readable; }
  get writable(): WritableStream { return this.#transform.writable; }
}
defineInterface(TextDecoderStream);

function decode(own: TextDecoder, chunk: unknown, stream: boolean): string {
  if (stream && chunk === undefined) throw new TypeError('decode needs an ArrayBuffer or a view of one');
  return decodeWith(own, chunk, { stream });
}
const decodeWith = Function.prototype.call.bind(TextDecoder.prototype.decode) as (own: TextDecoder, chunk: unknown, options: { stream: boolean }) => string;

/** Half a surrogate pair at the end of a chunk waits for the other half. */
export class TextEncoderStream {
  #transform: TransformStream;
  constructor() {
    let lead = '';
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const text = lead + domString(chunk);
        const last = text.charCodeAt(text.length - 1);
        lead = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : '';
        const bytes = encodeText(lead === '' ? text : text.slice(0, -1));
        if (bytes.length > 0) controller.enqueue(bytes);
      },
      flush(controller) {
        if (lead !== '') controller.enqueue(encodeText(lead));
      },
    });
  }
  get encoding(): string { return encodingOf(this.#transform); }
  get readable(): ReadableStream { return this.#transform.readable; }
  get writable(): WritableStream { return this.#transform.writable; }
}
defineInterface(TextEncoderStream);

/** The argument makes a stranger's `this` fail. */
function encodingOf(_transform: TransformStream): string {
  return 'utf-8';
}

export function btoa(data: unknown): string {
  needArguments(arguments.length, 1, 'btoa');
  const text = domString(data);
  if (/[^\x00-\xff]/.test(text)) throw new DOMException('The string contains characters outside Latin-1', 'InvalidCharacterError');
  return toBase64(codecs.isomorphicEncode(text));
}

export function atob(data: unknown): string {
  needArguments(arguments.length, 1, 'atob');
  let text = domString(data).replace(/[\t\n\f\r ]/g, '');
  if (text.length % 4 === 0) text = text.replace(/==?$/, '');
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) throw new DOMException('The string is not correctly encoded', 'InvalidCharacterError');
  return codecs.isomorphicDecode(fromBase64Loosely(text));
}

/** Bits beyond the last byte do not matter here; the codec refuses them. */
function fromBase64Loosely(text: string): Uint8Array {
  const rest = text.length % 4;
  const last = rest === 0 ? '' : ALPHABET[ALPHABET.indexOf(text.at(-1)!) & (rest === 2 ? 0x30 : 0x3c)];
  return fromBase64(rest === 0 ? text : text.slice(0, -1) + last, { padding: 'both' });
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
