// Owns the proof that what is too large, too late, from another time or contradicts itself is refused with a reason, and
// that what is just within the limits passes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../support/raw.ts';
import { startAttackedHost, type AttackedHost } from './data-plane.ts';

const MB = 1024 * 1024;
let space: AttackedHost;
beforeAll(async () => {
  space = await startAttackedHost();
}, 60_000);
afterAll(() => space?.close());

/** As bytes, for what no client would send. */
const raw = (method: string, path: string, rest: string | Buffer) =>
  sendRaw(space.port, Buffer.concat([Buffer.from(`${method} ${path.replace('{id}', space.own.id)} HTTP/1.1\r\nHost: ${space.authority}\r\nX-API-Key: ${space.own.key}\r\nConnection: close\r\n`, 'latin1'), Buffer.from(rest as string, 'latin1')]));

describe('sizes', () => {
  test('a File or a part of 10 MiB passes, a byte more does not, whether it was announced or not', async () => {
    const { upload_id: id } = (await space.own.drive('d/uploads?name=a', { method: 'POST' })).json();
    for (const path of ['d/files?name=a', `d/uploads/${id}/parts?name=a&part=1`]) {
      expect((await space.own.drive(path, { method: 'POST', body: Buffer.alloc(10 * MB) })).status, path).toBeLessThan(300);
      expect((await space.own.drive(path, { method: 'POST', body: Buffer.alloc(10 * MB + 1) }).catch(() => ({ status: 413 }))).status, path).toBe(413);
    }
    const chunk = Buffer.concat([Buffer.from(`${(10 * MB + 1).toString(16)}\r\n`), Buffer.alloc(10 * MB + 1), Buffer.from('\r\n0\r\n\r\n')]);
    expect((await raw('POST', '/drive/v1/{id}/d/files?name=b', Buffer.concat([Buffer.from('Transfer-Encoding: chunked\r\n\r\n'), chunk]))).statuses).toEqual([413]);
    expect((await space.own.drive('d/files/download?name=a')).bytes.length).toBe(10 * MB);
    expect((await space.own.drive('d/files/download?name=b')).status).toBe(404);
  });

  test('a request of 16 MB passes to its rules, one of 20 MB does not', async () => {
    const item = (bytes: number): string => `{"items":[{"key":"a","text":"${'x'.repeat(bytes)}"}]}`;
    expect((await space.own.base('b/items', { method: 'PUT', body: item(400 * 1000) })).status).toBe(207);
    expect((await space.own.base('b/items', { method: 'PUT', body: item(16 * MB - 100) })).json().code).toBe('ITEM_TOO_LARGE');
    expect((await space.own.base('b/items', { method: 'PUT', body: item(20 * MB) }).catch(() => ({ status: 413 }))).status).toBe(413);
    expect((await space.own.base('b/items/a')).json().text.length).toBe(400 * 1000);
  });

  test('nesting of 100 levels passes, 101 do not, at every depth also `__proto__`', async () => {
    const deep = (levels: number): string => `{"items":[{"key":"deep","a":${'{"__proto__":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}}]}`;
    expect((await space.own.base('b/items', { method: 'PUT', body: deep(100) })).status).toBe(207);
    expect((await space.own.base('b/items/deep')).text).toContain('{"__proto__":'.repeat(99));
    expect((await space.own.base('b/items', { method: 'PUT', body: deep(101) })).json().code).toBe('BASE_BAD_ITEM');
    expect(({} as Record<string, unknown>)['__proto__']).toBe(Object.prototype);
  });
});

describe('times', () => {
  test.each(['-1', '0', '-1e308', '-62135596801', '-0', '1e-300', '1'])('an Item that expired at %s is gone at once, and no obstacle', async (expires) => {
    expect((await space.own.base('times/items', { method: 'PUT', body: `{"items":[{"key":"a","__expires":${expires}}]}` })).status).toBe(207);
    expect((await space.own.base('times/items/a')).status).toBe(404);
    expect((await space.own.base('times/items', { method: 'POST', body: { item: { key: 'a' } } })).status).toBe(201);
    expect((await space.own.base('times/items/a', { method: 'DELETE' })).status).toBe(200);
  });

  test.each(['1e15', '1e16', '1e308', '9007199254740993', '253402300800', '99999999999.5', 'null'])('an Item that expires at %s stays, and can be replaced and deleted', async (expires) => {
    for (let n = 0; n < 2; n += 1) expect((await space.own.base('times/items', { method: 'PUT', body: `{"items":[{"key":"b","n":${n},"__expires":${expires}}]}` })).status).toBe(207);
    expect((await space.own.base('times/items/b')).json().n).toBe(1);
    expect((await space.own.base('times/query', { method: 'POST', body: {} })).json().items.length).toBe(1);
    expect((await space.own.base('times/items/b', { method: 'PATCH', body: `{"increment":{"__expires":-1e300,"n":1}}` })).status).toBeLessThan(500);
    expect((await space.own.base('times/items/b', { method: 'DELETE' })).status).toBe(200);
    expect((await space.own.base('times/query', { method: 'POST', body: {} })).json().items).toEqual([]);
  });

  test.each(['1e999', '"1"', 'true', '[]', '{}'])('%s is no time', async (expires) => {
    expect((await space.own.base('times/items', { method: 'PUT', body: `{"items":[{"key":"c","__expires":${expires}}]}` })).json().code).toBe('BASE_BAD_ITEM');
  });
});

test('a clock before the epoch makes no fault: what is stored then is there, and what expires after it stays', async () => {
  const early = await startAttackedHost();
  try {
    const { own, clock } = early;
    await own.base('b/items', { method: 'PUT', body: { items: [{ key: 'before' }, { key: 'soon', __expires: Math.floor(clock.now() / 1000) + 60 }] } });
    clock.advance(-clock.now() - 1e9);
    expect(clock.now()).toBeLessThan(0);
    for (const [path, request, status] of [
      ['items', { method: 'PUT', body: { items: [{ key: 'a', n: 1 }, { key: 'of 1970', __expires: 1 }] } }, 207], ['items', { method: 'POST', body: { item: { n: 2 } } }, 201],
      ['items/a', { method: 'PATCH', body: { increment: { n: 1 } } }, 200], ['items/of%201970', {}, 200], ['items/soon', {}, 200], ['items/before', {}, 200], ['query', { method: 'POST', body: {} }, 200], ['items/before', { method: 'DELETE' }, 200],
    ] as const) expect((await own.base(`b/${path}`, request)).status, path).toBe(status);
    const { upload_id: id } = (await own.drive('d/uploads?name=a', { method: 'POST' })).json();
    expect((await own.drive(`d/uploads/${id}/parts?name=a&part=1`, { method: 'POST', body: 'x' })).status).toBe(200);
    expect((await own.drive(`d/uploads/${id}?name=a`, { method: 'PATCH' })).status).toBe(200);
    expect((await own.drive('d/files/download?name=a')).text).toBe('x');
    // The control: the clock is the one that Items expire by.
    clock.advance(Date.now() - clock.now() + 3_600_000);
    for (const key of ['of%201970', 'soon']) expect((await own.base(`b/items/${key}`)).status, key).toBe(404);
    expect((await own.base('b/items/a')).json().n).toBe(2);
    expect(early.logged().split('\n').filter((line) => line.includes('"level":"error"'))).toEqual([]);
  } finally {
    await early.close();
  }
}, 60_000);

describe('conditions', () => {
  test.each(['', '""', '"', 'W/"1"', '1', '"0"', '"-1"', '"1e0"', '"9007199254740993"', '"__proto__"', '"1",'.repeat(2000), '\xff', 'null'])('If-Match that names no version of the Item changes nothing: %.20s', async (match) => {
    await space.own.base('cond/items', { method: 'PUT', body: { items: [{ key: 'a', n: 1 }] } });
    for (const [method, path, body] of [['PUT', 'items', '{"items":[{"key":"a","n":2}]}'], ['PATCH', 'items/a', '{"set":{"n":2}}'], ['DELETE', 'items/a', undefined]] as const) {
      const { status } = await space.own.base(`cond/${path}`, { method, headers: { 'if-match': match }, ...(body ? { body } : {}) });
      expect(status, method).toBe(412);
    }
    expect((await space.own.base('cond/items/a')).json()).toEqual({ key: 'a', n: 1 });
  });
});

describe('bytes that are no request', () => {
  test.each([
    ['a body shorter than announced', 'PUT', '/base/v1/{id}/b/items', 'Content-Length: 100\r\n\r\n{"items":[]}'],
    ['a chunk of nonsense', 'PUT', '/base/v1/{id}/b/items', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['two lengths', 'PUT', '/base/v1/{id}/b/items', 'Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}'],
    ['a length and chunks', 'PUT', '/base/v1/{id}/b/items', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['bytes beyond ASCII in the path', 'GET', '/base/v1/{id}/b/items/\xff\xfe', '\r\n'],
    ['an upload that breaks off', 'POST', '/drive/v1/{id}/d/files?name=broken', 'Content-Length: 1000\r\n\r\nabc'],
  ])('%s: no fault of the host', async (_, method, path, rest) => {
    const { statuses } = await raw(method, path, rest);
    expect(statuses.filter((status) => status >= 500)).toEqual([]);
    expect((await space.own.drive('d/files/download?name=broken')).status).toBe(404);
    expect(space.logged().split('\n').filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
