// Covers the toolchain of Python: the old standard, a virtual environment that moves, compiled files, and whose package
// `deta` is. Packages come from the registry.
import { execFileSync, spawn } from 'node:child_process';
import { cp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPythonToolchain } from '../../builder/toolchain/python.ts';
import type { Package } from '../../builder/toolchain/toolchain.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { send } from '../support/http.ts';
import { until } from '../support/start-host.ts';
import { bareTools, packageOf, toolchainJob, type TestJob } from './toolchain-job.ts';
import { entriesOf, unpackedAt } from './unpacked.ts';

const jobs: TestJob[] = [];
const folders: string[] = [];
afterAll(async () => {
  for (const job of jobs) await job.clear();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function madeJob(files: Record<string, string>, micro: Partial<SpacefileMicro> = {}): Promise<TestJob> {
  const job = await toolchainJob(files, { engine: 'python3.9', ...micro });
  jobs.push(job);
  return job;
}
const build = (job: TestJob): Promise<Package> => packageOf(createPythonToolchain(bareTools(job)), job).catch((error: unknown) => { throw new Error(job.lines.join('\n'), { cause: error }); });
const SERVED = /served/;

/** Start a package as an Engine does, and ask it once. */
async function answerOf(folder: string, entry: string): Promise<string> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  const child = spawn('sh', ['-c', entry], { cwd: folder, env: { PATH: '/usr/bin:/bin', PORT: String(port), HOME: '/tmp' }, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  try {
    let text = '';
    await until(async () => {
      text = await send(`http://127.0.0.1:${port}/`).then((answer) => answer.text, () => '');
      return SERVED.test(text) || undefined;
    });
    return text;
  } finally {
    process.kill(-child.pid!, 'SIGKILL');
  }
}

test('needs main.py or a start command, and says so', async () => {
  const job = await madeJob({ 'app.py': '' });
  await expect(packageOf(createPythonToolchain(bareTools(job)), job)).rejects.toThrow(/there is no main\.py in `api`\. Add one that defines `app`, or name the start command with `run`/);
  const empty = await madeJob({ 'main.py': '' }, { run: '' });
  await expect(packageOf(createPythonToolchain(bareTools(empty)), empty)).rejects.toThrow(/`run` is empty/);
});

test('a Python without pip is named with what installs it', async () => {
  const job = await madeJob({ 'main.py': '', 'requirements.txt': '' }, { run: 'python3 main.py' });
  const none = packageOf(createPythonToolchain(bareTools(job, { toolPath: '/nowhere' })), job);
  await expect(none).rejects.toMatchObject({ code: 'BUILD_TOOL_MISSING', message: expect.stringContaining('apt-get install python3 python3-pip') });
});

test('without requirements there is no environment; what can be compiled is', async () => {
  const job = await madeJob({ 'main.py': 'print(1)', 'other.py': 'def (' }, { run: 'python3 main.py' });
  const entries = [...(await entriesOf(await build(job))).keys()];
  expect(entries.filter((name) => !name.endsWith('/') && !name.includes('cpython'))).toEqual(['main.py', 'other.py']);
  expect(entries.filter((name) => name.includes('cpython'))).toEqual([expect.stringMatching(/^__pycache__\/main\.cpython-\d+\.pyc$/)]);
  expect(job.lines.at(-1)).toBe('[api] Not every file could be compiled');
});

describe('the old standard', () => {
  const WSGI = 'def app(environ, start):\n    start("200 OK", [("content-type", "text/plain")])\n    import deta\n    return [f"served by wsgi {deta.__version__}".encode()]\n';
  const ASGI = 'class App:\n    async def __call__(self, scope, receive, send):\n        if scope["type"] != "http": return\n        await send({"type": "http.response.start", "status": 200, "headers": []})\n        await send({"type": "http.response.body", "body": b"served by asgi"})\napp = App()\n';
  let built: Package;
  let folder: string;
  let job: TestJob;
  beforeAll(async () => {
    job = await madeJob({ 'main.py': WSGI, 'requirements.txt': 'deta[async]>=1.0\n' });
    built = await build(job);
    folder = await unpackedAt(built);
    folders.push(folder);
  }, 120_000);

  test('brings a server of its own, for either kind of app', async () => {
    expect(built.entry).toMatch(/python3 \.venv\/serve\.py$/);
    expect(await answerOf(folder, built.entry)).toBe('served by wsgi 1.2.0');
    const other = `${folder}-asgi`;
    folders.push(other);
    await cp(folder, other, { recursive: true, verbatimSymlinks: true });
    execFileSync('sh', ['-c', 'rm -r __pycache__ && cat > main.py'], { cwd: other, input: ASGI });
    expect(await answerOf(other, built.entry)).toBe('served by asgi');
  });

  test('`deta` is the SDK, not what PyPI has under that name', () => {
    const said = execFileSync(join(folder, '.venv', 'bin', 'python3'), ['-c', 'import deta; print(deta.__version__, deta.Base, deta.Drive)'], { encoding: 'utf8' });
    expect(said).toMatch(/^1\.2\.0 <function Base .* <function Drive/);
  });

  test('the environment moves: nothing names the place where it was made, and nothing is compiled again', async () => {
    const entries = await entriesOf(built, 'dependencies.tar.zst');
    const naming = [...entries].filter(([name, { text }]) => name !== '.venv/bin/python3' && text.includes(job.base)).map(([name]) => name);
    expect(naming).toEqual([]);
    expect(await readFile(join(folder, '.venv', 'bin', 'uvicorn'), 'utf8')).toMatch(/^#!\/usr\/bin\/env python3\n/);
    const modules = [...entries.keys()].filter((name) => /site-packages\/uvicorn\/[a-z]+\.py$/.test(name));
    expect(modules.length).toBeGreaterThan(5);
    for (const name of modules) expect([...entries.keys()].some((other) => other.includes(`/uvicorn/__pycache__/${name.split('/').at(-1)!.slice(0, -3)}.cpython`))).toBe(true);
  });
});
