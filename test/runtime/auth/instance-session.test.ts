// Owns the proof that a sign-in at an Instance counts there, now, and for its session only, whatever a token claims.
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import jwt from 'jsonwebtoken';
import { INSTANCE_SESSION_SECONDS } from '../../../runtime/auth/instance-session.ts';
import { createIdentities, type Identities } from '../../support/identity.ts';

interface SignedIn extends Identities { sessionId: string; token: string }

async function signedIn(instanceId = 'instance-a'): Promise<SignedIn> {
  const all = createIdentities();
  const { session } = await all.sessions.start('space-a');
  const token = all.instanceSessions.redeem(all.instanceSessions.issueCode(instanceId, session.id), instanceId);
  return { ...all, sessionId: session.id, token: token ?? '' };
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a code', () => {
  test('is good for one token', async () => {
    const { instanceSessions, token, sessionId } = await signedIn();
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: true });
    const code = instanceSessions.issueCode('instance-a', sessionId);
    expect(instanceSessions.redeem(code, 'instance-a')).toBeDefined();
    expect(instanceSessions.redeem(code, 'instance-a')).toBeUndefined();
  });

  test('is worth nothing at another Instance, and nowhere after somebody tried that', async () => {
    const { instanceSessions, sessionId } = await signedIn();
    const code = instanceSessions.issueCode('instance-a', sessionId);
    expect(instanceSessions.redeem(code, 'instance-b')).toBeUndefined();
    expect(instanceSessions.redeem(code, 'instance-a')).toBeUndefined();
  });

  test('lasts a minute', async () => {
    const { instanceSessions, sessionId, clock } = await signedIn();
    const [first, second] = [instanceSessions.issueCode('instance-a', sessionId), instanceSessions.issueCode('instance-a', sessionId)];
    clock.advance(60_000);
    expect(instanceSessions.redeem(first, 'instance-a')).toBeDefined();
    clock.advance(1);
    expect(instanceSessions.redeem(second, 'instance-a')).toBeUndefined();
  });

  test.each(['', 'x', '__proto__'])('%j is none', async (code) => {
    expect((await signedIn()).instanceSessions.redeem(code, 'instance-a')).toBeUndefined();
  });
});

describe('a token', () => {
  test('counts at its Instance only', async () => {
    const { instanceSessions, token } = await signedIn();
    expect(await instanceSessions.check(token, 'instance-b')).toEqual({ valid: false });
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: true });
    expect(await instanceSessions.check(token, 'instance-b')).toEqual({ valid: false }); // remembered by now
  });

  test('is answered without a promise once it was seen', async () => {
    const { instanceSessions, token } = await signedIn();
    await instanceSessions.check(token, 'instance-a');
    expect(instanceSessions.check(token, 'instance-a')).toEqual({ valid: true });
  });

  test('dies with the session at the dashboard', async () => {
    const { instanceSessions, token, sessions, sessionId } = await signedIn();
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: true });
    await sessions.end(sessionId);
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: false });
  });

  test('dies after an hour, seen before or not', async () => {
    const { instanceSessions, token, clock, sessionId } = await signedIn();
    const unseen = instanceSessions.redeem(instanceSessions.issueCode('instance-a', sessionId), 'instance-a') ?? '';
    await instanceSessions.check(token, 'instance-a');
    clock.advance(INSTANCE_SESSION_SECONDS * 1000 - 1);
    expect(await instanceSessions.check(token, 'instance-a')).toMatchObject({ valid: true });
    clock.advance(1);
    expect([await instanceSessions.check(token, 'instance-a'), await instanceSessions.check(unseen, 'instance-a')]).toEqual([{ valid: false }, { valid: false }]);
  });

  test('is renewed once half of its time is over, for the same Instance and session', async () => {
    const { instanceSessions, token, clock, sessions, sessionId } = await signedIn();
    clock.advance(INSTANCE_SESSION_SECONDS * 500 - 1);
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: true });
    clock.advance(1);
    const { renewed = '' } = await instanceSessions.check(token, 'instance-a');
    clock.advance(INSTANCE_SESSION_SECONDS * 500);
    expect(await instanceSessions.check(token, 'instance-a')).toEqual({ valid: false });
    expect(await instanceSessions.check(renewed, 'instance-a')).toMatchObject({ valid: true });
    expect(await instanceSessions.check(renewed, 'instance-b')).toEqual({ valid: false });
    await sessions.end(sessionId);
    expect(await instanceSessions.check(renewed, 'instance-a')).toEqual({ valid: false });
  });
});

describe('a forged token', () => {
  interface Forge { key: Buffer; header: Record<string, unknown>; claims: Record<string, unknown>; token: string }

  const hmac = (key: string | Buffer, header: unknown, claims: unknown, hash = 'sha256'): string => {
    const text = `${encode(header)}.${encode(claims)}`;
    return `${text}.${createHmac(hash, key).update(text).digest('base64url')}`;
  };
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });

  const FORGERIES: Record<string, (forge: Forge) => string> = {
    'no algorithm': ({ header, claims }) => `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`,
    'no algorithm, with the old signature': ({ header, claims, token }) => `${encode({ ...header, alg: 'none' })}.${encode(claims)}.${token.split('.')[2]}`,
    'algorithm nOnE': ({ header, claims }) => `${encode({ ...header, alg: 'nOnE' })}.${encode(claims)}.`,
    'an empty signature': ({ token }) => `${token.split('.').slice(0, 2).join('.')}.`,
    'no signature part': ({ token }) => token.split('.').slice(0, 2).join('.'),
    'RS256 by a key of the forger': ({ header, claims }) => jwt.sign(claims, pair.privateKey, { algorithm: 'RS256', header: { ...header, alg: 'RS256' } }),
    'HS256 keyed with a public key': ({ header, claims }) => hmac(pair.publicKey, header, claims),
    'HS256 keyed with nothing': ({ header, claims }) => hmac('', header, claims),
    'HS512 with the right key': ({ key, header, claims }) => hmac(key, { ...header, alg: 'HS512' }, claims, 'sha512'),
    'a kid that leads to a known file': ({ header, claims }) => hmac('', { ...header, kid: '../../../../dev/null' }, claims),
    'a jku of the forger': ({ header, claims }) => hmac(pair.publicKey, { ...header, jku: 'http://127.0.0.1/keys', x5u: 'http://127.0.0.1/keys' }, claims),
    'a jwk of the forger': ({ header, claims }) => hmac('known', { ...header, jwk: { kty: 'oct', k: Buffer.from('known').toString('base64url') } }, claims),
    'changed claims': ({ header, claims, token }) => `${encode(header)}.${encode({ ...claims, sub: 'x' })}.${token.split('.')[2]}`,
    'another type': ({ key, header, claims }) => hmac(key, { ...header, typ: 'JWT' }, claims),
    'no type': ({ key, claims }) => hmac(key, { alg: 'HS256' }, claims),
    'another audience': ({ key, header, claims }) => hmac(key, header, { ...claims, aud: 'instance-b' }),
    'no audience': ({ key, header, claims }) => hmac(key, header, { ...claims, aud: undefined }),
    'an end in the past': ({ key, header, claims }) => hmac(key, header, { ...claims, exp: 1 }),
    'no end': ({ key, header, claims }) => hmac(key, header, { ...claims, exp: undefined }),
    'a begin in the future': ({ key, header, claims }) => hmac(key, header, { ...claims, nbf: Number(claims['exp']) }),
    'no session': ({ key, header, claims }) => hmac(key, header, { ...claims, sid: undefined }),
    'a session that never was': ({ key, header, claims }) => hmac(key, header, { ...claims, sid: 'f'.repeat(64) }),
    'claims that are text': ({ key, header }) => hmac(key, header, 'text'),
    'no token': () => '',
    'a token too many': ({ token }) => `${token}.${token}`,
  };

  async function forge(): Promise<SignedIn & Forge> {
    const all = await signedIn();
    const claims = jwt.decode(all.token, { json: true }) ?? {};
    return { ...all, claims, header: { alg: 'HS256', typ: 'instance+jwt' }, key: all.vault.derive('instance-session') };
  }

  test.each(Object.keys(FORGERIES))('with %s is refused', async (name) => {
    const all = await forge();
    const forged = FORGERIES[name]?.(all) ?? '';
    expect(await all.instanceSessions.check(forged, 'instance-a')).toEqual({ valid: false });
    expect(await all.instanceSessions.check(forged, 'instance-a')).toEqual({ valid: false });
  });

  test('is refused for what it claims: made with the right key and honest claims it counts', async () => {
    const { key, header, claims, instanceSessions } = await forge();
    expect(await instanceSessions.check(hmac(key, header, claims), 'instance-a')).toEqual({ valid: true });
  });
});
