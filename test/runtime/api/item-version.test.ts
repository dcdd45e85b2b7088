// Owns the proof of versions over HTTP: ETag, If-Match, If-None-Match; and of what the owner is told of a Collection.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireUsage } from '../../../core/wire.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let id: string;
let key: string;

beforeAll(async () => {
  space = await startTestHost();
  ({ id } = (await space.owner.call('POST /collections', { name: 'mine' })).json());
  key = (await space.owner.call(`POST /collections/${id}/keys`, { name: 'k' })).json().value;
}, 60_000);
afterAll(() => space.close());

const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<TestResponse> =>
  send(`${space.url}/base/v1/${id}/things/${path}`, { method, headers: { 'x-api-key': key, ...headers }, ...(body && { body }) });
const etag = ({ headers }: TestResponse): string => String(headers['etag']);

test('an Item has an ETag, the same for its writer and its readers', async () => {
  const inserted = await call('POST', 'items', { item: { key: 'a', n: 1 } });
  expect(etag(inserted)).toMatch(/^"\d+"$/);
  const got = await call('GET', 'items/a');
  expect([got.status, etag(got), got.headers['access-control-expose-headers']]).toEqual([200, etag(inserted), 'ETag']);
  const updated = await call('PATCH', 'items/a', { set: { n: 2 } });
  expect(etag(updated)).not.toBe(etag(inserted));
  const put = await call('PUT', 'items', { items: [{ key: 'a', n: 3 }] });
  expect([put.status, etag(put)]).toEqual([207, etag(await call('GET', 'items/a'))]);
  expect((await call('PUT', 'items', { items: [{ key: 'a' }, { key: 'b' }] })).headers['etag']).toBeUndefined();
});

test('a reader that has this version is not sent it again', async () => {
  const put = await call('PUT', 'items', { items: [{ key: 'same' }] });
  for (const known of [etag(put), `W/${etag(put)}`, `"x", ${etag(put)}`, '*']) {
    const got = await call('GET', 'items/same', undefined, { 'if-none-match': known });
    expect([got.status, got.text, etag(got)]).toEqual([304, '', etag(put)]);
  }
  expect((await call('GET', 'items/same', undefined, { 'if-none-match': '"0"' })).status).toBe(200);
  expect((await call('GET', 'items/none', undefined, { 'if-none-match': '*' })).status).toBe(404);
});

test('a write happens only when its condition holds', async () => {
  const writes: [string, string, object | undefined][] = [['PUT', 'items', { items: [{ key: 'c', by: 'put' }] }], ['PATCH', 'items/c', { set: { by: 'patch' } }], ['DELETE', 'items/c', undefined]];
  for (const [method, path, body] of writes) {
    const version = etag(await call('PUT', 'items', { items: [{ key: 'c' }] }));
    const refusals: Record<string, string>[] = [{ 'if-match': '"0"' }, { 'if-match': `W/${version}` }, { 'if-match': 'garbage' }, { 'if-none-match': '*' }, { 'if-none-match': version }];
    for (const headers of refusals) {
      const refused = await call(method, path, body, headers);
      expect([method, headers, refused.status, refused.json().code]).toEqual([method, headers, 412, 'BASE_CONDITION_FAILED']);
    }
    expect(etag(await call('GET', 'items/c'))).toBe(version);
    expect((await call(method, path, body, { 'if-match': `"0", ${version}` })).status).toBeLessThan(300);
  }
  expect((await call('POST', 'items', { item: { key: 'c' } }, { 'if-none-match': '*' })).status).toBe(201);
  expect((await call('POST', 'items', { item: { key: 'c' } }, { 'if-none-match': '*' })).status).toBe(412);
  expect((await call('PUT', 'items', { items: [{ key: 'x' }, { key: 'y' }] }, { 'if-none-match': '*' })).status).toBe(400);
});

test('pages of other origins may send conditions', async () => {
  const preflight = await call('OPTIONS', 'items/a');
  expect(String(preflight.headers['access-control-allow-headers'])).toContain('If-Match');
});

test('the owner is told how much there is, others are not', async () => {
  const other = (await space.owner.call('POST /collections', { name: 'counted' })).json() as { id: string };
  const otherKey = (await space.owner.call(`POST /collections/${other.id}/keys`, { name: 'k' })).json().value as string;
  await send(`${space.url}/base/v1/${other.id}/notes/items`, { method: 'PUT', headers: { 'x-api-key': otherKey }, body: { items: [{ key: 'a' }, { key: 'é' }] } });
  await send(`${space.url}/drive/v1/${other.id}/files/files?name=f`, { method: 'POST', headers: { 'x-api-key': otherKey }, body: 'content' });
  const usage = await space.owner.call(`GET /collections/${other.id}/usage`);
  expect(usage.json() as WireUsage).toEqual({ bases: [{ name: 'notes', items: 2, bytes: 11 + 12, indexes: [] }], drives: [{ name: 'files', files: 1, bytes: 7 }] });
  expect((await space.member.call(`GET /collections/${other.id}/usage`)).status).toBe(404);
});
