// Covers the egress rules against real servers on the loopback, which are reached only by explicit permission.
import { text } from 'node:stream/consumers';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../sandbox/address.ts';
import { checkedFetch, type EgressPolicy, type EgressRequest } from '../../sandbox/egress.ts';

let server: Server;
let port: number;
const seen: { method: string; url: string; headers: IncomingMessage['headers']; raw: string[]; body: string }[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = await text(request);
    seen.push({ method: request.method!, url: request.url!, headers: request.headers, raw: request.rawHeaders, body });
    const path = request.url!;
    if (path.startsWith('/to?')) return void response.writeHead(Number(path.split('&')[1] ?? 302), { location: decodeURIComponent(path.slice(4).split('&')[0]!) }).end();
    if (path === '/ring') return void response.writeHead(302, { location: '/ring' }).end();
    if (path === '/silent') return;
    if (path === '/stall') { response.writeHead(200); return void response.write('begun'); }
    if (path === '/large') return void response.end(Buffer.alloc(300_000));
    response.writeHead(200, { 'x-a': '1' }).end(`got ${path}`);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  port = (server.address() as AddressInfo).port;
});
afterAll(() => { server.closeAllConnections(); server.close(); });

const call = async (url: string, policy: EgressPolicy = {}, request: Partial<EgressRequest> = {}): Promise<{ status: number; text: string; url: string }> => {
  const response = await checkedFetch({ method: 'GET', url, headers: [], body: null, ...request }, policy);
  return { status: response.status, text: await text(response.body), url: response.url };
};
const here = (path = '/'): string => `http://127.0.0.1:${port}${path}`;
const allowed = (policy: EgressPolicy = {}): EgressPolicy => ({ allowedHosts: [`127.0.0.1:${port}`], ...policy });

it('reaches the server when that is allowed, and is refused when not', async () => {
  expect(await call(here('/x'), allowed())).toEqual({ status: 200, text: 'got /x', url: here('/x') });
  const before = seen.length;
  await expect(call(here('/x'))).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  await expect(call(here('/x'), { allowedHosts: ['127.0.0.1:1'] })).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  expect(seen.length).toBe(before);
});

describe('addresses', () => {
  it.each([
    '0.0.0.0', '0.1.2.3', '10.1.2.3', '100.64.0.1', '100.100.100.200', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255',
    '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255',
    '::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1', '2002:7f00:1::',
    '3fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', 'localhost', '', '1.2.3',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
  it.each(['1.1.1.1', '8.8.8.8', '100.63.255.255', '172.32.0.1', '192.0.1.1', '198.20.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('ways to write an inner address', () => {
  it.each([
    'http://127.0.0.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.1/', 'http://127.1/', 'http://0/', 'http://[::1]/', 'http://[::ffff:7f00:1]/', 'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/', 'http://127.0.0.1./', 'http://１２７.０.０.１/', 'http://127。0。0。1/', 'http://localhost/', 'http://LOCALHOST./', 'http://169.254.169.254/latest/meta-data/', 'http://[fd00:ec2::254]/',
    'http://user@127.0.0.1/', 'http://user:pw@example.org/', 'http://example.org@127.0.0.1/', 'http://192.168.0.1:8080/',
  ])('%s is blocked', async (url) => {
    await expect(call(url)).rejects.toMatchObject({ code: 'EGRESS_BLOCKED', status: 403, blame: 'micro' });
  });
});

describe('schemes and ports', () => {
  it.each(['file:///etc/passwd', 'gopher://a.b/', 'data:text/plain,x', 'ftp://a.b/', 'ws://a.b/', 'javascript:1', 'nonsense', ''])('%s is blocked', async (url) => {
    await expect(call(url)).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  });
  it.each([22, 25, 587, 2375, 6379, 5432, 3306, 27017, 11211, 0])('port %i is blocked', async (blockedPort) => {
    await expect(call(`http://1.1.1.1:${blockedPort}/`)).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  });
});

describe('names', () => {
  const answers = (...addresses: string[]): EgressPolicy => ({ lookup: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })) });

  it('that point inside are blocked, also among public ones', async () => {
    await expect(call('http://evil.test/', answers('127.0.0.1'))).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
    await expect(call('http://evil.test/', answers('1.1.1.1', '10.0.0.1'))).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
    await expect(call('http://evil.test/', answers('::ffff:127.0.0.1'))).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
    await expect(call('http://evil.test/', answers())).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
  });

  it('that point to this host itself are blocked', async () => {
    await expect(call('http://me.test/', { ...answers('1.1.1.1'), deniedHosts: ['1.1.1.1'] })).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  });

  it('are resolved once: the connection goes to the checked address', async () => {
    let lookups = 0;
    const policy: EgressPolicy = { allowedHosts: [`name.test:${port}`], lookup: async () => { lookups++; return lookups === 1 ? [{ address: '127.0.0.1', family: 4 }] : [{ address: '127.0.0.2', family: 4 }]; } };
    expect((await call(`http://name.test:${port}/pinned`, policy)).status).toBe(200);
    expect(lookups).toBe(1);
    expect(seen.at(-1)!.headers.host).toBe(`name.test:${port}`);
  });
});

describe('redirects', () => {
  it('are followed, and each is checked anew', async () => {
    expect((await call(here(`/to?${encodeURIComponent('/end')}`), allowed())).text).toBe('got /end');
    const before = seen.length;
    for (const inner of ['http://127.0.0.1:9/', 'http://169.254.169.254/', 'file:///etc/passwd', 'http://[::1]/']) {
      await expect(call(here(`/to?${encodeURIComponent(inner)}`), allowed())).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
    }
    expect(seen.length).toBe(before + 4);
  });

  it('on the fifth hop too', async () => {
    let url = 'http://169.254.169.254/';
    for (let hop = 0; hop < 5; hop++) url = here(`/to?${encodeURIComponent(url)}`);
    await expect(call(url, allowed())).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
  });

  it('end after five, can be kept, and can be an error', async () => {
    await expect(call(here('/ring'), allowed())).rejects.toMatchObject({ code: 'EGRESS_FAILED', message: expect.stringContaining('more than 5 times') });
    expect((await call(here('/ring'), allowed(), { redirect: 'manual' })).status).toBe(302);
    await expect(call(here('/ring'), allowed(), { redirect: 'error' })).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
  });

  it('turn POST into GET as browsers do, and leave secrets at their origin', async () => {
    const headers = ['Authorization', 'Bearer x', 'Content-Type', 'text/plain', 'X-Own', '1'];
    await call(here(`/to?${encodeURIComponent('/end')}&303`), allowed(), { method: 'POST', body: Buffer.from('b'), headers });
    expect(seen.at(-1)).toMatchObject({ method: 'GET', body: '', headers: { authorization: 'Bearer x', 'x-own': '1' } });
    expect(seen.at(-1)!.headers['content-type']).toBeUndefined();
    await call(here(`/to?${encodeURIComponent('/end')}&307`), allowed(), { method: 'POST', body: Buffer.from('b'), headers });
    expect(seen.at(-1)).toMatchObject({ method: 'POST', body: 'b' });
    const policy = { allowedHosts: [`127.0.0.1:${port}`, `other.test:${port}`], lookup: async () => [{ address: '127.0.0.1', family: 4 }] };
    await call(here(`/to?${encodeURIComponent(`http://other.test:${port}/end`)}`), policy, { headers });
    expect(seen.at(-1)!.headers.authorization).toBeUndefined();
    expect(seen.at(-1)!.headers['x-own']).toBe('1');
  });
});

describe('headers', () => {
  it('of the connection cannot be set', async () => {
    const forged = ['Host', 'evil', 'Connection', 'upgrade', 'Transfer-Encoding', 'chunked', 'Content-Length', '999', 'Proxy-Authorization', 'x', 'X-Forwarded-For', '1.1.1.1', 'Upgrade', 'h2c', 'X-Fine', 'yes'];
    await call(here('/h'), allowed(), { method: 'POST', headers: forged, body: Buffer.from('four') });
    const { headers, body } = seen.at(-1)!;
    expect(body).toBe('four');
    expect(headers).toMatchObject({ host: `127.0.0.1:${port}`, connection: 'close', 'content-length': '4', 'x-fine': 'yes' });
    for (const name of ['transfer-encoding', 'proxy-authorization', 'x-forwarded-for', 'upgrade']) expect(headers[name]).toBeUndefined();
  });

  it.each([['a\r\nb', 'x'], ['a', 'x\r\nInjected: 1'], ['a', 'x\0'], ['a b', 'x'], ['', 'x'], ['a', '\u0100']])('%j: %j is refused before anything is sent', async (name, value) => {
    const before = seen.length;
    await expect(call(here('/'), allowed(), { headers: [name, value] })).rejects.toMatchObject({ code: 'EGRESS_BLOCKED' });
    expect(seen.length).toBe(before);
  });
});

describe('limits', () => {
  it('of time, of standing still, of size', async () => {
    await expect(call(here('/silent'), allowed({ timeoutMs: 100 }))).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
    await expect(call(here('/stall'), allowed({ idleMs: 100 }))).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
    await expect(call(here('/large'), allowed({ responseMaxBytes: 100_000 }))).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
    expect((await call(here('/large'), allowed())).text.length).toBe(300_000);
  });

  it('of the caller\'s patience', async () => {
    await expect(call(here('/silent'), allowed(), { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'EGRESS_FAILED' });
  });
});
