// Owns the proof that App Actions are found, asked for and kept in bounds on a real host.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireAction, WireInstance } from '../../../core/wire.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { pushApp, startTestHost, until, type TestHost } from '../../support/start-host.ts';

const SPACEFILE = (name: string): string => `v: 0\nmicros:\n  - {name: ${name}, src: ., engine: isolate, primary: true, provide_actions: true, public_routes: [/told]}\n  - {name: plain, src: ., engine: isolate}\n`;
const GOOD = `
const actions = [
  { name: 'greet', title: 'Greet', path: 'do/greet', input: [{ name: 'who', type: 'string' }, { name: 'loud', type: 'boolean', optional: true }] },
  { name: 'fail', path: '/fail' }, { name: 'throw', path: '/throw' }, { name: 'flood', path: '/flood' }, { name: 'away', path: 'https://evil.example/' },
];
export default async (request, env) => {
  const { pathname } = new URL(request.url);
  if (pathname === '/__space/actions') { await env.Base('asked').put({}); return Response.json({ actions }); }
  if (pathname === '/told') return Response.json((await env.Base('asked').fetch()).items.length);
  if (pathname === '/do/greet') { const { who, loud } = await request.json(); return Response.json({ text: loud ? who.toUpperCase() : who, by: env.DETA_SPACE_APP_MICRO_NAME }); }
  if (pathname === '/fail') return new Response('not today', { status: 409 });
  if (pathname === '/flood') return new Response('x'.repeat(5_000_000));
  throw new Error('broken');
};
`;
/** Says something else each time it is asked. */
const BAD = `
let turn = 0;
const kinds = [
  () => new Response('x'.repeat(200_000)), () => new Response('<h1>no</h1>', { headers: { 'content-type': 'application/json' } }), () => new Response(null, { status: 404 }),
  () => { throw new Error('no'); }, () => new Response(new ReadableStream({ pull(controller) { controller.enqueue(new Uint8Array(60_000)); if (turn++ > 60) controller.close(); } })),
];
export default async (request, env) => {
  if (new URL(request.url).pathname !== '/__space/actions') return new Response('fine');
  const { items } = await env.Base('turns').fetch();
  await env.Base('turns').put({ at: items.length });
  const kind = kinds[items.length];
  return kind ? kind() : Response.json({ actions: [{ name: 'at last', path: '/x' }] });
};
`;

let space: TestHost;
let app: WireInstance;

beforeAll(async () => {
  space = await startTestHost();
  ({ builder: app } = await pushApp(space.owner, { name: 'doer', files: { Spacefile: SPACEFILE('web'), 'index.js': GOOD } }));
}, 60_000);
afterAll(() => space.close());

const listed = async (): Promise<WireAction[]> => (await space.owner.call('GET /actions?per_page=1000')).json<{ actions: WireAction[] }>().actions;
const run = (name: string, inputs: object = {}, id = app.id): Promise<TestResponse> => space.owner.call(`POST /actions/${id}/${encodeURIComponent(name)}`, inputs);

test('what an app offers is asked for once, and listed for its owner only', async () => {
  expect(await listed()).toMatchObject([
    { instance_id: app.id, instance_alias: app.alias, app_name: app.app_name, name: 'greet', title: 'Greet', channel: 'development', input: [{ name: 'who', type: 'string' }, { name: 'loud', type: 'boolean', optional: true }], output: '@deta/raw' },
    { name: 'fail' }, { name: 'throw' }, { name: 'flood' },
  ]);
  await listed();
  expect((await send(`${app.url}told`)).json()).toBe(1);
  expect((await space.member.call('GET /actions')).json()).toEqual({ actions: [] });
  expect((await space.member.call(`POST /actions/${app.id}/greet`, { who: 'bob' })).status).toBe(404);
});

test('it is done with its inputs, and the answer comes as it is', async () => {
  const answer = await run('greet', { who: 'world', loud: true });
  expect([answer.status, answer.json()]).toEqual([200, { type: '@deta/raw', data: { text: 'WORLD', by: 'web' } }]);
});

test.each<[string, object, number, string]>([
  ['greet', {}, 400, 'ACTION_INPUT_INVALID'], ['greet', { who: 5 }, 400, 'ACTION_INPUT_INVALID'], ['greet', { who: 'x', more: 1 }, 400, 'ACTION_INPUT_INVALID'], ['nothing', {}, 404, 'ACTION_NOT_FOUND'], ['away', {}, 404, 'ACTION_NOT_FOUND'],
  ['fail', {}, 502, 'ACTION_FAILED'], ['throw', {}, 500, 'MICRO_THREW'], ['flood', {}, 502, 'MICRO_BAD_RESPONSE'],
])('%s with %o gives %i %s', async (name, inputs, status, code) => {
  const answer = await run(name, inputs);
  expect([answer.status, answer.json().code]).toEqual([status, code]);
});

describe('the tab of actions', () => {
  const tab = (): string => `${space.url}/apps/${app.id}/actions`;
  const submit = (fields: Record<string, string>): Promise<TestResponse> => space.owner.visitor.submit(tab(), fields);

  test('has a form for each, and shows what came back', async () => {
    const page = await space.owner.visitor.visit(tab());
    for (const text of ['Greet', 'name="input.who"', 'name="input.loud"', 'aria-current="page">Actions']) expect(page.text).toContain(text);
    const answer = await submit({ action: 'greet', 'input.who': '<b>world', 'input.loud': 'true' });
    expect([answer.status, answer.text.includes('&lt;B&gt;WORLD'), answer.text.includes('<B>')]).toEqual([200, true, false]);
    // What may be left out is left out, and a No is no.
    expect((await submit({ action: 'greet', 'input.who': 'ann', 'input.loud': '' })).text).toContain('&quot;ann&quot;');
    expect((await submit({ action: 'greet', 'input.who': 'ann', 'input.loud': 'false' })).text).toContain('&quot;ann&quot;');
  });

  test.each([
    [{ action: 'greet' }, 400, '`who` of the action `greet` is missing'], [{ action: 'fail' }, 200, 'answered 409: not today'], [{ action: 'throw' }, 200, 'The app ran into an error. The tab Logs says more.'], [{ action: 'flood' }, 200, 'MB at most'],
    [{ action: 'nothing' }, 404, 'offers no action'], [{}, 404, 'offers no action'],
  ])('with %o it gives %i and says why', async (fields, status, text) => {
    const answer = await submit(fields);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
    expect(answer.headers['content-type']).toContain('text/html');
  });

  test('is not there for an app without actions, and nobody else\'s', async () => {
    expect((await space.member.visitor.visit(tab())).status).toBe(404);
    expect((await space.member.visitor.submit(tab(), { action: 'greet', 'input.who': 'x' })).status).toBe(404);
  });
});

test('a Micro that says nonsense, too much or nothing offers nothing, its log says why, and it is asked again later', async () => {
  const { builder } = await pushApp(space.owner, { name: 'nonsense', files: { Spacefile: SPACEFILE('web'), 'index.js': BAD } });
  const mine = async (): Promise<string[]> => (await listed()).filter(({ instance_id }) => instance_id === builder.id).map(({ name }) => name);
  for (let turn = 0; turn < 5; turn += 1) {
    expect(await mine()).toEqual([]);
    expect(await mine()).toEqual([]);
    space.clock.advance(61_000);
  }
  await until(async () => ((await mine()).length > 0 ? true : undefined));
  expect(await mine()).toEqual(['at last']);
  const log = (await space.owner.call(`GET /instances/${builder.id}/logs`)).text;
  for (const reason of ['more than 64 KB', 'did not answer with', 'answered 404', 'failed']) expect(log).toContain(reason);
});

test('an update is asked anew', async () => {
  await pushApp(space.owner, { projectId: app.app_id, files: { Spacefile: SPACEFILE('web'), 'index.js': GOOD.replace("name: 'greet', title: 'Greet'", "name: 'wave', title: 'Wave'") } });
  expect((await listed()).filter(({ instance_id }) => instance_id === app.id).map(({ name }) => name)).toEqual(['wave', 'fail', 'throw', 'flood']);
});
