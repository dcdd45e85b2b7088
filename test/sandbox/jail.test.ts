// Covers the jail with a native program that tries to get out, beside the same program without one; and what the self-test says.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAddon } from '../../runtime/engine/cell/build.ts';
import type { Jail } from '../../sandbox/jail.ts';
import { keepTail, launch } from '../../sandbox/launch.ts';
import { INSIDE, type SandboxReport, testSandbox } from '../../sandbox/self-test.ts';
import { readUsage } from '../../sandbox/watch.ts';

const EPERM = 1;
const ENOENT = 2;
const ESRCH = 3;
const EROFS = 30;
const ENOSYS = 38;
let report: SandboxReport;
let folder: string;

beforeAll(async () => {
  report = await testSandbox(findAddon());
  folder = mkdtempSync(join(tmpdir(), 'ownspace-jail-'));
  execFileSync('gcc', ['-O1', '-o', join(folder, 'probe'), fileURLToPath(new URL('../fixtures/sandbox/probe.c', import.meta.url))]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function probe(jail: Jail | undefined): Promise<{ calls: Record<string, number>; descriptors: number[] }> {
  const path = join(folder, 'probe');
  const inside: Jail | undefined = jail && { ...jail, copy: { '/cell/probe': path } };
  // What is copied in cannot be executed, so it is run by the loader, which is shown.
  const loader = Object.keys(report.jail!.show).find((name) => /\/ld-[^/]*$/.test(name))!;
  const child = await launch({ command: inside ? [loader, '/cell/probe'] : [path], stdio: ['ignore', 'pipe', 'pipe'], ...(inside ? { jail: inside } : {}) });
  const [said, errors] = [keepTail(child.stdio[1]), keepTail(child.stdio[2])];
  await child.closed();
  const lines = said().trim().split('\n').map((line) => line.split(' '));
  if (lines.length < 10) throw new Error(`the probe did not run: ${errors()}`);
  return {
    calls: Object.fromEntries(lines.filter(([name]) => name !== 'descriptor').map(([name, code]) => [name, Number(code)])),
    descriptors: lines.filter(([name]) => name === 'descriptor').map(([, at]) => Number(at)),
  };
}

describe('a native program', () => {
  it('has neither sockets nor children, and finds nothing of this machine', async () => {
    const { calls, descriptors } = await probe(report.jail);
    const { newer, io_uring, create, hosts, proc, kill, ...refused } = calls;
    expect(Object.keys(refused).length).toBeGreaterThan(20);
    expect(Object.entries(refused).filter(([, code]) => code !== EPERM)).toEqual([]);
    expect([newer, io_uring]).toEqual([ENOSYS, ENOSYS]);
    expect([create, hosts, proc]).toEqual([EROFS, ENOENT, ENOENT]);
    // Its own namespace has nobody else to end.
    expect(kill).toBe(ESRCH);
    expect(descriptors).toEqual([1, 2]);
  });

  it('could do all of that without the filter, but reaches nothing in its namespaces', async () => {
    const { calls } = await probe({ ...report.jail!, filter: undefined });
    expect([calls['socket'], calls['unix'], calls['memfd'], calls['unshare']]).toEqual([0, 0, 0, 0]);
    expect([calls['hosts'], calls['proc'], calls['create']]).toEqual([ENOENT, ENOENT, EROFS]);
    expect(calls['clone_user']).not.toBe(0);
  });

  it('sees this machine where no jail is around it', async () => {
    const { calls } = await probe(undefined);
    expect([calls['socket'], calls['hosts'], calls['fork'], calls['clone_user'], calls['unshare']]).toEqual([0, 0, 0, 0, 0]);
  });
});

it('hands on no descriptor that this process inherited itself', async () => {
  const script = `
    import { keepTail, launch } from ${JSON.stringify(fileURLToPath(new URL('../../sandbox/launch.ts', import.meta.url)))};
    const child = await launch({ command: ['/bin/ls', '-l', '/proc/self/fd'], stdio: ['ignore', 'pipe', 'pipe'] });
    const said = keepTail(child.stdio[1]);
    await child.closed();
    console.log(said());`;
  const secret = openSync(join(folder, 'secret'), 'w');
  // A shell that leaves descriptor 77 open; Node.js marks only the low ones.
  const said = execFileSync('/bin/bash', ['-c', `exec 77<${JSON.stringify(join(folder, 'secret'))}; exec "$0" --input-type=module -e "$1"`, process.execPath, script], { encoding: 'utf8' });
  closeSync(secret);
  expect(said).toMatch(/77 -> \/dev\/null/);
  expect(said).not.toMatch(/secret/);
});

it('runs as nobody of this machine, can be watched, and is gone when it is ended', async () => {
  const child = await launch({ command: [INSIDE.node, '-e', 'console.log("up"); setInterval(() => {}, 1000)'], stdio: ['ignore', 'pipe', 'pipe'], jail: report.jail! });
  const pid = (await child.inside)!;
  await once(child.stdio[1]!, 'data');
  expect(pid).not.toBe(child.pid);
  expect(readUsage(pid)!.residentBytes).toBeGreaterThan(10e6);
  const ids = execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' });
  expect(Number(/^Uid:\s+(\d+)/m.exec(ids)![1])).not.toBe(0);
  expect(ids).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(ids).toMatch(/^Seccomp:\s+2$/m);
  expect(ids).toMatch(/^CapEff:\s+0+$/m);
  expect(execFileSync('cat', [`/proc/${pid}/oom_score_adj`], { encoding: 'utf8' }).trim()).toBe('1000');
  child.kill();
  await child.closed();
  await expect.poll(() => readUsage(pid)?.residentBytes ?? 0).toBe(0);
});

it('is ended itself, and not only what stands around it: that has a moment in which it would leave it behind', async () => {
  const setpriv = '/usr/bin/setpriv';
  const libraries = [...execFileSync('ldd', [setpriv], { encoding: 'utf8' }).matchAll(/(\/\S+)/g)].map(([, path]) => path!);
  const jail = { ...report.jail!, filter: undefined, nests: true, show: { ...report.jail!.show, [setpriv]: setpriv, ...Object.fromEntries(libraries.map((path) => [path, path])) } };
  // As it is in that moment: its parent's end does not concern it yet.
  const child = await launch({ command: [setpriv, '--pdeathsig', 'clear', '--', INSIDE.node, '-e', 'console.log("up"); setInterval(() => {}, 1000)'], stdio: ['ignore', 'pipe', 'pipe'], jail });
  const pid = (await child.inside)!;
  await once(child.stdio[1]!, 'data');
  child.kill();
  await child.closed();
  try {
    await expect.poll(() => readUsage(pid)?.residentBytes ?? 0, { timeout: 3_000 }).toBe(0);
  } finally {
    if (readUsage(pid)) process.kill(pid, 'SIGKILL');
  }
});

describe('the self-test', () => {
  it('reaches the full level where this project is tested, and everything that it tries holds', () => {
    expect(report.level).toBe('full');
    expect(report.findings.filter((finding) => !finding.holds)).toEqual([]);
    expect(report.findings.length).toBeGreaterThan(8);
  });

  it('says why there is no jail when what it needs cannot be had', async () => {
    const { level, jail, findings } = await testSandbox('/nowhere/module.node');
    expect(level).toBe('limits');
    expect(jail).toBeUndefined();
    expect(findings[0]).toMatchObject({ what: 'bubblewrap', holds: false });
    expect(findings[0]!.detail).toMatch(/nowhere/);
  });
});
