// Covers bodies that stream through a Micro: in both directions, at the pace of whoever reads, and when one end fails.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorFromRecord } from '../../../core/errors.ts';
import type { MicroRequest, MicroResponse } from '../../../runtime/engine/engine.ts';
import { createTestInstance, type InstanceInit, type IsolateBench, openIsolateBench, type TestInstance } from '../../support/isolate-instance.ts';

const MB = 1024 * 1024;
/** Far more than any window, little enough to be quick. */
const LONG = 8 * MB;
/** What may be on its way while somebody does not read: the window, and what lies in the buffers of Node's own streams. */
const UNDERWAY_MAX = 2 * MB;

let bench: IsolateBench;
beforeAll(async () => {
  bench = await openIsolateBench({ limits: { streamIdleMs: 1_500, wallMs: 20_000, cpuMs: 2_000 } });
  // What is made once takes its time, and counts for whoever comes first.
  await micro('return new Response();').call('/').catch(() => {});
});
afterAll(() => bench.close());

const micro = (body: string, init?: InstanceInit, before = ''): TestInstance => createTestInstance(bench.engine, `${before}\nexport default { async fetch(request, env, ctx) { ${body} } };`, init);
const open = (instance: TestInstance, init: Partial<MicroRequest> = {}): Promise<MicroResponse> =>
  bench.engine.fetch(instance.spec, 'main', { id: 'rq', method: 'GET', url: 'http://guestbook.localhost/', headers: [], body: null, hops: 0, ...init });
const stream = async (instance: TestInstance, init?: Partial<MicroRequest>): Promise<Readable> => {
  const { body } = await open(instance, init);
  if (!(body instanceof Readable)) throw new TypeError('no stream');
  return body;
};

/** A body of this size that counts what was taken of it. */
function source(sizeBytes: number): { body: Readable; taken(): number } {
  let taken = 0;
  const body = new Readable({
    read() {
      const piece = Buffer.alloc(Math.min(64 * 1024, sizeBytes - taken), taken / 65536 % 251);
      taken += piece.length;
      this.push(piece.length > 0 ? piece : null);
    },
  });
  return { body, taken: () => taken };
}

async function sizeOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of body) size += chunk.length;
  return size;
}

async function* piecesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, undefined> {
  for await (const chunk of body) yield chunk.toString();
  return undefined;
}

/** The value once it stands still. */
async function settled(value: () => number): Promise<number> {
  for (let before = -1; ;) {
    const now = value();
    if (now === before) return now;
    before = now;
    await wait(150);
  }
}

describe('an answer', () => {
  it('leaves as it is made, not when it is done', async () => {
    const instance = micro('if (request.url.endsWith("go")) { globalThis.next(); return new Response("gone"); } return new Response(new ReadableStream({ async start(c) { c.enqueue(new TextEncoder().encode("first")); await new Promise((r) => { globalThis.next = r; }); c.enqueue(new TextEncoder().encode("second")); c.close(); } }));');
    const pieces = piecesOf(await stream(instance));
    expect(await pieces.next()).toEqual({ done: false, value: 'first' });
    await instance.call('/go');
    expect([await pieces.next(), await pieces.next()]).toEqual([{ done: false, value: 'second' }, { done: true, value: undefined }]);
  });

  it('is made only as fast as it is read', async () => {
    const instance = micro(`if (request.url.endsWith("made")) return new Response(String(globalThis.made)); globalThis.made = 0; return new Response(new ReadableStream({ pull(c) { globalThis.made += 65536; c.enqueue(new Uint8Array(65536)); if (globalThis.made >= ${LONG}) c.close(); } }));`);
    const made = async (): Promise<number> => Number((await instance.call('/made')).text);
    const body = await stream(instance);
    await wait(300);
    const before = await made();
    await wait(300);
    expect(await made()).toBe(before);
    expect(before).toBeLessThan(UNDERWAY_MAX);
    expect(await sizeOf(body)).toBe(LONG);
  });

  it('of many megabytes is sent in pieces though it was made whole', async () => {
    const { body, sizeBytes } = await open(micro('return new Response("x".repeat(12 * 1024 * 1024));'));
    expect(sizeBytes).toBe(12 * MB);
    expect(await sizeOf(body as Readable)).toBe(12 * MB);
  });

  it('stops when its reader goes away: the signal is aborted, the stream cancelled, background work goes on', async () => {
    const instance = micro('if (request.url.endsWith("seen")) return Response.json(globalThis.seen); const seen = globalThis.seen = []; request.signal.addEventListener("abort", () => seen.push("aborted")); ctx.waitUntil(new Promise((r) => setTimeout(r, 50)).then(() => fetch("http://after.test/")).then(() => seen.push("background"))); return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)); }, cancel(reason) { seen.push("cancelled " + reason.name); } }));');
    const body = await stream(instance);
    await once(body, 'readable');
    body.destroy();
    await expect.poll(async () => (await instance.call('/seen')).json()).toEqual(['aborted', 'cancelled TypeError', 'background']);
  });

  it.each([
    ['an error midway', 'pull(c) { if (this.n) throw new RangeError("midway"); this.n = 1; c.enqueue(new Uint8Array(10)); }', /RangeError: midway\n\s+at .*main\.js/],
    ['a chunk that is no bytes', 'start(c) { c.enqueue({}); }', /must yield Uint8Array chunks/],
    ['a stream that its code closes with an error', 'start(c) { setTimeout(() => c.error(new Error("gave up")), 20); }', /gave up/],
  ])('with %s is cut, and the log says where', async (_, how, text) => {
    const instance = micro(`return new Response(new ReadableStream({ ${how} }));`);
    await expect(sizeOf(await stream(instance))).rejects.toMatchObject({ code: 'MICRO_THREW' });
    expect(instance.logs).toEqual([{ micro: 'main', level: 'error', requestId: 'rq', text: expect.stringMatching(text) }]);
  });

  it('through which nothing goes is cut after its idle time; one that moves is not', async () => {
    const instance = micro('const moves = request.url.endsWith("moves"); return new Response(new ReadableStream({ async start(c) { for (let i = 0; i < 12; i++) { if (moves || i === 0) c.enqueue(new Uint8Array(1)); await new Promise((r) => setTimeout(r, 300)); } c.close(); } }));');
    const [idle, moving] = await Promise.allSettled([stream(instance).then(sizeOf), stream(instance, { url: 'http://guestbook.localhost/moves' }).then(sizeOf)]);
    expect(idle).toMatchObject({ status: 'rejected', reason: { code: 'MICRO_TIMEOUT' } });
    expect(moving).toMatchObject({ status: 'fulfilled', value: 12 });
    expect(instance.logs.map((entry) => entry.text).join()).toMatch(/nothing of its stream moved for 1\.5 seconds/);
  });

  it('ends when its Cell ends', async () => {
    const instance = micro('return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(10)); return new Promise(() => {}); } }));');
    const body = await stream(instance);
    const failed = once(body, 'error');
    body.resume();
    await bench.engine.stop(instance.spec.instanceId, 0);
    expect(await failed).toMatchObject([{ code: 'MICRO_CRASHED' }]);
  });

  it('may take more CPU time than one answer, but no loop', async () => {
    const spin = (ms: number): string => `for (const end = Date.now() + ${ms}; Date.now() < end;);`;
    const small = await openIsolateBench({ limits: { cpuMs: 300 } });
    const streaming = (pull: string): TestInstance => createTestInstance(small.engine, `export default () => { let n = 0; return new Response(new ReadableStream({ pull(c) { ${pull} } })); };`);
    const busy = streaming(`${spin(5)} c.enqueue(new Uint8Array(1024 * 1024)); if (++n === 100) c.close();`);
    const looping = streaming('if (n++) for (;;); c.enqueue(new Uint8Array(10));');
    const read = async ({ spec }: TestInstance): Promise<number> => sizeOf((await small.engine.fetch(spec, 'main', { id: 'rq', method: 'GET', url: 'http://a.test/', headers: [], body: null, hops: 0 })).body as Readable);
    await expect(read(looping)).rejects.toMatchObject({ code: 'MICRO_CPU_EXCEEDED' });
    expect(looping.logs.at(-1)!.text).toMatch(/CPU/);
    expect(await read(busy)).toBe(100 * MB); // some 500 ms
    await small.close();
  });
});

describe('a request body', () => {
  it('reaches the handler before it is complete, and goes back as it comes', async () => {
    const body = new Readable({ read() {} });
    const pieces = piecesOf(await stream(micro('return new Response(request.body);'), { method: 'POST', body }));
    for (const word of ['one', 'two']) {
      body.push(word);
      expect((await pieces.next()).value).toBe(word);
    }
    body.push(null);
    expect((await pieces.next()).done).toBe(true);
  });

  it('of any size is read as a stream, byte by byte', async () => {
    const { body } = source(LONG);
    const answer = await micro('let size = 0, sum = 0; for await (const chunk of request.body) { for (let i = -size & 4095; i < chunk.length; i += 4096) sum += chunk[i]; size += chunk.length; } return Response.json([size, sum]);').call('/', { method: 'POST', body });
    const sum = Array.from({ length: LONG / 65536 }, (_, at) => (at % 251) * 16).reduce((a, b) => a + b);
    expect(answer.json()).toEqual([LONG, sum]);
  });

  it('is taken only as fast as it is read', async () => {
    const { body, taken } = source(LONG);
    const instance = micro('if (request.url.endsWith("on")) { globalThis.on(); return new Response(); } await new Promise((r) => { globalThis.on = r; }); let size = 0; for await (const chunk of request.body) size += chunk.length; return new Response(String(size));');
    const answer = instance.call('/', { method: 'POST', body });
    expect(await settled(taken)).toBeLessThan(UNDERWAY_MAX);
    await instance.call('/on');
    expect((await answer).text).toBe(String(LONG));
  });

  it('that nobody reads does not keep the answer back', async () => {
    const { body, taken } = source(LONG);
    expect((await micro('return new Response("no need");').call('/', { method: 'POST', body })).text).toBe('no need');
    // The connection may be used again: what still comes is thrown away.
    await expect.poll(taken).toBe(LONG);
  });

  it('over 10 MiB cannot be read whole: 413, unless the Micro has an answer of its own', async () => {
    const naive = micro('await request.text(); return new Response("read");');
    const careful = micro('try { await request.json(); } catch (error) { return new Response(error.code + " " + error.status, { status: 400 }); }');
    const large = (): Readable => source(10 * MB + 1).body;
    await expect(naive.call('/', { method: 'POST', body: large() })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE', status: 413 });
    expect((await careful.call('/', { method: 'POST', body: large() })).text).toBe('PAYLOAD_TOO_LARGE 413');
    expect((await naive.call('/', { method: 'POST', body: source(10 * MB).body })).text).toBe('read');
  });

  it('that breaks off is an error for whoever reads it', async () => {
    const body = new Readable({ read() {} });
    body.push('begin');
    const answer = micro('try { await request.text(); } catch (error) { return new Response(error.name + ": " + error.message); }').call('/', { method: 'POST', body });
    setTimeout(() => body.destroy(), 100);
    expect((await answer).text).toBe('TypeError: The other end went away.');
  });

  it('may come slower than an answer may take', async () => {
    const body = Readable.from((async function* () { for (let at = 0; at < 7; at++) { yield Buffer.from('x'); await wait(1_000); } })());
    expect((await micro('return new Response(await request.text());').call('/', { method: 'POST', body })).text).toBe('xxxxxxx');
  });

  it('is never sent a second time', async () => {
    const instance = micro('globalThis.n = (globalThis.n ?? 0) + 1; if (request.url.endsWith("loop")) { await new Promise((r) => setTimeout(r, 200)); for (;;); } await request.text(); return new Response("read");');
    const body = new Readable({ read() {} });
    body.push('begun');
    const [looping, streaming] = await Promise.allSettled([instance.call('/loop'), instance.call('/', { method: 'PUT', body })]);
    expect(looping).toMatchObject({ reason: { code: 'MICRO_CPU_EXCEEDED' } });
    expect(streaming).toMatchObject({ reason: { code: 'MICRO_CRASHED' } });
  });
});

describe('a call out of a Micro', () => {
  const upstream = (answer: (request: MicroRequest) => Promise<MicroResponse>): InstanceInit => ({ services: { fetchUrl: answer } });

  it('streams its body and its answer', async () => {
    const instance = micro(`const body = new ReadableStream({ n: 0, pull(c) { c.enqueue(new Uint8Array(65536)); if (++this.n === ${LONG / 65536}) c.close(); } }); return fetch("http://api.test/", { method: "POST", body, duplex: "half" });`,
      upstream(async ({ body }) => ({ status: 200, headers: [], body: body as Readable })));
    expect(await sizeOf(await stream(instance))).toBe(LONG);
  });

  it('takes only as much of an answer as is read', async () => {
    const { body, taken } = source(LONG);
    const instance = micro('const answer = await fetch("http://api.test/"); if (request.url.endsWith("all")) return answer; await new Promise((r) => setTimeout(r, 1000)); return new Response("enough");', upstream(async () => ({ status: 200, headers: [], body })));
    const answer = instance.call('/');
    await wait(500);
    expect(taken()).toBeGreaterThan(0);
    expect(await settled(taken)).toBeLessThan(UNDERWAY_MAX);
    expect((await answer).text).toBe('enough');
    // With the request its streams are over.
    await expect.poll(() => body.destroyed).toBe(true);
  });

  it('that is aborted is given up outside too, before and after its answer', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const { body } = source(LONG);
    const instance = micro(`
      const late = new AbortController();
      const early = await fetch("http://never.test/", { signal: AbortSignal.timeout(50) }).catch((error) => error.name);
      const answer = await fetch("http://api.test/", { signal: late.signal });
      const reader = answer.body.getReader();
      await reader.read();
      late.abort();
      return Response.json([early, await reader.read().catch((error) => error.name)]);`,
    upstream(async ({ url, signal }) => { signals.push(signal); return url.includes('never') ? new Promise(() => {}) : { status: 200, headers: [], body }; }));
    expect((await instance.call('/')).json()).toEqual(['TimeoutError', 'AbortError']);
    expect(signals[0]?.aborted).toBe(true);
    await expect.poll(() => body.destroyed).toBe(true);
  });

  it('is given up when its own caller goes away', async () => {
    const caller = new AbortController();
    let given: AbortSignal | undefined;
    const instance = micro('return fetch("http://never.test/");', upstream(async ({ signal }) => { given = signal; return new Promise(() => {}); }));
    const answer = open(instance, { signal: caller.signal });
    await expect.poll(() => given, { timeout: 10_000 }).toBeDefined();
    caller.abort();
    await expect(answer).rejects.toThrow();
    expect(given!.aborted).toBe(true);
  });

  it('hears why an answer broke off', async () => {
    const body = Readable.from((async function* () { yield Buffer.from('begin'); throw errorFromRecord({ code: 'EGRESS_FAILED', details: { target: 'api.test', reason: 'its body stands still' } }); })());
    const instance = micro('const answer = await fetch("http://api.test/"); return new Response(await answer.text().catch((error) => error.name + ": " + error.message));', upstream(async () => ({ status: 200, headers: [], body })));
    expect((await instance.call('/')).text).toMatch(/^TypeError: .*its body stands still/);
  });

  it('to another Micro streams through both', async () => {
    const instance = createTestInstance(bench.engine, {
      main: 'export default (request, env) => env.micros.other.fetch("/up", { method: "POST", body: request.body, duplex: "half" });',
      other: 'export default (request) => new Response(request.body.pipeThrough(new TransformStream({ transform(chunk, c) { c.enqueue(chunk.map((byte) => byte + 1)); } })));',
    });
    const bytes = await buffer(await stream(instance, { method: 'POST', body: Readable.from([Buffer.alloc(500_000, 1), Buffer.alloc(500_000, 2)]) }));
    expect([bytes.length, bytes[0], bytes.at(-1)]).toEqual([1_000_000, 2, 3]);
  });
});
