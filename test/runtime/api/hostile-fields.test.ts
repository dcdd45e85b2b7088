// Covers what somebody with an account of their own may write into a request: values of every wrong kind, and ids of
// another person, in every field of every route of the control plane, taken from its table.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiParts } from '../../../runtime/api/parts.ts';
import type { Route, RouteObject } from '../../../runtime/api/route.ts';
import { apiRoutes } from '../../../runtime/routes.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { installApp, pushApp, releaseApp, startTestHost, type Person, type TestHost } from '../../support/start-host.ts';

/** Only the table is wanted: nothing of it runs here. */
const ROUTES = apiRoutes({} as ApiParts, new Map()).filter(({ kind, access }) => kind === 'api' && access !== 'host-owner');

/** Signing in and out is tried elsewhere. A restore takes no body, and its work takes long. */
const APART = /^POST \/api\/v0\/(logout|setup|signup|login)$|\/restore$/;

type Ids = Record<RouteObject, string> & { snapshot: string; builderRelease: string };

let space: TestHost;
let theirs: Ids;
let own: Ids;

beforeAll(async () => {
  space = await startTestHost();
  theirs = await belongingsOf(space.owner, 'adas');
  own = await belongingsOf(space.member, 'bobs');
}, 60_000);
afterAll(() => space.close());

async function belongingsOf(person: Person, name: string): Promise<Ids> {
  const pushed = await pushApp(person, { name });
  const release = await releaseApp(person, pushed);
  const { instance, installationId } = await installApp(person, release);
  const snapshot = (await person.call(`POST /collections/${instance.collection_id}/snapshots`, {})).json<{ id: string }>().id;
  await person.call(`POST /instances/${instance.id}/keys`, { name: `key of ${name}`, kind: 'data' });
  const trashed = (await person.call('POST /collections', { name: 'thrown away' })).json<{ id: string }>().id;
  await person.call(`DELETE /collections/${trashed}`);
  return { project: pushed.projectId, build: pushed.buildId, revision: pushed.revisionId, release, builderRelease: pushed.builder.release_id, installation: installationId, instance: instance.id, collection: instance.collection_id, snapshot, trashed };
}

/** Fields of bodies and queries, with what they name. */
const FIELDS: Record<string, keyof Ids> = {
  app_id: 'project', project_id: 'project', revision_id: 'revision', release_id: 'release', build_id: 'build', instance_id: 'instance', collection_id: 'collection',
  id: 'instance', trashed: 'trashed', snapshot: 'snapshot', last: 'revision', after: 'revision',
};

function addressOf({ path, object }: Route, ids: Ids, more: Record<string, string> = {}): string {
  const values: Record<string, string> = { id: ids[object ?? 'project'], snapshot: ids.snapshot, release: ids.release, tag: 'none', name: 'none', position: '0', ...more };
  return space.url + path.replaceAll(/:(\w+)/g, (_, name: string) => values[name] ?? 'none');
}

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
const asBob = (): Record<string, string> => ({ authorization: `Bearer ${space.member.accessToken}` });

async function belongings({ owner }: TestHost): Promise<string> {
  const addresses = ['/apps', '/instances', '/collections', '/tokens', '/installations', `/builds?app_id=${theirs.project}`, `/releases?app_id=${theirs.project}`, `/apps/${theirs.project}/revisions`,
    `/instances/${theirs.instance}/keys`, `/collections/${theirs.collection}/snapshots`, '/space/quota', '/trash'];
  const texts = await Promise.all(addresses.map(async (address) => (await owner.call(`GET ${address}`)).text));
  return texts.join('\n').replaceAll(/"last_used_at":("[^"]*"|null)/g, '');
}

describe('ids of another person', () => {
  const named = ROUTES.filter((route) => route.method !== 'DELETE' && route.access === 'person' && !APART.test(nameOf(route)));

  test('are taken by no field of any route: nothing of theirs is told, nothing changes', async () => {
    const before = await belongings(space);
    const good: Record<string, string> = { name: 'x', kind: 'api', note: 'x', ...Object.fromEntries(Object.entries(FIELDS).map(([field, what]) => [field, own[what]])) };
    const tried = async (route: Route, query: Record<string, string>, body?: object): Promise<void> => {
      const given = `${nameOf(route)} ${Object.keys(query).join()}`;
      const answer = await send(`${addressOf(route, own)}?${new URLSearchParams(query)}`, { method: route.method, headers: asBob(), ...(body && { body }) });
      expect(answer.status, `${given}: ${answer.text}`).toBeLessThan(500);
      for (const id of Object.values(theirs).filter((each) => !Object.values(query).includes(each))) expect(answer.text, given).not.toContain(id);
      expect(answer.text, given).not.toContain('key of adas');
    };
    for (const route of named) {
      if (route.method === 'GET') {
        const { id, ...others } = Object.fromEntries(Object.entries(FIELDS).map(([field, what]) => [field, theirs[what]]));
        await tried(route, others);
        await tried(route, { id: id as string });
        continue;
      }
      for (const [field, what] of Object.entries(FIELDS)) {
        // Who has the link of a Release may install it.
        if (field === 'release_id' && nameOf(route) === 'POST /api/v0/installations') continue;
        await tried(route, { [field]: theirs[what] }, { ...good, [field]: theirs[what] });
      }
    }
    expect(await belongings(space)).toBe(before);
  });

  test('would be seen in an answer, and a change in what they have', async () => {
    const answer = await space.owner.call(`GET /instances/${theirs.instance}/keys`);
    expect(answer.text).toContain('key of adas');
    const before = await belongings(space);
    await space.owner.call(`POST /instances/${theirs.instance}/keys`, { name: 'another', kind: 'api' });
    expect(await belongings(space)).not.toBe(before);
  });

  test('a push\'s own Release of theirs is installed by nobody, and no Release on an Instance of theirs or of another app', async () => {
    const install = (body: object): Promise<TestResponse> => space.member.call('POST /installations', body);
    expect((await install({ release_id: theirs.builderRelease })).json()).toMatchObject({ code: 'RELEASE_NOT_FOUND' });
    expect((await install({ release_id: theirs.release, instance_id: theirs.instance })).json()).toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
    expect((await install({ release_id: theirs.release, instance_id: own.instance })).json()).toMatchObject({ code: 'CONFLICT' });
  });

  test('a snapshot of theirs is none of bob\'s Collection', async () => {
    const path = `collections/${own.collection}/snapshots/${theirs.snapshot}`;
    for (const address of [`POST /${path}/restore`, `DELETE /${path}`, `GET /collections/${own.collection}/export?snapshot=${theirs.snapshot}`]) {
      expect((await space.member.call(address)).json(), address).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
    }
  });

  test('a revision of theirs reads as one that is not there', async () => {
    const ask = async (id: string): Promise<unknown> => (await space.member.call(`GET /promotions?revision_id=${id}`)).json();
    expect(await ask(theirs.revision)).toEqual(await ask('nothing'));
  });
});

const STRANGE: unknown[] = [null, true, -1e308, '', [[]], ['x', 3], { toString: 'x' }, '\u0000', '../../__proto__', 'x'.repeat(70_000), '\ud800'];
const WORDS = ['%00', '..%2f..%2fhost.key', '__proto__', 'x'.repeat(4000), '%ff', '%0d%0ax-injected:%201'];

describe('values of the wrong kind', () => {
  const taking = ROUTES.filter((route) => ['POST', 'PATCH', 'PUT'].includes(route.method) && !APART.test(nameOf(route)));
  const names = ['name', 'kind', 'app_id', 'revision_id', 'release_id', 'instance_id', 'tag', 'auto_pwa', 'version', 'release_notes', 'channel', 'discovery_list', 'app_name', 'title', 'media', 'open_code',
    'works_with', 'content_raw', 'note', 'limit_bytes', 'policy', 'hosts', 'data', 'micros', 'enabled', 'interval', 'env', 'label', 'alias', 'domain', 'values'];

  async function answers(route: Route, body: unknown, text = JSON.stringify(body)): Promise<void> {
    const answer = await send(addressOf(route, own), { method: route.method, headers: { ...asBob(), 'content-type': 'application/json' }, body: text });
    expect(answer.status, `${text.slice(0, 300)}: ${answer.text}`).toBeLessThan(500);
    expect(answer.text.length, 'an answer does not repeat what is long').toBeLessThan(100_000);
  }

  test.each(taking.map((route) => [nameOf(route), route] as const))('%s answers each, and blames the host for none', async (_, route) => {
    for (const [index, value] of STRANGE.entries()) {
      await answers(route, Object.fromEntries(names.map((name) => [name, value])));
      // One at a time too, in each request another: what comes first must not hide the rest.
      const good = { name: 'x', kind: 'api', app_id: own.project, revision_id: own.revision, release_id: own.release };
      await answers(route, { ...good, ...Object.fromEntries(names.filter((_name, at) => at % STRANGE.length === index).map((name) => [name, value])) });
      await answers(route, { ...good, name: value });
    }
    for (const text of ['[]', '"x"', '{"a":', '\u0000', '{"name":"\\ud800\\ud800"}']) await answers(route, undefined, text);
  });

  test('a body that is nested without end is one that is not understood', async () => {
    await answers({ method: 'POST', path: '/api/v0/apps' } as Route, undefined, `{"name":${'['.repeat(200_000)}"\\u0041"${']'.repeat(200_000)}}`);
  });

  test.each(ROUTES.filter(({ path }) => path.includes(':')).map((route) => [nameOf(route), route] as const))('%s answers strange names in its address', async (_, route) => {
    const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
    for (const parameter of route.method === 'DELETE' ? parameters.slice(-1) : parameters) {
      for (const word of WORDS) {
        const answer = await send(addressOf(route, own, { [parameter]: word }), { method: route.method, headers: asBob(), ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body: {} }) });
        expect(answer.status, `${word}: ${answer.text}`).toBeLessThan(500);
        expect(answer.headers['x-injected']).toBeUndefined();
      }
    }
  });

  test.each(ROUTES.filter(({ method, access, path }) => method === 'GET' && access === 'person' && !path.endsWith('logs')).map((route) => [nameOf(route), route] as const))('%s answers strange queries', async (_, route) => {
    const fields = ['per_page', 'page', 'last', 'app_id', 'revision_id', 'release_id', 'channel', 'alias', 'id', 'snapshot', 'listed', 'sort', 'search', 'query', 'q'];
    for (const word of ['', ...WORDS.filter((each) => each.length < 1000), '-1', '1e9', 'NaN']) {
      const answer = await send(`${addressOf(route, own)}?${fields.map((name) => `${name}=${word}`).join('&')}`, { headers: asBob() });
      expect(answer.status, `${word}: ${answer.text}`).toBeLessThan(500);
    }
  });
});
