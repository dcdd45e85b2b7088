// Owns the host's one secret: seals what is kept, derives what can be computed again. Knows no record.
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../data-folder.ts';

const KEY_FILE = 'host.key';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export interface Vault {
  /** Encrypt and authenticate (AES-256-GCM). `purpose` must be the same to unseal. */
  seal(purpose: string, plain: Uint8Array): Buffer;
  /** @throws when it was changed, or sealed for another purpose */
  unseal(purpose: string, sealed: Uint8Array): Buffer;
  sealText(purpose: string, plain: string): string;
  unsealText(purpose: string, sealed: string): string;
  /** A key for one purpose; 32 bytes. */
  derive(purpose: string): Buffer;
  /** A secret of `length` characters [A-Za-z0-9], the same for the same words, that nobody else can compute. */
  derivedSecret(purpose: string, subject: string, length?: number): string;
}

/** Open the folder's key, or make one (0600). */
export async function openVault(folder: string): Promise<Vault> {
  const file = join(folder, KEY_FILE);
  const stored = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stored && stored.length !== KEY_BYTES) throw new Error(`${file} is damaged: it should have ${KEY_BYTES} bytes`);
  const key = stored ?? randomBytes(KEY_BYTES);
  if (!stored) await writeDurably(file, key, 0o600);
  return createVault(key);
}

/** @param key 32 bytes */
export function createVault(key: Uint8Array): Vault {
  const derived = new Map<string, Buffer>();
  const derive = (purpose: string): Buffer => {
    const known = derived.get(purpose);
    if (known) return known;
    const fresh = Buffer.from(hkdfSync('sha256', key, '', `ownspace/${purpose}`, KEY_BYTES));
    derived.set(purpose, fresh);
    return fresh;
  };
  const seal = (purpose: string, plain: Uint8Array): Buffer => {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', derive(`seal/${purpose}`), nonce);
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]);
  };
  const unseal = (purpose: string, sealed: Uint8Array): Buffer => {
    const decipher = createDecipheriv('aes-256-gcm', derive(`seal/${purpose}`), sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  };
  return {
    seal,
    unseal,
    sealText: (purpose, plain) => seal(purpose, Buffer.from(plain)).toString('base64'),
    unsealText: (purpose, sealed) => unseal(purpose, Buffer.from(sealed, 'base64')).toString(),
    derive,
    derivedSecret(purpose, subject, length = 32) {
      let text = '';
      for (let block = 0; text.length < length; block += 1) {
        const bytes = createHmac('sha256', derive(purpose)).update(`${subject}\0${block}`).digest();
        for (const byte of bytes) if (byte < 248 && text.length < length) text += BASE62[byte % 62];
      }
      return text;
    },
  };
}

/** SHA-256 as hex: how keys that people hold are stored and looked up. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compare secrets without telling where they differ. */
export function sameSecret(a: string, b: string): boolean {
  const left = createHash('sha256').update(a).digest();
  const right = createHash('sha256').update(b).digest();
  return timingSafeEqual(left, right);
}
