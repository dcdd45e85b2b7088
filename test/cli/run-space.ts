// Runs one command in this process, with a home and a folder of its own, and keeps what it printed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import picocolors from 'picocolors';
import type { Io, Prompts } from '../../cli/io.ts';
import { main } from '../../cli/program.ts';

export interface Workplace extends AsyncDisposable {
  homeDir: string;
  dir: string;
  /** Path relative to `dir` -> content. */
  write(files: Record<string, string | Uint8Array>): Promise<void>;
}

export async function makeWorkplace(files: Record<string, string | Uint8Array> = {}): Promise<Workplace> {
  const parent = await mkdtemp(join(tmpdir(), 'space-cli-'));
  const workplace: Workplace = {
    homeDir: join(parent, 'home'),
    dir: join(parent, 'guestbook'),
    async write(more) {
      for (const [path, content] of Object.entries(more)) {
        await mkdir(dirname(join(workplace.dir, path)), { recursive: true });
        await writeFile(join(workplace.dir, path), content);
      }
    },
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }),
  };
  await mkdir(workplace.homeDir);
  await mkdir(workplace.dir);
  await workplace.write(files);
  return workplace;
}

export interface Ran { code: number; out: string; err: string; opened: string[] }

export interface RunOptions {
  env?: Io['env'];
  stdin?: string;
  /** Answers to the prompts in their order; without them there is no terminal. */
  answers?: unknown[];
  signal?: AbortSignal;
  onOut?: (line: string) => void;
}

export async function runSpace({ homeDir, dir }: Workplace, argv: string[], options: RunOptions = {}): Promise<Ran> {
  const ran: Ran = { code: 0, out: '', err: '', opened: [] };
  const io: Io = {
    env: options.env ?? {}, cwd: dir, homeDir,
    isInteractive: options.answers !== undefined,
    colors: picocolors.createColors(false),
    out: (line) => { ran.out += `${line}\n`; options.onOut?.(line); },
    err: (line) => { ran.err += `${line}\n`; },
    readStdin: async () => options.stdin ?? '',
    prompts: scripted(options.answers ?? []),
    openUrl: async (url) => { ran.opened.push(url); },
    spin: () => ({ update: () => {}, stop: () => {} }),
    signal: options.signal ?? new AbortController().signal,
  };
  ran.code = await main(argv, io);
  return ran;
}

function scripted(answers: unknown[]): Prompts {
  const next = async (message: string): Promise<any> => {
    if (answers.length === 0) throw new Error(`no answer for the prompt "${message}"`);
    return answers.shift();
  };
  return { text: next, secret: next, confirm: next, choose: next };
}
