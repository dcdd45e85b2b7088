// Covers the toolchain of Node.js: which package manager, which start command, and what a framework's build leaves.
// Frameworks are played by small scripts; that real ones leave the same is seen where apps are pushed.
import { readdir } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { managerOf } from '../../builder/toolchain/package-manager.ts';
import { createNodeToolchain } from '../../builder/toolchain/node.ts';
import type { Package } from '../../builder/toolchain/toolchain.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { bareTools, packageOf, toolchainJob, type TestJob } from './toolchain-job.ts';
import { entriesOf } from './unpacked.ts';

const jobs: TestJob[] = [];
afterEach(async () => { for (const job of jobs.splice(0)) await job.clear(); });

async function madeJob(files: Record<string, string>, micro: Partial<SpacefileMicro> = {}): Promise<TestJob> {
  const job = await toolchainJob(files, { engine: 'nodejs16', ...micro });
  jobs.push(job);
  return job;
}
async function built(files: Record<string, string>, micro: Partial<SpacefileMicro> = {}): Promise<Package> {
  const job = await madeJob(files, micro);
  return packageOf(createNodeToolchain(bareTools(job)), job);
}
/** A project whose `npm run build` writes these files. */
const building = (files: string[]): Record<string, string> => ({
  'package.json': '{"scripts":{"build":"node make.cjs"}}',
  'make.cjs': `const { mkdirSync, writeFileSync } = require('node:fs'); for (const path of ${JSON.stringify(files)}) { mkdirSync(require('node:path').dirname(path), { recursive: true }); writeFileSync(path, path); }`,
});

describe('the package manager', () => {
  const managed = async (files: Record<string, string>): Promise<{ name: string; first: string }> => {
    const job = await madeJob(files);
    const manager = await managerOf(job, JSON.parse(files['package.json'] ?? '{}'));
    return { name: manager.name, first: manager.start(['npm'], manager.attempts[0]!).join(' ') };
  };
  test.each([
    [{}, 'npm', 'npm install --no-package-lock'],
    [{ 'package-lock.json': '{}' }, 'npm', 'npm ci'],
    [{ 'yarn.lock': '# yarn lockfile v1\n' }, 'yarn 1.22.22', 'npm exec --yes --ignore-scripts --package=yarn@1.22.22 -- yarn install --frozen-lockfile --non-interactive'],
    [{ 'yarn.lock': '__metadata:\n  version: 8\n' }, 'yarn 4.9.2', 'npm exec --yes --ignore-scripts --package=@yarnpkg/cli-dist@4.9.2 -- yarn install --immutable'],
    [{ 'pnpm-lock.yaml': 'lockfileVersion: 5.4\n' }, 'pnpm 7.33.7', 'npm exec --yes --ignore-scripts --package=pnpm@7.33.7 -- pnpm install --frozen-lockfile --config.node-linker=hoisted'],
    [{ 'pnpm-lock.yaml': "lockfileVersion: '6.0'\n" }, 'pnpm 8.15.9', 'npm exec --yes --ignore-scripts --package=pnpm@8.15.9 -- pnpm install --frozen-lockfile --config.node-linker=hoisted'],
    [{ 'pnpm-lock.yaml': "lockfileVersion: '9.0'\n", 'yarn.lock': '' }, 'pnpm 9.15.9', 'npm exec --yes --ignore-scripts --package=pnpm@9.15.9 -- pnpm install --frozen-lockfile --config.node-linker=hoisted'],
    [{ 'package.json': '{"packageManager":"yarn@3.6.1+sha256.abc"}', 'package-lock.json': '{}' }, 'yarn 3.6.1', 'npm exec --yes --ignore-scripts --package=@yarnpkg/cli-dist@3.6.1 -- yarn install --no-immutable'],
    [{ 'package.json': '{"packageManager":"npm@9.0.0"}', 'yarn.lock': '' }, 'npm', 'npm install --no-package-lock'],
  ])('of %j is %s', async (files, name, first) => {
    expect(await managed(files)).toEqual({ name, first });
  });

  test.each(['bun@1.1.0', 'pnpm@latest', '$(id)'])('%j is refused', async (packageManager) => {
    const job = await madeJob({});
    await expect(managerOf(job, { packageManager })).rejects.toThrow(/is not known here: npm, pnpm and yarn are/);
  });

  test('nothing but its version is taken from what a source says', async () => {
    const manager = await managerOf(await madeJob({}), { packageManager: 'pnpm@9.0.0;touch ran' });
    expect(manager.start(['npm'], [])).toEqual(['npm', 'exec', '--yes', '--ignore-scripts', '--package=pnpm@9.0.0', '--', 'pnpm']);
  });
});

test('starts with index.js when nothing else is said, and says so when there is none', async () => {
  expect((await built({ 'index.js': '1' })).entry).toBe('node index.js');
  expect((await built({ 'server.js': '1' }, { run: 'node server.js' })).entry).toBe('node server.js');
  await expect(built({ 'server.js': '1' })).rejects.toThrow(/there is no index\.js in `api`\. Add one, or name the start command with `run`/);
  await expect(built({ 'index.js': '1' }, { run: '' })).rejects.toThrow(/`run` is empty/);
});

test('next is its standalone output with what the browser gets', async () => {
  const made = ['.next/standalone/server.js', '.next/standalone/node_modules/next/x.js', '.next/static/a.css', 'public/logo.svg', '.next/cache/big'];
  const next = await built(building(made), { engine: 'next' });
  expect(next.entry).toBe('export PATH="$PWD/node_modules/.bin:$PATH"; node server.js');
  expect([...(await entriesOf(next)).keys()].filter((name) => !name.endsWith('/'))).toEqual(['.next/static/a.css', 'public/logo.svg', 'server.js']);
  expect([...(await entriesOf(next, 'dependencies.tar.zst')).keys()]).toContain('node_modules/next/x.js');
  const below = await built(building(['.next/standalone/api/server.js']), { engine: 'next' });
  expect([...(await entriesOf(below)).keys()]).toEqual(['server.js']);
  await expect(built(building(['.next/other']), { engine: 'next' })).rejects.toThrow(/set `output: 'standalone'` in next\.config\.js/);
});

test('nuxt is .output, svelte-kit its folder build', async () => {
  const nuxt = await built(building(['.output/server/index.mjs', '.nuxt/x']), { engine: 'nuxt' });
  expect(nuxt.entry).toBe('node .output/server/index.mjs');
  expect([...(await entriesOf(nuxt)).keys()].filter((name) => !name.endsWith('/'))).toEqual(['.output/server/index.mjs']);
  const kit = await built(building(['build/index.js']), { engine: 'svelte-kit' });
  expect(kit.entry).toBe('node build');
  expect([...(await entriesOf(kit)).keys()]).toEqual(['build/', 'build/index.js', 'package.json']);
  await expect(built(building([]), { engine: 'svelte-kit' })).rejects.toThrow(/use `@sveltejs\/adapter-node`/);
  await expect(built(building([]), { engine: 'nuxt' })).rejects.toThrow(/there is no `\.output\/server\/index\.mjs`/);
});

test('`include` and `run` count before what a framework leaves', async () => {
  const own = await built(building(['dist/x.js']), { engine: 'next', include: ['dist'], run: 'node dist/x.js' });
  expect([...(await entriesOf(own)).keys()]).toEqual(['dist/', 'dist/x.js']);
  expect(own.entry).toBe('node dist/x.js');
});

test('packages of the registry are there, their scripts run, and the source stays as it was', { timeout: 120_000 }, async () => {
  const job = await madeJob({ 'index.js': '1', 'package.json': JSON.stringify({ dependencies: { 'is-number': '7.0.0' }, scripts: { postinstall: 'node -e "console.log(\'script ran\')"' } }) });
  const made = await packageOf(createNodeToolchain(bareTools(job)), job);
  expect((await entriesOf(made, 'dependencies.tar.zst')).get('node_modules/is-number/package.json')?.text).toContain('"7.0.0"');
  expect(job.lines[0]).toBe('[api] Installing dependencies with npm');
  expect((await readdir(job.folder)).toSorted()).toEqual(['index.js', 'package.json']);
});
