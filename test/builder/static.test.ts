import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createStaticToolchain } from '../../builder/toolchain/static.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { contentOf, packageOf, toolchainJob } from './toolchain-job.ts';

const staticToolchain = createStaticToolchain({ npmCommand: ['no-npm'], toolPath: '/nowhere', toolEnv: {}, cacheFolder: '/nowhere', allowsCommands: false });
const FILES = { 'index.html': '<p>', 'public/a.css': 'a{}', 'public/deep/b.bin': Buffer.from([0, 255, 1]), 'public/.well-known/x': 'x' };
const micro = (more: Partial<SpacefileMicro>): Partial<SpacefileMicro> => ({ engine: 'static', ...more });

test('the served folder is packaged as it is', async () => {
  const job = await toolchainJob(FILES, micro({ serve: 'public' }));
  const built = await packageOf(staticToolchain, job);
  expect(built.entry).toBe('');
  expect([...built.files.keys()].sort()).toEqual(['.well-known/x', 'a.css', 'deep/b.bin']);
  expect([...(await contentOf(built.files.get('deep/b.bin')))]).toEqual([0, 255, 1]);
  await job.clear();
});

test('without `serve` it is the whole folder', async () => {
  const job = await toolchainJob(FILES, micro({}));
  expect((await packageOf(staticToolchain, job)).files.size).toBe(4);
  await job.clear();
});

test.each([
  ['a folder that is not there', { serve: 'dist' }, 'BUILD_FAILED', '`serve: dist`'],
  ['a file', { serve: 'index.html' }, 'BUILD_FAILED', '`serve: index.html`'],
  ['a folder outside', { serve: '../..' }, 'BUILD_FAILED', 'leads out'],
  ['commands', { commands: ['make'] }, 'BUILD_TOOL_MISSING', '"make"'],
  ['an engine that needs a command', { engine: 'react', serve: 'public' }, 'BUILD_TOOL_MISSING', 'react'],
] as const)('%s is refused', async (_, more, code, says) => {
  const job = await toolchainJob(FILES, micro(more as Partial<SpacefileMicro>));
  await expect(packageOf(staticToolchain, job)).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  await job.clear();
});

test('an empty folder is refused, and links are no files', async () => {
  const job = await toolchainJob({ 'x': 'x' }, micro({ serve: 'links' }));
  await mkdir(join(job.folder, 'links'));
  await symlink('/etc/passwd', join(job.folder, 'links', 'passwd'));
  await expect(packageOf(staticToolchain, job)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('no files') });
  await job.clear();
});

test('nothing is served by accident, and the log says what stayed out', async () => {
  const files = {
    'index.html': 'x', 'app.js': 'x', 'app.js.map': '{}', 'level.map': 'x', 'style.css.map': '{}', '.env': 'SECRET', '.git/config': 'x', 'deep/.hidden/x.txt': 'x', '.well-known/security.txt': 'x', '.well-known/.secret': 'x',
    'node_modules/x/index.js': 'x', 'host.pem': 'x', 'id_rsa': 'x', 'package.json': '{}', Spacefile: 'v: 0', 'deep/package.json': '{}', 'back\\slash.txt': 'x', 'new\nline.txt': 'x',
  };
  const job = await toolchainJob(files, micro({}));
  expect([...(await packageOf(staticToolchain, job)).files.keys()].sort()).toEqual(['.well-known/security.txt', 'app.js', 'deep/package.json', 'index.html', 'level.map', 'node_modules/x/index.js']);
  expect(job.lines.join('\n')).toContain('Left out 4 for names that begin with a dot: .env, .git/config, .well-known/.secret, ...');
  for (const words of ['2 for source maps: app.js.map, style.css.map', '2 for private keys', '2 for being of the project', 'new\\nline.txt']) expect(job.lines.join('\n')).toContain(words);
  await job.clear();
  const below = await toolchainJob({ 'site/package.json': '{}', 'site/Spacefile': 'x' }, micro({ serve: 'site' }));
  expect((await packageOf(staticToolchain, below)).files.size).toBe(2);
  await below.clear();
});
