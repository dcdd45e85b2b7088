// Owns the host's own log: JSON lines on stderr. Never give it bodies, keys, env values or query strings.
import { createLineWriter } from './line-writer.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, unknown>;

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

export interface Log {
  /** `event` is noun.past-verb, such as `instance.started`. */
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A Log that adds these fields to every line. */
  with(fields: LogFields): Log;
}

/** @param write receives one complete line with its newline */
export function createLog(level: LogLevel, write: (line: string) => void, base: LogFields = {}): Log {
  const emit = (at: LogLevel, event: string, fields: LogFields = {}): void => {
    if (RANK[at] < RANK[level]) return;
    write(lineOf(at, event, { ...base, ...fields }));
  };
  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
    with: (fields) => createLog(level, write, { ...base, ...fields }),
  };
}

const STDERR = 2;

/** A Log on this process's stderr, for which nobody waits. */
export function stderrLog(level: LogLevel): Log {
  const writer = createLineWriter(STDERR, (count) => lineOf('warn', 'log.lost', { lines: count }));
  process.once('exit', writer.flush);
  return createLog(level, writer.write);
}

/** A Log that says nothing. */
export const silentLog: Log = createLog('error', () => {});

function lineOf(level: LogLevel, event: string, fields: LogFields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, event, ...plain(fields) })}\n`;
}

function plain(fields: LogFields): LogFields {
  const result: LogFields = {};
  for (const [name, value] of Object.entries(fields)) {
    result[name] = value instanceof Error ? describe(value) : value;
  }
  return result;
}

function describe(error: Error): LogFields {
  const { name, message, stack, cause } = error;
  return { name, message, stack, ...(cause instanceof Error ? { cause: describe(cause) } : {}) };
}
