// Covers what Deta's own CLI expects of the control plane, call by call and status by status, with signed requests as it
// sends them (@source reference 7). Its binary is tried in test/original-cli, where somebody has one.
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zipOf } from '../../builder/archive.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { startTestHost, STATIC_FILES, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
beforeAll(async () => { space = await startTestHost(); });
afterAll(() => space.close());

interface Signing { contentType?: string; atSeconds?: number; token?: string; signedUri?: string }

/** @param path below `/api`, query and all, as it stands on the request line */
function signed(method: string, path: string, body: string | Buffer = '', { contentType = body === '' ? '' : 'application/json', atSeconds, token = space.owner.accessToken, signedUri = `/api${path}` }: Signing = {}): Promise<TestResponse> {
  const timestamp = String(atSeconds ?? Math.floor(space.clock.now() / 1000));
  const [id, secret = ''] = token.split('_');
  const signature = createHmac('sha256', secret).update(`${method}\n${signedUri}\n${timestamp}\n${contentType}\n`).update(body).update('\n').digest('hex');
  const headers = { 'x-deta-timestamp': timestamp, 'x-deta-signature': `v0=${id}:${signature}`, 'x-space-client': 'cli/0.4.2 x86_64-linux', ...(contentType !== '' && { 'content-type': contentType }) };
  return send(`${space.url}/api${path}`, { method, headers, ...(body !== '' && { body }) });
}

const json = (value: object): string => JSON.stringify(value);

describe('a push, a release and what comes after, as the CLI does them', () => {
  let app: string;
  let build: string;
  let promotion: string;

  test('the time is digits and nothing else', async () => {
    const answer = await send(`${space.url}/api/v0/time`);
    expect(answer.text).toMatch(/^\d+$/);
    expect(Math.abs(Number(answer.text) - space.clock.now() / 1000)).toBeLessThan(60);
  });

  test('login, new, link', async () => {
    expect((await signed('GET', '/v0/space')).json()).toMatchObject({ name: 'ada' });
    const made = await signed('POST', '/v0/apps', json({ name: 'original', alias: '' }));
    expect([made.status, made.json()]).toMatchObject([201, { name: 'original', alias: 'original' }]);
    app = made.json<{ id: string }>().id;
    expect((await signed('GET', `/v0/apps/${app}`)).json()).toMatchObject({ id: app, name: 'original', alias: 'original' });
    expect((await signed('GET', '/v0/apps/nothing')).json()).toMatchObject({ detail: expect.stringContaining('not yours'), errors: [expect.any(String)] });
  });

  test('exec and dev: a data key before the first push', async () => {
    expect((await signed('GET', `/v0/apps/${app}/keys`)).json()).toEqual({ keys: [] });
    const made = await signed('POST', `/v0/apps/${app}/keys`, json({ name: 'space cli' }));
    expect([made.status, made.json()]).toMatchObject([201, { name: 'space cli', value: expect.stringMatching(/^[a-z0-9]+_\w{32}$/), created_at: expect.any(String) }]);
    expect((await signed('GET', `/v0/apps/${app}/keys`)).json()).toMatchObject({ keys: [{ name: 'space cli' }] });
  });

  test('push: what comes next is there when a log has ended', async () => {
    const made = await signed('POST', '/v0/builds', json({ app_id: app, tag: '', experimental: false, auto_pwa: true }));
    expect(made.status).toBe(202);
    build = made.json<{ id: string }>().id;
    const accepted = { build_id: build };
    expect((await signed('POST', `/v0/builds/${build}/manifest`, STATIC_FILES.Spacefile, { contentType: 'text/plain' })).json()).toEqual(accepted);
    const icon = await readFile(new URL('../../../examples/guestbook/icon.png', import.meta.url));
    expect((await signed('POST', `/v0/builds/${build}/icon`, icon, { contentType: 'image/png' })).json()).toEqual(accepted);
    expect((await signed('POST', `/v0/builds/${build}/code`, await zipOf(STATIC_FILES), { contentType: 'application/zip' })).json()).toEqual(accepted);
    const log = await signed('GET', `/v0/builds/${build}/logs?follow=true`);
    expect([log.status, log.text]).toEqual([200, expect.stringContaining('Created revision: ')]);
    expect((await signed('GET', `/v0/builds/${build}`)).json()).toMatchObject({ id: build, status: 'complete', tag: expect.stringMatching(/^[a-z]+-[a-z0-9]{4}$/) });

    const promotions = (await signed('GET', `/v0/promotions?per_page=1&revision_id=${build}`, json({ revision_id: build }))).json();
    expect(promotions).toMatchObject({ promotions: [{ channel: 'development' }], page: { size: 1 } });
    promotion = promotions.promotions[0].id;
    expect((await signed('GET', `/v0/promotions/${promotion}/logs?follow=true`)).status).toBe(200);
    expect((await signed('GET', `/v0/promotions/${promotion}`)).json()).toMatchObject({ id: promotion, status: 'complete', channel: 'development' });

    const { installations } = (await signed('GET', `/v0/installations?per_page=1&release_id=${promotion}`)).json();
    expect(installations).toMatchObject([{ release_id: promotion, instance_id: expect.any(String), created_at: expect.any(String) }]);
    const lines = (await signed('GET', `/v0/installations/${installations[0].id}/logs?follow=true`)).text.trim().split('\n');
    expect(lines.filter((line) => line.includes('http'))).toEqual([expect.stringMatching(/^http:\/\/original-\w+\.localhost:\d+\/$/)]);
    expect((await signed('GET', `/v0/installations/${installations[0].id}`)).json()).toMatchObject({ status: 'complete' });
  });

  test('release: the revisions, by list and by tag; 404 for none; its texts and pictures; its address is the last line with one', async () => {
    expect((await signed('GET', `/v0/releases/latest?app_id=${app}`)).status).toBe(404);
    const { revisions, page } = (await signed('GET', `/v0/apps/${app}/revisions?per_page=5`, json({ id: app }))).json();
    expect([revisions, page]).toMatchObject([[{ id: build, created_at: expect.any(String) }], { size: 1, last: null }]);
    const { tag } = revisions[0];
    expect((await signed('GET', `/v0/apps/${app}/revisions/tag/${tag}`, json({ id: app, tag }))).json()).toMatchObject({ revision: { id: build, tag } });
    const made = await signed('POST', '/v0/promotions', json({ revision_id: build, app_id: app, version: '', release_notes: 'n', description: '', channel: 'experimental', discovery_list: false, auto_pwa: true }));
    expect(made.status).toBe(202);
    const { id } = made.json<{ id: string }>();
    const discovery = { app_name: 'Original', title: '', tagline: 'As it was', theme_color: '', git: '', homepage: '', media: null, ported_from: '', open_code: false, works_with: null, content_raw: 'x' };
    expect((await signed('POST', `/v0/promotions/${id}/discovery`, json(discovery))).status).toBe(202);
    expect((await signed('POST', `/v0/promotions/${id}/discovery/screenshots/0`, 'https://example.org/a.png', { contentType: 'text/plain' })).json()).toEqual({ release_id: id });
    const log = (await signed('GET', `/v0/promotions/${id}/logs?follow=true`)).text.trim().split('\n');
    expect(log.filter((line) => line.includes('http'))).toEqual([`${space.url}/r/${id}`]);
    expect((await signed('GET', `/v0/promotions/${id}`)).json()).toMatchObject({ status: 'complete', channel: 'experimental' });
    const latest = (await signed('GET', `/v0/releases/latest?app_id=${app}`)).json();
    expect(latest).toMatchObject({ id, tag, released_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/), discovery: { app_name: 'Original', tagline: 'As it was', content_raw: 'x' } });
    expect((await signed('GET', `/v0/releases/latest?app_id=${app}&listed=true`)).status).toBe(404);
  });

  test('builder env: the Builder Instance, its Micros with presets, and the whole of them back', async () => {
    const { instances } = (await signed('GET', `/v0/instances?app_id=${app}&channel=development&per_page=1`)).json();
    expect(instances).toHaveLength(1);
    const { micros } = (await signed('GET', `/v0/instances/${instances[0].id}`)).json();
    expect(micros).toMatchObject([{ name: 'web', presets: { env: [] } }, { name: 'closed', presets: { env: [] } }]);
    expect((await signed('PATCH', `/v0/instances/${instances[0].id}`, json({ micros: [micros[0]] }))).status).toBe(200);
  });

  test('trigger: exactly 200', async () => {
    expect((await signed('GET', '/v0/actions?per_page=1000')).status).toBe(200);
  });
});

describe('a signature', () => {
  const code = async (answer: Promise<TestResponse>): Promise<unknown> => ((await answer).status === 200 ? 200 : (await answer).json().code);
  const now = (): number => Math.floor(space.clock.now() / 1000);

  test('covers path and query as they were sent, in their order, and an empty body of a GET with a type', async () => {
    expect(await code(signed('GET', '/v0/instances?per_page=1&channel=development&app_id=x'))).toBe(200);
    expect(await code(signed('GET', '/v0/instances?b=1&a=2', '', { signedUri: '/api/v0/instances?a=2&b=1' }))).toBe('TOKEN_INVALID');
    expect(await code(signed('GET', '/v0/space', '', { signedUri: '/v0/space' }))).toBe('TOKEN_INVALID');
    expect(await code(signed('GET', '/v0/space', '', { contentType: 'application/json' }))).toBe(200);
    expect(await code(signed('GET', '/v0/space', 'a body that nobody reads', { contentType: 'text/plain' }))).toBe(200);
  });

  test('of a clock that is off is told both times, also where nobody is known by the key', async () => {
    for (const atSeconds of [now() - 295, now() + 295]) expect(await code(signed('GET', '/v0/space', '', { atSeconds }))).toBe(200);
    for (const atSeconds of [now() - 310, now() + 310, 0]) {
      const answer = (await signed('GET', '/v0/space', '', { atSeconds })).json();
      expect(answer).toMatchObject({ code: 'SIGNATURE_TIME_WRONG', detail: expect.stringContaining(new Date(atSeconds * 1000).toISOString()) });
      expect(answer.detail).toContain('GET /api/v0/time');
    }
    const stranger = `${'a'.repeat(8)}_${'b'.repeat(32)}`;
    expect(await code(signed('GET', '/v0/space', '', { atSeconds: 0, token: stranger }))).toBe('SIGNATURE_TIME_WRONG');
    expect(await code(signed('GET', '/v0/space', '', { token: stranger }))).toBe('TOKEN_INVALID');
  });

  test('that proves nobody closes nothing that is open to all', async () => {
    const headers = { 'x-deta-signature': 'v0=nobody:', 'x-deta-timestamp': '0' };
    expect((await send(`${space.url}/api/v0/time`, { headers })).status).toBe(200);
    expect((await send(`${space.url}/api/v0/space`, { headers })).json()).toMatchObject({ code: 'SIGNATURE_TIME_WRONG' });
  });
});
