// Owns the proof that Base and Drive are served at each of their addresses to the right key and to nobody else, and that
// nothing which is stored there runs in a browser.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireCollection, WireInstance } from '../../../core/wire.ts';
import { DATA_ROUTES, type DataRoute } from '../../../runtime/api/data-route.ts';
import { send, type TestRequest, type TestResponse } from '../../support/http.ts';
import { sendRaw } from '../../support/raw.ts';
import { installApp, pushApp, releaseApp, startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let own: WireCollection;
let foreign: WireCollection;
let app: WireInstance;
/** What each identity carries. */
const CARRIED: Record<string, Record<string, string>> = {};

beforeAll(async () => {
  space = await startTestHost();
  own = (await space.owner.call('POST /collections', { name: 'own' })).json();
  foreign = (await space.owner.call('POST /collections', { name: 'foreign' })).json();
  const theirs = (await space.member.call('POST /collections', { name: 'theirs' })).json();
  const key = async (collection: WireCollection, name: string, person = space.owner): Promise<Record<string, string>> =>
    ({ 'x-api-key': (await person.call(`POST /collections/${collection.id}/keys`, { name })).json().value });
  const pushed = await pushApp(space.owner);
  app = (await installApp(space.owner, await releaseApp(space.owner, pushed))).instance;
  const apiKey = (await space.owner.call(`POST /instances/${app.id}/keys`, { name: 'api', kind: 'api' })).json().value;
  await space.owner.visitor.visit(app.url);
  const right = await key(own, 'right');
  Object.assign(CARRIED, {
    'the right key': right,
    'nobody': {},
    'the key of another Collection of the same person': await key(foreign, 'foreign'),
    'the key of another person': await key(theirs, 'theirs', space.member),
    'a revoked key': await key(own, 'revoked'),
    'a key that is garbage': { 'x-api-key': `${own.id}_${'x'.repeat(32)}` },
    'the Collection id alone': { 'x-api-key': own.id },
    'two keys': { 'x-api-key': `${right['x-api-key']}, ${right['x-api-key']}` },
    'the key as a bearer': { authorization: `Bearer ${right['x-api-key']}` },
    'an access token of the owner': { authorization: `Bearer ${space.owner.accessToken}` },
    'an access token as a key': { 'x-api-key': space.owner.accessToken },
    'the owner\'s session at the dashboard': { cookie: cookieOf(space.url), origin: space.url, 'sec-fetch-site': 'same-origin' },
    'the owner\'s session at an app': { cookie: cookieOf(app.url) },
    'an API key of an app': { 'x-api-key': apiKey, 'x-space-app-key': apiKey },
  });
  await space.owner.call(`DELETE /collections/${own.id}/keys/revoked`);
}, 60_000);
afterAll(() => space.close());

const cookieOf = (url: string): string => [...(space.owner.visitor.jar.get(new URL(url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');

interface Made { path: string; request: TestRequest; status: number }

/** A request for each row of the table; a row without one fails below. */
const REQUESTS: Record<string, (uploadId: string) => Made> = {
  'PUT items': () => ({ path: 'items', request: { body: { items: [{ key: 'a', value: 1 }] } }, status: 207 }),
  'POST items': () => ({ path: 'items', request: { body: { item: { value: 2 } } }, status: 201 }),
  'GET items/:': () => ({ path: 'items/a', request: {}, status: 200 }),
  'PATCH items/:': () => ({ path: 'items/a', request: { body: { set: { value: 3 } } }, status: 200 }),
  'DELETE items/:': () => ({ path: 'items/a', request: {}, status: 200 }),
  'POST query': () => ({ path: 'query', request: { body: { query: [] } }, status: 200 }),
  'POST files': () => ({ path: 'files?name=a.txt', request: { body: 'content' }, status: 201 }),
  'GET files/download': () => ({ path: 'files/download?name=a.txt', request: {}, status: 200 }),
  'GET files': () => ({ path: 'files', request: {}, status: 200 }),
  'DELETE files': () => ({ path: 'files', request: { body: { names: ['a.txt'] } }, status: 200 }),
  'POST uploads': () => ({ path: 'uploads?name=b.txt', request: {}, status: 202 }),
  'POST uploads/:/parts': (id) => ({ path: `uploads/${id}/parts?name=b.txt&part=1`, request: { body: 'part' }, status: 200 }),
  'PATCH uploads/:': (id) => ({ path: `uploads/${id}?name=b.txt`, request: {}, status: 200 }),
  'DELETE uploads/:': (id) => ({ path: `uploads/${id}?name=b.txt`, request: {}, status: 200 }),
};

const nameOf = ({ method, path }: DataRoute): string => `${method} ${path}`;
function requestFor(route: DataRoute, uploadId: string): Made {
  const make = REQUESTS[nameOf(route)];
  if (!make) throw new TypeError(`no request for ${nameOf(route)}`);
  return make(uploadId);
}

const at = (service: 'base' | 'drive', path: string, collection = own.id): string => `${space.url}/${service}/v1/${collection}/things/${path}`;
const data = (service: 'base' | 'drive', path: string, { headers, ...request }: TestRequest = {}): Promise<TestResponse> =>
  send(at(service, path), { ...request, headers: { ...CARRIED['the right key'], ...headers } });

async function startUpload(): Promise<string> {
  const started = await data('drive', 'uploads?name=b.txt', { method: 'POST' });
  return started.json().upload_id;
}

async function seed(): Promise<void> {
  await data('base', 'items', { method: 'PUT', body: { items: [{ key: 'a', value: 1 }] } });
  await data('drive', 'files?name=a.txt', { method: 'POST', body: 'content' });
}

/** Everything that is stored, as one text. */
async function contents(): Promise<string> {
  const [items, files, file] = [await data('base', 'query', { method: 'POST', body: { query: [] } }), await data('drive', 'files'), await data('drive', 'files/download?name=a.txt')];
  return [items.text, files.text, file.text].join('\n');
}

describe('every operation', () => {
  test('has its request in this table', () => {
    expect(DATA_ROUTES.map(nameOf).toSorted()).toEqual(Object.keys(REQUESTS).toSorted());
  });

  test.each(DATA_ROUTES)('$method $path: the right key passes', async (route) => {
    await seed();
    const id = await startUpload();
    if (nameOf(route) === 'PATCH uploads/:') await data('drive', `uploads/${id}/parts?name=b.txt&part=1`, { method: 'POST', body: 'part' });
    const { path, request, status } = requestFor(route, id);
    const answer = await data(route.service, path, { method: route.method, ...request });
    expect(answer.status, answer.text).toBe(status);
  });

  test.each(DATA_ROUTES)('$method $path: nobody else does, and nothing changes', async (route) => {
    await seed();
    const id = await startUpload();
    const before = await contents();
    const { path, request } = requestFor(route, id);
    for (const [identity, headers] of Object.entries(CARRIED)) {
      if (identity === 'the right key') continue;
      const hosts = [at(route.service, path), at(route.service, path).replace('//localhost', `//${route.service === 'base' ? 'database' : 'drive'}.localhost`).replace(`/${route.service}/v1`, '/v1'), at(route.service, path).replace(`/${route.service}/v1`, '/v1')];
      for (const url of hosts) {
        const answer = await send(url, { method: route.method, ...request, headers });
        expect({ identity, url, status: answer.status }).toEqual({ identity, url, status: 401 });
        expect(answer.json()).toMatchObject({ errors: ['Unauthorized'] });
      }
    }
    expect(await contents()).toBe(before);
  });

  test('a key in the address counts for nothing', async () => {
    expect((await send(`${at('base', 'items/a')}?x-api-key=${CARRIED['the right key']?.['x-api-key']}`)).status).toBe(401);
  });

  test('the key of one Collection opens no other, nor one that is none', async () => {
    for (const id of [foreign.id, 'nosuchone', '..', '%2e%2e', `${own.id}%2f..%2f${foreign.id}`, '__proto__', 'api']) {
      const answer = await send(at('base', 'items/a', id), { headers: CARRIED['the right key'] ?? {} });
      expect([400, 401, 404], id).toContain(answer.status);
      expect(answer.text).not.toContain('"value"');
    }
  });
});

describe('addresses', () => {
  test.each([
    ['by path', () => `${space.url}/base/v1/${own.id}/things/items/a`], ['by host', () => `http://database.localhost:${space.port}/v1/${own.id}/things/items/a`],
    ['without a service', () => `${space.url}/v1/${own.id}/things/items/a`], ['by the name that old apps know', () => `http://database.deta.sh:${space.port}/v1/${own.id}/things/items/a`],
  ])('a Base %s', async (_, url) => {
    await seed();
    expect((await send(url(), { headers: CARRIED['the right key'] ?? {} })).json()).toEqual({ key: 'a', value: 1 });
  });

  test('the operations of a Drive are not those of a Base', async () => {
    expect((await data('drive', 'items/a')).status).toBe(404);
    expect((await data('base', 'files')).status).toBe(404);
  });

  test.each([['base', 'items', 'DELETE', 'PUT, POST'], ['base', 'query', 'GET', 'POST'], ['drive', 'files/download', 'POST', 'GET']] as const)('%s %s does not take %s', async (service, path, method, allow) => {
    const answer = await data(service, path, { method });
    expect({ status: answer.status, allow: answer.headers.allow }).toEqual({ status: 405, allow });
  });

  test.each(['', 'items', 'items/', 'items/a/b', 'nothing', 'files/download/x', 'uploads//parts'])('%j is no address', async (path) => {
    expect([404, 405]).toContain((await data('base', path)).status);
  });

  test('a name of a Base that is none', async () => {
    for (const name of ['', '%00', '%zz', 'a%2Fb', 'x'.repeat(500)]) {
      const answer = await send(`${space.url}/base/v1/${own.id}/${name}/items/a`, { headers: CARRIED['the right key'] ?? {} });
      expect([400, 404], name).toContain(answer.status);
    }
  });
});

describe('keys and names', () => {
  test.each(['a/b', 'a b', 'ü', '100%', '%2F', '..', '.', '__proto__', '?#&', '"'])('Item %j is found under its own key, encoded once', async (key) => {
    expect((await data('base', 'items', { method: 'PUT', body: { items: [{ key, value: key }] } })).status).toBe(207);
    const url = `/base/v1/${own.id}/things/items/${encodeURIComponent(key).replace(/^\.+$/, (dots) => '%2e'.repeat(dots.length))}`;
    const answer = await sendRaw(space.port, `GET ${url} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${CARRIED['the right key']?.['x-api-key']}\r\nConnection: close\r\n\r\n`);
    expect(answer.statuses).toEqual([200]);
    const body = Buffer.from(answer.text, 'latin1').toString().split('\r\n\r\n')[1] ?? '';
    expect(JSON.parse(body)).toEqual({ key, value: key });
  });

  test('an Item that is not there is answered with its key', async () => {
    const answer = await data('base', 'items/nothing%2Fhere');
    expect({ status: answer.status, body: answer.json() }).toEqual({ status: 404, body: { key: 'nothing/here' } });
  });

  test.each(['a/b/c.txt', 'ünï cödé.txt', '../up.txt', '-rf', '$(id).txt', 'a\nb'])('File %j is stored under its own name or refused', async (name) => {
    const put = await data('drive', `files?name=${encodeURIComponent(name)}`, { method: 'POST', body: name });
    if (put.status === 400) return;
    expect(put.status).toBe(201);
    expect((await data('drive', `files/download?name=${encodeURIComponent(name)}`)).text).toBe(name);
  });
});

describe('what is stored stays data', () => {
  test.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/javascript', 'text/xml', 'TEXT/HTML', 'text/html; charset=utf-8', ' text/html', 'multipart/x-mixed-replace', 'application/octet-stream'])('a File of type %j is downloaded, never shown', async (type) => {
    await data('drive', 'files?name=page', { method: 'POST', body: '<script>alert(1)</script>', headers: { 'content-type': type } });
    const { headers } = await data('drive', 'files/download?name=page');
    expect(headers['content-disposition']).toMatch(/^attachment/);
    expect(headers['content-security-policy']).toBe("default-src 'none'; sandbox");
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test.each(['page.html', 'picture.svg', 'script.js', 'a.xml'])('%s without a type of its own is downloaded, too', async (name) => {
    await data('drive', `files?name=${name}`, { method: 'POST', body: '<svg onload="alert(1)"/>' });
    expect((await data('drive', `files/download?name=${name}`)).headers['content-disposition']).toMatch(/^attachment/);
  });

  test('a picture may be shown, and runs nothing', async () => {
    await data('drive', 'files?name=a.png', { method: 'POST', body: 'png', headers: { 'content-type': 'image/png' } });
    const { headers } = await data('drive', 'files/download?name=a.png');
    expect(headers['content-disposition']).toBeUndefined();
    expect(headers).toMatchObject({ 'content-type': 'image/png', 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; sandbox" });
  });

  test('a type splits no header', async () => {
    const answer = await data('drive', 'files?name=split', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain; x="\tSet-Cookie: a=1"' } });
    expect(answer.status).toBe(201);
    expect((await data('drive', 'files/download?name=split')).cookies).toEqual([]);
  });
});

describe('ranges', () => {
  const CASES: [range: string, status: number, text: string][] = [
    ['bytes=0-3', 206, '0123'], ['bytes=4-', 206, '456789'], ['bytes=-2', 206, '89'], ['bytes=0-99', 206, '0123456789'], ['bytes=9-9', 206, '9'],
    ['bytes=10-', 416, ''], ['bytes=5-4', 416, ''],
    ['bytes=0-1,3-4', 200, '0123456789'], ['items=0-1', 200, '0123456789'], ['bytes', 200, '0123456789'], [`bytes=${'0-1,'.repeat(10_000)}0-1`.slice(0, 8000), 200, '0123456789'],
  ];

  test.each(CASES)('%s', async (range, status, text) => {
    await data('drive', 'files?name=digits', { method: 'POST', body: '0123456789', headers: { 'content-type': 'text/plain' } });
    const answer = await data('drive', 'files/download?name=digits', { headers: { range } });
    expect(answer.status).toBe(status);
    if (status !== 416) expect(answer.text).toBe(text);
    if (status === 206) expect(answer.headers['content-range']).toMatch(/^bytes \d-\d\/10$/);
  });

  test('of an empty File are ignored', async () => {
    await data('drive', 'files?name=empty', { method: 'POST', body: '' });
    expect(await data('drive', 'files/download?name=empty', { headers: { range: 'bytes=0-0' } })).toMatchObject({ status: 200, text: '' });
  });
});

describe('calls from pages of other sites', () => {
  test('are allowed to whoever holds a key: no cookie counts here', async () => {
    const preflight = await send(at('base', 'items/a'), { method: 'OPTIONS', headers: { origin: 'http://elsewhere.example', 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x-api-key' } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('*');
    expect(preflight.headers['access-control-allow-methods']).toContain('PATCH');
    expect(preflight.headers['access-control-allow-headers']?.toLowerCase()).toContain('x-api-key');
    expect(preflight.headers['access-control-allow-credentials']).toBeUndefined();
    await seed();
    for (const answer of [await data('base', 'items/a'), await data('base', 'items/none'), await data('drive', 'files/download?name=a.txt'), await data('drive', 'files'), await send(at('base', 'items/a')), await data('base', 'nothing')]) {
      expect(answer.headers['access-control-allow-origin'], answer.text).toBe('*');
    }
  });
});

describe('bodies', () => {
  test.each(['{', '[]', '', '{"items":1}', '{"item":{}}', '{"items":[1]}'])('%j is refused as the SDKs expect', async (body) => {
    const answer = await data('base', 'items', { method: 'PUT', body });
    expect(answer.status).toBe(400);
    expect(answer.json().errors).toHaveLength(1);
  });

  test('that are too large are refused with an answer, announced or not', async () => {
    const large = Buffer.alloc(12 * 1024 * 1024, 97);
    const announced = await data('drive', 'files?name=large', { method: 'POST', body: large }).catch(() => undefined);
    expect(announced === undefined || announced.status === 413).toBe(true);
    const head = `POST /drive/v1/${own.id}/things/files?name=large HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${CARRIED['the right key']?.['x-api-key']}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const grown = await sendRaw(space.port, Buffer.concat([Buffer.from(`${head}${large.length.toString(16)}\r\n`), large, Buffer.from('\r\n')]));
    expect(grown).toMatchObject({ statuses: [413], closed: true });
    expect((await data('drive', 'files/download?name=large')).status).toBe(404);
  });
});

describe('the owner\'s pages at an app', () => {
  const inside = (path: string, headers: Record<string, string> = {}, request: TestRequest = {}): Promise<TestResponse> =>
    send(new URL(`/__space/v0/${path}`, app.url).href, { ...request, headers: { cookie: cookieOf(app.url), ...headers } });

  test('reach the app\'s own Collection, whatever Collection they name', async () => {
    await seed();
    expect((await inside(`base/v1/${app.collection_id}/things/items`, {}, { method: 'PUT', body: { items: [{ key: 'x/y', value: 'inside' }] } })).status).toBe(207);
    expect((await inside(`base/v1/${app.collection_id}/things/items/x%2Fy`)).json()).toEqual({ key: 'x/y', value: 'inside' });
    expect((await inside(`base/v1/${own.id}/things/items/a`)).json()).toEqual({ key: 'a' });
    expect((await data('base', 'items/x%2Fy')).status).toBe(404);
  });

  test.each(DATA_ROUTES)('$method $path is closed without the session', async (route) => {
    const { path, request } = requestFor(route, 'someupload');
    const carried: Record<string, string>[] = [{ cookie: '' }, { cookie: cookieOf(space.url) }, { cookie: '', ...CARRIED['the right key'] }, { cookie: '', authorization: `Bearer ${space.owner.accessToken}` },
      { origin: 'http://other.localhost' }, { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }];
    for (const headers of carried) {
      const answer = await inside(`${route.service}/v1/${app.collection_id}/things/${path}`, headers, { method: route.method, ...request });
      expect({ headers, status: answer.status }).toEqual({ headers, status: 401 });
    }
  });

  test('may be read by no other site', async () => {
    expect((await inside(`base/v1/${app.collection_id}/things/items/x`, { 'sec-fetch-site': 'same-origin' })).headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each(['POST', 'GET'])('%s to the Actions from outside is refused, signed in or not', async (method) => {
    expect((await inside('actions', {}, { method })).status).toBe(403);
    expect((await inside('actions', { cookie: '' }, { method })).status).toBe(403);
  });

  test.each(['', 'v0', 'v0/', 'v0/nothing', 'auth/x', 'assets', 'assets/..%2f..%2fpackage.json', 'v0/base', 'v0/base/v2/x/y/items/z', '../__space/v0/nothing'])('nothing else is there: %j', async (path) => {
    const answer = await send(`${app.url}__space/${path}`, { headers: { cookie: cookieOf(app.url) } });
    expect([400, 404]).toContain(answer.status);
  });
});

describe('an app that was uninstalled', () => {
  test('leaves data that a new key opens, when it was kept', async () => {
    const pushed = await pushApp(space.owner, { name: 'leaving' });
    const { instance } = await installApp(space.owner, await releaseApp(space.owner, pushed));
    const url = `${space.url}/base/v1/${instance.collection_id}/things/items`;
    const first = (await space.owner.call(`POST /instances/${instance.id}/keys`, { name: 'first', kind: 'data' })).json().value;
    await send(url, { method: 'PUT', body: { items: [{ key: 'a', value: 'kept' }] }, headers: { 'x-api-key': first } });
    const job = (await space.owner.call(`DELETE /instances/${instance.id}?data=keep`)).json();
    await space.owner.call(`GET /installations/${job.id}/logs`);
    const second = (await space.owner.call(`POST /collections/${instance.collection_id}/keys`, { name: 'second' })).json().value;
    expect((await send(`${url}/a`, { headers: { 'x-api-key': second } })).json()).toEqual({ key: 'a', value: 'kept' });
    expect((await send(instance.url)).status).toBe(404);
  });

  test('leaves nothing that a key opens, when it was deleted', async () => {
    const pushed = await pushApp(space.owner, { name: 'gone' });
    const { instance } = await installApp(space.owner, await releaseApp(space.owner, pushed));
    const url = `${space.url}/base/v1/${instance.collection_id}/things/items`;
    const key = (await space.owner.call(`POST /instances/${instance.id}/keys`, { name: 'first', kind: 'data' })).json().value;
    expect((await send(url, { method: 'PUT', body: { items: [{ key: 'a' }] }, headers: { 'x-api-key': key } })).status).toBe(207);
    const job = (await space.owner.call(`DELETE /instances/${instance.id}?data=delete`)).json();
    await space.owner.call(`GET /installations/${job.id}/logs`);
    expect((await send(`${url}/a`, { headers: { 'x-api-key': key } })).status).toBe(401);
    expect((await space.owner.call(`GET /collections/${instance.collection_id}`)).status).toBe(404);
    expect((await space.owner.call(`POST /collections/${instance.collection_id}/keys`, { name: 'x' })).status).toBe(404);
  });
});
