import { execFile } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../builder/toolchain/command.ts';
import { installDependencies } from '../../builder/toolchain/dependencies.ts';
import { createIsolateToolchain } from '../../builder/toolchain/isolate.ts';
import { contentOf, packageOf, toolchainJob } from './toolchain-job.ts';
import type { TestJob } from './toolchain-job.ts';

const SYSTEM_PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
/** Some machines reach the registry only with a certificate of their own. */
const CERTIFICATES = process.env['NODE_EXTRA_CA_CERTS'];
const TOOL_ENV: Record<string, string> = CERTIFICATES ? { NODE_EXTRA_CA_CERTS: CERTIFICATES } : {};
const START = 'export default { fetch() {} };';

let base: string;
let job: TestJob | undefined;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'dependencies-'));
});
afterEach(async () => {
  await rm(base, { recursive: true, force: true });
  await job?.clear();
});

const tools = (more: Partial<Parameters<typeof installDependencies>[1]> = {}) =>
  ({ npmCommand: ['npm'] as [string], toolPath: SYSTEM_PATH, toolEnv: {}, cacheFolder: join(base, 'cache'), allowsCommands: false, ...more });

/** A program that stands where npm is looked for and writes down how it was called. */
async function witness(name = 'npm'): Promise<string> {
  const folder = join(base, 'bin');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\necho "$@" > "${base}/args"\nenv > "${base}/env"\nls -A > "${base}/files"\ncat package.json > "${base}/manifest"\nmkdir node_modules\n`);
  await chmod(join(folder, name), 0o755);
  return `${folder}:${SYSTEM_PATH}`;
}

const wasCalled = (): Promise<boolean> => access(join(base, 'args')).then(() => true, () => false);

describe('npm, really', () => {
  test('installs a package of the registry and bundles it; its scripts do not run', { timeout: 120_000 }, async () => {
    job = await toolchainJob({
      'index.js': `import isNumber from 'is-number'; export default { all: () => [isNumber(5), isNumber('x')] };`,
      'package.json': JSON.stringify({ dependencies: { 'is-number': '7.0.0' }, scripts: { postinstall: `touch ${base}/ran`, prepare: `touch ${base}/ran` } }),
    });
    const built = await packageOf(createIsolateToolchain(tools({ toolEnv: TOOL_ENV })), job);
    const code = (await contentOf(built.files.get('index.js'))).toString();
    const module = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as { default: any };
    expect(module.default.all()).toEqual([true, false]);
    expect(job.lines[0]).toBe('[api] Installing dependencies with npm');
    expect(await readdir(job.folder)).toEqual(['index.js', 'package.json']);
    expect(await readdir(base)).toEqual(['cache']);
  });

  test('fails with the reason in the log when there is no such package', { timeout: 120_000 }, async () => {
    job = await toolchainJob({ 'index.js': START, 'package.json': '{"dependencies":{"is-number":"999.0.0"}}' });
    await expect(installDependencies(job, tools({ toolEnv: TOOL_ENV }))).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('npm could not install') });
    expect(job.lines.join('\n')).toContain('No matching version found for is-number@999.0.0');
  });
});

describe('what the package manager gets', () => {
  test('is an environment composed from nothing, and neither configuration nor scripts of the source', async () => {
    process.env['OWNSPACE_CANARY'] = 'canary-7351';
    job = await toolchainJob({
      'index.js': START, '.npmrc': 'git=./evil.sh\nignore-scripts=false', '.yarnrc': 'yarn-path "./evil.js"', '.pnpmfile.cjs': 'evil',
      'package.json': JSON.stringify({ name: 'x', scripts: { preinstall: 'evil' }, workspaces: ['a'], dependencies: { a: '^1.0.0' } }),
    });
    await installDependencies(job, tools({ toolPath: await witness() }));
    delete process.env['OWNSPACE_CANARY'];
    const env = await readFile(join(base, 'env'), 'utf8');
    expect(env).not.toContain('canary-7351');
    const names = env.trim().split('\n').map((line) => line.split('=')[0]).filter((name) => !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name as string));
    expect(new Set(names)).toEqual(new Set(['CI', 'HOME', 'LANG', 'PATH', 'TMPDIR', 'npm_config_globalconfig', 'npm_config_userconfig']));
    expect((await readFile(join(base, 'files'), 'utf8')).trim()).toBe('package.json');
    expect(JSON.parse(await readFile(join(base, 'manifest'), 'utf8'))).toEqual({ name: 'x', dependencies: { a: '^1.0.0' } });
    expect(await readFile(join(base, 'args'), 'utf8')).toMatch(/^install .*--ignore-scripts.*cache=.*space1/);
  });

  test('is `ci` with a lock file', async () => {
    job = await toolchainJob({ 'index.js': START, 'package.json': '{"dependencies":{"a":"1"}}', 'package-lock.json': '{}' });
    await installDependencies(job, tools({ toolPath: await witness() }));
    expect(await readFile(join(base, 'args'), 'utf8')).toMatch(/^ci .*--ignore-scripts/);
  });

  test.each([
    ['no package.json', {}], ['no dependencies', { 'package.json': '{"devDependencies":{"a":"1"}}' }],
    ['only what the host provides', { 'package.json': '{"dependencies":{"deta":"^2.0.0"}}' }],
    ['packages that came with the source', { 'package.json': '{"dependencies":{"a":"1"}}', 'node_modules/a/package.json': '{}' }],
  ])('is nothing with %s', async (_, files) => {
    job = await toolchainJob({ 'index.js': START, ...files });
    await installDependencies(job, tools({ toolPath: await witness() }));
    expect(await wasCalled()).toBe(false);
  });
});

describe('sources other than the registry are refused before anything runs', () => {
  const specs = ['file:../../etc', 'file:///etc', 'link:../x', '../x', '/etc', './x.tgz', 'git+ssh://git@host/x', 'git://host/x', 'github:a/b', 'a/b', 'https://10.0.0.1/x.tgz', 'http://169.254.169.254/', 'workspace:*', 'npm:../x'];
  test.each(specs)('%s in package.json', async (spec) => {
    job = await toolchainJob({ 'index.js': START, 'package.json': JSON.stringify({ dependencies: { evil: spec } }) });
    await expect(installDependencies(job, tools({ toolPath: await witness() }))).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('`evil`') });
    expect(await wasCalled()).toBe(false);
  });

  test.each([
    { peerDependencies: { evil: 'http://10.0.0.1/x.tgz' } }, { overrides: { evil: 'http://10.0.0.1/x.tgz' } }, { overrides: { fine: { '.': '1', evil: 'file:/etc' } } },
    { resolutions: { evil: 'git+ssh://git@host/x' } }, { devDependencies: { evil: '../x' } },
  ])('in every field that npm follows: %j', async (fields) => {
    job = await toolchainJob({ 'index.js': START, 'package.json': JSON.stringify({ dependencies: { fine: '1' }, ...fields }) });
    await expect(installDependencies(job, tools({ toolPath: await witness() }))).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('`evil`') });
    expect(await wasCalled()).toBe(false);
  });

  test.each(['1.2.3', '^1.0.0', '>=1 <2', '1.x || 2', 'latest', '*', '', 'npm:other@^1.0.0', 'npm:@scope/other@1', '1.0.0-beta.1+x', '~2'])('%j is of the registry', async (spec) => {
    job = await toolchainJob({ 'index.js': START, 'package.json': JSON.stringify({ dependencies: { fine: spec } }) });
    await installDependencies(job, tools({ toolPath: await witness() }));
    expect(await wasCalled()).toBe(true);
  });

  const locks: [string, string][] = [
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved":"file:../../etc"}}}'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved":"git+ssh://git@github.com/a/b.git#1"}}}'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved":"http://169.254.169.254/x"}}}'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved": "https://registry.npmjs.org.evil.com/x"}}}'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved":"https://registry.npmjs.org@evil.com/x"}}}'],
    ['yarn.lock', 'a@1:\n  version "1"\n  resolved "https://evil.com/a.tgz#1"\n'],
    ['pnpm-lock.yaml', 'packages:\n  a:\n    resolution: {tarball: file:../x.tgz}\n'],
  ];
  test.each(locks)('in %s: %s', async (name, text) => {
    job = await toolchainJob({ 'index.js': START, 'package.json': '{"dependencies":{"a":"1"}}', [name]: text });
    await expect(installDependencies(job, tools({ toolPath: await witness() }))).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining(name) });
    expect(await wasCalled()).toBe(false);
  });

  test('a lock file of the registry is taken', async () => {
    const lock = JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0', resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz', funding: { url: 'https://example.com/a' } } } });
    job = await toolchainJob({ 'index.js': START, 'package.json': '{"dependencies":{"a":"1"}}', 'package-lock.json': lock });
    await installDependencies(job, tools({ toolPath: await witness() }));
    expect(await wasCalled()).toBe(true);
  });
});

test('a package manager that is not here is named, with what to do', async () => {
  for (const [lock, name] of [['pnpm-lock.yaml', 'pnpm'], ['yarn.lock', 'yarn']] as const) {
    job = await toolchainJob({ 'index.js': START, 'package.json': '{"dependencies":{"a":"1"}}', [lock]: '' });
    const error = await installDependencies(job, tools({ toolPath: '/nowhere' })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BUILD_TOOL_MISSING', message: expect.stringContaining(`npm install --global ${name}`) });
    await job.clear();
  }
});

describe('a program that a build starts', () => {
  const command = (script: string, more: Partial<Parameters<typeof runCommand>[0]> = {}) => {
    const lines: string[] = [];
    const end = runCommand({ argv: ['/bin/sh', '-c', script], folder: base, env: { PATH: SYSTEM_PATH }, timeoutMs: 10_000, maxOutputBytes: 1000, report: (line) => lines.push(line), signal: new AbortController().signal, ...more });
    return { end, lines };
  };
  const processes = async (mark: string): Promise<string> => (await promisify(execFile)('ps', ['-eo', 'args'])).stdout.split('\n').filter((line) => line.includes(mark) && !line.includes('sh -c')).join('\n');

  test('ends with everything that it started, also in the background', async () => {
    const { end } = command('sleep 4711.1 & exit 0');
    expect(await end).toBe('ok');
    expect(await processes('sleep 4711.1')).toBe('');
  });

  test('is killed with its children when its time is over', async () => {
    const startedAt = performance.now();
    const { end } = command('sleep 4711.2 & sleep 4711.2; true', { timeoutMs: 300 });
    expect(await end).toBe('timeout');
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await processes('sleep 4711.2')).toBe('');
  });

  test('is killed when the build is cancelled', async () => {
    const controller = new AbortController();
    const { end } = command('sleep 4711.3', { signal: controller.signal });
    setTimeout(() => controller.abort('cancel'), 100);
    await expect(end).rejects.toBe('cancel');
    expect(await processes('sleep 4711.3')).toBe('');
  });

  test('has its output cut, and its failure told', async () => {
    const { end, lines } = command('i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); done; exit 3');
    expect(await end).toBe('failed');
    expect(lines.at(-1)).toBe('(further output is left out)');
    expect(lines.join('\n').length).toBeLessThan(1500);
    expect(lines[0]).toBe('line 0');
  });

  test('that floods without a line break costs no memory', async () => {
    const before = process.memoryUsage().rss;
    const { end, lines } = command('head -c 300000000 /dev/zero');
    expect(await end).toBe('ok');
    expect(lines.join('').length).toBeLessThan(200_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  test('that does not exist is missing', async () => {
    expect(await command('', { argv: ['no-such-program-here'] }).end).toBe('missing');
  });
});
