// Every route of the control plane and of the pages, taken from their table: tried as nobody, with each wrong kind of
// key, and as another person. A new route without a policy fails here.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import type { ApiParts } from '../../runtime/api/parts.ts';
import type { Route, RouteObject } from '../../runtime/api/route.ts';
import { apiRoutes } from '../../runtime/routes.ts';
import type { HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import type { Resident } from './people.ts';
import { microKeysOf, newKey, secretOf, setScene, type Scene } from './probes.ts';

let scene: Scene;
let host: HostProcess;
let ada: Resident;
let bob: Resident;
let builder: WireInstance;
let copy: WireInstance;
let other: WireInstance;

beforeAll(async () => {
  scene = await setScene();
  ({ host, ada, bob, builder, copy, other } = scene);
});

afterAll(() => scene?.[Symbol.asyncDispose]());

const cookieOf = ({ browser }: Resident, url: string): string => browser.cookiesFor(url);

describe('every route of the control plane and of the pages', () => {
  /** Only the table is wanted: nothing of it runs here. */
  const routes = apiRoutes(new Proxy({}, { get: () => new Proxy({}, { get: () => () => undefined }) }) as ApiParts, new Map() as Parameters<typeof apiRoutes>[1]);
  const personal = routes.filter(({ access }) => access !== 'public');
  /** Open to anybody on purpose; a new one has to be added here by somebody who thought about it. */
  const PUBLIC = [
    'GET /api/v0/health', 'GET /api/v0/time', 'POST /api/v0/setup', 'POST /api/v0/signup', 'POST /api/v0/login', 'GET /setup', 'POST /setup', 'GET /login',
    'POST /login', 'GET /invites/:invite', 'POST /invites/:invite', 'GET /r', 'GET /r/:release', 'GET /r/:release/screenshots/:position', 'GET /api/v0/openapi.json', 'GET /icons/:release', 'GET /assets/:name',
  ];

  async function idsOf(): Promise<Record<RouteObject, string>> {
    const { builds } = (await ada.api('GET', `/builds?app_id=${builder.app_id}`)).json<{ builds: { id: string }[] }>();
    const { installations } = (await ada.api('GET', '/installations')).json<{ installations: { id: string }[] }>();
    const build = builds[0]?.id as string;
    const trashed = (await ada.api('POST', '/collections', { name: 'thrown away' })).json<{ id: string }>();
    await ada.api('DELETE', `/collections/${trashed.id}`);
    return { project: builder.app_id, build, revision: build, release: scene.releaseId, installation: installations[0]?.id as string, instance: copy.id, collection: copy.collection_id, trashed: trashed.id };
  }

  const addressOf = (route: Route, ids: Record<RouteObject, string>): string =>
    host.url + route.path.replace(/:([a-z]+)/g, (_, name: string) => (name === 'id' && route.object ? ids[route.object] : name === 'release' ? scene.releaseId : 'x'));
  const bodyOf = (route: Route): { body?: string; headers: Record<string, string> } => {
    if (route.method === 'GET' || route.method === 'DELETE') return { headers: {} };
    return route.kind === 'page' ? { body: 'name=x&data=keep&kind=data', headers: { 'content-type': 'application/x-www-form-urlencoded' } } : { body: '{}', headers: { 'content-type': 'application/json' } };
  };

  test('says who may call it, and what is public is on the list', () => {
    expect(routes.filter(({ access }) => access === 'public').map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(PUBLIC.toSorted());
    expect(personal.filter(({ path, object }) => path.includes(':id') && !object).map(({ path }) => path), 'routes that name an object without saying which').toEqual(['/api/v0/tokens/:id', '/api/v0/releases/:id'].filter((path) => personal.some((route) => route.path === path && !route.object)));
  });

  test('refuses nobody-in-particular and each wrong kind of key', async () => {
    const ids = await idsOf();
    const { microKey, dataKey } = await microKeysOf(ada, builder);
    const wrong: Record<string, Record<string, string>> = {
      nobody: {}, 'a data key': { 'x-api-key': dataKey, authorization: `Bearer ${dataKey}` }, 'a Micro key': { 'x-api-key': microKey }, 'an API key': { 'x-space-app-key': await newKey(ada, builder, 'api') },
      'an Instance session': { cookie: cookieOf(ada, builder.url) }, 'a made-up token': { authorization: `Bearer ${ada.token.split('_')[0]}_${'x'.repeat(32)}` },
      'a forged signature': { 'x-deta-signature': `v0=${ada.token.split('_')[0]}:${'0'.repeat(64)}`, 'x-deta-timestamp': String(Math.floor(Date.now() / 1000)) },
    };
    for (const route of personal) {
      const { body, headers } = bodyOf(route);
      for (const [kind, credentials] of Object.entries(wrong)) {
        const answer = await send(addressOf(route, ids), { method: route.method, body, headers: { ...headers, ...credentials } });
        const what = `${kind}: ${route.method} ${route.path} gave ${answer.status}`;
        if (answer.status === 302 && route.kind === 'page') expect(answer.headers.location, what).toMatch(/^\/login\?/);
        else expect([401, 403, 404], what).toContain(answer.status);
        expect(answer.text, what).not.toContain('secret-of');
      }
    }
  });

  test('hides what belongs to another person, whatever is done to it', async () => {
    const ids = await idsOf();
    const cookie = cookieOf(bob, host.url);
    const same = { cookie, origin: host.url, 'sec-fetch-site': 'same-origin' };
    for (const route of personal.filter(({ object }) => object)) {
      const { body, headers } = bodyOf(route);
      for (const credentials of [{ authorization: `Bearer ${bob.token}` }, same]) {
        const answer = await send(addressOf(route, ids), { method: route.method, body, headers: { ...headers, ...credentials } });
        expect(answer.status, `${route.method} ${route.path}: ${answer.text.slice(0, 200)}`).toBe(404);
        expect(answer.text).not.toContain('secret-of');
      }
    }
    for (const route of personal.filter(({ object, method, path }) => object && method === 'GET' && !/:(?!id\b)|\/logs$/.test(path))) {
      const answer = await send(addressOf(route, ids), { headers: { authorization: `Bearer ${ada.token}` } });
      expect(answer.status, `its owner: ${route.method} ${route.path}: ${answer.text.slice(0, 200)}`).toBeLessThan(400);
    }
  });

  test('and so do those that name it in their query or body', async () => {
    const ids = await idsOf();
    const { tokens } = (await ada.api('GET', '/tokens')).json<{ tokens: { id: string }[] }>();
    const attempts: [string, string, object?][] = [
      ['GET', `/builds?app_id=${ids.project}`], ['POST', '/builds', { app_id: ids.project }], ['POST', '/promotions', { app_id: ids.project, revision_id: ids.revision }],
      ['POST', '/installations', { release_id: scene.releaseId, instance_id: copy.id }], ['DELETE', `/tokens/${tokens[0]?.id}`],
    ];
    for (const [method, path, body] of attempts) {
      const refused = await bob.api(method, path, body);
      expect([403, 404], `${method} ${path}: ${refused.text}`).toContain(refused.status);
    }
    const listed = await Promise.all(['/instances', '/collections', '/installations', '/apps', '/tokens', `/promotions?revision_id=${ids.revision}`, `/instances?app_id=${ids.project}&channel=development`].map((path) => bob.api('GET', path)));
    for (const answer of listed) for (const foreign of [builder.id, copy.id, other.id, copy.collection_id, builder.collection_id, ids.installation]) expect(answer.text).not.toContain(foreign);
    expect((await ada.api('GET', '/instances')).text).toContain(copy.id);
    expect((await bob.api('POST', '/invites', {})).status, 'only the owner invites').toBe(403);
    expect((await bob.browser.visit(`${host.url}/invites`)).status).toBe(403);
  });

  test('after all these attempts everything is as it was', async () => {
    for (const [person, instance] of scene.owned) {
      expect((await person.browser.fetch(`${instance.url}recall`)).json()).toMatchObject({ item: secretOf(instance), file: secretOf(instance) });
    }
  });
});
