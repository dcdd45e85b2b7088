// Owns a program that `space dev` runs: a process group of its own, its lines, and its end.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Leash } from './leash.ts';

export interface Child {
  /** With the code, or the name of the signal. */
  ended: Promise<number | string>;
  /** Ask it to end; what does not within the time is cut off. */
  stop(graceMs: number): Promise<void>;
}

export interface ChildOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  leash: Leash;
  onLine(line: string, stream: 'stdout' | 'stderr'): void;
}

/** A group of its own: Ctrl-C is for us, who end things in their order, and `npm run dev` starts programs that start others. */
export function startChild({ command, args, cwd, env, leash, onLine }: ChildOptions): Child {
  const child = spawn(command, args, { cwd, env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const group = child.pid;
  if (group !== undefined) leash.hold(group);
  for (const stream of ['stdout', 'stderr'] as const) createInterface({ input: child[stream] }).on('line', (line) => onLine(line, stream));
  const ended = new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 1));
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      if (group !== undefined) process.kill(-group, signal);
    } catch {
      // Nobody of it is left.
    }
  };
  return {
    ended,
    async stop(graceMs) {
      signalGroup('SIGTERM');
      const timer = setTimeout(() => signalGroup('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
      // Its leader is gone; whom it left behind goes too.
      signalGroup('SIGKILL');
      if (group !== undefined) leash.letGo(group);
    },
  };
}
