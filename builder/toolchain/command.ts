// Owns running a foreign program for a build: its environment is composed from nothing, its output goes to the log
// line by line, and it ends with everything it started. Knows not which programs there are.
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

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

/** What a program said last may arrive after its end. */
const OUTPUT_PATIENCE_MS = 1_000;

/** Rejects only when `signal` aborts. `missing`: there is no such program. */
export async function runCommand(command: Command): Promise<CommandEnd> {
  command.signal.throwIfAborted();
  const [file, ...args] = command.argv;
  const child = execa(file, args, {
    cwd: command.folder, env: command.env, extendEnv: false, reject: false, detached: true, cleanup: true,
    stdin: 'ignore', buffer: false, timeout: command.timeoutMs, killSignal: 'SIGKILL',
  });
  const kill = (): void => killGroup(child.pid);
  command.signal.addEventListener('abort', kill, { once: true });
  // What it left running keeps the pipes open: it ends with it.
  child.once('exit', kill);
  const reported = reportLines([child.stdout, child.stderr], command);
  const result = await child;
  // What has left its group may hold its pipes open for ever.
  await Promise.race([reported, sleep(OUTPUT_PATIENCE_MS, undefined, { ref: false })]);
  command.signal.removeEventListener('abort', kill);
  command.signal.throwIfAborted();
  if (result.timedOut) return 'timeout';
  if (result.exitCode === undefined && result.code === 'ENOENT') return 'missing';
  return result.exitCode === 0 ? 'ok' : 'failed';
}

export interface OutputRules {
  /** Of output that is reported; the rest is dropped. */
  maxOutputBytes: number;
  report(line: string): void;
  /** Where even reading and dropping it is too much. */
  endAtBytes?: number;
  onFlood?(): void;
}

/** Output beyond the limit is read and dropped, so that a flood costs neither memory nor log. Resolves when all is read. */
export async function reportLines(streams: Readable[], rules: OutputRules): Promise<void> {
  let room = rules.maxOutputBytes;
  let left = rules.endAtBytes ?? Infinity;
  await Promise.all(streams.map((stream) => new Promise<void>((resolve) => {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) rules.onFlood?.();
      if (room < 0) return;
      const kept = chunk.subarray(0, room);
      room -= chunk.length;
      const lines = (rest + decoder.write(kept)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) rules.report(line);
      if (room < 0) rules.report('(further output is left out)');
    });
    stream.on('end', () => {
      if (rest !== '' && room >= 0) rules.report(rest);
    });
    stream.on('close', resolve);
  })));
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
