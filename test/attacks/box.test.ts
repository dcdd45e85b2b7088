// Covers what a hostile program tries from inside a box, in Python, Node and C; beside each what it could do with the guard away.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BoxEnd, type Boxes, type BoxSpec, openBoxes } from '../../sandbox/box.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';

const LIMITS = { memoryMb: 256, processes: 60, openFiles: 256, tmpMb: 16, tmpFiles: 500 };
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/sandbox/${name}`, import.meta.url));
let folder: string;
let app: string;
let ground: BoxGround;
let boxes: Boxes;
/** The same boxes without the filter of system calls: the control for what it prevents. */
let unfiltered: Boxes;
/** No box at all. */
let bare: BoxGround;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ownspace-attack-'));
  app = join(folder, 'app');
  mkdirSync(app);
  for (const name of ['syscalls.py', 'reach.js']) copyFileSync(fixture(name), join(app, name));
  execFileSync('gcc', ['-O1', '-static', '-o', join(app, 'other-abi'), fixture('other-abi.c')]);
  execFileSync('chmod', ['-R', 'a+rX', app]);
  ground = await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false });
  boxes = ground.boxes();
  unfiltered = await openBoxes({ folder: join(folder, 'unfiltered'), filter: undefined, nests: true, groups: undefined });
  bare = await prepareBoxes({ folder: join(folder, 'bare'), isUnsafe: true });
});
afterAll(async () => {
  await Promise.all([ground.close(), unfiltered.close(), bare.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function run(from: Boxes, line: string, spec: Partial<BoxSpec> = {}): Promise<BoxEnd & { out: string; errors: string }> {
  const box = await from.start({ command: ['/bin/sh', '-c', line], env: { PATH: '/run/host/bin:/usr/bin:/bin' }, show: { '/app': app }, limits: LIMITS, ...spec });
  const said = { out: '', errors: '' };
  box.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
  box.stderr.on('data', (chunk: Buffer) => (said.errors += chunk.toString()));
  const closed = Promise.all([box.stdout, box.stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  const end = await box.ended;
  await closed;
  return { ...end, ...said };
}

const codes = async (from: Boxes): Promise<Record<string, number>> => JSON.parse((await run(from, 'python3 syscalls.py')).out);

describe('system calls (B7, B8, B9, B10, B11, B13, B14)', () => {
  const [EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT] = [1, 38, 93, 97];
  const EXPECTED: Record<string, number[]> = {
    ptrace: [EPERM], process_vm_readv: [EPERM], pidfd_open: [EPERM], kcmp: [EPERM], unshare_user: [EPERM], unshare_net: [EPERM], clone_user: [EPERM], clone3: [ENOSYS], setns: [EPERM],
    mount: [EPERM], umount: [EPERM], fsopen: [EPERM], open_tree: [EPERM], pivot_root: [EPERM], chroot: [EPERM], keyctl: [EPERM], add_key: [EPERM], bpf: [EPERM], perf: [EPERM],
    userfaultfd: [EPERM], io_uring: [ENOSYS], modify_ldt: [EPERM], kexec: [EPERM], quotactl: [EPERM], syslog: [EPERM], personality: [EPERM], memfd_secret: [EPERM], handle: [EPERM],
    swapon: [EPERM], sethostname: [EPERM], settime: [EPERM], init_module: [EPERM], acct: [EPERM], newer: [ENOSYS], mknod_device: [EPERM], tiocsti: [EPERM], setuid: [EPERM, 22], nice: [EPERM, 13],
    packet: [EAFNOSUPPORT], vsock: [EAFNOSUPPORT], alg: [EAFNOSUPPORT], key: [EAFNOSUPPORT], bluetooth: [EAFNOSUPPORT], audit: [EPROTONOSUPPORT], raw: [EPERM], raw6: [EPERM],
    sctp: [EPROTONOSUPPORT], dccp: [EPROTONOSUPPORT], udplite: [EPROTONOSUPPORT],
    // What ordinary programs need.
    tcp: [0], udp: [0], unix: [0], tcp6: [0], route: [0], memfd: [0], fifo: [0], fork: [0],
  };

  it('that reach into kernel, neighbours or other networks are refused; ordinary ones are not', async () => {
    const said = await codes(boxes);
    const wrong = Object.entries(EXPECTED).filter(([name, allowed]) => !allowed.includes(said[name]!)).map(([name]) => `${name}: ${said[name]}`);
    expect(wrong).toEqual([]);
    expect(Object.keys(said).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it('would work by the dozen without the filter', async () => {
    const said = await codes(unfiltered);
    const open = Object.entries(EXPECTED).filter(([name, allowed]) => !allowed.includes(0) && said[name] === 0).map(([name]) => name);
    expect(open).toEqual(expect.arrayContaining(['ptrace', 'keyctl', 'io_uring', 'personality', 'pidfd_open']));
    expect(open.length).toBeGreaterThan(8);
  });

  it.each(['int80', 'x32'])('of another ABI (%s) end the program', async (abi) => {
    expect((await run(boxes, `exec /app/other-abi ${abi}`)).code).toBe(159);
    expect([0, 38]).toContain((await run(unfiltered, `exec /app/other-abi ${abi}`)).code);
  });
});

describe('what it can read and reach (B5, B6, B15, B17, C1, C2)', () => {
  let bait: Server;
  let abstract: Server;
  let secret: string;

  beforeAll(async () => {
    secret = join(folder, 'secret.txt');
    writeFileSync(secret, 'canary');
    chmodSync(folder, 0o755);
    bait = createServer((socket) => socket.end('reached'));
    await new Promise<void>((resolve) => bait.listen(0, '0.0.0.0', resolve));
    abstract = createServer((socket) => socket.end('reached'));
    await new Promise<void>((resolve) => abstract.listen(`\0ownspace-bait-${process.pid}`, resolve));
  });
  afterAll(() => { bait.close(); abstract.close(); });

  async function reached(from: Boxes): Promise<Record<string, string>> {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []).find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
    const told = JSON.stringify({ port: (bait.address() as AddressInfo).port, own, abstract: `\0ownspace-bait-${process.pid}`, secret, host: process.pid });
    const { out, errors } = await run(from, `node ${from === boxes ? '/app' : '.'}/reach.js`, { env: { PATH: `/run/host/bin:${join(process.execPath, '..')}:/usr/bin:/bin`, TOLD: told } });
    if (out === '') throw new Error(errors);
    return JSON.parse(out);
  }

  it('is nothing of this machine', async () => {
    const said = await reached(boxes);
    expect(Object.entries(said).filter(([, how]) => how === 'worked')).toEqual([]);
    expect(Object.keys(said).length).toBeGreaterThan(25);
  });

  it('would be this machine without a box', async () => {
    const said = await reached(bare.boxes());
    const open = Object.entries(said).filter(([, how]) => how === 'worked').map(([name]) => name);
    expect(open).toEqual(expect.arrayContaining(['secret by path', 'host process', 'loopback', 'abstract socket']));
  });

  it('listens on every address, and nobody outside finds it (B18)', async () => {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const server = `node -e "require('net').createServer(s=>s.end('x')).listen(${port},'0.0.0.0',()=>console.log('up'))"`;
    for (const [from, expected] of [[boxes, 'ECONNREFUSED'], [bare.boxes(), 'connected']] as const) {
      const box = await from.start({ command: ['/bin/sh', '-c', server], env: { PATH: `/run/host/bin:${join(process.execPath, '..')}:/usr/bin:/bin` }, show: { '/app': app }, limits: LIMITS });
      await new Promise((resolve) => box.stdout.once('data', resolve));
      const socket = connect(port, '127.0.0.1');
      const how = await new Promise((resolve) => socket.on('connect', () => resolve('connected')).on('error', (error: NodeJS.ErrnoException) => resolve(error.code)));
      socket.destroy();
      expect(how).toBe(expected);
      await box.kill();
    }
  });

  it('inherits no descriptor that this host has open, nor a variable', async () => {
    const module = (name: string): string => JSON.stringify(fileURLToPath(new URL(`../../sandbox/${name}`, import.meta.url)));
    const script = `
      import { spawnSync } from 'node:child_process';
      import { prepareBoxes } from ${module('box-test.ts')};
      const ground = await prepareBoxes({ folder: ${JSON.stringify(join(folder, 'inherits'))}, isUnsafe: false });
      const box = await ground.boxes().start({ command: ['/bin/sh', '-c', 'ls -l /proc/*/fd 2>/dev/null; cat /proc/*/environ | tr "\\\\0" "\\\\n"'], env: {}, cwd: '/', limits: ${JSON.stringify(LIMITS)} });
      let said = '';
      box.stdout.on('data', (chunk) => (said += chunk));
      await box.ended;
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(JSON.stringify({ said, control: spawnSync('/bin/sh', ['-c', 'ls -l /proc/self/fd; env']).stdout.toString() }));
      await ground.close();`;
    const canary = join(folder, 'canary-descriptor');
    writeFileSync(canary, 'x');
    const out = execFileSync('/bin/bash', ['-c', `exec 77<${canary}; exec "$0" --input-type=module -e "$1"`, process.execPath, script], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', OWNSPACE_CANARY: 'canary-variable' } });
    const { said, control } = JSON.parse(out);
    expect(control).toMatch(/canary-descriptor/);
    expect(control).toMatch(/canary-variable/);
    expect(said).toMatch(/PATH=/);
    expect(said).not.toMatch(/canary/);
  });
});

describe('more than its share (B1, B2, B3, B4)', () => {
  const forks = 'import os,time\nn=0\nwhile n<500:\n  try:\n    pid=os.fork()\n  except OSError: break\n  if pid==0: time.sleep(100)\n  n+=1\nprint(n)';
  const threads = 'import threading,time\nn=0\nwhile n<500:\n  try: threading.Thread(target=time.sleep,args=(100,),daemon=True).start()\n  except RuntimeError: break\n  n+=1\nprint(n,flush=True)\nimport os\nos._exit(0)';
  const files = 'import os\nn=0\nwhile n<2000:\n  try: os.open("/dev/null",os.O_RDONLY)\n  except OSError: break\n  n+=1\nprint(n)';
  const shared = 'import os\nn=0\nf=open("/dev/shm/x","wb",0)\ntry:\n  while n<100: f.write(b"x"*1000000); n+=1\nexcept OSError: pass\nprint(n)';

  async function count(script: string, limits: Partial<typeof LIMITS> = {}): Promise<number> {
    const { out } = await run(boxes, 'exec python3 -c "$SCRIPT"', { env: { PATH: '/usr/bin:/bin', SCRIPT: script }, limits: { ...LIMITS, ...limits } });
    return Number(out);
  }

  it.each([
    ['processes', forks, { processes: 120 }, 60], ['threads', threads, { processes: 120 }, 60],
    ['open files', files, { openFiles: 512 }, 256], ['shared memory', shared, { tmpMb: 32 }, 17],
  ] as const)('of %s is refused at its limit, and only there', async (_, script, more, most) => {
    const [few, many] = [await count(script), await count(script, more)];
    expect(few).toBeGreaterThan(most / 3);
    expect(few).toBeLessThanOrEqual(most);
    expect(many).toBeGreaterThan(few * 1.5);
  });

  it('takes nothing from a neighbour, and none of it is left', async () => {
    const bomb = await boxes.start({ command: ['/bin/sh', '-c', 'bomb() { bomb | bomb & }; bomb; sleep 100'], env: {}, show: { '/app': app }, limits: LIMITS });
    expect((await run(boxes, 'for i in 1 2 3 4 5 6 7 8 9; do /bin/true & done; wait; echo fine')).out).toBe('fine\n');
    await bomb.kill();
    expect(spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout).not.toMatch(/bomb \| bomb/);
  });
});

describe('its own files (B12, B19)', () => {
  it.runIf(process.getuid?.() === 0)('with a setuid bit give it nothing', async () => {
    const setuid = join(app, 'id');
    copyFileSync('/usr/bin/id', setuid);
    chmodSync(setuid, 0o4755);
    expect((await run(boxes, '/app/id -u; id -u')).out).toBe('1000\n1000\n');
    chmodSync(folder, 0o755);
    // The control: the same file for a user of this machine.
    expect(execFileSync('setpriv', ['--reuid', '65000', '--clear-groups', setuid, '-u'], { encoding: 'utf8' })).toBe('0\n');
  });

  it('reach no program that makes the box', async () => {
    const preload = { LD_PRELOAD: '/app/evil.so', LD_DEBUG: 'libs', ENV: '/app/evil.sh', BASH_ENV: '/app/evil.sh', PATH: '/app:/usr/bin:/bin' };
    const { errors } = await run(boxes, 'true', { env: preload });
    // The program's own shell sees it, and nothing before that.
    expect(errors.match(/initialize program: \S+/g)).toEqual(['initialize program: /bin/sh']);
    expect(spawnSync('/bin/sh', ['-c', '/bin/true; /bin/true'], { env: { LD_DEBUG: 'libs' }, encoding: 'utf8' }).stderr.match(/initialize program/g)!.length).toBeGreaterThan(1);
  });
});

it('leaves this machine as it was', () => {
  expect(existsSync('/usr/probe')).toBe(false);
  expect(existsSync('/etc/evil')).toBe(false);
});
