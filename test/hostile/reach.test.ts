// Covers what the code of a Micro can reach (A10, A11, A16 to A20): its own realm, the modules of its bundle, a coarse clock, and
// nothing of the process around it. Where something was taken away, a runtime that kept it shows that it would have been found.
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAlteredBench } from '../support/altered-engine.ts';
import { FRAME } from '../../runtime/engine/cell/protocol.ts';
import { cellsBelow, commandOf } from '../support/cells.ts';
import { runFakeCell } from '../support/fake-cell.ts';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';

const LIMITS = { cpuMs: 3_000, wallMs: 10_000, heapMb: 128 };
const WALK = readFileSync(new URL('../fixtures/hostile/walk/index.js', import.meta.url), 'utf8');

let bench: IsolateBench;
/** Where nothing is taken away from guests. */
let open: IsolateBench;
beforeAll(async () => {
  bench = await openIsolateBench({ limits: LIMITS });
  open = await openAlteredBench({ 'runtime/engine/guest/harden.ts': ['export function harden(scope: any): void {', 'export function harden(scope: any): void { return;'] }, LIMITS);
}, 60_000);
afterAll(async () => { await bench.close(); await open.close(); });

const micro = (code: string): string => `export default { async fetch(request, env, ctx) { ${code} } };`;
const valueOf = async (expression: string, on = bench): Promise<unknown> =>
  (await createTestInstance(on.engine, micro(`return Response.json({ value: await (${expression}) ?? null });`)).call('/')).json().value;

interface Walked { named: string[]; kinds: string[]; count: number }
const walk = async (on: IsolateBench): Promise<Walked> => (await createTestInstance(on.engine, WALK).call('/')).json();

it('A10 no way out on any reachable object', async () => {
  const { named, kinds, count } = await walk(bench);
  expect(named).toEqual([]);
  expect(kinds).toEqual([]);
  expect(count).toBeGreaterThan(800);
});

it('A10 the walk would find what is there', async () => {
  expect((await walk(open)).named.join()).toMatch(/Atomics.*FinalizationRegistry|FinalizationRegistry.*Atomics/);
});

describe('A11 the guest has its own realm only', () => {
  it.each([
    ['Function constructor', 'Function("return this")() === globalThis && typeof Function("return this")().process', 'undefined'],
    ['constructor of every function of the runtime', 'Promise.all([fetch, console.log, setTimeout, URL, env.Base, ctx.waitUntil, crypto.randomUUID, request.text].map((f) => f.constructor("return typeof process + typeof require")())).then((all) => all.every((said) => said === "undefinedundefined"))', true],
    ['constructor of async functions and generators', '(async () => { const A = (async () => {}).constructor, G = (function* () {}).constructor; return [await A("return typeof process")(), G("yield typeof require")().next().value].join(); })()', 'undefined,undefined'],
    ['caller of a function', '(() => { try { return String(arguments.callee.caller); } catch (e) { return e.name; } })()', /^(TypeError|ReferenceError|null)$/],
    ['the call sites of a stack', '(() => { const found = []; try { Error.prepareStackTrace = (e, sites) => { for (const site of sites) found.push(typeof site.getThis?.(), typeof site.getFunction?.()); return ""; }; } catch {} const e = new Error("x"); Error.captureStackTrace?.(e); void e.stack; return found.join(); })()', ''],
    ['the frames of the host in a stack', '(() => { const e = new Error("x"); return e.stack + (() => { try { new URL("nonsense"); } catch (b) { return b.stack; } })(); })()', /^(?!.*(\/work|node_modules|\.cjs|node:internal|isolated-vm)).*$/s],
    ['an error of the host', '(async () => { try { await env.Base("b").get("k"); } catch (e) { return [Object.getPrototypeOf(e) === Error.prototype, e.constructor.constructor("return typeof process")(), /runtime|work|node/.test(e.stack)].join(); } })()', 'true,undefined,false'],
    ['what globalThis inherits', '(() => { let o = globalThis, names = []; while (o) { names.push(o.constructor?.name); o = Object.getPrototypeOf(o); } return names.every((n) => n === "Object" || n === "Window" || n === undefined); })()', true],
  ])('%s', async (_, expression, expected) => {
    const value = await valueOf(expression);
    if (expected instanceof RegExp) expect(value).toMatch(expected);
    else expect(value).toBe(expected);
  });
});

describe('A17 no second thread, no shared memory, no machine code', () => {
  const NAMES = ['SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'Worker', 'SharedWorker', 'importScripts', 'process', 'require', 'module', 'Buffer', 'global', 'gc', 'ivm', '$262', 'd8', 'print', 'load', 'quit', '__boot', '__deta'];
  it.each(NAMES)('%s is not there', async (name) => {
    expect(await valueOf(`typeof globalThis[${JSON.stringify(name)}] + (${JSON.stringify(name)} in globalThis)`)).toBe('undefinedfalse');
  });

  const DOORS: readonly (readonly [string, string])[] = [
    ['a buffer that grows', '(() => { const b = new ArrayBuffer(1, { maxByteLength: 2 ** 30 }); return String(b.resizable) + typeof b.resize; })()'],
    ['a buffer that grows, made by what is below', '(() => { const b = Reflect.construct(Object.getPrototypeOf(new Uint8Array(1)).constructor === Uint8Array ? ArrayBuffer : ArrayBuffer, [1, { maxByteLength: 2 ** 30 }], Uint8Array.prototype.constructor === Uint8Array ? ArrayBuffer : Object); return String(b.resizable) + typeof b.resize; })()'],
    ['a buffer that is handed over', '(() => { const b = new ArrayBuffer(8); return String(b.resizable) + typeof b.transfer; })()'],
    ['the constructor of a buffer of the runtime', '(async () => { const b = await new Response("x").arrayBuffer(); const c = new b.constructor(1, { maxByteLength: 2 ** 30 }); return String(c.resizable) + typeof c.resize; })()'],
    ['the species of a buffer', '(() => { const C = ArrayBuffer[Symbol.species] ?? ArrayBuffer; const c = new C(1, { maxByteLength: 2 ** 30 }); return String(c.resizable) + typeof c.resize; })()'],
  ];
  it.each(DOORS)('%s is not to be had', async (_, expression) => {
    expect(await valueOf(expression)).toBe('undefinedundefined');
  });
  it.each(DOORS)('%s would be seen', async (_, expression) => {
    expect(await valueOf(expression, open)).toMatch(/function$/);
  });
});

describe('what runs while an error is read', () => {
  const LOOP = 'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x");';
  const end = async (on: IsolateBench): Promise<string> => createTestInstance(on.engine, micro(LOOP)).call('/').then(() => 'ok', (error) => error.code);
  it('A11 is not the guest\'s', async () => {
    expect(await end(bench)).toBe('MICRO_THREW');
  });
  it('A11 would be the guest\'s', async () => {
    expect(await end(open)).toBe('MICRO_CPU_EXCEEDED');
  });
});

describe('A18 clocks are coarse', () => {
  const TICKS = `
    const steps = new Set(); let last = CLOCK();
    const end = Date.now() + 60;
    while (Date.now() < end) { const now = CLOCK(); if (now !== last) steps.add(now - last); last = now; }
    return Response.json([...steps]);`;
  it.each(['Date.now', '() => performance.now', '() => new Date().getTime', '() => performance.timeOrigin + performance.now'])('%s tells whole milliseconds', async (clock) => {
    const call = clock.startsWith('()') ? `${clock.slice(6)}()` : `${clock}()`;
    const steps: number[] = (await createTestInstance(bench.engine, micro(TICKS.replaceAll('CLOCK()', call))).call('/')).json();
    expect(steps.length).toBeGreaterThan(0);
    for (const step of steps) expect(Math.abs(step - Math.round(step))).toBeLessThan(1e-3);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(1 - 1e-3);
  });
  it('this process has a finer one', () => {
    const [a, b] = [performance.now(), performance.now()];
    expect(b - a).toBeLessThan(1);
  });
  it('no other clock is there', async () => {
    expect(await valueOf('typeof performance.mark + typeof performance.measure + typeof globalThis.Temporal + typeof console.profile + typeof performance.eventLoopUtilization')).toMatch(/^(undefined|function){2}(undefined|object)undefinedundefined$/);
  });
});

describe('A19 what one Instance keeps, no other sees', () => {
  const KEEPER = 'export default (request) => { const url = new URL(request.url); if (url.pathname === "/set") { globalThis.secret = "s"; Object.prototype.leak = "s"; fetch.leak = Response.prototype.leak = "s"; } return Response.json([typeof secret, typeof {}.leak, typeof fetch.leak]); };';
  it('in its own process, in its own isolate', async () => {
    const [one, other] = [createTestInstance(bench.engine, KEEPER), createTestInstance(bench.engine, KEEPER)];
    await one.call('/set');
    expect((await other.call('/')).json()).toEqual(['undefined', 'undefined', 'undefined']);
    // It keeps them itself: the probe would see them.
    expect((await one.call('/')).json()).toEqual(['string', 'string', 'string']);
  });
  it('nor another Micro of the same Instance', async () => {
    const instance = createTestInstance(bench.engine, { a: KEEPER, b: KEEPER });
    await instance.call('/set', { micro: 'a' });
    expect((await instance.call('/', { micro: 'b' })).json()).toEqual(['undefined', 'undefined', 'undefined']);
    expect((await instance.call('/', { micro: 'a' })).json()).toEqual(['string', 'string', 'string']);
  });
});

describe('A20 only modules of the bundle', () => {
  const SPECIFIERS = ['node:fs', 'fs', 'node:child_process', 'isolated-vm', 'file:///etc/passwd', '/etc/passwd', './index.js', '../../../etc/passwd', 'http://a.test/x.js', 'https://a.test/x.js', 'data:text/javascript,export default 1', 'blob:x', 'ownspace:driver', 'micro', 'ownspace:web.js', ''];
  it.each(SPECIFIERS)('import(%j) finds nothing', async (specifier) => {
    expect(await valueOf(`import(${JSON.stringify(specifier)}).then(() => "in", () => "no")`)).toBe('no');
  });
  it.each(SPECIFIERS.filter((specifier) => specifier !== ''))('import from %j is an error of the start', async (specifier) => {
    const instance = createTestInstance(bench.engine, `import x from ${JSON.stringify(specifier)};\n${micro('return new Response("in");')}`);
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_START_FAILED', status: 502 });
    expect(instance.logs.map(({ text }) => text).join()).not.toMatch(/\/work\/|root:/);
  });
  it('the module "deta" is found', async () => {
    expect((await createTestInstance(bench.engine, `import { Base } from "deta";\n${micro('return new Response(typeof Base);')}`).call('/')).text).toBe('function');
  });
});

describe('A15 machine code of others', () => {
  it('a bundle that brings caches and snapshots is read as its module only', async () => {
    const instance = createTestInstance(bench.engine, micro('return new Response("module");'));
    const [own] = instance.spec.micros;
    const asked: string[] = [];
    own!.files = Object.fromEntries(['index.js', 'index.js.cache', 'code-0.cache', 'web-0.snapshot', 'cachedData', '.cache/index.js'].map((path) => [path, { hash: path, sizeBytes: 1 }]));
    own!.readFile = async (path) => { asked.push(path); return Buffer.from(micro('return new Response("module");')); };
    expect((await instance.call('/')).text).toBe('module');
    expect(asked).toEqual(['index.js']);
  });
  it('a Cell that has run a guest gives none either; one that has not, does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ownspace-cache-'));
    const caches = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.cache'));
    await runFakeCell(folder, `frame(${FRAME.LOADED}, 1, 0); frame(${FRAME.CODE_CACHE}, 1, 0, '', 'late'); frame(${FRAME.RESPONSE}, 2, 0, '200');`);
    expect(await caches()).toEqual([]);
    await runFakeCell(folder, `frame(${FRAME.CODE_CACHE}, 1, 0, '', 'early'); frame(${FRAME.LOADED}, 1, 0); setTimeout(() => frame(${FRAME.RESPONSE}, 2, 0, '200'), 300);`);
    expect(await caches()).toHaveLength(1);
    await rm(folder, { recursive: true, force: true });
  });
});

describe('A16 no door for a debugger', () => {
  const listening = (pid: number): string[] => {
    const inodes = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'latin1').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/)))
      .filter((fields) => fields[3] === '0A').map((fields) => fields[9]!);
    return inodes;
  };
  it('a Cell is not started with one, and a signal opens none', async () => {
    const instance: TestInstance = createTestInstance(bench.engine, micro('return new Response("hello");'));
    await instance.call('/');
    const cells = cellsBelow();
    expect(cells.length).toBeGreaterThan(0);
    const before = new Set(cells.flatMap(listening));
    for (const pid of cells) {
      expect(commandOf(pid)).not.toMatch(/--inspect|--debug/);
      process.kill(pid, 'SIGUSR1');
    }
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    expect(cells.filter((pid) => commandOf(pid) !== '').flatMap(listening).filter((inode) => !before.has(inode))).toEqual([]);
  });
});
