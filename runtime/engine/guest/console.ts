// Owns console: every line goes to the Instance's log.
import { emitLog } from './bridge.ts';
import { formatLine, inspect } from './inspect.ts';

const counts = new Map<string, number>();
const starts = new Map<string, number>();
let indent = '';

function write(level: string, args: unknown[]): void {
  const text = formatLine(args);
  emitLog(level, indent === '' ? text : indent + text.replaceAll('\n', `\n${indent}`));
}

export const console = {
  log: (...args: unknown[]) => write('info', args),
  info: (...args: unknown[]) => write('info', args),
  debug: (...args: unknown[]) => write('debug', args),
  warn: (...args: unknown[]) => write('warn', args),
  error: (...args: unknown[]) => write('error', args),
  trace: (...args: unknown[]) => write('debug', [`${formatLine(['Trace:', ...args])}\n${new Error().stack?.split('\n').slice(2).join('\n')}`]),
  dir: (value: unknown) => write('info', [inspect(value)]),
  dirxml: (...args: unknown[]) => write('info', args),
  table: (value: unknown) => write('info', [inspect(value)]),
  assert: (condition: unknown, ...args: unknown[]) => { if (!condition) write('error', ['Assertion failed:', ...args]); },
  count: (label = 'default') => { counts.set(label, (counts.get(label) ?? 0) + 1); write('info', [`${label}: ${counts.get(label)}`]); },
  countReset: (label = 'default') => { counts.delete(label); },
  time: (label = 'default') => { starts.set(label, Date.now()); },
  timeLog: (label = 'default', ...args: unknown[]) => write('info', [`${label}: ${Date.now() - (starts.get(label) ?? Date.now())} ms`, ...args]),
  timeEnd: (label = 'default') => { write('info', [`${label}: ${Date.now() - (starts.get(label) ?? Date.now())} ms`]); starts.delete(label); },
  group: (...args: unknown[]) => { if (args.length > 0) write('info', args); if (indent.length < 20) indent += '  '; },
  groupCollapsed: (...args: unknown[]) => console.group(...args),
  groupEnd: () => { indent = indent.slice(2); },
  clear: () => {},
};
