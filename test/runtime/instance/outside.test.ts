// Owns the proof of calls that leave a Micro: to its own app they stay inside, with redirects followed and told; to the
// platform, to this machine and to names that are gone they do not go.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireInstance } from '../../../core/wire.ts';
import { send } from '../../support/http.ts';
import { pushApp, startTestHost, type TestHost } from '../../support/start-host.ts';

/** Calls what it is told to call, and says what came back. */
const CALLER = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === '/public/echo') return Response.json({ method: request.method, headers: [...request.headers], body: await request.text() });
    if (url.pathname === '/public/redirect') return new Response(null, { status: Number(url.searchParams.get('status')), headers: { location: url.searchParams.get('to') } });
    const { address, init } = await request.json();
    try {
      const answer = await fetch(address.replace('SELF', 'http://' + env.DETA_SPACE_APP_HOSTNAME), init);
      return Response.json({ status: answer.status, url: answer.url, redirected: answer.redirected, text: await answer.text() });
    } catch (error) {
      return Response.json({ error: String(error) });
    }
  },
};`;

const FILES = {
  Spacefile: 'v: 0\nmicros:\n  - name: caller\n    src: .\n    engine: isolate\n    primary: true\n    public: true\n',
  'index.js': CALLER,
};

let space: TestHost;
let app: WireInstance;
let bait: Server;
let baitHits = 0;

beforeAll(async () => {
  space = await startTestHost();
  app = (await pushApp(space.owner, { name: 'caller', files: FILES })).builder;
  bait = createServer((_, response) => {
    baitHits += 1;
    response.end('reached');
  });
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
}, 60_000);
afterAll(async () => {
  bait.close();
  await space.close();
});

const call = async (address: string, init: object = {}): Promise<{ status?: number; url?: string; redirected?: boolean; text?: string; error?: string }> =>
  (await send(app.url, { method: 'POST', body: { address, init } })).json();
const baitUrl = (): string => `http://127.0.0.1:${(bait.address() as AddressInfo).port}/`;

test('its own app is reached inside', async () => {
  expect(await call('SELF/public/echo')).toMatchObject({ status: 200, redirected: false });
});

test.each([301, 302, 303, 307, 308])('a redirect of %i is followed, and the answer says where it came from', async (status) => {
  const answer = await call(`SELF/public/redirect?status=${status}&to=/public/echo`, { method: 'POST', body: 'hello' });
  expect(answer).toMatchObject({ status: 200, redirected: true, url: expect.stringMatching(/\/public\/echo$/) });
  const { method, body } = JSON.parse(answer.text ?? '');
  expect({ method, body }).toEqual(status > 303 ? { method: 'POST', body: 'hello' } : { method: 'GET', body: '' });
});

test('a redirect is left alone, or is an error, when the Micro says so', async () => {
  expect(await call('SELF/public/redirect?status=302&to=/public/echo', { redirect: 'manual' })).toMatchObject({ status: 302, redirected: false });
  expect((await call('SELF/public/redirect?status=302&to=/public/echo', { redirect: 'error' })).error).toContain('redirects');
});

test('a redirect cannot lead to this machine', async () => {
  for (const to of [baitUrl(), 'http://localhost:1/', 'http://169.254.169.254/', `${space.url}/api/v0/space`]) {
    expect((await call(`SELF/public/redirect?status=302&to=${encodeURIComponent(to)}`)).error, to).toMatch(/not allowed/);
  }
  expect(baitHits).toBe(0);
  // The bait would answer whoever got through.
  expect((await send(baitUrl())).text).toBe('reached');
});

test.each(['https://database.deta.sh/v1/x/y/items/z', 'https://drive.deta.sh/v1/x/y/files', 'http://database.deta.sh/', 'https://database.deta.sh./v1/x/y/items/z'])('%s is gone: no data key is sent to whoever has the name today', async (address) => {
  expect((await call(address, { headers: { 'x-api-key': 'a-key' } })).error).toContain('gone from the internet');
});

test('the length of a body is what it has, whatever the Micro claims', async () => {
  const answer = await call('SELF/public/echo', { method: 'POST', body: 'hello', headers: { 'content-length': '0' } });
  const { headers, body } = JSON.parse(answer.text ?? '') as { headers: [string, string][]; body: string };
  expect(body).toBe('hello');
  expect(headers.filter(([name]) => name === 'content-length')).toEqual([['content-length', '5']]);
});
