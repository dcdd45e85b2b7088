// Covers the boxes that are kept ready: who gets one, that nobody gets another's, and when they are given up.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../../core/clock.ts';
import { createLog, type LogFields } from '../../../../core/log.ts';
import { kindOf, ReadyBoxes } from '../../../../runtime/engine/process/ready.ts';
import { treeOf, usageOf } from '../../../../sandbox/watch.ts';
import { createProcessInstance, openProcessBench, type ProcessBench, type ProcessInit, type ProcessInstance, SERVER } from '../../../support/process-instance.ts';
import { until } from '../../../support/start-host.ts';

const WHO = `require('node:http').createServer((request, response) => response.end(JSON.stringify([process.env.WHO, require('./who.json'), process.argv, require('fs').readFileSync('/etc/hosts', 'utf8')]))).listen(process.env.PORT)`;
const surroundings = { env: {}, forwards: {}, hosts: [], close: async () => {} };
let bench: ProcessBench;

beforeAll(async () => {
  bench = await openProcessBench({ limits: { readyBoxes: 1 }, surroundingsOf: async ({ instance }) => ({ ...surroundings, hosts: [`${instance.instanceId}.test`] }) });
});
afterAll(() => bench.close());

const numberOf = (event: string, from = bench): number => from.hostLog.filter((line) => line['event'] === event).length;
const taken = (): number => numberOf('ready.taken');
const pidsOf = (event: string, from: ProcessBench): number[] => from.hostLog.flatMap((line) => (line['event'] === event ? [Number(line['pid'])] : []));
/** @returns the process of one that waits */
const isReady = (from = bench): Promise<number> => until(async () => pidsOf('ready.made', from).findLast((pid) => !pidsOf('ready.taken', from).includes(pid) && usageOf([pid]).processes > 0));
const serving = (init: ProcessInit = {}): Promise<ProcessInstance> => createProcessInstance(bench.engine, { 'index.js': SERVER }, init);

it('is there after the first start, goes to the next of its kind, and is followed by another', async () => {
  await (await serving()).call('/');
  for (let round = 0; round < 2; round += 1) {
    await isReady();
    const before = taken();
    const app = await serving({ env: { NAME: 'value' } });
    expect(JSON.parse((await app.call('/env')).text)).toMatchObject({ NAME: 'value', PORT: '8080' });
    expect(taken()).toBe(before + 1);
  }
});

it('is never two programs\': of many who start at once one gets it, and each is itself', async () => {
  await isReady();
  const before = taken();
  const apps = await Promise.all(['a', 'b', 'c', 'd'].map((who) => createProcessInstance(bench.engine, { 'index.js': WHO, 'who.json': `"${who}"` }, { env: { WHO: who } })));
  const answers = await Promise.all(apps.map(async (app) => JSON.parse((await app.call('/')).text)));
  expect(taken()).toBe(before + 1);
  for (const [at, [env, file, argv, hosts]] of answers.entries()) {
    expect([env, file, argv[1]]).toEqual(['abcd'[at], 'abcd'[at], '/app/index.js']);
    expect(hosts.match(/inst\d+\.test/g)).toEqual([`${apps[at]!.spec.instanceId}.test`]);
  }
  await Promise.all(apps.map((app) => bench.engine.stop(app.spec.instanceId, 0)));
});

it('is not given to one with other limits', async () => {
  await isReady();
  const before = taken();
  expect((await (await serving({ limits: { memoryMb: 300 } })).call('/')).text).toBe('hello');
  expect(taken()).toBe(before);
});

it('says of a program that does not come up what any other says, and one that was ended while it waited is missed by nobody', async () => {
  await isReady();
  const failing = await createProcessInstance(bench.engine, { 'a.txt': 'a' }, { run: 'echo no database >&2; exit 3', limits: { memoryMb: 300 } });
  await expect(failing.call('/')).rejects.toThrow(/ended by itself with code 3.*no database/s);
  await (await serving()).call('/');
  const pid = await isReady();
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It had to make room for one of another kind.
  }
  expect((await (await serving()).call('/')).text).toBe('hello');
});

it('compiles a package once, for all who have it and by none of them; no other package has anything of it', async () => {
  const own = await openProcessBench({ limits: { readyBoxes: 1 } });
  try {
    const said = `if (process.env.NAME === undefined) console.log('for nobody');`;
    const first = await createProcessInstance(own.engine, { 'index.js': SERVER + said }, { env: { NAME: 'of one' } });
    const envOf = async (app: ProcessInstance): Promise<Record<string, string>> => JSON.parse((await app.call('/env')).text);
    expect((await envOf(first)).NODE_COMPILE_CACHE).toBeUndefined();
    const compiled = await until(async () => own.hostLog.find(({ event }) => event === 'program.compiled'));
    expect(Number(compiled['files'])).toBeGreaterThan(0);
    await own.engine.stop(first.spec.instanceId, 0);
    expect(await envOf(first)).toMatchObject({ NAME: 'of one', NODE_COMPILE_CACHE: '/run/host/compiled' });
    expect(first.said()).not.toMatch(/for nobody/);
    const other = await createProcessInstance(own.engine, { 'index.js': SERVER });
    expect((await envOf(other)).NODE_COMPILE_CACHE).toBeUndefined();
  } finally {
    await own.close();
  }
});

it('is given up when memory is short, and nothing of it is left', async () => {
  const log: LogFields[] = [];
  const ready = new ReadyBoxes({ most: 2, socketFolder: join(bench.folder, 'boxes'), clock: systemClock, log: createLog('debug', (line) => log.push(JSON.parse(line) as LogFields)), isQuiet: () => true });
  const kind = kindOf(surroundings, 8080, { memoryMb: 128, processes: 50, openFiles: 256, tmpMb: 8, tmpFiles: 100 });
  const made = (): number[] => log.flatMap(({ event, pid }) => (event === 'ready.made' ? [pid as number] : []));
  ready.want(kind, bench.ground.boxes());
  await until(async () => (made().length === 2 ? true : undefined));
  const pids = made().flatMap(treeOf);
  ready.look(false);
  expect(usageOf(pids).processes).toBe(pids.length);
  ready.look(true);
  await expect.poll(() => usageOf(pids).processes).toBe(0);
  expect(ready.take(() => true)).toBeUndefined();
  await ready.close();
});

it('ends with its host, also one that is only being made', async () => {
  const closing = await openProcessBench({ limits: { readyBoxes: 3 } });
  const app = await createProcessInstance(closing.engine, { 'index.js': SERVER });
  await app.call('/');
  await until(async () => (numberOf('program.compiling', closing) > 0 ? true : undefined));
  await closing.engine.close();
  expect(readdirSync(join(closing.folder, 'packages')).filter((name) => name.includes('compiled')), 'what was cut off is not kept').toEqual([]);
  const made = closing.hostLog.filter(({ event }) => event === 'ready.made').map(({ pid }) => Number(pid));
  expect(usageOf(made.flatMap(treeOf)).processes).toBe(0);
  await expect.poll(() => readdirSync(join(closing.folder, 'boxes')).filter((name) => name.startsWith('r') || name.endsWith('.in'))).toEqual([]);
  await closing.close();
});
