// Covers one request to a program that says what it likes: over connections that are kept, and over one of its own.
import { afterEach, expect, it } from 'vitest';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Pool } from 'undici';
import { Exchange } from '../../../../runtime/engine/process/exchange.ts';
import { openPool } from '../../../../runtime/engine/process/kept.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => { for (const close of opened.splice(0).toReversed()) await close(); });

/** A program that writes bytes. */
async function program(answer: (socket: Socket, asked: number) => void): Promise<{ ask(method?: string, headers?: string[]): Exchange; over(): number; asked(): number; connections(): number }> {
  const folder = await mkdtemp(join(tmpdir(), 'exchange-'));
  const path = join(folder, 's');
  let [asked, connections, over] = [0, 0, 0];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket.on('error', () => {}));
    socket.on('data', () => answer(socket, asked += 1));
  }).listen(path);
  await once(server, 'listening');
  const pool: Pool = await openPool(path);
  opened.push(() => rm(folder, { recursive: true }), () => { for (const socket of sockets) socket.destroy(); server.close(); }, () => pool.destroy());
  return {
    ask(method = 'GET', headers = ['host', 'app.localhost']) {
      const exchange = new Exchange({
        request: { id: 'r', method, url: 'http://app.localhost/', headers, body: method === 'POST' ? Buffer.from('x') : null, hops: 0 },
        ingress: { path, pool }, streamIdleMs: 60_000, onOver: () => { over += 1; }, onIdle() {},
      });
      exchange.begin();
      return exchange;
    },
    over: () => over,
    asked: () => asked,
    connections: () => connections,
  };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const read = async (exchange: Exchange): Promise<string> => {
  const { status, body } = await exchange.answer;
  return `${status} ${body instanceof Uint8Array ? Buffer.from(body).toString() : body === null ? '' : await text(body as Readable)}`;
};

it.each<[string, string, string]>([
  ['GET', 'hello there\r\n\r\n', 'it is not HTTP'],
  ['POST', 'hello there\r\n\r\n', 'it is not HTTP'],
  ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n', 'it is not HTTP'],
  ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc', ''],
  ['GET', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 'headers'],
  ['POST', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 'it is not HTTP'],
  ['GET', `HTTP/1.1 200 OK\r\n${'A: 1\r\n'.repeat(600)}\r\n`, 'more than 512 headers'],
  ['GET', 'HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', 'changes to'],
  ['POST', 'HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', 'another protocol'],
  ['GET', 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n', 'not between 200 and 599'],
])('%s, answered with %j, says what is wrong', async (method, bytes, reason) => {
  const { ask } = await program((socket) => void socket.write(bytes));
  await expect(ask(method).answer).rejects.toMatchObject({ code: 'MICRO_BAD_RESPONSE', message: expect.stringContaining(reason) });
});

it.each([
  ['until the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nabc', true],
  ['of the older version', 'HTTP/1.0 200 OK\r\n\r\nabc', true],
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', false],
  ['with a hint ahead of it', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc', false],
])('an answer %s is whole', async (_, bytes, ends) => {
  const { ask } = await program((socket) => void (ends ? socket.end(bytes) : socket.write(bytes)));
  for (const method of ['GET', 'POST']) expect(await read(ask(method))).toBe('200 abc');
});

it.each(['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 'HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nabc', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc'])('an answer that is cut off (%j) is never taken for a whole one', async (bytes) => {
  const { ask } = await program((socket) => void socket.end(bytes));
  for (const method of ['GET', 'POST']) await expect(read(ask(method))).rejects.toThrow();
});

it('what comes after an answer answers nobody', async () => {
  const { ask } = await program((socket, asked) => void socket.write(asked === 1 ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nleft` : OK));
  expect(await read(ask())).toBe('200 ok');
  for (let times = 0; times < 5; times += 1) expect(await read(ask())).toBe('200 ok');
});

it('kept connections are used again; one that is closed in that moment costs a repeatable request nothing', async () => {
  const { ask, asked, connections } = await program((socket, count) => void (count === 11 ? socket.destroy() : socket.write(OK)));
  for (let times = 0; times < 10; times += 1) expect(await read(ask())).toBe('200 ok');
  // One may not be free again yet when the next request comes.
  expect(connections(), 'kept').toBeLessThanOrEqual(2);
  expect(await read(ask())).toBe('200 ok');
  expect(asked()).toBe(12);
});

it('what changes something is sent once, over a connection of its own', async () => {
  const { ask, asked, connections } = await program((socket, count) => void (count === 3 ? socket.destroy() : socket.write(OK)));
  for (const method of ['GET', 'POST']) expect(await read(ask(method))).toBe('200 ok');
  expect(connections()).toBe(2);
  await expect(ask('POST').answer).rejects.toThrow();
  expect(asked()).toBe(3);
});

it('who leaves before the answer ends the connection, and who leaves a stream too', async () => {
  let closed = 0;
  const { ask } = await program((socket, count) => {
    socket.once('close', () => { closed += 1; });
    if (count === 2) socket.write('HTTP/1.1 200 OK\r\n\r\nbeginning');
  });
  const early = ask();
  await new Promise((resolve) => setTimeout(resolve, 20));
  early.cancel(new Error('gone'));
  await expect(early.answer).rejects.toThrow('gone');
  await expect.poll(() => closed).toBe(1);
  const { body } = await ask().answer;
  (body as Readable).destroy();
  await expect.poll(() => closed).toBe(2);
});

it.each([['GET', 'a', '\x01'], ['POST', 'a', '\x01'], ['GET', 'host', 'other.localhost'], ['GET', 'bad name', 'x'], ['POST', 'bad name', 'x']])('%s with a header %j: %j is refused, and over', async (method, name, value) => {
  const { ask, over, asked } = await program((socket) => void socket.write(OK));
  await expect(ask(method, ['host', 'app.localhost', name, value]).answer).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect([over(), asked()]).toEqual([1, 0]);
  expect(await read(ask())).toBe('200 ok');
});

it('who had the head of its answer, or worked on it for long, is asked once', async () => {
  const half = await program((socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'));
  await expect(half.ask().answer).rejects.toThrow();
  expect(half.asked()).toBe(1);
  const long = await program((socket) => void setTimeout(() => socket.destroy(), 1_200));
  await expect(long.ask().answer).rejects.toThrow();
  expect(long.asked()).toBe(1);
});
