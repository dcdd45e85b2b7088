// Covers crypto.subtle as a Micro finds it: what it does, what it refuses, and that keys stay closed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inside, openInside } from '../../../support/inside.ts';
import { createTestInstance } from '../../../support/isolate-instance.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

const hex = '(b) => new Uint8Array(b).toHex?.() ?? [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "0")).join("")';

describe('crypto.subtle', () => {
  it.each([
    ['digests', `crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc")).then(${hex})`, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['derives', `(async () => { const k = await crypto.subtle.importKey("raw", new TextEncoder().encode("password"), "PBKDF2", false, ["deriveBits"]); return (${hex})(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: new TextEncoder().encode("salt"), iterations: 2 }, k, 160)); })()`, 'ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957'],
    ['encrypts', '(async () => { const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]); const iv = crypto.getRandomValues(new Uint8Array(12)); const c = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, k, new TextEncoder().encode("hello")); return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, k, c)); })()', 'hello'],
    ['signs with a key that goes out and in again', '(async () => { const { publicKey, privateKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]); const jwk = await crypto.subtle.exportKey("jwk", publicKey); const again = await crypto.subtle.importKey("jwk", jwk, "Ed25519", true, ["verify"]); const data = new Uint8Array([1, 2]); const s = await crypto.subtle.sign("Ed25519", privateKey, data); return [await crypto.subtle.verify("Ed25519", again, s, data), await crypto.subtle.verify("Ed25519", again, s, new Uint8Array([1, 3]))]; })()', [true, false]],
    ['agrees', '(async () => { const [a, b] = await Promise.all([0, 1].map(() => crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]))); const [x, y] = await Promise.all([[a, b], [b, a]].map(([p, q]) => crypto.subtle.deriveBits({ name: "ECDH", public: q.publicKey }, p.privateKey, 256))); return btoa(String.fromCharCode(...new Uint8Array(x))) === btoa(String.fromCharCode(...new Uint8Array(y))); })()', true],
    ['wraps', '(async () => { const w = await crypto.subtle.generateKey({ name: "AES-KW", length: 256 }, false, ["wrapKey", "unwrapKey"]); const k = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]); const u = await crypto.subtle.unwrapKey("raw", await crypto.subtle.wrapKey("raw", k, w, "AES-KW"), w, "AES-KW", { name: "HMAC", hash: "SHA-256" }, false, ["sign"]); return [u.type, u.extractable, u.algorithm.hash.name]; })()', ['secret', false, 'SHA-256']],
    ['takes a JWK that stays closed', '(async () => { const k = await crypto.subtle.importKey("jwk", { kty: "oct", k: "AAECAw", ext: false }, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]); return [k.extractable, await crypto.subtle.exportKey("raw", k).catch((e) => e.name)]; })()', [false, 'InvalidAccessError']],
    ['reads its data when it is called', `(async () => { const bytes = new TextEncoder().encode("abc"); const p = crypto.subtle.digest("SHA-1", bytes); bytes[0] = 0; return (${hex})(await p); })()`, 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });

  it.each([
    ['an algorithm that there is none', 'crypto.subtle.digest("MD5", new Uint8Array(1))', 'NotSupportedError'],
    ['a wrong tag', '(async () => { const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["decrypt"]); return crypto.subtle.decrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, k, new Uint8Array(32)); })()', 'OperationError'],
    ['a usage that the key lacks', '(async () => { const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["decrypt"]); return crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, k, new Uint8Array(32)); })()', 'InvalidAccessError'],
    ['what is no key', 'crypto.subtle.exportKey("raw", {})', 'TypeError'],
    ['data that is none', 'crypto.subtle.digest("SHA-1", "text")', 'TypeError'],
    ['absurd iterations', '(async () => { const k = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); return crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 1e9 }, k, 512); })()', 'OperationError'],
    ['many blocks of many iterations', '(async () => { const k = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); return crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 1e6 }, k, 1024); })()', 'OperationError'],
    ['an absurd RSA key', 'crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 16384, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign"])', 'OperationError'],
    ['an absurd secret', 'crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 2 ** 31 }, true, ["sign"])', 'OperationError'],
  ])('refuses %s', async (_, expression, thrown) => {
    expect(await inside.evaluate(expression)).toMatchObject({ thrown });
  });

  it('lets no guest see a key that is not extractable, whatever the guest changed', async () => {
    const seen = await inside.evaluate(`(async () => {
      const seen = [];
      const { stringify } = JSON;
      Uint8Array.prototype.toJSON = function () { seen.push('bytes'); return undefined; };
      Object.prototype.toJSON = function () { seen.push(stringify(Object.keys(this))); return this; };
      try {
        const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('the secret itself'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
        seen.push(stringify(Object.getOwnPropertyNames(key)), String(key.secret), await crypto.subtle.exportKey('raw', key).catch((e) => e.name));
      } catch (error) { seen.push(error.name); } finally { delete Object.prototype.toJSON; delete Uint8Array.prototype.toJSON; }
      return seen.join();
    })()`);
    expect(seen).not.toContain('the secret itself');
    expect(await inside.evaluate('crypto.subtle.digest("SHA-1", new Uint8Array(1)).then((b) => b.byteLength)')).toBe(20);
  });

  it('is paid for by the request that calls it', async () => {
    const work = 'const k = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); for (let n = 0; n < 40; n++) await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 500_000 }, k, 256); return new Response("all");';
    const instance = createTestInstance(inside.bench.engine, `export default { async fetch(request) { if (request.url.endsWith("/short")) return new Response("short"); ${work} } };`);
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    expect((await instance.call('/short')).text).toBe('short');
  });
});
