// Owns text encodings: TextEncoder, TextDecoder, atob, btoa. The codecs are @exodus/bytes.
import { TextDecoder, TextEncoder } from '@exodus/bytes/encoding-lite.js';
import { DOMException } from './dom-exception.ts';

export { TextDecoder, TextEncoder };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
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

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function btoa(data: unknown): string {
  const text = String(data);
  let result = '';
  for (let at = 0; at < text.length; at += 3) {
    const [a, b, c] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)];
    if (a > 255 || b > 255 || c > 255) throw new DOMException('The string contains characters outside Latin-1', 'InvalidCharacterError');
    result += ALPHABET[a >> 2]! + ALPHABET[((a & 3) << 4) | (b >> 4)]!;
    result += at + 1 < text.length ? ALPHABET[((b & 15) << 2) | (c >> 6)] : '=';
    result += at + 2 < text.length ? ALPHABET[c & 63] : '=';
  }
  return result;
}

export function atob(data: unknown): string {
  let text = String(data).replace(/[\t\n\f\r ]/g, '');
  if (text.length % 4 === 0) text = text.replace(/==?$/, '');
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) throw new DOMException('The string is not correctly encoded', 'InvalidCharacterError');
  let result = '';
  for (let at = 0, bits = 0, buffer = 0; at < text.length; at++) {
    buffer = ((buffer << 6) | ALPHABET.indexOf(text[at]!)) & 0xffffff;
    bits += 6;
    if (bits >= 8) { bits -= 8; result += String.fromCharCode((buffer >> bits) & 255); }
  }
  return result;
}
