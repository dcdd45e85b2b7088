// Covers builds in a box: what a program of a build sees, where it may write, which limit ends it and how that is said, and
// that a source with several engines is built. Each guard has a control: the same program with the guard out of its way.
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareCache, withCache } from '../../builder/toolchain/build-cache.ts';
import type { BuildLimits } from '../../builder/toolchain/box-workshop.ts';
import { createCustomToolchain } from '../../builder/toolchain/custom.ts';
import { createNodeToolchain } from '../../builder/toolchain/node.ts';
import type { PackageTools } from '../../builder/toolchain/package-tools.ts';
import { createPythonToolchain } from '../../builder/toolchain/python.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';
import { testBuilder } from './test-builder.ts';
import { bareTools, packageOf, toolchainJob, type TestJob } from './toolchain-job.ts';

let base: string;
let ground: BoxGround;
const jobs: TestJob[] = [];
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'box-build-'));
  ground = await prepareBoxes({ folder: join(base, 'boxes'), isUnsafe: false });
  ground.boxes();
});
afterAll(async () => {
  for (const job of jobs) await job.clear();
  await ground.close();
  await rm(base, { recursive: true, force: true });
});

const boxTools = (job: TestJob, more: Partial<PackageTools> = {}): PackageTools =>
  bareTools(job, { allowsCommands: false, boxes: async () => ground.boxes(), cacheFolder: join(base, 'cache'), ...more });

async function commandJob(commands: string[], files: Record<string, string> = { a: 'a' }): Promise<TestJob> {
  const job = await toolchainJob(files, { engine: 'custom', run: './x', commands });
  jobs.push(job);
  return job;
}

/** Run lines of a Spacefile in a box. @returns what they printed, or why the build failed */
async function said(line: string, more: Partial<PackageTools> = {}): Promise<string> {
  const job = await commandJob([line]);
  await packageOf(createCustomToolchain(boxTools(job, more)), job).catch((error: Error) => job.lines.push(`failed: ${error.message}`));
  return job.lines.slice(1).map((text) => text.replace('[api] ', '')).join('\n');
}
/** Whatever it is told. */
const FORKS = `python3 -c "
import os, time
while True:
  try:
    if os.fork() == 0: time.sleep(1000)
  except OSError: time.sleep(0.01)"`;
const limited = (line: string, limits: Partial<BuildLimits>): Promise<string> => said(line, { buildLimits: limits });

describe('a program of a build', () => {
  test('sees no variable and no file of the host; without a box it sees the file', async () => {
    const secret = join(base, 'secret');
    await writeFile(secret, 'canary-file');
    process.env['OWNSPACE_CANARY'] = 'canary-variable';
    const line = `env; cat ${secret} /proc/*/environ /etc/shadow 2>&1; ls / /root /home /var/lib 2>&1; true`;
    const seen = await said(line);
    const bare = await commandJob([line]);
    await packageOf(createCustomToolchain(bareTools(bare)), bare);
    delete process.env['OWNSPACE_CANARY'];
    expect(seen).toContain('HOME=/build/home');
    expect(seen).not.toMatch(/canary|root:/);
    expect(bare.lines.join('\n')).toContain('canary-file');
  });

  test('is nobody, writes in its own folders only, and changes nothing of the host', async () => {
    expect(await said('id -u; for path in /usr/x /etc/x /given/x /run/x /x; do touch $path 2>/dev/null && echo wrote $path; done; touch /app/x /app/api/x /build/x /cache/x /tmp/x && echo done')).toBe('1000\ndone');
  });

  test('makes no device and no setuid root', async () => {
    expect(await said('mknod disk b 8 0; cp /usr/bin/id id && chmod u+s id && ./id -u')).toBe('mknod: disk: Operation not permitted\n1000\n"id" loses its setuid bit');
  });

  test('shares a cache with builds of its own Space, and with no other', async () => {
    const inSpace = async (spaceId: string, line: string): Promise<string> => {
      const job = Object.assign(await commandJob([line]), { spaceId });
      await packageOf(createCustomToolchain(boxTools(job)), job);
      return job.lines.at(-1)!;
    };
    await inSpace('ada', 'echo of ada > /cache/mark');
    expect(await inSpace('ada', 'cat /cache/mark')).toBe('[api] of ada');
    expect(await inSpace('eve', 'cat /cache/mark 2>/dev/null || echo nothing')).toBe('[api] nothing');
    expect((await readdir(join(base, 'cache', 'programs'))).toSorted()).toEqual(expect.arrayContaining(['ada', 'eve']));
  });

  test('leaves nothing running', async () => {
    expect(await said('sleep 4713.5 & setsid sleep 4713.5 & exit 0')).toBe('');
    const { execFileSync } = await import('node:child_process');
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n').filter((line) => line.startsWith('sleep 4713.5'))).toEqual([]);
  });
});

describe('the network of a build', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nreached')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => void server.close());
  const call = (host: string, port: number): string =>
    `node -e "require('node:http').request({ host: '127.0.0.1', port: 3128, method: 'CONNECT', path: '${host}:${port}' }).on('connect', (answer, socket) => { console.log(answer.statusCode); socket.on('data', (bytes) => console.log(String(bytes).split('\\n').at(-1))); socket.write('GET / HTTP/1.1\\n\\n'); }).on('error', (error) => console.log(error.code)).end()"`;

  test('leads to no port of this machine, by whatever name; a host that its owner named is reached', async () => {
    expect(await said(`node -e "require('node:net').connect(${port}, '127.0.0.1').on('error', (error) => console.log(error.code))"`)).toBe('ECONNREFUSED');
    for (const host of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST.', 'registry.npmjs.org.localhost']) {
      const seen = await said(call(host, port));
      expect(seen).toContain('403');
      expect(seen).toMatch(/Calls to .* are not allowed: a build reaches package registries only\./);
    }
    expect(await said(call('localhost', port), { buildHosts: [`localhost:${port}`] })).toBe('200\nreached');
  });

  test('has registries at the port of https only', async () => {
    expect(await said(call('registry.npmjs.org', 22))).toContain('403');
    expect(await said(call('registry.npmjs.org', 80))).toContain('403');
  });
});

describe('a build that does not end well says which limit', () => {
  test.each<[what: string, line: string, limits: Partial<BuildLimits>, says: RegExp]>([
    ['loops', 'while :; do :; done', { maxMs: 1500 }, /the command "while.*" took longer than 1\.5 seconds/],
    ['forks without end', FORKS, { processes: 40, maxMs: 60_000 }, /started more than 40 processes at once/],
    ['fills the disk', 'i=0; while [ $i -lt 400 ]; do head -c 1000000 /dev/zero > file$i; i=$((i+1)); done; sleep 60', { maxBytes: 50_000_000 }, /wrote more than 48 MB/],
    ['makes files without end', 'node -e "for (let i = 0; ; i++) require(\'fs\').writeFileSync(\'f\' + i, \'\')"', { maxFiles: 2000 }, /made more than 2000 files/],
    ['makes one huge file', 'head -c 50000000 /dev/zero > big', { fileMb: 10 }, /the command "head.*" wrote a file of more than 10 MB/],
    ['prints without end', 'yes', { outputMaxBytes: 5_000_000 }, /printed more than/],
    ['fails', 'echo broken; exit 3', {}, /broken\nfailed: .*the command "echo broken; exit 3" failed; the lines above say why/],
  ])('%s', { timeout: 90_000 }, async (_, line, limits, says) => {
    expect(await limited(line, limits)).toMatch(says);
  });

  test('needs too much memory, where memory is limited over all of it', async () => {
    if (ground.report.level !== 'full') return;
    expect(await limited('node -e "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))"', { memoryMb: 100, tmpMb: 10 })).toMatch(/needed more than 100 MB of memory/);
  });

  test('is cancelled: it ends with all that it started', async () => {
    const job = await commandJob(['sleep 4714.5']);
    const controller = new AbortController();
    const cancelled = packageOf(createCustomToolchain(boxTools(job)), { ...job, signal: controller.signal, report: () => controller.abort(new Error('stop')) });
    await expect(cancelled).rejects.toThrow('stop');
  });

  test('the same lines go through where the limit is out of the way', async () => {
    expect(await said('i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero > file$i; i=$((i+1)); done; rm file*; for i in 1 2 3 4 5 6; do sleep 0.1 & done; wait; echo ended')).toBe('ended');
  });
});

test('a cache that has grown too large is emptied, unless a program has it open', async () => {
  const cache = join(base, 'grown');
  const fill = async (): Promise<void> => { await mkdir(cache, { recursive: true }); for (const name of ['a', 'b', 'c']) await writeFile(join(cache, name), name); };
  await fill();
  await prepareCache(cache, { maxBytes: 1_000_000, maxFiles: 3 });
  expect(await readdir(cache)).toHaveLength(3);
  await withCache(cache, () => prepareCache(cache, { maxBytes: 1_000_000, maxFiles: 2 }));
  expect(await readdir(cache)).toHaveLength(3);
  await prepareCache(cache, { maxBytes: 1_000_000, maxFiles: 2 });
  expect(await readdir(cache)).toEqual([]);
  expect((await readdir(base)).filter((name) => name.endsWith('.gone'))).toEqual([]);
});

test('what a build leaves in the way of the host is not followed', async () => {
  const victim = join(base, 'victim');
  await mkdir(victim, { recursive: true });
  await writeFile(join(victim, 'kept'), 'kept');
  const job = await toolchainJob({ 'index.js': '', 'package.json': '{"dependencies":{"is-number":"7.0.0"}}' }, { engine: 'nodejs16', commands: [`rm -rf node_modules && ln -s ${victim} node_modules`] });
  jobs.push(job);
  await expect(packageOf(createNodeToolchain(boxTools(job)), job)).rejects.toThrow(/the link "node_modules" leads out of the Micro's folder/);
  expect(await readdir(victim)).toEqual(['kept']);
  const late = await toolchainJob({ a: 'a' }, { engine: 'custom', run: './x', commands: ['rm -rf /build/home /build/tmp; ln -s /etc /build/home; echo made'] });
  jobs.push(late);
  await symlink(victim, join(late.folder, 'elsewhere'));
  await expect(packageOf(createCustomToolchain(boxTools(late)), late)).rejects.toThrow(/the link "elsewhere" leads out/);
  expect(await readdir(victim)).toEqual(['kept']);
});

test('what a build put in the place of its folder keeps what it leads to, also when the build ends early', { timeout: 60_000 }, async () => {
  const victim = join(base, 'elsewhere');
  for (const name of ['node_modules', '.venv']) await mkdir(join(victim, name), { recursive: true });
  const swap = `cd .. && mv api moved && ln -s ${victim} api`;
  const files = { 'package.json': '{"dependencies":{"is-number":"7.0.0"},"scripts":{}}', 'node_modules/planted/index.js': 'planted', '.venv/planted': 'planted', 'requirements.txt': '', 'main.py': 'app = 1' };
  for (const [toolchain, micro] of [
    [createNodeToolchain, { engine: 'nodejs16', run: 'x', commands: [swap] }],
    [createPythonToolchain, { engine: 'python3.9', run: 'x', commands: [swap] }],
  ] as const) {
    const job = await toolchainJob(files, { ...micro, commands: [...micro.commands] });
    jobs.push(job);
    await expect(packageOf(toolchain(boxTools(job)), job)).rejects.toThrow(/has put something else in the place of `api`/);
    for (const name of ['node_modules', '.venv']) expect(await readdir(join(victim, name)), name).toEqual([]);
  }
});

test('a source of three engines becomes one Revision, and pushing again stores no dependencies twice', { timeout: 240_000 }, async () => {
  const made = await testBuilder();
  try {
    await made.restart({ boxes: async () => ground.boxes(), toolEnv: boxTools(await commandJob([])).toolEnv });
    const files = {
      Spacefile: [
        'v: 0', 'micros:', '  - name: web', '    src: web', '    engine: nodejs16', '    primary: true', '    commands:', '      - node make.cjs', '    run: node dist/index.js', '    include:', '      - dist',
        '  - name: api', '    src: api', '    engine: python3.9', '  - name: own', '    src: own', '    engine: custom', '    commands:', '      - sh make.sh', '    include:', '      - server', '    run: ./server', '',
      ].join('\n'),
      'web/package.json': '{"dependencies":{"is-number":"7.0.0"},"scripts":{"postinstall":"node -e \\"console.log(process.env.HOME)\\""}}',
      'web/make.cjs': 'require("is-number"); require("fs").mkdirSync("dist"); require("fs").writeFileSync("dist/index.js", "require(\'is-number\')");',
      'api/main.py': 'from deta import Base\ndef app(environ, start): ...\n', 'api/requirements.txt': 'deta\n',
      'own/make.sh': 'printf "#!/bin/sh\necho hi\n" > server; chmod +x server',
    };
    const first = await made.push(files);
    expect(first.build.state, first.lines.join('\n')).toBe('complete');
    const [web, api, own] = (await made.builder.revisions.get(first.build.id)).micros;
    expect(web?.entry).toBe('export PATH="$PWD/node_modules/.bin:$PATH"; node dist/index.js');
    expect(api?.entry).toMatch(/python3 \.venv\/serve\.py$/);
    expect([web, api, own].map((micro) => Object.keys(micro?.files ?? {}))).toEqual([['app.tar.zst', 'dependencies.tar.zst'], ['app.tar.zst', 'dependencies.tar.zst'], ['app.tar.zst']]);
    const second = await made.push({ ...files, 'web/make.cjs': `${files['web/make.cjs']}\n// changed`, 'api/main.py': `${files['api/main.py']}# changed\n` });
    const again = (await made.builder.revisions.get(second.build.id)).micros;
    for (const at of [0, 1]) expect(again[at]?.files['dependencies.tar.zst']).toEqual([web, api][at]?.files['dependencies.tar.zst']);
    expect(again[1]?.files['app.tar.zst']).not.toEqual(api?.files['app.tar.zst']);
    // Its programs could have seen the change: it was built again, to the same bytes.
    expect(second.lines).toContain('Building micro own...');
    expect(again[2]?.files).toEqual(own?.files);
    expect(await readdir(join(made.base, 'work', 'jobs'))).toEqual([]);
  } finally {
    await made.clear();
  }
});
