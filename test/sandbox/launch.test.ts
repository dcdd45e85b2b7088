// Covers how untrusted processes are started, watched and ended.
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { keepTail, launch, launchSupport } from '../../sandbox/launch.ts';
import type { Launched } from '../../sandbox/launcher.ts';
import { readUsage } from '../../sandbox/watch.ts';

const node = (script: string, options = {}): ReturnType<typeof launch> => launch({ command: [process.execPath, '-e', script], stdio: ['ignore', 'pipe', 'pipe'], ...options });

async function output(child: Promise<Launched>): Promise<string> {
  const { stdio, closed } = await child;
  const text = keepTail(stdio[1]);
  await closed();
  return text();
}

it('gives a process nothing of this one: environment, folder, descriptors, group', async () => {
  process.env.OWNSPACE_TEST_SECRET = 'secret';
  const leaked = openSync('/etc/hostname', 'r');
  const said = JSON.parse(await output(node('const fs = require("fs"); console.log(JSON.stringify({ env: process.env, cwd: process.cwd(), files: fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } }), group: fs.readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")[2], pid: process.pid }))')));
  closeSync(leaked);
  delete process.env.OWNSPACE_TEST_SECRET;
  expect(said).toMatchObject({ env: {}, cwd: '/', group: String(said.pid) });
  expect(said.files).not.toContain('/etc/hostname');
});

it('passes on only the environment that is given', async () => {
  expect(await output(node('console.log(Object.keys(process.env).join())', { env: { ONLY: '1' } }))).toBe('ONLY\n');
});

it.runIf(launchSupport.limits)('sets limits', async () => {
  const said = await output(node('console.log(require("fs").readFileSync("/proc/self/limits", "utf8"))', { limits: { openFiles: 50, fileSizeBytes: 0, dataBytes: 8 * 1024 ** 3 } }));
  expect(said).toMatch(/Max open files\s+50 /);
  expect(said).toMatch(/Max core file size\s+0 /);
  expect(said).toMatch(/Max file size\s+0 /);
});

it('ends a process with all it started', async () => {
  const child = await node('const { spawn } = require("child_process"); const inner = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]); console.log(inner.pid); for (;;);');
  const [chunk] = await once(child.stdio[1]!, 'data') as [Buffer];
  const inner = Number(chunk.toString());
  expect(readUsage(inner)).toBeDefined();
  child.kill();
  await child.closed();
  await expect.poll(() => readUsage(inner)?.residentBytes ?? 0).toBe(0);
  child.kill();
});

it('keeps only the end of what a process says', async () => {
  const child = await node('process.stdout.write("x".repeat(1e6) + "end")');
  const text = keepTail(child.stdio[1], 10);
  await child.closed();
  expect(text()).toBe('xxxxxxxend');
});

it('sees CPU time and memory of a process from outside', async () => {
  const child = await node('const a = Buffer.alloc(80e6, 1); console.log("up"); const end = Date.now() + 5000; while (Date.now() < end);');
  await once(child.stdio[1]!, 'data');
  const first = readUsage(child.pid)!;
  await new Promise((resolve) => setTimeout(resolve, 400));
  const later = readUsage(child.pid)!;
  child.kill();
  expect(later.cpuMs - first.cpuMs).toBeGreaterThan(100);
  expect(later.residentBytes).toBeGreaterThan(80e6);
  await child.closed();
  expect(readUsage(0x7ffffff)).toBeUndefined();
});
