// Owns how things look in a terminal: failures, tables, sizes, times. Must not decide what is shown.
import type { FailureText } from './failure.ts';
import type { Colors } from './io.ts';

export function formatFailure(text: FailureText, colors: Colors): string {
  const rows = [`${colors.red('✗')} ${text.what}`];
  if (text.why !== undefined) rows.push(`  Why: ${text.why}`);
  if (text.remedy !== undefined) rows.push(`  What to do: ${text.remedy}`);
  if (text.requestId !== undefined) rows.push(colors.dim(`  Request id: ${text.requestId}`));
  return rows.join('\n');
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[], colors: Colors): string {
  const widths = headings.map((heading, at) => Math.max(heading.length, ...rows.map((row) => (row[at] ?? '').length)));
  const line = (cells: readonly string[]) => cells.map((cell, at) => (at === cells.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  ').trimEnd();
  return [colors.dim(line(headings)), ...rows.map(line)].join('\n');
}

const UNITS = ['B', 'KB', 'MB', 'GB'];

/** Such as `812 B` or `4.6 MB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** `1 file`, `2 files`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Time of day on this machine, as `14:03:09`. */
export function formatTime(instant: string | Date): string {
  return new Date(instant).toTimeString().slice(0, 8);
}

/** Text of an app or a host may not steer the terminal: all control characters but tab go. */
export function plainText(text: string): string {
  return text.replace(/\u001B\[[0-9;?]*[ -/]*[@-~]/g, '').replace(/[\u0000-\u0008\u000A-\u001F\u007F-\u009F]/g, '');
}
