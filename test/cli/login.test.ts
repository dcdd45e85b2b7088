import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { normalizeRoot } from '../../cli/credentials.ts';
import { TOKEN, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

let host: FakeHost;
let place: Workplace;
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace();
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, options);
const storedFile = () => join(place.homeDir, '.detaspace', 'space_tokens');
const store = async (content: object, folder = '.detaspace') => {
  await mkdir(join(place.homeDir, folder), { recursive: true });
  await writeFile(join(place.homeDir, folder, 'space_tokens'), JSON.stringify(content));
};

describe('space login', () => {
  test('a token from stdin is checked with the host and kept for this user only', async () => {
    const ran = await run(['login', '--with-token', '--root', host.origin], { stdin: `${TOKEN}\n` });
    expect(ran).toMatchObject({ code: 0, out: `Signed in to ${host.root} as ada.\n`, err: '' });
    expect(host.calls.map((call) => call.path)).toEqual(['/api/v0/space']);
    expect(JSON.parse(await readFile(storedFile(), 'utf8'))).toEqual({ access_token: TOKEN, root: host.root });
    expect((await stat(storedFile())).mode & 0o777).toBe(0o600);
  });

  test('a second sign-in closes a file that others could read', async () => {
    await store({ access_token: 'a_b' });
    await run(['login', '-t', '--root', host.root], { stdin: TOKEN });
    expect((await stat(storedFile())).mode & 0o777).toBe(0o600);
  });

  test('by name and password a token is made for this machine, and the session ends', async () => {
    const ran = await run(['login', '--root', host.root], { answers: ['ada', 'correct horse'] });
    expect(ran.code).toBe(0);
    expect(host.calls.map((call) => `${call.method} ${call.path}`)).toEqual(['POST /api/v0/login', 'POST /api/v0/tokens', 'POST /api/v0/logout', 'GET /api/v0/space']);
    expect(JSON.parse(await readFile(storedFile(), 'utf8'))).toEqual({ access_token: TOKEN, root: host.root });
  });

  test('without a terminal the password comes from stdin', async () => {
    expect((await run(['login', '--username', 'ada', '--root', host.root, '--json'], { stdin: 'correct horse\n' })).out).toBe(`{"root":"${host.root}","space":{"id":"space1","name":"ada"}}\n`);
  });

  test.each<[string, string[], RunOptions, number, string]>([
    ['a wrong password', ['login'], { answers: ['ada', 'wrong'] }, 1, 'The name or the password is wrong.'],
    ['an unknown name', ['login'], { answers: ['bob', 'correct horse'] }, 1, 'The name or the password is wrong.'],
    ['a refused token', ['login', '-t'], { stdin: 'abcdefgh_wrong' }, 1, 'The host does not accept this access token.'],
    ['a token of another shape', ['login', '-t'], { stdin: 'a_b_c' }, 1, 'This is not an access token.'],
    ['an empty token', ['login', '-t'], { stdin: '' }, 1, 'The access token is empty.'],
    ['no terminal and no flag', ['login'], {}, 2, '--with-token'],
    ['two ways at once', ['login', '-t', '-u', 'ada'], {}, 2, 'exclude each other'],
  ])('%s is refused, and nothing is stored', async (...[, argv, options, code, message]) => {
    const ran = await run([...argv, '--root', host.root], options);
    expect(ran.err).toContain(message);
    expect(ran.code).toBe(code);
    await expect(stat(storedFile())).rejects.toThrow('ENOENT');
  });
});

describe('which host, as whom', () => {
  test('what was stored is used', async () => {
    await store({ access_token: TOKEN, root: host.root });
    expect((await run(['instances'])).out).toContain('no apps yet');
  });

  test('SPACE_ACCESS_TOKEN wins over what was stored', async () => {
    await store({ access_token: 'old_token', root: host.root });
    expect((await run(['instances'], { env: { SPACE_ACCESS_TOKEN: TOKEN } })).code).toBe(0);
  });

  test('a stored token is never sent to another host than its own', async () => {
    await store({ access_token: TOKEN, root: 'http://localhost:1/api' });
    const ran = await run(['instances'], { env: { SPACE_ROOT: host.root } });
    expect(ran.err).toContain(`You are signed in to http://localhost:1/api, but not to ${host.root}.`);
    expect([ran.code, host.calls.length]).toEqual([1, 0]);
  });

  test.each(['.detaspace', '.deta'])('a file of the original command in %s is read', async (folder) => {
    await store({ access_token: TOKEN }, folder);
    expect((await run(['instances'], { env: { SPACE_ROOT: host.root } })).code).toBe(0);
  });

  test('nobody signed in: says how', async () => {
    const ran = await run(['instances', '--json']);
    expect(ran.err).toContain('You are not signed in to http://localhost:4400/api.\n  What to do: Run `space login`');
    expect(JSON.parse(ran.out).error.code).toBe('NOT_LOGGED_IN');
  });

  test('an address may leave out what is clear', () => {
    expect(normalizeRoot('localhost:4400')).toBe('http://localhost:4400/api');
    expect(normalizeRoot('https://space.example.org/')).toBe('https://space.example.org/api');
    expect(normalizeRoot('http://localhost:4400/api/')).toBe('http://localhost:4400/api');
    expect(() => normalizeRoot('ftp://x')).toThrow('is not the address of a host');
  });

  test('what answers but is no host is told apart', async () => {
    host.intercept = () => ({ status: 404, lines: undefined, json: '<html>' });
    expect((await run(['instances'], { env: { SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN } })).err).toContain('Check SPACE_ROOT');
  });
});
