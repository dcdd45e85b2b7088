// The launchers are read by whatever Node a person has: here they run as processes of their own, on an old one where
// this machine has one.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SpaceError } from '../../core/errors.ts';
import { TOKEN, startFakeHost } from '../client/fake-host.ts';

const repository = join(import.meta.dirname, '..', '..');
const node24 = process.execPath;
const oldNode = findOldNode();
const run = promisify(execFile);

/** A Node of the PATH that is older than 24. */
function findOldNode(): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return candidates.find((path) => {
    const major = Number(spawnSync(path, ['-p', 'process.versions.node.split(".")[0]']).stdout?.toString() ?? 'NaN');
    return major >= 18 && major < 24;
  });
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'launcher-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A package like ours with an entry of its own. */
async function makePackage(root: string, entry: string, { name = 'entry.ts' } = {}): Promise<string> {
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'dist'), { recursive: true });
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await cp(join(repository, 'bin', 'node24.js'), join(root, 'bin', 'node24.js'));
  await writeFile(join(root, 'bin', 'start.js'), `import { runOnNode24 } from './node24.js';\nawait runOnNode24('entry.ts', { nodeFlags: JSON.parse(process.env.FLAGS ?? '[]') });\n`);
  await writeFile(join(root, name), entry);
  return join(root, 'bin', 'start.js');
}

/** The package `node` beside it, which is our own. */
async function addNode(root: string): Promise<void> {
  const bin = join(root, 'node_modules', 'node', 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(root, 'node_modules', 'node', 'package.json'), '{"version":"24.0.0"}');
  await writeFile(join(bin, 'node'), `#!/bin/sh\nexec "${node24}" "$@"\n`, { mode: 0o755 });
}

const REPORT = 'const args: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify({ major: Number(process.versions.node.split(".")[0]), args, flags: process.execArgv }));\n';

describe.each([['Node 24', node24], ['an older Node', oldNode]] as const)('started with %s', (_, node) => {
  test.skipIf(node === undefined)('the space command runs, and passes its exit code on', async () => {
    const space = join(repository, 'bin', 'space.js');
    expect((await run(node ?? '', [space, 'version'])).stdout).toMatch(/^space \d+\.\d+\.\d+ \S+\n$/);
    await expect(run(node ?? '', [space, 'nonsense'])).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("Unknown command 'nonsense'") });
  });

  test.skipIf(node === undefined)('stdin, arguments and a whole command get through', async () => {
    await using host = await startFakeHost();
    const child = spawn(node ?? '', [join(repository, 'bin', 'space.js'), 'login', '--with-token', '--root', host.root, '--json'], { env: { ...process.env, HOME: folder }, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(TOKEN);
    const out = await child.stdout.toArray();
    expect(JSON.parse(Buffer.concat(out).toString())).toMatchObject({ space: { name: 'ada' } });
    expect(JSON.parse(await readFile(join(folder, '.detaspace', 'space_tokens'), 'utf8'))).toMatchObject({ root: host.root });
  });

  test.skipIf(node === undefined)('the program is on Node 24 with the flags it needs', async () => {
    const start = await makePackage(folder, REPORT);
    await addNode(folder);
    const { stdout } = await run(node ?? '', [start, '--flag', 'a b'], { env: { ...process.env, FLAGS: '["--no-node-snapshot"]' } });
    expect(JSON.parse(stdout)).toEqual({ major: 24, args: ['--flag', 'a b'], flags: ['--no-node-snapshot'] });
  });

  test.skipIf(node === undefined).each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s reaches the program, which may end in its own way', async (signal) => {
    const start = await makePackage(folder, `process.on('${signal}', () => process.exit(7));\nsetInterval(() => {}, 1000);\nconsole.log('ready');\n`);
    await addNode(folder);
    const child = spawn(node ?? '', [start], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, FLAGS: '["--no-node-snapshot"]' } });
    await once(child.stdout, 'data');
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([7, null]);
  });

  test.skipIf(node === undefined)('a program that a signal ends looks the same from outside', async () => {
    const start = await makePackage(folder, `process.kill(process.pid, 'SIGKILL');\n`);
    await addNode(folder);
    const child = spawn(node ?? '', [start], { stdio: 'ignore', env: { ...process.env, FLAGS: '["--no-node-snapshot"]' } });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  });

  test.skipIf(node === undefined)('a published package runs its dist', async () => {
    const root = join(folder, 'node_modules', 'ownspace');
    const start = await makePackage(root, 'console.log("from dist");', { name: 'dist/entry.js' });
    await addNode(folder);
    expect((await run(node ?? '', [start])).stdout).toBe('from dist\n');
  });
});

test.skipIf(oldNode === undefined)('without any Node 24 the message says what to do, in the words of NODE_TOO_OLD', async () => {
  const start = await makePackage(folder, REPORT);
  const found = (await run(oldNode ?? '', ['-p', 'process.versions.node'])).stdout.trim();
  const { message } = new SpaceError('NODE_TOO_OLD', { needed: 24, found });
  await expect(run(oldNode ?? '', [start])).rejects.toMatchObject({ code: 1, stderr: `${message}\n` });
});
