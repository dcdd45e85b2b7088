// Owns running Deta's own `space` CLI, which SPACE_CLI names: with a home of its own, in a pipe or in a terminal, and through
// a proxy that notes what it asks for.
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { removeFolder } from '../support/host-process.ts';

/** The binary; empty where there is none. */
export const SPACE_CLI = process.env['SPACE_CLI'] ?? '';

export interface Ran { code: number | null; out: string }
export interface RunOptions { cwd?: string; stdin?: string; env?: Record<string, string> }
/** Once the terminal shows the text, type the answer. */
export type Dialog = readonly (readonly [shows: string | RegExp, types: string])[];

export interface OriginalCli extends AsyncDisposable {
  homeFolder: string;
  /** Both streams, as text without colours. */
  run(args: string[], options?: RunOptions): Promise<Ran>;
  /** The same in a terminal. */
  inTerminal(args: string[], dialog: Dialog, options?: RunOptions): Promise<Ran>;
  /** One that goes on until it is stopped. */
  start(args: string[], options?: RunOptions): Started;
  /** Addresses that it opened in a browser. */
  opened(): Promise<string[]>;
}

export interface Started extends AsyncDisposable {
  output(): string;
  /** Ctrl-C. */
  interrupt(): Promise<number | null>;
}

const ENTER = '\r';
export const KEYS = { enter: ENTER, yes: 'y', no: 'n' } as const;
const LIMIT_MS = 120_000;

/** @param root given as SPACE_ROOT  @param accessToken given as SPACE_ACCESS_TOKEN, if any */
export async function openOriginal(root: string, accessToken?: string): Promise<OriginalCli> {
  const homeFolder = await mkdtemp(join(tmpdir(), 'original-home-'));
  const openedFile = join(homeFolder, 'opened');
  await fakeBrowser(join(homeFolder, 'bin'), openedFile);
  await knowLatestVersion(homeFolder);
  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    PATH: `${join(homeFolder, 'bin')}:${process.env['PATH'] ?? ''}`, HOME: homeFolder, SPACE_ROOT: root, TERM: 'screen', NO_COLOR: '1',
    ...(accessToken !== undefined && { SPACE_ACCESS_TOKEN: accessToken }), ...more,
  });
  return {
    homeFolder,
    run(args, { cwd = homeFolder, stdin, env: more } = {}) {
      const child = spawn(SPACE_CLI, args, { cwd, env: env(more), stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], timeout: LIMIT_MS });
      child.stdin?.end(stdin);
      return ended(child);
    },
    inTerminal(args, dialog, { cwd = homeFolder, env: more } = {}) {
      const command = [SPACE_CLI, ...args].map((part) => `'${part}'`).join(' ');
      const child = spawn('script', ['-qec', `stty cols 120 rows 40; ${command}`, '/dev/null'], { cwd, env: env(more), timeout: LIMIT_MS });
      return ended(child, dialog);
    },
    start(args, { cwd = homeFolder, env: more } = {}) {
      // A group of its own, so that Ctrl-C reaches what it started.
      return started(spawn(SPACE_CLI, args, { cwd, env: env(more), detached: true }));
    },
    opened: async () => (await readFile(openedFile, 'utf8').catch(() => '')).split('\n').filter(Boolean),
    [Symbol.asyncDispose]: () => removeFolder(homeFolder),
  };
}

async function fakeBrowser(folder: string, openedFile: string): Promise<void> {
  await mkdir(folder);
  for (const name of ['xdg-open', 'open', 'x-www-browser', 'www-browser']) {
    await writeFile(join(folder, name), `#!/bin/sh\necho "$1" >> '${openedFile}'\n`);
    await chmod(join(folder, name), 0o755);
  }
}

/** Else it asks GitHub after each command. */
async function knowLatestVersion(homeFolder: string): Promise<void> {
  await mkdir(join(homeFolder, '.detaspace'));
  await writeFile(join(homeFolder, '.detaspace', 'space_latest_version'), JSON.stringify({ version: '0.4.2', updatedAt: Math.floor(Date.now() / 1000) }));
}

function ended(child: ChildProcess, dialog: Dialog = []): Promise<Ran> {
  const waiting = [...dialog];
  let out = '';
  let read = 0;
  const hear = (text: string): void => {
    out += text;
    const [shows, types] = waiting[0] ?? [];
    if (shows === undefined || types === undefined) return;
    const fresh = stripVTControlCharacters(out.slice(read));
    if (typeof shows === 'string' ? !fresh.includes(shows) : !shows.test(fresh)) return;
    waiting.shift();
    read = out.length;
    // It draws its question before it listens.
    setTimeout(() => child.stdin?.write(types), 150);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', hear);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, out: stripVTControlCharacters(out).replaceAll('\r', '') }));
  });
}

function started(child: ChildProcess): Started {
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { out += text; });
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(-(child.pid as number), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return {
    output: () => stripVTControlCharacters(out),
    interrupt() {
      signal('SIGINT');
      return exited;
    },
    async [Symbol.asyncDispose]() {
      signal('SIGKILL');
      await exited;
    },
  };
}

export interface Wiretap extends AsyncDisposable {
  /** In place of the host's, as SPACE_ROOT takes it. */
  root: string;
  /** `METHOD /path?query`, in their order, below `/api`. */
  calls(): string[];
}

/** Between the CLI and the host. @param options.aheadSeconds  how far the time that it tells is off */
export async function tap(hostUrl: string, { aheadSeconds = 0 }: { aheadSeconds?: number } = {}): Promise<Wiretap> {
  const { hostname, port, host } = new URL(hostUrl);
  const calls: string[] = [];
  const server = createServer((incoming, answer) => {
    const path = (incoming.url ?? '').replace(/^\/api/, '');
    calls.push(`${incoming.method} ${path}`);
    if (path === '/v0/time' && aheadSeconds !== 0) {
      answer.end(String(Math.floor(Date.now() / 1000) + aheadSeconds));
      return;
    }
    const onward = ask({ hostname, port, method: incoming.method, path: incoming.url, headers: { ...incoming.headers, host } }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    root: `http://localhost:${(server.address() as AddressInfo).port}/api`,
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
