// Covers CompressionStream and DecompressionStream: formats, faults, backpressure, and bombs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gunzipSync, gzipSync, inflateRawSync } from 'node:zlib';
import { type Inside, openInside } from '../../../support/inside.ts';
import { createTestInstance } from '../../../support/isolate-instance.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

const bytes = (expression: string): string => `new Response(${expression}).bytes().then((b) => btoa(String.fromCharCode(...b)))`;

describe('compression', () => {
  it('makes what others can read, and reads what others made', async () => {
    const packed = Buffer.from(await inside.evaluate(bytes('new Blob(["hello ".repeat(1000)]).stream().pipeThrough(new CompressionStream("gzip"))')), 'base64');
    expect(gunzipSync(packed).toString()).toBe('hello '.repeat(1000));
    const raw = Buffer.from(await inside.evaluate(bytes('new Blob(["x"]).stream().pipeThrough(new CompressionStream("deflate-raw"))')), 'base64');
    expect(inflateRawSync(raw).toString()).toBe('x');
    const instance = createTestInstance(inside.bench.engine, 'export default { fetch: (request) => new Response(request.body.pipeThrough(new DecompressionStream("gzip"))) };');
    const large = Buffer.alloc(3_000_000, 'abcdefg');
    expect((await instance.call('/', { method: 'POST', body: gzipSync(large) })).bytes.equals(large)).toBe(true);
  });

  it.each([
    ['what is no gzip', 'new Blob(["nonsense"]).stream().pipeThrough(new DecompressionStream("gzip"))'],
    ['what ends too early', 'new Blob([new Uint8Array([120, 156, 75, 76])]).stream().pipeThrough(new DecompressionStream("deflate"))'],
    ['what goes on after its end', 'new Blob([new Uint8Array([3, 0, 0])]).stream().pipeThrough(new DecompressionStream("deflate-raw"))'],
    ['chunks that are no bytes', 'ReadableStream.from(["text"]).pipeThrough(new CompressionStream("gzip"))'],
  ])('fails with %s', async (_, stream) => {
    expect(await inside.evaluate(bytes(stream))).toMatchObject({ thrown: 'TypeError' });
  });

  it('refuses a format that there is none', async () => {
    expect(await inside.evaluate('new CompressionStream("zip")')).toEqual({ thrown: 'TypeError', message: 'The format cannot be zip' });
  });

  it('ends a stream that was left alone while many others were opened, and does not begin it anew', async () => {
    expect(await inside.evaluate(`(async () => {
      const open = async () => { const s = new CompressionStream('gzip'); const w = s.writable.getWriter(); const text = new Response(s.readable).bytes(); await w.write(new Uint8Array(1)); return { w, text }; };
      const first = await open();
      const others = [];
      for (let n = 0; n < 64; n++) others.push(await open());
      first.text.catch(() => {});
      const lost = await first.w.close().catch((e) => e.name);
      await others[63].w.close();
      return [lost, (await others[63].text).length > 10];
    })()`)).toEqual(['OperationError', true]);
  });

  it('unpacks no more of a bomb than is read, and what is read whole meets the memory limit', async () => {
    const bomb = gzipSync(Buffer.alloc(250 * 1024 * 1024), { level: 1 });
    const instance = createTestInstance(inside.bench.engine, `export default { async fetch(request) {
      const stream = request.body.pipeThrough(new DecompressionStream('gzip'));
      if (request.url.endsWith('/all')) return new Response(String((await new Response(stream).bytes()).length));
      const reader = stream.getReader();
      let read = 0;
      while (read < 2_000_000) read += (await reader.read()).value.length;
      await reader.cancel();
      return new Response(String(read));
    } };`);
    expect(Number((await instance.call('/', { method: 'POST', body: bomb })).text)).toBeLessThan(4_000_000);
    await expect(instance.call('/all', { method: 'POST', body: bomb })).rejects.toMatchObject({ code: expect.stringMatching(/^MICRO_/) });
    expect((await instance.call('/', { method: 'POST', body: bomb })).status).toBe(200);
  }, 60_000);
});
