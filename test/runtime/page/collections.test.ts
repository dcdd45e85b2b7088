// Owns the proof that Collections can be kept by the dashboard alone: made, given keys, filled, emptied into a zip, thrown away.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireCollection } from '../../../core/wire.ts';
import { zipOf } from '../../builder/archive.ts';
import { send, type Visited } from '../../support/http.ts';
import { pushApp, startTestHost, until, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
/** The page of a Collection that the form made. */
let page: string;
let id: string;

beforeAll(async () => {
  space = await startTestHost();
  const made = await space.owner.visitor.submit(`${space.url}/collections`, { name: ' Weather <station> ' });
  page = made.url;
  id = page.split('/').at(-1) ?? '';
}, 60_000);
afterAll(() => space.close());

const submit = (path: string, fields: Record<string, string> = {}): Promise<Visited> => space.owner.visitor.submit(page + path, fields);
const keyIn = ({ text }: { text: string }): string => /<code class="secret"[^>]*>([^<]+)</.exec(text)?.[1] ?? '';
const items = (key: string, collection = id): ReturnType<typeof send> => send(`${space.url}/base/v1/${collection}/rain/query`, { method: 'POST', body: {}, headers: { 'x-api-key': key } });

/** As a browser sends a form with a file. */
function upload(address: string, zip: Buffer | string, { isRehearsal = false, visitor = space.owner.visitor }: { isRehearsal?: boolean; visitor?: TestHost['owner']['visitor'] } = {}): Promise<Visited> {
  const parts = [
    ...(isRehearsal ? ['--xyz\r\nContent-Disposition: form-data; name="dry_run"\r\n\r\ntrue\r\n'] : []),
    '--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\nContent-Type: application/zip\r\n\r\n', zip, '\r\n--xyz--\r\n',
  ];
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return visitor.visit(address, { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=xyz', origin: space.url, 'sec-fetch-site': 'same-origin' } });
}

test('one is made by its name, and shown with its address', async () => {
  expect(page).toMatch(/\/collections\/[a-z0-9]+$/);
  const shown = await space.owner.visitor.visit(page);
  expect(shown.text).toContain('<h1><bdi>Weather &lt;station&gt;</bdi></h1>');
  expect(shown.text).toContain(`${space.url}/base/v1/${id}/`);
  expect((await space.owner.visitor.visit(`${space.url}/collections`)).text).toContain(`href="/collections/${id}"`);
});

test.each(['', '   ', 'x'.repeat(65)])('a name like %j is refused above the form', async (name) => {
  const answer = await space.owner.visitor.submit(`${space.url}/collections`, { name });
  expect([answer.status, answer.text.includes('has 1 to 64 characters')]).toEqual([400, true]);
});

describe('data keys', () => {
  test('are shown once, open the Collection, are seen used, and end', async () => {
    const made = await submit('/keys', { name: 'script' });
    const key = keyIn(made);
    expect(key).toMatch(new RegExp(`^${id}_`));
    expect((await space.owner.visitor.visit(page)).text).toContain('never used');
    expect((await items(key)).status).toBe(200);
    await until(async () => ((await space.owner.visitor.visit(page)).text.includes('last used') ? true : undefined));
    expect((await space.owner.visitor.visit(page)).text).not.toContain(key);
    expect((await submit('/keys', { name: 'script' })).status).toBe(409);
    expect((await submit('/keys', { name: '' })).text).toContain('role="alert"');
    expect((await submit('/keys/revoke', { name: 'script' })).url).toBe(page);
    expect((await items(key)).status).toBe(401);
    expect((await submit('/keys/revoke', { name: 'script' })).status).toBe(404);
  });
});

describe('a zip', () => {
  const zip = zipOf({ 'bases/rain.json': JSON.stringify([{ key: 'a', mm: 3 }]), 'drives/photos/sky.txt': 'blue', 'readme.txt': 'x' });
  const seen = async (): Promise<unknown> => (await items(keyIn(await submit('/keys', { name: String(Math.random()) })))).json<{ items: unknown[] }>().items;

  test('is tried first, then brought in, then the same again', async () => {
    const tried = await upload(`${page}/import`, await zip, { isRehearsal: true });
    expect([tried.status, tried.text.includes('Nothing was changed.'), await seen()]).toEqual([200, true, []]);
    const done = await upload(`${page}/import`, await zip);
    for (const text of ['It is in.', '1 added, 0 changed', 'Left out', 'readme.txt', '<strong><bdi>rain</bdi></strong>']) expect(done.text).toContain(text);
    expect(await seen()).toEqual([{ key: 'a', mm: 3 }]);
    expect((await upload(`${page}/import`, await zip)).text).toContain('0 added, 0 changed, 1 as they were');
    const out = await space.owner.visitor.visit(`${space.url}/api/v0/collections/${id}/export`);
    expect([out.status, out.bytes.subarray(0, 2).toString()]).toEqual([200, 'PK']);
    expect((await upload(`${page}/import`, out.bytes, { isRehearsal: true })).text).toContain('0 added, 0 changed, 1 as they were');
  });

  test.each([['no zip', 'PK what'], ['nothing', ''], ['half of one', undefined]])('that is %s changes nothing, and is told above the form', async (_, text) => {
    const answer = await upload(`${page}/import`, text ?? (await zip).subarray(0, 200));
    expect([answer.status, answer.text.includes('The archive was refused')]).toEqual([400, true]);
    expect(answer.text).toMatch(/role="alert"/);
  });

  test('comes by a form with a file only, from our own page only, into one\'s own only', async () => {
    expect((await submit('/import', { file: 'x' })).status).toBe(415);
    expect((await upload(`${page}/import`, await zip, { visitor: space.member.visitor })).status).toBe(404);
    const foreign = await space.owner.visitor.visit(`${page}/import`, { method: 'POST', body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=xyz', origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' } });
    expect(foreign.status).toBe(403);
  });

  test('goes into an app on its tab, where a link to the app\'s Collection leads too', async () => {
    const { builder } = await pushApp(space.owner, { name: 'holder' });
    const done = await upload(`${space.url}/apps/${builder.id}/data/import`, await zip);
    expect([done.status, done.text.includes('It is in.')]).toEqual([200, true]);
    expect((await space.owner.visitor.visit(`${space.url}/collections/${builder.collection_id}`)).url).toBe(`${space.url}/apps/${builder.id}/data`);
    expect((await space.owner.visitor.submit(`${space.url}/collections/${builder.collection_id}/delete`, {})).text).toContain('uninstall the app to delete it');
    expect((await upload(`${space.url}/apps/${builder.id}/data/import`, 'x')).text).toContain('The archive was refused');
  });
});

test('deleted it is in the trash, its keys open nothing, and it comes back as it was', async () => {
  const key = keyIn(await submit('/keys', { name: 'last' }));
  const gone = await submit('/delete');
  expect(gone.url).toBe(`${space.url}/trash`);
  expect(gone.text).toContain('Weather &lt;station&gt;');
  expect([(await space.owner.visitor.visit(page)).status, (await items(key)).status]).toEqual([404, 401]);
  await space.owner.visitor.submit(`${space.url}/trash/${id}/restore`, {});
  expect((await items(key)).json()).toMatchObject({ items: [{ key: 'a', mm: 3 }] });
  expect((await space.owner.call('GET /collections')).json<{ collections: WireCollection[] }>().collections.map((each) => each.id)).toContain(id);
});
