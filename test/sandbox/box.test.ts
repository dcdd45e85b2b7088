// Covers boxes: what a program in one sees and can do, how connections reach it, and that nothing of it is left.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../../runtime/http/certificate.ts';
import type { Box, Boxes, BoxSpec } from '../../sandbox/box.ts';
import { handOver } from '../../sandbox/box-user.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';
import { openGroups } from '../../sandbox/cgroup.ts';
import { COMPILER_FLAGS } from '../../sandbox/forwarder/find.ts';
import { treeOf, usageOf } from '../../sandbox/watch.ts';
import { type Alterations, copyAltered } from '../support/altered-source.ts';
import { type Said, said } from '../support/box-output.ts';

const limits = { memoryMb: 256, processes: 100, openFiles: 512, tmpMb: 16, tmpFiles: 500 };
let folder: string;
let app: string;
let ground: BoxGround;
let boxes: Boxes;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ownspace-box-'));
  app = join(folder, 'app');
  mkdirSync(app);
  ground = await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false });
  boxes = ground.boxes();
});
afterAll(async () => {
  await ground.close();
  rmSync(folder, { recursive: true, force: true });
});

function sh(line: string, spec: Partial<BoxSpec> = {}): Promise<Box> {
  return boxes.start({ command: ['/bin/sh', '-c', line], env: {}, show: { '/app': app }, limits, ...spec });
}

const run = async (line: string, spec: Partial<BoxSpec> = {}): Promise<Said> => said(await sh(line, spec));

it('reaches the level for which this project is tested, and everything that it tries holds', () => {
  expect(['full', 'soft']).toContain(ground.report.level);
  expect(ground.report.findings.filter(({ holds, what }) => !holds && !what.startsWith('memory and'))).toEqual([]);
});

it.each([
  ['no namespace can be made', { 'sandbox/box-command.ts': ['tools.unshare, ...namespaces', `'/bin/false', ...namespaces`] }, 'a box can be made'],
  ['bubblewrap is missing', { 'sandbox/box.ts': [`'nice', 'bwrap'] as const`, `'nice', 'bwrap-is-not-here'] as const`] }, 'a box can be made'],
  ['the filter of system calls does not work', { 'sandbox/box.ts': ['parts.isBare || !parts.filter ?', 'true ?'], 'sandbox/box-command.ts': ['hasFilter ?', 'false ?'] }, 'system calls are filtered'],
] as [string, Alterations, string][])('where %s no program runs at all', { timeout: 60_000 }, async (_, alterations, missing) => {
  const altered = await copyAltered(['core', 'sandbox'], alterations);
  const { prepareBoxes: prepare } = (await import(/* @vite-ignore */ pathToFileURL(join(altered, 'sandbox/box-test.ts')).href)) as typeof import('../../sandbox/box-test.ts');
  const weak = await prepare({ folder: join(folder, 'weak'), isUnsafe: false });
  expect([weak.report.level, weak.report.findings.filter(({ holds }) => !holds).map(({ what }) => what)]).toEqual(['refused', expect.arrayContaining([missing])]);
  expect(() => weak.boxes()).toThrow(expect.objectContaining({ code: 'SANDBOX_MISSING' }));
  await weak.close();
  rmSync(altered, { recursive: true, force: true });
});

describe('a program in a box', () => {
  it('has the environment that it was given, and its first process has none', async () => {
    process.env.OWNSPACE_CANARY = 'canary-value';
    const { out } = await run('env; tr "\\0" "\\n" </proc/1/environ; tr "\\0" " " </proc/1/cmdline', { env: { SECRET: 'of the app', 'BAD=NAME': 'x' } });
    delete process.env.OWNSPACE_CANARY;
    expect(out).toMatch(/^SECRET=of the app$/m);
    expect(out).not.toMatch(/canary|BAD|OWNSPACE/);
    expect(out.split('\n').filter((line) => line.includes('of the app'))).toHaveLength(1);
  });

  it('fault 12: goes long before this host when memory is short, with all that it starts', async () => {
    const { out } = await run('cat /proc/self/oom_score_adj /proc/1/oom_score_adj; sh -c "cat /proc/self/oom_score_adj"');
    expect(out.split('\n')).toEqual(['1000', '1000', '1000']);
    expect(Number(readFileSync('/proc/self/oom_score_adj', 'latin1'))).toBeLessThan(1000);
  });

  it('reaches neither memory nor descriptors of its first process, which has the same user; of others it does', async () => {
    const { out } = await run('sleep 5 & for pid in 1 $!; do for file in mem environ fd/0 syscall; do (: <>/proc/$pid/$file) 2>/dev/null && echo $pid $file || ls /proc/$pid/fd >/dev/null 2>&1 && echo $pid listed; done; done; kill $!');
    expect(out).not.toMatch(/^1 /m);
    expect(out).toMatch(/^\d+ mem$/m);
  });

  it('writes in /tmp only, as much and as many as it may', async () => {
    const { out } = await run('for place in /app /usr /etc /dev /run /var /; do (: >$place/x) 2>/dev/null && echo wrote $place; done; head -c 1m /dev/zero >/tmp/x && echo tmp; head -c 20m /dev/zero >/tmp/y; i=0; while [ $i -lt 600 ]; do (: >/tmp/f$i) 2>/dev/null || break; i=$((i+1)); done; [ $i -lt 500 ] && echo few', { show: { '/app': app } });
    expect(out).toMatch(/^tmp$/m);
    expect(out).toMatch(/No space left/);
    expect(out).toMatch(/^few$/m);
    expect(out).not.toMatch(/^wrote/m);
  });

  it('writes in a folder that it is lent, as a user that owns nothing else', async () => {
    const lent = join(folder, 'lent');
    mkdirSync(join(lent, 'deep'), { recursive: true, mode: 0o700 });
    writeFileSync(join(lent, 'deep', 'file'), 'before');
    expect(await run('echo after >/app/deep/file && echo new >/app/made && id -u', { show: {}, lend: { '/app': lent } })).toMatchObject({ out: '1000', code: 0 });
    expect(existsSync(join(lent, 'made'))).toBe(true);
    if (process.getuid?.() === 0) expect(statSync(join(lent, 'made')).uid).toBeGreaterThan(1e9);
  });

  it.runIf(process.getuid?.() === 0)('gets nothing else by a link that it puts where other boxes are being given the same folder', async () => {
    const [lent, victim] = [join(folder, 'shared'), join(folder, 'victim')];
    for (const place of [join(lent, 'deep'), victim]) {
      mkdirSync(place, { recursive: true });
      for (let count = 0; count < 2000; count += 1) writeFileSync(join(place, String(count)), '');
    }
    const user = boxes.nextUser()!;
    const first = handOver(lent, user);
    const others: Promise<void>[] = [];
    for (let count = 0; count < 20; count += 1) {
      others.push(handOver(lent, user));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await first;
    // From here on, a program may run in it.
    renameSync(join(lent, 'deep'), join(lent, 'moved'));
    symlinkSync(victim, join(lent, 'deep'));
    await Promise.all(others);
    expect(readdirSync(victim).filter((name) => statSync(join(victim, name)).uid === user)).toEqual([]);
  });

  it('knows the names that it is given, and no others', async () => {
    const { out } = await run('getent hosts database.deta.sh; getent hosts example.org || echo unknown', { hosts: ['database.deta.sh'] });
    expect(out).toMatch(/127\.0\.0\.1\s+database\.deta\.sh/);
    expect(out).toMatch(/unknown/);
  });

  it('trusts the authority that it is given, beside those of the machine', async () => {
    const { certificatePem: authority } = await makeAuthority('Test', ['deta.sh'], Date.now());
    const line = authority.split('\n')[2];
    const { out } = await run(`grep -c '${line}' /etc/ssl/certs/ca-certificates.crt /etc/ssl/box-authority.pem; openssl verify -no-CAfile -CApath /etc/ssl/certs /etc/ssl/box-authority.pem; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt`, { authority });
    expect(out).toMatch(/ca-certificates\.crt:1\n.*box-authority\.pem:1\n.*: OK/);
    expect(Number(out.split('\n').at(-1))).toBeGreaterThan(1);
  });

  it('ends with the code of its program, and says when there is none', async () => {
    expect((await run('exit 7')).code).toBe(7);
    expect((await run('kill -9 $$')).code).toBe(137);
    const missing = await said(await boxes.start({ command: ['/app/none'], env: {}, show: { '/app': app }, limits }));
    expect(missing).toMatchObject({ code: 126, out: 'cannot be started: /app/none' });
  });

  it('is gone with everything it started, whatever that does against it', async () => {
    const box = await sh('trap "" TERM INT HUP; (setsid sh -c \'trap "" TERM; sleep 1000\' &) ; (sleep 1000 &); echo up; sleep 1000');
    await new Promise((resolve) => box.stdout.once('data', resolve));
    const pids = treeOf(box.pid);
    await expect.poll(() => treeOf(box.pid).length).toBeGreaterThan(4);
    await box.kill();
    expect(usageOf(pids).processes).toBe(0);
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toMatch(/^sleep 1000$/m);
  });

  it('stands still while it is frozen', async () => {
    const box = await sh('while :; do :; done');
    await expect.poll(async () => (await box.usage()).cpuMs).toBeGreaterThan(50);
    box.freeze();
    const before = (await box.usage()).cpuMs;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await box.usage()).cpuMs).toBe(before);
    box.thaw();
    await expect.poll(async () => (await box.usage()).cpuMs).toBeGreaterThan(before + 50);
    await box.kill();
  });
});

describe('connections', () => {
  const server = `require('http').createServer((q, s) => q.url === '/end' ? (s.write('x'), q.socket.on('close', () => console.log('left'))) : s.end(process.env.WHO)).listen(process.env.PORT, process.env.ON)`;

  async function ask(path: string, url = '/'): Promise<string> {
    return new Promise((resolve, reject) => {
      http.get({ socketPath: path, path: url, agent: false }, (response) => response.toArray().then((all) => resolve(Buffer.concat(all).toString()), reject)).on('error', reject);
    });
  }

  /** A listening socket that only the box takes connections from. */
  async function listening(name: string): Promise<{ path: string; handle: { fd: number }; free(): void }> {
    const path = join(folder, name);
    const own: Server = createServer();
    await new Promise<void>((resolve) => own.listen(`${path}.draft`, resolve));
    const { _handle: handle } = own as unknown as { _handle: { fd: number } };
    return { path, handle, free: () => { renameSync(`${path}.draft`, path); own.close(); } };
  }

  it.each(['127.0.0.1', '::1', '::', '0.0.0.0'])('arrive at a program that listens on %s, also those that came before it did', async (on) => {
    const { path, handle, free } = await listening(`in-${on.replaceAll(':', 'c')}`);
    const box = await sh(`sleep 0.2; exec node -e "${server}"`, { env: { PORT: '8080', WHO: 'it', ON: on }, ingress: { handle, port: 8080 } });
    free();
    expect(await Promise.all([ask(path), ask(path), ask(path)])).toEqual(['it', 'it', 'it']);
    await box.answers;
    await box.kill();
    await expect(ask(path)).rejects.toThrow(/ECONNREFUSED/);
  });

  it('end for the program when the one who asked has gone', async () => {
    const { path, handle, free } = await listening('in-left');
    const box = await sh(`exec node -e "${server}"`, { env: { PORT: '8080', ON: '127.0.0.1' }, ingress: { handle, port: 8080 } });
    free();
    const output = new Promise<string>((resolve) => box.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    http.get({ socketPath: path, path: '/end', agent: false }, (response) => response.once('data', () => response.destroy())).on('error', () => {});
    expect(await output).toBe('left\n');
    await box.kill();
  });

  it('leave the box through what is forwarded, and by no other way', async () => {
    const path = join(folder, 'out.sock');
    const host = createServer((socket) => socket.end('from the host'));
    await new Promise<void>((resolve) => host.listen(path, resolve));
    chmodSync(path, 0o666);
    const dial = (port: number): string => `node -e "require('net').connect(${port},'127.0.0.1').on('data',(d)=>console.log(''+d)).on('error',(e)=>console.log(e.code))"`;
    const { out } = await run(`${dial(443)}; ${dial(444)}; rm -f /run/host/443.sock 2>&1 | grep -o Read-only`, { forwards: { 443: path } });
    expect(out).toBe('from the host\nECONNREFUSED\nRead-only');
    host.close();
  });

  it('find the same behind each forwarder: the one that comes along, one compiled here, and the one in Node.js', { timeout: 120_000 }, async () => {
    const source = fileURLToPath(new URL('../../sandbox/forwarder/', import.meta.url));
    const compiled = join(folder, 'compiled');
    execFileSync('gcc', [...COMPILER_FLAGS, '-o', compiled, join(source, 'forwarder.c')]);
    expect(statSync(compiled).size).toBeLessThan(16_384);
    for (const [index, forwarder] of [[join(source, 'forwarder-x64')], [compiled], [process.execPath, join(source, 'forwarder.ts')]].entries()) {
      expect(await throughForwarder(forwarder, join(folder, `fwd${index}`))).toEqual({ early: 'it it it', megabytes: 5, code: 5 });
    }
  });

  async function throughForwarder([program, ...before]: string[], path: string): Promise<unknown> {
    const { handle, free } = await listening(path.slice(folder.length + 1));
    const port = String(20_000 + Math.floor(Math.random() * 20_000));
    const script = `setTimeout(()=>require('http').createServer((q,s)=>{let n=0;q.on('data',(c)=>n+=c.length);q.on('end',()=>{if(q.url==='/exit')process.exit(5);s.end(n>0?String(n/1e6):'it')})}).listen(${port},'127.0.0.1'),150)`;
    const child = spawn(program!, [...before, 'control:4', `fd:3=tcp:${port}`, '--', process.execPath, '-e', script], { stdio: ['ignore', 'inherit', 'inherit', handle.fd, 'pipe'] });
    free();
    child.stdio[4]!.on('error', () => {});
    (child.stdio[4] as NodeJS.WritableStream).write(Buffer.from([2, 0, 0, 0, 65, 61]).subarray(0, 4));
    (child.stdio[4] as NodeJS.WritableStream).write('A\0');
    const early = await Promise.all([ask(path), ask(path), ask(path)]);
    const megabytes = await new Promise<string>((resolve, reject) => {
      http.request({ socketPath: path, method: 'POST', agent: false }, (response) => response.toArray().then((all) => resolve(Buffer.concat(all).toString()), reject)).on('error', reject).end(Buffer.alloc(5e6));
    });
    const code = new Promise((resolve) => child.once('exit', resolve));
    await ask(path, '/exit').catch(() => {});
    return { early: early.join(' '), megabytes: Number(megabytes), code: await code };
  }
});

it('ends with its host, however that ends; the next host cleans up', async () => {
  const mark = `box-of-a-killed-host-${process.pid}`;
  const script = `
    import { prepareBoxes } from ${JSON.stringify(fileURLToPath(new URL('../../sandbox/box-test.ts', import.meta.url)))};
    const ground = await prepareBoxes({ folder: ${JSON.stringify(join(folder, 'killed'))}, isUnsafe: false });
    const box = await ground.boxes().start({ command: ['/bin/sh', '-c', '(setsid sleep 1000 &); echo up; sleep 1000; : ${mark}'], env: {}, cwd: '/', limits: ${JSON.stringify(limits)} });
    box.stdout.on('data', () => console.log(JSON.stringify(ground.boxes().groups?.folders ?? [])));`;
  const host = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [told] = await once(host.stdout, 'data') as [Buffer];
  const running = (): boolean => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n').some((line) => line.includes(mark) && line.startsWith('/bin/sh'));
  expect(running()).toBe(true);
  host.kill('SIGKILL');
  await expect.poll(running).toBe(false);
  const groups = JSON.parse(told.toString()) as string[];
  await expect.poll(async () => {
    await (await openGroups())?.close();
    return groups.filter((group) => existsSync(group));
  }).toEqual([]);
});

it('can be made where this host hides from others what it makes', async () => {
  const script = `
    import { prepareBoxes } from ${JSON.stringify(fileURLToPath(new URL('../../sandbox/box-test.ts', import.meta.url)))};
    process.umask(0o077);
    const ground = await prepareBoxes({ folder: ${JSON.stringify(join(folder, 'strict'))}, isUnsafe: false });
    console.log(ground.report.level);
    await ground.close();`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()).toBe(ground.report.level);
});

it('leaves nothing: no process, no group, no file', async () => {
  for (let round = 0; round < 5; round += 1) await (await sh('sleep 1000 & sleep 1000')).kill();
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toMatch(/^sleep 1000$/m);
  expect(readdirSync(join(folder, 'boxes')).filter((name) => !name.startsWith('etc-') && !name.startsWith('forwarder'))).toEqual([]);
  const groups = boxes.groups?.folders ?? [];
  for (const group of groups) await expect.poll(() => readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length).toBe(0);
});
