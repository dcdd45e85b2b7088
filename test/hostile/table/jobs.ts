// Owns attacks by way of what the Cell itself does for a guest (A25, A7): cryptography of absurd cost, archives that swell.
import { gzipSync } from 'node:zlib';
import { type Attack, CPU, STOPPED } from '../attack.ts';

const refused = (name: string, code: string): Attack => ({ ids: ['A25'], name, code: `${code} throw new Error("done");`, guard: 'inert', answers: ['MICRO_THREW'] });
const derive = (iterations: string, bits = 256): string =>
  `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: ${iterations} }, key, ${bits});`;
const rsa = (bits: number, exponent: string): string =>
  `await crypto.subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength: ${bits}, publicExponent: new Uint8Array(${exponent}) }, true, ["sign"]);`;

/** A hundred megabytes of nothing. */
const BOMB = gzipSync(Buffer.alloc(1e8)).toString('base64');
const swell = (use: string): string => `const bytes = Uint8Array.from(atob("${BOMB}"), (c) => c.charCodeAt(0)); const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")); ${use}`;

export const JOBS: readonly Attack[] = [
  refused('PBKDF2 with a billion iterations', derive('1e9')),
  refused('PBKDF2 with many blocks', derive('1e6', 524288)),
  refused('PBKDF2 of more bits than there are', derive('1', 2 ** 31 - 8)),
  refused('an RSA key of 16384 bits', rsa(16384, '[1, 0, 1]')),
  refused('a secret of a gigabyte', 'await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 2 ** 33 }, true, ["sign"]);'),
  ...['[]', '[0]', '[1]', '[2]', '[4]', '[255,255,255,255,255,255,255,255,255]'].map((exponent) =>
    ({ ...refused(`an RSA key with the exponent ${exponent}`, rsa(1024, exponent)), answers: ['MICRO_THREW', ...STOPPED] })),
  { ids: ['A25'], name: 'PBKDF2 below the cap, again and again', code: `for (;;) { ${derive('1e5')} }`, guard: 'inert', answers: CPU },
  { ids: ['A25', 'A21'], name: 'a thousand jobs for nobody', code: `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); for (let i = 0; i < 500; i++) crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 1e6 }, key, 256).catch(() => {}); return new Response("sent");`, guard: 'inert', answers: ['ok', ...CPU] },
  { ids: ['A25'], name: 'keys that are none', code: 'const { parse } = JSON; const good = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]); for (const key of [{}, null, { $key: { length: 2 ** 31 } }, { $key: "x" }, { $key: 7 }, new Proxy(good, {})]) { let said = "in"; try { await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, key, new Uint8Array(9)); } catch { said = "no"; } if (said === "in") throw new Error("taken"); }', guard: 'inert', answers: ['ok', 'MICRO_THREW'] },
  { ids: ['A7'], name: 'an archive that swells, read whole', code: swell('const all = []; for (;;) all.push(await new Response(stream.tee ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")) : null).bytes());'), guard: 'inert', answers: [...STOPPED, 'MICRO_THREW'] },
  { ids: ['A7'], name: 'archives that swell, which nobody reads', code: swell('for (let i = 0; i < 100; i++) new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")); await new Promise((r) => setTimeout(r, 50)); return new Response("ok");'), guard: 'inert', answers: ['ok', ...STOPPED, 'MICRO_THREW'] },
];
