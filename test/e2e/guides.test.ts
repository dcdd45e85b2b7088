// Owns the proof that the guides are true: their commands are run as they stand, in their order, against a real host.
import { execa } from 'execa';
import { chmod, cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { zipOf } from '../builder/archive.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { instancesOf, settleOwner, signIn, type Resident } from './people.ts';

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

async function blocksOf(page: string): Promise<string[]> {
  const text = await readFile(join(CHECKOUT, 'docs', page), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
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
  await writeFile(archive, await zipOf({ 'bases/entries.json': JSON.stringify([{ key: 'a', text: 'from 2022' }, { key: 'b', text: 'from 2023' }]), 'drives/pictures/first.txt': 'the first picture' }));
  const blocks = await blocksOf('from-deta-space.md');
  expect(blocks).toHaveLength(5);
  const ran = await run(blocks.join('\n'), { dir: 'moved', env: { APP: repository, EXPORT: archive } });
  expect(ran.code, ran.all).toBe(0);
  expect(ran.all).toContain('Nothing was changed.');
  const { url } = await instanceOf('Old app');
  const answer = await ada.browser.visit(url);
  expect(answer.json(), answer.text).toEqual({ title: 'Entries', items: [{ key: 'a', text: 'from 2022' }, { key: 'b', text: 'from 2023' }], picture: 'the first picture' });
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
