import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TOKEN, refuse, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

let host: FakeHost;
let place: Workplace;
let keys: string[];
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace({ '.space/meta': '{"id":"proj1","name":"guestbook","alias":"guestbook"}' });
  keys = ['space cli'];
  host.intercept = ({ method, path, body }) => {
    if (!/\/apps\/[^/]+\/keys$/.test(path)) return undefined;
    if (method === 'GET') return { json: { keys: keys.map((name) => ({ name, created_at: '' })) } };
    const { name } = JSON.parse(String(body)) as { name: string };
    keys.push(name);
    return { status: 201, json: { name, created_at: '', value: `col_${name.length}` } };
  };
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const env = (): Record<string, string | undefined> => ({ SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN, PATH: process.env['PATH'] });
const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, { env: env(), ...options });
const made = () => host.calls.filter(({ method, path }) => method === 'POST' && path.endsWith('/keys')).map(({ body }) => (JSON.parse(String(body)) as { name: string }).name);

describe('space exec', () => {
  const PRINT = ['exec', '--', 'node', '-e', 'require("fs").writeFileSync("seen.json", JSON.stringify([process.env.DETA_PROJECT_KEY, process.env.DETA_BASE_HOST, process.argv.slice(1)]))', '--', '--json', 'a b'];

  test('gives a program a key, in a file that is the developer\'s alone, and makes it once', async () => {
    expect((await run(PRINT)).code).toBe(0);
    expect(JSON.parse(await readFile(join(place.dir, 'seen.json'), 'utf8'))).toEqual(['col_13', new URL(host.root).host, ['--json', 'a b']]);
    expect((await run(PRINT)).code).toBe(0);
    expect(made(), 'the first name was taken').toEqual(['space cli (1)']);
    const file = join(place.homeDir, '.detaspace', 'space_project_keys');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ proj1: 'col_13' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('a key that was withdrawn is made anew; another project\'s is kept', async () => {
    await run(PRINT);
    keys = [];
    await run(PRINT);
    await run(['exec', '--project', 'proj2', '--', 'node', '-e', '']);
    expect(made()).toEqual(['space cli (1)', 'space cli', 'space cli (1)']);
    expect(Object.keys(JSON.parse(await readFile(join(place.homeDir, '.detaspace', 'space_project_keys'), 'utf8')))).toEqual(['proj1', 'proj2']);
  });

  test('ends as the program ends', async () => {
    expect((await run(['exec', '--', 'node', '-e', 'process.exit(7)'])).code).toBe(7);
    expect((await run(['exec', '--', 'sh', '-c', 'kill -TERM $$'])).code).toBe(143);
  });

  test.each<[string, string[], number, string]>([
    ['no program', ['exec'], 2, 'Missing required argument'],
    ['a program that is not there', ['exec', '--', 'no-such-program'], 1, 'there is no such program'],
  ])('%s is said', async (_, argv, code, message) => {
    const ran = await run(argv);
    expect(ran.err).toContain(message);
    expect(ran.code).toBe(code);
  });
});

describe('space api', () => {
  test('calls any path as the person', async () => {
    const ran = await run(['api', '/v0/space']);
    expect([ran.code, JSON.parse(ran.out)]).toEqual([0, { id: 'space1', name: 'ada', role: 'owner' }]);
    expect((await run(['api', 'v0/space'])).code, 'with or without its first slash').toBe(0);
  });

  test('a body makes it a POST, from a flag or from stdin', async () => {
    for (const options of [{ argv: ['--body', '{"name":"guestbook"}'], stdin: '' }, { argv: [], stdin: '{"name":"guestbook"}\n' }]) {
      expect((await run(['api', '/v0/apps', ...options.argv], { stdin: options.stdin })).code).toBe(0);
      expect(host.calls.at(-1)).toMatchObject({ method: 'POST', type: 'application/json' });
      expect(String(host.calls.at(-1)?.body)).toBe('{"name":"guestbook"}');
    }
  });

  test.each<[string, string[], string | undefined, number, string]>([
    ['a GET with a body', ['api', '/v0/apps', '-X', 'GET', '--body', '{}'], undefined, 2, 'A GET has no body.'],
    ['a body that is no JSON', ['api', '/v0/apps', '--body', '{'], undefined, 2, 'The body is not JSON'],
    ['another method', ['api', '/v0/apps', '-X', 'BREW'], undefined, 2, 'GET, POST, PATCH, DELETE'],
    ['another site', ['api', 'https://evil.example/v0/'], undefined, 2, 'is no path of the HTTP API'],
    ['a way out of the API', ['api', '/../login'], undefined, 2, 'is no path of the HTTP API'],
    ['a path that is not there', ['api', '/v0/nothing'], undefined, 1, 'Nothing is here.'],
  ])('%s is refused', async (...[, argv, stdin, code, message]) => {
    const ran = await run(argv, stdin === undefined ? {} : { stdin });
    expect(ran.err).toContain(message);
    expect(ran.code).toBe(code);
  });

  test('an error of the host keeps its code', async () => {
    host.intercept = () => refuse(409, 'CONFLICT', 'That exists already.');
    expect(JSON.parse((await run(['api', '/v0/apps', '--json', '--body', '{}'])).out)).toMatchObject({ error: { code: 'CONFLICT', message: 'That exists already.', request_id: 'req123' } });
  });
});
