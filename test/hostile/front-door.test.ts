// Covers attacks through a real host: what the caller hears, what the app's log says, that the front door and the neighbours go on,
// and that a neighbour's answers take no more than twice as long as without the attack. The attacker's Micro runs what it is sent.
import { Agent, request as httpRequest } from 'node:http';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { send, type TestResponse } from '../support/http.ts';
import { pushApp, startTestHost, type TestHost, until } from '../support/start-host.ts';

const LIMITS = 'cpuMs=300,graceMs=200,heapMb=64,cellMb=300,quarantineMs=0,strikesMax=100,backgroundMs=300,wallMs=5000';
const spacefile = (...micros: string[]): string => `v: 0\nmicros:\n${micros.join('')}`;
const micro = (name: string, more = ''): string => `  - name: ${name}\n    src: ./${name}\n    engine: isolate\n    public: true\n${more}`;

/** The text of a request's body is what it does. */
const OBEDIENT = `
  const run = (code) => Object.getPrototypeOf(async () => {}).constructor('request', 'env', 'ctx', code);
  export default { async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname.endsWith('/echo')) return Response.json({ headers: [...request.headers], body: await request.text() });
    if (url.pathname.endsWith('/ring')) return env.micros.other.fetch(request);
    if (url.pathname.endsWith('/self')) return fetch(url.href, { headers: { 'x-space-hops': '0', 'x-hops': '0' } });
    const code = await request.text();
    return (await run(code)(request, env, ctx)) ?? new Response('ok');
  } };`;
const RING = 'export default { fetch: (request, env) => env.micros.attacker.fetch("http://micro.invalid/ring", { headers: { hops: "0", "x-space-hops": "0" } }) };';
const COUNTER = 'let n = 0; export default { fetch: () => new Response(String(++n)) };';

let space: TestHost;
let attacker: WireInstance;
let neighbour: WireInstance;
/** The attacker's code behind a sign-in, but for its echo. */
let hidden: WireInstance;
beforeAll(async () => {
  space = await startTestHost({ args: ['--limits', LIMITS] });
  const files = { Spacefile: spacefile(micro('attacker', '    primary: true\n'), micro('other', '    path: other\n')), 'attacker/index.js': OBEDIENT, 'other/index.js': RING };
  attacker = (await pushApp(space.owner, { name: 'attacker', files })).builder;
  neighbour = (await pushApp(space.member, { name: 'neighbour', files: { Spacefile: spacefile(micro('counter', '    primary: true\n')), 'counter/index.js': COUNTER } })).builder;
  const closed = micro('attacker', '    primary: true\n    public_routes:\n      - /echo\n').replace('    public: true\n', '');
  hidden = (await pushApp(space.owner, { name: 'hidden', files: { Spacefile: spacefile(closed), 'attacker/index.js': OBEDIENT } })).builder;
  await send(neighbour.url);
}, 90_000);
afterAll(() => space?.close());

const attack = (code: string): Promise<TestResponse> => send(attacker.url, { method: 'POST', body: code, headers: { 'content-type': 'text/plain' } });
const logOf = async (instance: WireInstance): Promise<string> => (await space.owner.call(`GET /instances/${instance.id}/logs`)).text;
const countOf = async (): Promise<number> => Number((await send(neighbour.url)).text);

const KINDS: readonly { ids: string; code: string; answers: RegExp; reason: RegExp }[] = [
  { ids: 'A1 loop', code: 'for (;;);', answers: /CPU_EXCEEDED/, reason: /CPU/ },
  { ids: 'A3 regular expression', code: '/^(a+)+$/.test("a".repeat(50) + "b");', answers: /CPU_EXCEEDED/, reason: /CPU/ },
  { ids: 'A4 long builtin', code: 'let x = 2n ** 1000000n; for (;;) x = x * x;', answers: /CPU_EXCEEDED|OUT_OF_MEMORY|CRASHED/, reason: /CPU|memory|stopped/i },
  { ids: 'A5 heap', code: 'const a = []; for (;;) a.push({ n: a.length });', answers: /CPU_EXCEEDED|OUT_OF_MEMORY|CRASHED/, reason: /CPU|memory|stopped/i },
  { ids: 'A7 buffers', code: 'const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));', answers: /CPU_EXCEEDED|OUT_OF_MEMORY|CRASHED|THREW/, reason: /./ },
  { ids: 'A12 answer that loops', code: 'return { then() { for (;;); } };', answers: /CPU_EXCEEDED/, reason: /CPU/ },
];

describe('the caller alone pays', () => {
  it.each(KINDS)('$ids', async ({ code, answers, reason }) => {
    const seen = await countOf();
    const answer = await attack(code);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.json().code).toMatch(answers);
    expect(answer.text).not.toMatch(/\/work\/|node_modules|\.ts:|isolated-vm/);
    await until(async () => reason.test(await logOf(attacker)) || undefined);
    expect(await countOf()).toBe(seen + 1);
    expect((await send(`${space.url}/api/v0/health`)).json()).toMatchObject({ status: 'ok' });
    expect((await attack('return new Response("back");')).text).toBe('back');
  });
});

describe('a neighbour answers as fast as before, within a factor of two', () => {
  const SAMPLES = 300;
  const ROUNDS = 2;
  /** Below this it is the scheduler's slice that is measured. */
  const FLOOR_MS = 4;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  afterAll(() => agent.destroy());

  const once = (): Promise<number> => new Promise((resolve, reject) => {
    const start = performance.now();
    httpRequest({ host: '127.0.0.1', port: space.port, agent, headers: { host: new URL(neighbour.url).host } }, (answer) => {
      answer.resume().on('end', () => resolve(performance.now() - start));
    }).on('error', reject).end();
  });
  const sample = async (into: number[]): Promise<void> => { for (let at = 0; at < SAMPLES; at++) into.push(await once()); };
  const p99 = (all: number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length * 0.99)]!;

  /** Quiet and attacked in turns, so that whatever else the machine does meets both. */
  async function ratioUnder(code: string): Promise<number> {
    const [quiet, attacked]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      await sample(quiet);
      let isOver = false;
      const attacks = (async () => { while (!isOver) await attack(code); })();
      await sample(attacked);
      isOver = true;
      await attacks;
    }
    return p99(attacked) / Math.max(p99(quiet), FLOOR_MS);
  }

  it.each(KINDS.filter(({ ids }) => /A1|A4|A5/.test(ids)))('under $ids', async ({ ids, code }) => {
    // Strangers' work on this machine only adds: the least disturbed of three counts.
    const ratios: number[] = [];
    do ratios.push(await ratioUnder(code)); while (ratios.at(-1)! > 2 && ratios.length < 3);
    console.info(`${ids}: p99 x ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}`);
    expect(Math.min(...ratios)).toBeLessThanOrEqual(2);
  }, 120_000);

  it('one that shares the attacker\'s process would not', async () => {
    // The same measurement, of the attacker's own Micro.
    const mine: number[] = [];
    const hog = attack('for (;;);');
    for (let at = 0; at < 5; at++) {
      const start = performance.now();
      await send(`${attacker.url}echo`);
      mine.push(performance.now() - start);
    }
    await hog;
    expect(Math.max(...mine)).toBeGreaterThan(2 * FLOOR_MS);
  });
});

it('A21 work after the answer ends with its budget, and the log says so', async () => {
  expect((await attack('ctx.waitUntil((async () => { for (;;) { await new Promise((r) => setTimeout(r, 20)); await env.Base("beats").put({ at: Date.now() }, "beat"); } })()); return new Response("sent");')).text).toBe('sent');
  const beat = async (): Promise<number> => Number((await attack('return new Response(String((await env.Base("beats").get("beat"))?.at));')).text);
  await until(async () => (await beat()) > 0 || undefined);
  let last = 0;
  await until(async () => {
    const before = last;
    last = await beat();
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    return (last === before && last === await beat()) || undefined;
  });
  await until(async () => /background/i.test(await logOf(attacker)) || undefined);
});

it('A23 Micros that call each other in a ring are stopped at the depth that no header forges', async () => {
  for (const path of ['ring', 'self']) {
    const answer = await send(`${attacker.url}${path}`, { headers: { 'x-space-hops': '0' } });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    await until(async () => /called each other more than 8 times/.test(await logOf(attacker)) || undefined);
  }
});

it('A24 a flood of log lines leaves a mark, and no more than two files of 4 MB', async () => {
  for (let at = 0; at < 10; at++) await attack('for (let i = 0; i < 1e5; i++) { console.log(i + "y".repeat(1000)); if (i % 60 === 0) await null; }');
  await until(async () => /entries were dropped/.test(await logOf(attacker)) || undefined);
  const folder = join(space.dataFolder, 'spaces', space.owner.spaceId, 'logs');
  const sizes = await Promise.all((await readdir(folder)).filter((name) => name.startsWith(attacker.id)).map(async (name) => (await stat(join(folder, name))).size));
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * 4.5 * 1024 * 1024);
  expect((await space.owner.visitor.visit(`${space.url}/`)).status).toBe(200);
});

it('C9 who calls its own public address finds no cookie, no token and no key of the platform there', async () => {
  await space.owner.visitor.visit(hidden.url);
  expect(space.owner.visitor.cookiesFor(hidden.url)).toMatch(/space_instance/);
  const answer = await space.owner.visitor.fetch(hidden.url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'const own = new URL("/echo", request.url); return fetch(own, { method: "POST", headers: { ...Object.fromEntries(request.headers), "x-mine": "mine" }, body: "x" });' });
  const { headers } = answer.json<{ headers: [string, string][] }>();
  expect(headers).toContainEqual(['x-mine', 'mine']);
  expect(headers.map(([name]) => name).filter((name) => name === 'cookie' || name === 'authorization' || name.startsWith('x-deta'))).toEqual([]);
  expect(JSON.stringify(headers)).not.toContain(space.owner.accessToken);
});

it('C10 a flood of calls to the outside is cut off for its Instance only, and the host says whose it was', async () => {
  const flood = 'const said = await Promise.all(Array.from({ length: 350 }, (_, i) => fetch(`http://127.0.0.1:${20000 + i}/`).then(() => "in", (e) => e.code))); return Response.json(said);';
  const said: string[] = [];
  for (let at = 0; at < 8 && !said.includes('TOO_MANY_REQUESTS'); at++) {
    const answer = await attack(flood);
    if (answer.status === 200) said.push(...answer.json());
  }
  expect(said).toContain('EGRESS_BLOCKED');
  expect(said).toContain('TOO_MANY_REQUESTS');
  expect(said).not.toContain('in');
  const lines = space.logged().split('\n').filter((line) => line.includes('egress.limited'));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line).instanceId).toBe(attacker.id);
});

it('A14 prototypes of the host are as they were after all of this', () => {
  expect(Object.keys(Object.getOwnPropertyDescriptors(Object.prototype))).toHaveLength(12);
});
