// Covers what a Micro reaches beyond itself: Base, Drive, fetch, its sibling Micros, the module "deta".
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { silentLog } from '../../../core/log.ts';
import { SpaceError } from '../../../core/errors.ts';
import { createData } from '../../../sandbox-data/open.ts';
import type { Collection, Data } from '../../../sandbox-data/data.ts';
import { createTestInstance, type InstanceInit, type IsolateBench, openIsolateBench, type TestInstance } from '../../support/isolate-instance.ts';

let bench: IsolateBench;
let data: Data;
let count = 0;
beforeAll(async () => {
  bench = await openIsolateBench();
  data = await createData({ folder: join(bench.folder, 'data'), log: silentLog });
});
afterAll(async () => { await data.close(); await bench.close(); });

/** An Instance with a Collection of its own. */
function withData(code: string | Record<string, string>, init: InstanceInit = {}): TestInstance & { collection: Collection } {
  const collection = data.collection({ spaceId: 'space1', collectionId: `c${++count}collect` });
  const services = { base: (name: string) => collection.base(name), drive: (name: string) => collection.drive(name), ...init.services };
  return { ...createTestInstance(bench.engine, code, { ...init, services }), collection };
}

const handler = (body: string): string => `export default { async fetch(request, env, ctx) { ${body} } };`;
/** What a piece of code gives, with `db` and `drive` at hand. */
const evaluate = async (body: string): Promise<any> => {
  const answer = await withData(handler(`const db = env.Base('things'); const drive = env.Drive('files'); return Response.json(await (async () => { ${body} })() ?? null);`)).call('/');
  return answer.json();
};

describe('env.Base', () => {
  it('stores, reads, overwrites and deletes Items', async () => {
    expect(await evaluate(`
      const put = await db.put({ a: 1, list: ['ü'] }, 'k');
      const again = await db.get('k');
      const wrapped = await db.put('text', 'w');
      const keyed = await db.put({ key: 'own', b: false });
      const made = await db.put({ c: 1 });
      return [put, again, wrapped, keyed, typeof made.key, await db.get('nothing'), await db.delete('k'), await db.get('k')];
    `)).toEqual([{ a: 1, list: ['ü'], key: 'k' }, { a: 1, list: ['ü'], key: 'k' }, { value: 'text', key: 'w' }, { key: 'own', b: false }, 'string', null, null, null]);
  });

  it('inserts once, puts many, and says what is wrong', async () => {
    expect(await evaluate(`
      await db.insert({ a: 1 }, 'once');
      const twice = await db.insert({ a: 2 }, 'once').catch((e) => [e.message, e.code, e.status]);
      const many = await db.putMany([{ key: 'm1', x: 1 }, 'two']);
      const tooMany = await db.putMany(Array(26).fill({})).catch((e) => e.message);
      const blank = await db.get('  ').catch((e) => e.message);
      return [twice, many.processed.items.length, tooMany, blank];
    `)).toEqual([['Item with key once already exists', 'BASE_KEY_EXISTS', 409], 2, "We can't put more than 25 items at a time", 'Key is empty']);
  });

  it('updates with every operation', async () => {
    expect(await evaluate(`
      await db.put({ profile: { age: 32, town: 'p' }, mobile: true, likes: ['anime'], dislikes: ['comedy'], n: 1 }, 'u');
      await db.update({ 'profile.age': 33, 'profile.town': db.util.trim(), mobile: db.util.trim(), n: db.util.increment(2), likes: db.util.append('ramen'), dislikes: db.util.prepend(['action']) }, 'u');
      const missing = await db.update({ a: 1 }, 'none').catch((e) => e.code);
      return [await db.get('u'), missing];
    `)).toEqual([{ key: 'u', profile: { age: 33 }, likes: ['anime', 'ramen'], dislikes: ['action', 'comedy'], n: 3 }, 'BASE_KEY_NOT_FOUND']);
  });

  it('fetches by query, in pages', async () => {
    expect(await evaluate(`
      await db.putMany([1, 2, 3, 4].map((n) => ({ key: 'k' + n, n })));
      const first = await db.fetch({ 'n?gt': 1 }, { limit: 2 });
      const rest = await db.fetch({ 'n?gt': 1 }, { limit: 2, last: first.last });
      const all = await db.fetch();
      const down = await db.fetch([], { desc: true });
      const bad = await db.fetch({ 'n?random': 1 }).catch((e) => e.message);
      return [first.items.map((i) => i.n), first.count, first.last, rest, all.count, down.items[0].n, bad];
    `)).toEqual([[2, 3], 2, 'k3', { items: [{ key: 'k4', n: 4 }], count: 1 }, 4, 4, 'Bad query']);
  });

  it('lets Items expire', async () => {
    const [item, mixed, gone] = await evaluate(`
      return [await db.put({ a: 1 }, 'e', { expireIn: 300 }), await db.put({}, 'f', { expireIn: 1, expireAt: 2 }).catch((e) => e.message), await db.put({}, 'g', { expireAt: new Date(1000) }).then(() => db.get('g'))];
    `);
    expect(Math.abs(item.__expires - Date.now() / 1000 - 300)).toBeLessThan(5);
    expect(mixed).toMatch(/mutually exclusive/);
    expect(gone).toBe(null);
  });

  it('writes on a condition: each way of writing, met and not met', async () => {
    expect(await evaluate(`
      const failed = (write) => write.then(() => 'written', (e) => [e.code, e.status]);
      const first = await db.put({ n: 1 }, 'k', { ifNoneMatch: '*' });
      const tag = db.etag(first);
      const second = await db.put({ n: 2 }, 'k', { ifMatch: tag });
      const old = [
        await failed(db.put({ n: 9 }, 'k', { ifMatch: tag })), await failed(db.update({ n: 9 }, 'k', { ifMatch: tag })),
        await failed(db.delete('k', { ifMatch: tag })), await failed(db.insert({ n: 9 }, 'new', { ifMatch: tag })),
        await failed(db.put({ n: 9 }, 'k', { ifNoneMatch: '*' })), await failed(db.put({ n: 9 }, 'none', { ifMatch: '*' })),
      ];
      const kept = await db.get('k');
      await db.update({ n: 3 }, 'k', { ifMatch: db.etag(kept) });
      const later = await db.get('k');
      await db.delete('k', { ifMatch: '"0", ' + db.etag(later) });
      return [tag, db.etag(second) === db.etag(kept), old, kept, later, await db.get('k')];
    `)).toEqual([expect.stringMatching(/^"\d+"$/), true, Array.from({ length: 6 }, () => ['BASE_CONDITION_FAILED', 412]), { key: 'k', n: 2 }, { key: 'k', n: 3 }, null]);
  });

  it('never takes a condition that got lost for none', async () => {
    expect(await evaluate(`
      const failed = (write) => write.then(() => 'written', (e) => e.code ?? e.name);
      const { items: [fetched] } = await db.put({ n: 1 }, 'k').then(() => db.fetch());
      const tagOf = (item) => { try { return db.etag(item); } catch (e) { return e.name; } };
      return [
        tagOf(fetched), tagOf(null), tagOf({ key: 'k' }),
        await failed(db.put({}, 'k', { ifMatch: undefined })), await failed(db.update({}, 'k', { ifMatch: 5 })), await failed(db.delete('k', { ifNoneMatch: '' })),
        await failed(db.put({}, 'k', { ifMatch: 'no ETag' })), await failed(db.putMany([{ key: 'a' }, { key: 'b' }], { ifNoneMatch: '*' })), await db.get('a'),
        await db.get('k'),
      ];
    `)).toEqual(['TypeError', 'TypeError', 'TypeError', 'TypeError', 'TypeError', 'TypeError', 'BASE_CONDITION_FAILED', 'BASE_BAD_ITEM', null, { key: 'k', n: 1 }]);
  });

  it('does what docs/data.md shows', async () => {
    const [, shown] = /^```js\n(.*?)^```$/ms.exec(await readFile('docs/data.md', 'utf8')) ?? [];
    expect(shown).toContain('ifMatch');
    expect(await evaluate(`${shown} return counters.get('visits');`)).toEqual({ key: 'visits', n: 1 });
  });

  it('lets one of many writers through for each version', async () => {
    expect(await evaluate(`
      await db.put({ n: 0 }, 'count');
      const add = async () => {
        for (;;) {
          const item = await db.get('count');
          try { return await db.put({ n: item.n + 1 }, 'count', { ifMatch: db.etag(item) }); } catch (e) { if (e.code !== 'BASE_CONDITION_FAILED') throw e; }
        }
      };
      await Promise.all(Array.from({ length: 40 }, add));
      return db.get('count');
    `)).toEqual({ key: 'count', n: 40 });
  });

  it('bears a thousand calls at once', async () => {
    expect(await evaluate(`
      await Promise.all(Array.from({ length: 1000 }, (_, n) => db.put({ n }, 'k' + n)));
      const items = await Promise.all(Array.from({ length: 1000 }, (_, n) => db.get('k' + n)));
      return items.every((item, n) => item.n === n);
    `)).toBe(true);
  });
});

describe('env.Drive', () => {
  it('stores and gives Files: text, bytes, Blobs', async () => {
    expect(await evaluate(`
      const names = [await drive.put('a.txt', { data: 'grüße' }), await drive.put('b.bin', { data: new Uint8Array([0, 255, 1]), contentType: 'x/y' }), await drive.put('d/c', { data: new Blob(['blob'], { type: 'text/css' }) })];
      const a = await drive.get('a.txt'), b = await drive.get('b.bin'), c = await drive.get('d/c');
      return [names, a instanceof Blob, await a.text(), a.type, [...await b.bytes()], b.type, await c.text(), c.type, await drive.get('none')];
    `)).toEqual([['a.txt', 'b.bin', 'd/c'], true, 'grüße', expect.stringMatching(/^text\/plain/), [0, 255, 1], 'x/y', 'blob', 'text/css', null]);
  });

  it('lists and deletes', async () => {
    expect(await evaluate(`
      for (const name of ['a', 'b', 'd/c']) await drive.put(name, { data: name });
      return [await drive.list(), await drive.list({ limit: 2 }), await drive.list({ recursive: false, prefix: '' }), await drive.delete('a'), await drive.deleteMany(['b', 'nope']), await drive.list({ prefix: 'd/' }), await drive.put('', { data: '' }).catch((e) => e.message), await drive.put('x', {}).catch((e) => e.message)];
    `)).toEqual([{ names: ['a', 'b', 'd/c'] }, { paging: { size: 2, last: 'b' }, names: ['a', 'b'] }, { names: ['a', 'b', 'd/'] }, 'a', { deleted: ['b', 'nope'], failed: {} }, { names: ['d/c'] }, 'Name is empty', 'Please provide data']);
  });

  it('carries Files of many megabytes', async () => {
    expect(await evaluate(`
      const bytes = new Uint8Array(12 * 1024 * 1024).fill(5); bytes[bytes.length - 1] = 9;
      await drive.put('large', { data: bytes });
      const back = await (await drive.get('large')).bytes();
      return [back.length, back[0], back.at(-1)];
    `)).toEqual([12 * 1024 * 1024, 5, 9]);
  });
});

it('import from "deta" gives the same', async () => {
  const instance = withData(`import { Base, Drive, Deta } from "deta"; const db = Base('x'); ${handler('await db.put({ a: 1 }, "k"); await Deta("key").Drive("f").put("n", { data: "d" }); return Response.json([await env.Base("x").get("k"), await (await Drive("f").get("n")).text(), typeof globalThis.__deta]);')}`);
  expect((await instance.call('/')).json()).toEqual([{ a: 1, key: 'k' }, 'd', 'undefined']);
});

it('two Instances with the same names see nothing of each other', async () => {
  const code = handler('const db = env.Base("shared"); if (request.method === "PUT") await db.put({ by: env.WHO }, "k"); return Response.json([globalThis.secret ??= env.WHO, await db.get("k")]);');
  const [ann, bob] = [withData(code, { env: { WHO: 'ann' } }), withData(code, { env: { WHO: 'bob' } })];
  expect((await ann.call('/', { method: 'PUT' })).json()).toEqual(['ann', { key: 'k', by: 'ann' }]);
  expect((await bob.call('/')).json()).toEqual(['bob', null]);
});

describe('fetch', () => {
  const echo = { fetchUrl: async (request: any) => ({ status: 207, headers: ['X-Got', request.method, 'x-hops', String(request.hops)], body: Readable.from([Buffer.from(request.url), Buffer.from(request.body ?? '')]) }) };

  it('sends method, headers and body, and gives a Response', async () => {
    const instance = withData(handler('const r = await fetch("https://api.test/x?y", { method: "PUT", headers: { "x-a": "1" }, body: "payload" }); return Response.json([r.status, r.ok, r.url, r.headers.get("x-got"), await r.text()]);'), { services: echo });
    expect((await instance.call('/')).json()).toEqual([207, true, 'https://api.test/x?y', 'PUT', 'https://api.test/x?ypayload']);
  });

  it('leaves redirects to the host, and says what is wanted', async () => {
    const instance = withData(handler('await fetch("http://a.test/", { redirect: "manual" }); await fetch("http://b.test/"); return Response.json(await fetch("http://c.test/", { redirect: "sometimes" }).catch((e) => e.name));'));
    expect((await instance.call('/')).json()).toBe('TypeError');
    expect(instance.fetched.map((request) => request.redirect)).toEqual(['manual', 'follow']);
  });

  it('counts the calls that led here, which no guest can change', async () => {
    const instance = withData(handler('const r = await fetch(new Request("http://a.test/", { headers: { "x-hops": "0", hops: "0" } })); return new Response(r.headers.get("x-hops"));'), { services: echo });
    expect((await instance.call('/', { hops: 4 })).text).toBe('5');
  });

  it('fails with a TypeError that says why', async () => {
    const instance = withData(handler('return Response.json(await fetch("http://10.0.0.1/").catch((e) => [e.name, e.code, e.message, e.stack.includes("/work")]));'), { services: { fetchUrl: async () => { throw new SpaceError('EGRESS_BLOCKED', { target: '10.0.0.1', reason: 'private' }); } } });
    expect((await instance.call('/')).json()).toEqual(['TypeError', 'EGRESS_BLOCKED', 'Calls to 10.0.0.1 are not allowed: private.', false]);
  });

  it('tells nothing of a failure of the host', async () => {
    const instance = withData(handler('return Response.json(await fetch("http://a.test/").catch((e) => [e.code, e.message]));'), { services: { fetchUrl: async () => { throw new Error('secret at /etc/host'); } } });
    expect((await instance.call('/')).json()).toEqual(['INTERNAL', 'Something went wrong on this host. The log has the details.']);
  });

  it('can be aborted', async () => {
    const instance = withData(handler('return Response.json(await fetch("http://a.test/", { signal: AbortSignal.timeout(20) }).catch((e) => e.name));'), { services: { fetchUrl: () => new Promise(() => {}) } });
    expect((await instance.call('/')).json()).toBe('TimeoutError');
  });
});

describe('env.micros', () => {
  it('calls a sibling, with a path or the very request', async () => {
    const instance = withData({
      main: handler('const byPath = await env.micros.api.fetch("/x?y=1", { method: "POST", body: "p" }); const passedOn = await env.micros.api.fetch(request); return Response.json([await byPath.json(), await passedOn.json(), Object.keys(env.micros)]);'),
      api: handler('return Response.json([request.method, request.url, await request.text(), request.headers.get("x-a")]);'),
    });
    expect((await instance.call('/in', { headers: ['x-a', '1'] })).json()).toEqual([['POST', 'http://guestbook.localhost/x?y=1', 'p', null], ['GET', 'http://guestbook.localhost/in', '', '1'], ['main', 'api']]);
  });

  it('a ring ends with 508 at the limit', async () => {
    const instance = withData({ a: handler('return env.micros.b.fetch("/").catch((e) => new Response(e.code, { status: e.status }));'), b: handler('return env.micros.a.fetch("/").catch((e) => new Response(e.code, { status: e.status }));') });
    const answer = await instance.call('/', { micro: 'a' });
    expect([answer.status, answer.text]).toEqual([508, 'MICRO_LOOP']);
  });

  it('a ring that hides behind an old env and timers ends too', async () => {
    const instance = withData({ a: `let kept; export default { async fetch(request, env) { kept ??= env; await new Promise((r) => setTimeout(r, 1)); return kept.micros.a.fetch("/").catch((e) => new Response(e.code, { status: e.status })); } };` });
    expect((await instance.call('/', { micro: 'a' })).text).toMatch(/MICRO_LOOP|MICRO_BUSY/);
  });
});

describe('ctx.waitUntil', () => {
  it('lets work go on after the answer', async () => {
    const instance = withData(handler('ctx.waitUntil((async () => { await new Promise((r) => setTimeout(r, 50)); await env.Base("b").put({ done: true }, "k"); })()); return new Response("at once");'));
    expect((await instance.call('/')).text).toBe('at once');
    await expect.poll(() => instance.collection.base('b').get('k')).toBe('{"done":true,"key":"k"}');
  });

  it('ends at its limit: later calls are refused', async () => {
    const short = await openIsolateBench({ limits: { backgroundMs: 200 } });
    const asked: string[] = [];
    const instance = createTestInstance(short.engine, handler('ctx.waitUntil((async () => { for (;;) { await new Promise((r) => setTimeout(r, 20)); await fetch("http://a.test/"); } })()); return new Response("x");'), { services: { fetchUrl: async () => { asked.push('call'); return { status: 200, headers: [], body: null }; } } });
    await instance.call('/');
    await expect.poll(() => asked.length).toBeGreaterThan(2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked.length).toBe(before);
    await short.close();
  });

  it('a rejection there is logged', async () => {
    const instance = withData(handler('ctx.waitUntil(Promise.reject(new Error("in the background"))); return new Response("x");'));
    await instance.call('/', { id: 'bg' });
    await expect.poll(() => instance.logs.map((entry) => entry.text).join()).toContain('in the background');
  });
});
