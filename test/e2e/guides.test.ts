// Owns the proof that the guides are true: their commands are run as they stand, in their order, against a real host.
import { execa } from 'execa';
import { chmod, cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireInstance, WireRelease } from '../../core/wire.ts';
import { parseInterval } from '../../spacefile-schema/interval.ts';
import { zipOf } from '../builder/archive.ts';
import { PNG } from '../builder/test-builder.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { instancesOf, settleOwner, signIn, until, type Resident } from './people.ts';

const OLD_APP = fileURLToPath(new URL('../fixtures/old-app', import.meta.url));
const ANSWER = '#> ';

let host: HostProcess;
let ada: Resident;
let folder: string;

beforeAll(async () => {
  host = await startHostProcess();
  ada = await settleOwner(host);
  await signIn(host, ada);
  folder = await mkdtemp(join(tmpdir(), 'guides-'));
  await writeFile(join(folder, 'space'), `#!/bin/sh\nexec node ${join(CHECKOUT, 'bin', 'space.js')} "$@"\n`);
  await chmod(join(folder, 'space'), 0o755);
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await ada?.[Symbol.asyncDispose]();
  if (folder) await removeFolder(folder);
});

const pageText = (page: string): Promise<string> => readFile(join(CHECKOUT, 'docs', page), 'utf8');

/** Of one language; plain ones have none. */
async function blocksOf(page: string, language = 'sh'): Promise<string[]> {
  return [...(await pageText(page)).matchAll(/^```([a-z]*)\n(.*?)^```$/gms)].flatMap(([, name, block = '']) => (name === language ? [block] : []));
}

/** A project of these files, pushed from a folder of that name. */
async function pushed(dir: string, files: Record<string, string | Buffer>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, dir, path)), { recursive: true });
    await writeFile(join(folder, dir, path), content);
  }
  const ran = await run(`space new --name ${dir}\nspace push`, { dir });
  expect(ran.code, ran.all).toBe(0);
}

/** In one shell, in a folder of its own, by somebody who is signed in. */
async function run(script: string, { dir, env = {} }: { dir: string; env?: Record<string, string> }): Promise<{ code: number | undefined; out: string; all: string }> {
  const cwd = join(folder, dir);
  await mkdir(cwd, { recursive: true });
  const ran = await execa('bash', ['-e', '-u', '-o', 'pipefail', '-c', script], {
    cwd, reject: false, all: true, extendEnv: false, stdin: 'ignore',
    env: { PATH: `${folder}:${process.env['PATH']}`, HOME: join(folder, dir), TMPDIR: tmpdir(), SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: ada.token, GIT_CONFIG_GLOBAL: '/dev/null', ...env },
  });
  return { code: ran.exitCode, out: ran.stdout, all: ran.all };
}

async function instanceOf(appName: string): Promise<WireInstance> {
  const found = (await instancesOf(ada)).find(({ app_name }) => app_name === appName);
  if (found === undefined) throw new Error(`there is no ${appName}`);
  return found;
}

test('docs/first-app.md leads to an app that keeps notes, and is released', async () => {
  const [page = '', spacefile = '', data = '', logs = '', release = '', ...others] = await blocksOf('first-app.md');
  expect(others).toEqual([]);
  const first = await run([page, spacefile].join('\n'), { dir: 'first' });
  expect(first.code, first.all).toBe(0);
  expect(first.out).toContain('engine: isolate');
  const { url } = await instanceOf('my-notes');
  expect((await ada.browser.visit(url)).text).toContain('<h1>Hello!</h1>');
  const second = await run(`cd my-notes\n${data}`, { dir: 'first' });
  expect(second.code, second.all).toBe(0);
  const kept = await ada.browser.submit(url, { text: 'milk & <b>honey</b>' });
  expect(kept.text).toContain('<li>milk &#38; &#60;b&#62;honey&#60;/b&#62;</li>');
  const third = await run(`cd my-notes\n${logs}\n${release}`, { dir: 'first' });
  expect(third.code, third.all).toBe(0);
  expect(third.out).toMatch(/a note was kept[^]*Release: http:\S+\/r\//);
});

test('docs/from-deta-space.md leads from a repository and an export to the app with its data', async () => {
  const repository = join(folder, 'repository');
  await cp(OLD_APP, repository, { recursive: true });
  const git = 'git init --quiet && git add . && git -c user.name=ada -c user.email=ada@example.org commit --quiet --message "As it was"';
  expect((await run(git, { dir: 'repository' })).code).toBe(0);
  const archive = join(folder, 'export.zip');
  // As Deta's pages describe it: @source deta/space-docs, use/your-data/exports.mdx
  const exported = {
    'bases/': '', 'bases/entries.json': JSON.stringify([{ key: 'a', text: 'from 2022' }, { key: 'b', text: 'from 2023' }]), 'bases/settings.json': '[{"key":"a b","value":{"deep":[1,2.5,null]}}]\n', 'bases/empty.json': '[]',
    'drives/': '', 'drives/pictures/': '', 'drives/pictures/first.txt': 'the first picture', 'drives/pictures/trips/2023/Überfahrt 1.txt': 'deep',
  };
  await writeFile(archive, await zipOf(exported));
  const other = join(folder, 'other.zip');
  await writeFile(other, await zipOf({ 'bases/entries.json': '{"items": []}' }));
  const blocks = await blocksOf('from-deta-space.md');
  expect(blocks).toHaveLength(5);
  const ran = await run(blocks.join('\n'), { dir: 'moved', env: { APP: repository, EXPORT: archive } });
  expect(ran.code, ran.all).toBe(0);
  expect(ran.all).toContain('Nothing was changed.');
  const { url } = await instanceOf('Old app');
  for (const what of [/Base +entries +2 +0 +0/, /Base +settings +1 +0 +0/, /Drive +pictures +2 +0 +0/]) expect(ran.all).toMatch(what);
  expect(await run(`cd app\nspace import ${other} --dry-run`, { dir: 'moved' })).toMatchObject({ code: 1, all: expect.stringContaining('bases/entries.json') });
  const answer = await ada.browser.visit(url);
  expect(answer.json(), answer.text).toEqual({ title: 'Entries', items: [{ key: 'a', text: 'from 2022' }, { key: 'b', text: 'from 2023' }], picture: 'the first picture' });
});

test('docs/settings.md: its commands and its body give an app its variables, and narrow its log', async () => {
  await pushed('notes', {
    Spacefile: 'v: 0\nmicros:\n  - name: web\n    src: .\n    engine: isolate\n    presets: { env: [{ name: TOKEN, default: none }] }\n',
    'index.js': "export default { async fetch(request, env) { console.warn('seen', env.TOKEN); return new Response(env.TOKEN); } };\n",
  });
  const { id, url } = await instanceOf('notes');
  const [list = '', ...more] = (await blocksOf('settings.md'))[0]?.split(/(?<=\n)/) ?? [];
  expect(await run(list, { dir: 'notes' })).toMatchObject({ code: 0, out: expect.stringMatching(/TOKEN +none +default/) });
  for (const [command, value] of [[more[0] ?? '', 'abc'], [more[1] ?? '', 'none']] as const) {
    expect(await run(command, { dir: 'notes' })).toMatchObject({ code: 0 });
    expect((await ada.browser.visit(url)).text).toBe(value);
  }
  const [body = ''] = await blocksOf('settings.md', 'json');
  expect((await ada.api('PATCH', `/instances/${id}`, JSON.parse(body) as object)).status).toBe(200);
  expect((await ada.browser.visit(url)).text).toBe('abc');
  const [, logs = ''] = await blocksOf('settings.md');
  // A line may come a moment after the answer.
  const line = await until(async () => (await ada.api('GET', `/instances/${id}/logs`)).text.split('\n')[2], 'the log has all three');
  const narrowed = await run(logs.replace('q3k9xa00001f', (JSON.parse(line) as { request_id: string }).request_id), { dir: 'notes' });
  expect(narrowed.code, narrowed.all).toBe(0);
  expect(narrowed.out.match(/seen \w+/g), narrowed.all).toEqual(['seen abc', 'seen none', 'seen abc', 'seen abc']);
});

test('docs/schedules.md: its Spacefile, module, answer and commands make an app that does things by itself and on demand', async () => {
  const [yaml = ''] = await blocksOf('schedules.md', 'yaml');
  const [module = ''] = await blocksOf('schedules.md', 'js');
  const [offer = ''] = await blocksOf('schedules.md', 'json');
  const asked = `const url = new URL(request.url);
    if (url.pathname === '/__space/actions') return Response.json(${offer.trim()});
    if (url.pathname === '/actions/save') return Response.json({ kept: await request.json() });
    if (url.pathname === '/runs') return Response.json((await env.Base('runs').fetch()).items);
    return new Response('hello');`;
  expect(module).toContain("return new Response('hello');");
  await pushed('tidier', { Spacefile: `v: 0\n${yaml}    provide_actions: true\n`, 'index.js': module.replace("return new Response('hello');", asked) });
  const [trigger = '', save = '', ...others] = await blocksOf('schedules.md');
  expect(others).toEqual([]);
  expect(await run(trigger, { dir: 'tidier' })).toMatchObject({ code: 0, out: expect.stringContaining('tidy ran in') });
  const { id, url } = await instanceOf('tidier');
  expect((await ada.browser.visit(`${url}runs`)).json()).toMatchObject([{ id: 'tidy', due: expect.any(Number) }]);
  const saved = await run(save, { dir: 'tidier' });
  expect([saved.code, JSON.parse(saved.out)], saved.all).toEqual([0, { kept: { text: 'buy milk', pin: true } }]);
  const [schedule] = (await ada.api('GET', `/instances/${id}/schedules`)).json<{ schedules: object[] }>().schedules;
  expect(schedule).toMatchObject({ id: 'tidy', name: 'Tidy up', description: 'Throws old entries away.', interval: '0 10 * * *' });
  expect((await ada.api('PATCH', `/instances/${id}/schedules/tidy`, { interval: '1 hour', enabled: true })).json()).toMatchObject({ interval: '1 hour' });
});

test('docs/schedules.md: every interval that it shows is one', async () => {
  const text = await pageText('schedules.md');
  const rates = /A \*\*rate\*\* is [^:]*: ([^.]*)\./.exec(text)?.[1]?.match(/`([^`]+)`/g) ?? [];
  const crons = text.match(/^\| `[^`|]+` \| (every|from|on) /gm) ?? [];
  expect([rates.length, crons.length]).toEqual([4, 5]);
  for (const shown of [...rates, ...crons]) expect(parseInterval(/`([^`]+)`/.exec(shown)?.[1] ?? ''), shown).not.toHaveProperty('problem');
});

test('docs/publishing.md: its Discovery.md and its commands make a page, take it off, and take it back', async () => {
  const page = (await blocksOf('publishing.md', '')).find((block) => block.startsWith('---')) ?? '';
  await pushed('published', { 'index.html': '<h1>hello</h1>', 'Discovery.md': page, 'pictures/first.png': PNG, Spacefile: 'v: 0\nmicros:\n  - name: published\n    src: .\n    engine: static\n    serve: .\n' });
  const [release = '', back = '', ...others] = await blocksOf('publishing.md');
  expect(others).toEqual([]);
  const ran = await run(release, { dir: 'published' });
  expect(ran.code, ran.all).toBe(0);
  const [url = '', id = ''] = /http:\S+\/r\/([a-z0-9]+)/.exec(ran.out) ?? [];
  const shown = await ada.browser.visit(url);
  for (const text of ['<bdi>Guestbook, for guests with pens</bdi>', 'Leave a line, find it again.', 'Photos may be large now.', 'fill="#3a4ec8"', `/r/${id}/screenshots/0`, 'https://example.org/a-film', '<h2>Why another one</h2>', '<strong>yours</strong>']) expect(shown.text).toContain(text);
  const [unlist = '', remove = ''] = back.split(/(?<=\n)/);
  expect(await run(unlist, { dir: 'published', env: { RELEASE: id } })).toMatchObject({ code: 0 });
  expect((await ada.api('GET', `/releases/${id}`)).json<WireRelease>()).toMatchObject({ listed: false, version: '1.1' });
  const removed = await run(remove, { dir: 'published', env: { RELEASE: id } });
  expect(removed.code, removed.all).toBe(0);
  expect((await ada.browser.visit(url)).status).toBe(404);
});

test('every example of docs/http-api.md answers what it says', async () => {
  const lines = (await blocksOf('http-api.md')).join('\n').split('\n');
  const answers = lines.filter((line) => line.startsWith(ANSWER)).map((line) => line.slice(ANSWER.length));
  expect(answers.length).toBeGreaterThan(5);
  const ran = await run(lines.join('\n'), { dir: 'api', env: { ROOT: host.url, TOKEN: ada.token } });
  expect(ran.code, ran.all).toBe(0);
  const printed = ran.out.split('\n');
  for (const [index, answer] of answers.entries()) expect(printed[index]).toMatch(patternOf(answer));
  expect(printed).toHaveLength(answers.length);
});

/** `...` stands for what differs each time. */
function patternOf(answer: string): RegExp {
  const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${answer.split('...').map(escaped).join('.*')}$`);
}
