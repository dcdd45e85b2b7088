// Owns the proof of what the control plane answers besides its routes: refusals in one shape, requests of other sites,
// headers of pages, bodies that are too much.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send, Visitor, type TestResponse } from '../../support/http.ts';
import { sendRaw } from '../../support/raw.ts';
import { PASSWORD, pushApp, startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
/** The owner's session cookie. */
let cookie: string;
let appOrigin: string;

beforeAll(async () => {
  space = await startTestHost();
  cookie = [...(space.owner.visitor.jar.get(space.authority) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  appOrigin = new URL((await pushApp(space.owner)).builder.url).origin;
}, 60_000);
afterAll(() => space.close());

const api = (path: string): string => `${space.url}/api/v0${path}`;

function expectError(answer: TestResponse, status: number, code: string): void {
  const body = answer.json();
  expect({ status: answer.status, code: body.code }).toEqual({ status, code });
  expect(Object.keys(body).toSorted()).toEqual(['code', 'detail', 'errors', 'request_id']);
  expect(body.detail).toBe(body.errors[0]);
  expect(body.request_id).toBe(answer.headers['x-request-id']);
  expect(answer.headers['content-type']).toContain('application/json');
}

describe('a refusal', () => {
  test('of an unknown address', async () => {
    expectError(await send(api('/nothing')), 404, 'NOT_FOUND');
    expectError(await send(api('')), 404, 'NOT_FOUND');
    expectError(await send(`${space.url}/api/v1/space`), 404, 'NOT_FOUND');
  });

  test('of a wrong method says which are right', async () => {
    const answer = await send(api('/apps'), { method: 'DELETE' });
    expectError(answer, 405, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.allow?.split(', ').toSorted()).toEqual(['GET', 'POST']);
    expectError(await send(api('/time'), { method: 'POST' }), 405, 'METHOD_NOT_ALLOWED');
  });

  test.each(['{', '[]', 'null', '"x"', '1', '{"a":1}}'])('of the body %j', async (body) => {
    expectError(await space.owner.call('POST /apps', body, { 'content-type': 'application/json' }), 400, 'BAD_JSON');
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonx', ''])('of the type %j where JSON belongs', async (type) => {
    expectError(await space.owner.call('POST /apps', '{"name":"abcd"}', { 'content-type': type }), 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  test('of JSON with parameters in its type is none', async () => {
    expect((await space.owner.call('POST /apps', '{"name":"abcd"}', { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(201);
  });

  test('of a form that is none', async () => {
    const answer = await send(`${space.url}/login`, { method: 'POST', body: {} });
    expect(answer.status).toBe(415);
    expect(answer.headers['content-type']).toContain('text/html');
  });

  test('of a body that announces too much, before it is sent', async () => {
    const head = `POST /api/v0/login HTTP/1.1\r\nHost: localhost:${space.port}\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n`;
    const answer = await sendRaw(space.port, head);
    expect(answer).toMatchObject({ statuses: [413], closed: true });
    expect(answer.text).toContain('PAYLOAD_TOO_LARGE');
  });

  test('of a body that grows too much, while it grows', async () => {
    const head = `POST /api/v0/login HTTP/1.1\r\nHost: localhost:${space.port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `${(1024 * 1024 + 1).toString(16)}\r\n${'a'.repeat(1024 * 1024 + 1)}\r\n`;
    const answer = await sendRaw(space.port, head + chunk);
    expect(answer).toMatchObject({ statuses: [413], closed: true });
  });

  test('shows no cause, no stack and no folder', async () => {
    for (const path of ['/builds/..%2f..', '/apps/%00', '/apps/%ff', '/instances/__proto__', '/releases/constructor', `/apps/${'a'.repeat(2000)}`]) {
      const answer = await space.owner.call(`GET ${path}`);
      expect([400, 404], path).toContain(answer.status);
      expect(answer.text).not.toMatch(/ at |node:|\.ts|ownspace-/);
    }
  });

  test('is a page where a person asked for one', async () => {
    const answer = await send(`${space.url}/nothing`, { headers: { accept: 'text/html' } });
    expect(answer).toMatchObject({ status: 404 });
    expect(answer.headers['content-type']).toContain('text/html');
    expectError(await send(api('/nothing'), { headers: { accept: 'text/html' } }), 404, 'NOT_FOUND');
  });

  test('of too many attempts says when to come back', async () => {
    const attempts: TestResponse[] = [];
    for (let count = 0; count < 11; count += 1) attempts.push(await send(api('/login'), { method: 'POST', body: { username: 'carol', password: 'wrong password' } }));
    const last = attempts.at(-1) as TestResponse;
    expectError(last, 429, 'TOO_MANY_REQUESTS');
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expectError(attempts[0] as TestResponse, 401, 'LOGIN_FAILED');
  });
});

describe('a request of another site', () => {
  const create = (headers: Record<string, string>): Promise<TestResponse> => send(api('/tokens'), { method: 'POST', body: { name: 'x' }, headers });

  test('our own page may act for whoever is signed in', async () => {
    expect((await create({ cookie, origin: space.url })).status).toBe(201);
    expect((await create({ cookie, origin: space.url, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
    expect((await create({ cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
  });

  test.each([
    ['no word of a browser', {}], ['another site', { origin: 'http://evil.example' }], ['no origin', { origin: 'null' }],
    ['our name at another port', { origin: 'http://localhost:1' }], ['our name over HTTPS', { origin: 'https://localhost' }],
    ['a sibling by its word alone', { 'sec-fetch-site': 'same-site' }], ['another site by its word alone', { 'sec-fetch-site': 'cross-site' }],
    ['the address bar', { 'sec-fetch-site': 'none' }],
  ])('%s with the cookie is refused', async (_, headers) => {
    expectError(await create({ cookie, ...headers }), 403, 'ORIGIN_FORBIDDEN');
  });

  test('an app of the same person is another site, too', async () => {
    expectError(await create({ cookie, origin: appOrigin, 'sec-fetch-site': 'same-site' }), 403, 'ORIGIN_FORBIDDEN');
    expectError(await create({ cookie, origin: appOrigin }), 403, 'ORIGIN_FORBIDDEN');
    expectError(await create({ cookie, origin: space.url, 'sec-fetch-site': 'same-site' }), 403, 'ORIGIN_FORBIDDEN');
  });

  test('a forged form of a page is refused with a page, and nothing happens', async () => {
    const body = new URLSearchParams({ name: 'forged' }).toString();
    const answer = await send(`${space.url}/tokens`, { method: 'POST', body, headers: { cookie, origin: appOrigin, 'content-type': 'application/x-www-form-urlencoded' } });
    expect(answer.status).toBe(403);
    expect((await space.owner.call('GET /tokens')).text).not.toContain('forged');
  });

  test('signing somebody in from another site is refused', async () => {
    const login = (origin: string): Promise<TestResponse> => send(api('/login'), { method: 'POST', body: { username: 'bob', password: PASSWORD }, headers: { origin } });
    expectError(await login('http://evil.example'), 403, 'ORIGIN_FORBIDDEN');
    expectError(await login(appOrigin), 403, 'ORIGIN_FORBIDDEN');
    expect((await login(space.url)).status).toBe(200);
  });

  test('a token in the hand of a program needs no word of a browser', async () => {
    expect((await space.owner.call('POST /tokens', { name: 'x' }, { origin: 'http://evil.example' })).status).toBe(201);
  });

  test('no other site may read an answer', async () => {
    const answer = await send(api('/space'), { headers: { cookie, origin: 'http://evil.example' } });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect((await send(api('/space'), { method: 'OPTIONS', headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } })).headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('pages', () => {
  test.each(['/', '/login', '/setup', '/tokens', '/nothing'])('%s is framed by nobody, loads nothing from elsewhere and runs nothing', async (path) => {
    const { headers } = await send(space.url + path, { headers: { cookie, accept: 'text/html' } });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("base-uri 'none'");
    expect(policy).not.toMatch(/script-src|unsafe/);
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin' });
  });

  test('a stranger is sent to the login, and from there only to our own addresses', async () => {
    const answer = await send(`${space.url}/tokens?x=1`);
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe(`/login?redirect_uri=${encodeURIComponent(`${space.url}/tokens?x=1`)}`);
  });

  test.each(['//evil.example', '/\\evil.example', 'http://evil.example/', 'https:evil.example', 'javascript:alert(1)', 'http://localhost@evil.example', 'http://nobody.localhost/', '\thttp://evil.example', 'http://x:y@localhost', '%2f%2fevil.example', 'data:text/html,x', '/%0d%0aset-cookie:x=y'])('a login does not lead to %j', async (target) => {
    const visitor = new Visitor();
    const body = new URLSearchParams({ username: 'bob', password: PASSWORD, redirect_uri: target }).toString();
    const answer = await send(`${space.url}/login`, { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded', origin: space.url } });
    expect(answer.status).toBe(303);
    expect(new URL(answer.headers.location ?? '', space.url).origin).toBe(space.url);
    expect(visitor.jar.size).toBe(0);
  });

  test('the session cookie is for this host and no script', async () => {
    const answer = await send(api('/login'), { method: 'POST', body: { username: 'bob', password: PASSWORD } });
    expect(answer.cookies).toHaveLength(1);
    expect(answer.cookies[0]).toMatch(/^space_session=[A-Za-z0-9]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  test('a session from before signing in is not taken over', async () => {
    const fixed = `space_session=${'f'.repeat(43)}`;
    const answer = await send(api('/login'), { method: 'POST', body: { username: 'bob', password: PASSWORD }, headers: { cookie: fixed, origin: space.url } });
    expect(answer.cookies[0]).not.toContain(fixed);
    expectError(await send(api('/space'), { headers: { cookie: fixed } }), 401, 'UNAUTHORIZED');
  });
});

describe('signing out', () => {
  test('ends the session on the host, not only in the browser', async () => {
    const visitor = new Visitor();
    await visitor.submit(`${space.url}/login`, { username: 'bob', password: PASSWORD });
    const own = [...(visitor.jar.get(space.authority) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await send(api('/space'), { headers: { cookie: own } })).status).toBe(200);
    expect((await send(api('/logout'), { method: 'POST', headers: { cookie: own, origin: space.url } })).status).toBe(204);
    expectError(await send(api('/space'), { headers: { cookie: own } }), 401, 'UNAUTHORIZED');
  });
});

test('unknown names and wrong passwords read the same', async () => {
  const login = (username: string): Promise<TestResponse> => send(api('/login'), { method: 'POST', body: { username, password: 'wrong password' } });
  const [known, unknown] = [await login('ada'), await login('nobody')];
  const comparable = ({ status, headers, text }: TestResponse): unknown => {
    const { 'x-request-id': id, date: _, ...rest } = headers;
    return { status, rest, text: text.replaceAll(String(id), '') };
  };
  expect(comparable(unknown)).toEqual(comparable(known));
});
