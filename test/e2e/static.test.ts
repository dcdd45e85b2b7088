// A static app through a real host: what its developer pushed, in codings and parts, and in a real browser as an app that is
// installed and starts without a network.
import { readFile } from 'node:fs/promises';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, launchChromium, openContext, type WatchedContext } from '../support/browser.ts';
import { PASSWORD, pushApp, startTestHost, type TestHost } from '../support/start-host.ts';
import type { TestResponse } from '../support/http.ts';

const SCRIPT = `document.querySelector('h1').textContent = 'Started';\n${'// as a bundler writes it\n'.repeat(200)}`;
const page = (head = ''): string => `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Site</title>${head}<link rel="stylesheet" href="/assets/style-B8x_vK2u.css"></head><body><h1>Loading</h1><script src="/assets/index-DiwrgT4a.js"></script></body></html>`;
const spacefile = (more = ''): string => `v: 0\n${more}micros:\n  - name: web\n    src: .\n    engine: static\n    serve: dist\n    primary: true\n    public_routes:\n      - /open/*\n  - name: second\n    src: .\n    engine: static\n    serve: dist/docs\n  - name: code\n    src: code\n    engine: isolate\n`;
const DIST = {
  Spacefile: spacefile('icon: icon.png\n'),
  'dist/index.html': page(), 'dist/assets/index-DiwrgT4a.js': SCRIPT, 'dist/assets/style-B8x_vK2u.css': 'h1 { color: green }', 'dist/docs/index.html': page(), 'dist/open/index.html': page(),
  'code/index.js': `export default { fetch: (request) => new Response(request.url.endsWith('/part') ? '<p>part' : '<!doctype html><head>' + request.headers.get('accept-encoding') + '</head>', { headers: { 'content-type': 'text/html' } }) };`,
  'dist/.env': 'SECRET=1', 'dist/assets/index-DiwrgT4a.js.map': '{"version":3}',
};

let host: TestHost;
let url: string;

beforeAll(async () => {
  // Hosts below a name with a dot are one site to a browser, as they are on the internet.
  host = await startTestHost({ args: ['--domain', 'space.localhost'] });
  const { builder } = await pushApp(host.owner, { name: 'site', files: { ...DIST, 'icon.png': await readFile(new URL('../../examples/hono/icon.png', import.meta.url)) } });
  url = builder.url.replace(/\/$/, '');
  await host.owner.visitor.visit(url);
});
afterAll(() => host?.close());

const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<TestResponse> => host.owner.visitor.fetch(url + path, { method, headers });

describe('through the front door', () => {
  test('coded once at the build', async () => {
    const coded = await ask('/assets/index-DiwrgT4a.js', { 'accept-encoding': 'gzip, br' });
    expect(coded.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding', 'cache-control': 'private, max-age=31536000, immutable', 'content-length': String(coded.bytes.length) });
    expect(brotliDecompressSync(coded.bytes).toString()).toBe(SCRIPT);
    expect(coded.bytes.length).toBeLessThan(SCRIPT.length / 10);
    expect((await ask('/assets/index-DiwrgT4a.js', { 'accept-encoding': 'br', 'if-none-match': coded.headers.etag ?? '' })).status).toBe(304);
  });

  test('in parts, as curl -r and players ask', async () => {
    const part = await ask('/assets/index-DiwrgT4a.js', { range: 'bytes=10-19', 'accept-encoding': 'gzip, br' });
    expect(part).toMatchObject({ status: 206, text: SCRIPT.slice(10, 20), headers: { 'content-range': `bytes 10-19/${SCRIPT.length}`, 'content-length': '10' } });
    expect(await ask('/assets/index-DiwrgT4a.js', { range: `bytes=${SCRIPT.length}-` })).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${SCRIPT.length}` } });
  });

  test('HEAD says how long it is', async () => {
    expect(await ask('/assets/index-DiwrgT4a.js', {}, 'HEAD')).toMatchObject({ status: 200, text: '', headers: { 'content-length': String(SCRIPT.length) } });
  });

  test('a folder leads to its page, with its query', async () => {
    expect(await ask('/docs?a=b')).toMatchObject({ status: 302, headers: { location: './docs/?a=b' } });
    expect((await host.owner.visitor.visit(`${url}/docs?a=b`)).url).toBe(`${url}/docs/?a=b`);
  });

  test('so does a Micro below a path', async () => {
    expect(await ask('/second?a=b')).toMatchObject({ status: 302, headers: { location: '/second/?a=b' } });
    expect((await ask('/second/')).text).toBe(page());
  });

  test('pages of code get the runtime too, its parts do not', async () => {
    expect((await host.owner.visitor.visit(`${url}/code`, { headers: { 'accept-encoding': 'br' } })).text).toBe('<!doctype html><head><script src="/__space/v0/runtime.js" async></script>null</head>');
    expect((await host.owner.visitor.visit(`${url}/code/part`)).text).toBe('<p>part');
    expect((await ask('/code', { 'accept-encoding': 'br' })).text).toBe('<!doctype html><head>br</head>');
  });

  test.each(['/.env', '/%2eenv', '/assets/index-DiwrgT4a.js.map', '/assets%2findex-DiwrgT4a.js', '/Spacefile', '/icon.png'])('%s is not there', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });

  test('nobody else gets any of it, and learns nothing of what it is', async () => {
    for (const path of ['/assets/index-DiwrgT4a.js', '/__space/v0/assets/manifest.json', '/__space/v0/assets/icon-pwa']) {
      expect((await host.member.visitor.fetch(url + path)).status).toBe(401);
    }
    for (const path of ['/__space/v0/runtime.js', '/__space/v0/assets/service-worker.js']) {
      const { status, text } = await host.member.visitor.fetch(url + path);
      expect(status).toBe(200);
      expect(text).not.toContain('site');
    }
  });

  test('pages of people who are signed in get the runtime, anything else does not', async () => {
    const visited = await host.owner.visitor.visit(`${url}/`, { headers: { 'accept-encoding': 'br' } });
    expect(visited.text || brotliDecompressSync(visited.bytes).toString()).toContain('<head><script src="/__space/v0/runtime.js" async></script>');
    expect((await ask('/')).text).toBe(page());
    expect((await host.owner.visitor.visit(`${url}/open/`)).text).toBe(page());
  });
});

describe.skipIf(CHROMIUM === undefined)('in a browser', () => {
  let browser: Browser;
  let window: WatchedContext;

  beforeAll(async () => {
    browser = await launchChromium();
    window = await openContext(browser);
    await window.page.goto(`${host.url}/login`);
    await signIn(window.page);
    await window.page.waitForURL(`${host.url}/`);
  });
  afterAll(() => browser?.close());

  async function signIn(at: Page): Promise<void> {
    await at.getByLabel('Name', { exact: true }).fill('ada');
    await at.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await at.getByRole('button', { name: 'Sign in' }).click();
  }
  async function open(at: string): Promise<{ tab: Page; devtools: CDPSession }> {
    const tab = await window.context.newPage();
    await tab.goto(at);
    return { tab, devtools: await window.context.newCDPSession(tab) };
  }
  const worker = (tab: Page): Promise<string | undefined> => tab.evaluate('navigator.serviceWorker.ready.then(({ active }) => new URL(active.scriptURL).pathname)');
  const manifestOf = async (devtools: CDPSession): Promise<Record<string, any>> => {
    const { url: from, data, errors } = await devtools.send('Page.getAppManifest');
    expect(errors).toEqual([]);
    return { from, ...JSON.parse(data ?? '{}') };
  };

  test('it can be installed: a manifest, icons that are pictures of their size, a worker', async () => {
    const { tab, devtools } = await open(`${url}/`);
    await tab.getByText('Started').waitFor();
    expect(await worker(tab)).toBe('/__space/v0/assets/service-worker.js');
    const manifest = await manifestOf(devtools);
    expect(manifest).toMatchObject({ from: `${url}/__space/v0/assets/manifest.json`, name: 'site', start_url: '/', display: 'standalone' });
    expect(manifest.icons.map(({ sizes }: { sizes: string }) => sizes)).toEqual(['180x180', '192x192', '512x512']);
    for (const { src, sizes } of manifest.icons) {
      expect(await tab.evaluate(`new Promise((resolve) => { const i = new Image(); i.onload = () => resolve(i.naturalWidth + 'x' + i.naturalHeight); i.onerror = () => resolve('none'); i.src = ${JSON.stringify(src)}; })`)).toBe(sizes);
    }
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
    await tab.close();
  });

  test('what the app has of its own stays', async () => {
    const own = {
      ...DIST, Spacefile: spacefile(), 'dist/index.html': page('<link rel="manifest" href="/own.json"><link rel="apple-touch-icon" href="/own.png"><script>navigator.serviceWorker.register("/own-worker.js")</script>'),
      'dist/own.json': '{"name":"Own","start_url":"/"}', 'dist/own-worker.js': 'self.addEventListener("activate", () => clients.claim()); self.addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));',
    };
    const { builder } = await pushApp(host.owner, { name: 'own-worker', files: own });
    const { tab, devtools } = await open(builder.url);
    expect(await worker(tab)).toBe('/own-worker.js');
    expect(await manifestOf(devtools)).toMatchObject({ name: 'Own' });
    expect(await tab.locator('link[rel=manifest]').getAttribute('crossorigin')).toBe('use-credentials');
    expect(await tab.evaluate('document.querySelectorAll("link[rel=manifest], link[rel=apple-touch-icon]").length')).toBe(2);
    // The time after which the host's own would have come.
    await tab.evaluate('new Promise((resolve) => setTimeout(resolve, 5500))');
    expect(await tab.evaluate('navigator.serviceWorker.getRegistrations().then((all) => all.map(({ active }) => new URL(active.scriptURL).pathname))')).toEqual(['/own-worker.js']);
    // Its worker passes visits on: the host knows its owner still, and nobody else gets the page into a frame.
    await tab.goto(`${host.url}/`);
    const framed = async (frame: string): Promise<string> => (await tab.evaluate(`new Promise((resolve) => {
      const frame = Object.assign(document.createElement('iframe'), { src: ${JSON.stringify(frame)}, name: 'framed' });
      frame.onload = () => resolve(); document.body.append(frame);
    })`), tab.frame('framed')!.url());
    await tab.evaluate(`document.body.append(Object.assign(document.createElement('a'), { href: ${JSON.stringify(builder.url)}, textContent: 'go there' }))`);
    await tab.getByText('go there').click();
    await tab.getByText('Started').waitFor();
    expect(await framed(`${builder.url}docs/`)).toBe(`${builder.url}docs/`);
    await tab.goto(url);
    expect(await framed(`${builder.url}docs/`)).toBe('chrome-error://chromewebdata/');
    await tab.close();
  });

  test('who says `auto_pwa: false` has pages as they are, and loses the worker that was there', async () => {
    const { builder, projectId } = await pushApp(host.owner, { name: 'plain', files: { ...DIST, Spacefile: spacefile() } });
    const { tab, devtools } = await open(builder.url);
    expect(await worker(tab)).toBe('/__space/v0/assets/service-worker.js');
    expect((await manifestOf(devtools)).icons).toMatchObject([{ sizes: 'any', type: 'image/svg+xml' }]);
    await pushApp(host.owner, { projectId, files: { ...DIST, Spacefile: spacefile('auto_pwa: false\n') } });
    await tab.reload();
    expect(await tab.content()).not.toContain('runtime.js');
    await tab.waitForFunction('navigator.serviceWorker.getRegistrations().then((all) => all.forEach((one) => one.update().catch(() => {})) ?? all.length === 0)', undefined, { polling: 250 });
    await tab.waitForFunction('caches.keys().then((names) => names.length === 0)', undefined, { polling: 100 });
    await tab.close();
  });

  test('whoever signs out leaves nothing behind, and is led to the sign-in and back', async () => {
    const { tab } = await open(`${url}/`);
    await worker(tab);
    // The worker brings this page: it has to be what the host would have sent without it.
    expect(await tab.evaluate('navigator.serviceWorker.controller !== null && document.querySelector("script[src=\'/__space/v0/runtime.js\']") !== null')).toBe(true);
    await tab.evaluate('caches.keys().then(([name]) => caches.open(name)).then((cache) => cache.put("/secret", new Response("secret")))');
    await window.context.clearCookies();
    await tab.evaluate('fetch("/assets/index-DiwrgT4a.js", { cache: "no-store" })');
    await tab.waitForURL(({ pathname }) => pathname === '/login');
    await signIn(tab);
    await tab.waitForURL(`${url}/`);
    await tab.getByText('Started').waitFor();
    expect(await tab.evaluate('caches.match("/secret").then(Boolean)')).toBe(false);
    await tab.close();
  });

  test('it starts without the host, and complains of nothing before', async () => {
    window.complaints.length = 0;
    const { tab } = await open(`${url}/`);
    await worker(tab);
    await tab.waitForFunction('caches.match("/").then((page) => page && caches.match("/assets/index-DiwrgT4a.js")).then(Boolean)', undefined, { polling: 100 });
    expect(window.complaints.filter((text) => text.startsWith(url))).toEqual([]);
    await host.close();
    for (const path of ['/', '/docs/never-seen']) {
      await tab.goto(url + path);
      await tab.getByText('Started').waitFor();
      expect(await tab.evaluate('getComputedStyle(document.querySelector("h1")).color')).toBe('rgb(0, 128, 0)');
    }
  });
});
