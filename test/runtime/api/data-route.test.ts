// Owns the proof of what docs/data.md promises and no example shows: limits over HTTP, pages while others write.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, type TestRequest, type TestResponse } from '../../support/http.ts';
import { startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let drive: (path: string, request?: TestRequest) => Promise<TestResponse>;
let base: (path: string, method: string, body: object) => Promise<TestResponse>;

beforeAll(async () => {
  space = await startTestHost();
  const { id } = (await space.owner.call('POST /collections', { name: 'parts' })).json();
  const { value } = (await space.owner.call(`POST /collections/${id}/keys`, { name: 'parts' })).json();
  base = (path, method, body) => send(`${space.url}/base/v1/${id}/items/${path}`, { method, body, headers: { 'x-api-key': value } });
  drive = (path, request = {}) => send(`${space.url}/drive/v1/${id}/files/${path}`, { ...request, headers: { 'x-api-key': value, ...request.headers } });
});
afterAll(() => space?.close());

test('a program that sends what it just read may send a hundred thousand parts', async () => {
  const { upload_id: id } = (await drive('uploads?name=log', { method: 'POST' })).json();
  const put = (part: string, body: string): Promise<TestResponse> => drive(`uploads/${id}/parts?name=log&part=${part}`, { method: 'POST', body });
  expect((await put('100000', 'last')).status).toBe(200);
  expect((await put('10001', 'first ')).status).toBe(200);
  for (const part of ['100001', '0', '-1', '1.5', '', 'x', '1e999']) expect((await put(part, 'x')).status, part).toBe(400);
  expect((await drive(`uploads/${id}?name=log`, { method: 'PATCH' })).status).toBe(200);
  expect((await drive('files/download?name=log')).text).toBe('first last');
});

test('a query may have 1000 conditions, of the types that its operators take', async () => {
  const conditions = (count: number): object[] => Array.from({ length: count / 2 }, (_, n) => ({ [`a${n}`]: n }));
  expect((await base('query', 'POST', { query: conditions(1000) })).status).toBe(200);
  for (const query of [conditions(1002), [{ 'a?lt': null }], [{ 'a?gte': true }], [{ 'a?r': [1, 'x'] }]]) {
    const answer = await base('query', 'POST', { query });
    expect([answer.status, answer.json().errors]).toEqual([400, ['Bad query']]);
  }
});

test('more Items than a page may have come in pages of 1000, whatever limit is asked for', async () => {
  for (let start = 0; start < 1010; start += 25) {
    await base('items', 'PUT', { items: Array.from({ length: 25 }, (_, n) => ({ key: `many${String(start + n).padStart(4, '0')}` })) });
  }
  for (const limit of [undefined, null, 1000, 50_000]) {
    const { paging } = (await base('query', 'POST', { query: { 'key?pfx': 'many' }, limit })).json();
    expect(paging).toEqual({ size: 1000, last: 'many0999' });
  }
});

test('while others write, pages deliver what stays exactly once, and nothing twice', async () => {
  const key = (n: number): string => `page${String(n).padStart(3, '0')}`;
  const stays = (n: number): boolean => n % 3 === 0;
  const put = (ns: number[]): Promise<TestResponse> => base('items', 'PUT', { items: ns.map((n) => ({ key: key(n), stays: stays(n), at: Date.now() })) });
  for (let start = 0; start < 300; start += 20) await put(Array.from({ length: 20 }, (_, n) => start + n));
  let isOver = false;
  const writer = (async (): Promise<number> => {
    let writes = 0;
    for (let n = 0; !isOver; n = (n + 7) % 300, writes += 1) {
      await put([n]);
      const other = (n + 100) % 300;
      if (!stays(other)) expect((await base(`items/${key(other)}`, 'DELETE', {})).status).toBe(200);
    }
    return writes;
  })();
  for (let round = 0; round < 5; round += 1) {
    const seen: string[] = [];
    let last: string | undefined;
    do {
      const page = (await base('query', 'POST', { query: [{ 'key?pfx': 'page' }], limit: 7, last })).json();
      seen.push(...page.items.map((item: { key: string }) => item.key));
      last = page.paging.last;
    } while (last !== undefined);
    expect(seen).toEqual([...new Set(seen)].toSorted());
    expect(seen.filter((name) => stays(Number(name.slice(4))))).toEqual(Array.from({ length: 100 }, (_, n) => key(n * 3)));
  }
  isOver = true;
  expect(await writer).toBeGreaterThan(5);
});
