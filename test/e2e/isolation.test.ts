// Nobody reaches what is not theirs: two people, two apps of one person, two Instances of one app, each kind of key
// and of session. Every refusal stands beside the same request with the right key, which passes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { DATA_ROUTES } from '../../runtime/api/data-route.ts';
import type { HostProcess } from '../support/host-process.ts';
import { send, Visitor, type TestResponse } from '../support/http.ts';
import { signIn, type Resident } from './people.ts';
import { microKeysOf, newKey, secretOf, setScene, type Scene } from './probes.ts';

let scene: Scene;
let host: HostProcess;
let ada: Resident;
let bob: Resident;
let builder: WireInstance;
let copy: WireInstance;
let other: WireInstance;
let bobs: WireInstance;

beforeAll(async () => {
  scene = await setScene();
  ({ host, ada, bob, builder, copy, other, bobs } = scene);
});

afterAll(() => scene?.[Symbol.asyncDispose]());

const cookieOf = ({ browser }: Resident, url: string): string => browser.cookiesFor(url);

/** Every ordered pair of different Instances. */
function pairs(): { person: Resident; from: WireInstance; to: WireInstance }[] {
  return scene.owned.flatMap(([person, from]) => scene.owned.filter(([, to]) => to.id !== from.id).map(([, to]) => ({ person, from, to })));
}

const itemUrl = (collectionId: string): string => `${host.url}/base/v1/${collectionId}/notes/items/note`;
const withKey = (url: string, key: string): Promise<TestResponse> => send(url, { headers: { 'x-api-key': key } });

describe('what a Micro sees', () => {
  test('never a credential of the platform, and nothing that only the platform may say', async () => {
    const session = cookieOf(ada, host.url);
    const instanceCookie = cookieOf(ada, builder.url);
    expect(session).toMatch(/^space_session=\S{20,}$/);
    expect(instanceCookie).toMatch(/^space_instance=\S{20,}$/);
    const answer = await ada.browser.fetch(`${builder.url}echo`, { headers: {
      cookie: `theme=dark; ${session}; ${instanceCookie}; __Host-space_session=x; lang=en`,
      authorization: `Bearer ${ada.token}`,
      'x-space-app-key': 'forged', 'X-Space-Instance': 'forged', x_space_instance: 'forged', 'x-deta-signature': 'v0=forged', 'X-Deta-Timestamp': '1',
      'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil.test', x_forwarded_for: '6.6.6.6', 'x-real-ip': '6.6.6.6', forwarded: 'for=6.6.6.6',
      'x-request-id': 'forged', 'x-own': 'passes',
    } });
    // A signature makes it no request of the owner's; the session does.
    expect(answer.status, answer.text).toBe(200);
    const { headers } = answer.json<{ headers: [string, string][] }>();
    const seen = new Map(headers);
    expect(seen.get('cookie')).toBe('theme=dark; lang=en');
    expect(seen.get('x-own')).toBe('passes');
    expect(seen.get('x-forwarded-for')).toBe('127.0.0.1');
    expect(seen.get('x-forwarded-host')).toBe(new URL(builder.url).host);
    expect([...seen.keys()].filter((name) => /^x[-_](space|deta)|authorization|real-ip|^forwarded/.test(name))).toEqual([]);
    for (const secret of [session.split('=')[1], instanceCookie.split('=')[1], ada.token, 'forged', '6.6.6.6', 'evil.test']) expect(answer.text).not.toContain(secret);
  });

  test('but the Authorization header that an app uses for itself passes', async () => {
    const answer = await ada.browser.fetch(`${builder.url}echo`, { headers: { authorization: 'Bearer of-the-app' } });
    expect(new Map(answer.json<{ headers: [string, string][] }>().headers).get('authorization')).toBe('Bearer of-the-app');
  });

  test('its own variables and nothing of the host', async () => {
    const { env, globals } = (await ada.browser.fetch(`${builder.url}echo`)).json<{ env: string[]; globals: string[] }>();
    expect(env.toSorted()).toEqual(['Base', 'DETA_API_KEY', 'DETA_PROJECT_KEY', 'DETA_SPACE_APP', 'DETA_SPACE_APP_HOSTNAME', 'DETA_SPACE_APP_MICRO_NAME', 'DETA_SPACE_APP_MICRO_TYPE', 'DETA_SPACE_APP_VERSION', 'Drive', 'micros']);
    expect(globals).toEqual([]);
  });

  test('a cookie that it sets stays on its own host, and never has a platform name', async () => {
    const answer = await send(`${builder.url}cookies`, { headers: { cookie: cookieOf(ada, builder.url), 'sec-fetch-site': 'same-origin' } });
    expect(answer.cookies).toEqual(['theme=dark; Path=/']);
    expect(answer.headers['x-space-instance']).toBeUndefined();
  });
});

describe('data', () => {
  test('every Instance sees its own Items and Files, and only those', async () => {
    for (const [person, instance] of scene.owned) {
      const seen = (await person.browser.fetch(`${instance.url}recall`)).json();
      expect(seen).toEqual({ item: secretOf(instance), items: [secretOf(instance)], file: secretOf(instance), names: ['note.txt'] });
    }
  });

  test('a data key, made by a person or given to a Micro, opens its own Collection and no other', async () => {
    for (const [person, instance] of scene.owned) {
      for (const key of [await newKey(person, instance, 'data'), (await microKeysOf(person, instance)).dataKey]) {
        expect((await withKey(itemUrl(instance.collection_id), key)).json()).toMatchObject({ text: secretOf(instance) });
        for (const [, foreign] of scene.owned.filter(([, { id }]) => id !== instance.id)) {
          const refused = await withKey(itemUrl(foreign.collection_id), key);
          expect(refused.status).toBe(401);
          expect(refused.text).not.toContain('secret-of');
          // The secret of one Collection behind the name of another.
          expect((await withKey(itemUrl(foreign.collection_id), `${foreign.collection_id}_${key.split('_')[1]}`)).status).toBe(401);
        }
      }
    }
  });

  test('every operation of the data plane refuses every wrong kind of key', async () => {
    const right = await newKey(ada, builder, 'data');
    const wrong: Record<string, Record<string, string>> = {
      nobody: {}, 'a key of another Collection': { 'x-api-key': await newKey(bob, bobs, 'data') }, 'an API key': { 'x-api-key': await newKey(ada, builder, 'api') },
      'a Micro key': { 'x-api-key': (await microKeysOf(ada, builder)).microKey }, 'an access token': { 'x-api-key': ada.token }, 'a bearer': { authorization: `Bearer ${ada.token}` },
      'a session': { cookie: cookieOf(ada, host.url), 'sec-fetch-site': 'same-origin' }, 'a session of the Instance': { cookie: cookieOf(ada, builder.url), 'sec-fetch-site': 'same-origin' },
    };
    for (const { method, service, path } of DATA_ROUTES) {
      const below = path.split('/').map((piece) => (piece === ':' ? 'note' : piece)).join('/');
      const name = service === 'base' ? 'notes' : 'files';
      for (const url of [`${host.url}/${service}/v1/${builder.collection_id}/${name}/${below}`, `${host.url}/v1/${builder.collection_id}/${name}/${below}`]) {
        for (const [kind, headers] of Object.entries(wrong)) {
          const answer = await send(url, { method, headers });
          expect([401, 403, 404], `${kind}: ${method} ${url}`).toContain(answer.status);
          expect(answer.text).not.toContain('secret-of');
        }
      }
      const passes = await send(`${host.url}/${service}/v1/${builder.collection_id}/nowhere/${below}`, { method, headers: { 'x-api-key': right }, body: method === 'GET' || method === 'DELETE' ? undefined : {} });
      expect(passes.status, `${method} ${path}`).not.toBe(401);
    }
  });

  test('the data addresses of the Instance\'s own host open to its own session only, whatever Collection they name', async () => {
    const path = (collectionId: string): string => `__space/v0/base/v1/${collectionId}/notes/items/note`;
    for (const { person, from, to } of pairs()) {
      const own = await person.browser.fetch(`${from.url}${path(to.collection_id)}`);
      expect(own.json(), 'the name in the path counts for nothing').toMatchObject({ text: secretOf(from) });
      const refused = await send(`${to.url}${path(to.collection_id)}`, { headers: { cookie: cookieOf(person, from.url), 'sec-fetch-site': 'same-origin' } });
      expect(refused.status).toBe(401);
    }
    expect((await send(`${builder.url}${path('any')}`)).status).toBe(401);
  });

  test('a Micro reaches neither the platform nor another Instance by its own fetch', async () => {
    const { dataKey } = await microKeysOf(bob, bobs);
    const attempt = async (url: string, headers: object = {}): Promise<{ status?: number; text?: string; error?: string }> =>
      (await ada.browser.fetch(`${builder.url}fetch?url=${encodeURIComponent(url)}`, { headers: { 'x-probe-headers': JSON.stringify(headers) } })).json();
    const forbidden = [
      `${host.url}/api/v0/health`, `http://127.0.0.1:${host.port}/api/v0/health`, `http://[::1]:${host.port}/`, `http://0.0.0.0:${host.port}/`, `http://2130706433:${host.port}/`,
      `http://169.254.169.254/latest/meta-data/`, `http://localhost.:${host.port}/api/v0/health`, 'file:///etc/passwd',
    ];
    for (const url of forbidden) {
      const answer = await attempt(url);
      expect(answer.error ?? answer.status, `${url}: ${JSON.stringify(answer)}`).not.toBe(200);
      expect(answer.text ?? '').not.toContain('"status":"ok"');
    }
    for (const foreign of [copy, other, bobs]) {
      expect(await attempt(`${foreign.url}recall`)).toMatchObject({ status: 401 });
      expect(await attempt(`${foreign.url}recall`, { 'x-api-key': (await microKeysOf(ada, builder)).microKey })).toMatchObject({ status: 401 });
    }
    expect(JSON.stringify(await attempt(itemUrl(bobs.collection_id), { 'x-api-key': dataKey }))).not.toContain('secret-of');
    expect(await attempt(`${bobs.url}open`), 'a public route is open to all').toMatchObject({ status: 200 });
    expect(await attempt(`${builder.url}recall`, { 'x-api-key': (await microKeysOf(ada, builder)).microKey }), 'its own address').toMatchObject({ status: 200 });
  });
});

describe('sessions', () => {
  test('the cookie of one Instance is worth nothing at another', async () => {
    for (const { person, from, to } of pairs()) {
      const cookie = cookieOf(person, from.url);
      expect((await send(`${from.url}echo`, { headers: { cookie } })).status).toBe(200);
      expect((await send(`${to.url}echo`, { headers: { cookie } })).status).toBe(401);
      expect((await send(`${host.url}/api/v0/space`, { headers: { cookie } })).status).toBe(401);
      expect((await send(`${host.url}/api/v0/space`, { headers: { cookie: cookie.replace('space_instance', 'space_session') } })).status).toBe(401);
    }
    const session = cookieOf(ada, host.url);
    expect((await send(`${builder.url}echo`, { headers: { cookie: session } })).status).toBe(401);
    expect((await send(`${builder.url}echo`, { headers: { cookie: session.replace('space_session', 'space_instance') } })).status).toBe(401);
  });

  async function newCode(person: Resident, instance: WireInstance): Promise<URL> {
    const answer = await person.browser.fetch(`${host.url}/login?redirect_uri=${encodeURIComponent(instance.url)}`);
    expect([302, 303]).toContain(answer.status);
    return new URL(answer.headers.location ?? '');
  }

  test('a one-time code is good for its own Instance, and once', async () => {
    const good = await newCode(ada, builder);
    expect(good.host).toBe(new URL(builder.url).host);
    const redeemed = await send(good.href);
    expect(redeemed.cookies.join()).toMatch(/^space_instance=.*HttpOnly/);
    expect(redeemed.cookies.join()).not.toMatch(/domain=/i);
    expect((await send(good.href)).cookies, 'reused').toEqual([]);
    for (const to of [copy, other, bobs]) {
      const stolen = await newCode(ada, builder);
      const elsewhere = new URL(stolen.pathname + stolen.search, to.url);
      const refused = await send(elsewhere.href);
      expect(refused.cookies).toEqual([]);
      expect(new URL(refused.headers.location ?? '').pathname).toBe('/login');
      expect((await send(stolen.href)).cookies, 'spent by the attempt').toEqual([]);
    }
  });

  test('nobody is sent into the Instance of somebody else', async () => {
    const answer = await bob.browser.fetch(`${host.url}/login?redirect_uri=${encodeURIComponent(builder.url)}`);
    expect(answer.status).toBe(403);
    expect(answer.headers.location).toBeUndefined();
  });

  test('a page of a sibling app cannot act for the owner, though its requests carry the cookie', async () => {
    const cookie = cookieOf(ada, builder.url);
    const at = (headers: Record<string, string>, method = 'GET'): Promise<number> => send(`${builder.url}echo`, { method, headers: { cookie, ...headers } }).then(({ status }) => status);
    expect(await at({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    for (const site of ['same-site', 'cross-site']) {
      for (const mode of ['cors', 'no-cors', 'websocket']) expect(await at({ 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': 'empty' })).toBe(401);
      expect(await at({ 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 'POST')).toBe(401);
      expect(await at({ 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' })).not.toBe(200);
    }
    expect(await at({ origin: other.url.slice(0, -1) }, 'POST'), 'an old browser').toBe(401);
    expect(await at({ origin: builder.url.slice(0, -1) }, 'POST')).toBe(200);
    expect(await at({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }), 'a link').toBe(200);
  });

  test('nor can it use the dashboard', async () => {
    const cookie = cookieOf(ada, host.url);
    const make = (headers: Record<string, string>): Promise<number> => send(`${host.url}/api/v0/tokens`, { method: 'POST', body: { name: 'x' }, headers: { cookie, ...headers } }).then(({ status }) => status);
    expect(await make({ origin: host.url, 'sec-fetch-site': 'same-origin' })).toBe(201);
    expect(await make({ origin: builder.url.slice(0, -1), 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await make({ origin: host.url, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await make({ origin: 'null' })).toBe(403);
    expect(await make({})).toBe(403);
    const page = await send(`${host.url}/`, { headers: { cookie, accept: 'text/html' } });
    expect(page.headers['access-control-allow-origin']).toBeUndefined();
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['cross-origin-resource-policy']).toBe('same-origin');
  });

  test('a sign-in leads to the dashboard or to an own Instance, wherever redirect_uri points', async () => {
    const { host: label } = new URL(builder.url);
    const away = [
      '//evil.test', '///evil.test', '/\\evil.test', '\\\\evil.test', '/\t/evil.test', '/%09/evil.test', 'https:evil.test', 'https:/evil.test', 'https://evil.test/', 'http://evil.test',
      'javascript:alert(1)', 'data:text/html,x', 'vbscript:x', `http://localhost:${host.port + 1}/`, `http://localhost@evil.test/`, `http://user@${label}/`, `http://user:pass@${label}/`,
      `http://${label}.evil.test/`, `http://${label}@evil.test/`, `http://evil.test#${label}`, `http://evil.test\\@${label}`, `ftp://${label}/`, `http://127.0.0.1:${host.port}/`,
      `${host.url}@evil.test`, `${host.url}.evil.test/`, 'http://nobody-x1234567.localhost/', ' //evil.test', '', '/..//evil.test', '/.//evil.test', 'http:evil.test',
    ];
    const allowed = new Set([host.url, ...[builder, copy, other].map(({ url }) => new URL(url).origin)]);
    for (const target of away) {
      const known = await ada.browser.fetch(`${host.url}/login?redirect_uri=${encodeURIComponent(target)}`);
      const fresh = await new Visitor().fetch(`${host.url}/login`, {
        method: 'POST', body: new URLSearchParams({ username: 'ada', password: 'correct horse battery', redirect_uri: target }).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
      for (const answer of [known, fresh]) {
        expect([302, 303], `${target}: ${answer.status}`).toContain(answer.status);
        const end = new URL(answer.headers.location ?? '', host.url);
        expect(allowed, `${target} led to ${end.href}`).toContain(end.origin);
        expect(end.origin === host.url || end.pathname === '/__space/auth', end.href).toBe(true);
      }
      const code = (await newCode(ada, builder)).searchParams.get('code') ?? '';
      const landed = await send(`${builder.url}__space/auth?code=${code}&to=${encodeURIComponent(target)}`);
      expect(new URL(landed.headers.location ?? '', builder.url).origin, target).toBe(new URL(builder.url).origin);
    }
    const good = await ada.browser.fetch(`${host.url}/login?redirect_uri=${encodeURIComponent(`${builder.url}echo?a=1`)}`);
    expect(new URL(good.headers.location ?? '').searchParams.get('to')).toBe('/echo?a=1');
  });

  test('an app opens with its owner signed in, once and again; anybody else is asked who they are', async () => {
    ada.browser.jar.delete(new URL(builder.url).host);
    const opened = await ada.browser.visit(`${builder.url}__space/auth?to=/echo`);
    expect([opened.status, new URL(opened.url).pathname]).toEqual([200, '/echo']);
    const again = await ada.browser.fetch(`${builder.url}__space/auth?to=/echo`);
    expect([again.status, again.headers.location]).toEqual([302, '/echo']);
    const stranger = await new Visitor().fetch(`${builder.url}__space/auth?to=/echo`);
    expect(stranger.headers.location).toContain(`${host.url}/login?redirect_uri=`);
  });

  test('signing out ends every Instance session at once', async () => {
    const before = await ada.browser.fetch(`${host.url}/api/v0/login`, { method: 'POST', body: { username: 'ada', password: 'correct horse battery' } });
    expect(before.status).toBe(200);
    for (const instance of [builder, copy, other]) {
      ada.browser.jar.delete(new URL(instance.url).host);
      expect((await ada.browser.visit(instance.url)).status).toBe(404);
      expect((await ada.browser.fetch(`${instance.url}echo`)).status).toBe(200);
    }
    await ada.browser.submit(`${host.url}/logout`, {});
    for (const instance of [builder, copy, other]) {
      expect((await ada.browser.fetch(`${instance.url}echo`)).status).toBe(401);
      expect((await ada.browser.fetch(`${instance.url}__space/v0/base/v1/x/notes/items/note`)).status).toBe(401);
    }
    await signIn(host, ada);
    for (const instance of [builder, copy, other]) await ada.browser.visit(instance.url);
  });
});

describe('keys', () => {
  test('an API key opens its own Instance only', async () => {
    for (const [person, instance] of scene.owned) {
      const key = await newKey(person, instance, 'api');
      const at = (to: WireInstance): Promise<number> => send(`${to.url}echo`, { headers: { 'x-space-app-key': key } }).then(({ status }) => status);
      expect(await at(instance)).toBe(200);
      for (const [, foreign] of scene.owned.filter(([, { id }]) => id !== instance.id)) expect(await at(foreign)).toBe(401);
      expect((await send(`${instance.url}echo`, { headers: { 'x-api-key': key } })).status).toBe(401);
    }
  });

  test('a Micro key opens its own Instance only', async () => {
    for (const { person, from, to } of pairs()) {
      const { microKey, dataKey } = await microKeysOf(person, from);
      expect((await withKey(`${from.url}echo`, microKey)).status).toBe(200);
      expect((await withKey(`${to.url}echo`, microKey)).status).toBe(401);
      expect((await withKey(`${from.url}echo`, dataKey)).status).toBe(401);
      expect((await send(`${host.url}/api/v0/space`, { headers: { authorization: `Bearer ${microKey}` } })).status).toBe(401);
    }
  });

  test('a deleted key is dead at once', async () => {
    const { value } = (await ada.api('POST', `/instances/${builder.id}/keys`, { name: 'brief', kind: 'data' })).json<{ value: string }>();
    expect((await withKey(itemUrl(builder.collection_id), value)).status).toBe(200);
    expect((await ada.api('DELETE', `/instances/${builder.id}/keys/brief?kind=data`)).status).toBe(200);
    expect((await withKey(itemUrl(builder.collection_id), value)).status).toBe(401);
  });
});
