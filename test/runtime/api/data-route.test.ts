// Owns the proof of limits that lie in the data plane's own hands: how many parts, how many names.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, type TestRequest, type TestResponse } from '../../support/http.ts';
import { startTestHost, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let drive: (path: string, request?: TestRequest) => Promise<TestResponse>;

beforeAll(async () => {
  space = await startTestHost();
  const { id } = (await space.owner.call('POST /collections', { name: 'parts' })).json();
  const { value } = (await space.owner.call(`POST /collections/${id}/keys`, { name: 'parts' })).json();
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
