// Covers who pays for an attack: the request that made it, then its Micro; never the requests beside it (A1, A4 to A6).
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cellsBelow, usageOf } from '../support/cells.ts';
import { createTestInstance, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { until } from '../support/start-host.ts';
import { type Arena, LIMITS, moduleOf, openArena, outcomeOf } from './arena.ts';

let arena: Arena;
beforeAll(async () => { arena = await openArena(); }, 90_000);
afterAll(() => arena.close());

const culprit = (code: string): TestInstance => createTestInstance(arena.bench.engine, moduleOf({ code }));

it('innocent requests beside a hog are answered, the hog alone is not', async () => {
  const instance = culprit('if (request.url.endsWith("/hog")) { let x = 2n ** 1000000n; for (;;) x = x * x; } await new Promise((r) => setTimeout(r, 100));');
  await instance.call('/good');
  const innocent = Array.from({ length: 10 }, (_, at) => instance.call(`/innocent${at}`));
  await expect(instance.call('/hog')).rejects.toMatchObject({ blame: 'micro' });
  expect((await Promise.all(innocent)).map((answer) => answer.text)).toEqual(Array(10).fill('ok'));
});

it('a Micro that brings its Cell down again and again rests longer each time', async () => {
  const instance = culprit('let x = 2n ** 1000000n; for (;;) x = x * x;');
  await expect(instance.call('/', { method: 'POST' })).rejects.toMatchObject({ blame: 'micro' });
  await expect(instance.call('/good')).rejects.toMatchObject({ code: 'MICRO_QUARANTINED', status: 503 });
  await until(async () => (await outcomeOf(instance, '/good')) === 'ok' || undefined);
});

it('A1 a loop is answered when its CPU time is spent, not much later', async () => {
  const bench = await openIsolateBench({ limits: { ...LIMITS, cpuMs: 500, poolSize: 0 } });
  const others = new Set(cellsBelow());
  const loop = createTestInstance(bench.engine, moduleOf({ code: 'for (;;);' }));
  await loop.call('/good');
  const mine = cellsBelow().filter((pid) => !others.has(pid));
  const before = usageOf(mine).cpuMs;
  expect(await outcomeOf(loop, '/', { method: 'POST' })).toBe('MICRO_CPU_EXCEEDED');
  const spentMs = usageOf(mine).cpuMs - before;
  await bench.close();
  // The clock of the kernel counts in steps of 10 ms. On a busy machine the wall is met first, and less was spent.
  expect(spentMs).toBeLessThanOrEqual(500 * 1.2 + 20);
});

it('A4 a Cell that no timeout stops is dead within a second of its limit, and its memory is free again', async () => {
  const others = new Set(cellsBelow());
  const instance = culprit('const t = "[" + "[],".repeat(3e7) + "[]]"; for (;;) JSON.parse(t);');
  await instance.call('/good');
  const mine = cellsBelow().filter((pid) => !others.has(pid));
  const start = Date.now();
  expect(await outcomeOf(instance, '/', { method: 'POST' })).toMatch(/^MICRO_(CPU_EXCEEDED|OUT_OF_MEMORY|CRASHED|THREW)$/);
  // A busy machine gives it its CPU time later; the watch waits up to four times as long.
  expect(Date.now() - start).toBeLessThan(4 * (LIMITS.cpuMs + LIMITS.graceMs) + 1_000);
  await until(async () => usageOf(mine).residentMb < LIMITS.cellMb / 2 || undefined, 5_000);
});

it('A14 prototypes of the host stay as they are, whatever JSON goes through', async () => {
  const instance = culprit('await fetch("http://a.test/", { method: "POST", body: \'{"__proto__":{"polluted":1}}\' }); console.log(JSON.parse(\'{"__proto__":{"polluted":1}}\')); return new Response(await request.text());');
  await instance.call('/', { method: 'POST', body: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}' });
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

it('eight attackers at once are each answered, and the neighbour too', async () => {
  const codes = ['for (;;);', 'let x = 2n ** 1000000n; for (;;) x = x * x;', 'const a = []; for (;;) a.push({});', 'new Array(1e8).fill({}).map((x) => ({}));', 'const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));', '"a,".repeat(2e7).split(",").join("");for(;;);', 'for (;;) await null;', 'const t = "ab".repeat(1.5e7); for (;;) t.replaceAll("a", "bcd");'];
  const outcomes = codes.map((code) => outcomeOf(culprit(code), '/', { method: 'POST' }));
  let answers = 0;
  let isOver = false;
  const all = Promise.all(outcomes).finally(() => { isOver = true; });
  while (!isOver) { await arena.neighbour.call('/'); answers++; }
  for (const outcome of await all) expect(outcome).toMatch(/^MICRO_(CPU_EXCEEDED|OUT_OF_MEMORY|CRASHED|START_FAILED|THREW)$/);
  expect(answers).toBeGreaterThan(20);
});
