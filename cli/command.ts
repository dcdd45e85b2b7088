// Owns the shape of a command, and what every command is given. Must not know any one command.
import type { Command } from 'commander';
import { createApi } from '../client/api.ts';
import type { Api } from '../client/api.ts';
import type { CommandFacts } from './command-facts.ts';
import { findLogin } from './credentials.ts';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

export interface Context {
  io: Io;
  /** The person wants JSON: one document on stdout, all else on stderr. */
  isJson: boolean;
  /** What there is besides this one. */
  commands(): CommandFacts[];
  /** The result: `json` for a script, `text` for a person. */
  result(json: unknown, text: string): void;
  /** Progress, for people. */
  note(text: string): void;
  /** A step that is done, for people. */
  done(text: string): void;
  /** The host where the person is signed in. `isLasting`: also after Ctrl-C, to put in order what was begun.
   *  @throws Failure NOT_LOGGED_IN */
  api(options?: { isLasting?: boolean }): Promise<Api>;
}

export interface CliCommand {
  summary: string;
  configure(command: Command): Command;
  /** @returns the exit code, where it is not 0 */
  run(context: Context, options: Record<string, unknown>, args: readonly string[]): Promise<number | void>;
}

interface TypedCommand<Options> {
  summary: string;
  configure(command: Command): Command;
  run(context: Context, options: Options, args: readonly string[]): Promise<number | void>;
}

/** Ties the options that `run` reads to a type; commander knows them as `unknown`. */
export function defineCommand<Options extends object>(command: TypedCommand<Options>): CliCommand {
  return { ...command, run: (context, options, args) => command.run(context, options as Options, args) };
}

/** Whoever pressed Ctrl-C does not wait for long. */
const LAST_CALL_MS = 5_000;

export function createContext(io: Io, isJson: boolean, commands: () => CommandFacts[]): Context {
  const { colors } = io;
  return {
    io,
    isJson,
    commands,
    result: (json, text) => io.out(isJson ? JSON.stringify(json) : text),
    note: (text) => io.err(text),
    done: (text) => io.err(`${colors.green('✓')} ${text}`),
    async api({ isLasting = false } = {}) {
      const { root, accessToken } = await findLogin(io);
      return createApi({ root, accessToken, clientName: clientName(), ...(isLasting ? { timeoutMs: LAST_CALL_MS } : { signal: io.signal }) });
    },
  };
}

/** @source Deta Space control plane, `X-Space-Client` */
export function clientName(): string {
  return `cli/${VERSION} ${process.arch}-${process.platform}`;
}

/** For commands of a project: which folder. */
export function withDir(command: Command): Command {
  return command.option('-d, --dir <dir>', 'folder of the project (default: this one)');
}

/** For commands of a project: which one, in place of the one that the folder is linked to. */
export function withProjectId(command: Command): Command {
  return command.option('-i, --id <id>', 'id of the project (default: what the folder is linked to)');
}
