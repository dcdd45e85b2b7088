// Owns the proof that schedules reach the code of Micros on a real host, that nobody else can speak in their place, and what
// the control plane and the page say of them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance, WireSchedule, WireScheduleRun } from '../../../core/wire.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { sendRaw } from '../../support/raw.ts';
import { pushApp, startTestHost, until, type TestHost } from '../../support/start-host.ts';

const SPACEFILE = `v: 0
micros:
  - {name: web, src: web, engine: isolate, primary: true, public: true, actions: [{id: tidy, name: Tidy up, description: Every hour., trigger: schedule, default_interval: 1 hour}, {id: 'odd / id?', name: Odd, trigger: schedule, default_interval: 0 10 * * *}]}
  - {name: api, src: api, engine: isolate, public: true, actions: [{id: fail, name: Fail, trigger: schedule, default_interval: 1 day}]}
`;
/** Notes each event it is given; its pages tell, and call others. */
const WEB = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === '/seen') return Response.json((await env.Base('seen').fetch()).items);
    if (url.pathname === '/ask') {
      const answer = await (url.searchParams.has('micro') ? env.micros.api.fetch(url.searchParams.get('path'), { method: 'POST' }) : fetch('https://' + env.DETA_SPACE_APP_HOSTNAME + url.searchParams.get('path'), { method: 'POST' }));
      return Response.json({ status: answer.status });
    }
    await env.Base('seen').put({ by: 'fetch', path: url.pathname });
    return new Response('page');
  },
  async scheduled(event, env, ctx) {
    ctx.waitUntil(env.Base('seen').put({ by: 'background' }));
    await env.Base('seen').put({ by: 'scheduled', ...event, micro: env.DETA_SPACE_APP_MICRO_NAME });
  },
};
`;
/** Without a handler of its own for events: it gets the request. */
const API = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    await env.Base('seen').put({ by: 'api', path: url.pathname, method: request.method, type: request.headers.get('content-type'), body: await request.text() });
    if (url.pathname === '/__space/v0/actions') throw new Error('I cannot do this');
    return new Response('api');
  },
};
`;

let space: TestHost;
let app: WireInstance;

beforeAll(async () => {
  space = await startTestHost();
  ({ builder: app } = await pushApp(space.owner, { name: 'planned', files: { Spacefile: SPACEFILE, 'web/index.js': WEB, 'api/index.js': API } }));
}, 60_000);
afterAll(() => space.close());

const at = (path: string, request: Parameters<typeof send>[1] = {}): Promise<TestResponse> => send(new URL(path, app.url).href, request);
const seen = async (): Promise<Record<string, unknown>[]> => (await at('/seen')).json();
const schedules = async (): Promise<WireSchedule[]> => (await space.owner.call(`GET /instances/${app.id}/schedules`)).json().schedules;
const run = (id: string): Promise<TestResponse> => space.owner.call(`POST /instances/${app.id}/schedules/${encodeURIComponent(id)}/run`);

describe('a schedule', () => {
  test('is there after a push, with its default', async () => {
    expect(await schedules()).toMatchObject([
      { id: 'tidy', micro: 'web', name: 'Tidy up', description: 'Every hour.', interval: '1 hour', default_interval: '1 hour', enabled: true, last_run: null },
      { id: 'odd / id?', interval: '0 10 * * *' }, { id: 'fail', micro: 'api' },
    ]);
  });

  test('calls the handler that an isolate has for it, and waits for it', async () => {
    expect((await run('tidy')).json<WireScheduleRun>()).toMatchObject({ schedule_id: 'tidy', trigger: 'manual', outcome: 'ok', status: 204, error: null });
    const [event] = (await seen()).filter(({ by }) => by === 'scheduled');
    expect(event).toMatchObject({ id: 'tidy', trigger: 'schedule', cron: '1 hour', micro: 'web', scheduledTime: expect.any(Number) });
    await until(async () => ((await seen()).some(({ by }) => by === 'background') ? true : undefined));
  });

  test('is a request to any other, and its error is in the history and in the log, by the request', async () => {
    const failed = (await run('fail')).json<WireScheduleRun>();
    expect(failed).toMatchObject({ outcome: 'failed', status: 500, error: 'The app ran into an error.' });
    expect((await seen()).filter(({ by }) => by === 'api')).toMatchObject([{ path: '/__space/v0/actions', method: 'POST', type: 'application/json', body: '{"event":{"id":"fail","trigger":"schedule"}}' }]);
    const lines = (await space.owner.call(`GET /instances/${app.id}/logs`)).text.trim().split('\n').map((line) => JSON.parse(line)).filter((line) => line.request_id === failed.request_id);
    expect(lines.map(({ text }) => text).join('\n')).toMatch(/I cannot do this[\s\S]*The schedule "Fail" failed/);
    expect((await space.owner.call(`GET /instances/${app.id}/schedules/fail/runs`)).json().runs).toMatchObject([failed]);
  });

  test('runs when it is due', async () => {
    const before = (await seen()).filter(({ by }) => by === 'scheduled').length;
    const [planned] = await schedules();
    space.clock.advance(Date.parse(planned?.next_run_at ?? '') - space.clock.now());
    await until(async () => ((await seen()).filter(({ by }) => by === 'scheduled').length > before ? true : undefined));
    const [tidy] = await schedules();
    expect(tidy?.last_run).toMatchObject({ trigger: 'due' });
  });

  test('with any id is changed and run by its owner', async () => {
    const path = `/instances/${app.id}/schedules/${encodeURIComponent('odd / id?')}`;
    expect((await space.owner.call(`PATCH ${path}`, { interval: '5 minutes', enabled: false })).json()).toMatchObject({ interval: '5 minutes', default_interval: '0 10 * * *', enabled: false, next_run_at: null });
    expect((await run('odd / id?')).json()).toMatchObject({ outcome: 'ok' });
    expect((await space.owner.call(`PATCH ${path}`, { interval: null, enabled: true })).json()).toMatchObject({ interval: '0 10 * * *', next_run_at: expect.stringContaining('T10:00:00') });
    const wrong = await space.owner.call(`PATCH ${path}`, { interval: '61 * * * *' });
    expect([wrong.status, wrong.json().code, wrong.json().detail]).toEqual([400, 'INTERVAL_INVALID', expect.stringMatching(/0 to 59, not 61/)]);
    for (const change of [{ interval: 5 }, { enabled: 'yes' }]) expect((await space.owner.call(`PATCH ${path}`, change)).json().code).toBe('INVALID_FIELD');
    expect((await run('nothing')).json().code).toBe('SCHEDULE_NOT_FOUND');
    expect((await space.owner.call(`GET /instances/${app.id}/schedules/nothing/runs`)).status).toBe(404);
  });
});

describe('nobody speaks in its place (attack E21)', () => {
  const PATHS = [
    '/__space/v0/actions', '/api/__space/v0/actions', '/api//__space/v0/actions', '/x/../api/__space/v0/actions', '/__SPACE/v0/actions', '/api/__Space/v0/actions', '/%5f_space/v0/actions',
    '/api/%5F%5Fspace/v0/actions', '/api/__space;a=b/v0/actions', '/api/%2F__space/v0/actions', '/api/%2f%2f__SPACE/v0/actions', '/__space/actions', '/api/__space', '/%255F_space/v0/actions',
  ];

  /** As it is written, which no HTTP client would do. */
  async function post(path: string): Promise<number | undefined> {
    const body = '{"event":{"id":"fail","trigger":"schedule"}}';
    const head = [`POST ${path} HTTP/1.1`, `Host: ${new URL(app.url).host}`, 'Content-Type: application/json', `Content-Length: ${body.length}`, 'Connection: close'];
    return (await sendRaw(space.port, `${head.join('\r\n')}\r\n\r\n${body}`)).statuses[0];
  }

  test.each(PATHS)('from outside: %s', async (path) => {
    const count = (await seen()).length;
    expect(await post(path)).toBe(403);
    expect((await seen()).length).toBe(count);
  });

  test('what is near it reaches the Micro', async () => {
    for (const path of ['/api/__spaces/v0/actions', '/__spacex', '/api/x/__space/v0/actions', '/_']) expect(await post(path), path).toBe(200);
  });

  test('nor another Micro, by its name or by its address', async () => {
    for (const path of ['/__space/v0/actions', '/__SPACE/v0/actions', '/x/..//__space/v0/actions']) {
      expect((await at(`/ask?micro&path=${encodeURIComponent(path)}`)).text, path).not.toContain('200');
      expect((await at(`/ask?path=${encodeURIComponent(`/api${path}`)}`)).text, path).not.toContain('200');
    }
    expect((await at('/ask?micro&path=/plain')).json()).toEqual({ status: 200 });
    expect((await seen()).filter(({ by, path }) => by === 'api' && path === '/plain')).toHaveLength(1);
  });
});

test('the tab shows and changes it without a script', async () => {
  const { visitor } = space.owner;
  const tab = `${space.url}/apps/${app.id}/schedules`;
  expect((await visitor.visit(`${space.url}/apps/${app.id}`)).text).toContain(`href="/apps/${app.id}/schedules"`);
  expect((await visitor.visit(tab)).text).toMatch(/Tidy up[\s\S]*Every hour\.[\s\S]*Next <time/);
  const refused = await visitor.submit(tab, { schedule: 'tidy', interval: 'sometimes' });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('is no interval')]);
  await visitor.submit(tab, { schedule: 'tidy', interval: '7 minutes' });
  await visitor.submit(`${tab}/switch`, { schedule: 'fail', enabled: 'false' });
  await visitor.submit(`${tab}/run`, { schedule: 'tidy' });
  expect((await schedules()).map(({ interval, enabled, last_run }) => `${interval} ${enabled} ${last_run?.outcome}`)).toEqual(['7 minutes true ok', '0 10 * * * true ok', '1 day false failed']);
  expect((await visitor.submit(`${tab}/run`, { schedule: 'nothing' })).status).toBe(404);
});
