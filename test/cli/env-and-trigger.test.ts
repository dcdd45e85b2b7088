import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TOKEN, refuse, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

let host: FakeHost;
let place: Workplace;
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace({ '.space/meta': '{"id":"proj1","name":"guestbook","alias":"guestbook"}', Spacefile: 'v: 0\nmicros:\n  - {name: api, src: api, engine: isolate}\n', 'api/index.js': 'export default { fetch() {} }' });
  await run(['push']);
  host.calls.length = 0;
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, { env: { SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN }, ...options });
const sent = (method: string) => host.calls.filter((call) => call.method === method).map(({ path, body }) => [path, JSON.parse(String(body)) as unknown]);

describe('space env', () => {
  test('lists what the app asks for, for people and for scripts', async () => {
    const listed = await run(['env']);
    expect(listed.out).toMatch(/^MICRO +NAME +VALUE +MEANING\napi +GREETING +hi +set\n$/);
    expect(JSON.parse((await run(['env', '--json', '--instance', 'guestbook-a1111111'])).out)).toEqual({ env: [{ micro: 'api', name: 'GREETING', description: '', value: 'hi' }] });
  });

  test('sets values, which may hold anything, and takes them back', async () => {
    expect((await run(['env', 'set', 'GREETING=a=b c'])).out).toBe('Changed 1 variable of guestbook.\n');
    await run(['env', 'unset', 'GREETING']);
    const path = `/api/v0/instances/${host.instances[0]?.id}`;
    const change = (value: string): unknown => ({ micros: [{ id: 'm1', name: 'api', presets: { env: [{ name: 'GREETING', description: '', value }] } }] });
    expect(sent('PATCH')).toEqual([[path, change('a=b c')], [path, change('')]]);
  });

  test.each<[string, string[], number, string]>([
    ['a name that the app does not ask for', ['env', 'set', 'COLOR=red'], 1, 'It asks for: GREETING.'],
    ['no value', ['env', 'set', 'GREETING'], 2, 'Give a name and a value, such as NAME=value.'],
    ['another Micro', ['env', 'set', 'GREETING=x', '--micro', 'web'], 1, 'It has: api.'],
    ['another app', ['env', '--instance', 'nothing'], 1, 'You have no app instance `nothing`.'],
  ])('%s is refused, and nothing is changed', async (_, argv, code, message) => {
    const ran = await run(argv);
    expect(ran.err).toContain(message);
    expect([ran.code, sent('PATCH')]).toEqual([code, []]);
  });
});

describe('space trigger', () => {
  const RUN = { schedule_id: 'tidy', trigger: 'manual', outcome: 'ok', scheduled_at: '', started_at: '', duration_ms: 12, status: 200, request_id: 'req1', error: null };
  let outcome: object;
  beforeEach(() => {
    outcome = RUN;
    const id = host.instances[0]?.id ?? '';
    host.intercept = ({ method, path }) => {
      if (path.startsWith('/api/v0/actions?')) {
        return { json: { actions: [{ instance_id: id, instance_alias: 'guestbook-a1111111', app_name: 'guestbook', name: 'paint', title: 'Paint', input: [{ name: 'size', type: 'number' }, { name: 'wet', type: 'boolean' }, { name: 'color', type: 'string' }] }] } };
      }
      if (method === 'POST' && path === `/api/v0/actions/${id}/paint`) return { json: { type: '@deta/raw', data: { painted: true } } };
      if (path === `/api/v0/instances/${id}/schedules`) return { json: { schedules: [{ id: 'tidy' }] } };
      return path.endsWith('/schedules/tidy/run') ? { json: outcome } : undefined;
    };
  });

  test('an action gets its inputs in the types that it asks for', async () => {
    const ran = await run(['trigger', 'guestbook-a1111111', 'paint', '-i', 'size=3', '-i', 'wet=true', '--input', 'color=7']);
    expect([ran.code, JSON.parse(ran.out)]).toEqual([0, { painted: true }]);
    expect((await run(['trigger', 'paint'], { stdin: '{"size":4}' })).code, 'of the project at hand, from stdin').toBe(0);
    expect(sent('POST').map(([, body]) => body)).toEqual([{ size: 3, wet: true, color: '7' }, { size: 4 }]);
  });

  test('a schedule runs now, and its failure is one of the command', async () => {
    expect((await run(['trigger', 'tidy'])).out).toBe('tidy ran in 12 ms.\n');
    outcome = { ...RUN, outcome: 'failed', status: 500 };
    const ran = await run(['trigger', 'tidy']);
    expect([ran.code, ran.err]).toEqual([1, '✗ tidy ended as failed in 12 ms.\n  Why: the Micro answered with status 500\n  What to do: `space logs` shows what the app said.\n  Request id: req1\n']);
  });

  test.each<[string, string[], RunOptions, number, string]>([
    ['an unknown one', ['trigger', 'wash'], {}, 1, 'It has: paint, tidy.'],
    ['a number that is none', ['trigger', 'paint', '-i', 'size=big'], {}, 2, 'is a number; `big` is none'],
    ['a flag that is none', ['trigger', 'paint', '-i', 'wet=maybe'], {}, 2, 'is true or false'],
    ['an input without a value', ['trigger', 'paint', '-i', 'size'], {}, 2, '--input name=value'],
    ['stdin that is no object', ['trigger', 'paint'], { stdin: '[1]' }, 2, 'is no JSON object'],
    ['three names', ['trigger', 'a', 'b', 'c'], {}, 2, 'Give an instance and an action.'],
  ])('%s is refused', async (...[, argv, options, code, message]) => {
    const ran = await run(argv, options);
    expect(ran.err).toContain(message);
    expect([ran.code, sent('POST')]).toEqual([code, []]);
  });

  test('a host without actions has schedules all the same', async () => {
    const before = host.intercept;
    host.intercept = (call) => (call.path.startsWith('/api/v0/actions') ? refuse(404, 'NOT_FOUND', 'Nothing is here.') : before(call));
    expect((await run(['trigger', 'tidy'])).code).toBe(0);
  });
});
