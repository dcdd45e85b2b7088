// Owns the inside of the launcher: starts what it is told to, connects its pipes with the host, and tells how each ended.
// Started by launcher.ts; nothing may import this file. It decides nothing, and has nothing that would be worth stealing.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FromLauncher, Order, ToLauncher } from './launcher.ts';

type Handed = { fd: number; close(): void } | undefined;

const CLOSE_ON_EXEC = 0o2000000;
const [door = ''] = process.argv.slice(2);
const running = new Map<number, ChildProcess>();
const kept = new Map<string, number>();
const nothing = openSync('/dev/null', 'r');
const leaked = findLeaked();

process.on('disconnect', () => {
  // What has not come to the point yet at which the system ends it with this process.
  for (const child of running.values()) killGroup(child);
  rmSync(dirname(door), { recursive: true, force: true });
  process.exit();
});
process.on('message', (message: ToLauncher, handed: Handed) => {
  if ('kill' in message) killGroup(running.get(message.kill));
  else void start(message, handed);
});

async function start(order: Order, handed: Handed): Promise<void> {
  const opened: (() => void)[] = [];
  try {
    if (handed) opened.push(() => handed.close());
    const pipes = await Promise.all(order.stdio.map(async (place, at) => (place === 'pipe' ? pipeTo(`${order.pass}${String(at).padStart(2, '0')}`) : undefined)));
    opened.push(...pipes.map((pipe) => () => void pipe?.destroy()));
    const stdio = order.stdio.map((place, at) => {
      if (place === 'ignore') return place;
      if (place === 'pipe') return pipes[at]!;
      if (place === 'handed') return handed!.fd;
      const descriptor = 'file' in place ? openSync(place.file, 'r') : openBytes(place.bytes);
      opened.push(() => closeSync(descriptor));
      return descriptor;
    });
    const [file = '', ...args] = order.command;
    follow(order.id, spawn(file, args, { env: order.env, cwd: order.cwd, stdio: [...stdio, ...shut(stdio.length)], detached: true, windowsHide: true }));
  } catch (error) {
    tell({ id: order.id, error: (error as NodeJS.ErrnoException).code ?? String(error) });
  } finally {
    for (const close of opened) close();
  }
}

/** The host's end of a pipe: it says first which one it is. Nothing is read of it here. */
async function pipeTo(name: string): Promise<Socket> {
  const pipe = connect({ path: door, allowHalfOpen: true }).pause();
  await once(pipe, 'connect');
  pipe.on('error', () => {});
  await new Promise<void>((resolve, reject) => { pipe.write(name, (error) => (error ? reject(error) : resolve())); });
  return pipe;
}

function follow(id: number, child: ChildProcess): void {
  // Without a number it was never there, and 'error' follows.
  child.on('error', (error: NodeJS.ErrnoException) => { if (child.pid === undefined) tell({ id, error: error.code ?? error.message }); });
  if (child.pid === undefined) return;
  running.set(id, child);
  child.on('exit', (code, signal) => {
    running.delete(id);
    tell({ id, code, signal });
  });
  tell({ id, pid: child.pid });
}

/** The host may be gone: then this process ends too. */
function tell(message: FromLauncher): void {
  if (process.connected) process.send!(message, undefined, {}, () => {});
}

function killGroup(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

/** A descriptor of its own for each reader: they share no position. */
function openBytes(base64: string): number {
  let descriptor = kept.get(base64);
  if (descriptor === undefined) kept.set(base64, descriptor = keepInNoFolder(Buffer.from(base64, 'base64')));
  return openSync(`/proc/self/fd/${descriptor}`, 'r');
}

/** An open file without a name. */
function keepInNoFolder(bytes: Buffer): number {
  const folder = mkdtempSync(join(tmpdir(), 'ownspace-filter-'));
  const path = join(folder, 'filter');
  writeFileSync(path, bytes, { mode: 0o600 });
  const descriptor = openSync(path, 'r');
  unlinkSync(path);
  rmdirSync(folder);
  return descriptor;
}

/** What this process inherited open, and would hand on: each place is taken by nothing. */
function shut(from: number): (number | 'ignore')[] {
  const last = Math.max(-1, ...leaked);
  return last < from ? [] : Array.from({ length: last + 1 - from }, (_, at) => (leaked.includes(from + at) ? nothing : 'ignore'));
}

function findLeaked(): number[] {
  const open = existsSync('/proc/self/fdinfo') ? readdirSync('/proc/self/fdinfo').map(Number) : [];
  return open.filter((descriptor) => descriptor > 2 && !isClosedOnExec(descriptor));
}

function isClosedOnExec(descriptor: number): boolean {
  let text: string;
  try {
    text = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
  } catch {
    // It was open only while it was looked for.
    return true;
  }
  return (parseInt(/^flags:\s*(\d+)/m.exec(text)?.[1] ?? '0', 8) & CLOSE_ON_EXEC) !== 0;
}
