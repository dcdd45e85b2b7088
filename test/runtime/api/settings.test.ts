// Owns the proof of what owners set beside code: limits, reach, pauses, who shares a process; that it counts at once, lasts, and is
// theirs alone to set.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireEgress, WireHost, WireInstance, WireLimits } from '../../../core/wire.ts';
import { send } from '../../support/http.ts';
import { pushApp, startTestHost, type TestHost } from '../../support/start-host.ts';

const FILES = {
  Spacefile: 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n    public: true\n',
  'index.js': `let n = 0; export default { async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const end = Date.now() + Number(searchParams.get("ms") ?? 0);
    if (pathname === "/spin") while (Date.now() < end);
    if (pathname === "/kill") for (const big = 2n ** 60_000_000n; Date.now() < end;) big * big;
    if (pathname === "/fetch") return new Response(await fetch(searchParams.get("url")).then((answer) => String(answer.status), (error) => error.message));
    return new Response(String(++n));
  } };`,
};

let space: TestHost;
let app: WireInstance;
let other: WireInstance;

beforeAll(async () => {
  space = await startTestHost({ args: ['--limits', 'cpuMs=400,graceMs=200,quarantineMs=0,idleMs=600000'] });
  app = (await pushApp(space.owner, { name: 'mine', files: FILES })).builder;
  other = (await pushApp(space.member, { name: 'theirs', files: FILES })).builder;
}, 60_000);
afterAll(() => space.close());

const at = async (path: string, instance = app): Promise<{ status: number; text: string }> => send(new URL(path, instance.url).href);
const fetching = (url: string): Promise<string> => at(`/fetch?url=${encodeURIComponent(url)}`).then(({ text }) => text);

describe('limits', () => {
  test('of the host hold, until its owner raises them for one app; then at once, and for that app only', async () => {
    expect((await at('/spin?ms=1000')).status).toBe(503);
    const raised = await space.owner.call(`PATCH /instances/${app.id}/limits`, { cpuMs: 10_000 });
    expect(raised.json()).toMatchObject({ limits: { cpuMs: 10_000, wallMs: 20_000 }, set: { cpuMs: 10_000 } });
    expect(await at('/spin?ms=1000')).toMatchObject({ status: 200, text: '1' });
    expect((await at('/spin?ms=1000', other)).status).toBe(503);
    expect((await space.owner.call(`GET /instances/${app.id}/limits`)).json<WireLimits>().set).toEqual({ cpuMs: 10_000 });
    await space.owner.call(`PATCH /instances/${app.id}/limits`, { cpuMs: null });
    expect((await at('/spin?ms=1000')).status).toBe(503);
    expect((await space.owner.call(`GET /instances/${app.id}/limits`)).json<WireLimits>()).toMatchObject({ limits: { cpuMs: 400 }, set: {} });
  });

  test('the log says which, how far, and which request', async () => {
    const { text } = await space.owner.call(`GET /instances/${app.id}/logs`);
    expect(text).toMatch(/used [\d,]+ ms of 400 ms CPU time\. Request: GET \/spin \(/);
  });

  test.each([{ cpuMs: 1 }, { cpuMs: 1e9 }, { cpuMs: '5' }, { poolSize: 1 }, { nothing: 1 }, { nothing: null }, { cpuMs: 5_000, heapMb: -1 }])('%j is refused as a whole', async (wanted) => {
    const answer = await space.owner.call(`PATCH /instances/${app.id}/limits`, wanted);
    expect([answer.status, answer.json().code]).toEqual([400, 'INVALID_FIELD']);
    expect((await space.owner.call(`GET /instances/${app.id}/limits`)).json<WireLimits>().set).toEqual({});
  });

  test('are set by the owner of the host only, for apps of others too', async () => {
    expect((await space.member.call(`PATCH /instances/${other.id}/limits`, { cpuMs: 10_000 })).status).toBe(403);
    expect((await space.owner.call(`PATCH /instances/${other.id}/limits`, { heapMb: 256 })).status).toBe(200);
    expect((await space.member.call(`GET /instances/${other.id}/limits`)).json<WireLimits>().set).toEqual({ heapMb: 256 });
    expect((await space.owner.call('PATCH /instances/none/limits', { cpuMs: 10_000 })).status).toBe(404);
  });
});

describe('calls to the outside', () => {
  const reach = async (wanted: object): Promise<WireEgress> => (await space.owner.call(`PATCH /instances/${app.id}/egress`, wanted)).json();
  const UNKNOWN = 'http://nobody.invalid/';

  test('go anywhere by default; nowhere, or to a list, when its owner says so, from then on', async () => {
    expect((await space.owner.call(`GET /instances/${app.id}/egress`)).json()).toMatchObject({ policy: 'internet', hosts: [] });
    expect(await fetching(UNKNOWN)).toMatch(/cannot be resolved/);
    await reach({ policy: 'none' });
    expect(await fetching(UNKNOWN)).toMatch(/may not call anything outside/);
    await reach({ policy: 'list', hosts: ['*.invalid', '127.0.0.1'] });
    expect(await fetching(UNKNOWN)).toMatch(/cannot be resolved/);
    expect(await fetching('http://nobody.test/')).toMatch(/not on the list/);
    // What is closed stays closed.
    expect(await fetching('http://127.0.0.1:9999/')).toMatch(/not on the public internet/);
  });

  test('its own address is always reached, another app only where it may call', async () => {
    await reach({ policy: 'none' });
    expect(await fetching(new URL('/', app.url).href)).toBe('200');
    expect(await fetching(new URL('/', other.url).href)).toMatch(/may not call/);
    await reach({ policy: 'internet' });
    expect(await fetching(new URL('/', other.url).href)).toBe('200');
  });

  test('are counted, and limited by numbers of the app', async () => {
    const before = (await space.owner.call(`GET /instances/${app.id}/egress`)).json<WireEgress>().calls;
    await fetching(UNKNOWN);
    await fetching('http://127.0.0.1:9999/');
    const after = (await space.owner.call(`GET /instances/${app.id}/egress`)).json<WireEgress>().calls;
    expect([after.total - before.total, after.refused - before.refused, after.open]).toEqual([2, 1, 0]);
    await space.owner.call(`PATCH /instances/${app.id}/limits`, { callsPerMinute: 0 });
    expect(await fetching(UNKNOWN)).toMatch(/Too many/);
    await space.owner.call(`PATCH /instances/${app.id}/limits`, { callsPerMinute: null });
  });

  test('a list that is none is refused', async () => {
    expect((await space.owner.call(`PATCH /instances/${app.id}/egress`, { policy: 'list', hosts: ['http://x'] })).status).toBe(400);
  });
});

describe('a Micro that had to be stopped too often', () => {
  test('is paused, says why to its owner, stays so over a restart of what runs, and is started again', async () => {
    for (let strike = 0; strike < 3; strike++) expect((await at('/kill?ms=20000')).status).toBe(503);
    const answer = await send(app.url, { headers: { accept: 'text/html' } });
    expect([answer.status, /is paused/.test(answer.text), /had to be stopped 3 times/.test(answer.text)]).toEqual([503, true, true]);
    const page = await space.owner.visitor.visit(`${space.url}/apps/${app.id}`);
    expect(page.text).toMatch(/had to be stopped 3 times/);
    // Another generation, which the Engine does not know.
    await space.owner.call(`PATCH /instances/${app.id}/limits`, { heapMb: 200 });
    expect(JSON.parse((await at('/')).text).code).toBe('MICRO_PAUSED');
    expect((await space.owner.call(`POST /instances/${app.id}/resume`)).status).toBe(200);
    expect((await at('/')).status).toBe(200);
  }, 60_000);

  test('an update lets it run too', async () => {
    const { builder, projectId } = await pushApp(space.owner, { name: 'again', files: FILES });
    for (let strike = 0; strike < 3; strike++) await at('/kill?ms=20000', builder);
    expect((await at('/', builder)).status).toBe(503);
    await pushApp(space.owner, { projectId, files: { ...FILES, 'index.js': 'export default () => new Response("mended");' } });
    await expect.poll(async () => (await at('/', builder)).text).toBe('mended');
  }, 90_000);
});

describe('this host', () => {
  test('its owner is told how well it contains apps', async () => {
    const { sandbox, cells, version } = (await space.owner.call('GET /host')).json<WireHost>();
    expect(version).toBe('0.0.0-test');
    expect(sandbox.level).toBe('full');
    expect(sandbox.findings.every(({ holds }) => holds)).toBe(true);
    expect(cells.limit_mb).toBeGreaterThan(100);
    expect(cells.used_mb).toBeGreaterThan(0);
    expect(space.logged()).toMatch(/sandbox\.tested.*"reached":"full"/);
    expect((await space.member.call('GET /host')).status).toBe(403);
    expect((await space.owner.visitor.visit(`${space.url}/host`)).text).toMatch(/Sandbox: Full/);
  });

  test('a Space may be let to share one process, by the owner of the host', async () => {
    const second = (await pushApp(space.owner, { name: 'second', files: FILES })).builder;
    const both = async (): Promise<number> => {
      expect([(await at('/')).status, (await at('/', second)).status]).toEqual([200, 200]);
      return (await space.owner.call('GET /host')).json<WireHost>().cells.running;
    };
    const apart = await both();
    expect((await space.member.call(`PATCH /spaces/${space.owner.spaceId}/cordon`, { cordon: 'space' })).status).toBe(403);
    expect((await space.owner.call(`PATCH /spaces/${space.owner.spaceId}/cordon`, { cordon: 'all' })).status).toBe(400);
    expect((await space.owner.call(`PATCH /spaces/${space.owner.spaceId}/cordon`, { cordon: 'space' })).json()).toEqual({ id: space.owner.spaceId, cordon: 'space' });
    await expect.poll(both).toBeLessThan(apart);
    const together = await both();
    const listed = (await space.owner.call('GET /spaces')).json<{ spaces: { id: string; cordon: string }[] }>().spaces;
    expect(listed.map(({ id, cordon }) => [id === space.owner.spaceId, cordon]).toSorted()).toEqual([[false, 'instance'], [true, 'space']]);
    await space.owner.call(`PATCH /spaces/${space.owner.spaceId}/cordon`, { cordon: 'instance' });
    await expect.poll(both).toBeGreaterThan(together);
  });
});
