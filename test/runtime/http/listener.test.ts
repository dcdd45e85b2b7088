// Owns the proof that the front door takes only requests that everybody reads the same way, sends each to one plane,
// and says what to do when it cannot open.
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../../core/wire.ts';
import { createFrontDoor, listen, type Listeners } from '../../../runtime/http/listener.ts';
import { createPlanes } from '../../../runtime/http/host.ts';
import { send } from '../../support/http.ts';
import { sendRaw } from '../../support/raw.ts';
import { pushApp, startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let app: WireInstance;
let appHost: string;

beforeAll(async () => {
  space = await startTestHost();
  app = (await pushApp(space.owner)).builder;
  appHost = new URL(app.url).host;
}, 60_000);
afterAll(() => space.close());

/** Head lines and body as bytes; what a Micro would answer is recognised by its text. */
const raw = (lines: string[], body = ''): ReturnType<typeof sendRaw> => sendRaw(space.port, `${lines.join('\r\n')}\r\n\r\n${body}`);
const REACHED = 'open to all';
const SMUGGLED = () => `GET /public/open.txt HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`;

test('more cookies than fit are told to go, so that nobody is locked out by what an app planted', async () => {
  const bomb = await raw(['GET /login HTTP/1.1', `Host: localhost:${space.port}`, `Cookie: a=${'x'.repeat(40_000)}`]);
  expect(bomb).toMatchObject({ statuses: [431], closed: true });
  expect(bomb.text).toContain('Clear-Site-Data: "cookies"');
  expect(bomb.text).toContain('load the page again');
  expect(await raw(['GET /login HTTP/1.1', `Host: localhost:${space.port}`, `Cookie: a=${'x'.repeat(20_000)}`])).toMatchObject({ statuses: [200] });
});

test('what is no request is told so', async () => {
  const broken = await raw(['GET / HTTP/1.1', `Host: localhost:${space.port}`, 'Content-Length: +4']);
  expect(broken).toMatchObject({ statuses: [400], closed: true });
  expect(broken.text).toContain('not a request that can be understood');
});

test('a plain request reaches the Micro, twice on one connection', async () => {
  const answer = await raw(['GET /public/open.txt HTTP/1.1', `Host: ${appHost}`], SMUGGLED());
  expect(answer).toMatchObject({ statuses: [200, 200], closed: false });
  expect(answer.text.split(REACHED)).toHaveLength(3);
});

describe('what two programs could read differently is refused and ends the connection', () => {
  const HEADS: Record<string, (host: string) => string[]> = {
    'Content-Length and Transfer-Encoding': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: 4', 'Transfer-Encoding: chunked'],
    'Transfer-Encoding before Content-Length': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Transfer-Encoding: chunked', 'Content-Length: 4'],
    'two Content-Lengths': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: 0', 'Content-Length: 40'],
    'two equal Content-Lengths': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: 0', 'Content-Length: 0'],
    'a list of Content-Lengths': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: 0, 40'],
    'a Content-Length with a sign': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: +0'],
    'a hexadecimal Content-Length': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: 0x0'],
    'a Content-Length below zero': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length: -1'],
    'an unknown transfer coding': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Transfer-Encoding: xchunked'],
    'a transfer coding behind chunked': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Transfer-Encoding: chunked, identity'],
    'space before a colon': (host) => ['POST /public/open.txt HTTP/1.1', `Host: ${host}`, 'Content-Length : 4'],
    'a header without a name': (host) => ['GET /public/open.txt HTTP/1.1', `Host: ${host}`, ': x'],
    'a NUL in a header': (host) => ['GET /public/open.txt HTTP/1.1', `Host: ${host}`, 'X-Own: a\0b'],
    'a bare CR in a header': (host) => ['GET /public/open.txt HTTP/1.1', `Host: ${host}`, 'X-Own: a\rX-Other: b'],
    'a folded header': (host) => ['GET /public/open.txt HTTP/1.1', `Host: ${host}`, 'X-Own: a', ' Content-Length: 4'],
    'no Host': () => ['GET /public/open.txt HTTP/1.1'],
    'a version that is none': (host) => ['GET /public/open.txt HTTP/9.1', `Host: ${host}`],
    'a request line with a space too many': (host) => ['GET /public/open.txt  x HTTP/1.1', `Host: ${host}`],
    'a head of 64 KB': (host) => ['GET /public/open.txt HTTP/1.1', `Host: ${host}`, `X-Own: ${'a'.repeat(65_536)}`],
    'a target of 64 KB': (host) => [`GET /public/open.txt?${'a'.repeat(65_536)} HTTP/1.1`, `Host: ${host}`],
  };

  test.each(Object.keys(HEADS))('%s', async (name) => {
    const lines = HEADS[name]?.(appHost) ?? [];
    const answer = await raw(lines, name === 'no Host' ? '' : SMUGGLED());
    expect(answer.statuses.length, answer.text).toBeLessThanOrEqual(1);
    expect(answer.statuses.every((status) => status >= 400 && status < 500), answer.text).toBe(true);
    expect(answer.text).not.toContain(REACHED);
    expect(answer.closed).toBe(true);
  });

  test('a bare LF between headers', async () => {
    const answer = await sendRaw(space.port, `GET /public/open.txt HTTP/1.1\nHost: ${appHost}\n\n`);
    expect(answer.statuses.filter((status) => status < 400)).toEqual([]);
    expect(answer.text).not.toContain(REACHED);
  });

  test('a chunk whose size is none', async () => {
    const head = ['POST /public/open.txt HTTP/1.1', `Host: ${appHost}`, 'Transfer-Encoding: chunked'];
    for (const size of ['-1', '0x0', 'g', '1_0', 'fffffffffffffffff']) {
      const answer = await raw(head, `${size}\r\n\r\n0\r\n\r\n${SMUGGLED()}`);
      expect(answer.text, size).not.toContain(REACHED);
      expect(answer.closed, size).toBe(true);
    }
  });

  test('a flood of chunk extensions', async () => {
    const answer = await raw(['POST /public/open.txt HTTP/1.1', `Host: ${appHost}`, 'Transfer-Encoding: chunked'], `1;${'a'.repeat(100_000)}\r\na\r\n0\r\n\r\n${SMUGGLED()}`);
    expect(answer.text).not.toContain(REACHED);
  });
});

describe('who is asked is never in doubt', () => {
  test.each([['an app', () => appHost], ['the dashboard', () => space.authority]])('two Hosts at %s', async (_, host) => {
    for (const second of [host(), 'evil.example', appHost]) {
      const answer = await raw(['GET /public/open.txt HTTP/1.1', `Host: ${host()}`, `Host: ${second}`]);
      expect(answer.statuses).toEqual([400]);
      expect(answer.text).not.toContain(REACHED);
    }
  });

  test('a target that names a host is refused, whatever it names', async () => {
    for (const target of [`http://${appHost}/public/open.txt`, 'http://evil.example/', `//${appHost}/public/open.txt`]) {
      const answer = await raw([`GET ${target} HTTP/1.1`, `Host: ${space.authority}`]);
      expect(answer.statuses.every((status) => status >= 400), target).toBe(true);
      expect(answer.text).not.toContain(REACHED);
    }
  });

  test.each(['evil.example', 'nobody-a1234567.localhost', 'victim@evil', 'a_b.localhost', ''])('Host %j belongs to nobody', async (host) => {
    const answer = await raw(['GET / HTTP/1.1', `Host: ${host}`]);
    expect([[400], [404]]).toContainEqual(answer.statuses);
  });

  test('every spelling of a name leads to the same app', async () => {
    for (const host of [appHost.toUpperCase(), appHost.replace('localhost', 'localhost.'), appHost.split(':')[0] ?? '', `${appHost.split(':')[0]}:1`]) {
      const answer = await raw(['GET /public/open.txt HTTP/1.1', `Host: ${host}`]);
      expect(answer.text, host).toContain(REACHED);
    }
  });

  test('an unknown name is answered with a page for a person and JSON for a program', async () => {
    const url = `http://nobody-a1234567.localhost:${space.port}/`;
    expect((await send(url)).json()).toMatchObject({ code: 'HOST_UNKNOWN' });
    const page = await send(url, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } });
    expect(page.status).toBe(404);
    expect(page.text).toContain('No app lives here');
  });
});

describe('methods', () => {
  test('TRACE echoes nothing, on any plane', async () => {
    for (const host of [appHost, space.authority, `database.localhost:${space.port}`, 'evil.example']) {
      const answer = await raw(['TRACE / HTTP/1.1', `Host: ${host}`, 'Cookie: space_session=secret']);
      expect(answer.statuses.every((status) => status >= 400), host).toBe(true);
      expect(answer.text).not.toContain('secret');
    }
  });

  test('CONNECT opens no tunnel', async () => {
    const answer = await raw(['CONNECT 127.0.0.1:22 HTTP/1.1', `Host: ${appHost}`]);
    expect(answer.statuses.filter((status) => status < 400)).toEqual([]);
    expect(answer.closed).toBe(true);
  });

  test('an upgrade is not one', async () => {
    for (const protocol of ['h2c', 'websocket']) {
      const answer = await raw(['GET /public/open.txt HTTP/1.1', `Host: ${appHost}`, 'Connection: Upgrade, HTTP2-Settings', `Upgrade: ${protocol}`, 'HTTP2-Settings: AAMAAABkAAQAAP__', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']);
      expect(answer.statuses).not.toContain(101);
    }
  });

  test('a method in a header is no method', async () => {
    const answer = await send(new URL('/public/open.txt', app.url).href, { headers: { 'x-http-method-override': 'DELETE' } });
    expect(answer).toMatchObject({ status: 200, text: REACHED });
  });
});

describe('opening', () => {
  const frontDoor = createFrontDoor(createPlanes({ domain: 'localhost', appsDomain: 'localhost' }), { control() {}, data() {}, instance() {}, upgrade() {}, refuse() {} });
  const open = (port: number, address = '127.0.0.1'): Promise<Listeners> => listen(frontDoor, { address, port, tlsPort: undefined, tls: undefined });

  async function occupied(): Promise<{ port: number; server: Server }> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as AddressInfo).port };
  }

  test('a port in use is named, with the way to choose another', async () => {
    const { port, server } = await occupied();
    await expect(open(port)).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(`Port ${port} is in use`) });
    await expect(open(port)).rejects.toThrow(`npm start -- --port ${port + 1}`);
    server.close();
  });

  test('the port is free again after closing, and a host that did not start leaves nothing behind', async () => {
    const { port, server } = await occupied();
    await expect(startTestHost({ args: ['--port', String(port)] })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await new Promise((resolve) => server.close(resolve));
    const listeners = await open(port);
    expect(listeners.ports).toEqual({ http: port, tls: undefined });
    await listeners.close(0);
    await (await open(port)).close(0);
  });

  test('port 0 is a free one', async () => {
    const both = await Promise.all([open(0), open(0)]);
    expect(both[0].ports.http).not.toBe(both[1].ports.http);
    await Promise.all(both.map((listeners) => listeners.close(0)));
  });

  test('a connection that says nothing does not keep the host from ending', async () => {
    const other = await startTestHost();
    const idle = sendRaw(other.port, 'GET / HTTP/1.1\r\nHost: localh');
    const startMs = performance.now();
    await other.close();
    expect(performance.now() - startMs).toBeLessThan(9000);
    expect((await idle).statuses.filter((status) => status < 400)).toEqual([]);
  });
});
