// Covers apps that call Base, Drive and each other by the names that were Deta's, from inside: a Micro in Node, one in Python,
// one for files, pushed as they are, on a host with TLS. What another app or another key would open stays shut.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { CHECKOUT } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { installApp, pushApp, releaseApp, startTestHost, type TestHost } from '../support/start-host.ts';

let space: TestHost;
let app: WireInstance;
/** The same app in the Space of somebody else. */
let theirs: WireInstance;

beforeAll(async () => {
  space = await startTestHost({ args: ['--tls-port', '0'] });
  const pushed = await pushApp(space.owner, { name: 'names', files: await filesOf(join(CHECKOUT, 'test/fixtures/old-names')) });
  app = pushed.builder;
  theirs = (await installApp(space.member, await releaseApp(space.owner, pushed))).instance;
});
afterAll(() => space?.close());

async function filesOf(folder: string): Promise<Record<string, Buffer | string>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(await Promise.all(names.map(async (path) => [path.slice(folder.length + 1), path.endsWith('Spacefile') ? await readFile(path, 'utf8') : await readFile(path)] as const)));
}

interface Said { status?: number; text?: string; error?: string }

/** What a Micro of the app got when it asked `url`, in which `$NAME` is a variable of its own. */
async function asks(url: string, { key, method = 'GET', body, from = app, micro = '' }: { key?: string; method?: string; body?: unknown; from?: WireInstance; micro?: string } = {}): Promise<Said> {
  const answer = await send(new URL(`${micro}/ask`, from.url).href, { method: 'POST', body: { url, method, key, body } });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.json();
}
const NOTES = 'https://database.deta.sh/v1/$ID/notes';

describe.each(['', '/python'])('a Micro at "%s"', (micro) => {
  test('keeps Items and Files by Deta\'s names', async () => {
    expect(await asks(`${NOTES}/items`, { micro, method: 'PUT', key: '$DETA_PROJECT_KEY', body: { items: [{ key: 'a', micro }] } })).toMatchObject({ status: 207 });
    expect(JSON.parse((await asks(`${NOTES}/items/a`, { micro, key: '$DETA_PROJECT_KEY' })).text ?? '')).toEqual({ key: 'a', micro });
    expect(await asks('https://drive.deta.sh/v1/$ID/photos/files?name=a.txt', { micro, method: 'POST', key: '$DETA_PROJECT_KEY', body: 'hello' })).toMatchObject({ status: 201 });
    expect(await asks('https://drive.deta.sh/v1/$ID/photos/files/download?name=a.txt', { micro, key: '$DETA_PROJECT_KEY' })).toEqual({ status: 200, text: '"hello"' });
  });

  test('calls the other Micros by the app\'s own name, with its key', async () => {
    for (const path of ['python', 'files']) {
      expect(await asks(`https://$DETA_SPACE_APP_HOSTNAME/${path}/closed`, { micro })).toMatchObject({ status: 401 });
      expect(await asks(`https://$DETA_SPACE_APP_HOSTNAME/${path}/closed`, { micro, key: '$DETA_API_KEY' })).toEqual({ status: 200, text: `${path}, for those with a key\n` });
    }
    expect(await asks('https://$NAME/closed', { micro, key: '$DETA_API_KEY' })).toEqual({ status: 200, text: 'node, for those with a key\n' });
  });

  test('that calls itself without end is stopped', async () => {
    const { text } = await asks('https://$DETA_SPACE_APP_HOSTNAME/again', { micro, key: '$DETA_API_KEY' });
    expect(text).toMatch(/^(again )+508 /);
    expect(text?.match(/again/g)?.length).toBeLessThanOrEqual(8);
  });
});

describe('what is not its own', () => {
  test('another Collection is shut, also to its key', async () => {
    const collection = (await space.owner.call('POST /collections', { name: 'other' })).json();
    const { value: key } = (await space.owner.call(`POST /collections/${collection.id}/keys`, { name: 'k' })).json();
    const url = `https://database.deta.sh/v1/${collection.id}/notes/items/a`;
    expect(await asks(url, { key })).toMatchObject({ status: 401 });
    expect(await asks(url, { key: '$DETA_PROJECT_KEY' })).toMatchObject({ status: 401 });
    expect(await asks(`${NOTES}/items/a`, { key })).toMatchObject({ status: 401 });
    expect(await asks(`${NOTES}/items/a`)).toMatchObject({ status: 401 });
    // The key is right: from outside it opens the Collection.
    expect((await send(`${space.url}/base/v1/${collection.id}/notes/items/a`, { headers: { 'x-api-key': key } })).status).toBe(404);
  });

  test('the same app of somebody else keeps its own', async () => {
    await asks(`${NOTES}/items`, { method: 'PUT', key: '$DETA_PROJECT_KEY', body: { items: [{ key: 'mine' }] } });
    expect(await asks(`${NOTES}/items/mine`, { key: '$DETA_PROJECT_KEY' })).toMatchObject({ status: 200 });
    expect(await asks(`${NOTES}/items/mine`, { key: '$DETA_PROJECT_KEY', from: theirs })).toMatchObject({ status: 404 });
  });

  test('the address of another app leads nowhere', async () => {
    const { host } = new URL(theirs.url);
    for (const url of [`https://${host}/closed`, `https://${host.split(':')[0]}/closed`]) expect((await asks(url, { key: '$DETA_API_KEY' })).error).toBeDefined();
    expect((await asks(`https://database.deta.sh.${host.split(':')[0]}/`)).error).toBeDefined();
  });

  test('two apps that call each other without end are stopped', async () => {
    const there = (depth: number): string => new URL('/ask', (depth % 2 === 0 ? theirs : app).url).href;
    const nested = (depth: number): object => (depth === 10 ? { url: 'https://$DETA_SPACE_APP_HOSTNAME/pid', method: 'GET' } : { url: there(depth), method: 'POST', body: nested(depth + 1) });
    const { text = '' } = await asks(there(0), { method: 'POST', body: nested(1) });
    expect(text).toContain('MICRO_LOOP');
    expect(text).not.toContain('those with a key');
  });

  test('the platform\'s own addresses are shut', async () => {
    expect(await asks('https://$DETA_SPACE_APP_HOSTNAME/__space/v0/base/v1/x/notes/items/a', { key: '$DETA_API_KEY' })).toMatchObject({ status: 403 });
    expect((await asks('https://localhost/api/v0/health')).error).toBeDefined();
  });
});

test('what arrives at its own address has no key, cookie or word of the platform but what it sent (C9)', async () => {
  const { text = '' } = await asks('https://$DETA_SPACE_APP_HOSTNAME/headers', { key: '$DETA_API_KEY' });
  const names = (JSON.parse(text) as string[]).filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  expect(names).toEqual(expect.arrayContaining(['host', 'x-api-key', 'x-forwarded-host']));
  expect(names.filter((name) => /cookie|authorization|^x-space|^x-deta/.test(name))).toEqual([]);
});

test('the variable carries the TLS port, and the link that it makes works from outside', async () => {
  const { text } = await asks('https://$DETA_SPACE_APP_HOSTNAME/hostname', { key: '$DETA_API_KEY' });
  const name = new URL(app.url).hostname;
  expect(text).toMatch(new RegExp(`^${name}:\\d+$`));
  expect(text).not.toBe(new URL(app.url).host);
});

test('without a sandbox every page says so, and SDKs are shown this host by variables', async () => {
  const bare = await startTestHost({ args: ['--tls-port', '0', '--unsafe-no-sandbox'] });
  try {
    const said = async ({ owner, url }: TestHost, path: string): Promise<boolean> => (await owner.visitor.visit(`${url}${path}`)).text.includes('runs without a sandbox (--unsafe-no-sandbox)');
    for (const path of ['/', '/discover', '/tokens', '/host', '/login', '/nowhere']) expect([path, await said(bare, path), await said(space, path)]).toEqual([path, true, false]);
    const { builder } = await pushApp(bare.owner, { name: 'bare', files: await filesOf(join(CHECKOUT, 'test/fixtures/old-names')) });
    for (const micro of ['', '/python']) {
      expect(await asks('https://$DETA_BASE_HOST/v1/$ID/notes/items', { from: builder, micro, method: 'PUT', key: '$DETA_PROJECT_KEY', body: { items: [{ key: 'a' }] } })).toMatchObject({ status: 207 });
      expect(await asks('https://$DETA_DRIVE_HOST/v1/$ID/photos/files', { from: builder, micro, key: '$DETA_PROJECT_KEY' })).toMatchObject({ status: 200 });
      expect(await asks('https://$DETA_BASE_HOST/v1/$ID/notes/items/a', { from: builder, micro, key: 'wrong' })).toMatchObject({ status: 401 });
    }
  } finally {
    await bare.close();
  }
});
