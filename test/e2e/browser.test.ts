// The main job in a real browser: what only a browser can tell about pages, cookies, policies and forms.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zipOf } from '../builder/archive.ts';
import { CHROMIUM, launchChromium, openContext, overflowPx, paintPicture, type WatchedContext } from '../support/browser.ts';
import { removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { copyExample } from '../support/space-command.ts';
import { PASSWORD, push, pushNew, release, resident, type Resident } from './people.ts';

let host: HostProcess;
let browser: Browser;
let ada: Resident;
let adas: WatchedContext;
let bobs: WatchedContext;
let guestbook: string;
let picture: Buffer;
let releaseUrl: string;
let builderUrl: string;
const folders: string[] = [];

/** For whoever wants to look: SCREENSHOTS names a folder for them. */
const SCREENSHOTS = process.env['SCREENSHOTS'];

async function shoot(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

async function fill(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
}

async function sign(page: Page, name: string, message: string): Promise<void> {
  await page.locator('#name').fill(name);
  await page.locator('#message').fill(message);
  await page.locator('#picture').setInputFiles({ name: 'view.png', mimeType: 'image/png', buffer: picture });
  await page.locator('#preview').waitFor({ state: 'visible' });
  await page.locator('#submit').click();
  await page.locator('#entries article', { hasText: message }).waitFor().catch(async (error: unknown) => {
    await shoot(page, 'not-signed');
    throw new Error(`the guestbook said "${await page.locator('#problem').innerText()}"`, { cause: error });
  });
}

async function expectEntry(page: Page, message: string): Promise<void> {
  const entry = page.locator('#entries article', { hasText: message });
  await entry.waitFor();
  const image = entry.locator('img');
  await image.scrollIntoViewIfNeeded();
  await expect.poll(() => image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth)).toBeGreaterThan(100);
}

// Without Chromium this is one visible skip, which test/skips.json does not excuse: where CI=true it fails.
describe.skipIf(CHROMIUM === undefined)('in Chromium', () => {
  beforeAll(async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
    folders.push(dataFolder);
    host = await startHostProcess({ dataFolder });
    browser = await launchChromium();
    picture = await paintPicture(browser, ['#f7d9b0', '#f2784b', '#5f7a8a', '#2f4858']);
    adas = await openContext(browser);
    bobs = await openContext(browser);
  });

  afterAll(async () => {
    await browser?.close();
    await host?.kill();
    await ada?.[Symbol.asyncDispose]();
    await Promise.all(folders.map(removeFolder));
  });

  test('the owner sets the host up, and makes a token for the terminal', async () => {
    const { page } = adas;
    await page.goto(host.setupUrl as string);
    await shoot(page, 'setup');
    await fill(page, { Name: 'ada', Password: PASSWORD });
    await page.getByRole('button').last().click();
    await page.getByRole('heading', { name: 'My apps' }).waitFor();
    await shoot(page, 'home-empty');
    await page.goto(`${host.url}/tokens`);
    await fill(page, { 'Name of a new token': 'my laptop' });
    await page.getByRole('button', { name: 'Create token' }).click();
    const token = await page.locator('code.secret').innerText();
    ada = await resident(host, 'ada', token);
  });

  test('after a push the app is on My apps, opens by a click, and is signed with a picture', async () => {
    guestbook = await copyExample('guestbook');
    folders.push(guestbook);
    builderUrl = (await pushNew(ada, guestbook, 'guestbook')).url;
    releaseUrl = `${host.url}/r/${await release(ada, guestbook, 'The first edition.')}`;
    const { page } = adas;
    await page.goto(host.url);
    await page.getByRole('link', { name: 'Guestbook' }).first().click();
    await page.waitForURL(builderUrl);
    await sign(page, 'Grace', 'What a lovely place this is.');
    await expectEntry(page, 'What a lovely place this is.');
    await shoot(page, 'guestbook');
  });

  test('on a slow line, what was typed early stays, and what was signed early too', async () => {
    const { page } = adas;
    const script = Promise.withResolvers<void>();
    const list = Promise.withResolvers<void>();
    const earlier = (await page.evaluate("fetch('/api/entries').then((answer) => answer.text())")) as string;
    await page.route('**/guestbook.js', async (route) => { await script.promise; await route.continue(); });
    await page.route('**/api/entries', async (route) => {
      if (route.request().method() !== 'GET') return route.continue();
      await list.promise;
      return route.fulfill({ contentType: 'application/json', body: earlier });
    });
    await page.goto(builderUrl, { waitUntil: 'commit' });
    await page.locator('#name').fill('Early');
    await page.locator('#message').fill('I did not wait.');
    script.resolve();
    await page.locator('#entries[aria-busy]').waitFor();
    await page.waitForLoadState('load');
    await page.locator('#submit').click();
    const entries = page.locator('#entries article');
    await entries.filter({ hasText: 'I did not wait.' }).waitFor();
    list.resolve();
    await entries.filter({ hasText: 'What a lovely place this is.' }).waitFor();
    expect(await entries.locator('.message').allInnerTexts()).toEqual(['I did not wait.', 'What a lovely place this is.']);
    await page.unrouteAll();
    await entries.first().getByRole('button', { name: /^Delete/ }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Delete' }).click();
    await expect.poll(() => entries.count()).toBe(1);
  });

  test('it is found again after a restart of the host, in the same session', async () => {
    expect(await host.stop()).toBe(0);
    host = await startAgain(host);
    await adas.page.reload();
    await expectEntry(adas.page, 'What a lovely place this is.');
  });

  test('an invited person, in another browser, installs the app from its link', async () => {
    await adas.page.goto(`${host.url}/invites`);
    await adas.page.getByRole('button', { name: 'Create an invitation' }).click();
    const invitation = await adas.page.locator('code.secret').innerText();
    const { page } = bobs;
    await page.goto(invitation);
    await shoot(page, 'invitation');
    await fill(page, { Name: 'bob', Password: PASSWORD });
    await page.getByRole('button', { name: 'Create my Space' }).click();
    await page.getByRole('heading', { name: 'My apps' }).waitFor();
    await page.getByLabel('Release link').fill(releaseUrl);
    await page.getByRole('button', { name: 'Look at it' }).click();
    await page.getByText('The first edition.').waitFor();
    await shoot(page, 'release');
    await page.getByRole('button', { name: 'Install' }).click();
    await page.getByRole('link', { name: 'Open' }).click();
    await page.locator('#empty').waitFor({ state: 'visible' });
    expect(page.url()).not.toBe(builderUrl);
    await sign(page, 'Bob', 'My own book.');
    await adas.page.goto(builderUrl);
    await expectEntry(adas.page, 'What a lovely place this is.');
    expect(await adas.page.locator('#entries article').count()).toBe(1);
  });

  test('the update is offered with its notes, and keeps the data', async () => {
    await push(ada, guestbook);
    await release(ada, guestbook, 'Brighter and faster.');
    const { page } = bobs;
    await page.goto(host.url);
    await page.getByRole('link', { name: /^Update/ }).first().click();
    await page.getByText('Brighter and faster.').waitFor();
    await page.getByText('stays as it is').waitFor();
    await shoot(page, 'update');
    await page.getByRole('button', { name: 'Update' }).click();
    await page.getByRole('link', { name: 'Open' }).click();
    await expectEntry(page, 'My own book.');
  });

  test('who goes back from an update reads what it means, and keeps what came since', async () => {
    const { page } = bobs;
    await sign(page, 'Bob', 'Written since.');
    await page.goto(host.url);
    await page.locator('.tile summary').first().click();
    await page.getByRole('link', { name: 'Settings' }).last().click();
    for (const isNewerThere of [false, true]) {
      await page.getByRole('link', { name: 'Versions' }).click();
      await page.getByRole('link', { name: /^Go back to/ }).first().click();
      await page.getByLabel(/The code and its data/).check();
      await page.getByText('kept aside').waitFor();
      await shoot(page, 'rollback');
      await page.getByRole('button', { name: 'Roll back' }).click();
      await page.getByRole('heading', { name: /is back at the earlier version/ }).waitFor();
      await page.getByRole('link', { name: 'Open' }).click();
      await page.locator('#entries article').first().waitFor();
      await expectEntry(page, 'My own book.');
      expect(await page.getByText('Written since.').count()).toBe(isNewerThere ? 1 : 0);
      await page.goto(host.url);
      await page.locator('.tile summary').first().click();
      await page.getByRole('link', { name: 'Settings' }).last().click();
    }
  });

  test('every page fits a desktop and a phone, in light and in dark, and nothing is complained of', async () => {
    const [, appPath] = /href="(\/apps\/[a-z0-9]+)"/.exec(await (await bobs.context.request.get(host.url)).text()) ?? [];
    const state = await bobs.context.storageState();
    const signedOut = ['/login', '/nowhere', new URL(releaseUrl).pathname];
    const signedIn = ['/', '/discover', '/tokens', '/collections', '/trash', new URL(releaseUrl).pathname, `${appPath}`, `${appPath}/uninstall`];
    // Those have no look of their own beyond what the others have: once wide and light, once narrow and dark.
    const tabs = ['versions', 'settings', 'data', 'logs', 'rollback'].map((tab) => `${appPath}/${tab}`);
    for (const [name, options] of Object.entries({
      desktop: {}, 'desktop-dark': { colorScheme: 'dark' as const }, phone: { viewport: { width: 360, height: 740 } }, 'phone-dark': { viewport: { width: 360, height: 740 }, colorScheme: 'dark' as const },
    })) {
      for (const [paths, storageState] of [[signedOut, undefined], [signedIn, state]] as const) {
        const { context, page, complaints } = await openContext(browser, { ...options, storageState });
        for (const path of [...paths, ...(storageState && (name === 'desktop' || name === 'phone-dark') ? tabs : [])]) {
          await page.goto(host.url + path);
          expect(await overflowPx(page), `${name} ${path} scrolls sideways`).toBe(0);
          expect(await page.locator('h1').count(), `${name} ${path} has one heading`).toBe(1);
          await shoot(page, `${name}${storageState ? '' : '-out'}${path.replace(/[a-z0-9]{16}/, 'id').replaceAll('/', '_')}`);
        }
        if (storageState) {
          await page.goto(await ownAddress(page));
          await page.locator('#entries article').first().waitFor();
          expect(await overflowPx(page), `${name} guestbook scrolls sideways`).toBe(0);
          await shoot(page, `${name}_guestbook`);
        }
        // A page that is not there is a 404 by design; its console line is the browser's.
        expect(complaints.filter((line) => !line.includes('/nowhere'))).toEqual([]);
        await context.close();
      }
    }
  });

  async function ownAddress(page: Page): Promise<string> {
    await page.goto(host.url);
    return (await page.getByRole('link', { name: 'Guestbook' }).first().getAttribute('href')) as string;
  }

  test('dark is dark and light is light', async () => {
    const brightness = async (colorScheme: 'dark' | 'light'): Promise<number> => {
      const { context, page } = await openContext(browser, { colorScheme });
      await page.goto(`${host.url}/login`);
      const colour = (await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')) as string;
      await context.close();
      const parts = (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
      return parts.reduce((sum, part) => sum + part, 0) / 3;
    };
    expect(await brightness('dark')).toBeLessThan(90);
    expect(await brightness('light')).toBeGreaterThan(180);
  });

  test('without JavaScript every form of the dashboard works', async () => {
    const { context, page, complaints } = await openContext(browser, { javaScriptEnabled: false });
    await page.goto(releaseUrl);
    await page.getByRole('link', { name: 'Sign in' }).last().click();
    await fill(page, { Name: 'bob', Password: 'wrong horse battery' });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The name or the password is wrong.').waitFor();
    await fill(page, { Password: PASSWORD });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(releaseUrl);
    await page.getByRole('button', { name: 'Install another copy' }).click();
    await page.getByRole('heading', { name: /is installed/ }).waitFor();
    await page.getByRole('link', { name: 'Back to my apps' }).click();
    const tiles = page.locator('.tile');
    expect(await tiles.count()).toBe(2);
    await tiles.last().locator('summary').click();
    await tiles.last().getByRole('link', { name: 'Settings' }).click();
    await fill(page, { 'Name of a new key': 'script' });
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.locator('code.secret').waitFor();
    await page.getByRole('button', { name: 'Revoke script' }).click();
    await page.getByText('None yet.').waitFor();
    await page.getByRole('link', { name: 'Uninstall…' }).click();
    await page.getByLabel('Delete the data').check();
    await page.getByRole('button', { name: 'Uninstall' }).click();
    await page.getByText('was uninstalled').waitFor();
    expect(await page.locator('.tile').count()).toBe(1);
    await page.goto(`${host.url}/trash`);
    await shoot(page, 'trash');
    await page.getByRole('button', { name: 'Bring back Guestbook' }).click();
    await page.getByRole('navigation', { name: 'Guestbook' }).getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('link', { name: 'Uninstall…' }).click();
    await page.getByLabel('Delete the data').check();
    await page.getByRole('button', { name: 'Uninstall' }).click();
    await page.goto(`${host.url}/trash`);
    await page.getByText('Delete…').click();
    await page.getByRole('button', { name: 'Delete Guestbook for good' }).click();
    await page.getByText('Nothing is in it.').waitFor();
    await page.goto(`${host.url}/tokens`);
    await fill(page, { 'Name of a new token': 'no script' });
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.locator('code.secret').waitFor();
    await page.getByRole('button', { name: 'Revoke no script' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(complaints.filter((line) => !line.includes('401'))).toEqual([]);
    await context.close();
  });

  test('on a dark phone without JavaScript, by the keyboard, an app is asked to do something and a Collection is kept', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'doer-'));
    folders.push(folder);
    await writeFile(join(folder, 'Spacefile'), 'v: 0\nmicros:\n  - { name: doer, src: ., engine: isolate, primary: true, provide_actions: true, actions: [{ id: tidy, name: Tidy up, trigger: schedule, default_interval: 1 day }] }\n');
    await writeFile(join(folder, 'index.js'), `export default { async fetch(request) {
      if (request.url.endsWith('/__space/actions')) return Response.json({ actions: [{ name: 'save', title: 'Save a note', path: '/save', input: [{ name: 'text', type: 'string' }, { name: 'times', type: 'number', optional: true }, { name: 'pin', type: 'boolean', optional: true }] }] });
      return Response.json({ kept: await request.json(), long: 'x'.repeat(300) });
    } };\n`);
    const { id } = await pushNew(ada, folder, 'doer');
    const { context, page, complaints } = await openContext(browser, { javaScriptEnabled: false, viewport: { width: 360, height: 740 }, colorScheme: 'dark', storageState: await adas.context.storageState() });
    /** To the next place with this name, as Tab goes. */
    const tabTo = async (name: string): Promise<void> => {
      const isThere = `[document.activeElement].some((it) => [it.textContent.trim(), it.getAttribute('aria-label'), it.labels?.[0]?.textContent].includes(${JSON.stringify(name)}))`;
      for (let steps = 0; steps < 60; steps += 1) {
        await page.keyboard.press('Tab');
        if (await page.evaluate(isThere)) return;
      }
      throw new Error(`Tab does not reach ${name}`);
    };
    const fits = async (name: string): Promise<void> => {
      expect(await overflowPx(page), `${name} scrolls sideways`).toBe(0);
      await shoot(page, `phone-dark_${name}`);
    };
    await page.goto(`${host.url}/apps/${id}/actions`);
    await fits('actions');
    await tabTo('text');
    await page.keyboard.type('milk');
    await page.keyboard.press('Tab');
    await page.keyboard.type('2');
    await tabTo('Run Save a note');
    await page.keyboard.press('Enter');
    await page.getByText('"kept": {').waitFor();
    expect(await page.locator('pre').innerText()).toMatch(/"text": "milk",\s+"times": 2\s+}/);
    await fits('actions-done');
    for (const [name, path] of [['schedules', `/apps/${id}/schedules`], ['host', '/host'], ['invites', '/invites']] as const) {
      await page.goto(host.url + path);
      await fits(name);
    }
    await page.goto(`${host.url}/collections`);
    await tabTo('Name of a new Collection');
    await page.keyboard.type('Weather');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Weather' }).waitFor();
    await tabTo('Name of a new key');
    await page.keyboard.type('station');
    await page.keyboard.press('Enter');
    await page.locator('code.secret').waitFor();
    await fits('collection-key');
    await page.locator('#file').setInputFiles({ name: 'export.zip', mimeType: 'application/zip', buffer: await zipOf({ 'bases/rain.json': '[{"key":"a","mm":3}]' }) });
    await page.getByRole('button', { name: 'Import' }).click();
    await page.getByText('It is in.').waitFor();
    await fits('collection');
    await tabTo('Delete…');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Trash' }).waitFor();
    await page.getByText('Weather').first().waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('the keyboard alone signs in and opens an app', async () => {
    const { context, page, complaints } = await openContext(browser);
    await page.goto(host.url);
    // The name has the focus already.
    await page.keyboard.type('bob');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My apps' }).waitFor();
    const focused = async (): Promise<string> => (await page.evaluate('document.activeElement.textContent.trim() + " " + [null, "::after"].map((part) => getComputedStyle(document.activeElement, part).outlineStyle).join(" ")')) as string;
    await expect.poll(async () => {
      await page.keyboard.press('Tab');
      return focused();
    }, { interval: 10 }).toMatch(/Guestbook .*(solid|auto)/);
    await page.keyboard.press('Enter');
    await page.locator('#entries article').first().waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('an app cannot reach the dashboard or another app from its page', async () => {
    const { page } = bobs;
    await page.goto(await ownAddress(page));
    const attempts = [`${host.url}/api/v0/space`, `${host.url}/tokens`, `${builderUrl}api/entries`];
    for (const url of attempts) {
      const outcome = await page.evaluate(`fetch(${JSON.stringify(url)}, { credentials: 'include' }).then((answer) => answer.status, (error) => 'refused')`);
      expect([401, 'refused'], url).toContain(outcome);
    }
    expect(await page.evaluate("fetch('/api/entries').then((answer) => answer.status)")).toBe(200);
    const framed = await page.evaluate(`new Promise((resolve) => { const frame = document.createElement('iframe'); frame.onload = () => resolve(frame.contentDocument ? 'empty' : 'closed'); frame.onerror = () => resolve('error'); frame.src = ${JSON.stringify(`${host.url}/`)}; document.body.append(frame); })`);
    expect(['closed', 'error']).toContain(framed);
    expect(page.frames().filter((frame) => frame.url().startsWith(`${host.url}/`))).toEqual([]);
  });

  test('nothing was complained of on the way', () => {
    // The attempts above are refused loudly, by design. Whoever leaves a page while its service worker is on its way is told so.
    const unexpected = [...adas.complaints, ...bobs.complaints].filter((line) => !/api\/v0\/space|\/tokens|api\/entries|frame|Content Security Policy directive: "default-src 'self'"|Refused to connect|Connecting to|error occurred when fetching the script/.test(line));
    expect(unexpected).toEqual([]);
  });
});
