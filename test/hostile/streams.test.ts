// Covers streams and WebSockets turned against whoever is at the other end: bodies without end, readers that never read, floods of
// messages, many at once. What waits, waits at its source: a window of it passes, and no more. With the window taken away the same
// attack fills the host.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { WireInstance } from '../../core/wire.ts';
import type { MicroResponse } from '../../runtime/engine/engine.ts';
import { openAlteredBench } from '../support/altered-engine.ts';
import { send } from '../support/http.ts';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { pushApp, startTestHost, type TestHost, until } from '../support/start-host.ts';
import { moduleOf, outcomeOf } from './arena.ts';

const MB = 1024 * 1024;
const LIMITS = { cpuMs: 5_000, wallMs: 8_000, heapMb: 64, cellMb: 300, quarantineMs: 50, streamIdleMs: 3_000 };
const ANSWERS = 8;
/** What all of them may keep in the host together. */
const KEPT_MAX_BYTES = ANSWERS * 512 * 1024;

const ENDLESS = 'return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } }));';
const UNREAD = 'await new Promise((r) => setTimeout(r, 4_000)); return new Response("unread");';
const GIVEN_MAX_BYTES = 64 * MB;

async function micro(bench: IsolateBench, code: string): Promise<TestInstance> {
  const instance = createTestInstance(bench.engine, moduleOf({ code }));
  await until(async () => (await outcomeOf(instance, '/good')) === 'ok' || undefined, 60_000);
  return instance;
}

const open = (bench: IsolateBench, instance: TestInstance, body: Readable | null = null): Promise<MicroResponse> =>
  bench.engine.fetch(instance.spec, 'main', { id: 'r', method: 'POST', url: 'http://guestbook.localhost/', headers: [], body, hops: 0 });

interface Waiting { bodies: Readable[]; /** Bytes of all of them that lie in the host. */ keptBytes: number }

/** Answers that nobody reads, when no more of them comes. */
async function unreadAnswers(bench: IsolateBench): Promise<Waiting> {
  const instance = await micro(bench, ENDLESS);
  const bodies = (await Promise.all(Array.from({ length: ANSWERS }, () => open(bench, instance)))).map(({ body }) => body as Readable);
  const kept = (): number => bodies.reduce((sum, body) => sum + body.readableLength, 0);
  return { bodies, keptBytes: await settled(kept, 4 * KEPT_MAX_BYTES) };
}

/** A number that grows no more, or is past `enough`. */
async function settled(look: () => number, enough: number): Promise<number> {
  let last = -1;
  let calm = 0;
  return until(async () => {
    const now = look();
    calm = now === last ? calm + 1 : 0;
    last = now;
    if (now >= enough || (now > 0 && calm >= 5)) return now;
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    return undefined;
  });
}

/** As a connection gives it: piece by piece, others in between. */
function endless(onPiece: () => boolean = () => true): Readable {
  const source = new Readable({ read() { setImmediate(() => this.push(onPiece() ? Buffer.alloc(65_536, 'x') : null)); } });
  return source.on('error', () => {});
}

/** Bytes that a Micro which reads nothing takes of a body without end. */
async function takenUnread(bench: IsolateBench): Promise<number> {
  const instance = await micro(bench, UNREAD);
  let given = 0;
  const source = endless(() => (given += 65_536) < GIVEN_MAX_BYTES);
  const answered = open(bench, instance, source).catch(() => undefined);
  const taken = await settled(() => given, GIVEN_MAX_BYTES);
  source.destroy();
  await answered;
  return taken;
}

describe('a stream', () => {
  let bench: IsolateBench;
  beforeAll(async () => { bench = await openIsolateBench({ limits: LIMITS }); }, 60_000);
  afterAll(() => bench.close());

  it('that nobody reads waits at its source, and is closed for its silence; its Micro goes on', async () => {
    const { bodies, keptBytes } = await unreadAnswers(bench);
    const ends = bodies.map((body) => new Promise((resolve) => { body.on('error', resolve).on('close', resolve); }));
    expect(keptBytes).toBeLessThan(KEPT_MAX_BYTES);
    await Promise.all(ends);
  }, 60_000);

  it('without end ends when its reader goes, and the same Cell answers on', async () => {
    const instance = await micro(bench, ENDLESS);
    const body = (await open(bench, instance)).body as Readable;
    let read = 0;
    for await (const chunk of body) {
      read += (chunk as Uint8Array).length;
      expect(body.readableLength).toBeLessThan(MB);
      if (read > 16 * MB) break;
    }
    expect(read).toBeGreaterThan(16 * MB);
    expect(await outcomeOf(instance, '/good')).toBe('ok');
  }, 60_000);

  it('to a Micro that never reads waits outside', async () => {
    expect(await takenUnread(bench)).toBeLessThan(4 * MB);
  }, 60_000);

  it('that is read whole meets the limit of a body', async () => {
    const instance = await micro(bench, 'return new Response(await request.text());');
    const source = endless();
    const end = await open(bench, instance, source).then(({ status }) => String(status), (error) => error.code as string);
    source.destroy();
    expect(end).toMatch(/^(413|PAYLOAD_TOO_LARGE)$/);
    expect(await outcomeOf(instance, '/good')).toBe('ok');
  }, 60_000);

  it('without a window, or without credit, fills whoever is at its end', async () => {
    const without = await openAlteredBench({
      'runtime/engine/cell/arriving-body.ts': ['const room = windowBytes -', 'const room = 2 ** 21 -'],
      'runtime/engine/cell/departing-body.ts': ['#credit = START_CREDIT_BYTES', '#credit = 2 ** 40'],
    }, LIMITS);
    try {
      const { bodies, keptBytes } = await unreadAnswers(without);
      for (const body of bodies) body.destroy();
      expect(keptBytes).toBeGreaterThan(KEPT_MAX_BYTES);
      expect(await takenUnread(without)).toBeGreaterThan(4 * MB);
    } finally {
      await without.close();
    }
  }, 90_000);
});

describe('WebSockets', () => {
  const SOCKETS_MAX = 24;
  const CODE = `const open = new Set();
    export default { fetch(request) {
      if (request.headers.get('upgrade') !== 'websocket') return new Response(String(open.size));
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      open.add(server);
      server.addEventListener('message', ({ data }) => { if (data === 'flood me') for (let i = 0; i < 1000; i++) server.send('y'.repeat(1000)); else if (data === 'last') server.send('seen'); });
      server.addEventListener('close', () => open.delete(server));
      return new Response(null, { status: 101, webSocket: client });
    } };`;
  const COUNTER = 'let n = 0; export default { fetch: () => new Response(String(++n)) };';
  const files = (code: string): Record<string, string> => ({ Spacefile: 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n    public: true\n', 'index.js': code });

  let space: TestHost;
  let attacked: WireInstance;
  let neighbour: WireInstance;
  beforeAll(async () => {
    space = await startTestHost();
    attacked = (await pushApp(space.owner, { name: 'attacked', files: files(CODE) })).builder;
    neighbour = (await pushApp(space.member, { name: 'neighbour', files: files(COUNTER) })).builder;
    expect((await space.owner.call(`PATCH /instances/${attacked.id}/limits`, { requestsMax: SOCKETS_MAX })).status).toBeLessThan(300);
    await send(neighbour.url);
  }, 90_000);
  afterAll(() => space?.close());

  const connect = (): WebSocket => new WebSocket(`ws://127.0.0.1:${space.port}/`, { headers: { host: new URL(attacked.url).host } });
  const outcome = (socket: WebSocket): Promise<number> => new Promise((resolve) => {
    socket.on('open', () => resolve(101)).on('unexpected-response', (request, response) => { resolve(response.statusCode ?? 0); request.destroy(); }).on('error', () => resolve(0));
  });
  const count = async (): Promise<number> => Number((await send(neighbour.url)).text);
  const closeAll = async (sockets: readonly WebSocket[]): Promise<void> => {
    for (const socket of sockets) socket.terminate();
    await until(async () => (await send(attacked.url)).text === '0' || undefined);
  };

  it('more than an app may have at once are refused, and others after those went; the neighbour notices nothing', async () => {
    const seen = await count();
    const sockets = Array.from({ length: SOCKETS_MAX + 10 }, connect);
    const outcomes = await Promise.all(sockets.map(outcome));
    expect(outcomes.filter((status) => status === 101)).toHaveLength(SOCKETS_MAX);
    expect(outcomes.filter((status) => status === 503)).toHaveLength(10);
    expect(await count()).toBe(seen + 1);
    for (const socket of sockets) socket.terminate();
    await until(async () => (await send(attacked.url)).text === '0' || undefined);
    // An owner may raise it: it is the limit that refused them.
    await space.owner.call(`PATCH /instances/${attacked.id}/limits`, { requestsMax: 2 * SOCKETS_MAX });
    const again = await until(async () => {
      const more = Array.from({ length: SOCKETS_MAX + 10 }, connect);
      const all = await Promise.all(more.map(outcome));
      if (all.every((status) => status === 101)) return more;
      for (const socket of more) socket.terminate();
      return undefined;
    });
    await closeAll(again);
  }, 60_000);

  it('that are flooded with messages and pings, and never read, harm nobody', async () => {
    const seen = await count();
    const socket = connect();
    expect(await outcome(socket)).toBe(101);
    socket.pause();
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 200; at++) {
      socket.send('flood me');
      for (let ping = 0; ping < 500; ping++) socket.ping('x'.repeat(120));
      await once(socket, 'nothing', { signal: AbortSignal.timeout(1) }).catch(() => {});
    }
    expect(await count()).toBe(seen + 1);
    // 200 MB of answers and 12 MB of pongs are asked for.
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * MB);
    await closeAll([socket]);
  }, 60_000);

  it('whose client sends faster than its Micro reads lose nothing', async () => {
    const socket = connect();
    expect(await outcome(socket)).toBe(101);
    const answered = once(socket, 'message');
    for (let at = 0; at < 20_000; at++) socket.send('x'.repeat(500));
    socket.send('last');
    expect(String((await answered)[0])).toBe('seen');
    await closeAll([socket]);
  }, 60_000);
});
