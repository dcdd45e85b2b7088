// Covers the package of a Micro that runs as a process: which files, under which names, with which modes, the same bytes for
// the same files; and what is refused. Programs run without a sandbox here: what is packaged does not depend on it.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createCustomToolchain } from '../../builder/toolchain/custom.ts';
import { createNodeToolchain } from '../../builder/toolchain/node.ts';
import { packageProcess } from '../../builder/toolchain/process-package.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { bareTools, contentOf, packageOf, toolchainJob, type TestJob } from './toolchain-job.ts';
import { entriesOf } from './unpacked.ts';

const jobs: TestJob[] = [];
afterEach(async () => { for (const job of jobs.splice(0)) await job.clear(); });

async function madeJob(files: Record<string, string | Buffer>, micro: Partial<SpacefileMicro> = {}): Promise<TestJob> {
  const job = await toolchainJob(files, { engine: 'custom', run: './start', ...micro });
  jobs.push(job);
  return job;
}
const namesOf = async (files: Record<string, string>, micro: Partial<SpacefileMicro> = {}, archive?: string): Promise<string[]> =>
  [...(await entriesOf(await packageProcess(await madeJob(files, micro), { run: 'x' }), archive)).keys()];

test('is everything without `include`; dependencies are a part of their own, with a place in the other', async () => {
  const files = { 'a.js': 'a', 'lib/b.js': 'b', 'node_modules/x/index.js': 'x', '.venv/lib/y.py': 'y', 'lib/node_modules/z.js': 'z' };
  expect(await namesOf(files)).toEqual(['.venv/', 'a.js', 'lib/', 'lib/b.js', 'lib/node_modules/', 'lib/node_modules/z.js', 'node_modules/']);
  expect(await namesOf(files, {}, 'dependencies.tar.zst')).toEqual(['.venv/', '.venv/lib/', '.venv/lib/y.py', 'node_modules/', 'node_modules/x/', 'node_modules/x/index.js']);
});

test('with `include`: at its own path, a file also by its base name, and dependencies all the same', async () => {
  const files = { 'dist/index.js': 'd', 'target/release/server': 's', 'secret.txt': '?', 'node_modules/x/index.js': 'x' };
  const built = await packageProcess(await madeJob(files, { include: ['dist', 'target/release/server'] }), { run: 'node dist/index.js' });
  expect([...(await entriesOf(built)).keys()]).toEqual(['dist/', 'dist/index.js', 'node_modules/', 'server', 'target/', 'target/release/', 'target/release/server']);
  expect((await entriesOf(built)).get('server')?.text).toBe('s');
  expect([...(await entriesOf(built, 'dependencies.tar.zst')).keys()]).toContain('node_modules/x/index.js');
  expect(built.entry).toBe('export PATH="$PWD/node_modules/.bin:$PATH"; node dist/index.js');
});

test('the start command is as written where nothing was installed', async () => {
  expect((await packageProcess(await madeJob({ start: '' }), { run: 'A=1 ./start $PORT' })).entry).toBe('A=1 ./start $PORT');
});

test('the same files give the same bytes, whenever and by whomever they were written', async () => {
  const files = { 'b.txt': 'b', 'a.txt': 'a', 'node_modules/x/index.js': 'x' };
  const bytes = async (change: (folder: string) => Promise<void>): Promise<Buffer[]> => {
    const job = await madeJob(files);
    await change(job.folder);
    const built = await packageProcess(job, { run: 'x' });
    return Promise.all([...built.files.values()].map(contentOf));
  };
  const first = await bytes(async () => {});
  const second = await bytes(async (folder) => {
    await utimes(join(folder, 'a.txt'), 1, 1);
    await chmod(join(folder, 'b.txt'), 0o600);
  });
  expect(second).toEqual(first);
  expect(await bytes((folder) => writeFile(join(folder, 'a.txt'), 'A'))).not.toEqual(first);
});

test('of the mode only the executable bit counts; a setuid bit is told', async () => {
  const job = await madeJob({ plain: 'x', run: 'x', root: 'x' });
  await chmod(join(job.folder, 'plain'), 0o666);
  await chmod(join(job.folder, 'run'), 0o700);
  await chmod(join(job.folder, 'root'), 0o6755);
  const entries = await entriesOf(await packageProcess(job, { run: 'x' }));
  expect([...entries].map(([name, { mode, owner, mtimeMs }]) => [name, mode.toString(8), owner, mtimeMs])).toEqual([['plain', '644', '0:0', 0], ['root', '755', '0:0', 0], ['run', '755', '0:0', 0]]);
  expect(job.lines).toEqual(['[api] "root" loses its setuid bit']);
});

test('a link inside the folder stays a link', async () => {
  const job = await madeJob({ 'lib/a.js': 'a' });
  await symlink('../lib', join(job.folder, 'lib', 'self'));
  await symlink('lib/a.js', join(job.folder, 'b.js'));
  await symlink('nowhere', join(job.folder, 'dangling'));
  const entries = await entriesOf(await packageProcess(job, { run: 'x' }));
  expect([...entries].filter(([, { type }]) => type === 'symlink').map(([name, { to }]) => `${name} -> ${to}`)).toEqual(['b.js -> lib/a.js', 'dangling -> nowhere', 'lib/self -> ../lib']);
});

test.each([
  ['to a place of the host', async (folder: string) => symlink('/etc/passwd', join(folder, 'evil'))],
  ['upwards', async (folder: string) => symlink('../../scratch', join(folder, 'evil'))],
  ['upwards behind another link', async (folder: string) => {
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
    await symlink('../..', join(folder, 'a', 'b', 'up'));
    await symlink('a/b/up/../other', join(folder, 'evil'));
    await writeFile(join(folder, '..', 'other'), 'not of this Micro');
  }],
])('a link %s is refused by its name', async (_, make) => {
  const job = await madeJob({ 'file.txt': 'a' });
  await make(job.folder);
  await expect(packageProcess(job, { run: 'x' })).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringMatching(/the link "evil" leads out of the Micro's folder/) });
});

test('pipes, sockets and devices are refused by their names, also between programs of the build', async () => {
  const pipe = await madeJob({ a: 'a' });
  execFileSync('mkfifo', [join(pipe.folder, 'pipe')]);
  await expect(packageProcess(pipe, { run: 'x' })).rejects.toThrow(/"pipe" is a device, pipe or socket/);
  const socket = await madeJob({ a: 'a' });
  const server = createServer().listen(join(socket.folder, 'socket'));
  await expect(packageProcess(socket, { run: 'x' })).rejects.toThrow(/"socket" is a device, pipe or socket/);
  server.close();
  const made = await madeJob({ a: 'a' }, { commands: ['mkdir deep && mkfifo deep/pipe'] });
  await expect(packageOf(createCustomToolchain(bareTools(made)), made)).rejects.toThrow(/the build has made "api\/deep\/pipe", which is no plain file/);
});

test('a folder that the build replaced by a link is not packaged', async () => {
  const job = await madeJob({ a: 'a' }, { commands: ['cd .. && mv api moved && ln -s /etc api'] });
  await expect(packageOf(createCustomToolchain(bareTools(job)), job)).rejects.toThrow(/has put something else in the place of `api`/);
});

test('too large and too many say which limit', async () => {
  const large = await madeJob({ a: 'a' });
  await truncate(join(large.folder, 'a'), 251 * 1024 * 1024);
  await expect(packageProcess(large, { run: 'x' })).rejects.toThrow(/the package is larger than 250 MB, counted up to "a"\. Name what it needs with `include`/);
  const huge = await madeJob({ 'node_modules/a': 'a' });
  await truncate(join(huge.folder, 'node_modules', 'a'), 10 * 1024 ** 4);
  await expect(packageProcess(huge, { run: 'x' })).rejects.toThrow(/what was installed is larger than 250 MB/);
});

test('`include` that names nothing, and a folder without files', async () => {
  await expect(packageProcess(await madeJob({ a: 'a' }, { include: ['dist'] }), { run: 'x' })).rejects.toThrow(/`include` names "dist", which the build has not made and the source does not have/);
  await expect(packageProcess(await madeJob({}), { run: 'x' })).rejects.toThrow(/there are no files in `api`/);
});

test('custom needs a start command, and makes what it packages', async () => {
  const refused = await madeJob({ a: 'a' }, { run: ' ' });
  await expect(packageOf(createCustomToolchain(bareTools(refused)), refused)).rejects.toThrow(/engine `custom` needs `run`/);
  const job = await madeJob({ 'make.sh': 'mkdir -p out; printf "#!/bin/sh\\necho hi\\n" > out/server; chmod +x out/server' }, { commands: ['sh make.sh'], include: ['out/server'], run: './server' });
  const entries = await entriesOf(await packageOf(createCustomToolchain(bareTools(job)), job));
  expect(entries.get('server')).toMatchObject({ mode: 0o755, text: '#!/bin/sh\necho hi\n' });
});

test('where nothing of a source may run, no process is built, and the message says why', async () => {
  const job = await madeJob({ 'index.js': '' }, { commands: ['touch ran'] });
  for (const create of [createCustomToolchain, createNodeToolchain]) {
    await expect(packageOf(create(bareTools(job, { allowsCommands: false })), job)).rejects.toMatchObject({ code: 'BUILD_TOOL_MISSING', message: expect.stringContaining('this host has no sandbox for them') });
  }
});
