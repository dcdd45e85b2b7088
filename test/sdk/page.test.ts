// The browser build of the SDK in a page of an app, in a real browser: no key, the owner's session, over TLS.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, launchChromium, openContext } from '../support/browser.ts';
import { CHECKOUT } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { pushApp, type Person } from '../support/start-host.ts';
import { SDK_PASSWORD, startByVariable } from './sdk-host.ts';
import { EXTENT, failuresOf, PROGRAMS, type Results } from './sdk-program.ts';

const SPACEFILE = 'v: 0\nmicros:\n  - name: page\n    src: .\n    engine: static\n    primary: true\n    serve: .\n';
const PAGE = '<!doctype html><title>SDK</title><script type="module" src="page.mjs"></script>';
const SCRIPT = `import { Base, Drive } from './deta.mjs';
import { runCases } from './cases.mjs';
window.results = runCases({ Base, Drive, major: 2, isShort: ${EXTENT === 'short'}, isPage: true });`;

describe.skipIf(CHROMIUM === undefined)('in a page', () => {
  let host: Awaited<ReturnType<typeof startByVariable>>;
  let browser: Browser;
  let pageUrl: string;

  beforeAll(async () => {
    host = await startByVariable();
    browser = await launchChromium();
    const call: Person['call'] = (address, body, headers = {}) => {
      const [method = 'GET', path = '/'] = address.split(' ');
      return send(`${host.host.url}/api/v0${path}`, { method, headers: { authorization: `Bearer ${host.token}`, ...headers }, ...(body === undefined ? {} : { body }) });
    };
    const files = {
      Spacefile: SPACEFILE, 'index.html': PAGE, 'page.mjs': SCRIPT,
      'cases.mjs': await readFile(join(PROGRAMS, 'cases.mjs'), 'utf8'),
      'deta.mjs': await readFile(join(CHECKOUT, 'node_modules/deta/dist/index.browser.js'), 'utf8'),
    };
    const { builder } = await pushApp({ call } as Person, { files });
    pageUrl = `https://${new URL(builder.url).hostname}:${new URL(host.host.tlsUrl ?? '').port}/`;
  });

  afterAll(async () => {
    await browser?.close();
    await host?.[Symbol.asyncDispose]();
  });

  test('the owner, signed in', async () => {
    const { page, context } = await openContext(browser, { ignoreHTTPSErrors: true });
    await page.goto(pageUrl);
    await page.getByLabel('Name', { exact: true }).fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(SDK_PASSWORD);
    await page.getByRole('button').last().click();
    await page.waitForURL(pageUrl);
    await page.waitForFunction('window.results !== undefined');
    expect(failuresOf((await page.evaluate('window.results')) as Results, EXTENT === 'all' ? 20 : 12)).toEqual({});
    await context.close();
  });

  test('nobody without a session', async () => {
    const { page, context } = await openContext(browser, { ignoreHTTPSErrors: true });
    // The sign-in page is shown instead of the app; its origin has no session for the app either.
    await page.goto(pageUrl);
    expect(new URL(page.url()).pathname).toBe('/login');
    await context.close();
    const { hostname } = new URL(pageUrl);
    const answer = await send(`http://${hostname}:${host.host.port}/__space/v0/base/v1/dummy/notes/items/x`, { headers: { 'x-api-key': 'dummy' } });
    expect([answer.status, answer.headers.server, answer.json().errors]).toEqual([401, expect.stringMatching(/^Deta/), ['Unauthorized']]);
  });
});
