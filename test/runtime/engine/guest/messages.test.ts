// Covers Request, Response and their bodies as the Fetch standard wants them, and the errors of what it does not want.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inside, openInside } from '../../../support/inside.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

describe('Request', () => {
  it.each([
    ['follows a signal of its own', '(() => { const c = new AbortController(); const r = new Request("http://a.b/", { signal: c.signal }); c.abort("why"); return [r.signal === c.signal, r.signal.aborted, r.signal.reason]; })()', [false, true, 'why']],
    ['keeps what was chosen', '(() => { const r = new Request(new Request("http://a.b/", { mode: "same-origin", cache: "no-store", keepalive: true }), { credentials: "omit" }); return [r.mode, r.cache, r.keepalive, r.credentials]; })()', ['same-origin', 'no-store', true, 'omit']],
    ['takes the body of another one', '(async () => { const a = new Request("http://a.b/", { method: "POST", body: "x" }); const b = new Request(a); return [a.bodyUsed, b.bodyUsed, await b.text(), await a.text().catch((e) => e.name)]; })()', [true, false, 'x', 'TypeError']],
    ['takes a stream of another one', '(async () => { const a = new Request("http://a.b/", { method: "POST", duplex: "half", body: ReadableStream.from([new Uint8Array([120])]) }); const b = new Request(a); return [a.bodyUsed, a.body.locked, await b.text()]; })()', [true, true, 'x']],
    ['resolves addresses where the code has said where it is', '(() => { globalThis.location = { href: "http://a.b/c/d" }; try { return new Request("../e").url; } finally { delete globalThis.location; } })()', 'http://a.b/e'],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });

  it.each([
    ['an address that is none', 'new Request("/path")'], ['a name and a password', 'new Request("http://u:p@a.b/")'], ['a method that is none', 'new Request("http://a.b/", { method: "a b" })'],
    ['TRACE', 'new Request("http://a.b/", { method: "TRACE" })'], ['a body with GET', 'new Request("http://a.b/", { body: "x" })'],
    ['a stream that nobody said is one', 'new Request("http://a.b/", { method: "POST", body: new ReadableStream() })'], ['a mode that there is none', 'new Request("http://a.b/", { mode: "navigate" })'],
    ['a signal that is none', 'new Request("http://a.b/", { signal: {} })'], ['only-if-cached from elsewhere', 'new Request("http://a.b/", { cache: "only-if-cached" })'],
  ])('refuses %s', async (_, expression) => {
    expect(await inside.evaluate(expression)).toMatchObject({ thrown: 'TypeError' });
  });
});

describe('Response', () => {
  it.each([
    ['status 99', 'new Response("", { status: 99 })', 'RangeError'], ['status 101', 'new Response(null, { status: 101 })', 'RangeError'], ['status 600', 'new Response("", { status: 600 })', 'RangeError'],
    ['204 with a body', 'new Response("x", { status: 204 })', 'TypeError'], ['a line break in its status text', 'new Response("", { statusText: "a\\nb" })', 'TypeError'],
    ['a redirect of 200', 'Response.redirect("http://a.b/", 200)', 'RangeError'], ['JSON of nothing', 'Response.json(undefined)', 'TypeError'], ['an init that is none', 'new Response("", 5)', 'TypeError'],
    ['a symbol as body', 'new Response(Symbol("x"))', 'TypeError'], ['a body read twice', '(async () => { const r = new Response("x"); await r.text(); return r.text(); })()', 'TypeError'],
    ['a copy of what was read', '(async () => { const r = new Response("x"); await r.text(); return r.clone(); })()', 'TypeError'],
    ['a form that is none', 'new Response("x", { headers: { "content-type": "multipart/form-data; boundary=a" } }).formData()', 'TypeError'],
  ])('refuses %s', async (_, expression, thrown) => {
    expect(await inside.evaluate(expression)).toMatchObject({ thrown });
  });

  it.each([
    ['the type of its Blob as it is written', 'new Response("x", { headers: { "content-type": "Text/HTML;Charset=\\"a b\\"; x" } }).blob().then((b) => b.type)', 'text/html;charset="a b"'],
    ['a form with a quoted boundary', '(async () => { const f = await new Response("--a b\\r\\nContent-Disposition: form-data; name=\\"n\\"\\r\\n\\r\\nv\\r\\n--a b--", { headers: { "content-type": "multipart/form-data; boundary=\\"a b\\"" } }).formData(); return [...f]; })()', [['n', 'v']]],
    ['a copy whose chunks are its own', '(async () => { const bytes = new Uint8Array([1]); const r = new Response(ReadableStream.from([bytes])); const [a, b] = await Promise.all([r.clone(), r].map((x) => x.body.getReader().read())); return a.value !== b.value; })()', true],
    ['a stream that breaks midway', 'new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); }, pull(c) { c.error(new RangeError("midway")); } })).text().catch((e) => e.message)', 'midway'],
    ['members that can be listed', '[Object.keys(Response.prototype).includes("status"), Response.length, Request.length, Object.prototype.toString.call(new Response())]', [true, 0, 1, '[object Response]']],
  ])('gives %s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});

describe('globals', () => {
  it.each([
    ['navigator.userAgent', 'Ownspace'], ['performance.timeOrigin > 1e12 && Number.isInteger(performance.now())', true], ['Object.prototype.toString.call(crypto)', '[object Crypto]'],
    ['[typeof CryptoKey, typeof CompressionStream, typeof TransformStream, typeof URLPattern, typeof QuotaExceededError]', Array.from({ length: 5 }, () => 'function')],
  ])('%s', async (expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});
