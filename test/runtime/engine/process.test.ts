// Covers what the process Engine owes to a request: the same as any Engine, through a real program in a real box.
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessInstance, openProcessBench, type ProcessBench, type ProcessInstance, SERVER } from '../../support/process-instance.ts';

let bench: ProcessBench;
let app: ProcessInstance;

beforeAll(async () => {
  bench = await openProcessBench();
  app = await createProcessInstance(bench.engine, { 'index.js': SERVER }, { env: { NAME: 'value', PORT: '1', NODE_OPTIONS: '--no-warnings', LD_PRELOAD: '' } });
});
afterAll(() => bench.close());

async function takeFrom(body: unknown, chunks: number): Promise<Buffer[]> {
  const taken: Buffer[] = [];
  for await (const chunk of body as Readable) if (taken.push(chunk as Buffer) >= chunks) break;
  return taken;
}

describe('a request', () => {
  it('arrives with its method, path, headers and body as they were', async () => {
    const answer = await app.call('/headers?a=%2F&b=ü'.replace('ü', '%C3%BC'), { headers: ['X-One', '1', 'x-two', 'b', 'X-Two', 'c', 'cookie', 'a=b'] });
    const { url, raw } = JSON.parse(answer.text);
    expect(url).toBe('/headers?a=%2F&b=%C3%BC');
    expect(raw).toEqual(['host', 'guestbook.localhost', 'connection', 'keep-alive', 'X-One', '1', 'x-two', 'b', 'X-Two', 'c', 'cookie', 'a=b']);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const echoed = await app.call('/echo', { method, body: 'some text' });
      expect([echoed.text, echoed.headers.get('x-method')]).toEqual(['some text', method]);
    }
    expect((await app.call('/echo', { method: 'POST' })).text).toBe('');
  });

  it('has one length and one framing, whatever its headers claim', async () => {
    const claimed = ['content-length', '999', 'transfer-encoding', 'chunked', 'connection', 'upgrade', 'upgrade', 'h2c'];
    const { raw } = JSON.parse((await app.call('/headers', { method: 'POST', body: 'abc', headers: claimed })).text);
    expect(raw.filter((_: string, at: number) => at % 2 === 0)).toEqual(['host', 'Content-Length', 'Connection']);
    expect(raw[3]).toBe('3');
  });

  it('streams both ways at once', async () => {
    const body = new PassThrough();
    body.write('one');
    const answer = await app.send('/echo', { method: 'POST', body });
    const reader = (answer.body as Readable)[Symbol.asyncIterator]();
    for (const word of ['one', 'two', 'three']) {
      if (word !== 'one') body.write(word);
      expect(String((await reader.next()).value)).toBe(word);
    }
    body.end();
    expect((await reader.next()).done).toBe(true);
  });

  it('of 30 MB passes in both directions whole', async () => {
    const bytes = Readable.from((function* chunks() { for (let index = 0; index < 300; index += 1) yield Buffer.alloc(100_000, index); })());
    const { body } = await app.send('/echo', { method: 'POST', body: bytes });
    let sum = 0;
    for await (const chunk of body as Readable) sum += (chunk as Buffer).length;
    expect(sum).toBe(30_000_000);
    expect((await app.call('/large?bytes=30000000')).text).toHaveLength(30_000_000);
  });

  it('whose body is refused midway is answered all the same', async () => {
    const body = new PassThrough();
    const timer = setInterval(() => body.write(Buffer.alloc(65_536)), 2);
    const answer = await app.call('/refuse', { method: 'POST', body });
    clearInterval(timer);
    body.end();
    expect([answer.status, answer.text]).toEqual([413, 'too large']);
  });

  it('sees its own variables and the platform\'s port, and nothing of the host', async () => {
    process.env.OWNSPACE_CANARY = 'canary';
    const env = JSON.parse((await app.call('/env')).text);
    delete process.env.OWNSPACE_CANARY;
    expect(env).toMatchObject({ NAME: 'value', PORT: '8080', NODE_OPTIONS: '--no-warnings', HOME: '/tmp' });
    expect(JSON.stringify(env)).not.toMatch(/canary|OWNSPACE|work|root/);
  });
});

describe('an answer', () => {
  it('comes in pieces when it is written so', async () => {
    const { body } = await app.send('/stream');
    const first = (await takeFrom(body, 1))[0]!.toString();
    expect(first).toBe('data: 0\n\n');
  });

  it('without an end is sent no faster than it is read, and ends for the program when the reader leaves', async () => {
    const before = JSON.parse((await app.call('/left')).text).length;
    const { body } = await app.send('/endless');
    await takeFrom(body, 3);
    await expect.poll(async () => JSON.parse((await app.call('/left')).text).length).toBe(before + 1);
    const sent = JSON.parse((await app.call('/left')).text).at(-1);
    expect(sent).toBeLessThan(200);
  });

  it('keeps its headers, each of them', async () => {
    expect((await app.call('/forbidden')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('that only hints first is still the answer', async () => {
    expect((await app.call('/early')).text).toBe('ok');
  });

  it.each(['/broken', '/garbage'])('with broken framing (%s) is none', async (path) => {
    await expect(app.call(path)).rejects.toMatchObject({ code: 'MICRO_BAD_RESPONSE' });
    expect(app.said()).toMatch(/no usable answer: it is not HTTP/);
  });

  it.each(['/short', '/hang-up'])('that is cut off (%s) is none', async (path) => {
    await expect(app.call(path)).rejects.toMatchObject({ code: 'MICRO_BAD_RESPONSE' });
    expect(app.said()).toMatch(/closed without an answer/);
  });

  it('to HEAD has no body', async () => {
    const answer = await app.send('/large?bytes=100000', { method: 'HEAD' });
    expect([answer.status, answer.body]).toEqual([200, null]);
  });
});

describe('a WebSocket', () => {
  const headers = ['upgrade', 'websocket', 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version', '13'];

  it('is passed through as it is', async () => {
    const answer = await app.send('/socket', { headers, upgrade: true });
    expect([answer.status, answer.headers.includes('dGhlIHNhbXBsZSBub25jZQ==')]).toEqual([101, true]);
    const { socket, head } = answer.connection!;
    let text = head.toString();
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write('abc');
    await expect.poll(() => text).toBe('earlyabc');
    socket.destroy();
    await once(socket, 'close');
  });

  it('is refused by an ordinary answer, and only given to who asked', async () => {
    const node = await createProcessInstance(bench.engine, { 'index.js': "require('http').createServer((q,s)=>s.writeHead(404).end('no')).listen(process.env.PORT)" });
    expect((await node.call('/', { headers, upgrade: true })).status).toBe(404);
    const pushy = await createProcessInstance(bench.engine, { 'index.js': "require('net').createServer((s)=>s.once('data',()=>s.write('HTTP/1.1 101 X\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n'))).listen(process.env.PORT)" });
    await expect(pushy.call('/')).rejects.toMatchObject({ code: 'MICRO_BAD_RESPONSE' });
  });
});

it('goes deeper than it may with MICRO_LOOP', async () => {
  await expect(app.call('/', { hops: 9 })).rejects.toMatchObject({ code: 'MICRO_LOOP' });
});

it('prints into the log of its Instance, with the request where there is only one', async () => {
  await app.call('/print', { id: 'req-print' });
  await expect.poll(() => app.said()).toMatch(/info a line\nwarn an error/);
  expect(app.logs.find(({ text }) => text === 'a line')).toMatchObject({ micro: 'main', level: 'info', requestId: 'req-print' });
});

it('prints no more than it may, and the rest is counted', async () => {
  const chatty = await createProcessInstance(bench.engine, { 'index.js': SERVER }, { limits: { logLinesPerSecond: 10 } });
  await chatty.call('/flood');
  await expect.poll(async () => { await chatty.call('/print'); return chatty.said(); }).toMatch(/log entries were dropped/);
  expect(chatty.logs.length).toBeLessThan(400);
});
