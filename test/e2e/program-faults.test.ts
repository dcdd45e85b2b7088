// Covers faults of programs through a whole host: one that is killed while it answers, one that never stays up, and many that sleep
// and are wanted at once after a restart. Beside each what happens without the guard.
import { mkdtemp, rm } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { copyAltered } from '../support/altered-source.ts';
import { send, type TestResponse } from '../support/http.ts';
import { createProcessInstance, openProcessBench } from '../support/process-instance.ts';
import { installApp, type Person, pushApp, releaseApp, startTestHost, type TestHost, until } from '../support/start-host.ts';

const AT_ONCE = Math.max(2, availableParallelism());
/** `npm run test:cold` for the long one, which compares times as well. */
const COLD = Number(process.env.COLD_INSTANCES ?? AT_ONCE * 5);
const ALONE = process.env.COLD_INSTANCES === undefined ? 0 : 5;
const STRIKES = 9;
/** On a machine with swap, what stands still would go there while the clock runs ahead, and so weigh nothing. */
const LIMITS = `strikesMax=${STRIKES},programsMb=${COLD * 5},reclaimMs=86400000`;
const MARK = `fault-3-${process.pid}`;

const SERVER = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url.endsWith('/slow')) { console.log('took it'); setTimeout(() => response.end('late'), 1_500); }
  else response.end('at ' + process.pid + '/' + performance.timeOrigin);
}).listen(process.env.PORT);
`;
/** Comes up slowly, and says when that began and ended. Node.js itself may have waited for it. */
const slowStart = (work: string): string => `
const http = require('node:http');
const begin = Date.now();
let up;
const server = http.createServer((request, response) => response.end(JSON.stringify({ begin, up, who: process.env.DETA_SPACE_APP_HOSTNAME })));
const listen = () => server.listen(process.env.PORT, () => { up = Date.now(); });
${work}
`;
const COMPUTES = slowStart('while (Date.now() - begin < 150); listen();');
const WAITS = slowStart('setTimeout(listen, 3_000);');
const micro = (name: string, run: string, more = ''): string => `  - name: ${name}\n    src: ./${name}\n    engine: custom\n    run: ${run}\n    public: true\n${more || `    path: ${name}\n`}`;
const FILES = {
  Spacefile: `v: 0\nmicros:\n${micro('victim', `exec node index.js ${MARK}`, '    primary: true\n')}${micro('sibling', 'node index.js')}${micro('looping', 'echo no database; exit 1')}`,
  'victim/index.js': SERVER, 'sibling/index.js': SERVER, 'looping/none.txt': 'x',
};
const COLD_FILES = { Spacefile: `v: 0\nmicros:\n${micro('cold', 'node index.js', '    primary: true\n')}`, 'cold/index.js': COMPUTES };

let folder: string;
let host: TestHost;
let app: WireInstance;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  host = await startTestHost({ dataFolder: folder, args: ['--limits', LIMITS] });
  app = (await pushApp(host.owner, { name: 'faulty', files: FILES })).builder;
});
afterAll(async () => {
  await host?.close();
  await rm(folder, { recursive: true, force: true });
});

const visit = (path: string): Promise<TestResponse> => send(`${app.url}${path}`);
const logs = async (): Promise<string> => (await host.owner.call(`GET /instances/${app.id}/logs`)).text;
/** Programs of the app that ended, by the host's log. */
const ended = (): number => host.logged().split('\n').filter((line) => line.includes('program.ended')).length;

describe('fault 3: a program that is killed while it answers', () => {
  const killVictim = (): void => {
    const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).startsWith(`node\0index.js\0${MARK}`));
    expect(pids).toHaveLength(1);
    process.kill(Number(pids[0]), 'SIGKILL');
  };

  /** Both are asked for what takes a while; between that and the answers something happens. */
  async function during(act: () => void): Promise<{ victim: TestResponse[]; sibling: TestResponse }> {
    const before = (await logs()).split('took it').length;
    const asked = [visit('slow'), visit('slow'), visit('sibling/slow')];
    await until(async () => ((await logs()).split('took it').length >= before + asked.length ? true : undefined));
    act();
    const [first, second, sibling] = await Promise.all(asked) as [TestResponse, TestResponse, TestResponse];
    return { victim: [first, second], sibling };
  }

  test('costs those whom it was answering, and nobody else', async () => {
    const [victim, sibling] = [(await visit('')).text, (await visit('sibling/')).text];
    const answers = await during(killVictim);
    expect(answers.victim.map(({ status }) => status)).toEqual([502, 502]);
    expect(answers.victim[0]!.text).toMatch(/stopped while it answered/);
    expect(answers.sibling).toMatchObject({ status: 200, text: 'late' });
    const next = await visit('');
    expect(next.status, 'the very next request starts another').toBe(200);
    expect(next.text).not.toBe(victim);
    expect((await visit('sibling/')).text, 'its sibling is the same as before').toBe(sibling);
    expect(await logs()).toMatch(/The program was ended by SIGKILL/);
  });

  test('the control: when nobody is killed all are answered', async () => {
    const answers = await during(() => {});
    expect(answers.victim.map(({ text }) => text)).toEqual(['late', 'late']);
  });
});

describe('fault 47: a program that never stays up', () => {
  test('rests longer each time, up to minutes, and is paused with the reason; asking again starts nothing', async () => {
    const before = ended();
    const rests: number[] = [];
    for (let strike = 1; strike < STRIKES; strike += 1) {
      expect((await visit('looping/')).json()).toMatchObject({ code: 'MICRO_START_FAILED' });
      const refused = await Promise.all(Array.from({ length: 20 }, () => visit('looping/')));
      expect(new Set(refused.map((answer) => answer.json().code))).toEqual(new Set(['MICRO_QUARANTINED']));
      rests.push(Number(refused[0]!.headers['retry-after']));
      host.clock.advance(rests.at(-1)! * 1_000);
    }
    expect(rests).toEqual([1, 2, 4, 8, 16, 32, 64, 64]);
    await visit('looping/');
    const paused = (await visit('looping/')).json();
    expect(paused).toMatchObject({ code: 'MICRO_PAUSED', detail: expect.stringMatching(new RegExp(`\`looping\` had to be stopped ${STRIKES} times.*no database`)) });
    expect(ended() - before, 'one start for each time that it was let').toBe(STRIKES);
    expect((await host.owner.visitor.visit(`${host.url}/apps/${app.id}`)).text).toMatch(/had to be stopped/);
    expect((await visit('sibling/')).status).toBe(200);
  });

  test('while it rests it takes nothing from others: their answers take as long as beside a healthy one', async () => {
    const times: Record<string, number[]> = { '': [], 'looping/': [] };
    await visit('');
    for (let turn = 0; turn < 60; turn += 1) {
      const beside = turn % 2 === 0 ? '' : 'looping/';
      const begin = performance.now();
      const [answer] = await Promise.all([visit('sibling/'), visit(beside)]);
      times[beside]!.push(performance.now() - begin);
      expect(answer.status).toBe(200);
    }
    const median = (all: number[]): number => all.toSorted((a, b) => a - b)[all.length / 2]!;
    expect(median(times['looping/']!) / median(times['']!)).toBeLessThan(2);
  });

  test('the control: where nothing rests each request starts it anew', async () => {
    const bench = await openProcessBench({ limits: { quarantineMs: 0, strikesMax: 1_000 } });
    const looping = await createProcessInstance(bench.engine, { 'a.txt': 'x' }, { run: 'exit 1' });
    for (let turn = 0; turn < 5; turn += 1) await expect(looping.call('/')).rejects.toMatchObject({ code: 'MICRO_START_FAILED' });
    expect(bench.hostLog.filter(({ event }) => event === 'program.ended')).toHaveLength(5);
    await bench.close();
  });
});

interface Said { begin: number; up: number; who: string }

/** How many were coming up in the same moment, at most. */
function mostAtOnce(said: readonly Said[]): number {
  return Math.max(...said.map(({ begin }) => said.filter((other) => other.begin <= begin && begin < other.up).length));
}

describe(`fault 50: ${COLD} that sleep are wanted at once after a restart`, () => {
  async function installed(): Promise<void> {
    const release = await releaseApp(host.owner, await pushApp(host.owner, { name: 'cold', files: COLD_FILES }), { version: '1.0.0' });
    for (let count = 0; count < COLD + ALONE; count += 1) await installApp(count % 2 === 0 ? host.owner : host.member, release);
  }

  async function coldUrls(): Promise<string[]> {
    const all = await Promise.all([host.owner, host.member].map(async (person: Person) => (await person.call('GET /instances')).json<{ instances: WireInstance[] }>().instances));
    return all.flat().filter(({ channel }) => channel === 'experimental').map(({ url }) => url);
  }

  test('all are answered, a few come up at a time, and memory stays within its limit', { timeout: 120_000 + COLD * 3_000 }, async () => {
    await installed();
    await host.close();
    host = await startTestHost({ dataFolder: folder, args: ['--limits', LIMITS] });
    const all = await coldUrls();
    expect(all).toHaveLength(COLD + ALONE);
    const alone: number[] = [];
    for (const url of all.slice(0, ALONE)) {
      const start = performance.now();
      await send(url);
      alone.push(performance.now() - start);
    }
    const urls = all.slice(ALONE);
    const begin = performance.now();
    const times: number[] = [];
    const answers = await Promise.all(urls.map(async (url) => {
      const answer = await send(url);
      times.push(performance.now() - begin);
      return answer;
    }));
    expect(answers.filter(({ status }) => status !== 200).map(({ text }) => text)).toEqual([]);
    const said = answers.map((answer) => answer.json<Said>());
    expect(said.map(({ who }) => who), 'each by its own').toEqual(urls.map((url) => new URL(url).host));
    const most = mostAtOnce(said);
    console.info(`${COLD} at once: p50 ${Math.round(times[times.length >> 1]!)} ms, last ${Math.round(times.at(-1)!)} ms, ${most} coming up at a time`);
    expect(most).toBeLessThanOrEqual(2 * AT_ONCE);
    if (ALONE > 0) expect(times.at(-1), 'no later than one after the other').toBeLessThan(COLD * alone.toSorted((a, b) => a - b)[ALONE >> 1]!);
    await until(async () => {
      host.clock.advance(1_000);
      const { programs } = (await host.owner.call('GET /host')).json();
      return programs.used_mb <= programs.limit_mb && programs.running < COLD ? true : undefined;
    });
    expect((await send(`${host.url}/api/v0/health`)).json()).toMatchObject({ status: 'ok' });
  });

  test('the control: without a queue they all come up in the same moment', async () => {
    const altered = await copyAltered(['core', 'sandbox', 'runtime'], { 'runtime/engine/process.ts': ['new Starts(Math.max(2, availableParallelism()))', 'new Starts(1_000)'] });
    const { createProcessEngine } = (await import(/* @vite-ignore */ pathToFileURL(join(altered, 'runtime/engine/process.ts')).href)) as typeof import('../../runtime/engine/process.ts');
    const bench = await openProcessBench({}, createProcessEngine);
    const apps = await Promise.all(Array.from({ length: AT_ONCE * 6 }, () => createProcessInstance(bench.engine, { 'index.js': WAITS })));
    const said = await Promise.all(apps.map(async (each) => JSON.parse((await each.call('/')).text) as Said));
    expect(mostAtOnce(said)).toBeGreaterThan(2 * AT_ONCE);
    await bench.close();
    await rm(altered, { recursive: true, force: true });
  });
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
