// Covers what Micros may use: limits of one Instance beside the host's own, what is logged when one is passed, pauses, shared Cells.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { cordonOf } from '../../../runtime/engine/isolate.ts';
import { DEFAULT_LIMITS, LIMIT_NAMES, limitProblem, LIMITS } from '../../../runtime/engine/cell/limits.ts';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../../support/isolate-instance.ts';
import { startedBy } from '../../support/started.ts';

let bench: IsolateBench;
afterEach(() => bench?.close());

const WORK = `let n = 0; export default { async fetch(request, env, ctx) {
  const { pathname, searchParams } = new URL(request.url);
  const end = Date.now() + Number(searchParams.get("ms") ?? 0);
  if (pathname === "/spin") while (Date.now() < end);
  if (pathname === "/kill") for (const big = 2n ** 60_000_000n; Date.now() < end;) big * big;
  if (pathname === "/hog") { const all = []; for (let i = 0; i < 400; i++) all.push(new Uint8Array(8e6).fill(i)); return new Response(String(all.length)); }
  if (pathname === "/wait") await new Promise((resolve) => setTimeout(resolve, end - Date.now()));
  if (pathname === "/later") ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, end - Date.now())));
  if (pathname === "/calls") { const how = { ok: 0 }; for (let i = 0; i < Number(searchParams.get("n")); i++) await fetch("http://a.test/").then(() => how.ok++, (error) => { how.error = error.code ?? error.message; }); return Response.json(how); }
  return new Response(String(++n));
} };`;

/** Text of the one log entry that matches. */
async function entryOf({ logs }: TestInstance, pattern: RegExp): Promise<string> {
  await expect.poll(() => logs.some(({ text }) => pattern.test(text))).toBe(true);
  return logs.find(({ text }) => pattern.test(text))!.text;
}

/** The two numbers of "used 2,413 ms of 2,000 ms". */
function measuredIn(text: string): [number, number] {
  const [, used, limit] = /used ([\d,]+) \w+ of ([\d,]+) \w+/.exec(text)!;
  return [Number(used!.replaceAll(',', '')), Number(limit!.replaceAll(',', ''))];
}

describe('the table', () => {
  it('has a sane default for every number', () => {
    for (const name of LIMIT_NAMES) expect(limitProblem(name, DEFAULT_LIMITS[name], 'host'), name).toBeUndefined();
    expect(LIMIT_NAMES.every((name) => LIMITS[name].meaning.length > 10)).toBe(true);
  });

  it.each([['cpuMs', 9], ['cpuMs', 300_001], ['cpuMs', 1.5], ['cpuMs', '100'], ['cpuMs', NaN], ['poolSize', 1], ['nonsense', 1], ['toString', 1], ['__proto__', 1]])('an Instance cannot have %s = %s', (name, value) => {
    expect(limitProblem(name, value, 'instance')).toMatch(/^is /);
  });
});

describe('limits of one Instance', () => {
  it('CPU time: what stops one lets another work on', async () => {
    bench = await openIsolateBench({ limits: { cpuMs: 300 } });
    const [usual, raised] = [createTestInstance(bench.engine, WORK), createTestInstance(bench.engine, WORK, { limits: { cpuMs: 5_000 } })];
    await expect(usual.call('/spin?ms=1200&secret=s3cret')).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    expect((await raised.call('/spin?ms=1200')).text).toBe('1');
    const event = await entryOf(usual, /CPU time/);
    const [used, limit] = measuredIn(event);
    expect(limit).toBe(300);
    expect(used).toBeGreaterThanOrEqual(300);
    expect(event).toMatch(/Request: GET \/spin \(req\d+\)$/);
    expect(event).not.toMatch(/s3cret/);
  });

  it('wall time', async () => {
    bench = await openIsolateBench();
    const instance = createTestInstance(bench.engine, WORK, { limits: { wallMs: 400 } });
    await createTestInstance(bench.engine, WORK).call('/wait?ms=900');
    await instance.call('/').catch(() => undefined);
    await expect(instance.call('/wait?ms=5000')).rejects.toMatchObject({ code: 'MICRO_TIMEOUT' });
    expect(await entryOf(instance, /Timed out/)).toMatch(/no answer after [\d,]+ ms of 400 ms\. Request: GET \/wait/);
  });

  it('background work', async () => {
    bench = await openIsolateBench();
    const instance = createTestInstance(bench.engine, WORK, { limits: { backgroundMs: 200 } });
    await instance.call('/later?ms=5000');
    expect(await entryOf(instance, /Background/)).toMatch(/longer than 200 ms\. Request: GET \/later/);
  });

  it('calls of one request', async () => {
    bench = await openIsolateBench();
    const [few, total] = ([{ subrequestsMax: 3 }, { hostCallsMax: 2 }] as Record<string, number>[]).map((limits) => createTestInstance(bench.engine, WORK, { limits }));
    expect((await few!.call('/calls?n=5')).json()).toMatchObject({ ok: 3 });
    expect((await few!.call('/calls?n=2')).json()).toEqual({ ok: 2 });
    expect((await total!.call('/calls?n=5')).json()).toMatchObject({ ok: 2 });
    expect(few!.fetched).toHaveLength(5);
  });

  it('bodies that are read whole', async () => {
    bench = await openIsolateBench();
    const echo = 'export default { fetch: async (request) => new Response(await request.text().catch((error) => error.message)) };';
    const small = createTestInstance(bench.engine, echo, { limits: { bodyMaxBytes: 2_000 } });
    expect((await small.call('/', { method: 'POST', body: 'x'.repeat(2_001) })).text).toMatch(/2000 bytes/);
    expect((await small.call('/', { method: 'POST', body: 'x'.repeat(2_000) })).text).toHaveLength(2_000);
    expect((await createTestInstance(bench.engine, echo).call('/', { method: 'POST', body: 'x'.repeat(2_001) })).text).toHaveLength(2_001);
  });

  it('memory of the Cell: the hog is killed in time, with what it used; where it may, it lives', async () => {
    bench = await openIsolateBench({ limits: { quarantineMs: 0 } });
    const [hog, raised] = [createTestInstance(bench.engine, HOG, { limits: { cellMb: 200, heapMb: 2_000, cpuMs: 20_000 } }), createTestInstance(bench.engine, HOG, { limits: { cellMb: 2_000, heapMb: 2_000, cpuMs: 20_000 } })];
    await expect(hog.call('/')).rejects.toMatchObject({ code: 'MICRO_OUT_OF_MEMORY' });
    const [used, limit] = measuredIn(await entryOf(hog, /MB memory/));
    expect(limit).toBe(200);
    expect(used).toBeGreaterThan(200);
    // It fills a gigabyte as fast as it can: looking every 100 ms alone would find it far beyond.
    expect(used).toBeLessThan(700);
    expect((await raised.call('/')).text).toBe('80');
  });
});

/** 640 MB of array buffers. */
const HOG = 'export default { fetch() { const all = []; for (let i = 0; i < 80; i++) all.push(new Uint8Array(8e6).fill(i)); return new Response(String(all.length)); } };';

/** One that isolated-vm cannot stop: only the watch from outside can. */
const STUBBORN = { cpuMs: 300, graceMs: 200, quarantineMs: 0 };

describe('a Micro that has to be stopped again and again', () => {
  it('is paused with a reason that a person can read, until its owner or new code lets it run', async () => {
    const paused: string[] = [];
    bench = await openIsolateBench({ limits: STUBBORN, onPause: (_, micro, reason) => { paused.push(`${micro}: ${reason}`); } });
    const instance = createTestInstance(bench.engine, WORK);
    for (let strike = 0; strike < 3; strike++) await expect(instance.call('/kill?ms=20000')).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_PAUSED', message: expect.stringMatching(/had to be stopped 3 times.*(used [\d,]+ ms of|one request may use) 300 ms CPU time/) });
    expect(paused).toEqual([expect.stringMatching(/^main: .*3 times/)]);
    expect(await entryOf(instance, /^Paused/)).toMatch(/main/);
    bench.engine.resume(instance.spec.instanceId);
    expect((await instance.call('/')).text).toBe('1');
    expect(paused).toHaveLength(1);
  }, 60_000);

  it('dies within a second of its limit, and the log says how far it went and by which request', async () => {
    bench = await openIsolateBench({ limits: STUBBORN });
    const instance = createTestInstance(bench.engine, WORK);
    await instance.call('/');
    const begin = Date.now();
    await expect(instance.call('/kill?ms=20000', { id: 'req-stubborn' })).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    const event = await entryOf(instance, /CPU time/);
    // On a machine that is too busy to give it its share, it is silent for longer.
    const [used, limit] = /no sign of life/.test(event) ? [301, 300] : measuredIn(event);
    expect(limit).toBe(300);
    expect(used).toBeGreaterThan(limit);
    expect(used).toBeLessThan(limit + 1_000);
    expect(Date.now() - begin).toBeLessThan(6_000);
    expect(await entryOf(instance, /CPU time/)).toMatch(/GET \/kill \(req-stubborn\)/);
  });
});

describe('who shares a process', () => {
  it('is decided in one place: one Instance alone, or a Space that was opened', () => {
    const one = { instanceId: 'a', spaceId: 's' };
    expect(cordonOf(one)).toBe('a');
    expect(cordonOf({ ...one, cordon: 'instance' })).toBe('a');
    expect(cordonOf({ ...one, cordon: 'space' })).toBe(cordonOf({ ...one, instanceId: 'b', cordon: 'space' }));
    expect(cordonOf({ ...one, cordon: 'space' })).not.toBe(cordonOf({ ...one, spaceId: 't', cordon: 'space' }));
    expect(cordonOf({ ...one, spaceId: 'a', cordon: 'space' })).not.toBe(cordonOf(one));
  });

  const ASK = 'export default { async fetch() { return new Response(globalThis.mark = (globalThis.mark ?? "") + await (await fetch("http://a.test/")).text()); } };';
  const answering = (text: string) => ({ fetchUrl: async () => ({ status: 200, headers: [], body: Buffer.from(text) }) });

  it('a Space in one Cell: each Micro with its own services, globals and limits', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0, cpuMs: 300 } });
    const shared = (name: string, more = {}) => createTestInstance(bench.engine, ASK, { cordon: 'space', instanceId: name, services: answering(name), ...more });
    const [a, b, foreign] = [shared('a'), shared('b'), shared('c', { spaceId: 'space2' })];
    const answers = await Promise.all([a.call('/'), b.call('/'), foreign.call('/')]);
    expect(answers.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect((await a.call('/')).text).toBe('aa');
    expect(cells()).toHaveLength(2);
    const raised = createTestInstance(bench.engine, WORK, { cordon: 'space', instanceId: 'd', limits: { cpuMs: 5_000 } });
    expect((await raised.call('/spin?ms=1000')).text).toBe('1');
    await expect(createTestInstance(bench.engine, WORK, { cordon: 'space', instanceId: 'e' }).call('/spin?ms=1000')).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    expect(cells()).toHaveLength(2);
  });

  it('one that has to be killed costs its neighbours in the Cell a moment, and only itself a strike', async () => {
    bench = await openIsolateBench({ limits: { ...STUBBORN, poolSize: 1, quarantineMs: 60_000 } });
    const [hog, calm] = ['hog', 'calm'].map((instanceId) => createTestInstance(bench.engine, WORK, { cordon: 'space', instanceId }));
    await calm!.call('/');
    const [before] = cells();
    const killed = hog!.call('/kill?ms=20000').catch((error) => error.code);
    const waiting = calm!.call('/wait?ms=700');
    expect(await killed).toBe('MICRO_CPU_EXCEEDED');
    // In a fresh Cell it counts from the start.
    expect((await waiting).text).toBe('1');
    expect(cells()).not.toContain(before);
    await expect(hog!.call('/')).rejects.toMatchObject({ code: 'MICRO_QUARANTINED' });
    expect((await calm!.call('/')).text).toBe('2');
  }, 60_000);

  it('an update of one moves all of them softly', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const [a, b] = ['a', 'b'].map((instanceId) => createTestInstance(bench.engine, WORK, { cordon: 'space', instanceId }));
    await a!.call('/');
    const slow = b!.call('/wait?ms=500');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const next = createTestInstance(bench.engine, 'export default () => new Response("new");', { cordon: 'space', instanceId: 'a', generation: '2' });
    expect((await next.call('/')).text).toBe('new');
    expect((await slow).text).toBe('1');
    await expect.poll(() => cells().length).toBe(1);
  });
});

it('the end of one Instance in a shared Cell waits for nobody else, and cuts nobody else off', async () => {
  bench = await openIsolateBench({ limits: { poolSize: 0 } });
  const [leaving, staying] = ['leaving', 'staying'].map((instanceId) => createTestInstance(bench.engine, WORK, { cordon: 'space', instanceId }));
  await Promise.all([leaving!.call('/'), staying!.call('/')]);
  const [cut, kept] = [leaving!.call('/wait?ms=15000').catch((error) => error.code), staying!.call('/wait?ms=2500')];
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begin = Date.now();
  await bench.engine.stop('leaving', 300);
  expect(Date.now() - begin).toBeLessThan(2_300);
  expect(await cut).toBe('MICRO_CRASHED');
  expect((await kept).text).toBe('2');
}, 60_000);

describe('when all Cells hold too much', () => {
  it('those go that were used least lately, and come back when they are asked', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0, cellsMb: 70 } });
    const all = ['a', 'b', 'c', 'd', 'e'].map((instanceId) => createTestInstance(bench.engine, WORK, { instanceId }));
    for (const instance of all) await instance.call('/');
    const last = all.at(-1)!;
    await expect.poll(async () => { await last.call('/'); return cells().length; }, { interval: 200 }).toBeLessThan(5);
    expect(Number((await last.call('/')).text)).toBeGreaterThan(2);
    expect((await all[0]!.call('/')).text).toBe('1');
    expect((await bench.engine.cells()).limitMb).toBe(70);
  });
});

/** Cells of this process. */
function cells(): number[] {
  return startedBy(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cell-') && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  });
}
