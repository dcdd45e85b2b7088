// Owns running the `space` command as a subprocess, as a person does: any Node, a home of their own, a folder of an app.
import { spawn } from 'node:child_process';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CHECKOUT, removeFolder } from './host-process.ts';

export interface Ran { code: number | null; stdout: string; stderr: string; durationMs: number }

export interface RunOptions {
  /** Folder to run in. */
  cwd?: string;
  stdin?: string;
  env?: Record<string, string>;
  /** Each piece as it comes, from both streams. */
  onOutput?: (text: string, sinceMs: number) => void;
  signal?: AbortSignal;
}

export interface Terminal extends AsyncDisposable {
  homeFolder: string;
  /** @param args of `space` */
  space(args: string[], options?: RunOptions): Promise<Ran>;
}

const SPACE = join(CHECKOUT, 'bin', 'space.js');

/** @param root control plane of the host, given as SPACE_ROOT */
export async function openTerminal(root: string): Promise<Terminal> {
  const homeFolder = await mkdtemp(join(tmpdir(), 'space-home-'));
  // The Node of the system, which may be an older one: finding the right one is the launcher's work.
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules')).join(delimiter);
  return {
    homeFolder,
    space: (args, options = {}) => run(args, { ...options, env: { PATH: path, HOME: homeFolder, TMPDIR: tmpdir(), SPACE_ROOT: root, ...options.env } }),
    [Symbol.asyncDispose]: () => removeFolder(homeFolder),
  };
}

function run(args: string[], { cwd = tmpdir(), stdin = '', env, onOutput, signal }: RunOptions): Promise<Ran> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn('node', [SPACE, ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], signal });
    const ran: Ran = { code: null, stdout: '', stderr: '', durationMs: 0 };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        ran[stream] += text;
        onOutput?.(text, performance.now() - startedAt);
      });
    }
    child.stdin.on('error', () => {}).end(stdin);
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ran, code, durationMs: performance.now() - startedAt }));
  });
}

/** An example of the checkout in a folder of its own, outside the checkout. */
export async function copyExample(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  await cp(join(CHECKOUT, 'examples', name), folder, { recursive: true });
  return folder;
}
