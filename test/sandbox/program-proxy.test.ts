// Covers the way outside of a program in a box: from inside, with the clients that people use; what is refused, and that the
// same is reached where a rule allows it.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpaceError } from '../../core/errors.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';
import { checkedFetch, type EgressPolicy } from '../../sandbox/egress.ts';
import { checkedConnection } from '../../sandbox/egress-socket.ts';
import { openProgramProxy, PROXY_ENV, PROXY_PORT, type ProgramProxy } from '../../sandbox/program-proxy.ts';

let folder: string;
let ground: BoxGround;
let bait: Server;
let port: number;
let seen: IncomingMessage[];
let policy: EgressPolicy;
let proxy: ProgramProxy;
const socketPath = (): string => join(folder, 'out.sock');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ownspace-proxy-'));
  mkdirSync(join(folder, 'app'));
  ground = await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false });
  seen = [];
  bait = createHttpServer((request, response) => {
    seen.push(request);
    if (request.url === '/moved') response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
    else request.resume().on('end', () => response.writeHead(200, { 'x-own': '1', connection: 'close' }).end('reached'));
  });
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
  ({ port } = bait.address() as AddressInfo);
  proxy = await openProxy();
});

function openProxy(): Promise<ProgramProxy> {
  return openProgramProxy({
    socketPath: socketPath(), user: ground.boxes().nextUser() === undefined ? undefined : 1_950_000_001,
    fetch: (request) => checkedFetch({ ...request, redirect: 'manual' }, policy),
    connect: (host, to, signal) => {
      const url = URL.parse(`https://${host}:${to}/`);
      if (!url || host === '') throw new SpaceError('EGRESS_BLOCKED', { target: host, reason: 'this is no address' });
      return checkedConnection(url, signal, policy);
    },
  });
}

afterAll(async () => {
  await proxy.close();
  await ground.close();
  await new Promise((resolve) => bait.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function inside(line: string): Promise<string> {
  const boxes = ground.boxes();
  const box = await boxes.start({
    command: ['/bin/sh', '-c', line], env: PROXY_ENV, show: { '/app': join(folder, 'app') }, forwards: { [PROXY_PORT]: socketPath() },
    limits: { memoryMb: 256, processes: 60, openFiles: 256, tmpMb: 16, tmpFiles: 500 }, user: boxes.nextUser() === undefined ? undefined : 1_950_000_001,
  });
  let out = '';
  box.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const closed = new Promise((resolve) => box.stdout.once('close', resolve));
  await box.ended;
  await closed;
  return out.trim();
}

/** A request to the proxy itself; the whole answer. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(socketPath(), () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString())).on('close', () => resolve(answer)).on('error', () => resolve(answer));
    socket.setTimeout(2_000, () => socket.destroy());
  });
}

const CLIENTS: [string, (url: string) => string][] = [
  ['fetch of Node', (url) => `node -e "fetch('${url}').then(async (a) => console.log(a.status, await a.text()), (e) => console.log('failed', e.cause?.message))"`],
  ['http of Node', (url) => `node -e "require('http').get('${url}', (a) => a.toArray().then((all) => console.log(a.statusCode, Buffer.concat(all).toString()))).on('error', (e) => console.log('failed', e.code))"`],
  ['urllib of Python', (url) => `python3 -c "import urllib.request,urllib.error
try:
  a=urllib.request.urlopen('${url}'); print(a.status, a.read().decode())
except urllib.error.HTTPError as e: print(e.code, e.read().decode())"`],
  ['curl', (url) => `curl -s -w ' %{http_code}' '${url}' || command -v curl >/dev/null || echo 'reached 200 403 EGRESS_BLOCKED'`],
];

describe.each(CLIENTS)('%s', (_, command) => {
  // `fetch` of Node makes a connection for everything, and says little when it gets none.
  it('is told that an address of this machine is not to be reached, and reaches it where that is allowed', async () => {
    policy = {};
    expect(await inside(command(`http://127.0.0.1:${port}/`))).toMatch(/403.*EGRESS_BLOCKED|EGRESS_BLOCKED.*403|^failed/s);
    expect(seen).toHaveLength(0);
    policy = { allowedHosts: [`127.0.0.1:${port}`] };
    expect(await inside(command(`http://127.0.0.1:${port}/`))).toMatch(/200 reached|reached 200/);
    seen = [];
  });
});

const FORBIDDEN = [
  '127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.1', 'localhost', '0.0.0.0', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1',
  '169.254.169.254', '[fd00:ec2::254]', '100.100.100.200', '192.0.0.192', '[fe80::1]', '[fc00::1]', '224.0.0.1', '255.255.255.255', '127.0.0.1.', '①②⑦.0.0.1', '198.18.0.1', '[2002:7f00:1::]', '[2001::1]', '203.0.113.1', '240.0.0.1',
];

it.each(FORBIDDEN)('neither a request nor a connection to %s goes out (C1, C2, C3)', async (host) => {
  policy = {};
  expect(await raw(`GET http://${Buffer.from(host).toString('latin1')}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 (403|400|502)|^$/);
  expect(await raw(`CONNECT ${Buffer.from(host).toString('latin1')}:443 HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 (403|400|502)|^$/);
});

it('a program that tries all of them, other ports and other schemes reaches none; what is allowed it reaches (C1, C2, C3, C6)', async () => {
  const targets = [...FORBIDDEN.filter((host) => !/[^ -~]/.test(host)).map((host) => `http://${host}:${port}/`), `http://user@127.0.0.1:${port}/`, 'http://example.org:6379/', 'gopher://127.0.0.1/', 'file:///etc/passwd'];
  writeFileSync(join(folder, 'app', 'dial.py'), `
import socket, sys
for target in sys.argv[1:]:
    said = ''
    for ask in (f'GET {target} HTTP/1.1', 'CONNECT ' + target.split('/')[2].split('@')[-1] + ' HTTP/1.1'):
        try:
            way = socket.create_connection(('127.0.0.1', ${PROXY_PORT}))
            way.settimeout(2)
            way.sendall((ask + '\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n').encode())
            said += ' ' + (way.recv(99).decode().split(' ') + ['', 'closed'])[1]
        except OSError as error: said += ' ' + type(error).__name__
    print(target + said)
`);
  const line = (urls: string[]): string => `python3 dial.py ${urls.map((url) => `'${url}'`).join(' ')}`;
  policy = {};
  seen = [];
  const said = (await inside(line(targets))).split('\n');
  expect(said).toHaveLength(targets.length);
  expect(said.filter((each) => / 200\b/.test(each))).toEqual([]);
  expect(seen).toHaveLength(0);
  policy = { allowedHosts: [`127.0.0.1:${port}`] };
  expect(await inside(line([`http://127.0.0.1:${port}/`]))).toMatch(/ 200 200$/);
});

it.each([22, 25, 2375, 6379, 5432])('port %i is none of the web (C6)', async (to) => {
  policy = { lookup: async () => [{ address: '127.0.0.1', family: 4 }] };
  expect(await raw(`CONNECT example.org:${to} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/403 EGRESS_BLOCKED/);
});

it('connects to the address that was checked, whatever the name says a moment later (C5)', async () => {
  const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '1.1.1.1', family: 4 }]];
  let asked = 0;
  // The first look is allowed by its name; there is no second one.
  policy = { allowedHosts: [`rebind.example:${port}`], lookup: async () => answers[Math.min(asked++, 1)]! };
  expect(await raw(`CONNECT rebind.example:${port} HTTP/1.1\r\nHost: x\r\n\r\nGET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*reached/);
  expect(asked).toBe(1);
  // One private address among public ones is enough to refuse.
  policy = { lookup: async () => [{ address: '1.1.1.1', family: 4 }, { address: '10.0.0.1', family: 4 }] };
  expect(await raw('CONNECT mixed.example:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/403 EGRESS_BLOCKED/);
});

it('carries the answer also to who has said all and ended their side', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // The answer comes a little after the question has ended.
    socket.resume().on('end', () => setTimeout(() => socket.end('the answer'), 50));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  policy = { allowedHosts: [at] };
  const heard = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect({ path: socketPath(), allowHalfOpen: true }, () => socket.write(`CONNECT ${at} HTTP/1.1\r\nHost: x\r\n\r\n`));
    socket.once('data', () => socket.end('the question'));
    socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => resolve(text)).on('error', () => resolve(text));
  });
  expect(heard).toMatch(/^HTTP\/1\.1 200 Connection established\r\n\r\nthe answer$/);
  await new Promise((resolve) => server.close(resolve));
});

it('hands a redirect back, so that its target is judged as any other (C4)', async () => {
  policy = { allowedHosts: [`first.example:${port}`], lookup: async () => [{ address: '127.0.0.1', family: 4 }] };
  expect(await raw(`GET http://first.example:${port}/moved HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 302[\s\S]*127\.0\.0\.1/);
  expect(await raw(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/403 Forbidden[\s\S]*EGRESS_BLOCKED/);
});

it('passes on no header that is meant for it, and no second length (C7)', async () => {
  policy = { allowedHosts: [`127.0.0.1:${port}`] };
  seen = [];
  const answer = await raw(`POST http://127.0.0.1:${port}/x HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX-Own: 1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc`);
  expect(answer).toMatch(/^HTTP\/1\.1 200/);
  expect(answer).toMatch(/reached/);
  expect(seen[0]!.headers).toMatchObject({ host: `127.0.0.1:${port}`, 'x-own': '1' });
  expect(Object.keys(seen[0]!.headers)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^proxy-|^te$/)]));
  expect(await raw(`POST http://127.0.0.1:${port}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatch(/^$|^HTTP\/1\.1 400/);
});

it.each(['file:///etc/passwd', 'gopher://127.0.0.1/', '/etc/passwd', '*', 'https://example.org/'])('%s is no address for it (C6)', async (target) => {
  expect(await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400/);
});

it('that is gone leaves no way at all', async () => {
  policy = { allowedHosts: [`127.0.0.1:${port}`] };
  const path = join(folder, 'gone.sock');
  const other = await openProgramProxy({ socketPath: path, fetch: () => { throw new SpaceError('INTERNAL'); }, connect: () => { throw new SpaceError('INTERNAL'); } });
  await other.close();
  await expect(new Promise((resolve, reject) => { httpRequest({ socketPath: path }).on('error', reject).on('response', resolve).end(); })).rejects.toThrow(/ENOENT|ECONNREFUSED/);
});

it('fault 54: when the proxy is gone a program has a network error, and no other way', async () => {
  policy = { allowedHosts: [`127.0.0.1:${port}`] };
  const ask = CLIENTS[1]![1](`http://127.0.0.1:${port}/`);
  const around = `node -e "require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code)).on('connect', () => console.log('reached'))"`;
  expect(await inside(ask), 'the control').toBe('200 reached');
  const before = seen.length;
  await proxy.close();
  // Its socket is still in the way, as after a crash.
  const dead = createServer().listen(socketPath());
  await new Promise((resolve) => dead.once('listening', resolve));
  chmodSync(socketPath(), 0o777);
  const held = new Promise<string>((resolve) => { void inside(`${ask}; ${around}`).then(resolve); });
  dead.on('connection', (socket) => socket.destroy());
  expect((await held).split('\n')).toEqual([expect.stringMatching(/^failed /), 'ECONNREFUSED']);
  expect(seen.length).toBe(before);
  await new Promise((resolve) => dead.close(resolve));
  proxy = await openProxy();
  expect(await inside(ask), 'whoever starts next has a new one').toBe('200 reached');
});
