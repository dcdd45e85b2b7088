// Owns the proof that nobody acts on what is another's. The table of routes is the source: a route that is added is tried
// here as everybody, and one without a policy fails.
import { createHmac, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiParts } from '../../../runtime/api/parts.ts';
import type { Route, RouteObject } from '../../../runtime/api/route.ts';
import { createVault } from '../../../runtime/auth/vault.ts';
import { apiRoutes } from '../../../runtime/routes.ts';
import type { WireInstance } from '../../../core/wire.ts';
import { zipOf } from '../../builder/archive.ts';
import { send, type TestRequest, type TestResponse } from '../../support/http.ts';
import { installApp, pushApp, releaseApp, startTestHost, type PushedApp, type TestHost } from '../../support/start-host.ts';

/** The very table that the host mounts; what the handlers close over is not asked here. */
const ROUTES = apiRoutes({} as ApiParts, new Map());

/** Routes whose `:id` names something that is not a RouteObject. Each compares the owner itself, and is tried below. */
const IDS_OF_THEIR_OWN = new Set(['DELETE /api/v0/tokens/:id', 'GET /api/v0/releases/:id']);

let space: TestHost;
let pushed: PushedApp;
let app: WireInstance;
let releaseId: string;
let tokenId: string;
/** Ids of the owner's objects. */
let ids: Record<RouteObject, string>;
/** What each stranger carries. */
let strangers: Record<string, Record<string, string>>;

beforeAll(async () => {
  space = await startTestHost();
  const { owner, member } = space;
  pushed = await pushApp(owner);
  releaseId = await releaseApp(owner, pushed);
  const { instance, installationId } = await installApp(owner, releaseId);
  app = instance;
  await owner.visitor.visit(app.url);
  const collection = (await owner.call('POST /collections', { name: 'data' })).json().id;
  const trashed = (await owner.call('POST /collections', { name: 'thrown away' })).json().id;
  await owner.call(`DELETE /collections/${trashed}`);
  ids = { project: pushed.projectId, build: pushed.buildId, revision: pushed.revisionId, release: releaseId, installation: installationId, instance: app.id, collection, trashed };
  const key = async (address: string, body: object): Promise<string> => (await owner.call(address, body)).json().value;
  const dataKey = await key(`POST /instances/${app.id}/keys`, { name: 'x', kind: 'data' });
  const apiKey = await key(`POST /instances/${app.id}/keys`, { name: 'y', kind: 'api' });
  await key(`POST /collections/${collection}/keys`, { name: 'x' });
  const made = (await owner.call('POST /tokens', { name: 'kept' })).json();
  tokenId = made.id;
  const microKey = createVault(await readFile(join(space.dataFolder, 'host.key'))).derivedSecret('micro-key', app.id);
  const instanceToken = space.owner.visitor.jar.get(new URL(app.url).host)?.get('space_instance') ?? '';
  strangers = {
    'nobody': {},
    'a garbage token': { authorization: `Bearer ${'a'.repeat(8)}_${'b'.repeat(32)}` },
    'half a token': { authorization: `Bearer ${owner.accessToken.slice(0, 20)}` },
    'a garbage session': { cookie: `space_session=${'a'.repeat(43)}`, origin: space.url },
    'a garbage signature': { 'x-deta-signature': `v0=${owner.accessToken.slice(0, 8)}:${'0'.repeat(64)}`, 'x-deta-timestamp': String(Math.floor(Date.now() / 1000)) },
    'a data key': { 'x-api-key': dataKey, 'authorization': `Bearer ${dataKey}` },
    'an API key': { 'x-space-app-key': apiKey, 'x-api-key': apiKey, 'authorization': `Bearer ${apiKey}` },
    'a Micro key': { 'x-api-key': microKey, 'authorization': `Bearer ${microKey}` },
    'the session at an app': { cookie: `space_instance=${instanceToken}; space_session=${instanceToken}`, origin: space.url },
    'the session at an app as a token': { authorization: `Bearer ${instanceToken}` },
    'headers that only the platform writes': { 'x-space-user': owner.spaceId, 'x-space-id': owner.spaceId, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-user': 'ada' },
  };
  await pushApp(member, { name: 'theirs' });
}, 60_000);
afterAll(() => space.close());

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
const sessionOf = (person: TestHost['owner']): Record<string, string> => ({ cookie: `space_session=${person.visitor.jar.get(space.authority)?.get('space_session')}`, origin: space.url });

/** The route's address with the owner's objects in it, and a body that it might take. */
function aim(route: Route, headers: Record<string, string>): Promise<TestResponse> {
  const values: Record<string, string> = { id: ids[route.object ?? 'project'], tag: 'none', name: 'x', position: '0', token: tokenId, release: releaseId, invite: 'none' };
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? 'none');
  const query = route.method === 'DELETE' ? '?data=delete&kind=data' : '';
  return send(space.url + path + query, { method: route.method, ...bodyFor(route, headers) });
}

function bodyFor({ method, kind }: Route, headers: Record<string, string>): TestRequest {
  if (method === 'GET' || method === 'DELETE') return { headers };
  if (kind === 'api') return { headers, body: { name: 'taken', kind: 'data', app_name: 'Taken' } };
  return { headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' }, body: 'name=taken&kind=data&data=delete' };
}

/** Everything of the owner that a stranger might have changed. */
async function belongings(): Promise<string> {
  const { owner } = space;
  const addresses = ['/apps', '/instances', '/collections', '/trash', '/tokens', '/installations', `/builds?app_id=${ids.project}`, `/releases?app_id=${ids.project}`, `/releases/${releaseId}`,
    `/instances/${app.id}/keys`, `/collections/${ids.collection}/keys`, `/apps/${ids.project}/keys`, `/promotions/${releaseId}/logs`];
  const texts = await Promise.all(addresses.map(async (address) => (await owner.call(`GET ${address}`)).text));
  return texts.join('\n').replaceAll(/"last_used_at":("[^"]*"|null)/g, '');
}

/** A page sends strangers to the login; whoever came with a signature is no browser. */
function refused(route: Route, { status, headers }: TestResponse): boolean {
  if (route.kind === 'api' || status === 401) return status === 401;
  return status === 302 && (headers.location ?? '').startsWith('/login?');
}

describe('every route', () => {
  /** What is wrong with a route's policy; undefined when nothing is. */
  function fault(route: Pick<Route, 'path' | 'method'> & Partial<Route>): string | undefined {
    if (!['public', 'person', 'host-owner'].includes(route.access ?? '')) return 'says not who may call it';
    if (route.object && route.access !== 'person') return 'names an object and is not for its owner';
    if (route.object && !route.path.includes('/:id')) return 'names an object and has no :id';
    if (!route.object && route.path.includes('/:id') && !IDS_OF_THEIR_OWN.has(`${route.method} ${route.path}`)) return 'has an :id and names no object';
    return undefined;
  }

  test('has a policy', () => {
    expect(ROUTES.length).toBeGreaterThan(70);
    expect(ROUTES.flatMap((route) => (fault(route) ? [`${nameOf(route)} ${fault(route)}`] : []))).toEqual([]);
  });

  test.each([
    [{ method: 'GET', path: '/x' }, 'says not who'], [{ method: 'GET', path: '/x', access: 'anybody' as 'public' }, 'says not who'],
    [{ method: 'GET', path: '/x/:id', access: 'person' }, 'names no object'], [{ method: 'GET', path: '/x/:id', access: 'public', object: 'project' }, 'not for its owner'],
    [{ method: 'GET', path: '/x', access: 'person', object: 'project' }, 'has no :id'],
  ] as [Pick<Route, 'path' | 'method'> & Partial<Route>, string][])('%j would be noticed', (route, expected) => {
    expect(fault(route)).toContain(expected);
  });

  test('is there once', () => {
    expect(new Set(ROUTES.map(nameOf)).size).toBe(ROUTES.length);
  });
});

const closed = ROUTES.filter(({ access }) => access !== 'public');

describe('strangers', () => {
  test.each(closed.map((route) => [nameOf(route), route] as const))('%s is closed to each of them, and nothing changes', async (_, route) => {
    const before = await belongings();
    for (const [stranger, headers] of Object.entries(strangers)) {
      const answer = await aim(route, headers);
      expect({ stranger, status: answer.status, refused: refused(route, answer) }).toEqual({ stranger, status: answer.status, refused: true });
      for (const id of Object.values(ids)) if (!route.path.includes(':')) expect(answer.text).not.toContain(id);
    }
    expect(await belongings()).toBe(before);
  });
});

const objectRoutes = ROUTES.filter(({ object }) => object);

describe('another person', () => {
  test.each(objectRoutes.map((route) => [nameOf(route), route] as const))('%s finds nothing of the owner\'s, and changes nothing', async (_, route) => {
    const before = await belongings();
    for (const headers of [{ authorization: `Bearer ${space.member.accessToken}` }, sessionOf(space.member)]) {
      const answer = await aim(route, headers);
      expect(answer.status, answer.text).toBe(404);
      const missing = await send(space.url + route.path.replace(':id', 'a'.repeat(16)).replaceAll(/:\w+/g, 'x'), { method: route.method, ...bodyFor(route, headers) });
      // What is another's reads as what is not there.
      if (route.kind === 'api') expect(answer.json()).toEqual({ ...missing.json(), request_id: answer.json().request_id });
    }
    expect(await belongings()).toBe(before);
  });

  test.each(objectRoutes.filter(({ method, path }) => method === 'GET' && !/:(?!id\b)/.test(path)).map((route) => [nameOf(route), route] as const))('%s is there for the owner', async (_, route) => {
    const answer = await aim(route, { authorization: `Bearer ${space.owner.accessToken}` });
    expect(answer.status, answer.text).toBeLessThan(400);
    expect(refused(route, answer)).toBe(false);
  });

  test.each(closed.filter(({ access }) => access === 'host-owner').map((route) => [nameOf(route), route] as const))('%s is for the owner of the host only', async (_, route) => {
    expect((await aim(route, sessionOf(space.member))).status).toBe(403);
    // What the address names may not exist; that the owner may ask is the point.
    expect([401, 403]).not.toContain((await aim(route, sessionOf(space.owner))).status);
  });

  const asMember = (address: string, body?: object): Promise<TestResponse> => space.member.call(address, body);

  test('names nothing of the owner\'s in a query or a body', async () => {
    const before = await belongings();
    const theirs = (await asMember('GET /apps')).json().apps[0].id;
    const calls: [string, object?][] = [
      [`GET /builds?app_id=${ids.project}`], ['POST /builds', { app_id: ids.project }], ['POST /promotions', { app_id: ids.project, revision_id: ids.revision }],
      ['POST /promotions', { app_id: theirs, revision_id: ids.revision }], ['POST /installations', { release_id: releaseId, instance_id: app.id }],
      ['POST /installations', { release_id: pushed.builder.release_id }], [`GET /releases/${pushed.builder.release_id}`], [`DELETE /tokens/${tokenId}`],
    ];
    for (const [address, body] of calls) expect({ address, status: (await asMember(address, body)).status }).toEqual({ address, status: 404 });
    expect(await belongings()).toBe(before);
  });

  test('sees nothing of the owner\'s in a list', async () => {
    const lists = ['/apps', '/instances', `/instances?app_id=${ids.project}`, `/instances?id=${app.id}`, '/collections', '/trash', '/tokens', '/installations', `/installations?release_id=${releaseId}`, `/promotions?revision_id=${ids.revision}`, '/discovery/apps'];
    for (const address of lists) {
      const answer = await asMember(`GET ${address}`);
      expect(answer.status).toBe(200);
      for (const [kind, id] of Object.entries(ids)) expect(answer.text, `${address}: ${kind}`).not.toContain(id);
      expect(answer.text).not.toContain(tokenId);
    }
  });

  test('a Release that was not released is its developer\'s alone', async () => {
    const development = pushed.builder.release_id;
    for (const [method, path] of [['GET', `/r/${development}`], ['GET', `/icons/${development}`], ['POST', `/r/${development}/install`]] as const) {
      expect((await send(space.url + path, { method, headers: sessionOf(space.member) })).status, path).toBe(404);
    }
    expect((await space.owner.call(`GET /releases/${development}`)).status).toBe(200);
    expect((await asMember(`GET /releases/${releaseId}`)).status).toBe(200); // whoever has the link of a Release may see it
  });

  test('a token of the owner\'s is not revoked on the page either', async () => {
    await aim(ROUTES.find((route) => nameOf(route) === 'POST /tokens/:token/revoke') as Route, sessionOf(space.member));
    expect((await space.owner.call('GET /tokens')).text).toContain(tokenId);
  });

  test('cannot sign in at the owner\'s app', async () => {
    const answer = await send(`${space.url}/login?redirect_uri=${encodeURIComponent(app.url)}`, { headers: sessionOf(space.member) });
    expect(answer.status).toBe(403);
    expect(answer.headers.location).toBeUndefined();
  });

  test('a copy of the same app is a copy of their own', async () => {
    const { instance } = await installApp(space.member, releaseId);
    expect(instance.collection_id).not.toBe(app.collection_id);
    expect(instance.url).not.toBe(app.url);
    expect((await space.owner.call(`GET /instances/${instance.id}`)).status).toBe(404);
    expect((await space.owner.call(`DELETE /instances/${instance.id}?data=delete`)).status).toBe(404); // the host's owner is no owner of others' data
    expect((await space.owner.call(`GET /collections/${instance.collection_id}`)).status).toBe(404);
  });
});

test('a signed body that was tampered with does nothing, large or small', async () => {
  const signature = { 'x-deta-signature': strangers['a garbage signature']?.['x-deta-signature'] ?? '', 'x-deta-timestamp': String(Math.floor(Date.now() / 1000)) };
  const { id } = (await space.owner.call('POST /builds', { app_id: ids.project })).json();
  await space.owner.call(`POST /builds/${id}/manifest`, 'v: 0\nmicros:\n  - name: a\n    src: .\n    engine: static\n', { 'content-type': 'text/plain' });
  const answer = await send(`${space.url}/api/v0/builds/${id}/code`, { method: 'POST', body: Buffer.alloc(5 * 1024 * 1024), headers: { ...signature, 'content-type': 'application/zip' } });
  expect(answer.status).toBe(401);
  expect((await space.owner.call(`GET /builds/${id}`)).json().status).toBe('pending');
  expect((await space.owner.call(`GET /builds/${id}/logs`)).text).toBe('');
  expect(await readdir(join(space.dataFolder, 'incoming'))).toEqual([]);

  // The same build takes the same kind of request, once the signature covers its body.
  const body = await zipOf({ Spacefile: 'v: 0', 'index.html': 'x', large: randomBytes(5 * 1024 * 1024) });
  const timestamp = signature['x-deta-timestamp'];
  const [keyId, secret = ''] = space.owner.accessToken.split('_');
  const hmac = createHmac('sha256', secret).update(`POST\n/api/v0/builds/${id}/code\n${timestamp}\napplication/zip\n`).update(body).update('\n').digest('hex');
  const signed = await send(`${space.url}/api/v0/builds/${id}/code`, { method: 'POST', body, headers: { 'x-deta-signature': `v0=${keyId}:${hmac}`, 'x-deta-timestamp': timestamp, 'content-type': 'application/zip' } });
  expect(signed.status, signed.text).toBe(200);
  expect((await space.owner.call(`GET /builds/${id}/logs?follow=true`)).text).not.toBe('');
  expect(await readdir(join(space.dataFolder, 'incoming'))).toEqual([]);
});
