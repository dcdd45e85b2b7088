// Owns keys of crypto.subtle. A guest holds a key only as a text that this isolate's seal has closed: it cannot be read inside,
// nothing has to be remembered here, and the key goes when the guest forgets it.
import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, createSecretKey, KeyObject, randomBytes, type webcrypto } from 'node:crypto';

export type CryptoKey = webcrypto.CryptoKey;

/** What a guest may know of its key. */
export interface KeyFacts { type: string; extractable: boolean; algorithm: object; usages: string[] }
export interface SealedKey extends KeyFacts { $key: string }

interface KeyContent extends KeyFacts { data: string }

const OPEN_MAX = 64;
const [NONCE_BYTES, TAG_BYTES] = [12, 16];

export class KeySeal {
  #secret = randomBytes(32);
  /** Keys that were used lately, so that each call need not open its key again. */
  #opened = new Map<string, CryptoKey>();

  /** @param extractable as the guest wanted it: inside this process a key may be more open than that */
  close(key: CryptoKey, extractable: boolean): SealedKey {
    return this.#close(key, dataOf(KeyObject.from(key)), extractable);
  }

  /** @param data of a key that cannot be exported, from whoever imported it */
  closeRaw(key: CryptoKey, data: Uint8Array): SealedKey {
    return this.#close(key, Buffer.from(data), false);
  }

  #close(key: CryptoKey, data: Buffer, extractable: boolean): SealedKey {
    const facts: KeyFacts = { type: key.type, extractable, algorithm: key.algorithm, usages: key.usages };
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#secret, nonce);
    const content: KeyContent = { ...facts, algorithm: plain(key.algorithm), data: data.toString('base64') };
    const closed = Buffer.concat([cipher.update(JSON.stringify(content)), cipher.final()]);
    return { ...facts, $key: Buffer.concat([nonce, cipher.getAuthTag(), closed]).toString('base64') };
  }

  /** @throws when this seal did not close it */
  open(sealed: string): CryptoKey {
    // A guest may hand anything here, also what Node would make a buffer of gigabytes from.
    if (typeof sealed !== 'string') throw new TypeError('This is no key');
    const known = this.#opened.get(sealed);
    if (known) return known;
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', this.#secret, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const content = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    const key = openContent(JSON.parse(content.toString()) as KeyContent);
    if (this.#opened.size >= OPEN_MAX) this.#opened.delete(this.#opened.keys().next().value!);
    this.#opened.set(sealed, key);
    return key;
  }
}

function dataOf(key: KeyObject): Buffer {
  if (key.type === 'secret') return key.export();
  return key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'der' } as { type: 'spki'; format: 'der' });
}

function openContent({ type, data, algorithm, extractable, usages }: KeyContent): CryptoKey {
  const bytes = Buffer.from(data, 'base64');
  const key = type === 'secret' ? createSecretKey(bytes)
    : type === 'private' ? createPrivateKey({ key: bytes, type: 'pkcs8', format: 'der' })
      : createPublicKey({ key: bytes, type: 'spki', format: 'der' });
  return key.toCryptoKey(algorithm as webcrypto.Algorithm, extractable, usages as webcrypto.KeyUsage[]);
}

/** Without the public exponent, which is in the key itself. */
function plain(algorithm: object): object {
  return { ...algorithm, publicExponent: undefined };
}
