// Owns the host's own log: JSON lines on stderr. Never give it bodies, keys, env values or query strings.

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
    const line = { time: new Date().toISOString(), level: at, event, ...base, ...plain(fields) };
    write(`${JSON.stringify(line)}\n`);
  };
  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
    with: (fields) => createLog(level, write, { ...base, ...fields }),
  };
}

/** A Log on this process's stderr. */
export function stderrLog(level: LogLevel): Log {
  return createLog(level, (line) => process.stderr.write(line));
}

/** A Log that says nothing. */
export const silentLog: Log = createLog('error', () => {});

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
