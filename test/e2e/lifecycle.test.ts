// The main job from end to end, as its people do it: a host from `npm start`, the `space` command as a process, the
// dashboard's forms, two people. The steps build upon each other.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { CHECKOUT, removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send, Visitor } from '../support/http.ts';
import { copyExample } from '../support/space-command.ts';
import { instancesOf, PASSWORD, resident, until, type Resident } from './people.ts';

const PICTURE = readFile(join(CHECKOUT, 'examples', 'guestbook', 'icon.png'));

let host: HostProcess;
let ada: Resident;
let bob: Resident;
let guestbook: string;
let builderUrl: string;
let releaseUrl: string;
let bobsUrl: string;
const folders: string[] = [];

beforeAll(async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  folders.push(dataFolder);
  host = await startHostProcess({ dataFolder });
});

afterAll(async () => {
  await host?.kill();
  for (const person of [ada, bob]) await person?.[Symbol.asyncDispose]();
  await Promise.all(folders.map(removeFolder));
});

/** The value that a page shows once. */
function shownOnce(page: string): string {
  return /<code class="secret"[^>]*>([^<]+)<\/code>/.exec(page)?.[1] ?? '';
}

/** Sign a guestbook through its API, with a picture. @returns the entry's key and the picture's name */
async function sign(browser: Visitor, url: string, message: string): Promise<{ key: string; picture: string }> {
  const uploaded = await browser.fetch(`${url}api/pictures`, { method: 'POST', body: await PICTURE, headers: { 'content-type': 'image/png' } });
  expect(uploaded.status, uploaded.text).toBe(201);
  const { name } = uploaded.json<{ name: string }>();
  const answer = await browser.fetch(`${url}api/entries`, { method: 'POST', body: { name: 'Grace', message, picture: name } });
  expect(answer.status, answer.text).toBe(201);
  return { key: answer.json<{ key: string }>().key, picture: name };
}

async function messagesOf(browser: Visitor, url: string): Promise<string[]> {
  const answer = await browser.fetch(`${url}api/entries`);
  expect(answer.status, answer.text).toBe(200);
  return answer.json<{ entries: { message: string }[] }>().entries.map((entry) => entry.message);
}

async function pictureOf(browser: Visitor, url: string, name: string): Promise<Buffer> {
  const answer = await browser.fetch(`${url}api/pictures/${name}`);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('image/png');
  return answer.bytes;
}

async function editPage(from: string, to: string): Promise<void> {
  const file = join(guestbook, 'web', 'index.html');
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

describe('a host, an app, two people', () => {
  test('the first start prints where the dashboard is and how to set it up, and answers its health', async () => {
    expect(host.stdout()).toMatch(/Ownspace \S+ is running/);
    expect(host.setupUrl).toMatch(/^http:\/\/localhost:\d+\/setup\?secret=\S{16,}$/);
    const health = await send(`${host.url}/api/v0/health`);
    expect(health.status).toBe(200);
    expect(health.json()).toMatchObject({ status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  test('before the set-up every page leads there', async () => {
    const answer = await new Visitor().visit(`${host.url}/`);
    expect(new URL(answer.url).pathname).toBe('/setup');
  });

  test('a person opens the set-up URL, chooses a name and a password, and lands on My apps', async () => {
    const browser = new Visitor();
    const form = await browser.visit(host.setupUrl as string);
    expect(form.text).toContain('name="password"');
    const secret = new URL(host.setupUrl as string).searchParams.get('secret') as string;
    const refused = await new Visitor().submit(`${host.url}/setup`, { secret: 'wrong', username: 'eve', password: PASSWORD });
    expect(refused.status).toBe(403);
    const home = await browser.submit(`${host.url}/setup`, { secret, username: 'ada', password: PASSWORD });
    expect(home.url).toBe(`${host.url}/`);
    expect(home.text).toContain('<h1>My apps</h1>');
    const page = await browser.submit(`${host.url}/tokens`, { name: 'my laptop' });
    const token = shownOnce(page.text);
    expect(token).toMatch(/^[A-Za-z0-9]{8}_[A-Za-z0-9]{32}$/);
    ada = await resident(host, 'ada', token, browser);
  });

  test('the set-up happens once', async () => {
    const secret = new URL(host.setupUrl as string).searchParams.get('secret') as string;
    const again = await new Visitor().submit(`${host.url}/setup`, { secret, username: 'eve', password: PASSWORD });
    expect(again.status).toBe(409);
  });

  test('space login takes the token from stdin and remembers it', async () => {
    const refused = await ada.terminal.space(['login', '--with-token'], { stdin: `${ada.token.slice(0, -1)}_` });
    expect(refused.code).toBe(1);
    const signedIn = await ada.terminal.space(['login', '--with-token'], { stdin: `${ada.token}\n` });
    expect(signedIn, signedIn.stderr).toMatchObject({ code: 0 });
    expect(signedIn.stdout).toContain('ada');
  });

  test('the guestbook, copied out of the checkout, is made a project and pushed; its log streams', async () => {
    guestbook = await copyExample('guestbook');
    folders.push(guestbook);
    const valid = await ada.terminal.space(['validate'], { cwd: guestbook });
    expect(valid).toMatchObject({ code: 0 });
    const made = await ada.terminal.space(['new', '--name', 'guestbook'], { cwd: guestbook });
    expect(made.code, made.stderr).toBe(0);
    const arrivals: number[] = [];
    const pushed = await ada.terminal.space(['push'], { cwd: guestbook, onOutput: (_, sinceMs) => arrivals.push(sinceMs) });
    expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
    const lastLine = pushed.stdout.trimEnd().split('\n').at(-1) ?? '';
    builderUrl = /(http:\/\/\S+)/.exec(lastLine)?.[1] ?? '';
    expect(builderUrl).toMatch(/^http:\/\/[a-z0-9-]+\.localhost:\d+\/$/);
    // In pieces while it went on, not in one at the end.
    expect(arrivals.length).toBeGreaterThan(2);
    console.log(`push of the guestbook: ${Math.round(pushed.durationMs)} ms`);
  });

  test('its address opens signed in already, and asks a stranger to sign in', async () => {
    const page = await ada.browser.visit(builderUrl);
    expect(page.status).toBe(200);
    expect(page.url).toBe(builderUrl);
    expect(page.text).toContain('Sign the guestbook');
    const stranger = await new Visitor().visit(builderUrl);
    expect(new URL(stranger.url).origin).toBe(host.url);
    expect(new URL(stranger.url).pathname).toBe('/login');
    const program = await send(`${builderUrl}api/entries`, { headers: { accept: 'application/json' } });
    expect(program.status).toBe(401);
  });

  test('a program with a cookie jar gets in too, as the contract says', async () => {
    const jar = new Visitor();
    const signedIn = await jar.fetch(`${host.url}/api/v0/login`, { method: 'POST', body: { username: 'ada', password: PASSWORD } });
    expect(signedIn.status).toBe(200);
    expect((await jar.visit(builderUrl)).text).toContain('Sign the guestbook');
  });

  test('the guestbook is signed with a picture', async () => {
    const { picture } = await sign(ada.browser, builderUrl, 'from the developer');
    expect(await messagesOf(ada.browser, builderUrl)).toEqual(['from the developer']);
    expect(await pictureOf(ada.browser, builderUrl, picture)).toEqual(await PICTURE);
  });

  test('space release prints the link of the Release', async () => {
    const released = await ada.terminal.space(['release', '--listed', '--confirm', '--notes', 'The first edition.'], { cwd: guestbook });
    expect(released.code, released.stdout + released.stderr).toBe(0);
    releaseUrl = /(http:\/\/\S+\/r\/[a-z0-9]+)/.exec(released.stdout.trimEnd().split('\n').at(-1) ?? '')?.[1] ?? '';
    expect(releaseUrl).toMatch(new RegExp(`^${host.url}/r/`));
  });

  test('a second person accepts an invitation', async () => {
    const invites = await ada.browser.submit(`${host.url}/invites`, {});
    const inviteUrl = shownOnce(invites.text);
    expect(inviteUrl).toMatch(new RegExp(`^${host.url}/invites/`));
    const browser = new Visitor();
    expect((await browser.visit(inviteUrl)).text).toContain('You are invited');
    const home = await browser.submit(inviteUrl, { username: 'bob', password: PASSWORD });
    expect(home.url).toBe(`${host.url}/`);
    expect(home.text).toContain('bob');
    expect((await new Visitor().visit(inviteUrl)).status).toBe(403);
    const token = shownOnce((await browser.submit(`${host.url}/tokens`, { name: 'phone' })).text);
    bob = await resident(host, 'bob', token, browser);
  });

  test('and installs the app from its link: an address of their own, data of their own', async () => {
    const page = await bob.browser.visit(releaseUrl);
    expect(page.text).toContain('The first edition.');
    expect(page.text).toContain('by <bdi>ada</bdi>');
    const done = await bob.browser.submit(`${releaseUrl}/install`, {});
    expect(new URL(done.url).pathname).toMatch(/^\/installations\//);
    bobsUrl = await until(async () => {
      const progress = await bob.browser.visit(done.url);
      return progress.text.includes('is installed') && /href="(http:\/\/[a-z0-9-]+\.localhost:\d+\/)"/.exec(progress.text)?.[1];
    }, 'the page says installed');
    expect(bobsUrl).not.toBe(builderUrl);
    expect((await bob.browser.visit(bobsUrl)).text).toContain('Sign the guestbook');
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual([]);
    expect((await bob.browser.visit(`${host.url}/`)).text).toContain(bobsUrl);
  });

  test('neither opens the copy of the other', async () => {
    expect((await bob.browser.visit(builderUrl)).status).toBe(403);
    expect((await ada.browser.visit(bobsUrl)).status).toBe(403);
    expect((await bob.browser.fetch(`${builderUrl}api/entries`)).status).toBe(401);
  });

  test('a second version reaches the Builder Instance at once, and nobody else', async () => {
    await sign(bob.browser, bobsUrl, 'from the second person');
    await editPage('<h1>Guestbook</h1>', '<h1>Guestbook, second edition</h1>');
    const pushed = await ada.terminal.space(['push'], { cwd: guestbook });
    expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
    expect((await ada.browser.visit(builderUrl)).text).toContain('second edition');
    expect(await messagesOf(ada.browser, builderUrl)).toEqual(['from the developer']);
    expect((await bob.browser.visit(bobsUrl)).text).not.toContain('second edition');
    const released = await ada.terminal.space(['release', '--listed', '--confirm', '--notes', 'Now with a second edition.', '--version', '2.0.0'], { cwd: guestbook });
    expect(released.code, released.stdout + released.stderr).toBe(0);
    expect((await bob.browser.visit(bobsUrl)).text).not.toContain('second edition');
  });

  test('the second person sees the update with its notes, takes it, and keeps their data', async () => {
    const listed = await bob.space(['instances', '--json']);
    const { instances } = JSON.parse(listed.stdout) as { instances: WireInstance[] };
    expect(instances).toHaveLength(1);
    const [instance] = instances as [WireInstance];
    expect(instance.update).toMatchObject({ version: '2.0.0', release_notes: 'Now with a second edition.' });
    const home = await bob.browser.visit(`${host.url}/`);
    expect(home.text).toContain(`/apps/${instance.id}/update`);
    expect(home.text).toContain('Now with a second edition.');
    const offer = await bob.browser.visit(`${host.url}/apps/${instance.id}/update`);
    expect(offer.text).toContain('Now with a second edition.');
    // Whoever does not say which one they were shown is shown it.
    const { text } = await bob.browser.submit(`${host.url}/apps/${instance.id}/update`, {});
    const [, release = ''] = /What is different[^]*name="release" value="([a-z0-9]+)"/.exec(text) ?? [];
    const done = await bob.browser.submit(`${host.url}/apps/${instance.id}/update`, { release });
    await until(async () => (await bob.browser.visit(done.url)).text.includes('is up to date'), 'the page says up to date');
    expect((await bob.browser.visit(bobsUrl)).text).toContain('second edition');
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['from the second person']);
    expect((await instancesOf(bob))[0]).toMatchObject({ version: '2.0.0', update: null, url: bobsUrl });
  });

  test('the page of a Release says what it would do to the copy that is there, and does it', async () => {
    const [instance] = await instancesOf(bob) as [WireInstance];
    const older = await bob.browser.visit(releaseUrl);
    expect(older.text).toContain('version <bdi>2.0.0</bdi>'.replace('version', 'Version'));
    expect(older.text, 'an older Release is no update').not.toContain('Update to');
    // Not listed: nobody is offered it, and whoever has the link may take it.
    const released = await ada.terminal.space(['release', '--confirm', '--notes', 'For you alone.', '--version', '2.1.0-beta', '--json'], { cwd: guestbook });
    expect(released.code, released.stdout + released.stderr).toBe(0);
    const { url } = JSON.parse(released.stdout) as { url: string };
    expect((await instancesOf(bob))[0]?.update).toBeNull();
    const page = await bob.browser.visit(url);
    expect(page.text).toContain('Update to <bdi>2.1.0-beta</bdi>');
    const [, path = '', release = ''] = /href="(\/apps\/[^"]+\/update)\?release=([a-z0-9]+)"/.exec(page.text) ?? [];
    expect((await bob.browser.visit(`${host.url}${path}?release=${release}`)).text).toMatch(/For you alone\.[^]*What is different/);
    const done = await bob.browser.submit(host.url + path, { release });
    await until(async () => (await bob.browser.visit(done.url)).text.includes('is up to date'), 'the page says up to date');
    expect((await instancesOf(bob))[0]).toMatchObject({ id: instance.id, version: '2.1.0-beta' });
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['from the second person']);
  });

  test('apps show their own pictures, to those who may see them', async () => {
    for (const person of [ada, bob]) {
      const home = await person.browser.visit(`${host.url}/`);
      const icons = [...home.text.matchAll(/src="(\/icons\/[a-z0-9]+)"/g)].map(([, path]) => host.url + path);
      expect(icons).toHaveLength(1);
      const icon = await person.browser.fetch(icons[0] as string);
      expect(icon.headers['content-type']).toBe('image/png');
      expect(icon.bytes).toEqual(await PICTURE);
      // What is not released yet is its developer's alone.
      expect((await new Visitor().fetch(icons[0] as string)).status).toBe(person === ada ? 404 : 200);
    }
  });

  test('space install makes a copy by link, space logs shows what a Micro prints', async () => {
    const installed = await bob.space(['install', releaseUrl]);
    expect(installed.code, installed.stderr).toBe(0);
    const url = installed.stdout.trimEnd().split('\n').at(-1) as string;
    expect(url).toMatch(/^http:\/\/[a-z0-9-]+\.localhost:\d+\/$/);
    expect(url).not.toBe(bobsUrl);
    await bob.browser.visit(url);
    expect(await messagesOf(bob.browser, url)).toEqual([]);
    const api = join(guestbook, 'api', 'index.js');
    await writeFile(api, (await readFile(api, 'utf8')).replace('async function listEntries({', "async function listEntries({ request,").replace('const last =', "console.log('listing entries for', request.method);\n  const last ="));
    expect((await ada.terminal.space(['push'], { cwd: guestbook })).code).toBe(0);
    expect(await messagesOf(ada.browser, builderUrl)).toEqual(['from the developer']);
    const logs = await ada.terminal.space(['logs'], { cwd: guestbook });
    expect(logs.code, logs.stderr).toBe(0);
    expect(logs.stdout).toContain('listing entries for GET');
  });

  test('space logs -f prints lines as they come, until Ctrl-C', async () => {
    const stop = new AbortController();
    let seen = '';
    const following = ada.terminal.space(['logs', '--follow', '--json'], { cwd: guestbook, signal: stop.signal, onOutput: (text) => { seen += text; } }).catch(() => undefined);
    await until(async () => seen.includes('listing entries'), 'what was logged before is shown');
    const before = seen.length;
    await messagesOf(ada.browser, builderUrl);
    await until(async () => seen.length > before, 'a new line is shown');
    stop.abort();
    await following;
  });

  test('after SIGTERM the host exits with 0, and starts again with everything there', async () => {
    expect(await host.stop(), host.stderr()).toBe(0);
    await expect(send(`${host.url}/api/v0/health`), 'nothing listens any more').rejects.toThrow(/ECONNREFUSED/);
    host = await startAgain(host);
    expect(host.setupUrl).toBeUndefined();
    expect(await messagesOf(ada.browser, builderUrl)).toEqual(['from the developer']);
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['from the second person']);
    expect((await bob.browser.visit(bobsUrl)).text).toContain('second edition');
    expect((await instancesOf(bob)).length).toBe(2);
  });

  test('Ctrl-C ends it as well, although npm and the terminal both tell it', async () => {
    expect(await host.interrupt(), host.stderr()).toBe(0);
    host = await startAgain(host);
  });

  test('after kill -9 what was acknowledged is there', async () => {
    const { picture } = await sign(bob.browser, bobsUrl, 'just before the lights went out');
    await host.kill();
    host = await startAgain(host);
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['just before the lights went out', 'from the second person']);
    expect(await pictureOf(bob.browser, bobsUrl, picture)).toEqual(await PICTURE);
  });

  test('a version that does not start is taken back, and says why; its developer hears of it', async () => {
    const [{ alias, version }] = await instancesOf(bob) as [WireInstance];
    const api = join(guestbook, 'api', 'index.js');
    const good = await readFile(api, 'utf8');
    await writeFile(api, `throw new Error('it was never tried');\n${good}`);
    expect((await ada.terminal.space(['push'], { cwd: guestbook })).code).toBe(0);
    expect((await ada.terminal.space(['release', '--listed', '--confirm', '--notes', 'Untried.', '--version', '3.0.0'], { cwd: guestbook })).code).toBe(0);
    const update = await bob.space(['update', alias, '--yes']);
    expect(update.code).toBe(1);
    expect(update.stderr).toContain('Untried.');
    expect(update.stderr).toMatch(new RegExp(`Version 3\\.0\\.0 failed its check\\..*it was never tried.*back at version ${version}`));
    expect(await messagesOf(bob.browser, bobsUrl)).toHaveLength(2);
    expect((await ada.terminal.space(['logs'], { cwd: guestbook })).stdout).toContain('MICRO_START_FAILED');
    await writeFile(api, good);
    expect((await ada.terminal.space(['push'], { cwd: guestbook })).code).toBe(0);
  });

  test('space rollback brings back code and data of then, and what was put aside after that', async () => {
    const [{ alias }] = await instancesOf(bob) as [WireInstance];
    const back = await bob.space(['rollback', alias, '--with-data', '--yes']);
    expect(back.code, back.stderr).toBe(0);
    expect(back.stderr).toContain('1 Item and 1 File that changed since then');
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['from the second person']);
    const { versions } = JSON.parse((await bob.space(['versions', alias, '--json'])).stdout) as { versions: { id: string }[] };
    const forward = await bob.space(['rollback', alias, '--to', versions[0]?.id ?? '', '--with-data', '--yes']);
    expect(forward.code, forward.stderr).toBe(0);
    expect(await messagesOf(bob.browser, bobsUrl)).toEqual(['just before the lights went out', 'from the second person']);
  });

  test('uninstalling keeps the data as a Collection, or takes it away, as the person says', async () => {
    const [first, second] = await instancesOf(bob) as [WireInstance, WireInstance];
    expect(first.url, 'oldest first').toBe(bobsUrl);
    const home = await bob.browser.submit(`${host.url}/apps/${first.id}/uninstall`, { data: 'keep' });
    expect(home.text).toContain('was uninstalled');
    expect((await bob.browser.visit(bobsUrl)).status).toBe(404);
    const key = (await bob.api('POST', `/collections/${first.collection_id}/keys`, { name: 'heir' })).json<{ value: string }>().value;
    const kept = await send(`${host.url}/base/v1/${first.collection_id}/entries/query`, { method: 'POST', body: {}, headers: { 'x-api-key': key } });
    expect(kept.json<{ items: object[] }>().items).toHaveLength(2);
    expect((await bob.browser.visit(`${host.url}/collections`)).text).toContain(first.collection_id);

    await bob.browser.submit(`${host.url}/apps/${second.id}/uninstall`, { data: 'delete' });
    await until(async () => (await instancesOf(bob)).length === 0, 'nothing is installed any more');
    expect((await bob.api('GET', '/collections')).text).not.toContain(second.collection_id);
    expect((await bob.api('POST', `/collections/${second.collection_id}/keys`, { name: 'heir' })).status).toBe(404);
    const restored = await bob.space(['trash', 'restore', second.collection_id]);
    expect(restored, restored.stderr).toMatchObject({ code: 0, stdout: `${second.url}\n` });
    expect(await messagesOf(bob.browser, second.url)).toEqual([]);
  });

  test('the pair: Micros call each other by name and by address, and a Micro key from outside opens a private route', async () => {
    const folder = await copyExample('pair');
    folders.push(folder);
    expect((await ada.terminal.space(['new', '--name', 'pair of micros'], { cwd: folder })).code).toBe(0);
    const pushed = await ada.terminal.space(['push', '--json'], { cwd: folder });
    expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
    const { url } = JSON.parse(pushed.stdout) as { url: string };
    const page = await ada.browser.visit(url);
    expect(page.text).toContain('3 of 3');
    const { calls } = (await ada.browser.fetch(`${url}calls`)).json<{ calls: { title: string; ok: boolean; text: string }[] }>();
    expect(calls.map(({ title, ok }) => ({ title, ok }))).toEqual([{ title: 'By name', ok: true }, { title: 'By address', ok: true }, { title: 'There and back', ok: true }]);

    await writeFile(join(folder, 'api', 'index.js'), "export default { async fetch(request, env) { return Response.json({ key: env.DETA_API_KEY, path: new URL(request.url).pathname }); } };\n");
    expect((await ada.terminal.space(['push'], { cwd: folder })).code).toBe(0);
    const { key } = (await ada.browser.fetch(`${url}api/greeting`)).json<{ key: string }>();
    const withKey = await send(`${url}api/greeting`, { headers: { 'x-api-key': key } });
    expect(withKey.json()).toEqual({ key, path: '/greeting' });
    for (const wrong of [`${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`, '', 'x']) {
      expect((await send(`${url}api/greeting`, { headers: { 'x-api-key': wrong } })).status).toBe(401);
    }
  });

  test('signing out ends the session everywhere', async () => {
    expect((await ada.browser.visit(builderUrl)).status).toBe(200);
    const left = await ada.browser.submit(`${host.url}/logout`, {});
    expect(new URL(left.url).pathname).toBe('/login');
    expect((await ada.browser.fetch(`${builderUrl}api/entries`)).status).toBe(401);
    expect(new URL((await ada.browser.visit(`${host.url}/`)).url).pathname).toBe('/login');
  });
});
