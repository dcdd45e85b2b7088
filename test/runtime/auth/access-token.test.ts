// Owns the proof that access tokens open their Space as bearer and as signature, and that nothing near them does.
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createTable } from '../../../sandbox-data/store/table.ts';
import { ACCESS_TOKENS_MAX, SIGNATURE_WINDOW_SECONDS, type AccessToken, type SignedRequest } from '../../../runtime/auth/access-token.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createAccessTokens } from '../../../runtime/auth/access-token.ts';
import { codeOf, createIdentities, type Identities } from '../../support/identity.ts';

const DAY_MS = 86_400_000;

describe('bearer', () => {
  test('opens the Space it was made for', async () => {
    const { accessTokens } = createIdentities();
    const { accessToken } = await accessTokens.create('space-a', 'laptop');
    expect(accessToken).toMatch(/^[A-Za-z0-9]{8}_[A-Za-z0-9]{32}$/);
    expect(await accessTokens.check(accessToken)).toBe('space-a');
  });

  test('nothing near it opens anything', async () => {
    const { accessTokens } = createIdentities();
    const { accessToken, token } = await accessTokens.create('space-a', 'laptop');
    const { accessToken: foreign } = await accessTokens.create('space-b', 'laptop');
    const near = ['', token.id, `${token.id}_`, `_${accessToken.slice(9)}`, `${accessToken}_`, accessToken.slice(0, -1), `${accessToken}x`, accessToken.toLowerCase(),
      `${token.id}_${foreign.slice(9)}`, `${token.id}_${token.sealedSecret}`, `../${accessToken}`];
    expect(await Promise.all(near.map((text) => codeOf(accessTokens.check(text))))).toEqual(near.map(() => 'TOKEN_INVALID'));
  });

  test('is kept sealed, not in clear', async () => {
    const { accessTokens, store } = createIdentities();
    const { accessToken } = await accessTokens.create('space-a', 'laptop');
    for await (const [key, value] of store.range({})) expect(key + value).not.toContain(accessToken.slice(9));
  });

  test('is worth nothing once revoked, or after a year', async () => {
    const { accessTokens, clock } = createIdentities();
    const first = await accessTokens.create('space-a', 'one');
    const second = await accessTokens.create('space-a', 'two');
    expect(await accessTokens.delete('space-a', first.token.id)).toBe(true);
    expect(await codeOf(accessTokens.check(first.accessToken))).toBe('TOKEN_INVALID');
    clock.advance(365 * DAY_MS - 1);
    expect(await accessTokens.check(second.accessToken)).toBe('space-a');
    clock.advance(1);
    expect(await codeOf(accessTokens.check(second.accessToken))).toBe('TOKEN_EXPIRED');
    // Who does not hold it is not told that it ever was one.
    expect(await codeOf(accessTokens.check(`${second.token.id}_${'x'.repeat(32)}`))).toBe('TOKEN_INVALID');
  });

  test('is one of a limited number', async () => {
    const { accessTokens } = createIdentities();
    const { token } = await accessTokens.create('space-a', 'first');
    for (let count = 1; count < ACCESS_TOKENS_MAX; count += 1) await accessTokens.create('space-a', 'more');
    expect(await codeOf(accessTokens.create('space-a', 'too many'))).toBe('COUNT_LIMIT');
    expect(await codeOf(accessTokens.create('space-b', 'another person\'s'))).toBeUndefined();
    await accessTokens.delete('space-a', token.id);
    expect(await codeOf(accessTokens.create('space-a', 'room again'))).toBeUndefined();
  });

  test('is listed and revoked by its own Space only', async () => {
    const { accessTokens } = createIdentities();
    const { token, accessToken } = await accessTokens.create('space-a', 'laptop');
    expect(await accessTokens.delete('space-b', token.id)).toBe(false);
    expect(await accessTokens.list('space-b')).toEqual([]);
    expect(await accessTokens.check(accessToken)).toBe('space-a');
    expect((await accessTokens.list('space-a')).map(({ name }) => name)).toEqual(['laptop']);
  });

  test('says when it was used last, to the minute', async () => {
    const { accessTokens, clock } = createIdentities();
    const { accessToken } = await accessTokens.create('space-a', 'laptop');
    const lastUse = async (): Promise<string | null | undefined> => (await accessTokens.list('space-a'))[0]?.lastUsedAt;
    expect(await lastUse()).toBeNull();
    await accessTokens.check(accessToken);
    expect(await lastUse()).toBe('2030-01-01T00:00:00.000Z');
    clock.advance(61_000);
    await accessTokens.check(accessToken);
    expect(await lastUse()).toBe('2030-01-01T00:01:01.000Z');
  });

  test.each(['', ' ', 'x'.repeat(65), undefined, 3])('name %j is refused', async (name) => {
    expect(await codeOf(createIdentities().accessTokens.create('space-a', name))).toBe('TOKEN_NAME_INVALID');
  });
});

describe('a signature', () => {
  interface Signed { request: SignedRequest; body: string }

  function sign(accessToken: string, change: Partial<Omit<SignedRequest, 'signature'>> & { body?: string } = {}): Signed {
    const { body = '', ...rest } = change;
    const request = { method: 'GET', uri: '/api/v0/space', timestamp: '1893456000', contentType: '', ...rest };
    const [id, secret = ''] = accessToken.split('_');
    const text = [request.method, request.uri, request.timestamp, request.contentType, body, ''].join('\n');
    return { body, request: { ...request, signature: `v0=${id}:${createHmac('sha256', secret).update(text).digest('hex')}` } };
  }

  /** @returns the id of the Space, or why not */
  async function accepts({ accessTokens }: Pick<Identities, 'accessTokens'>, { request, body }: Signed): Promise<string | undefined> {
    let spaceId = '';
    const code = await codeOf((async () => {
      const verifier = await accessTokens.verifier(request);
      for (let at = 0; at < body.length; at += 3) verifier.update(Buffer.from(body.slice(at, at + 3)));
      verifier.prove();
      spaceId = verifier.spaceId;
    })());
    return code ?? spaceId;
  }

  test('of the original client is accepted', async () => {
    // @source reference 7.1: the test vector of the CLI
    const { store, vault } = createIdentities();
    const clock = createFakeClock(1681294911_000);
    const id = 'xkcfKpsU';
    const record: AccessToken = {
      id, spaceId: 'space-a', name: 'cli', sealedSecret: vault.sealText(`access-token/${id}`, 'zwDNmNSqG9TGEiR8sSm8HVrSWuJ31b4d'),
      createdAt: '2023-04-12T00:00:00.000Z', expiresAt: '2024-04-12T00:00:00.000Z', lastUsedAt: null,
    };
    await createTable<AccessToken>(store, 'access-token').insert(record);
    const request = { method: 'GET', uri: '/api/v0/space', timestamp: '1681294911', contentType: '', signature: 'v0=xkcfKpsU:120071dd2ce1ca9cc08f76efe4e3b01179ef76ab20e6ad4655b79abdf995146b' };
    const accessTokens = createAccessTokens({ store, vault, clock });
    expect(await accepts({ accessTokens }, { request, body: '' })).toBe('space-a');
    expect(await accepts({ accessTokens }, { request: { ...request, method: 'POST' }, body: '' })).toBe('TOKEN_INVALID');
  });

  test('covers method, address, time, type and body', async () => {
    const all = createIdentities();
    const { accessToken } = await all.accessTokens.create('space-a', 'cli');
    const good = sign(accessToken, { method: 'POST', uri: '/api/v0/apps?x=1', contentType: 'application/json', body: '{"name":"abcd"}' });
    expect(await accepts(all, good)).toBe('space-a');
    const changed: Signed[] = [
      { ...good, body: '{"name":"abce"}' }, { ...good, body: '' }, { ...good, body: `${good.body}\n` },
      ...[{ method: 'PUT' }, { uri: '/api/v0/apps?x=2' }, { timestamp: '1893456001' }, { contentType: 'text/plain' }]
        .map((change) => ({ ...good, request: { ...good.request, ...change } })),
    ];
    expect(await Promise.all(changed.map((one) => accepts(all, one)))).toEqual(changed.map(() => 'TOKEN_INVALID'));
  });

  test('holds for a few minutes, in both directions', async () => {
    const all = createIdentities();
    const { accessToken } = await all.accessTokens.create('space-a', 'cli');
    const at = (offset: number): Signed => sign(accessToken, { timestamp: String(1893456000 + offset) });
    const offsets = [-SIGNATURE_WINDOW_SECONDS, SIGNATURE_WINDOW_SECONDS, -SIGNATURE_WINDOW_SECONDS - 1, SIGNATURE_WINDOW_SECONDS + 1];
    expect(await Promise.all(offsets.map((offset) => accepts(all, at(offset))))).toEqual(['space-a', 'space-a', 'SIGNATURE_TIME_WRONG', 'SIGNATURE_TIME_WRONG']);
  });

  test.each(['', 'NaN', '1.893456e9', ' 1893456000', '-1893456000', '1893456000000000'])('time %j is none', async (timestamp) => {
    const all = createIdentities();
    const { accessToken } = await all.accessTokens.create('space-a', 'cli');
    expect(await accepts(all, sign(accessToken, { timestamp }))).toBe('SIGNATURE_TIME_WRONG');
  });

  test('in another form is none', async () => {
    const all = createIdentities();
    const { accessToken } = await all.accessTokens.create('space-a', 'cli');
    const { request } = sign(accessToken);
    const forms = ['', 'v0=', request.signature.slice(3), request.signature.replace('v0', 'v1'), `${request.signature}00`, request.signature.slice(0, -2), request.signature.toUpperCase(), `${request.signature} `];
    expect(await Promise.all(forms.map((signature) => accepts(all, { request: { ...request, signature }, body: '' })))).toEqual(forms.map(() => 'TOKEN_INVALID'));
  });

  test('by a revoked token, or by the secret of another, is none', async () => {
    const all = createIdentities();
    const first = await all.accessTokens.create('space-a', 'cli');
    const second = await all.accessTokens.create('space-b', 'cli');
    expect(await accepts(all, sign(`${first.token.id}_${second.accessToken.slice(9)}`))).toBe('TOKEN_INVALID');
    await all.accessTokens.delete('space-a', first.token.id);
    expect(await accepts(all, sign(first.accessToken))).toBe('TOKEN_INVALID');
    expect(await accepts(all, sign(second.accessToken))).toBe('space-b');
  });

  test('by a token that has expired says so, to whoever holds it and to nobody else; no other is noted as a use', async () => {
    const all = createIdentities();
    const { accessToken, token } = await all.accessTokens.create('space-a', 'cli');
    all.clock.advance(365 * DAY_MS);
    const timestamp = String(1893456000 + 365 * 86_400);
    expect(await accepts(all, sign(accessToken, { timestamp }))).toBe('TOKEN_EXPIRED');
    expect(await accepts(all, sign(`${token.id}_${'x'.repeat(32)}`, { timestamp }))).toBe('TOKEN_INVALID');
    expect((await all.accessTokens.list('space-a'))[0]?.lastUsedAt).toBeNull();
  });

  test('is a use of its token once it is proven, not before', async () => {
    const all = createIdentities();
    const { accessToken, token } = await all.accessTokens.create('space-a', 'cli');
    const lastUse = async (): Promise<string | null | undefined> => (await all.accessTokens.list('space-a'))[0]?.lastUsedAt;
    await accepts(all, sign(`${token.id}_${'x'.repeat(32)}`));
    expect(await lastUse()).toBeNull();
    await accepts(all, sign(accessToken));
    await expect.poll(lastUse).toBe('2030-01-01T00:00:00.000Z');
  });
});
