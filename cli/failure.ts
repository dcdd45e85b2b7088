// Owns how a command fails: what happened, why, and what to do about it; and the exit code that goes with it.
import { ApiError, HostUnreachable } from '../client/transport.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** What a shell expects after Ctrl-C. */
export const EXIT_INTERRUPTED = 130;

export interface FailureText {
  code: string;
  /** One sentence. */
  what: string;
  why?: string;
  /** What to do now. */
  remedy?: string;
  requestId?: string;
}

/** A command cannot go on. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly text: FailureText;
  readonly exitCode: number;

  constructor(text: FailureText, options: { exitCode?: number; cause?: unknown } = {}) {
    super(text.what, { cause: options.cause });
    this.text = text;
    this.exitCode = options.exitCode ?? EXIT_FAILED;
  }
}

/** The command was called in a way that cannot work. */
export function usageFailure(what: string, remedy?: string): Failure {
  return new Failure({ code: 'USAGE', what, remedy }, { exitCode: EXIT_USAGE });
}

/** The person pressed Ctrl-C: no error, but not done either. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Anything thrown in a command, as a text for people. */
export function describeFailure(error: unknown): FailureText {
  if (error instanceof Failure) return error.text;
  if (error instanceof HostUnreachable) return describeUnreachable(error);
  if (error instanceof ApiError) return describeApiError(error);
  const fileError = describeFileError(error);
  if (fileError !== undefined) return fileError;
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'INTERNAL', what: `The command broke: ${what}`, remedy: 'This is a mistake in the command. Please report it with the lines above.' };
}

function describeUnreachable(error: HostUnreachable): FailureText {
  return {
    code: error.code,
    what: `The host at ${error.url} cannot be reached.`,
    why: `${error.reason}.`,
    remedy: 'Start it with `npm start`, or name another: `space login --root http://HOST:PORT/api`, or the variable SPACE_ROOT.',
  };
}

function describeApiError(error: ApiError): FailureText {
  return { code: error.code, what: error.message, remedy: remedyFor(error), requestId: error.requestId };
}

const REMEDIES: Readonly<Record<string, string>> = {
  PROJECT_NOT_FOUND: 'Link this folder to a project of yours: `space link --id ID`, or make a new one: `space new`.',
  TAG_TAKEN: 'Choose another --tag, or leave it out.',
  SNAPSHOT_NOT_FOUND: '`space snapshot list` lists those that there are.',
  TRASH_NOT_FOUND: '`space trash list` lists what is in it.',
  VERSION_NOT_FOUND: '`space versions` lists those that there are.',
  INSTANCE_NOT_FOUND: '`space instances` lists yours.',
};

function remedyFor(error: ApiError): string | undefined {
  if (error.code === 'TOKEN_INVALID' || error.code === 'TOKEN_EXPIRED') return 'Then sign in again with `space login`, or check SPACE_ACCESS_TOKEN.';
  if (error.status === 401) return 'Sign in again with `space login`, or check SPACE_ACCESS_TOKEN.';
  if (error.status === 429) return 'Wait a moment, then run the command again.';
  if (Object.hasOwn(REMEDIES, error.code)) return REMEDIES[error.code];
  if (error.code.startsWith('HTTP_')) return 'Check SPACE_ROOT: it is the address of a host, ending in /api.';
  if (error.status >= 500) return 'Try again. If it stays, the log of the host has the reason; name the request id.';
  return undefined;
}

const FILE_REASONS: Record<string, string> = {
  ENOENT: 'it does not exist',
  EACCES: 'you may not access it',
  EPERM: 'you may not access it',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of the path is not a folder',
};

function describeFileError(error: unknown): FailureText | undefined {
  const { code = '', path } = error as { code?: string; path?: string };
  const reason = FILE_REASONS[code];
  return reason !== undefined && path !== undefined ? { code: 'FILE_ACCESS', what: `${path} cannot be used: ${reason}.` } : undefined;
}
