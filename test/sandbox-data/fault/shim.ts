// Owns the faults of a disk for tests: builds the shim, starts programs above it, changes its rules while they run, reads
// what it saw. What a power loss would leave is made from that.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { tempFolder } from '../open-data.ts';

/** The shim stands between programs and the C library of Linux. Without a compiler its tests are skipped, visibly. */
export const HAS_SHIM = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;

const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
/** The program of `startActor`, below the root of the source. */
export const ACTOR = relative(CHECKOUT, fileURLToPath(new URL('./actor.ts', import.meta.url)));

let built: Promise<string> | undefined;

function buildShim(): Promise<string> {
  built ??= (async () => {
    const library = join(mkdtempSync(join(tmpdir(), 'ownspace-shim-')), 'shim.so');
    const source = fileURLToPath(new URL('./shim.c', import.meta.url));
    await promisify(execFile)('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl', '-lpthread']);
    process.once('exit', () => spawnSync('rm', ['-rf', join(library, '..')]));
    return library;
  })();
  return built;
}

export interface FaultyDisk {
  /** What a program needs in its environment to run above it. */
  env: Record<string, string>;
  /** Replace the rules (see shim.c); none: a good disk. */
  rules(...lines: string[]): Promise<void>;
  /** What happened so far, one line a call. */
  events(): Promise<string[]>;
}

/** @param root only paths below it are hit */
export async function faultyDisk(root: string, ...lines: string[]): Promise<FaultyDisk> {
  const folder = await tempFolder();
  const [rulesFile, logFile] = [join(folder, 'rules'), join(folder, 'log')];
  await writeFile(logFile, '');
  const rules = async (...next: string[]): Promise<void> => {
    await writeFile(`${rulesFile}.new`, `${next.join('\n')}\n`);
    await rename(`${rulesFile}.new`, rulesFile);
  };
  await rules(...lines);
  return {
    env: { LD_PRELOAD: await buildShim(), FAULT_RULES: rulesFile, FAULT_LOG: logFile, FAULT_ROOT: root },
    rules,
    events: async () => (await readFile(logFile, 'utf8')).split('\n').slice(0, -1),
  };
}

export type Answer = { value?: any; code?: string; ms: number };

export interface Actor {
  child: ChildProcess;
  ask(request: object): Promise<Answer>;
  /** Of the data plane's log, lines so far. */
  logged(): string;
  kill(): Promise<void>;
  ended: Promise<void>;
}

/** A process with a data plane, which does what it is asked (actor.ts). @param source another copy of the checkout */
export async function startActor(folder: string, env: Record<string, string> = {}, source = CHECKOUT): Promise<Actor> {
  const child = spawn(process.execPath, [join(source, ACTOR), folder], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const waiting = new Map<number, (answer: Answer) => void>();
  let [nextId, log] = [1, ''];
  child.stderr.on('data', (chunk) => (log += chunk));
  child.stdin.on('error', () => {}); // it died
  createInterface(child.stdout).on('line', (line) => {
    const { id, ...answer } = JSON.parse(line) as Answer & { id: number };
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => {
    for (const answer of waiting.values()) answer({ code: 'DIED', ms: 0 });
    waiting.clear();
    resolve();
  }));
  const actor: Actor = {
    child, ended,
    ask: (request) => new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve({ code: 'DIED', ms: 0 });
      const id = nextId++;
      waiting.set(id, resolve);
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    }),
    logged: () => log,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  onTestFinished(() => actor.kill());
  return actor;
}

/** Leave of `folder` what is there after a power loss: of each file what was synced. With `isEntryLost`, what was
 *  created or renamed since the last sync of anything is gone too. @returns how many bytes were lost */
export async function losePower(events: readonly string[], { isEntryLost = false } = {}): Promise<number> {
  const syncedBytes = new Map<string, number>();
  let entries: string[] = [];
  for (const event of events) {
    const [, kind, rest = ''] = /^(\w+) (.*)$/s.exec(event) ?? [];
    if (kind === 'sync') {
      const [, bytes, path = ''] = /^(\d+) (.*)$/s.exec(rest) ?? [];
      syncedBytes.set(path, Number(bytes));
    } else if (kind === 'create') {
      syncedBytes.set(rest, 0);
      entries.push(event);
    } else if (kind === 'rename') {
      const [from = '', to = ''] = rest.split('\t');
      moveAll(syncedBytes, from, to);
      entries.push(event);
    }
    if (kind === 'sync' || kind === 'syncdir') entries = [];
  }
  let lost = 0;
  for (const [path, bytes] of syncedBytes) {
    const size = await stat(path).then((info) => (info.isFile() ? info.size : 0), () => 0);
    if (size <= bytes) continue;
    lost += size - bytes;
    await truncate(path, bytes);
  }
  if (isEntryLost) for (const event of entries) await rm(/^rename .*\t(.*)$/s.exec(event)?.[1] ?? event.slice('create '.length), { force: true });
  return lost;
}

/** A folder takes along what is in it. */
function moveAll(sizes: Map<string, number>, from: string, to: string): void {
  for (const [path, bytes] of sizes) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    sizes.delete(path);
    sizes.set(to + path.slice(from.length), bytes);
  }
}
