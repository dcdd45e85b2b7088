// Owns crypto: random values from the Cell's operating system, and the door to `subtle`.
import { ASK, askCell } from './ask-cell.ts';
import { DOMException, QuotaExceededError } from './dom-exception.ts';
import { subtle, type SubtleCrypto } from './subtle.ts';
import { defineInterface, needArguments } from './web-idl.ts';

const POOL_BYTES = 512;
const RANDOM_MAX_BYTES = 65_536;
let pool = '';
let poolAt = 0;

/** Random bytes come one a character. */
function nextByte(): number {
  if (poolAt >= pool.length) {
    pool = askCell(ASK.random, String(POOL_BYTES))!;
    poolAt = 0;
  }
  return pool.charCodeAt(poolAt++);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const INTEGERS = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'BigInt64Array', 'BigUint64Array'];
const kindOf = Function.prototype.call.bind(Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get as any) as (view: unknown) => string;

const PASS = {};

export class Crypto {
  #pass: unknown;
  constructor(pass?: unknown) {
    if (pass !== PASS) throw new TypeError('Illegal constructor');
    this.#pass = pass;
  }

  get subtle(): SubtleCrypto {
    this.#check();
    return subtle;
  }

  getRandomValues<T extends ArrayBufferView>(view: T): T {
    this.#check();
    needArguments(arguments.length, 1, 'getRandomValues');
    if (!ArrayBuffer.isView(view)) throw new TypeError('getRandomValues needs a typed array');
    if (!INTEGERS.includes(kindOf(view))) throw new DOMException('getRandomValues needs an array of integers', 'TypeMismatchError');
    if (view.byteLength > RANDOM_MAX_BYTES) throw new QuotaExceededError(`getRandomValues gives ${RANDOM_MAX_BYTES} bytes at most`);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = nextByte();
    return view;
  }

  randomUUID(): string {
    this.#check();
    const bytes = Array.from({ length: 16 }, nextByte);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.map((byte) => HEX[byte]).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** A stranger's `this` has no such field. */
  #check(): void {
    if (this.#pass !== PASS) throw new TypeError('Illegal invocation');
  }
}
defineInterface(Crypto, { length: 0 });

export const crypto = new Crypto(PASS);
