// Covers the life of Cells: waking, sleeping, new generations, stopping, dying, and what they may know.
import { afterEach, describe, expect, it } from 'vitest';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createTestInstance, type IsolateBench, openIsolateBench } from '../../support/isolate-instance.ts';
import { startedBy } from '../../support/started.ts';

let bench: IsolateBench;
afterEach(() => bench?.close());

const HELLO = 'let n = 0; export default { fetch: () => new Response(`hello ${++n}`) };';

/** Processes below `parent` whose command names a Cell's program. */
function cellsOf(parent: number = process.pid): number[] {
  return startedBy(parent).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cell-') && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  });
}

describe('waking and sleeping', () => {
  it('first requests at the same time share one start', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const instance = createTestInstance(bench.engine, HELLO);
    const answers = await Promise.all(Array.from({ length: 20 }, () => instance.call('/')));
    expect(answers.map((answer) => answer.text).sort()).toEqual(Array.from({ length: 20 }, (_, at) => `hello ${at + 1}`).sort());
    expect(cellsOf()).toHaveLength(1);
  });

  it('an idle Cell ends and the next request wakes another', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0, idleMs: 300 } });
    const instance = createTestInstance(bench.engine, HELLO);
    await instance.call('/');
    expect(cellsOf()).toHaveLength(1);
    await expect.poll(() => cellsOf().length).toBe(0);
    expect((await instance.call('/')).text).toBe('hello 1');
  });

  it('a ready Cell is kept for the next, and each Instance has a process of its own', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 1 } });
    const [a, b] = [createTestInstance(bench.engine, HELLO), createTestInstance(bench.engine, HELLO)];
    await a.call('/');
    await expect.poll(() => cellsOf().length).toBe(2);
    await b.call('/');
    await expect.poll(() => cellsOf().length).toBe(3);
  });

  it('keeps a code cache of the host\'s own making, and starts from it', async () => {
    bench = await openIsolateBench();
    const instance = createTestInstance(bench.engine, HELLO);
    await instance.call('/');
    const cached = async (): Promise<string[]> => (await readdir(join(bench.folder, 'cache'))).filter((name) => /^code-.*\.cache$/.test(name));
    await expect.poll(async () => (await cached()).length).toBe(1);
    await bench.engine.stop(instance.spec.instanceId, 0);
    expect((await instance.call('/')).text).toBe('hello 1');
    expect(await cached()).toHaveLength(1);
  });
});

describe('new generations and ends', () => {
  it('a new generation takes over while the old one finishes what it has', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const slow = createTestInstance(bench.engine, 'export default { async fetch(request) { if (request.url.endsWith("/slow")) await new Promise((r) => setTimeout(r, 500)); return new Response("old"); } };', { instanceId: 'moving' });
    await slow.call('/');
    const late = slow.call('/slow');
    const next = createTestInstance(bench.engine, 'export default () => new Response("new");', { instanceId: 'moving', generation: '2' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await next.call('/')).text).toBe('new');
    expect((await late).text).toBe('old');
    await expect.poll(() => cellsOf().length).toBe(1);
  });

  it('stop lets requests finish within the grace time, then ends the process', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const instance = createTestInstance(bench.engine, 'export default { async fetch(request) { await new Promise((r) => setTimeout(r, Number(new URL(request.url).pathname.slice(1)))); return new Response("done"); } };');
    await instance.call('/1');
    const [short, long] = [instance.call('/200'), instance.call('/5000').catch((error) => error.code)];
    await new Promise((resolve) => setTimeout(resolve, 50));
    await bench.engine.stop(instance.spec.instanceId, 500);
    expect((await short).text).toBe('done');
    expect(await long).toBe('MICRO_CRASHED');
    expect(cellsOf()).toEqual([]);
  });

  it('close leaves no process behind, not even one that hangs', async () => {
    bench = await openIsolateBench({ limits: { cpuMs: 20_000 } });
    const instance = createTestInstance(bench.engine, 'export default { fetch(request) { if (request.url.endsWith("/hang")) for (;;); return new Response("x"); } };');
    await instance.call('/');
    const hung = instance.call('/hang').catch((error) => error.code);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await bench.engine.close();
    expect(await hung).toBe('MICRO_CRASHED');
    expect(cellsOf()).toEqual([]);
  });

  it('a killed Cell costs a repeatable request a moment and another one an error', async () => {
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const instance = createTestInstance(bench.engine, 'export default { async fetch(request) { await new Promise((r) => setTimeout(r, 300)); return new Response(request.method); } };');
    await instance.call('/');
    const [get, get2, post] = [instance.call('/'), instance.call('/'), instance.call('/', { method: 'POST', body: 'x' }).catch((error) => error.code)];
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.kill(cellsOf()[0]!, 'SIGKILL');
    expect([(await get).text, (await get2).text]).toEqual(['GET', 'GET']);
    expect(await post).toBe('MICRO_CRASHED');
  });

  it('Cells die with a host that is killed, even one that hangs', async () => {
    bench = await openIsolateBench();
    const script = fileURLToPath(new URL('../../support/isolate-host.ts', import.meta.url));
    const host = spawn(process.execPath, [script, join(bench.folder, 'other')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(host.stdout, 'data');
    const cells = cellsOf(host.pid);
    expect(cells.length).toBeGreaterThan(0);
    host.kill('SIGKILL');
    await once(host, 'exit');
    await expect.poll(() => cells.filter((pid) => statOf(pid))).toEqual([]);
  });
});

function statOf(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it('a request whose body comes after its app was stopped wakes nothing any more', async () => {
  bench = await openIsolateBench({ limits: { poolSize: 0 } });
  const instance = createTestInstance(bench.engine, HELLO);
  await instance.call('/');
  const body = new PassThrough();
  const answer = instance.call('/', { method: 'POST', headers: ['content-length', '4'], body }).catch((error: { code: string }) => error.code);
  body.write('ab');
  await bench.engine.stop(instance.spec.instanceId, 0);
  expect(cellsOf()).toEqual([]);
  body.end('cd');
  expect(await answer).toBe('MICRO_CRASHED');
  expect(cellsOf()).toEqual([]);
  expect((await instance.call('/')).text, 'the control: a new one does').toBe('hello 1');
});

describe('what a Cell has', () => {
  it('no environment, no file beyond its socket, a group of its own, no listening socket, limits', async () => {
    process.env.OWNSPACE_TEST_SECRET = 'secret';
    bench = await openIsolateBench({ limits: { poolSize: 0 } });
    const instance = createTestInstance(bench.engine, HELLO);
    await instance.call('/');
    const [outer] = cellsOf();
    // bubblewrap stands outside and only waits for the Cell to end.
    const pid = Number(readFileSync(`/proc/${outer}/task/${outer}/children`, 'utf8'));
    expect(readFileSync(`/proc/${outer}/environ`, 'latin1')).toBe('');
    const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');
    expect(read('environ')).toBe('PWD=/\0');
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => { try { return statSync(`/proc/${pid}/fd/${fd}`); } catch { return undefined; } });
    expect(files.filter((file) => file?.isFile())).toEqual([]);
    expect(files.filter((file) => file?.isSocket()).length).toBeLessThanOrEqual(3);
    expect(read('stat').split(') ')[1]!.split(' ')[2]).toBe(String(pid));
    expect(read('limits')).toMatch(/Max core file size\s+0\s+0/);
    expect(read('status')).toMatch(/NoNewPrivs:\s+1/);
    expect(read('status')).toMatch(/Seccomp:\s+2/);
    expect(read('cmdline')).not.toMatch(/secret|inspect/);
    delete process.env.OWNSPACE_TEST_SECRET;
  });
});

it('says which platform lacks the binary of isolated-vm', async () => {
  bench = await openIsolateBench();
  const { findAddon } = await import('../../../runtime/engine/cell/build.ts');
  expect(findAddon()).toMatch(/isolated-vm.*\.node$/);
  const real = Object.getOwnPropertyDescriptor(process.versions, 'modules')!;
  const noBinary = spawn(process.execPath, ['-e', `Object.defineProperty(process, 'arch', { value: 'vax' }); require('os').arch = () => 'vax'; import(${JSON.stringify(new URL('../../../runtime/engine/cell/build.ts', import.meta.url).href)}).then((m) => m.findAddon()).catch((e) => console.log(e.code, e.message))`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = await once(noBinary.stdout, 'data') as [Buffer];
  expect(real).toBeDefined();
  expect(chunk.toString()).toMatch(/^ISOLATED_VM_MISSING .*vax/);
});

it('an Instance that is stopped while it wakes does not come up', async () => {
  bench = await openIsolateBench({ limits: { poolSize: 0 } });
  const instance = createTestInstance(bench.engine, HELLO);
  const early = instance.call('/').catch((error) => error.code);
  await bench.engine.stop(instance.spec.instanceId, 0);
  expect(await early).toBe('MICRO_CRASHED');
  await expect.poll(() => cellsOf()).toEqual([]);
});
