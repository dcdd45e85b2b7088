// Owns a real Chromium for tests: where it is, how it starts without touching the network, and what its pages complain of.
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';

/** undefined when none is installed. */
export const CHROMIUM: string | undefined = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .find((path) => path !== undefined && path !== '' && existsSync(path));

/** `*.localhost` is loopback for Chromium by itself; the rule keeps every other name from being looked up. */
export function launchChromium(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-background-networking', '--disable-gpu', '--no-first-run', '--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP localhost 127.0.0.1, EXCLUDE 127.0.0.1'];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

export interface WatchedContext { context: BrowserContext; page: Page; /** What its consoles said that nobody wants to read there. */ complaints: string[] }

/** A profile of its own, as another person's browser. */
export async function openContext(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  context.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.page()?.url() ?? ''}: ${message.text()}`);
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('request', (request) => {
    const { hostname } = new URL(request.url());
    const isOwn = /^(data|blob|about):/.test(request.url()) || hostname === 'localhost' || hostname.endsWith('.localhost');
    if (!isOwn) complaints.push(`asked for ${request.url()}`);
  });
  return { context, page: await context.newPage(), complaints };
}

/** How far the page reaches beyond the window's right edge, in CSS pixels. */
export function overflowPx(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth') as Promise<number>;
}

/** A picture with something to see on it, painted by the browser itself: a landscape in these colours. */
export async function paintPicture(browser: Browser, [sky, sun, hill, front]: readonly [string, string, string, string]): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 960, height: 640 } });
  await page.setContent(`<body style="margin:0"><svg viewBox="0 0 960 640" width="960" height="640" preserveAspectRatio="xMidYMid slice">
<rect width="960" height="640" fill="${sky}"/><circle cx="690" cy="230" r="90" fill="${sun}"/>
<path d="M0 430 Q160 250 330 380 T640 330 T960 400 V640 H0Z" fill="${hill}"/><path d="M0 520 Q240 400 480 500 T960 470 V640 H0Z" fill="${front}"/></svg></body>`);
  const picture = await page.screenshot({ type: 'png' });
  await page.close();
  return picture;
}
