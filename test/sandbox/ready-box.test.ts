// Covers ready boxes: what they become, that they can do no more than others, that each is given once, and that none outlives
// its host.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Boxes } from '../../sandbox/box.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';
import type { ReadyBox, ReadyFor, ReadySpec } from '../../sandbox/ready-box.ts';
import { treeOf, usageOf } from '../../sandbox/watch.ts';
import { type Said, said } from '../support/box-output.ts';

const limits = { memoryMb: 256, processes: 60, openFiles: 256, tmpMb: 16, tmpFiles: 500 };
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/sandbox/${name}`, import.meta.url));
let folder: string;
let app: string;
let ground: BoxGround;
let boxes: Boxes;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ownspace-ready-'));
  app = join(folder, 'app');
  mkdirSync(join(app, 'node_modules/.bin'), { recursive: true });
  for (const name of ['syscalls.py', 'reach.js']) copyFileSync(fixture(name), join(app, name));
  writeFileSync(join(app, 'index.js'), `
    const fs = require('node:fs');
    const how = (act) => { try { return act() ?? 'worked'; } catch (error) { return error.code; } };
    console.log(JSON.stringify({
      argv: process.argv, execArgv: process.execArgv, isMain: require.main === module, loaded: Object.keys(require.cache), cwd: process.cwd(), title: process.title, compiled: require('node:module').getCompileCacheDir(), env: process.env,
      stdin: fs.readlinkSync('/proc/self/fd/0'), sockets: fs.readdirSync('/proc/self/fd').filter((fd) => how(() => fs.readlinkSync('/proc/self/fd/' + fd)).startsWith('socket')),
      wrote: how(() => fs.writeFileSync('/app/x', '')), hosts: fs.readFileSync('/etc/hosts', 'utf8'),
    }));`);
  writeFileSync(join(app, 'module.mjs'), 'console.log(JSON.stringify([import.meta.url, process.argv.slice(2), await Promise.resolve(process.mainModule)]))');
  execFileSync('chmod', ['-R', 'a+rX', app]);
  ground = await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false });
  boxes = ground.boxes();
});
afterAll(async () => {
  await ground.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (spec: Partial<ReadySpec> = {}): Promise<ReadyBox> => (await boxes.ready({ env: {}, limits, ports: [], user: boxes.nextUser(), ...spec }))!;
const forLine = (line: string, more: Partial<ReadyFor> = {}): ReadyFor => ({ folder: app, command: ['/bin/sh', '-c', line], env: {}, hosts: [], forwards: {}, ...more });

async function run(line: string, more: Partial<ReadyFor> = {}): Promise<Said> {
  const ready = await open();
  await ready.become(forLine(line, more));
  return said(ready.box);
}

const runCold = async (line: string): Promise<Said> => said(await boxes.start({ command: ['/bin/sh', '-c', line], env: {}, show: { '/app': app }, limits }));

describe('a ready box', () => {
  it('becomes a program of Node.js that finds everything as if it had been started by itself', async () => {
    const { out } = await run('export PATH="$PWD/node_modules/.bin:$PATH"; node index.js one two=2', { env: { SECRET: 'of the app', 'BAD=NAME': 'x' }, hosts: ['database.deta.sh'] });
    const found = JSON.parse(out);
    expect(found).toMatchObject({ argv: ['/run/host/bin/node', '/app/index.js', 'one', 'two=2'], execArgv: [], isMain: true, loaded: ['/app/index.js'], cwd: '/app', stdin: '/dev/null', wrote: 'EROFS' });
    expect(found.env).toMatchObject({ SECRET: 'of the app', HOME: '/tmp', PWD: '/app' });
    expect(found.env.PATH).toMatch(/^\/app\/node_modules\/\.bin:\/run\/host\/bin:/);
    expect(Object.keys(found.env).sort()).toEqual(['HOME', 'LANG', 'PATH', 'PWD', 'SECRET', 'TMPDIR']);
    expect(found.sockets).toEqual(['1', '2']);
    expect(found.hosts).toMatch(/127\.0\.0\.1 database\.deta\.sh/);
  });

  it('becomes a module, and a file that is not there, and one that fails, as the same start does elsewhere', async () => {
    expect(JSON.parse((await run('node ./module.mjs x')).out)).toEqual(['file:///app/module.mjs', ['x'], null]);
    for (const line of ['node none.js', 'node reach.js']) {
      const [warm, cold] = [await run(line), await runCold(line)];
      const told = ({ out, code }: { out: string; code: number | null }): unknown => [code, out.split('\n').find((text) => /Error/.test(text))];
      expect(told(warm)).toEqual(told(cold));
      expect(told(warm)).toEqual([1, expect.stringMatching(/Error/)]);
    }
  });

  it.each([
    ['a shell reads', 'echo "$NAME" $(id -u); yes | head -1; exit 3', { NAME: 'two  words' }, 'two  words 1000\ny', 3],
    ['takes flags', 'node --no-warnings -p "process.execArgv.join()"', {}, '--no-warnings,-p,process.execArgv.join()', 0],
    ['is not for Node.js', 'python3 -c "import signal; print(signal.getsignal(signal.SIGTERM).name)"', {}, 'SIG_DFL', 0],
    ['wants options that count from the start', 'node index.js', { NODE_OPTIONS: '--title=given' }, /"title":"given"/, 0],
  ])('becomes another process for a command that %s', async (...[, line, env, out, code]) => {
    expect(await run(line, { env })).toMatchObject({ out: typeof out === 'string' ? out : expect.stringMatching(out), code });
  });

  it('leaves signals as they are elsewhere', async () => {
    const { out } = await run('grep SigIgn /proc/self/status');
    expect(out).toBe((await runCold('grep SigIgn /proc/self/status')).out);
  });

  it('may do what any other box may, and no more', async () => {
    const lines = [
      'python3 syscalls.py', 'grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status; ulimit -a; cat /proc/self/oom_score_adj; ls -la / | grep -v total | cut -c1-10',
      `sed -E 's/^[0-9]+ [0-9]+ [0-9:]+ //; s/ (master|shared):[0-9]+//g; s/^[^ ]+ //; s/[ug]id=[0-9]{6,}/id/g' /proc/self/mountinfo | grep -vE '^/(app|etc|run/host)' | sort`,
      `TOLD='${JSON.stringify({ port: 1, own: '127.0.0.1', abstract: '\\0none', secret: '/work', host: process.pid })}' node /app/reach.js`,
      `cat /proc/1/mem /proc/1/environ; ls /proc/1/fd; python3 -c 'import os; print(sorted(os.listdir("/proc/self/fd")), len([name for name in os.listdir("/proc") if name.isdigit()]))'`,
    ];
    const all = `exec 2>&1; ${lines.join('; echo ---; ')}`;
    const [warm, cold] = (await Promise.all([run(all), runCold(all)])).map(({ out }) => out.split('\n---\n'));
    expect(warm).toEqual(cold);
    expect(cold!.map((part) => part.length > 10)).toEqual(lines.map(() => true));
  });

  it('reaches what is forwarded to it then, and nothing at the other ports', async () => {
    const path = join(folder, 'out.sock');
    const host = createServer((socket) => socket.end('from the host'));
    await new Promise<void>((resolve) => host.listen(path, resolve));
    chmodSync(path, 0o666);
    const dial = (port: number): string => `node -e "require('net').connect(${port},'127.0.0.1').on('data',(d)=>console.log(''+d)).on('error',(e)=>console.log(e.code))"`;
    const ready = await open({ ports: [443] });
    await ready.become(forLine(`${dial(443)}; ${dial(444)}; rm -f /run/host/doors/443.sock 2>&1 | grep -o Read-only`, { forwards: { 443: path } }));
    expect((await said(ready.box)).out).toBe('from the host\nECONNREFUSED\nRead-only');
    host.close();
  });

  it('waits without using time, and shows nothing of anybody', async () => {
    const ready = await open({ env: { NODE_EXTRA_CA_CERTS: '/etc/none.pem', NO_PROXY: 'app-of-somebody' } });
    const [{ cpuMs }, pids] = [await ready.box.usage(), treeOf(ready.box.pid)];
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await ready.box.usage()).cpuMs - cpuMs).toBeLessThan(20);
    const told = pids.map((pid) => execFileSync('cat', [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`], { encoding: 'latin1' })).join();
    expect(told).toContain('NODE_EXTRA_CA_CERTS');
    expect(told).not.toMatch(/somebody/);
    await ready.box.kill();
  });

  it('is given once, and to nobody when what it is given cannot be shown', async () => {
    const ready = await open();
    await ready.become(forLine('sleep 1000'));
    await expect(ready.become(forLine('echo second'))).rejects.toThrow('given once');
    await ready.box.kill();
    const other = await open();
    await expect(other.become(forLine('echo wrong', { folder: join(folder, 'none') }))).rejects.toThrow('could not be given its app');
    await other.box.kill();
  });

  it('compiles a program for whoever runs it next, who can read that and not change it', async () => {
    const compiled = await (await open()).compile({ folder: app, command: ['/bin/sh', '-c', 'node index.js'], env: {} });
    expect([...compiled.keys()]).toEqual([expect.stringMatching(/^v24[\w.-]+-1000\/\w+$/)]);
    const kept = join(folder, 'compiled');
    for (const [name, bytes] of compiled) {
      mkdirSync(join(kept, name, '..'), { recursive: true });
      writeFileSync(join(kept, name), bytes);
    }
    chmodSync(kept, 0o755);
    const env = { NODE_COMPILE_CACHE: '/run/host/compiled' };
    const line = 'touch /run/host/compiled/x; NODE_DEBUG_NATIVE=COMPILE_CACHE node index.js';
    const used = (await run(line, { compiled: kept, env })).out;
    expect(used).toMatch(/Read-only file system/);
    expect(used).toMatch(/\/app\/index\.js was accepted/);
    expect((await run(line, { env })).out, 'without it there is nothing to accept').not.toMatch(/was accepted/);
    const here = JSON.parse((await run('node index.js', { compiled: kept, env })).out);
    expect([here.compiled, here.loaded]).toEqual([expect.stringMatching(/^\/run\/host\/compiled\/v24/), ['/app/index.js']]);
  });

  it('reads away what a program prints then, and keeps nothing of it open', async () => {
    const loud = join(folder, 'loud');
    mkdirSync(loud);
    writeFileSync(join(loud, 'index.js'), 'for (let line = 0; line < 20_000; line += 1) console.log("x".repeat(100), line); require("node:http").createServer().listen(process.env.PORT);');
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const compile = async (): Promise<number> => (await (await open()).compile({ folder: loud, command: ['/bin/sh', '-c', 'node index.js'], env: { PORT: '8080' } })).size;
    expect(await compile()).toBe(1);
    const before = descriptors();
    for (let times = 0; times < 3; times += 1) expect(await compile()).toBe(1);
    await expect.poll(descriptors, { timeout: 3_000 }).toBeLessThanOrEqual(before + 1);
  });

  it('believes nothing of what a program says of itself then, and compiles none that is not JavaScript by running it', async () => {
    const hostile = join(folder, 'hostile');
    mkdirSync(hostile);
    const frame = `const name = Buffer.from(process.argv[2]), lengths = Buffer.alloc(12); lengths.writeUInt32LE(+process.argv[3] || name.length + 9, 0); lengths.writeUInt32LE(name.length, 4); lengths.writeUInt32LE(1, 8); require('fs').writeSync(0, Buffer.concat([lengths, name, Buffer.from('x')])); if (process.argv[3]) process.kill(process.pid, 'SIGKILL');`;
    writeFileSync(join(hostile, 'index.js'), frame);
    const compile = async (line: string): Promise<string[]> => [...(await (await open()).compile({ folder: hostile, command: ['/bin/sh', '-c', line], env: {} })).keys()];
    expect(await compile('node index.js v1/good')).toEqual(['v1/good']);
    expect(await Promise.all(['v1/../../x', '../x', 'v1/.made', '/etc/passwd', 'v1'].map((name) => compile(`node index.js ${name}`)))).toEqual([[], [], [], [], []]);
    expect(await compile('node index.js v1/good 1000000000')).toEqual([]);
    expect(await compile('echo $(node index.js v1/good)')).toEqual([]);
  });

  it('leaves nothing, neither one that waited nor one that became something', async () => {
    const [waited, used] = [await open(), await open()];
    const pids = [waited, used].flatMap(({ box }) => treeOf(box.pid));
    await used.become(forLine('sleep 1000'));
    await Promise.all([waited.box.kill(), used.box.kill()]);
    await expect.poll(() => usageOf(pids).processes).toBe(0);
    await expect.poll(() => readdirSync(join(folder, 'boxes')).filter((name) => name.startsWith('ready-'))).toEqual([]);
  });
});

it('ends with its host, however that ends', async () => {
  const script = `
    import { prepareBoxes } from ${JSON.stringify(fileURLToPath(new URL('../../sandbox/box-test.ts', import.meta.url)))};
    import { treeOf } from ${JSON.stringify(fileURLToPath(new URL('../../sandbox/watch.ts', import.meta.url)))};
    const boxes = (await prepareBoxes({ folder: ${JSON.stringify(join(folder, 'killed'))}, isUnsafe: false })).boxes();
    const [{ box }, other] = await Promise.all([1, 2].map(() => boxes.ready({ env: {}, limits: ${JSON.stringify(limits)}, ports: [], user: boxes.nextUser() })));
    await other.become({ folder: ${JSON.stringify(app)}, command: ['/bin/sh', '-c', 'sleep 1000'], env: {}, hosts: [], forwards: {} });
    console.log(JSON.stringify([...treeOf(box.pid), ...treeOf(other.box.pid)]));`;
  const host = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pids = JSON.parse(String((await once(host.stdout, 'data'))[0])) as number[];
  // Around each stands bubblewrap, and beside the one that waits who would mount for it.
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`)).length).toBeGreaterThan(5);
  host.kill('SIGKILL');
  await expect.poll(() => pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
});
