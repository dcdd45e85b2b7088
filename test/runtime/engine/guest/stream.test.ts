// Covers the streams that a Micro finds, and bodies made of them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inside, openInside } from '../../../support/inside.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

describe('streams', () => {
  it.each([
    ['a pipe through a transform', 'Array.fromAsync(ReadableStream.from([1, 2]).pipeThrough(new TransformStream({ transform: (n, c) => c.enqueue(n * 2), flush: (c) => c.enqueue("end") })))', [2, 4, 'end']],
    ['backpressure', '(async () => { let pulled = 0; const s = new ReadableStream({ pull(c) { pulled++; c.enqueue(1); } }, new CountQueuingStrategy({ highWaterMark: 3 })); await 1; await 1; await 1; await 1; await 1; return pulled; })()', 3],
    ['a writer that waits', '(async () => { const w = new WritableStream({}, { highWaterMark: 1 }).getWriter(); const before = w.desiredSize; const done = w.write("x"); const during = w.desiredSize; await done; return [before, during, w.desiredSize]; })()', [1, 0, 1]],
    ['bytes read into a buffer of the reader', '(async () => { const s = new ReadableStream({ type: "bytes", pull(c) { const view = c.byobRequest.view; view.set([7, 8]); c.byobRequest.respond(2); } }); const { value } = await s.getReader({ mode: "byob" }).read(new Uint8Array(4)); return [[...value], value.buffer.byteLength]; })()', [[7, 8], 4]],
    ['a buffer that was given away', '(() => { const bytes = new Uint8Array(4); const s = new ReadableStream({ type: "bytes", start(c) { c.enqueue(bytes); } }); return bytes.buffer.detached; })()', true],
    ['an error midway', '(async () => { const seen = []; try { for await (const n of new ReadableStream({ start(c) { c.enqueue(1); }, pull(c) { c.error(new RangeError("midway")); } })) seen.push(n); } catch (e) { seen.push(e.message); } return seen; })()', [1, 'midway']],
    ['an aborted pipe', 'ReadableStream.from([1]).pipeTo(new WritableStream(), { signal: AbortSignal.abort() }).catch((e) => [e.name, e instanceof DOMException])', ['AbortError', true]],
    ['the signal of a sink', '(async () => { let signal; const w = new WritableStream({ start(c) { signal = c.signal; } }); await w.abort("why"); return [signal.aborted, signal.reason, signal instanceof AbortSignal]; })()', [true, 'why', true]],
    ['what a body stream may hold', 'new Response(ReadableStream.from(["text"])).text().catch((e) => [e.name, e.message])', ['TypeError', 'A body stream must yield Uint8Array chunks']],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});

describe('a body', () => {
  it.each([
    ['is used once its stream was read', '(async () => { const r = new Response("ab"); const before = r.bodyUsed; await r.body.getReader().read(); return [before, r.bodyUsed, await r.text().catch((e) => e.name)]; })()', [false, true, 'TypeError']],
    ['shows a stream that is used when it was read before', '(async () => { const r = new Response("ab"); await r.text(); return [r.bodyUsed, r.body.locked]; })()', [true, true]],
    ['cannot be made of a stream that was read', '(async () => { const s = new Response("ab").body; const reader = s.getReader(); await reader.read(); reader.releaseLock(); return new Response(s); })()', { thrown: 'TypeError', message: 'The stream is in use already' }],
    ['is read by a reader with buffers of its own', '(async () => { const reader = new Response("abc").body.getReader({ mode: "byob" }); const { value } = await reader.read(new Uint8Array(2)); return [...value]; })()', [97, 98]],
    ['can be copied while nobody reads', '(async () => { const r = new Response(ReadableStream.from([new Uint8Array([97])])); const c = r.clone(); return [await r.text(), await c.text()]; })()', ['a', 'a']],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });

  it('is read as it is when a guest changed the prototypes of streams', async () => {
    const answer = await inside.evaluate(`(async () => {
      const kept = ReadableStreamDefaultReader.prototype.read;
      ReadableStreamDefaultReader.prototype.read = () => { throw new Error('patched'); };
      ReadableStream.prototype.getReader = () => { throw new Error('patched'); };
      try { return await new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([111, 107])); c.close(); } })).text(); } finally { ReadableStreamDefaultReader.prototype.read = kept; }
    })()`);
    expect(answer).toBe('ok');
  });
});
