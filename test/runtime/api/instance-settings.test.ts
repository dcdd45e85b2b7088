// Owns the proof of what owners set for an Instance on a real host: variables, its address, its keys, its limits.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance, WireKey } from '../../../core/wire.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { pushApp, startTestHost, until, type TestHost } from '../../support/start-host.ts';

const SPACEFILE = `v: 0
micros:
  - name: web
    src: .
    engine: isolate
    primary: true
    public: true
    presets: {api_keys: true, env: [{name: GREETING, description: What it says., default: hello}, {name: TOKEN}, {name: constructor}]}
  - name: constructor
    src: .
    engine: isolate
    presets: {env: [{name: TOKEN}]}
`;
const CODE = 'export default (request, env) => Response.json({ host: env.DETA_SPACE_APP_HOSTNAME, greeting: env.GREETING, token: env.TOKEN, constructor: Object.hasOwn(env, "constructor") ? env.constructor : null });';
const SECRET = 'correct-battery-staple-0123456789';

let space: TestHost;
let app: WireInstance;
let projectId: string;

beforeAll(async () => {
  space = await startTestHost();
  ({ builder: app, projectId } = await pushApp(space.owner, { name: 'settled', files: { Spacefile: SPACEFILE, 'index.js': CODE } }));
}, 60_000);
afterAll(() => space.close());

const seen = async (url = app.url): Promise<Record<string, unknown>> => (await send(url)).json();
const patch = (body: object): Promise<TestResponse> => space.owner.call(`PATCH /instances/${app.id}`, body);
const env = (values: Record<string, unknown>, micro = 'web'): Promise<TestResponse> => patch({ micros: [{ id: micro, name: micro, presets: { env: Object.entries(values).map(([name, value]) => ({ name, value, description: '' })) } }] });
const valuesOf = async (micro = 0): Promise<Record<string, string>> =>
  Object.fromEntries((await space.owner.call(`GET /instances/${app.id}`)).json<WireInstance>().micros[micro]?.presets.env.map(({ name, value }) => [name, value]) ?? []);

describe('variables', () => {
  test('have the default of the app until its owner says otherwise, and count from the next request on', async () => {
    expect([await seen(), await valuesOf()]).toMatchObject([{ greeting: 'hello', constructor: null }, { GREETING: 'hello', TOKEN: '', constructor: '' }]);
    expect((await env({ GREETING: 'good day', TOKEN: SECRET, constructor: 'mine' })).status).toBe(200);
    expect(await seen()).toMatchObject({ greeting: 'good day', token: SECRET, constructor: 'mine' });
    expect(await valuesOf()).toEqual({ GREETING: 'good day', TOKEN: SECRET, constructor: 'mine' });
    expect(await valuesOf(1)).toEqual({ TOKEN: '' });
  });

  test('lie encrypted on the disk', async () => {
    const files = (await readdir(space.dataFolder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1').catch(() => '')));
    expect(texts.some((text) => text.includes(app.id)), 'its records were read').toBe(true);
    expect(files.filter((_, at) => texts[at]?.includes(SECRET)).map(({ name }) => name)).toEqual([]);
  });

  test('are kept by updates, and the default follows the app where it was not touched', async () => {
    await env({ GREETING: '' });
    await pushApp(space.owner, { projectId, files: { Spacefile: SPACEFILE.replace('default: hello', 'default: bonjour'), 'index.js': CODE } });
    await until(async () => ((await seen())['greeting'] === 'bonjour' ? true : undefined));
    expect(await seen()).toMatchObject({ token: SECRET });
  });

  test.each<[Record<string, unknown>, string, RegExp]>([
    [{ DETA_PROJECT_KEY: 'x' }, 'ENV_RESERVED', /reserved/], [{ PATH: '/tmp' }, 'ENV_RESERVED', /reserved/], [{ LD_PRELOAD: 'x' }, 'ENV_RESERVED', /begin with `LD_`/], [{ Base: 'x' }, 'ENV_RESERVED', /platform's/],
    [{ OTHER: 'x' }, 'ENV_UNKNOWN', /its Spacefile names GREETING, TOKEN, constructor/], [{ TOKEN: 5 }, 'ENV_INVALID', /is text/], [{ TOKEN: 'a\0b' }, 'ENV_INVALID', /no program can read/], [{ TOKEN: 'x'.repeat(33_000) }, 'ENV_INVALID', /32 KB/],
    [{ GREETING: 'changed', OTHER: 'x' }, 'ENV_UNKNOWN', /takes no variable/],
  ])('%o is refused, and nothing changes', async (values, code, text) => {
    const answer = await env(values);
    expect([answer.status, answer.json().code, answer.json().detail]).toEqual([400, code, expect.stringMatching(text)]);
    expect(await valuesOf()).toMatchObject({ GREETING: 'bonjour', TOKEN: SECRET });
  });

  test('of no Micro, or of none at all, are refused', async () => {
    for (const micros of [{}, [5], [{}], [{ name: 'web', presets: { env: {} } }], [{ name: 'web', presets: { env: ['x'] } }], [{ name: 'nothing' }]]) expect((await patch({ micros })).json().code).toBe('INVALID_FIELD');
  });

  test('several lines come through the form as they are', async () => {
    const answer = await space.owner.visitor.submit(`${space.url}/apps/${app.id}/env`, { micro: 'web', 'env.TOKEN': 'line 1\r\nline 2' });
    expect(answer.text).toContain('line 1\nline 2');
    expect(await seen()).toMatchObject({ token: 'line 1\nline 2' });
    const refused = await space.owner.visitor.submit(`${space.url}/apps/${app.id}/env`, { micro: 'web', 'env.PATH': 'x' });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('cannot be called `PATH`')]);
  });
});

describe('the address', () => {
  const rename = (alias: unknown): Promise<TestResponse> => patch({ alias });

  test('is another name, and the one before still leads to the app', async () => {
    const before = app.url;
    const renamed = (await rename('my-notes')).json<WireInstance>();
    expect(renamed).toMatchObject({ alias: 'my-notes', url: `http://my-notes.${space.authority}/` });
    expect((await seen(renamed.url))['host']).toMatch(/^my-notes\./);
    expect((await seen(before))['host']).toMatch(/^my-notes\./);
    expect((await space.owner.visitor.visit(renamed.url)).status).toBe(200);
    app = renamed;
    expect((await rename(new URL(before).hostname.split('.')[0])).status).toBe(200);
    expect((await rename('my-notes')).status).toBe(200);
  });

  test.each(['admin', 'www', 'api', 'database', 'a', 'ab', '-abc', 'abc-', 'a.b', 'a_b', '_acme-challenge', 'ABC', 'xn--80ak6aa92e', 'ab--cd', 'ünïcode', 'x'.repeat(64), ''])('%j is refused (attack E20)', async (alias) => {
    expect((await rename(alias)).status).toBe(400);
  });

  test('of another app is taken, and stays so when that app is renamed or gone', async () => {
    const { builder } = await pushApp(space.member, { name: 'other' });
    const theirs = (await space.member.call(`PATCH /instances/${builder.id}`, { alias: 'theirs' })).json<WireInstance>();
    for (const alias of ['theirs', builder.alias]) expect((await rename(alias)).json().code).toBe('LABEL_TAKEN');
    await space.member.call(`DELETE /instances/${theirs.id}?data=delete`);
    await until(async () => ((await space.member.call(`GET /instances/${theirs.id}`)).status === 404 ? true : undefined));
    expect((await rename('theirs')).json().code).toBe('LABEL_TAKEN');
  });

  test('is not tried on for ever', async () => {
    const codes: (string | undefined)[] = [];
    for (let count = 0; count < 25 && codes.at(-1) === undefined; count += 1) codes.push((await rename(`name-${count}`)).json().code);
    expect(codes.at(-1)).toBe('LABEL_INVALID');
    expect((await rename('my-notes')).status).toBe(200);
  });
});

test('keys say when they were last used', async () => {
  const created = async (kind: string): Promise<string> => (await space.owner.call(`POST /instances/${app.id}/keys`, { name: kind, kind })).json().value;
  const [dataKey, apiKey] = [await created('data'), await created('api')];
  const uses = async (): Promise<(string | null | undefined)[]> => (await space.owner.call(`GET /instances/${app.id}/keys`)).json<{ keys: WireKey[] }>().keys.map(({ last_used_at }) => last_used_at);
  expect(await uses()).toEqual([null, null]);
  await send(`${space.url}/base/v1/${app.collection_id}/notes/items/x`, { headers: { 'x-api-key': dataKey } });
  await send(`${app.url}constructor`, { headers: { 'x-space-app-key': apiKey } });
  await send(app.url, { headers: { 'x-space-app-key': apiKey } });
  const [data] = await until(async () => { const now = await uses(); return now[0] === null ? undefined : now; });
  expect(Math.abs(Date.parse(data ?? '') - space.clock.now())).toBeLessThan(60_000);
  expect((await space.owner.visitor.visit(`${space.url}/apps/${app.id}/settings`)).text).toMatch(/last used <time/);
});

test('limits are set by the owner of the host, on the page too', async () => {
  const url = `${space.url}/apps/${app.id}/limits`;
  await space.owner.visitor.submit(url, { wallMs: '5000', heapMb: '' });
  expect((await space.owner.call(`GET /instances/${app.id}/limits`)).json().set).toEqual({ wallMs: 5000 });
  expect((await space.owner.visitor.submit(url, { wallMs: '1e99' })).text).toContain('is a whole number from');
  await space.owner.visitor.submit(url, { wallMs: '' });
  expect((await space.owner.call(`GET /instances/${app.id}/limits`)).json().set).toEqual({});
  const { builder } = await pushApp(space.member, { name: 'bobs' });
  expect((await space.member.visitor.submit(`${space.url}/apps/${builder.id}/limits`, { wallMs: '5000' })).status).toBe(403);
  expect((await space.member.visitor.visit(`${space.url}/apps/${builder.id}/settings`)).text).toContain('The owner of this host can change them.');
});
