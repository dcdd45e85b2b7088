// Covers the life of programs: one start for all who wait, what is said of one that does not come up, limits, standing still,
// ends and what is left of them, packages that are not what they should be.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MicroResponse } from '../../../runtime/engine/engine.ts';
import { createProcessInstance, openProcessBench, packed, type ProcessBench, type ProcessInit, type ProcessInstance, SERVER, type TestFile } from '../../support/process-instance.ts';

/** `START_ROUNDS=1000` for the long one. */
const ROUNDS = Number(process.env.START_ROUNDS ?? 8);
let bench: ProcessBench;
const paused: string[] = [];

beforeAll(async () => {
  bench = await openProcessBench({ limits: { quarantineMs: 1_000, programsMb: 100_000 }, onPause: (_instance, micro, reason) => paused.push(`${micro}: ${reason}`) });
});
afterAll(() => bench.close());

const serving = (init: ProcessInit = {}): Promise<ProcessInstance> => createProcessInstance(bench.engine, { 'index.js': SERVER }, init);
const running = (run: string, files: Record<string, TestFile> = { 'a.txt': 'a' }, limits: ProcessInit['limits'] = {}): Promise<ProcessInstance> => createProcessInstance(bench.engine, files, { run, limits });
const refusal = (answer: Promise<unknown>): Promise<{ code: string; message: string }> => answer.then(() => { throw new Error('it was answered'); }, (error) => error);
/** Processes of this machine with this in their command line. */
function pidsWith(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(mark));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('waking', () => {
  it('is one start for all who ask at the same time', async () => {
    const app = await serving();
    const pids = await Promise.all(Array.from({ length: 30 }, () => app.call('/pid')));
    expect(new Set(pids.map(({ text }) => text.split('/')[0])).size).toBe(1);
    await expect.poll(() => app.said().match(/^info up$/gm)?.length).toBe(1);
  });

  it('of many at once is a queue, and all are answered', async () => {
    const apps = await Promise.all(Array.from({ length: 12 }, () => serving()));
    const answers = await Promise.all(apps.map((app) => app.call('/')));
    expect(answers.map(({ text }) => text)).toEqual(apps.map(() => 'hello'));
    await Promise.all(apps.map((app) => bench.engine.stop(app.spec.instanceId, 0)));
  });

  it('of several, while each waits for what stands around it, gives each its own connections', async () => {
    let asked = 0;
    const slow = await openProcessBench({
      surroundingsOf: async () => {
        await new Promise((resolve) => setTimeout(resolve, 300 / ++asked)); // the first one to ask is the last to go on
        return { env: {}, forwards: {}, hosts: [], close: async () => {} };
      },
    });
    try {
      const apps = await Promise.all(['a', 'b', 'c'].map((WHO) => createProcessInstance(slow.engine, { 'index.js': SERVER }, { env: { WHO } })));
      await Promise.all(apps.map((app) => app.call('/')));
      // More than were connected before.
      const answers = await Promise.all(apps.flatMap((app) => Array.from({ length: 4 }, () => app.call('/env'))));
      expect(answers.map(({ text }) => JSON.parse(text).WHO).join('')).toBe('aaaabbbbcccc');
    } finally {
      await slow.close();
    }
  });

  it('of those who still wait for their turn does not happen when the host closes', async () => {
    const closing = await openProcessBench();
    const apps = await Promise.all(Array.from({ length: 20 }, () => createProcessInstance(closing.engine, { 'index.js': SERVER })));
    const refusals = apps.map((app) => refusal(app.call('/')));
    await expect.poll(async () => (await closing.engine.programs()).running).toBe(apps.length);
    await closing.close();
    expect(new Set((await Promise.all(refusals)).map(({ code }) => code))).toEqual(new Set(['MICRO_CRASHED']));
    expect(closing.hostLog.filter(({ event }) => event === 'program.ended').length).toBeLessThan(apps.length / 2);
    expect(apps.map((app) => app.said()).join(''), 'nobody is blamed').not.toMatch(/error|crash/i);
  });

  it('after a new generation runs the new one, and the old one ends', async () => {
    const app = await serving({ env: { GENERATION: 'first' } });
    const first = (await app.call('/pid')).text;
    const next = await serving({ instanceId: app.spec.instanceId, generation: '2' });
    expect((await next.call('/pid')).text).not.toBe(first);
    await expect.poll(async () => (await bench.engine.programs()).running).toBeLessThanOrEqual(3);
  });
});

describe('a program that does not come up', () => {
  it.each([
    ['exits at once', 'exit 3', /ended by itself with code 3\. That was before it took a connection on the port in \$PORT \(8080\)\. It said nothing/],
    ['prints why', 'echo no database >&2; exit 1', /It said last: no database/],
    ['is a command that does not exist', 'no-such-command --serve', /its start command cannot be run.*no-such-command.*not found/],
    ['is a file that does not exist', 'node none.js', /ended by itself with code 1/],
    ['dumps core', 'kill -SEGV $$', /ended by a segmentation fault \(139\)/],
  ])('since it %s says so', async (_, run, message) => {
    const app = await running(run);
    const error = await refusal(app.call('/'));
    expect(error).toMatchObject({ code: 'MICRO_START_FAILED' });
    expect(error.message).toMatch(message);
    expect(app.said()).toMatch(/^error The start failed/m);
  });

  it.each([
    ['never listens', 'sleep 100', /took no connection on the port in \$PORT \(8080\) within 0\.7 seconds\. It never listened on a port/],
    ['listens on another port', `node -e "require('http').createServer().listen(3000)"`, /It listens on port 3000 instead/],
  ])('since it %s says so', async (_, run, message) => {
    const app = await running(run, undefined, { bootMs: 700 });
    const error = await refusal(app.call('/'));
    expect([error.code, error.message]).toEqual(['MICRO_START_FAILED', expect.stringMatching(message)]);
  });

  it('rests longer each time and is paused, with the reason (B20); new code may try again', async () => {
    const app = await running('echo broken; exit 1');
    const codes = new Set<string>();
    await expect.poll(async () => {
      const { code } = await refusal(app.call('/'));
      codes.add(code);
      return code;
    }).toBe('MICRO_PAUSED');
    expect([...codes].sort()).toEqual(['MICRO_PAUSED', 'MICRO_QUARANTINED', 'MICRO_START_FAILED']);
    expect(paused.at(-1)).toMatch(/main: Its Micro `main` had to be stopped 3 times.*broken/);
    expect(app.said()).toMatch(/Paused: /);
    bench.engine.resume(app.spec.instanceId);
    expect((await refusal(app.call('/'))).code).toBe('MICRO_START_FAILED');
  });
});

describe('a program that fails', () => {
  it.each([['/exit?code=5', /ended by itself with code 5/], ['/abort', /ended by an abort \(134\)/]])('(%s) costs only who was being answered', async (path, message) => {
    const app = await serving();
    await app.call('/');
    expect((await refusal(app.call(path))).code).toBe('MICRO_CRASHED');
    expect(app.said()).toMatch(message);
    expect((await app.call('/')).text).toBe('hello');
  });

  it('and is killed from outside is followed by another', async () => {
    const mark = `killed-from-outside-${process.pid}`;
    const app = await running(`exec node index.js ${mark}`, { 'index.js': SERVER });
    await app.call('/');
    const slow = refusal(app.call('/slow?ms=60000'));
    await app.call('/');
    for (const pid of pidsWith(mark).filter((each) => commandOf(each).startsWith('node\0'))) process.kill(Number(pid), 'SIGKILL');
    expect((await slow).code).toBe('MICRO_CRASHED');
    expect((await app.call('/')).text).toBe('hello');
  });

  it('and does so again and again has to rest', async () => {
    const app = await serving();
    const codes: string[] = [];
    for (let round = 0; round < 12 && codes.at(-1) !== 'MICRO_QUARANTINED'; round += 1) codes.push((await refusal(app.call('/exit?code=1'))).code);
    expect(codes.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'MICRO_CRASHED'));
    expect(codes.at(-1)).toBe('MICRO_QUARANTINED');
  });
});

describe('limits', () => {
  it.each(['/memory', '/heap'])('of memory end it with that reason (B2: %s)', async (path) => {
    const app = await serving({ limits: { memoryMb: 128, tmpMb: 8 } });
    await app.call('/');
    expect(await refusal(app.call(path))).toMatchObject({ code: 'MICRO_OUT_OF_MEMORY', message: 'The app used more than its 128 MB of memory.' });
    expect(app.said()).toMatch(/used more than its 128 MB of memory/);
    expect((await app.call('/')).text).toBe('hello');
  });

  it('of time end a request, and leave alone a program that only waits', async () => {
    const app = await serving({ limits: { wallMs: 300 } });
    const before = (await app.call('/pid')).text.split('/')[0];
    expect((await refusal(app.call('/slow?ms=3000'))).code).toBe('MICRO_TIMEOUT');
    expect(app.said()).toMatch(/Took longer than 0\.3 seconds: GET \/slow/);
    expect((await app.call('/pid')).text.split('/')[0]).toBe(before);
  });

  it('of time end a program that computes without an end', async () => {
    const app = await serving({ limits: { wallMs: 500 } });
    await app.call('/');
    expect((await refusal(app.call('/loop'))).code).toBe('MICRO_TIMEOUT');
    // Somebody who waits is reason enough.
    await refusal(app.call('/'));
    await expect.poll(() => app.said()).toMatch(/busy without an end and answered nobody/);
    await expect.poll(() => app.call('/').then(({ text }) => text, ({ code }) => code)).toBe('hello');
  });

  it('of streams cut one that stands still', async () => {
    const app = await serving({ limits: { streamIdleMs: 200 } });
    const answer = await app.send('/echo', { method: 'POST', body: neverEnding() });
    await expect((answer.body as import('node:stream').Readable).toArray()).rejects.toMatchObject({ code: 'MICRO_TIMEOUT' });
    expect(app.said()).toMatch(/nothing of its stream moved for 0\.2 seconds/);
  });

  function neverEnding(): import('node:stream').Readable {
    const { PassThrough } = process.getBuiltinModule('node:stream');
    const body = new PassThrough();
    body.write('x');
    return body;
  }

  it('of requests at once say that it is busy', async () => {
    const app = await serving({ limits: { requestsMax: 2 } });
    const all = await Promise.allSettled([app.call('/slow?ms=100'), app.call('/slow?ms=100'), app.call('/')]);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });
});

describe('without requests', () => {
  it('it stands still, and goes on as if nothing had been', async () => {
    const app = await serving({ limits: { freezeMs: 100 } });
    const before = (await app.call('/pid')).text.split('/')[0];
    await expect.poll(async () => (await bench.engine.programs()).frozen).toBeGreaterThan(0);
    expect((await app.call('/pid')).text.split('/')[0]).toBe(before);
  });

  it('its memory goes to swap where there is some, and it goes on all the same', async () => {
    for (const isThere of [true, false]) {
      const swapping = await openProcessBench({ hasSwap: async () => isThere });
      const app = await createProcessInstance(swapping.engine, { 'index.js': SERVER }, { limits: { freezeMs: 100, reclaimMs: 300 } });
      const before = (await app.call('/pid')).text.split('/')[0];
      if (isThere) await expect.poll(() => swapping.hostLog.filter(({ event }) => event === 'program.reclaimed').length).toBe(1);
      else await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect((await swapping.engine.programs()).frozen).toBe(1);
      expect((await app.call('/pid')).text.split('/')[0]).toBe(before);
      expect(swapping.hostLog.some(({ event }) => event === 'program.reclaimed')).toBe(isThere);
      await swapping.close();
    }
  });

  it('it ends after a longer while, and is started by the next', async () => {
    const app = await serving({ limits: { freezeMs: 100, programIdleMs: 300 } });
    await app.call('/');
    await expect.poll(() => app.said()).toMatch(/info Ended after 0\.3 seconds without a request/);
    expect((await app.call('/')).text).toBe('hello');
  });

  it('those that were used least lately end when memory is short', async () => {
    const small = await openProcessBench({ limits: { programsMb: 12 } });
    const [first, second] = await Promise.all(['a', 'b'].map(() => createProcessInstance(small.engine, { 'index.js': SERVER })));
    for (const app of [first!, second!, first!]) await app.call('/');
    await expect.poll(() => second!.said()).toMatch(/Ended, since this host needed its memory/);
    await small.close();
  });
});

describe('stopping', () => {
  it('lets requests under way finish, then nothing is left', async () => {
    const app = await serving();
    const answer = app.call('/slow?ms=300');
    await app.call('/');
    await bench.engine.stop(app.spec.instanceId, 5_000);
    expect((await answer).text).toBe('late');
  });

  it('is for good: a request whose body comes after it wakes nothing any more', async () => {
    const app = await serving();
    await app.call('/');
    const body = new PassThrough();
    const answer = refusal(app.call('/echo', { method: 'POST', headers: ['content-length', '4'], body }));
    body.write('ab');
    await bench.engine.stop(app.spec.instanceId, 0);
    const before = (await bench.engine.programs()).running;
    body.end('cd');
    expect((await answer).code).toBe('MICRO_CRASHED');
    expect((await bench.engine.programs()).running).toBe(before);
    expect((await app.call('/')).text, 'the control: a new one does').toBe('hello');
  });

  it('ends whatever it started, though it fights (B16)', async () => {
    const app = await running(`trap "" TERM; (setsid sh -c 'trap "" TERM; sleep 98765' &); exec node index.js`, { 'index.js': SERVER });
    await app.call('/');
    expect(pidsWith('98765').length).toBeGreaterThan(0);
    await bench.engine.stop(app.spec.instanceId, 0);
    expect(pidsWith('98765').length).toBe(0);
  });

  it('again and again leaves no process, socket or group', { timeout: 60_000 + ROUNDS * 2_000 }, async () => {
    const app = await running(`exec node -e "require('http').createServer((q,s)=>s.end('hi')).listen(process.env.PORT)" -- leaves-nothing-55`);
    for (let round = 0; round < ROUNDS; round += 1) {
      expect((await app.call('/')).text).toBe('hi');
      await bench.engine.stop(app.spec.instanceId, 0);
    }
    expect(pidsWith('leaves-nothing-55').length).toBe(0);
    const programs = (await bench.engine.programs()).running;
    expect(readdirSync(join(bench.folder, 'boxes')).filter((name) => /^\d+\.in~?$/.test(name)).length).toBe(programs);
    for (const folder of bench.ground.boxes().groups?.folders ?? []) {
      await expect.poll(() => readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length).toBeLessThanOrEqual(programs);
    }
  });
});

describe('a package', () => {
  const escapes: [string, Record<string, TestFile>, RegExp][] = [
    ['a path out of it', { '../evil': 'x' }, /is no path in a package/],
    ['an absolute path', { '/etc/evil': 'x' }, /is no path in a package/],
    ['a link out of it', { link: { type: 'symlink', linkname: '../../etc' } }, /leads out of it/],
    ['an absolute link', { link: { type: 'symlink', linkname: '/etc/passwd' } }, /leads out of it/],
    ['a hard link', { link: { type: 'link', linkname: 'other' } }, /is no plain file/],
    ['a device', { device: { type: 'character-device' } }, /is no plain file/],
    ['the same file twice', { 'a/b': 'x', 'a/b/c': 'y' }, /EEXIST|ENOTDIR/],
  ];
  it.each(escapes)('with %s is not unpacked', async (_, files, message) => {
    const app = await running('true', { 'index.js': 'x', ...files });
    const error = await refusal(app.call('/'));
    expect([error.code, error.message]).toEqual(['MICRO_START_FAILED', expect.stringMatching(message)]);
    expect(existsSync('/etc/evil')).toBe(false);
    expect(readdirSync(join(bench.folder, 'packages')).filter((name) => name.endsWith('.draft'))).toEqual([]);
  });

  it('cannot write through a link of its own, loses setuid, and is read-only where it runs', async () => {
    const app = await running('ls -l tool; (echo x >tool) 2>&1; (echo x >inner/new) 2>&1; exit 9', {
      'real/file': 'x', inner: { type: 'symlink', linkname: 'real' }, tool: { type: 'file', mode: 0o6755, size: 0 },
    });
    await refusal(app.call('/'));
    expect(app.said()).toMatch(/-rwxr-xr-x.*tool/);
    expect(app.said().match(/Read-only file system/g)!.length).toBeGreaterThanOrEqual(2);
    expect(app.said()).not.toMatch(/rws/);
  });

  it('is unpacked once, and kept over a restart of the host', async () => {
    const app = await serving();
    await app.call('/');
    const before = readdirSync(join(bench.folder, 'packages')).sort();
    await bench.engine.stop(app.spec.instanceId, 0);
    await app.call('/');
    expect(readdirSync(join(bench.folder, 'packages')).sort()).toEqual(before);
    expect(await packed({ a: 'b' })).toEqual(await packed({ a: 'b' }));
  });
});

it('without a box, where the owner said so, serves all the same', async () => {
  const bare = await openProcessBench({ isUnsafe: true });
  const app = await createProcessInstance(bare.engine, { 'index.js': SERVER });
  expect(bare.ground.report.level).toBe('unsafe');
  expect((await app.call('/')).text).toBe('hello');
  const answer: MicroResponse = await app.send('/env');
  expect(String(answer.body)).not.toMatch(/OWNSPACE|VITEST/);
  await bare.close();
  expect(pidsWith(bare.folder).length).toBe(0);
});
