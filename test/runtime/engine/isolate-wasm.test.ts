// Covers WebAssembly inside an isolate: it runs, its memory is limited, and nothing of it is shared.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestInstance, type IsolateBench, openIsolateBench } from '../../support/isolate-instance.ts';

let bench: IsolateBench;
beforeAll(async () => { bench = await openIsolateBench({ limits: { cpuMs: 1_000, cellMb: 400 } }); });
afterAll(() => bench.close());

/** `add(a, b)`; and a loop without end. */
const BYTES = {
  add: '0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11',
  loop: '0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11',
};
const run = (body: string): Promise<{ text: string; json(): any }> => createTestInstance(bench.engine, `export default { async fetch() { ${body} } };`).call('/');

it.each([
  ['a Module and an Instance', `const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${BYTES.add}]))); return Response.json(exports.add(2, 3));`],
  ['instantiate of bytes', `const { instance } = await WebAssembly.instantiate(new Uint8Array([${BYTES.add}])); return Response.json(instance.exports.add(2, 3));`],
  ['instantiate of a Module', `const instance = await WebAssembly.instantiate(await WebAssembly.compile(new Uint8Array([${BYTES.add}]))); return Response.json(instance.exports.add(2, 3));`],
  ['instantiateStreaming', `const { instance } = await WebAssembly.instantiateStreaming(new Response(new Uint8Array([${BYTES.add}]))); return Response.json(instance.exports.add(2, 3));`],
])('runs by %s', async (_, body) => {
  expect((await run(body)).json()).toBe(5);
});

it('what does not compile rejects', async () => {
  expect((await run('return new Response(await WebAssembly.compile(new Uint8Array([1, 2, 3])).catch((error) => error.name));')).text).toBe('CompileError');
});

describe('memory', () => {
  it('has 128 MB at most', async () => {
    const [pages, larger] = (await run(`const memory = new WebAssembly.Memory({ initial: 128 }); let pages = 128;
      try { for (;;) { memory.grow(128); pages += 128; } } catch {}
      let larger; try { new WebAssembly.Memory({ initial: 2049 }); larger = 'made'; } catch (error) { larger = error.name; }
      return Response.json([pages, larger]);`)).json();
    expect(pages).toBe(2_048);
    expect(larger).not.toBe('made');
  });

  it('in many pieces is watched: the Micro is stopped, its neighbour goes on', async () => {
    const neighbour = createTestInstance(bench.engine, 'let n = 0; export default { fetch: () => new Response(String(++n)) };');
    await neighbour.call('/');
    await expect(run('const all = []; for (;;) { const memory = new WebAssembly.Memory({ initial: 1000 }); new Uint8Array(memory.buffer).fill(1); all.push(memory); }')).rejects.toMatchObject({ blame: 'micro' });
    expect((await neighbour.call('/')).text).toBe('2');
  });

  it('that is shared gives nothing to build upon', async () => {
    expect((await run(`const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }); const prototype = Object.getPrototypeOf(buffer);
      return Response.json([Reflect.ownKeys(prototype), typeof SharedArrayBuffer, typeof Atomics, buffer.constructor === Object]);`)).json()).toEqual([['byteLength'], 'undefined', 'undefined', true]);
  });

  it('cannot become a buffer that is resized', async () => {
    expect((await run('const { buffer } = new WebAssembly.Memory({ initial: 1 }); return Response.json([typeof WebAssembly.Memory.prototype.toResizableBuffer, typeof buffer.resize, buffer.constructor === ArrayBuffer]);')).json()).toEqual(['undefined', 'undefined', true]);
  });
});

it('a loop is stopped', async () => {
  await expect(run(`const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${BYTES.loop}]))); exports.f(); return new Response("over");`)).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
});
