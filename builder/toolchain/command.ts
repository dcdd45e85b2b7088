// Owns running a foreign program for a build: its environment is composed from nothing, its output goes to the log
// line by line, and it ends with everything it started. No shell anywhere. Knows not which programs there are.
import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';

export interface Command {
  argv: readonly [string, ...string[]];
  folder: string;
  /** The whole environment of the program. */
  env: Record<string, string>;
  timeoutMs: number;
  /** Of output that is reported; the rest is dropped. */
  maxOutputBytes: number;
  report(line: string): void;
  signal: AbortSignal;
}

export type CommandEnd = 'ok' | 'failed' | 'timeout' | 'missing';

/** Rejects only when `signal` aborts. `missing`: there is no such program. */
export async function runCommand(command: Command): Promise<CommandEnd> {
  command.signal.throwIfAborted();
  const [file, ...args] = command.argv;
  const child = spawn(file, args, { cwd: command.folder, env: command.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let end: CommandEnd | undefined;
  const kill = (): void => killGroup(child.pid);
  const timer = setTimeout(() => {
    end = 'timeout';
    kill();
  }, command.timeoutMs);
  command.signal.addEventListener('abort', kill, { once: true });
  reportLines([child.stdout, child.stderr], command);
  const exit = await new Promise<CommandEnd>((resolve) => {
    child.once('error', () => resolve('missing'));
    child.once('close', (code) => resolve(code === 0 ? 'ok' : 'failed'));
    // What it left running keeps the pipes open: it ends with it.
    child.once('exit', kill);
  });
  clearTimeout(timer);
  command.signal.removeEventListener('abort', kill);
  command.signal.throwIfAborted();
  return end ?? exit;
}

/** Output beyond the limit is read and dropped, so that a flood costs neither memory nor log. */
function reportLines(streams: Readable[], command: Command): void {
  let room = command.maxOutputBytes;
  for (const stream of streams) {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    stream.on('data', (chunk: Buffer) => {
      if (room < 0) return;
      room -= chunk.length;
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) command.report(line);
      if (room < 0) command.report('(further output is left out)');
    });
    stream.on('end', () => {
      if (rest !== '' && room >= 0) command.report(rest);
    });
  }
}

/** The program leads a process group of its own: what it started is in it too. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended already.
  }
}
