// Covers what a hostile Micro reaches by fetch (C1 to C7): code in a real Cell, real servers on the loopback. Each address that is
// refused is also tried with the rule switched off for exactly that host and port, and then the bait is taken.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkedFetch, type EgressPolicy } from '../../sandbox/egress.ts';
import type { InstanceServices } from '../../runtime/engine/engine.ts';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { type Bait, openBait } from './bait.ts';

/** Fetches what it is told to, and says what came back. `forge` bends its own runtime first, so that no check inside is left. */
const CALLER = `
  const stringify = JSON.stringify;
  export default { async fetch(request) {
    const { address, init, forge } = await request.json();
    if (forge) JSON.stringify = (value) => stringify(Array.isArray(value) && value[0] === 'fetch' ? forge : value);
    try {
      const answer = await fetch(address, init);
      return new Response(stringify({ status: answer.status, text: await answer.text() }));
    } catch (error) {
      return new Response(stringify({ error: String(error), code: error.code }));
    } finally { JSON.stringify = stringify; }
  } };`;

interface Answer { status?: number; text?: string; error?: string; code?: string }
interface Call { address: string; init?: object; forge?: unknown[] }

let bench: IsolateBench;
let bait: Bait;
beforeAll(async () => {
  bench = await openIsolateBench();
  bait = await openBait();
});
beforeEach(() => { bait.calls.length = 0; });
afterAll(async () => { await bench.close(); await bait.close(); });

const callers = new Map<string, TestInstance>();
function callerUnder(policy: EgressPolicy): TestInstance {
  const key = JSON.stringify(policy);
  const known = callers.get(key);
  if (known && !policy.lookup) return known;
  const fetchUrl: InstanceServices['fetchUrl'] = async (request) => {
    const body = request.body instanceof Readable ? await buffer(request.body) : request.body;
    return checkedFetch({ ...request, body }, { timeoutMs: 400, ...policy });
  };
  const instance = createTestInstance(bench.engine, CALLER, { services: { fetchUrl } });
  callers.set(key, instance);
  return instance;
}

const call = async (what: Call, policy: EgressPolicy = {}): Promise<Answer> => (await callerUnder(policy).call('/', { method: 'POST', body: JSON.stringify(what) })).json();
/** `PORT` in an address is the bait's. */
const at = (address: string): string => address.replace('PORT', String(bait.port));
/** The rule off for the host and port of this address. */
const without = (address: string): EgressPolicy => {
  const { hostname, port, protocol } = new URL(at(address));
  return { allowedHosts: [`${hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')}:${port || (protocol === 'https:' ? 443 : 80)}`] };
};
const hasV6 = async (): Promise<boolean> => fetch(at('http://[::1]:PORT/')).then(() => true, () => false);

describe('addresses of this machine, in every way to write them', () => {
  const V4 = ['http://127.0.0.1:PORT/', 'http://localhost:PORT/', 'http://LOCALHOST.:PORT/', 'http://0.0.0.0:PORT/', 'http://127.8.9.10:PORT/', 'http://2130706433:PORT/', 'http://0x7f.1:PORT/', 'http://0x7f000001:PORT/', 'http://0177.1:PORT/', 'http://017700000001:PORT/', 'http://127.1:PORT/',
    'http://127.0.0.1.:PORT/', 'http://１２７.０.０.１:PORT/', 'http://127。0。0。1:PORT/', 'http://%31%32%37.0.0.1:PORT/', 'http:\\\\127.0.0.1:PORT\\', 'http:127.0.0.1:PORT/', ' http://127.0.0.1:PORT/', 'http://127.0.0.1:0PORT/'];
  const V6 = ['http://[::1]:PORT/', 'http://[0:0:0:0:0:0:0:1]:PORT/', 'http://[::ffff:127.0.0.1]:PORT/', 'http://[::ffff:7f00:1]:PORT/'];

  it.each([...V4, ...V6])('C1 C3 %s is refused', async (address) => {
    const answer = await call({ address: at(address) });
    expect(answer.error).toMatch(/not allowed|not on the public internet/);
    expect(bait.calls).toEqual([]);
  });
  it.each(V4.filter((address) => !address.includes('127.8')))('C1 C3 %s would be reached', async (address) => {
    expect(await call({ address: at(address) }, without(address))).toEqual({ status: 200, text: 'reached' });
    expect(bait.calls).toHaveLength(1);
  });
  it.each(V6)('C1 C3 %s would be reached, where this machine has it', async (address) => {
    const answer = await call({ address: at(address) }, without(address));
    if (address.includes('ffff') || await hasV6()) expect(answer).toEqual({ status: 200, text: 'reached' });
    else expect(answer.code).toBe('EGRESS_FAILED');
  });
  it.each(['http://user@127.0.0.1:PORT/', 'http://a:b@127.0.0.1:PORT/', 'http://example.org@127.0.0.1:PORT/', 'http://127.0.0.1:PORT@example.org/', 'http://[fe80::1%25eth0]:PORT/', 'http://[::127.0.0.1]:PORT/', 'http://[64:ff9b::7f00:1]:PORT/', 'http://[2002:7f00:1::]:PORT/'])('C3 %s is refused', async (address) => {
    expect((await call({ address: at(address) })).error).toBeDefined();
    expect((await call({ address: 'http://a.test/', forge: ['fetch', 'GET', at(address), 'follow', []] })).error).toMatch(/not allowed/);
    expect(bait.calls).toEqual([]);
  });
});

describe('C2 inner networks and the metadata of clouds', () => {
  const ADDRESSES = ['http://169.254.169.254/latest/meta-data/', 'http://[fd00:ec2::254]/', 'http://100.100.100.200/', 'http://192.0.0.192/', 'http://10.0.0.1/', 'http://172.16.0.1/', 'http://192.168.1.1/', 'http://[fe80::1]/', 'http://[fc00::1]/', 'http://255.255.255.255/', 'http://224.0.0.1/'];
  it.each(ADDRESSES)('%s is refused', async (address) => {
    expect(await call({ address })).toMatchObject({ code: 'EGRESS_BLOCKED' });
  });
  it.each(ADDRESSES)('%s would be tried', async (address) => {
    // Whoever answers there, if anybody does.
    expect((await call({ address }, without(address))).code).not.toBe('EGRESS_BLOCKED');
  });
});

describe('C4 redirects', () => {
  /** `hops` redirects by whoever is allowed, the last one to the bait by its other name. */
  const chain = (hops: number): string => {
    let address = at('http://localhost:PORT/secret');
    for (let hop = 0; hop < hops; hop++) address = at(`http://127.0.0.1:PORT/to?${encodeURIComponent(address)}`);
    return address;
  };
  it.each([1, 2, 5])('%i redirects lead to the outside, but not in here', async (hops) => {
    expect(await call({ address: chain(hops) }, without('http://127.0.0.1:PORT/'))).toMatchObject({ code: 'EGRESS_BLOCKED' });
    expect(bait.calls.map(({ url }) => url.slice(0, 3))).toEqual(Array(hops).fill('/to'));
  });
  it.each([1, 2, 5])('%i redirects would lead here', async (hops) => {
    const allowedHosts = [`127.0.0.1:${bait.port}`, `localhost:${bait.port}`];
    expect(await call({ address: chain(hops) }, { allowedHosts })).toEqual({ status: 200, text: 'reached' });
  });
  it('a redirect to another scheme is refused', async () => {
    for (const to of ['file:///etc/passwd', 'data:text/plain,x', 'gopher://127.0.0.1/']) {
      expect(await call({ address: at(`http://127.0.0.1:PORT/to?${encodeURIComponent(to)}`) }, without('http://127.0.0.1:PORT/'))).toMatchObject({ code: 'EGRESS_BLOCKED' });
    }
  });
});

describe('C5 names that change their mind', () => {
  const names = (...turns: string[][]): { lookup: NonNullable<EgressPolicy['lookup']>; asked: () => number } => {
    let asked = 0;
    return { asked: () => asked, lookup: async () => turns[Math.min(asked++, turns.length - 1)]!.map((address) => ({ address, family: 4 })) };
  };
  it('a name with an address inside among its addresses is refused', async () => {
    for (const addresses of [['127.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['127.0.0.1', '1.1.1.1']]) {
      expect(await call({ address: at('http://rebind.test:PORT/') }, { lookup: names(addresses).lookup })).toMatchObject({ code: 'EGRESS_BLOCKED' });
    }
    expect(bait.calls).toEqual([]);
  });
  it('a name is asked once; what it says the next time does not matter', async () => {
    const { lookup, asked } = names(['192.0.1.1'], ['127.0.0.1']);
    await call({ address: at('http://rebind.test:PORT/') }, { lookup });
    expect({ asked: asked(), calls: bait.calls }).toEqual({ asked: 1, calls: [] });
  });
  it('the bait has that name', async () => {
    const { lookup } = names(['127.0.0.1']);
    expect(await call({ address: at('http://rebind.test:PORT/') }, { lookup, allowedHosts: [at('rebind.test:PORT')] })).toEqual({ status: 200, text: 'reached' });
  });
});

describe('C6 schemes and ports', () => {
  it.each(['file:///etc/passwd', 'gopher://127.0.0.1:6379/_x', 'data:text/plain,x', 'ftp://a.test/', 'ws://127.0.0.1/', 'blob:http://a.test/x', 'javascript:1', 'unix:/run/x', 'nonsense'])('%s is refused', async (address) => {
    expect((await call({ address })).error).toBeDefined();
    expect(await call({ address: 'http://a.test/', forge: ['fetch', 'GET', address, 'follow', []] })).toMatchObject({ code: 'EGRESS_BLOCKED' });
  });
  it.each([22, 25, 587, 2375, 6379, 5432, 27017])('port %i is refused, and would be tried', async (port) => {
    const address = `http://1.1.1.1:${port}/`;
    expect(await call({ address })).toMatchObject({ code: 'EGRESS_BLOCKED' });
    expect((await call({ address: `http://127.0.0.1:${port}/` }, without(`http://127.0.0.1:${port}/`))).code).not.toBe('EGRESS_BLOCKED');
  });
});

describe('C7 headers of the connection', () => {
  const OPEN = 'http://127.0.0.1:PORT/';
  const FORBIDDEN = ['Host', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'Content-Length', 'TE', 'Trailer', 'Upgrade', 'Expect', 'Proxy-Authorization', 'Proxy-Connection', 'X-Forwarded-For', 'X-Forwarded-Host', 'Forwarded', 'Via', 'Sec-Fetch-Site'];
  it.each(FORBIDDEN)('%s is the host\'s to set', async (name) => {
    const value = name === 'Content-Length' ? '99' : 'evil.test';
    const forged = ['fetch', 'POST', at(OPEN), 'follow', [name.toLowerCase(), value, 'x-mine', 'mine']];
    for (const what of [{ address: at(OPEN), init: { method: 'POST', headers: { [name]: value, 'x-mine': 'mine' }, body: 'four' } }, { address: at(OPEN), init: { method: 'POST', body: 'four' }, forge: forged }]) await call(what, without(OPEN));
    expect(bait.calls.length).toBeGreaterThan(0);
    for (const { raw, headers, body } of bait.calls) {
      expect(raw).not.toContain(value);
      expect({ host: headers.host, length: headers['content-length'], body }).toEqual({ host: at('127.0.0.1:PORT'), length: '4', body: 'four' });
    }
    // One of its own arrives.
    expect(bait.calls.at(-1)!.headers['x-mine']).toBe('mine');
  });
  it.each([['a value with a line end', 'x-a', 'b\r\nx-evil: 1'], ['a value with a bare line end', 'x-a', 'b\nx-evil: 1'], ['a value with NUL', 'x-a', 'b\0'], ['a name with a line end', 'x-a\r\nx-evil', '1'], ['a name with a space', 'x evil', '1'], ['no name', '', '1'], ['a value beyond bytes', 'x-a', '\u010ax-evil: 1']])('%s is an error, and nothing is sent', async (_, name, value) => {
    expect((await call({ address: at(OPEN), init: { headers: { [name]: value } } }, without(OPEN))).error).toBeDefined();
    expect((await call({ address: at(OPEN), forge: ['fetch', 'GET', at(OPEN), 'follow', [name, value]] }, without(OPEN))).error).toBeDefined();
    expect(bait.calls).toEqual([]);
  });
  it.each(['GET / HTTP/1.1\r\nx: y\r\n\r\n', 'G ET', 'CONNECT', '', 'TRACE'])('the method %j is an error, and nothing is sent', async (method) => {
    expect((await call({ address: at(OPEN), init: { method } }, without(OPEN))).error).toBeDefined();
    expect((await call({ address: at(OPEN), forge: ['fetch', method, at(OPEN), 'follow', []] }, without(OPEN))).code).toMatch(/^(BAD_REQUEST|EGRESS_)/);
    expect(bait.calls).toEqual([]);
  });
});
