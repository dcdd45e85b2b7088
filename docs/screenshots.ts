// Makes the pictures of the README anew: a real host, the examples pushed to it, a real Chromium.
// Run it after the pages have changed: node_modules/.bin/node docs/screenshots.ts
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { CHROMIUM, launchChromium, openContext, paintPicture } from '../test/support/browser.ts';
import { CHECKOUT, removeFolder, startHostProcess } from '../test/support/host-process.ts';
import { copyExample, openTerminal, type Terminal } from '../test/support/space-command.ts';

const IMAGES = join(CHECKOUT, 'docs', 'images');
const PASSWORD = 'only for this picture';

/** Apps that exist for the picture only: name and tagline. */
const OTHERS: readonly (readonly [string, string])[] = [['Recipes', 'A shelf of things to cook.'], ['Film diary', 'What I saw, and when.'], ['Field notes', 'Birds, mostly.'], ['Allotment', 'What grows where.']];

/** Newest last, as people would sign. */
const ENTRIES: readonly { name: string; message: string; colours?: readonly [string, string, string, string] }[] = [
  { name: 'Tomás', message: 'The view from the ridge at seven in the morning. Worth every step.', colours: ['#f9dcc4', '#f4845f', '#7b8fa1', '#34495e'] },
  { name: 'Linnea', message: 'Thank you for the walk, and for the soup. We will be back when the apples are ripe.' },
];

async function pushAndRelease({ space }: Terminal, cwd: string, name: string): Promise<void> {
  for (const args of [['new', '--name', name], ['push'], ['release', '--listed', '--confirm', '--version', '1.0.0', '--notes', 'First version.']]) {
    const { code, stdout, stderr } = await space(args, { cwd });
    if (code !== 0) throw new Error(`space ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
}

async function staticApp(name: string, tagline: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'picture-'));
  const files = {
    Spacefile: `v: 0\napp_name: ${name}\nmicros:\n  - name: web\n    src: web\n    engine: static\n    serve: .\n    primary: true\n`,
    'Discovery.md': `---\ntitle: ${name}\ntagline: ${tagline}\n---\n\n${tagline}\n`,
    'web/index.html': `<!doctype html><title>${name}</title><h1>${name}</h1>`,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Name', { exact: true }).fill('ada');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button').click();
  await page.getByRole('heading', { name: 'My apps' }).waitFor();
}

async function makeToken(page: Page, hostUrl: string): Promise<string> {
  await page.goto(`${hostUrl}/tokens`);
  await page.getByLabel('Name of a new token').fill('my laptop');
  await page.getByRole('button', { name: 'Create token' }).click();
  return page.locator('code.secret').innerText();
}

/** Install everything that is listed, by its page, and take the Builder Instances out of the picture. */
async function installAll(page: Page, hostUrl: string): Promise<void> {
  await page.goto(`${hostUrl}/discover`);
  const links = await page.locator('main a[href^="/r/"]').evaluateAll((found) => found.map((link) => link.getAttribute('href') ?? ''));
  for (const link of [...new Set(links)].toReversed()) {
    await page.goto(hostUrl + link);
    await page.getByRole('button', { name: /^Install/ }).click();
    await page.getByRole('heading', { name: /is installed/ }).waitFor();
  }
}

async function signGuestbook(page: Page, browser: Browser): Promise<void> {
  for (const { name, message, colours } of ENTRIES) {
    await page.locator('#name').fill(name);
    await page.locator('#message').fill(message);
    if (colours) {
      await page.locator('#picture').setInputFiles({ name: 'view.png', mimeType: 'image/png', buffer: await paintPicture(browser, colours) });
      await page.locator('#preview').waitFor({ state: 'visible' });
    }
    await page.locator('#submit').click();
    await page.locator('#entries article', { hasText: message }).waitFor();
  }
  await page.reload();
  await page.locator('#name').fill('');
  await page.locator('#name').blur();
  await page.evaluate('scrollTo(0, 0)');
  await page.locator('#entries article img[src]').first().waitFor();
  await page.waitForLoadState('networkidle');
}

async function main(): Promise<void> {
  if (CHROMIUM === undefined) throw new Error('Chromium is needed: install it, or name it in the variable CHROMIUM.');
  await mkdir(IMAGES, { recursive: true });
  await using host = await startHostProcess();
  await using browser = await launchChromium();
  const { page } = await openContext(browser);
  await signIn(page, host.setupUrl ?? '');
  await using terminal = await openTerminal(host.root);
  await terminal.space(['login', '--with-token'], { stdin: await makeToken(page, host.url) });
  const folders = [await copyExample('guestbook'), await copyExample('pair'), ...(await Promise.all(OTHERS.map(([name, tagline]) => staticApp(name, tagline))))];
  const names = ['Guestbook', 'Pair', ...OTHERS.map(([name]) => name)];
  for (const [index, folder] of folders.entries()) await pushAndRelease(terminal, folder, names[index] ?? '');
  await installAll(page, host.url);
  for (const { id, channel } of JSON.parse((await terminal.space(['instances', '--json'])).stdout).instances as { id: string; channel: string }[]) {
    if (channel !== 'development') continue;
    await page.goto(`${host.url}/apps/${id}/uninstall`);
    await page.getByRole('button', { name: 'Uninstall' }).click();
  }
  await page.goto(host.url);
  await page.screenshot({ path: join(IMAGES, 'my-apps.png') });
  await page.getByRole('link', { name: 'Guestbook' }).first().click();
  await page.locator('#empty').waitFor({ state: 'visible' });
  await signGuestbook(page, browser);
  await page.screenshot({ path: join(IMAGES, 'guestbook.png') });
  await Promise.all(folders.map(removeFolder));
}

await main();
