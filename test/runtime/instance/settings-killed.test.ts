// Owns the proof with real kills that what an owner set for an app survives: variables, schedules and domains are as the last
// answer said, or as what was under way; nothing of them is there by half, and no run is forgotten or done twice.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireDomain, WireSchedule, WireScheduleRun } from '../../../core/wire.ts';
import { startDnsServer, type DnsServer } from '../../support/dns-server.ts';
import { removeFolder, startHostProcess, type HostProcess } from '../../support/host-process.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { PASSWORD, pushApp, SETUP_SECRET, until, type Person } from '../../support/start-host.ts';

const ROUNDS = 3;
const RUNS_A_ROUND = 5;
const DOMAINS = ['one.example.net', 'two.example.net', 'three.example.net'];
const FILES = {
  Spacefile: 'v: 0\nmicros:\n  - name: web\n    src: .\n    engine: isolate\n    primary: true\n    public: true\n    presets: {env: [{name: TOKEN, default: v0}]}\n    actions: [{id: tick, name: Tick, trigger: schedule, default_interval: 1 day}]\n',
  'index.js': `export default {
    fetch: async (request, env) => Response.json({ token: env.TOKEN, runs: (await env.Base('runs').fetch()).items.length }),
    scheduled: async (event, env) => { await env.Base('runs').put({ at: event.scheduledTime }); },
  };`,
};

let dns: DnsServer;
let host: HostProcess;
let dataFolder: string;
let token: string;
let app: { id: string; label: string };

/** What was asked for, and what was acknowledged of it. */
const said = { env: { sent: 0, done: 0 }, interval: { sent: 0, done: 0 }, runs: 0, domains: new Map<string, 'active' | 'gone' | 'either'>() };

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  dns = await startDnsServer();
  await start();
  token = (await send(`${host.url}/api/v0/setup`, { method: 'POST', body: { secret: SETUP_SECRET, username: 'ada', password: PASSWORD } })).json().access_token;
  const { builder } = await pushApp({ call } as Person, { files: FILES });
  app = { id: builder.id, label: new URL(builder.url).hostname };
}, 60_000);
afterAll(async () => {
  await host?.kill();
  await dns?.close();
  await removeFolder(dataFolder);
});

async function start(): Promise<void> {
  host = await startHostProcess({ dataFolder, env: { OWNSPACE_SETUP_SECRET: SETUP_SECRET, OWNSPACE_DNS: dns.address } });
}

function call(address: string, body?: string | Buffer | object, headers: Record<string, string> = {}): Promise<TestResponse> {
  const [method = 'GET', path = '/'] = address.split(' ');
  return send(`${host.url}/api/v0${path}`, { method, headers: { authorization: `Bearer ${token}`, ...headers }, ...(body === undefined ? {} : { body }) });
}
const at = (name: string): Promise<TestResponse> => send(`http://${name}:${host.port}/`);

async function accepted(address: string, body?: object): Promise<TestResponse> {
  const answer = await call(address, body);
  expect([200, 201], `${address}: ${answer.text}`).toContain(answer.status);
  return answer;
}

async function changeEnv(): Promise<void> {
  for (;;) {
    const value = (said.env.sent += 1);
    await accepted(`PATCH /instances/${app.id}`, { micros: [{ id: 'web', name: 'web', presets: { env: [{ name: 'TOKEN', value: `v${value}`, description: '' }] } }] });
    said.env.done = value;
  }
}

async function changeInterval(): Promise<void> {
  for (;;) {
    const value = (said.interval.sent += 1);
    await accepted(`PATCH /instances/${app.id}/schedules/tick`, { interval: `${value + 1} days` });
    said.interval.done = value;
  }
}

async function runByHand(): Promise<void> {
  for (let count = 0; count < RUNS_A_ROUND; count += 1) {
    expect((await accepted(`POST /instances/${app.id}/schedules/tick/run`)).json<WireScheduleRun>().outcome).toBe('ok');
    said.runs += 1;
  }
}

async function changeDomains(): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    const domain = DOMAINS[turn % DOMAINS.length]!;
    const isActive = said.domains.get(domain) === 'active';
    said.domains.set(domain, 'either');
    if (isActive) await accepted(`DELETE /instances/${app.id}/domains/${domain}`);
    else {
      const { txt } = (await accepted(`POST /instances/${app.id}/domains`, { domain })).json<WireDomain>();
      dns.records.set(txt.name, [txt.value]);
      await accepted(`POST /instances/${app.id}/domains/${domain}/verify`);
    }
    said.domains.set(domain, isActive ? 'gone' : 'active');
  }
}

/** As it was acknowledged, or as it was asked for after that. */
function expectBetween(shown: string | undefined, { sent, done }: { sent: number; done: number }, what: string): number {
  const value = Number(/\d+/.exec(shown ?? '')?.[0]);
  expect(value, `${what} ${shown}, acknowledged ${done}`).toBeGreaterThanOrEqual(done);
  expect(value, what).toBeLessThanOrEqual(sent);
  return value;
}

async function check(): Promise<void> {
  const seen = (await at(app.label)).json<{ token: string; runs: number }>();
  said.env.done = said.env.sent = expectBetween(seen.token, said.env, 'the variable');
  const { schedules } = (await accepted(`GET /instances/${app.id}/schedules`)).json<{ schedules: WireSchedule[] }>();
  const interval = schedules[0]?.interval === '1 day' ? '0' : String(Number.parseInt(schedules[0]?.interval ?? '', 10) - 1);
  said.interval.done = said.interval.sent = expectBetween(interval, said.interval, 'the interval');
  expect(schedules[0]?.next_run_at).not.toBeNull();
  const { runs } = (await accepted(`GET /instances/${app.id}/schedules/tick/runs`)).json<{ runs: WireScheduleRun[] }>();
  const ended = runs.filter(({ outcome }) => outcome === 'ok').length;
  expect(runs.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'ok' && outcome !== 'interrupted')).toEqual([]);
  expect(ended).toBeGreaterThanOrEqual(said.runs);
  expect([seen.runs >= ended, seen.runs <= runs.length], `${seen.runs} were done, ${ended} of ${runs.length} ended`).toEqual([true, true]);
  said.runs = ended;
  const { domains } = (await accepted(`GET /instances/${app.id}/domains`)).json<{ domains: WireDomain[] }>();
  for (const [domain, state] of said.domains) {
    const isActive = domains.some((each) => each.domain === domain && each.status === 'active');
    if (state !== 'either') expect(isActive ? 'active' : 'gone', domain).toBe(state);
    expect((await at(domain)).status, domain).toBe(isActive ? 200 : 404);
    said.domains.set(domain, isActive ? 'active' : 'gone');
  }
}

test(`killed ${ROUNDS} times while an owner changes them, variables, schedules and domains are whole`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = structuredClone(said);
    const working = Promise.allSettled([changeEnv(), changeInterval(), runByHand(), changeDomains()]);
    // Each of them has had answers; then at any moment.
    await until(async () => (said.env.done > before.env.done && said.interval.done > before.interval.done && said.runs > before.runs && said.domains.size > 1 ? true : undefined));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    await host.kill();
    for (const one of await working) if (one.status === 'rejected' && (one.reason as Error).name === 'AssertionError') throw one.reason;
    await start();
    await check();
  }
  expect(said.env.done, 'there was something to break').toBeGreaterThan(ROUNDS);
  expect(await host.stop()).toBe(0);
}, 180_000);

test('the control: what an older answer had is seen to be lost', () => {
  expect(() => expectBetween('v4', { sent: 9, done: 5 }, 'the variable')).toThrow();
  expect(() => expectBetween('v10', { sent: 9, done: 5 }, 'the variable')).toThrow();
  expect(expectBetween('v7', { sent: 9, done: 5 }, 'the variable')).toBe(7);
});
