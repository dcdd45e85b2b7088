// `space dev` as its people use it: two addresses, files that change, and an end that leaves nothing behind.
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, isListening } from '../../cli/dev/free-port.ts';
import { CHECKOUT, removeFolder } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { until } from '../support/start-host.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/dev', import.meta.url));
const SPACE = join(CHECKOUT, 'bin', 'space.js');

interface Dev { child: ChildProcess; url: string; visitorUrl: string; said(): string; exited: Promise<number | null>; ports(): Promise<number[]> }

let dir: string;
let homeDir: string;
let dev: Dev;

const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], HOME: homeDir, TMPDIR: tmpdir(), GREETING: 'hello from the shell' });

function spawnSpace(args: string[], { cwd = dir, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): { child: ChildProcess; out(): string; err(): string } {
  const child = spawn(process.execPath, [SPACE, ...args], { cwd, env: { ...environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => { out += String(text); });
  child.stderr.on('data', (text) => { err += String(text); });
  return { child, out: () => out, err: () => err };
}

async function startDev(command = ['dev'], options: { cwd?: string } = {}): Promise<Dev> {
  const port = await freePort(20_000 + (process.pid % 20_000));
  const { child, out, err } = spawnSpace([...command, '--json', '--port', String(port)], options);
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const ready = await until(async () => {
    if (child.exitCode !== null) throw new Error(`space dev ended:\n${err()}`);
    return out().includes('\n') ? (JSON.parse(out()) as { url: string; visitor_url: string }) : undefined;
  }, 60_000);
  return {
    child, exited, url: ready.url, visitorUrl: ready.visitor_url, said: err,
    async ports() {
      const session = JSON.parse(await readFile(join(dir, '.space', 'dev', 'session.json'), 'utf8')) as { root: string };
      const micro = await readFile(join(dir, '.space', 'micros', 'tool.port'), 'utf8');
      return [Number(new URL(ready.url).port), Number(new URL(ready.visitor_url).port), Number(new URL(session.root).port), Number(micro)];
    },
  };
}

const space = async (args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
  const { child, out, err } = spawnSpace(args);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out: out(), err: err() };
};

/** Nothing listens on any of its ports any more. */
const isGone = (ports: readonly number[]) => async (): Promise<true | undefined> => ((await Promise.all(ports.map(isListening))).some(Boolean) ? undefined : true);

const write = (path: string, text: string): Promise<void> => writeFile(join(dir, path), text);
const read = (path: string): Promise<string> => readFile(join(dir, path), 'utf8');

beforeAll(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'space-dev-'));
  dir = join(parent, 'notebook');
  homeDir = parent;
  await cp(FIXTURE, dir, { recursive: true });
  dev = await startDev();
});

afterAll(async () => {
  dev?.child.kill('SIGINT');
  await dev?.exited;
  await removeFolder(homeDir);
});

test('at the first address everybody is the owner, with the routing and the data of a host', async () => {
  expect((await send(dev.url)).text).toContain('first edition');
  expect((await send(`${dev.url}api`, { method: 'POST', body: { key: 'one' } })).json()).toMatchObject({ notes: [{ key: 'one' }] });
  const page = await send(`${dev.url}__space/v0/base/v1/any/notes/items/one`);
  expect([page.status, page.json()]).toEqual([200, { key: 'one' }]);
  await until(async () => (/api +\| asked by POST/.test(dev.said()) ? true : undefined));
});

test('a dev command has its place in the routing, its env values, the same data, and reaches the other Micros', async () => {
  const answer = await send(`${dev.url}tool/deep/path?q=1`);
  expect(answer.json()).toEqual({ path: '/deep/path?q=1', greeting: 'hello from the shell', items: [{ key: 'one' }], sibling: 200 });
  const socket = new WebSocket(`${dev.url.replace('http', 'ws')}tool/live`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.terminate();
});

test('at the second address everybody is a visitor', async () => {
  for (const path of ['', 'api', 'tool', '__space/v0/base/v1/any/notes/items/one']) {
    expect((await send(dev.visitorUrl + path)).status, path).toBe(401);
  }
  for (const path of ['open.txt', 'api/open', 'tool/open']) expect((await send(dev.visitorUrl + path)).status, path).toBe(200);
});

test('pages of other sites do nothing in the name of the owner, and names of others lead nowhere', async () => {
  const foreign = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', origin: 'http://evil.example' };
  for (const path of ['api', 'tool']) {
    expect((await send(dev.url + path, { method: 'POST', body: {}, headers: foreign })).status, path).toBe(401);
    expect((await send(dev.url + path, { method: 'POST', body: {}, headers: { ...foreign, 'sec-fetch-site': 'same-origin', origin: new URL(dev.url).origin } })).status, path).toBe(200);
    expect((await send(dev.url + path, { headers: { host: 'evil.example' } })).status, path).toBe(421);
  }
});

test('a changed file is live, and pages that are open hear of it', async () => {
  const page = await send(dev.url);
  expect(page.text).toContain('/__space/dev/reload.js');
  const events = await fetch(`${dev.url}__space/dev/events`);
  const reader = (events.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  await write('web/index.html', '<!doctype html><title>web</title><h1>second edition</h1>');
  await write('api/index.js', (await read('api/index.js')).replace('edition: 1', 'edition: 2'));
  expect((await reader.read()).value).toContain('event: reload');
  await reader.cancel();
  await until(async () => ((await send(dev.url)).text.includes('second edition') ? true : undefined));
  await until(async () => ((await send(`${dev.url}api`)).json<{ edition: number }>().edition === 2 ? true : undefined));
});

test('what is wrong stands in the terminal, what ran goes on, and the next change counts', async () => {
  const spacefile = await read('Spacefile');
  await write('Spacefile', spacefile.replace('engine: isolate', 'engine: isolat'));
  await until(async () => (dev.said().includes('did you mean `isolate`?') ? true : undefined));
  await write('Spacefile', spacefile);
  const api = await read('api/index.js');
  await write('api/index.js', `${api}\nsyntax error`);
  await until(async () => (/The build failed:[^]*index\.js:\d+:\d+/.test(dev.said()) ? true : undefined));
  expect((await send(`${dev.url}api`)).json()).toMatchObject({ edition: 2 });
  await write('api/index.js', api.replace('edition: 2', 'edition: 3'));
  await until(async () => ((await send(`${dev.url}api`)).json<{ edition: number }>().edition === 3 ? true : undefined));
});

test('schedules run when they are told to, in a dev command and at the host', async () => {
  const swept = await space(['dev', 'trigger', 'sweep']);
  expect([swept.code, swept.err]).toEqual([0, expect.stringContaining('tool ran sweep: status 200.')]);
  await until(async () => (dev.said().includes('swept {"event":{"id":"sweep","trigger":"schedule"}}') ? true : undefined));
  const tidied = await space(['dev', 'trigger', 'tidy']);
  expect([tidied.code, tidied.out]).toEqual([0, expect.stringMatching(/^tidy ran in \d+ ms\.\n$/)]);
  expect((await send(`${dev.url}api`)).json<{ notes: { key: string }[] }>().notes.map(({ key }) => key)).toContain('tidied');
  const unknown = await space(['dev', 'trigger', 'paint']);
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('It has: tidy, sweep, shout, fail, keep.')]);
});

test('actions are done when they are asked for, in a dev command and at the host', async () => {
  expect(await space(['dev', 'trigger', 'shout', '-i', 'loud=true'])).toMatchObject({ code: 0, out: 'HEY\n' });
  const kept = await space(['dev', 'trigger', 'keep', '-i', 'key=by hand', '-i', 'times=2', '--json']);
  expect([kept.code, JSON.parse(kept.out)]).toEqual([0, { type: '@deta/raw', data: { kept: 'by hand', times: 2 } }]);
  for (const [args, code, said] of [[['fail'], 1, 'Why: not today'], [['shout', '-i', 'loud=much'], 2, 'is true or false'], [['keep'], 1, '`key` of the action `keep` is missing']] as const) {
    const refused = await space(['dev', 'trigger', ...args]);
    expect([refused.code, refused.err]).toEqual([code, expect.stringContaining(said)]);
  }
});

test('space dev proxy takes requests to what space dev up runs, with the data of the Builder Instance', async () => {
  // The host that runs here is as good a host as any.
  const { root, accessToken } = JSON.parse(await read('.space/dev/session.json')) as { root: string; accessToken: string };
  const { projectId } = JSON.parse(await read('.space/dev/account.json')) as { projectId: string };
  const cwd = join(homeDir, 'second');
  await cp(FIXTURE, cwd, { recursive: true });
  const up = spawnSpace(['dev', 'up', 'tool', '--id', projectId], { cwd, env: { SPACE_ROOT: root, SPACE_ACCESS_TOKEN: accessToken } });
  const ended = new Promise((resolve) => up.child.on('exit', resolve));
  await until(async () => {
    if (up.child.exitCode !== null) throw new Error(`space dev up ended:\n${up.err()}`);
    return up.out().includes('listens') ? true : undefined;
  }, 60_000);
  const proxy = await startDev(['dev', 'proxy'], { cwd });
  try {
    const answer = (await send(`${proxy.url}tool/deep`)).json<{ path: string; items: { key: string }[] }>();
    expect([answer.path, answer.items.map(({ key }) => key)]).toEqual(['/deep', expect.arrayContaining(['one'])]);
    expect((await send(`${proxy.visitorUrl}tool`)).status).toBe(401);
    // Its own host runs the others, with data of its own.
    expect((await send(`${proxy.url}api`)).json()).toMatchObject({ edition: 1, notes: [] });
  } finally {
    proxy.child.kill('SIGINT');
    up.child.kill('SIGINT');
  }
  expect([await proxy.exited, await ended]).toEqual([0, 0]);
});

test('a dev command that ends is told of, and starts again with the next change', async () => {
  const server = await read('tool/server.js');
  const [, pid = ''] = /process (\d+) listens/.exec(dev.said()) ?? [];
  process.kill(Number(pid), 'SIGTERM');
  await until(async () => ((await send(`${dev.url}tool`)).status === 502 ? true : undefined));
  await write('tool/server.js', `${server}// changed\n`);
  await until(async () => ((await send(`${dev.url}tool`)).status === 200 ? true : undefined));
  expect(dev.said()).toContain('starts it again');
});

test('a second one in the same folder is refused, and says where the first one is', async () => {
  const ran = await space(['dev']);
  expect(ran.code).toBe(1);
  expect(ran.err).toContain(`runs in this folder already, at ${dev.url}`);
});

test('Ctrl-C ends everything with 0; what was kept is there the next time; a kill -9 leaves nothing behind either', async () => {
  let ports = await dev.ports();
  expect(await isGone(ports)()).toBeUndefined();
  dev.child.kill('SIGINT');
  expect(await dev.exited, dev.said()).toBe(0);
  expect(await isGone(ports)()).toBe(true);

  dev = await startDev();
  expect((await send(`${dev.url}api`)).json()).toMatchObject({ edition: 3, notes: expect.arrayContaining([{ key: 'one' }]) });
  ports = await dev.ports();
  dev.child.kill('SIGKILL');
  await dev.exited;
  await until(isGone(ports));
});
