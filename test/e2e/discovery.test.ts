// Discover and the pages of Releases in a real browser: what strangers write runs nothing there, and all of it is usable on a
// phone, by night, and without JavaScript.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, launchChromium, openContext, overflowPx, paintPicture } from '../support/browser.ts';
import { PASSWORD, pushApp, releaseApp, startTestHost, STATIC_FILES, type TestHost } from '../support/start-host.ts';

const SCREENSHOTS = process.env['SCREENSHOTS'];

/** Each sets `pwned` in a page that takes it as HTML. */
const EVIL = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1"><svg onload="window.pwned=1"></svg>';
const ABOUT = `# Why another guestbook

Because **yours** is *yours*: no account, no advertising, no counting. See [the source](https://example.org/guestbook) or write to <ada@example.org>.

## What it does

- Keeps lines, pictures and dates
- Shows them to whoever you like
- Goes with you when you move

| Where | How many |
|---|---|
| Guests | 10,000 |
| Pictures | as many as fit |

> "At last a book that I can take with me."

\`\`\`
curl https://guestbook.example/entries?with=a-rather-long-line-that-does-not-fit-on-the-screen-of-a-phone-at-all
\`\`\`
`;

describe.skipIf(CHROMIUM === undefined)('in Chromium', () => {
  let space: TestHost;
  let browser: Browser;
  let nice: string;
  let evil: string;

  beforeAll(async () => {
    space = await startTestHost();
    browser = await launchChromium();
    const { owner } = space;
    const present = async (id: string, more: object, by = owner): Promise<void> => expect((await by.call(`POST /promotions/${id}/discovery`, more)).status).toBe(202);
    const app = await pushApp(owner, { name: 'guestbook' });
    await releaseApp(owner, app, { version: '1.0', discovery_list: true, release_notes: 'The first.' });
    nice = await releaseApp(owner, app, { version: '1.1', discovery_list: true, release_notes: '- Photos may be large now\n- Dark at night\n\nThank you, **Grace**!' });
    await present(nice, { app_name: 'Guestbook', title: 'Guestbook, for guests with pens', tagline: 'Leave a line, find it again.', theme_color: '#e08a3c', homepage: 'https://example.org/', git: 'https://git.example/guestbook', works_with: ['Photos'], content_raw: ABOUT });
    const colors = [['#cfe3ff', '#ffd27d', '#7fa37c', '#3f6b52'], ['#2b1b45', '#f6a26b', '#5b3b73', '#33224e']] as const;
    for (const [index, each] of colors.entries()) await owner.call(`POST /promotions/${nice}/discovery/screenshots/${index}`, await paintPicture(browser, each), { 'content-type': 'image/png' });
    await owner.call(`POST /promotions/${nice}/discovery/screenshots/2`, 'https://films.example/guestbook', { 'content-type': 'text/plain' });
    for (const [index, name] of ['Photo wall', 'Reading list'].entries()) {
      const id = await releaseApp(owner, await pushApp(owner, { name: `other${index}`, files: STATIC_FILES }), { version: `${index}.0`, discovery_list: true });
      await present(id, { app_name: name, tagline: 'Something useful, told in one line that may be rather long.' });
    }
    evil = await releaseApp(space.member, await pushApp(space.member, { name: 'evil' }), { version: '<script>window.pwned=1</script>', discovery_list: true, release_notes: EVIL });
    await present(evil, { app_name: '<script>window.pwned=1</script>', title: `"'><img src=x onerror=window.pwned=1>`, tagline: EVIL, content_raw: `${EVIL}\n\n[click](javascript:window.pwned=1) ${'x'.repeat(3000)}`, works_with: [EVIL], theme_color: '"/><script>pwned=1//' }, space.member);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await space?.close();
  });

  async function signIn(page: Page): Promise<void> {
    await page.goto(`${space.url}/login`);
    await page.getByLabel('Name', { exact: true }).fill('bob');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${space.url}/`);
  }

  async function shoot(page: Page, name: string): Promise<void> {
    if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  test.each([
    ['phone', { viewport: { width: 375, height: 740 }, isMobile: true }], ['night', { colorScheme: 'dark' as const }],
  ])('%s: Discover and a Release are usable without JavaScript, and complain of nothing', async (name, options) => {
    const { context, page, complaints } = await openContext(browser, { ...options, javaScriptEnabled: false });
    await signIn(page);
    await page.goto(`${space.url}/discover`);
    await shoot(page, `discover-${name}`);
    await page.getByLabel('Search apps').fill('GUEST');
    await page.getByRole('button', { name: 'Search' }).click();
    expect(await page.locator('.shelf .tile').count()).toBe(1);
    await page.getByRole('link', { name: 'Recent' }).click();
    expect(page.url()).toContain('q=GUEST');
    await page.locator('.shelf a').first().click();
    await page.getByRole('heading', { name: 'Why another guestbook' }).waitFor();
    await shoot(page, `release-${name}`);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('what strangers write runs nothing, asks for nothing, and stays within the window', async () => {
    const { context, page, complaints } = await openContext(browser, { viewport: { width: 375, height: 740 } });
    await signIn(page);
    for (const path of ['/discover', `/r/${evil}`, `/r/${nice}`]) {
      await page.goto(space.url + path);
      expect(await page.evaluate('window.pwned')).toBeUndefined();
      expect(await overflowPx(page)).toBe(0);
    }
    await page.goto(`${space.url}/r/${evil}`);
    await shoot(page, 'release-evil');
    expect(await page.locator('main script, main iframe, main style, main :not(svg) > [onload], main [onerror]').count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('the same text as HTML, without a content policy, does what it wants', async () => {
    const server: Server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(EVIL));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { context, page } = await openContext(browser);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    expect(await page.evaluate('window.pwned')).toBe(1);
    await context.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
