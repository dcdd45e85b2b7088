// Covers what the code of a Micro sees: requests, responses, the web API, its module, its errors and its console.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Readable } from 'node:stream';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../../support/isolate-instance.ts';

let bench: IsolateBench;
beforeAll(async () => { bench = await openIsolateBench(); });
afterAll(() => bench.close());

/** A Micro whose handler is this expression or function body. */
const micro = (body: string, before = ''): TestInstance => createTestInstance(bench.engine, `${before}\nexport default { async fetch(request, env, ctx) { ${body} } };`);
/** What an expression gives inside, as JSON. */
const evaluate = async (expression: string): Promise<any> => {
  const answer = await micro(`return Response.json(await (async () => (${expression}))() ?? null);`).call('/');
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json();
};

describe('a request', () => {
  it('reaches the handler whole and is answered', async () => {
    const instance = micro('const { method, url } = request; return new Response(JSON.stringify({ method, url, a: request.headers.get("x-a"), list: [...request.headers] }), { status: 201, headers: { "x-b": "2", "content-type": "application/json" } });');
    const answer = await instance.call('/path?q=1', { method: 'DELETE', headers: ['X-A', 'one', 'x-a', 'two', 'Accept', '*/*'] });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-b')).toBe('2');
    expect(answer.json()).toEqual({ method: 'DELETE', url: 'http://guestbook.localhost/path?q=1', a: 'one, two', list: [['accept', '*/*'], ['x-a', 'one, two']] });
  });

  it.each([
    ['text', 'request.text()', 'grüße 🎉'],
    ['json', 'request.json()', '{"a":[1,{"b":"ü"}]}'],
  ])('gives its body as %s', async (_, read, body) => {
    const answer = await micro(`const value = await ${read}; return new Response(typeof value === 'string' ? value : JSON.stringify(value));`).call('/', { method: 'POST', body });
    expect(answer.text).toBe(body);
  });

  it.each(['arrayBuffer', 'bytes', 'blob'])('gives its body as %s, byte by byte', async (read) => {
    const body = Buffer.from(Array.from({ length: 70_000 }, (_, at) => at * 7));
    const answer = await micro(`return new Response(await request.${read}());`).call('/', { method: 'POST', body });
    expect(answer.bytes.equals(body)).toBe(true);
  });

  it('takes a streamed body, and a large one in pieces beside small requests', async () => {
    const instance = micro('const bytes = await request.bytes(); return new Response(bytes, { headers: { "x-size": String(bytes.length) } });');
    const large = Buffer.alloc(9 * 1024 * 1024, 7);
    const [echo, ...small] = await Promise.all([instance.call('/', { method: 'POST', body: Readable.from([large.subarray(0, 1000), large.subarray(1000)]) }), ...Array.from({ length: 20 }, (_, at) => instance.call('/', { method: 'POST', body: `small ${at}` }))]);
    expect(echo!.bytes.equals(large)).toBe(true);
    expect(small.map((answer) => answer.text)).toEqual(Array.from({ length: 20 }, (_, at) => `small ${at}`));
  });

  it('parses forms of both kinds', async () => {
    const instance = micro('const form = await request.formData(); const file = form.get("file"); return Response.json([form.get("name"), file && [file.name, file.type, file.size, await file.text()]]);');
    const urlencoded = await instance.call('/', { method: 'POST', headers: ['content-type', 'application/x-www-form-urlencoded'], body: 'name=J%C3%B6rg+X&x=1' });
    expect(urlencoded.json()).toEqual(['Jörg X', null]);
    const body = '--XX\r\nContent-Disposition: form-data; name="name"\r\n\r\nÄ\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/html\r\n\r\nline\r\n--X\r\n\r\n--XX--\r\n';
    const multipart = await instance.call('/', { method: 'POST', headers: ['content-type', 'multipart/form-data; boundary=XX'], body });
    expect(multipart.json()).toEqual(['Ä', ['a.txt', 'text/html', 11, 'line\r\n--X\r\n']]);
  });
});

describe('a response', () => {
  it.each([
    ['a promise of one', 'return new Promise((resolve) => setTimeout(() => resolve(new Response("late")), 20));', 200, 'late'],
    ['null bodies', 'return new Response(null, { status: 204 });', 204, ''],
    ['JSON', 'return Response.json({ a: "ü" }, { status: 202 });', 202, '{"a":"ü"}'],
    ['bytes', 'return new Response(new Uint8Array([104, 105]).subarray(0, 2));', 200, 'hi'],
    ['a Blob', 'return new Response(new Blob(["a", new Blob(["b"])], { type: "x/y" }));', 200, 'ab'],
    ['parameters', 'return new Response(new URLSearchParams({ a: "b c" }));', 200, 'a=b+c'],
    ['a stream', 'return new Response(new ReadableStream({ async pull(c) { c.enqueue(new TextEncoder().encode("x")); await 1; if (++globalThis.n > 2) c.close(); } }));', 200, 'xxx'],
    ['a copied response', 'const first = new Response("once"); const second = first.clone(); await first.text(); return second;', 200, 'once'],
  ])('may be %s', async (_, body, status, text) => {
    const answer = await micro(body, 'globalThis.n = 0;').call('/');
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it('carries cookies apart and redirects', async () => {
    const instance = micro('if (request.url.endsWith("/away")) return Response.redirect("https://example.org/x", 303); const r = new Response("c"); r.headers.append("set-cookie", "a=1"); r.headers.append("Set-Cookie", "b=2"); return r;');
    expect((await instance.call('/')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const away = await instance.call('/away');
    expect([away.status, away.headers.get('location')]).toEqual([303, 'https://example.org/x']);
  });

  it.each([
    ['nothing', '', 'the handler returned nothing instead of a Response'],
    ['a text', 'return "hello";', 'the handler returned a string instead of a Response'],
    ['one that was read', 'const r = new Response("x"); await r.text(); return r;', 'read already'],
    ['one that was used before', 'return globalThis.kept ??= new Response("x");', 'read already', 2],
    ['Response.error()', 'return Response.error();', 'Response.error() is no answer'],
  ])('is refused when it is %s', async (_, body, reason, times = 1) => {
    const instance = micro(body);
    for (let at = 1; at < times; at++) await instance.call('/');
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_BAD_RESPONSE', message: expect.stringContaining(reason) });
    expect(instance.logs.at(-1)).toMatchObject({ level: 'error', text: expect.stringContaining(reason) });
  });

  it.each(['{ status: 99 }', '{ status: 101 }', '{ status: 600 }', '{ headers: { "a b": "c" } }', '{ headers: { a: "b\\nc" } }', '{ headers: { a: "\\u0100" } }', '{ status: 204 }', '{ statusText: "\\n" }'])('cannot be made with %s', async (init) => {
    expect(await evaluate(`(() => { try { new Response("body", ${init}); return "made"; } catch (error) { return error.name; } })()`)).toMatch(/^(TypeError|RangeError)$/);
  });
});

describe('the web API inside', () => {
  it.each([
    ['new URL("../b?x=1#y", "https://user:pw@Example.org:8443/a/c").href', 'https://user:pw@example.org:8443/b?x=1#y'],
    ['new URL("http://münchen.de:80/ä").href', 'http://xn--mnchen-3ya.de/%C3%A4'],
    ['(() => { const u = new URL("http://a.b/c?d=e"); u.searchParams.append("f", "g h"); u.port = "81"; u.hash = "i"; return u.href; })()', 'http://a.b:81/c?d=e&f=g+h#i'],
    ['(() => { const u = new URL("http://a.b/?d=e"); const p = u.searchParams; u.search = "?x=y"; return [...p]; })()', [['x', 'y']]],
    ['[URL.canParse("nonsense"), URL.canParse("a:b"), new URL("http://127.1/").hostname, new URL("http://a.b/x/../y").pathname, new URL("http://1.2.3/").hostname]', [false, true, '127.0.0.1', '/y', '1.2.0.3']],
    ['new URLPattern("https://*.example.org/:id(\\\\d+)").exec("https://a.example.org/12").pathname.groups.id', '12'],
    ['new URLSearchParams("a=1&b=%zz&a=%C3%BC&c").getAll("a").concat(new URLSearchParams("b=%zz&c").toString())', ['1', 'ü', 'b=%25zz&c=']],
    ['new TextDecoder().decode(new TextEncoder().encode("€🎉"))', '€🎉'],
    ['[...new TextEncoder().encode("é")]', [195, 169]],
    ['[btoa("hällo".replace("ä", "\\xe4")), atob(btoa("\\x00\\xff"))]', ['aORsbG8=', '\x00\xff']],
    ['(() => { const source = { a: [1, new Date(5)], m: new Map([["k", new Set([1])]]), u: new Uint8Array([1, 2]) }; source.self = source; const copy = structuredClone(source); return [copy !== source, copy.self === copy, copy.a[1].getTime(), [...copy.m.get("k")], [...copy.u]]; })()', [true, true, 5, [1], [1, 2]]],
    ['(() => { try { structuredClone(() => 1); } catch (error) { return [error.name, error instanceof DOMException]; } })()', ['DataCloneError', true]],
    ['crypto.randomUUID() !== crypto.randomUUID() && /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())', true],
    ['new Set(crypto.getRandomValues(new Uint32Array(1000))).size > 990', true],
    ['(() => { const c = new AbortController(); let n = 0; c.signal.addEventListener("abort", () => n++); c.abort(); c.abort(); return [n, c.signal.aborted, c.signal.reason.name]; })()', [1, true, 'AbortError']],
    ['new Promise((r) => { const s = AbortSignal.timeout(5); s.onabort = () => r(s.reason.name); })', 'TimeoutError'],
    ['new Promise((r) => { const order = []; setTimeout(() => { order.push("t2"); r(order); }, 15); setTimeout((x) => order.push(x), 1, "t1"); queueMicrotask(() => order.push("m")); order.push("s"); })', ['s', 'm', 't1', 't2']],
    ['new Promise((r) => { let n = 0; const id = setInterval(() => { if (++n === 3) { clearInterval(id); setTimeout(() => r(n), 20); } }, 2); })', 3],
    ['(async () => { const b = new Blob(["ab", new Uint8Array([99])], { type: "Text/Plain" }); return [b.size, b.type, await b.slice(1).text()]; })()', [3, 'text/plain', 'bc']],
    ['(async () => { const [a, b] = new Response("tee").body.tee(); return [await new Response(a).text(), await new Response(b).text()]; })()', ['tee', 'tee']],
    ['(() => { const h = new Headers({ b: "1", A: "2" }); h.append("b", "3"); h.set("c", "x"); h.delete("a"); return [[...h], h.has("B"), h.get("z")]; })()', [[['b', '1, 3'], ['c', 'x']], true, null]],
    ['(() => { const r = new Request("http://a.b/", { method: "post", body: "x", headers: { q: "1" } }); const s = new Request(r, { headers: { z: "2" } }); return [s.method, s.headers.get("z"), s.headers.get("q"), r.bodyUsed]; })()', ['POST', '2', null, true]],
    ['(() => { try { new Request("http://a.b/", { body: "x" }); } catch (e) { return e.name; } })()', 'TypeError'],
    ['[typeof performance.now(), typeof self, self === globalThis]', ['number', 'object', true]],
    ['new Promise((r) => { const t = new EventTarget(); t.addEventListener("x", (e) => r(e.detail), { once: true }); t.dispatchEvent(new CustomEvent("x", { detail: 4 })); })', 4],
    ['(async () => { const f = new FormData(); f.append("a", "1"); f.append("f", new File(["x"], "n.txt", { type: "t/x" })); const g = await new Response(f).formData(); return [g.get("a"), g.get("f").name, g.get("f").type, await g.get("f").text()]; })()', ['1', 'n.txt', 't/x', 'x']],
  ])('%s', async (expression, expected) => {
    expect(await evaluate(expression)).toEqual(expected);
  });

  it('has no clock finer than a millisecond', async () => {
    const steps = await evaluate('(() => { const seen = new Set(); const end = Date.now() + 60; while (Date.now() < end) seen.add(performance.now()); return [...seen]; })()');
    expect(steps.length).toBeGreaterThan(1);
    for (const step of steps) expect(Number.isInteger(step)).toBe(true);
  });
});

describe('the module', () => {
  it('may use top-level await, a function as default, and its variables', async () => {
    const instance = createTestInstance(bench.engine, 'const late = await new Promise((r) => setTimeout(() => r("late"), 10)); export default (request, env) => new Response(late + env.WORD + env.MICRO);', { env: { WORD: '-w-' } });
    expect((await instance.call('/')).text).toBe('late-w-main');
  });

  it('keeps its state between requests', async () => {
    const instance = micro('return new Response(String(++n));', 'let n = 0;');
    await instance.call('/');
    expect((await instance.call('/')).text).toBe('2');
  });

  it.each([
    ['a syntax error', '\nexport default {,}', /Unexpected token ','.*main\.js:2/],
    ['a missing import', 'import x from "left-pad"; export default {}', /Cannot find module 'left-pad'/],
    ['a built-in of Node', 'import fs from "node:fs"; export default {}', /Cannot find module 'node:fs'/],
    ['no handler', 'export const x = 1;', /no default export with a fetch function/],
    ['an exception', '\n\nthrow new Error("at start")', /at start/],
    ['an endless loop', 'for (;;);', /ran longer than|CPU/],
    ['an endless wait after its export', 'export default () => new Response("x"); await new Promise(() => {});', /did not finish within/],
    ['an endless wait', 'await new Promise(() => {}); export default {}', /did not finish within/],
  ])('with %s does not start', async (_, code, reason) => {
    const instance = createTestInstance(bench.engine, code);
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_START_FAILED', message: expect.stringMatching(reason) });
    expect(instance.logs.at(-1)!.text).toMatch(reason);
  });

  it('that threw at its start is tried again by the next request', async () => {
    const instance = createTestInstance(bench.engine, 'await fetch("http://x.test/"); export default () => new Response("up");', { services: { fetchUrl: async () => { if (first) { first = false; throw new Error('down'); } return { status: 200, headers: [], body: null }; } } });
    let first = true;
    await expect(instance.call('/')).rejects.toMatchObject({ code: 'MICRO_START_FAILED' });
    expect((await instance.call('/')).text).toBe('up');
  });
});

describe('what goes wrong in a handler', () => {
  it.each([
    ['an Error', 'throw new TypeError("broken thing")', /TypeError: broken thing\n\s+at .*main\.js:2/],
    ['an Error with a cause', 'throw new Error("outer", { cause: new Error("inner") })', /outer[^]*caused by: Error: inner/],
    ['a text', 'throw "just text"', /thrown: just text/],
    ['undefined', 'throw undefined', /thrown: undefined/],
    ['a frozen null-prototype object', 'throw Object.freeze(Object.create(null))', /./],
    ['a Proxy that throws', 'throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } })', /cannot be read/],
    ['throwing getters', 'throw { get message() { throw 1; }, get stack() { throw 2; } }', /cannot be read/],
    ['a rejection', 'return Promise.reject(new RangeError("later"))', /RangeError: later/],
    ['a thenable that throws', 'return { then() { throw new Error("thenable"); } }', /thenable/],
  ])('%s becomes MICRO_THREW and a log entry', async (_, body, text) => {
    const instance = micro(body);
    await expect(instance.call('/', { id: 'the-request' })).rejects.toMatchObject({ code: 'MICRO_THREW', blame: 'micro', status: 500 });
    expect(instance.logs).toHaveLength(1);
    expect(instance.logs[0]).toMatchObject({ micro: 'main', level: 'error', requestId: 'the-request', text: expect.stringMatching(text) });
    expect(instance.logs[0]!.text).not.toMatch(/\/work|node_modules|cell-|ownspace:|isolated-vm/);
  });

  it('an unhandled rejection is logged and does no harm', async () => {
    const instance = micro('Promise.reject(new Error("nobody listens")); return new Response("fine");');
    expect((await instance.call('/')).text).toBe('fine');
    await expect.poll(() => instance.logs.map((entry) => entry.text).join()).toContain('nobody listens');
    expect((await instance.call('/')).text).toBe('fine');
  });

  it('never answering ends at the wall limit, and the Micro works on', async () => {
    const slow = await openIsolateBench({ limits: { wallMs: 5_000 } });
    const instance = createTestInstance(slow.engine, 'export default { fetch: (request) => request.url.endsWith("/never") ? new Promise(() => {}) : new Response("ok") };');
    await instance.call('/');
    await expect(instance.call('/never')).rejects.toMatchObject({ code: 'MICRO_TIMEOUT', status: 504 });
    expect((await instance.call('/')).text).toBe('ok');
    await slow.close();
  });

  it('a caller that goes away aborts the request inside', async () => {
    const instance = micro('if (request.url.endsWith("/seen")) return new Response(String(globalThis.gone)); request.signal.addEventListener("abort", () => { globalThis.gone = true; }); await new Promise(() => {});');
    const caller = new AbortController();
    const call = instance.call('/', { signal: caller.signal });
    setTimeout(() => caller.abort(), 300);
    await expect(call).rejects.toThrow();
    await expect.poll(async () => (await instance.call('/seen')).text).toBe('true');
  });
});

describe('console', () => {
  it('writes to the Instance\'s log with level and request', async () => {
    const instance = micro('console.log("a %s", 1, { b: [2], c: new Map([[1, "x"]]) }); console.error(new Error("bad")); console.debug("d"); console.warn("w"); return new Response("ok");');
    await instance.call('/', { id: 'rq' });
    expect(instance.logs.map(({ level, requestId }) => [level, requestId])).toEqual([['info', 'rq'], ['error', 'rq'], ['debug', 'rq'], ['warn', 'rq']]);
    expect(instance.logs[0]!.text).toBe('a 1 { b: [ 2 ], c: Map(1) { 1 => "x" } }');
    expect(instance.logs[1]!.text).toMatch(/^Error: bad\n\s+at .*main\.js/);
  });

  it('shows cycles, deep values and hostile ones without harm', async () => {
    const instance = micro('const a = { b: { c: { d: { e: { f: 1 } } } } }; a.self = a; console.log(a); console.log({ get x() { throw 1; } }, new Proxy({}, { ownKeys() { throw 2; } })); return new Response("ok");');
    await instance.call('/');
    expect(instance.logs[0]!.text).toContain('[Circular]');
    expect(instance.logs[1]!.text).toContain('[cannot be shown]');
  });

  it('is cut when there is too much of it, and says so', async () => {
    const instance = micro('for (let i = 0; i < 100000; i++) console.log("line " + i); return new Response("ok");');
    await instance.call('/');
    await instance.call('/');
    expect(instance.logs.length).toBeLessThan(10_000);
    expect(instance.logs.some((entry) => /log entries were dropped/.test(entry.text))).toBe(true);
  });
});
