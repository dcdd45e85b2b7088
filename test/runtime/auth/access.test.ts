// Owns the proof of who may reach a Micro, at a real host: session, public route, API key, Micro key, and pages of
// sibling hosts, which are the same site and must gain nothing by that.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actsForOwner, isNavigation } from '../../../runtime/auth/access.ts';
import { createVault } from '../../../runtime/auth/vault.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send, type TestResponse } from '../../support/http.ts';
import { installApp, PASSWORD, pushApp, releaseApp, startTestHost, type TestHost } from '../../support/start-host.ts';
import type { WireInstance } from '../../../core/wire.ts';

let space: TestHost;
let app: WireInstance;
let sibling: WireInstance;
let apiKey: string;
let microKey: string;
/** The cookie of the owner's sign-in at the app. */
let cookie: string;

beforeAll(async () => {
  space = await startTestHost();
  const pushed = await pushApp(space.owner);
  const releaseId = await releaseApp(space.owner, pushed);
  app = (await installApp(space.owner, releaseId)).instance;
  sibling = (await installApp(space.owner, releaseId)).instance;
  apiKey = (await space.owner.call(`POST /instances/${app.id}/keys`, { name: 'phone', kind: 'api' })).json().value;
  microKey = createVault(await readFile(join(space.dataFolder, 'host.key'))).derivedSecret('micro-key', app.id);
  await space.owner.visitor.visit(app.url);
  cookie = [...(space.owner.visitor.jar.get(new URL(app.url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
}, 60_000);
afterAll(() => space.close());

const get = (path: string, headers: Record<string, string> = {}, at = app.url): Promise<TestResponse> => send(new URL(path, at).href, { headers });

describe('a cookie that a sibling planted', () => {
  const token = (jar: Map<string, string> | undefined, name: string): string => `${name}=${jar?.get(name)}`;

  test('does not hide the session of the app, before or behind it', async () => {
    const theirs = [...(await signedInAt(sibling))].map(([name, value]) => `${name}=${value}`).join('; ');
    for (const sent of [`space_instance=planted; ${cookie}`, `${cookie}; space_instance=planted`, `${theirs}; ${cookie}`]) {
      expect(await get('/private.txt', { cookie: sent }), sent).toMatchObject({ status: 200 });
    }
    expect(await get('/private.txt', { cookie: `space_instance=planted; ${theirs}` })).toMatchObject({ status: 401 });
  });

  test('does not sign anybody out of the dashboard', async () => {
    const session = token(space.owner.visitor.jar.get(new URL(space.url).host), 'space_session');
    const names = async (cookies: string): Promise<number> => (await send(`${space.url}/api/v0/space`, { headers: { cookie: cookies } })).status;
    expect([await names(`space_session=planted; ${session}`), await names(`${session}; space_session=planted`), await names('space_session=planted')]).toEqual([200, 200, 401]);
  });

  test('signing in again needs no Origin from a program that has a cookie already', async () => {
    const session = token(space.owner.visitor.jar.get(new URL(space.url).host), 'space_session');
    const login = (headers: Record<string, string>): Promise<TestResponse> => send(`${space.url}/api/v0/login`, { method: 'POST', headers: { cookie: session, ...headers }, body: { username: space.owner.name, password: PASSWORD } });
    expect(await login({})).toMatchObject({ status: 200 });
    expect(await login({ origin: 'http://evil.example' })).toMatchObject({ status: 403 });
    const refused = await send(`${space.url}/api/v0/tokens`, { method: 'POST', headers: { cookie: session }, body: { name: 'no origin' } });
    expect(refused).toMatchObject({ status: 403 });
  });

  async function signedInAt(instance: WireInstance): Promise<Map<string, string>> {
    await space.owner.visitor.visit(instance.url);
    return space.owner.visitor.jar.get(new URL(instance.url).host) ?? new Map<string, string>();
  }
});

describe('without a session', () => {
  test('a public route answers', async () => {
    expect(await get('/public/open.txt')).toMatchObject({ status: 200, text: 'open to all' });
  });

  test('a program gets 401', async () => {
    expect(await get('/private.txt')).toMatchObject({ status: 401 });
    expect((await get('/private.txt')).json()).toMatchObject({ code: 'UNAUTHORIZED', errors: ['Unauthorized'] });
  });

  test('a person is sent to the login and comes back to what they wanted', async () => {
    const answer = await get('/private.txt?x=1', { accept: 'text/html', 'sec-fetch-mode': 'navigate' });
    expect(answer.status).toBe(302);
    const login = new URL(answer.headers.location ?? '');
    expect(login.origin + login.pathname).toBe(`${space.url}/login`);
    expect(login.searchParams.get('redirect_uri')).toBe(`${app.url}private.txt?x=1`);
    expect(await space.owner.visitor.visit(login.href)).toMatchObject({ status: 200, text: 'for the owner', url: `${app.url}private.txt?x=1` });
  });

  test.each(['/public/../private.txt', '/public/%2e%2e/private.txt', '/public/..%2fprivate.txt', '//private.txt', '/./private.txt', '/public/..;/private.txt', '/public%2f..%2fprivate.txt'])('%s does not pass as public', async (path) => {
    const answer = await send(`${app.url.slice(0, -1)}${path}`);
    expect([400, 401, 404]).toContain(answer.status);
    expect(answer.text).not.toContain('for the owner');
  });

  test.each(['HEAD', 'OPTIONS', 'POST', 'PROPFIND'])('%s is not let through either', async (method) => {
    const answer = await send(new URL('/private.txt', app.url).href, { method });
    expect(answer.status).toBe(401);
  });
});

describe('the owner\'s session', () => {
  test('opens the app; the platform\'s cookie stays at its host', async () => {
    expect(await get('/private.txt', { cookie })).toMatchObject({ status: 200, text: 'for the owner' });
    expect((await get('/private.txt', { cookie }, sibling.url)).status).toBe(401);
    expect(cookie).toMatch(/^space_instance=[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test('what only its owner may see is kept by no shared cache', async () => {
    expect((await get('/private.txt', { cookie })).headers['cache-control']).toMatch(/private|no-cache|no-store/);
  });

  test('of another person opens nothing; they are told whose it is', async () => {
    const answer = await space.member.visitor.visit(app.url);
    expect(answer.status).toBe(403);
    expect(answer.text).toContain('belongs to somebody else');
    expect(space.member.visitor.jar.get(new URL(app.url).host)?.size ?? 0).toBe(0);
  });

  test('at the dashboard is no session at the app', async () => {
    const [pair] = [...(space.owner.visitor.jar.get(space.authority) ?? [])].map(([name, value]) => `${name}=${value}`);
    expect((await get('/private.txt', { cookie: pair ?? '' })).status).toBe(401);
    expect((await get('/private.txt', { cookie: `space_instance=${pair?.split('=')[1]}` })).status).toBe(401);
    expect((await get('/private.txt', { authorization: `Bearer ${space.owner.accessToken}` })).status).toBe(401);
  });

  test.each([
    ['a script of its own page', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, 200],
    ['the address bar', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 200],
    ['a link on a sibling\'s page', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 200],
    ['a script of a sibling\'s page', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, 401],
    ['a picture on a sibling\'s page', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 401],
    ['a frame on another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 302],
    ['the app\'s worker, for a visit from a sibling', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'empty' }, 200],
    ['a script of another site that says it is a visit', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' }, 401],
    ['an older browser on a sibling\'s page', { origin: 'http://other.localhost' }, 401],
    ['an older browser on a page without an origin', { origin: 'null' }, 401],
  ])('asked for by %s', async (_, headers, status) => {
    expect((await get('/private.txt', { cookie, ...headers })).status).toBe(status);
  });

  test('passed on by a worker, only the app itself may frame', async () => {
    const headers = { cookie, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' };
    expect((await get('/private.txt', { ...headers, 'sec-fetch-dest': 'empty' })).headers['content-security-policy']).toBe("frame-ancestors 'self'");
    expect((await get('/private.txt', { ...headers, 'sec-fetch-dest': 'document' })).headers).not.toHaveProperty('content-security-policy');
  });

  test('a form of a sibling\'s page does not act for the owner', async () => {
    const headers = { cookie, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await send(new URL('/private.txt', app.url).href, { method: 'POST', headers })).status).toBe(401);
    const own = { ...headers, 'sec-fetch-site': 'same-origin' };
    expect((await send(new URL('/private.txt', app.url).href, { method: 'POST', headers: own })).status).toBe(405); // it reached the Micro
  });

  test('ends everywhere when the person signs out', async () => {
    const visitor = new (space.owner.visitor.constructor as new () => typeof space.owner.visitor)();
    await visitor.submit(`${space.url}/login`, { username: 'ada', password: 'correct horse' });
    await visitor.visit(app.url);
    const own = [...(visitor.jar.get(new URL(app.url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await get('/private.txt', { cookie: own })).status).toBe(200);
    await visitor.submit(`${space.url}/logout`, {});
    expect((await get('/private.txt', { cookie: own })).status).toBe(401);
  });
});

describe('keys', () => {
  test('an API key opens the Micro that takes them, and no other', async () => {
    expect(await get('/private.txt', { 'x-space-app-key': apiKey })).toMatchObject({ status: 200, text: 'for the owner' });
    expect((await get('/closed/private.txt', { 'x-space-app-key': apiKey })).status).toBe(401);
    expect((await get('/private.txt', { 'x-space-app-key': apiKey }, sibling.url)).status).toBe(401);
  });

  test.each(['', 'x', 'garbage'.repeat(10)])('API key %j opens nothing', async (key) => {
    expect((await get('/private.txt', { 'x-space-app-key': key })).status).toBe(401);
  });

  test('an API key in the address or in another header opens nothing', async () => {
    expect((await get(`/private.txt?x-space-app-key=${apiKey}`)).status).toBe(401);
    expect((await get('/private.txt', { 'x-api-key': apiKey })).status).toBe(401);
    expect((await get('/private.txt', { authorization: `Bearer ${apiKey}` })).status).toBe(401);
  });

  test('a revoked API key opens nothing from that moment', async () => {
    const { value } = (await space.owner.call(`POST /instances/${app.id}/keys`, { name: 'short', kind: 'api' })).json();
    expect((await get('/private.txt', { 'x-space-app-key': value })).status).toBe(200);
    await space.owner.call(`DELETE /instances/${app.id}/keys/short?kind=api`);
    expect((await get('/private.txt', { 'x-space-app-key': value })).status).toBe(401);
  });

  test('the Micro key opens every Micro of its own Instance, and none of another', async () => {
    expect((await get('/private.txt', { 'x-api-key': microKey })).status).toBe(200);
    expect((await get('/closed/private.txt', { 'x-api-key': microKey })).status).toBe(200);
    expect((await get('/private.txt', { 'x-api-key': microKey }, sibling.url)).status).toBe(401);
  });

  test('a data key opens no Micro', async () => {
    const { value } = (await space.owner.call(`POST /instances/${app.id}/keys`, { name: 'data', kind: 'data' })).json();
    expect((await get('/private.txt', { 'x-api-key': value })).status).toBe(401);
    expect((await get('/private.txt', { 'x-space-app-key': value })).status).toBe(401);
  });
});

describe('what a browser vouches for', () => {
  test('without any word of a browser the caller is a program and may carry the cookie', () => {
    expect(actsForOwner('POST', [], 'http://a.localhost')).toBe(true);
    expect(actsForOwner('POST', ['origin', 'http://a.localhost'], 'http://a.localhost')).toBe(true);
    expect(actsForOwner('POST', ['origin', 'http://b.localhost'], 'http://a.localhost')).toBe(false);
  });

  test.each([
    ['GET', ['sec-fetch-mode', 'navigate'], true], ['HEAD', ['sec-fetch-mode', 'navigate'], true], ['POST', ['sec-fetch-mode', 'navigate'], false],
    ['GET', ['sec-fetch-mode', 'cors', 'accept', 'text/html'], false], ['GET', ['accept', 'text/html,*/*'], true], ['GET', ['accept', 'application/json'], false],
    ['GET', [], false], ['GET', ['accept', '*/*', 'x-api-key', 'k'], false], ['GET', ['accept', '*/*', 'x-space-app-key', 'k'], false],
  ] as const)('%s with %j is a navigation: %s', (method, headers, expected) => {
    expect(isNavigation(method, [...headers])).toBe(expected);
  });
});
