// The published SDKs, unmodified, in a box as a Micro has it: by the names that are built into them, without a variable but the
// key. And the app's own address, as Micros call each other.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Boxes, BoxSpec } from '../../sandbox/box.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';
import { nextUser } from '../../sandbox/jail.ts';
import { CHECKOUT } from '../support/host-process.ts';
import { HOSTNAME, openTestDoor, type TestDoor } from '../support/inner-door.ts';
import { EXTENT, failuresOf, goProgram, PROGRAMS, pythonSdk, type Results, type Unavailable } from './sdk-program.ts';

const NODE_SDKS = EXTENT === 'all' ? [['deta', 2], ['deta1', 1], ['deta1.1', 1]] as const : [['deta', 2]] as const;
const LEAST = EXTENT === 'all' ? 20 : 12;
const LEAST_PYTHON = EXTENT === 'all' ? 12 : 9;
const [python, oldPython, go] = await Promise.all([pythonSdk('1.2.0'), pythonSdk('0.9'), goProgram()]);

let folder: string;
let ground: BoxGround;
let boxes: Boxes;
let door: TestDoor;
const user = process.getuid?.() === 0 ? nextUser() : undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-box-'));
  [ground, door] = await Promise.all([prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false }), openTestDoor(user === undefined ? {} : { user })]);
  boxes = ground.boxes();
});
afterAll(async () => {
  await Promise.all([ground?.close(), door?.close()]);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => { door.fetched.length = 0; });

/** @returns what it printed */
async function runInBox(line: readonly string[], { env = {}, show = {}, ...spec }: Partial<BoxSpec> = {}): Promise<string> {
  const { forwards, hosts, authority, env: doorEnv } = door.door;
  const box = await boxes.start({
    command: ['/usr/bin/env', ...line], env: { ...doorEnv, DETA_PROJECT_KEY: door.own.key, DETA_SPACE_APP_HOSTNAME: HOSTNAME, ...env }, forwards, hosts, authority,
    show: { '/app': PROGRAMS, '/node_modules': join(CHECKOUT, 'node_modules'), ...show }, limits: { memoryMb: 512, processes: 100, openFiles: 512, tmpMb: 64, tmpFiles: 500 },
    ...(user === undefined ? {} : { user }), ...spec,
  });
  const [out, err] = await Promise.all([text(box.stdout), text(box.stderr)]);
  const { code } = await box.ended;
  if (code !== 0) throw new Error(`${line.join(' ')} ended with ${code}: ${out}${err}`);
  return out;
}

const results = async (line: readonly string[], spec: Partial<BoxSpec> = {}): Promise<Results> => JSON.parse(await runInBox(line, spec)) as Results;
const node = (name: string, major: number, spec: Partial<BoxSpec> = {}): Promise<Results> => results(['node', 'run-node.mjs', name, String(major), EXTENT, 'key'], spec);

/** Tests of what is not there are skipped, and say why. */
function declare(title: string, made: string | Unavailable, cases: (made: string) => void): void {
  const isThere = typeof made === 'string';
  if (!isThere) console.log(`${title}: ${made.reason}`);
  describe.skipIf(!isThere)(isThere ? title : `${title} without its ${made.missing}`, () => { cases(isThere ? made : ''); });
}

describe('SDKs in a box', () => {
  test.each(NODE_SDKS)('npm %s', async (name, major) => {
    expect(failuresOf(await node(name, major), LEAST)).toEqual({});
  });

  declare('Python 1.2.0', python, (made) => {
    test('sync', async () => expect(failuresOf(await results(['python3', 'cases.py', 'sync', EXTENT], { show: { '/python': made }, env: { PYTHONPATH: '/python' } }), LEAST_PYTHON)).toEqual({}));
  });
  declare('Python 0.9', oldPython, (made) => {
    test('sync', async () => expect(failuresOf(await results(['python3', 'cases.py', 'old', EXTENT], { show: { '/python': made }, env: { PYTHONPATH: '/python' } }), LEAST_PYTHON - 1)).toEqual({}));
  });
  declare('Go 1.0.0', go, (made) => {
    test('all cases', async () => expect(failuresOf(await results([`/${basename(made)}`], { show: { [`/${basename(made)}`]: made } }), 4)).toEqual({}));
  });

  test('get nothing with another key, without the authority, or without the names', async () => {
    const first = 'put returns what it stored, with a key';
    expect((await node('deta', 2, { env: { DETA_PROJECT_KEY: door.other.key } }))[first]).toMatch(/^Error: Unauthorized/);
    expect((await node('deta', 2, { env: { NODE_EXTRA_CA_CERTS: '' } }))[first]).toMatch(/^Error: Something went wrong/);
    expect((await node('deta', 2, { hosts: [] }))[first]).toMatch(/^Error: Something went wrong/);
  });
});

describe('the app\'s own address', () => {
  const CLIENTS: Record<string, (url: string) => string[]> = {
    curl: (url) => ['curl', '--silent', '--show-error', '--header', 'X-API-Key: k', url],
    'Node fetch': (url) => ['node', '--eval', `fetch(${JSON.stringify(url)}, { headers: { 'x-api-key': 'k' } }).then(async (answer) => console.log(await answer.text()))`],
    Python: (url) => ['python3', '-c', `import urllib.request as r; print(r.urlopen(r.Request("${url}", headers={"X-API-Key": "k"})).read().decode())`],
  };

  test.each(Object.entries(CLIENTS))('answers %s, with the port and without', async (_, client) => {
    for (const host of [HOSTNAME, 'guestbook.localhost']) expect((await runInBox(client(`https://${host}/api?x=1`))).trim()).toBe('hello');
    expect(door.fetched.map(({ url, headers }) => [url, headers.includes('k')])).toEqual([[`https://${HOSTNAME}/api?x=1`, true], [`https://${HOSTNAME}/api?x=1`, true]]);
  });

  test('no other name leads anywhere, nor does the door answer to one', async () => {
    for (const host of ['diary.localhost', 'localhost', 'example.org']) {
      await expect(runInBox(['curl', '--silent', '--show-error', '--insecure', '--resolve', `${host}:443:127.0.0.1`, `https://${host}/`])).rejects.toThrow(/alert|handshake/i);
    }
    await expect(runInBox(['curl', '--silent', '--show-error', 'https://diary.localhost.example/'])).rejects.toThrow(/resolve/);
    expect(door.fetched).toEqual([]);
  });
});
