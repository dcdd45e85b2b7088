// Covers hostile code in isolate Micros: its caller gets an error, the neighbour does not notice, the Micro comes back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { SNIPPETS } from './snippets.ts';

const LIMITS = { cpuMs: 500, wallMs: 6_000, heapMb: 64, cellMb: 400, graceMs: 300, quarantineMs: 100 };
/** Limit, grace, one sweep; and a second attempt in which requests are told apart. Doubled for a busy machine. */
const OVER_MS = 2 * 2 * (LIMITS.cpuMs + LIMITS.graceMs + 1_000);

let bench: IsolateBench;
let neighbour: TestInstance;
beforeAll(async () => {
  bench = await openIsolateBench({ limits: LIMITS });
  neighbour = createTestInstance(bench.engine, 'let n = 0; export default { fetch: () => new Response(String(++n)) };');
  await neighbour.call('/');
});
afterAll(() => bench.close());

const culprit = (code: string, before = ''): TestInstance => createTestInstance(bench.engine, `${before}\nexport default { async fetch(request, env, ctx) { if (request.url.endsWith('/good')) return new Response('good'); ${code}\n return new Response('ok'); } };`);

describe.each(SNIPPETS)('$name', ({ code, before, expect: expected }) => {
  it('costs its own caller an error and nobody else anything', async () => {
    const instance = culprit(code, before);
    expect((await instance.call('/good')).text).toBe('good');
    const seen = Number((await neighbour.call('/')).text);
    const start = Date.now();
    const attack = instance.call('/').then(() => 'ok', (error) => error.code as string);
    let slowestMs = 0;
    for (let at = 0; at < 10; at++) {
      const sent = Date.now();
      expect(Number((await neighbour.call('/')).text)).toBe(seen + at + 1);
      slowestMs = Math.max(slowestMs, Date.now() - sent);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const outcome = await attack;
    expect(expected).toContain(outcome);
    expect(Date.now() - start).toBeLessThan(OVER_MS + (outcome === 'MICRO_TIMEOUT' ? LIMITS.wallMs : 0));
    expect(slowestMs).toBeLessThan(500);
    if (outcome !== 'ok') expect(instance.logs.map((entry) => entry.text).join('\n')).not.toMatch(/\/work|node_modules|ownspace:|\.cjs/);
    if (outcome !== 'ok') expect(instance.logs.some((entry) => entry.level === 'error')).toBe(true);
    await expect.poll(() => instance.call('/good').then((answer) => answer.text, (error) => error.code), { timeout: 5_000 }).toBe('good');
  });
});

it('innocent requests beside a hog are answered, the hog alone is not', async () => {
  const instance = culprit('if (request.url.endsWith("/hog")) { let x = 2n ** 1000000n; for (;;) x = x * x; } await new Promise((r) => setTimeout(r, 100));');
  await instance.call('/good');
  const innocent = Array.from({ length: 10 }, (_, at) => instance.call(`/innocent${at}`));
  const hog = instance.call('/hog');
  await expect(hog).rejects.toMatchObject({ blame: 'micro' });
  expect((await Promise.all(innocent)).map((answer) => answer.text)).toEqual(Array(10).fill('ok'));
});

it('a Micro that brings its Cell down again and again rests longer each time', async () => {
  const instance = culprit('new Array(2 ** 32 - 1).fill(0);');
  await expect(instance.call('/')).rejects.toMatchObject({ blame: 'micro' });
  const refused = instance.call('/good');
  await expect(refused).rejects.toMatchObject({ code: 'MICRO_QUARANTINED', status: 503 });
  await new Promise((resolve) => setTimeout(resolve, LIMITS.quarantineMs * 2));
  expect((await instance.call('/good')).text).toBe('good');
});

describe('what is not there', () => {
  it('no way out on any reachable object', async () => {
    const instance = culprit(`
      const seen = new Set(); const found = [];
      const forbidden = ['process', 'require', 'module', 'ivm', 'Buffer', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', '__boot', '__deta', 'applySync', 'derefInto', 'copyInto', 'createContextSync'];
      const walk = (value, path) => {
        if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value) || path.length > 8) return;
        seen.add(value);
        for (const key of Reflect.ownKeys(value)) {
          if (forbidden.includes(key)) found.push([...path, key].map(String).join('.'));
          const d = Reflect.getOwnPropertyDescriptor(value, key);
          for (const part of [d.value, d.get, d.set]) walk(part, [...path, key]);
        }
        walk(Object.getPrototypeOf(value), [...path, 'prototype of']);
      };
      walk(globalThis, []); walk(request, ['request']); walk(env, ['env']); walk(ctx, ['ctx']);
      return Response.json({ found, count: seen.size });`);
    const { found, count } = (await instance.call('/')).json();
    expect(found).toEqual([]);
    expect(count).toBeGreaterThan(500);
  });

  it.each([
    ['Function constructor', 'Function("return this")() === globalThis && typeof Function("return this")().process'],
    ['constructor of a function from outside', 'typeof fetch.constructor("return process")'],
    ['caller', '(() => { try { return String(arguments.callee.caller); } catch (e) { return e.name; } })()'],
    ['dynamic import', 'await import("node:fs").then(() => "in", (e) => "no")'],
    ['dynamic import of data', 'await import("data:text/javascript,export default 1").then(() => "in", (e) => "no")'],
    ['stack of a failed URL', '(() => { try { new URL("nonsense"); } catch (e) { return /work|node_modules|\\.cjs|node:internal/.test(e.stack); } })()'],
  ])('%s leads nowhere', async (_, expression) => {
    const { value } = (await culprit(`return Response.json({ value: ${expression} });`).call('/')).json();
    expect([false, 'undefined', 'function', 'no', 'TypeError', 'ReferenceError']).toContain(value);
  });

  it('prototypes of the host stay as they are, whatever JSON goes through', async () => {
    const instance = culprit('const r = await fetch("http://a.test/", { method: "POST", body: \'{"__proto__":{"polluted":1}}\' }); console.log(JSON.parse(\'{"__proto__":{"polluted":1}}\')); return new Response(await request.text());');
    await instance.call('/', { method: 'POST', body: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}' });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

it('the neighbour lived in one process through all of this, and no stranger is left', async () => {
  const uptime = Number((await neighbour.call('/')).text);
  expect(uptime).toBeGreaterThan(SNIPPETS.length);
  const ours = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ').filter((pid) => /cell-/.test(commandOf(pid)));
  for (const pid of ours) expect(residentMb(pid)).toBeLessThan(LIMITS.cellMb);
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function residentMb(pid: string): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1024 / 1024;
}
