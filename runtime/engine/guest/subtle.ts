// Owns crypto.subtle and CryptoKey. What a call is given is read and copied here; the Cell does the rest with Node's Web Crypto.
// A key is a text that only the Cell can open.
import { bytesOfSource } from './buffer-source.ts';
import { callCell } from './cell-call.ts';
import { defineInterface, domString, needArguments } from './web-idl.ts';

const PASS = {};

interface Facts { type: string; extractable: boolean; algorithm: any; usages: string[]; $key: string }

let sealedOf: (key: CryptoKey) => string;
let isKey: (value: unknown) => value is CryptoKey;

export class CryptoKey {
  #facts: Facts;
  constructor(pass?: unknown, facts?: Facts) {
    if (pass !== PASS) throw new TypeError('Illegal constructor');
    this.#facts = facts!;
  }
  get type(): string { return this.#facts.type; }
  get extractable(): boolean { return this.#facts.extractable; }
  get algorithm(): object { return this.#facts.algorithm; }
  get usages(): string[] { return this.#facts.usages; }
  static {
    sealedOf = (key) => key.#facts.$key;
    isKey = (value): value is CryptoKey => typeof value === 'object' && value !== null && #facts in value;
  }
}
defineInterface(CryptoKey, { length: 0 });

function keyFrom(facts: Facts): CryptoKey {
  const { publicExponent } = facts.algorithm;
  if (publicExponent) facts.algorithm.publicExponent = publicExponent.slice();
  return new CryptoKey(PASS, facts);
}

const packed = (key: CryptoKey): { $key: string } => ({ $key: sealedOf(key) });

/** @throws TypeError */
function keyOf(value: unknown): { $key: string } {
  if (!isKey(value)) throw new TypeError('This is not a CryptoKey');
  return packed(value);
}

/** A copy: what the caller changes later does not count. @throws TypeError */
function bytesOf(value: unknown): Uint8Array {
  const bytes = bytesOfSource(value);
  if (!bytes) throw new TypeError('This is neither an ArrayBuffer nor a view of one');
  return bytes.slice();
}

const TEXTS = ['name', 'namedCurve'];
const BYTES = ['iv', 'counter', 'additionalData', 'label', 'salt', 'info', 'publicExponent', 'context'];
const NUMBERS = ['length', 'tagLength', 'iterations', 'modulusLength', 'saltLength'];

/** The members that algorithms have, as plain data. Which of them are needed, and what they may be, Node checks. */
function algorithmOf(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return domString(value);
  const given = value as Record<string, unknown>;
  const plain: Record<string, unknown> = {};
  const take = (names: string[], convert: (item: unknown) => unknown): void => {
    for (const name of names) {
      const item = given[name];
      if (item !== undefined) plain[name] = convert(item);
    }
  };
  take(TEXTS, domString);
  take(BYTES, (item) => (bytesOfSource(item) ? bytesOf(item) : null));
  take(NUMBERS, toNumber);
  take(['hash'], algorithmOf);
  take(['public'], keyOf);
  return plain;
}

/** JSON has no NaN. */
function toNumber(value: unknown): number | string {
  const number = Number(value);
  return Number.isFinite(number) ? number : String(number);
}

const JWK_TEXTS = ['kty', 'use', 'alg', 'crv', 'x', 'y', 'd', 'n', 'e', 'p', 'q', 'dp', 'dq', 'qi', 'k'];

function jwkOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || bytesOfSource(value)) throw new TypeError('A JWK is an object');
  const given = value as Record<string, unknown>;
  const plain: Record<string, unknown> = {};
  for (const name of JWK_TEXTS) if (given[name] !== undefined) plain[name] = domString(given[name]);
  if (given.ext !== undefined) plain.ext = Boolean(given.ext);
  if (given.key_ops !== undefined) plain.key_ops = textsOf(given.key_ops);
  return plain;
}

function textsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) throw new TypeError('Usages are a list');
  return [...value as Iterable<unknown>].map(domString);
}

function keyDataOf(format: string, data: unknown): unknown {
  if (format === 'jwk') return jwkOf(data);
  return bytesOf(data);
}

const FORMATS = ['raw', 'pkcs8', 'spki', 'jwk'];
function formatOf(value: unknown): string {
  const format = domString(value);
  if (!FORMATS.includes(format)) throw new TypeError(`The format cannot be ${format}`);
  return format;
}

const ask = (method: string, ...args: unknown[]): Promise<any> => callCell(['subtle', method, ...args]);
/** The key that is to come. */
const wanted = (algorithm: unknown, extractable: unknown, usages: unknown): object => ({ algorithm: algorithmOf(algorithm), extractable: Boolean(extractable), usages: textsOf(usages) });
/** Bytes of an answer are a view into it. */
const buffer = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer;

export class SubtleCrypto {
  #pass: unknown;
  constructor(pass?: unknown) {
    if (pass !== PASS) throw new TypeError('Illegal constructor');
    this.#pass = pass;
  }

  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#need(arguments.length, 2, 'digest');
    return buffer(await ask('digest', algorithmOf(algorithm), bytesOf(data)));
  }
  async encrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#need(arguments.length, 3, 'encrypt');
    return buffer(await ask('encrypt', algorithmOf(algorithm), keyOf(key), bytesOf(data)));
  }
  async decrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#need(arguments.length, 3, 'decrypt');
    return buffer(await ask('decrypt', algorithmOf(algorithm), keyOf(key), bytesOf(data)));
  }
  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#need(arguments.length, 3, 'sign');
    return buffer(await ask('sign', algorithmOf(algorithm), keyOf(key), bytesOf(data)));
  }
  async verify(algorithm: unknown, key: unknown, signature: unknown, data: unknown): Promise<boolean> {
    this.#need(arguments.length, 4, 'verify');
    return ask('verify', algorithmOf(algorithm), keyOf(key), bytesOf(signature), bytesOf(data));
  }
  async generateKey(algorithm: unknown, extractable: unknown, usages: unknown): Promise<unknown> {
    this.#need(arguments.length, 3, 'generateKey');
    const made = await ask('generateKey', wanted(algorithm, extractable, usages));
    return made.privateKey ? { publicKey: keyFrom(made.publicKey), privateKey: keyFrom(made.privateKey) } : keyFrom(made);
  }
  async importKey(format: unknown, data: unknown, algorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    this.#need(arguments.length, 5, 'importKey');
    const checked = formatOf(format);
    return keyFrom(await ask('importKey', checked, keyDataOf(checked, data), wanted(algorithm, extractable, usages)));
  }
  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | object> {
    this.#need(arguments.length, 2, 'exportKey');
    const checked = formatOf(format);
    const data = await ask('exportKey', checked, keyOf(key));
    return checked === 'jwk' ? data : buffer(data);
  }
  async wrapKey(format: unknown, key: unknown, wrappingKey: unknown, algorithm: unknown): Promise<ArrayBuffer> {
    this.#need(arguments.length, 4, 'wrapKey');
    return buffer(await ask('wrapKey', formatOf(format), keyOf(key), keyOf(wrappingKey), algorithmOf(algorithm)));
  }
  async unwrapKey(format: unknown, data: unknown, key: unknown, algorithm: unknown, keyAlgorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    this.#need(arguments.length, 7, 'unwrapKey');
    return keyFrom(await ask('unwrapKey', formatOf(format), bytesOf(data), { key: keyOf(key), algorithm: algorithmOf(algorithm) }, wanted(keyAlgorithm, extractable, usages)));
  }
  async deriveBits(algorithm: unknown, key: unknown, length: unknown = null): Promise<ArrayBuffer> {
    this.#need(arguments.length, 2, 'deriveBits');
    return buffer(await ask('deriveBits', algorithmOf(algorithm), keyOf(key), length === null ? null : toNumber(length)));
  }
  async deriveKey(algorithm: unknown, key: unknown, keyAlgorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    this.#need(arguments.length, 5, 'deriveKey');
    return keyFrom(await ask('deriveKey', algorithmOf(algorithm), keyOf(key), wanted(keyAlgorithm, extractable, usages)));
  }

  #need(given: number, least: number, what: string): void {
    if (this.#pass !== PASS) throw new TypeError('Illegal invocation');
    needArguments(given, least, what);
  }
}
defineInterface(SubtleCrypto, { length: 0 });

export const subtle = new SubtleCrypto(PASS);
