// Covers docs/frameworks.md: each recipe is written down as it stands, pushed by the real command, and used through the
// front door.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import type { TestRequest, TestResponse } from '../support/http.ts';
import { pushNew, settleOwner, signIn, type Resident } from './people.ts';

const TEXT = await readFile(join(CHECKOUT, 'docs', 'frameworks.md'), 'utf8');
const NODE_24 = join(CHECKOUT, 'node_modules', 'node', 'bin');

/** Are packages to be had? Without the registry there is nothing to try. */
const isOnline = await promisify(execFile)('npm', ['view', 'hono@4.13.19', 'version'], { cwd: tmpdir(), timeout: 30_000 }).then(() => true, () => false);
if (!isOnline) console.log('docs/frameworks.md: the npm registry cannot be reached');

interface Recipe { files: Record<string, string>; commands: string[] }

/** The blocks below a heading: files with their names, and what is typed. */
function recipe(title: string): Recipe {
  const section = TEXT.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  const blocks = [...section.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)];
  const files = blocks.flatMap(([, , name, text]) => (name === undefined ? [] : [[name, text ?? '']]));
  return { files: Object.fromEntries(files), commands: blocks.filter(([, kind]) => kind === 'sh').flatMap(([, , , text = '']) => text.trim().split('\n')) };
}

let host: HostProcess;
let ada: Resident;
const folders: string[] = [];

beforeAll(async () => {
  host = await startHostProcess();
  ada = await settleOwner(host);
  await signIn(host, ada);
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await ada?.[Symbol.asyncDispose]();
  await Promise.all(folders.map(removeFolder));
});

interface App { get(path: string): Promise<TestResponse>; send(path: string, request: TestRequest): Promise<TestResponse> }

/** Do what the recipe says. The last two commands are the `space` command's. */
async function follow(title: string): Promise<App> {
  const { files, commands } = recipe(title);
  const folder = await mkdtemp(join(tmpdir(), 'framework-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const [create, pushing] = commands.splice(-2);
  const name = /^space new --name ([a-z]+)$/.exec(create ?? '')?.[1];
  expect([name !== undefined, pushing]).toEqual([true, 'space push']);
  const env = { ...process.env, PATH: `${NODE_24}:${process.env['PATH']}`, ASTRO_TELEMETRY_DISABLED: '1' };
  for (const command of commands) await promisify(execFile)('sh', ['-c', command], { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 });
  return appOf(await pushNew(ada, folder, name!));
}

async function appOf({ url }: WireInstance): Promise<App> {
  // Signs in at the app's address.
  await ada.browser.visit(url);
  return { get: (path) => ada.browser.fetch(url + path), send: (path, request) => ada.browser.fetch(url + path, request) };
}

test('every kind of module, through the front door', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'modules-'));
  folders.push(folder);
  const files = {
    Spacefile: 'v: 0\nmicros:\n  - name: api\n    src: .\n    engine: isolate\n    primary: true\n',
    'index.ts': `import add from './add.wasm'; import data from './data.json'; import page from './page.html'; import query from './query.sql'; import raw from './add.wasm' with { type: 'bytes' };
      import { twice } from './lib/twice.ts'; import old from './lib/old.cjs';
      const { exports } = new WebAssembly.Instance(add);
      export default { fetch: (): Response => Response.json([(exports.add as (a: number, b: number) => number)(2, 3), data.x, page, query, raw.length, twice(4), old.y]) };`,
    'lib/twice.ts': 'export const twice = (x: number): number => x * 2;', 'lib/old.cjs': 'exports.y = 9;',
    'data.json': '{"x":7}', 'page.html': '<p>', 'query.sql': 'select 1',
    'add.wasm': Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]),
  };
  await mkdir(join(folder, 'lib'));
  for (const [path, content] of Object.entries(files)) await writeFile(join(folder, path), content);
  const app = await appOf(await pushNew(ada, folder, 'modules'));
  expect((await app.get('')).json()).toEqual([5, 7, '<p>', 'select 1', 41, 8, 9]);
});

describe.skipIf(!isOnline)('a recipe of docs/frameworks.md', () => {
  test('Hono: routes, JSON in and out, data', async () => {
    const app = await follow('Hono');
    const made = await app.send('notes', { method: 'POST', body: { text: 'first' } });
    expect(made.status, made.text).toBe(201);
    expect((await app.get('notes')).json()).toEqual([made.json()]);
    expect((await app.get(`notes/${made.json<{ key: string }>().key}`)).json()).toMatchObject({ text: 'first' });
    expect((await app.get('notes/gone')).status).toBe(404);
  });

  test('Hono, as the example has it', async () => {
    const { files } = recipe('Hono');
    for (const path of ['index.ts', 'package.json', 'Spacefile']) expect(await readFile(join(CHECKOUT, 'examples', 'hono', path), 'utf8'), path).toContain(files[path]!.trim().replace(/^v: 0\n/, ''));
  });

  test('itty-router: parameters, JSON in and out, errors', async () => {
    const app = await follow('itty-router');
    expect((await app.get('hello/ada')).json()).toEqual({ hello: 'ada' });
    const made = await app.send('items', { method: 'POST', body: { text: 'kept' } });
    expect((await app.get(`items/${made.json<{ key: string }>().key}`)).json()).toMatchObject({ text: 'kept' });
    expect((await app.get('nowhere')).status).toBe(404);
  });

  test('GraphQL Yoga: a mutation, a query, a mistake', async () => {
    const app = await follow('GraphQL Yoga');
    const ask = async (query: string): Promise<any> => (await app.send('graphql', { method: 'POST', body: { query } })).json();
    expect(await ask('mutation { addNote(text: "from a mutation") { key text } }')).toMatchObject({ data: { addNote: { text: 'from a mutation' } } });
    expect(await ask('{ notes { text } }')).toEqual({ data: { notes: [{ text: 'from a mutation' }] } });
    expect(await ask('{ nothing }')).toMatchObject({ errors: [{ message: expect.stringContaining('Cannot query field "nothing"') }] });
  });

  test('SvelteKit: a page with data, a form, assets, a prerendered page', async () => {
    const app = await follow('SvelteKit');
    const posted = await app.send('', { method: 'POST', body: 'text=from+a+form', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(posted.status, posted.text).toBe(200);
    const page = await app.get('');
    expect(page.text).toContain('<li>from a form</li>');
    const script = /href="\.\/(_app\/immutable\/entry\/start\.[^"]+\.js)"/.exec(page.text)?.[1];
    const asset = await app.get(script ?? 'none');
    expect([asset.status, asset.headers['content-type']]).toEqual([200, expect.stringContaining('javascript')]);
    expect((await app.get('icon.svg')).headers['content-type']).toBe('image/svg+xml');
    expect((await app.get('about')).text).toContain('<h1>About</h1>');
    expect((await app.get('__data.json')).json()).toMatchObject({ type: 'data' });
    expect((await app.get('nowhere')).status).toBe(404);
  });

  test('Astro: a page with data, an endpoint, assets, a prerendered page', async () => {
    const app = await follow('Astro');
    const made = await app.send('notes', { method: 'POST', body: { text: 'from an endpoint' } });
    expect(made.status, made.text).toBe(201);
    const page = await app.get('');
    expect(page.text).toContain('<li>from an endpoint</li>');
    const asset = await app.get(/src="\/(_astro\/[^"]+\.js)"/.exec(page.text)?.[1] ?? 'none');
    expect([asset.status, asset.headers['content-type']]).toEqual([200, expect.stringContaining('javascript')]);
    expect((await app.get('hello.txt')).text).toBe('hello\n');
    expect((await app.get('about')).text).toContain('<h1>About</h1>');
    expect((await app.get('nowhere')).status).toBe(404);
  });
});
