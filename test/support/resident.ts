// Owns how much memory a host and everything that it started take, as the system counts it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { HostProcess } from './host-process.ts';

/** By how much the process that grew most grew, while `run` ran; bytes. */
export async function growthOf(host: HostProcess, run: () => Promise<unknown>): Promise<number> {
  const before = residentBytes(host);
  expect(before.size).toBeGreaterThan(0);
  let most = 0;
  const timer = setInterval(() => {
    for (const [pid, bytes] of residentBytes(host)) if (before.has(pid)) most = Math.max(most, bytes - before.get(pid)!);
  }, 50);
  await run().finally(() => clearInterval(timer));
  return most;
}

/** The host and everything that it started, by process. */
function residentBytes(host: HostProcess): Map<number, number> {
  const status = (pid: number | string): string => { try { return readFileSync(`/proc/${pid}/status`, 'utf8'); } catch { return ''; } };
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => ({ pid: Number(pid), text: status(pid) }));
  const parents = new Map(all.map(({ pid, text }) => [pid, Number(/PPid:\s+(\d+)/.exec(text)?.[1] ?? 0)]));
  const main = Number(/"pid":\s*(\d+)/.exec(readFileSync(join(host.dataFolder, 'host.pid'), 'utf8'))?.[1] ?? readFileSync(join(host.dataFolder, 'host.pid'), 'utf8'));
  const isOurs = (pid: number): boolean => pid === main || (parents.has(pid) && pid > 1 && isOurs(parents.get(pid)!));
  return new Map(all.filter(({ pid }) => isOurs(pid)).map(({ pid, text }) => [pid, Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024]));
}
