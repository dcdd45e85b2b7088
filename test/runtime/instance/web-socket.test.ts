// Covers WebSockets and streams through the front door of a real host: who gets one, what goes through it, and what ends it.
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { WireInstance } from '../../../core/wire.ts';
import { sendRaw } from '../../support/raw.ts';
import { pushApp, startTestHost, type TestHost, until } from '../../support/start-host.ts';

const MB = 1024 * 1024;

const CODE = `
const open = globalThis.open = new Set();
export default { async fetch(request, env, ctx) {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === '/public/open') return new Response(String(open.size));
  if (pathname === '/public/hops') return new Response(request.headers.get('x-hops') ?? 'none');
  if (pathname === '/public/loop') return env.micros.main.fetch('/public/loop', { headers: { 'x-hops': '0', 'x-space-hops': '0', 'x-forwarded-for': 'me' } });
  if (pathname.endsWith('/sse')) {
    let timer;
    return new Response(new ReadableStream({
      start(c) { open.add(c); c.enqueue(new TextEncoder().encode('data: hello\\n\\n')); timer = setInterval(() => c.enqueue(new TextEncoder().encode(': beat\\n\\n')), 200); },
      cancel() { clearInterval(timer); open.clear(); },
    }), { headers: { 'content-type': 'text/event-stream' } });
  }
  if (pathname.endsWith('/longer') || pathname.endsWith('/shorter')) return new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('12345')); c.close(); } }), { headers: { 'content-length': pathname.endsWith('/longer') ? '3' : '9' } });
  if (pathname.endsWith('/outside')) {
    const socket = new WebSocket(searchParams.get('to'));
    const [kind] = await Promise.race(['open', 'error'].map((kind) => new Promise((done) => socket.addEventListener(kind, () => done([kind])))));
    return new Response(kind);
  }
  if (request.headers.get('upgrade') !== 'websocket') return new Response('not upgraded', { status: 426 });
  if (pathname.endsWith('/refused')) return new Response('not now', { status: 503 });
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  open.add(server);
  server.addEventListener('message', async ({ data }) => {
    if (data === 'flood') for (let i = 0; i < 20; i++) server.send('x'.repeat(${MB / 2}));
    else if (data === 'later') { await env.micros.main.fetch('/public/open'); server.send('after a call'); }
    else server.send(data);
  });
  server.addEventListener('close', ({ code, reason }) => { open.delete(server); console.log('closed', code, reason); });
  return new Response(null, { status: 101, webSocket: client, headers: { 'x-own': 'kept', 'set-cookie': 'space_session=planted' } });
} };`;

const FILES = { Spacefile: 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n    public_routes:\n      - /public/*\n    presets:\n      api_keys: true\n', 'index.js': CODE };

let space: TestHost;
let app: WireInstance;
let projectId: string;
let appHost: string;
let cookie: string;

beforeAll(async () => {
  space = await startTestHost();
  ({ builder: app, projectId } = await pushApp(space.owner, { name: 'talk', files: FILES }));
  appHost = new URL(app.url).host;
  await space.owner.visitor.visit(`${app.url}anything`);
  cookie = [...space.owner.visitor.jar.get(appHost)!].map(([name, value]) => `${name}=${value}`).join('; ');
}, 60_000);
afterAll(() => space.close());

const origin = (): string => `http://${appHost}`;
const connect = (path: string, headers: Record<string, string> = {}): WebSocket => new WebSocket(`ws://127.0.0.1:${space.port}${path}`, { headers: { host: appHost, ...headers } });
/** Open, or the status of the refusal. */
const outcome = (socket: WebSocket): Promise<'open' | number> => new Promise((resolve, reject) => {
  socket.on('open', () => resolve('open'));
  socket.on('unexpected-response', (request, response: IncomingMessage) => { resolve(response.statusCode!); request.destroy(); });
  socket.on('error', reject);
});
const closed = async (socket: WebSocket): Promise<[number, string]> => {
  const [code, reason] = await once(socket, 'close') as [number, Buffer];
  return [code, reason.toString()];
};
const get = (path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> => new Promise((resolve, reject) => {
  httpRequest({ host: '127.0.0.1', port: space.port, path, agent: false, headers: { host: appHost, ...headers } }, resolve).on('error', reject).end();
});
const text = async (message: IncomingMessage): Promise<string> => Buffer.concat(await message.toArray()).toString();
const logs = async (): Promise<string> => (await space.owner.call(`GET /instances/${app.id}/logs`)).text;

describe('who gets a WebSocket', () => {
  it.each([
    ['anybody on a public route', '/public/ws', () => ({}), 'open'],
    ['a page of another site there, without cookies', '/public/ws', () => ({ origin: 'https://evil.test' }), 'open'],
    ['the owner with the session of this app', '/ws', () => ({ cookie, origin: origin() }), 'open'],
    ['a program with that session', '/ws', () => ({ cookie }), 'open'],
    ['nobody without a key', '/ws', () => ({}), 401],
    ['nobody from his own page, without a session', '/ws', () => ({ origin: origin(), accept: 'text/html' }), 401],
    ['no page of another site, with the session', '/ws', () => ({ cookie, origin: 'https://evil.test' }), 403],
    ['no page without an origin of its own, with the session', '/ws', () => ({ cookie, origin: 'null' }), 403],
    ['no page of a sibling app, with the session', '/ws', () => ({ cookie, origin: `http://other-${appHost}` }), 403],
    ['no page of another site on a public route, with any cookie', '/public/ws', () => ({ cookie: 'own=1', origin: 'https://evil.test' }), 403],
    ['no session of somebody else', '/ws', () => ({ cookie: 'space_instance=forged.forged.forged', origin: origin() }), 401],
    ['nobody at addresses of the platform', '/__space/auth', () => ({}), 302],
  ] as const)('%s', async (_, path, headers, expected) => {
    const socket = connect(path, headers());
    const got = await outcome(socket);
    expect(got).toBe(expected);
    socket.terminate();
  });

  it('whom Hono gives one by its helper', async () => {
    const contents = `
      import { Hono } from 'hono';
      import { upgradeWebSocket } from 'hono/cloudflare-workers';
      const app = new Hono();
      app.get('/public/ws', upgradeWebSocket(() => ({ onMessage: ({ data }, socket) => socket.send('Hono heard ' + data) })));
      export default app;`;
    const { outputFiles } = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, write: false, format: 'esm' });
    const { builder } = await pushApp(space.owner, { name: 'hono-talk', files: { ...FILES, 'index.js': outputFiles[0]!.text } });
    const socket = connect('/public/ws', { host: new URL(builder.url).host });
    expect(await outcome(socket)).toBe('open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('Hono heard hello');
    socket.terminate();
  });

  it('whom the Micro gives one: any other answer goes out as it is', async () => {
    expect(await outcome(connect('/public/refused'))).toBe(503);
  });

  it('nobody who asks for another protocol, or does not shake hands properly', async () => {
    const ask = (lines: string[]): ReturnType<typeof sendRaw> => sendRaw(space.port, `GET /public/ws HTTP/1.1\r\nHost: ${appHost}\r\n${lines.join('\r\n')}\r\n\r\n`);
    expect((await ask(['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'])).statuses).toEqual([426]);
    expect((await ask(['Connection: Upgrade', 'Upgrade: websocket'])).statuses).toEqual([400]);
    expect((await ask(['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13'])).statuses).toEqual([400]);
    // What was refused lives nowhere on.
    await expect.poll(async () => text(await get('/public/open'))).toBe('0');
  });
});

describe('a WebSocket', () => {
  it('carries texts and bytes both ways, and calls of its Micro', async () => {
    const socket = connect('/public/ws');
    const heads: IncomingMessage[] = [];
    socket.on('upgrade', (head) => heads.push(head));
    await once(socket, 'open');
    expect([heads[0]!.headers['x-own'], heads[0]!.headers['set-cookie']]).toEqual(['kept', undefined]);
    for (const message of ['grüße 🎉', '', 'later']) {
      socket.send(message);
      const [data, isBinary] = await once(socket, 'message') as [Buffer, boolean];
      expect([data.toString(), isBinary]).toEqual([message === 'later' ? 'after a call' : message, false]);
    }
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at));
    socket.send(bytes);
    const [data, isBinary] = await once(socket, 'message') as [Buffer, boolean];
    expect([bytes.equals(data), isBinary]).toEqual([true, true]);
    socket.close(4000, 'enough');
    expect(await closed(socket)).toEqual([4000, 'enough']);
    await expect.poll(logs).toContain('closed 4000 enough');
  });

  it('whose client does not read holds its Micro back; nothing is lost', async () => {
    const socket = connect('/public/ws');
    await once(socket, 'open');
    let size = 0;
    socket.on('message', (data: Buffer) => { size += data.length; });
    socket.send('flood');
    socket.pause();
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    expect(size).toBeLessThan(10 * MB);
    socket.resume();
    await expect.poll(() => size, { timeout: 10_000 }).toBe(10 * MB);
    socket.terminate();
  });

  it('takes no message over 1 MiB', async () => {
    const socket = connect('/public/ws');
    await once(socket, 'open');
    const ended = closed(socket);
    socket.send(Buffer.alloc(MB + 1));
    expect((await ended)[0]).toBe(1009);
  });

  it('is closed for its Micro when its client vanishes', async () => {
    const socket = connect('/public/ws');
    await once(socket, 'open');
    expect(await text(await get('/public/open'))).toBe('1');
    socket.terminate();
    await expect.poll(async () => text(await get('/public/open'))).toBe('0');
  });

  it('is asked to begin anew when its app is updated', async () => {
    const socket = connect('/public/ws');
    await once(socket, 'open');
    const ended = closed(socket);
    await pushApp(space.owner, { projectId, files: { ...FILES, 'index.js': `${CODE}\n// changed` } });
    expect(await ended).toEqual([1012, 'The app is being restarted']);
  });
});

describe('what streams', () => {
  it('arrives as it is made, and is cancelled when its reader goes', async () => {
    const answer = await get('/public/sse');
    expect(answer.headers['content-type']).toBe('text/event-stream');
    expect(String((await once(answer, 'data'))[0])).toContain('data: hello');
    expect(await text(await get('/public/open'))).toBe('1');
    answer.destroy();
    await expect.poll(async () => text(await get('/public/open'))).toBe('0');
  });

  it.each([['longer'], ['shorter']])('is cut where it is %s than its content-length, and the log says so', async (how) => {
    await expect(get(`/public/${how}`).then(text)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect.poll(logs).toMatch(new RegExp(`its body is ${how} than its content-length`));
  });
});

describe('an ended session', () => {
  it('ends its WebSockets and streams within five seconds, and no others', async () => {
    const socket = connect('/ws', { cookie, origin: origin() });
    const open = connect('/public/ws');
    await Promise.all([once(socket, 'open'), once(open, 'open')]);
    const stream = await get('/sse', { cookie, 'sec-fetch-site': 'same-origin' });
    expect(stream.statusCode).toBe(200);
    const cut = once(stream.resume(), 'error');
    const ended = closed(socket);
    const from = Date.now();
    await space.owner.visitor.submit(`${space.url}/logout`, {});
    expect(await ended).toEqual([4401, 'Signed out']);
    await cut;
    expect(Date.now() - from).toBeLessThan(5_000);
    open.send('still here');
    expect(String((await once(open, 'message'))[0])).toBe('still here');
    open.terminate();
  });
});

describe('a WebSocket to another host', () => {
  it.each([
    ['this machine', (port: number) => `ws://127.0.0.1:${port}/`],
    ['this machine by name', (port: number) => `ws://localhost:${port}/`],
    ['the metadata address of a cloud', () => 'ws://169.254.169.254/latest'],
    ['an app of this host', () => `ws://${appHost}/public/ws`],
    ['a port of another service', () => 'ws://example.com:6379/'],
  ])('never reaches %s', async (_, address) => {
    let reached = 0;
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }).on('connection', () => { reached += 1; });
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await text(await get(`/public/outside?to=${encodeURIComponent(address(port))}`))).toBe('error');
    expect(reached).toBe(0);
    server.close();
  });
});

describe('Micros that call each other in a ring', () => {
  it('are stopped, whatever their headers say', async () => {
    const answer = await get('/public/loop');
    expect(answer.statusCode).toBe(508);
    await text(answer);
  });
});

it('the end of the host ends what is open', async () => {
  const other = await startTestHost();
  const { builder } = await pushApp(other.owner, { name: 'talk', files: FILES });
  const socket = new WebSocket(`ws://127.0.0.1:${other.port}/public/ws`, { headers: { host: new URL(builder.url).host } });
  await once(socket, 'open');
  const [[code]] = await Promise.all([closed(socket), other.close()]);
  expect(code).toBe(1012);
  await until(async () => socket.readyState === WebSocket.CLOSED || undefined);
}, 60_000);
