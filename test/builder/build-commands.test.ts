// Covers the shell lines of a Spacefile: refused unless the host's owner allows them; then in order, with nothing of the
// host in their environment.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIsolateToolchain } from '../../builder/toolchain/isolate.ts';
import { createStaticToolchain } from '../../builder/toolchain/static.ts';
import type { PackageTools } from '../../builder/toolchain/package-tools.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { contentOf, packageOf, toolchainJob, type TestJob } from './toolchain-job.ts';

let base: string;
let job: TestJob | undefined;
beforeEach(async () => { base = await mkdtemp(join(tmpdir(), 'commands-')); });
afterEach(async () => {
  await job?.clear();
  await rm(base, { recursive: true, force: true });
});

const tools = (more: Partial<PackageTools> = {}): PackageTools => ({
  npmCommand: ['npm'], toolPath: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, toolEnv: {}, cacheFolder: join(base, 'cache'), allowsCommands: true, ...more,
});
const made = async (files: Record<string, string>, micro: Partial<SpacefileMicro>, toolchain = createIsolateToolchain(tools())): Promise<Awaited<ReturnType<typeof packageOf>>> => {
  job = await toolchainJob(files, micro);
  return packageOf(toolchain, job);
};

test('they run in order, each in its own shell, and make what is bundled', async () => {
  const built = await made({ 'part.txt': 'x' }, { run: 'out/index.js', commands: ['mkdir out && export LOST=1', 'echo "export default { all: () => \'made $LOST\' };" > out/index.js; echo said'] });
  expect((await contentOf(built.files.get('index.js'))).toString()).toContain('made ');
  expect(job!.lines).toEqual(['[api] Running command: mkdir out && export LOST=1', expect.stringMatching(/^\[api\] Running command: echo/), '[api] said']);
});

test('their environment is composed from nothing', async () => {
  process.env['SECRET_OF_THE_HOST'] = 'canary-4417';
  await made({ 'index.js': 'export default {};' }, { commands: ['env'] });
  delete process.env['SECRET_OF_THE_HOST'];
  const names = job!.lines.slice(1).map((line) => line.slice('[api] '.length).split('=')[0]).sort();
  expect(names).toEqual([
    'CARGO_HOME', 'CI', 'GOMODCACHE', 'HOME', 'LANG', 'NO_COLOR', 'PATH', 'PWD', 'TMPDIR', 'XDG_CACHE_HOME', 'npm_config_audit', 'npm_config_cache', 'npm_config_fund', 'npm_config_update_notifier',
  ]);
  expect(job!.lines.join('\n')).not.toContain('canary-4417');
});

test('one that fails ends the build, with its output before the reason', async () => {
  const failing = made({ 'index.js': 'export default {};' }, { commands: ['echo broken >&2; exit 3', 'echo never'] });
  await expect(failing).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('the command "echo broken >&2; exit 3" failed') });
  expect(job!.lines.at(-1)).toBe('[api] broken');
});

test('a tool that is not here is named, with what installs it', async () => {
  const named = packageOf(createIsolateToolchain(tools()), job = await toolchainJob({ 'index.js': 'export default {};' }, { commands: ['echo "sh: 1: cargo: not found"; exit 127'] }));
  await expect(named).rejects.toMatchObject({ code: 'BUILD_TOOL_MISSING', message: expect.stringContaining('needs `cargo`, which is not installed on this host. Its owner can run apt-get install cargo') });
});

test('packages of the system are not installed: what is there is there, and what is not is named', async () => {
  await made({ 'index.js': 'export default {};' }, { commands: ['apt-get -y install sh', 'sudo apt install env -y', 'echo after'] });
  expect(job!.lines.filter((line) => !line.includes('Running'))).toEqual(['[api] sh is on this host', '[api] env is on this host', '[api] after']);
  await job!.clear();
  await expect(made({ 'index.js': 'export default {};' }, { commands: ['apt install -y env no-such-tool'] })).rejects.toMatchObject({ code: 'BUILD_TOOL_MISSING', message: expect.stringContaining('Its owner can run apt-get install no-such-tool') });
});

test('an engine that builds with npm run build is served from what that makes', async () => {
  const files = { 'package.json': '{"scripts":{"build":"node make.mjs"}}', 'make.mjs': `import { mkdirSync, writeFileSync } from 'node:fs'; mkdirSync('build'); writeFileSync('build/index.html', '<p>built');` };
  const built = await made(files, { engine: 'react', serve: 'build' }, createStaticToolchain(tools()));
  expect((await contentOf(built.files.get('index.html'))).toString()).toBe('<p>built');
});

test('what builds may be a dev dependency; without commands those are left out', { timeout: 120_000 }, async () => {
  const files = { 'index.js': 'export default {};', 'package.json': '{"devDependencies":{"is-number":"7.0.0"}}' };
  const certificates = process.env['NODE_EXTRA_CA_CERTS'];
  const reaching = createIsolateToolchain(tools({ toolEnv: certificates ? { NODE_EXTRA_CA_CERTS: certificates } : {} }));
  await made(files, { commands: ['ls node_modules'] }, reaching);
  expect(job!.lines).toContain('[api] is-number');
  await job!.clear();
  await made(files, {}, reaching);
  expect(job!.lines).toEqual([]);
});

test.each(['isolate', 'static'] as const)('%s: refused where nobody allowed them, and nothing runs', async (engine) => {
  const create = engine === 'isolate' ? createIsolateToolchain : createStaticToolchain;
  const refused = made({ 'index.js': 'export default {};' }, { engine, commands: [`touch ${base}/ran`] }, create(tools({ allowsCommands: false })));
  await expect(refused).rejects.toMatchObject({ code: 'BUILD_TOOL_MISSING' });
  await expect(rm(join(base, 'ran'))).rejects.toMatchObject({ code: 'ENOENT' });
});
