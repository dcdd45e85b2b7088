// Owns crypto.subtle for a guest: Node's own Web Crypto, with caps on what one call may cost. Node loads that when it is first
// touched: a Cell that needs no keys does without.
import { webcrypto } from 'node:crypto';
import { type CryptoKey, KeySeal, type SealedKey } from './keys.ts';
import type { PackedKey } from './packing.ts';


/** Documented in docs/web-standards.md. */
export const CRYPTO_CAPS = {
  /** PBKDF2: iterations times blocks of the hash that are derived. About a second. */
  pbkdf2Work: 2_000_000,
  rsaGenerateBits: 4_096,
  rsaUseBits: 8_192,
  /** Length of a secret or of derived bits. */
  secretBits: 524_288,
  /** Data of one call. */
  dataBytes: 32 * 1024 * 1024,
};

const HASH_BITS: Record<string, number> = { 'SHA-1': 160, 'SHA-256': 256, 'SHA-384': 384, 'SHA-512': 512 };
/** What the guest's API has. Node knows more, partly by experiment. */
const ALGORITHMS = new Set([
  'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512', 'RSASSA-PKCS1-V1_5', 'RSA-PSS', 'RSA-OAEP', 'ECDSA', 'ECDH', 'ED25519', 'X25519', 'ED448', 'X448',
  'AES-CTR', 'AES-CBC', 'AES-GCM', 'AES-KW', 'HMAC', 'HKDF', 'PBKDF2',
]);
/** Keys that may not be extractable at all. */
const DERIVING = new Set(['HKDF', 'PBKDF2']);

type Algorithm = string | { name?: string; hash?: Algorithm; length?: unknown; iterations?: unknown; modulusLength?: unknown; public?: PackedKey };

class Refusal extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export class GuestSubtle {
  #seal = new KeySeal();

  /** @param args unpacked; what comes back is to be packed. @throws an error whose name and message the guest may see */
  async run(method: string, args: unknown[]): Promise<unknown> {
    for (const arg of args) if (arg instanceof Uint8Array && arg.length > CRYPTO_CAPS.dataBytes) throw new Refusal('OperationError', `More than ${CRYPTO_CAPS.dataBytes} bytes in one call`);
    const handler = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
    if (!handler) throw new Refusal('NotSupportedError', 'Unknown method');
    return handler(...args as any[]);
  }

  #methods: Record<string, (...args: any[]) => Promise<unknown>> = {
    digest: (algorithm: Algorithm, data: Uint8Array) => webcrypto.subtle.digest(this.#use(algorithm), data),
    encrypt: (algorithm: Algorithm, key: PackedKey, data: Uint8Array) => webcrypto.subtle.encrypt(this.#use(algorithm), this.#key(key), data),
    decrypt: (algorithm: Algorithm, key: PackedKey, data: Uint8Array) => webcrypto.subtle.decrypt(this.#use(algorithm), this.#key(key), data),
    sign: (algorithm: Algorithm, key: PackedKey, data: Uint8Array) => webcrypto.subtle.sign(this.#use(algorithm), this.#key(key), data),
    verify: (algorithm: Algorithm, key: PackedKey, signature: Uint8Array, data: Uint8Array) => webcrypto.subtle.verify(this.#use(algorithm), this.#key(key), signature, data),
    generateKey: (wanted: Wanted) => this.#generate(wanted),
    importKey: (format: string, data: any, wanted: Wanted) => this.#import(format, data, wanted),
    exportKey: async (format: string, key: PackedKey) => webcrypto.subtle.exportKey(format as 'raw', this.#key(key)),
    wrapKey: async (format: string, key: PackedKey, wrapping: PackedKey, algorithm: Algorithm) => webcrypto.subtle.wrapKey(format as 'raw', this.#key(key), this.#key(wrapping), this.#use(algorithm)),
    unwrapKey: async (format: string, data: Uint8Array, unwrapping: { key: PackedKey; algorithm: Algorithm }, wanted: Wanted) =>
      this.#unwrap(format, data, [this.#key(unwrapping.key), this.#use(unwrapping.algorithm)], wanted),
    deriveBits: async (algorithm: Algorithm, key: PackedKey, length: number | null) => {
      checkDerivation(algorithm, length ?? 0);
      return webcrypto.subtle.deriveBits(this.#use(algorithm), this.#key(key), length);
    },
    deriveKey: (algorithm: Algorithm, key: PackedKey, wanted: Wanted) => this.#derive(algorithm, key, wanted),
  };

  #key(packed: PackedKey): CryptoKey {
    return this.#seal.open(packed.$key);
  }

  /** The algorithm as Node wants it. @throws NotSupportedError */
  #use(algorithm: Algorithm): any {
    checkAlgorithm(algorithm);
    if (typeof algorithm === 'string' || algorithm.public === undefined) return algorithm;
    return { ...algorithm, public: this.#key(algorithm.public) };
  }

  async #generate({ algorithm, extractable, usages }: Wanted): Promise<unknown> {
    if (typeof algorithm === 'object' && Number(algorithm.modulusLength) > CRYPTO_CAPS.rsaGenerateBits) throw new Refusal('OperationError', `An RSA key of more than ${CRYPTO_CAPS.rsaGenerateBits} bits cannot be made here`);
    const made = await webcrypto.subtle.generateKey(this.#use(algorithm), true, usages as webcrypto.KeyUsage[]) as CryptoKey | webcrypto.CryptoKeyPair;
    if (!('privateKey' in made)) return this.#seal.close(made, extractable);
    return { publicKey: this.#seal.close(made.publicKey, true), privateKey: this.#seal.close(made.privateKey, extractable) };
  }

  async #import(format: string, data: any, { algorithm, extractable, usages }: Wanted): Promise<SealedKey> {
    const use = this.#use(algorithm);
    if (DERIVING.has(nameOf(algorithm))) {
      const key = await webcrypto.subtle.importKey(format as 'raw', data, use, extractable, usages as webcrypto.KeyUsage[]);
      return this.#seal.closeRaw(key, data as Uint8Array);
    }
    // A JWK that says `ext: false` is for a key that stays closed; closing is the seal's part here.
    const given = format === 'jwk' && !extractable ? { ...data, ext: undefined } : data;
    return this.#seal.close(checkRsa(await webcrypto.subtle.importKey(format as 'raw', given, use, true, usages as webcrypto.KeyUsage[])), extractable);
  }

  async #unwrap(format: string, data: Uint8Array, [key, algorithm]: [CryptoKey, any], wanted: Wanted): Promise<SealedKey> {
    const isOpen = wanted.extractable || (format !== 'jwk' && !DERIVING.has(nameOf(wanted.algorithm)));
    const made = await webcrypto.subtle.unwrapKey(format as 'raw', data, key, algorithm, this.#use(wanted.algorithm), isOpen, wanted.usages as webcrypto.KeyUsage[]);
    return this.#seal.close(checkRsa(made), wanted.extractable);
  }

  async #derive(algorithm: Algorithm, key: PackedKey, wanted: Wanted): Promise<SealedKey> {
    checkDerivation(algorithm, typeof wanted.algorithm === 'object' ? Number(wanted.algorithm.length ?? 1_024) : 0);
    const isOpen = wanted.extractable || !DERIVING.has(nameOf(wanted.algorithm));
    const made = await webcrypto.subtle.deriveKey(this.#use(algorithm), this.#key(key), this.#use(wanted.algorithm), isOpen, wanted.usages as webcrypto.KeyUsage[]);
    return this.#seal.close(made, wanted.extractable);
  }
}

interface Wanted { algorithm: Algorithm; extractable: boolean; usages: string[] }

function nameOf(algorithm: Algorithm | undefined): string {
  return String(typeof algorithm === 'object' ? algorithm.name : algorithm).toUpperCase();
}

function checkAlgorithm(algorithm: Algorithm): void {
  const name = nameOf(algorithm);
  // Without a name it is no algorithm at all: Node says that in the standard's words.
  if (name !== 'UNDEFINED' && !ALGORITHMS.has(name)) throw new Refusal('NotSupportedError', 'Unrecognized algorithm name');
  if (typeof algorithm !== 'object') return;
  if (algorithm.hash !== undefined) checkAlgorithm(algorithm.hash);
  if (Number(algorithm.length) > CRYPTO_CAPS.secretBits) throw new Refusal('OperationError', `A secret of more than ${CRYPTO_CAPS.secretBits} bits is refused`);
}

function checkDerivation(algorithm: Algorithm, bits: number): void {
  if (bits > CRYPTO_CAPS.secretBits) throw new Refusal('OperationError', `More than ${CRYPTO_CAPS.secretBits} bits cannot be derived at once`);
  if (typeof algorithm !== 'object' || nameOf(algorithm) !== 'PBKDF2') return;
  const blocks = Math.max(1, Math.ceil(bits / (HASH_BITS[nameOf(algorithm.hash)] ?? 160)));
  if (Number(algorithm.iterations) * blocks > CRYPTO_CAPS.pbkdf2Work) throw new Refusal('OperationError', `PBKDF2 is limited to ${CRYPTO_CAPS.pbkdf2Work} iterations, all blocks together`);
}

function checkRsa(key: CryptoKey): CryptoKey {
  if (Number((key.algorithm as { modulusLength?: number }).modulusLength ?? 0) > CRYPTO_CAPS.rsaUseBits) throw new Refusal('OperationError', `RSA keys of more than ${CRYPTO_CAPS.rsaUseBits} bits are refused`);
  return key;
}
