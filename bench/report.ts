// Owns how results are shown: a table for people, one JSON line per row for programs, a section for RESULTS.md.
import type { RowResult } from './harness.ts';
import type { Machine } from './machine.ts';

const HEADINGS = ['bench', 'row', 'contender', 'result', 'p50 ms', 'p99 ms', 'CPU us', 'ownspace is', 'goal'] as const;

export function renderTable(results: readonly RowResult[]): string {
  const rows = [[...HEADINGS], ...results.flatMap(cellsOf)];
  const widths = HEADINGS.map((_heading, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}

/** One line of JSON for each row, complete in itself. */
export function renderJsonLines(results: readonly RowResult[], machine: Machine): string {
  return results.map((result) => JSON.stringify({ ...result, machine })).join('\n');
}

/** A section to append to a Markdown file. */
export function renderMarkdown(results: readonly RowResult[], machine: Machine): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(', ');
  const title = `## ${machine.date.slice(0, 16).replace('T', ' ')} UTC`;
  const facts = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}; load by ${machine.load}; load average before the run ${machine.loadAverage}; ${versions}`;
  const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const table = [row(HEADINGS), row(HEADINGS.map(() => '---')), ...results.flatMap(cellsOf).map(row)].join('\n');
  return `\n${title}\n\n${facts}\n\n${table}\n`;
}

function cellsOf(result: RowResult): string[][] {
  return Object.entries(result.scores).map(([name, score]) => [
    result.bench,
    result.connections === undefined ? result.row : `${result.row}, ${result.connections} connections`,
    name,
    valueOf(result.unit, score.value),
    milliseconds(score.p50Ms),
    milliseconds(score.p99Ms),
    score.cpuUs?.toFixed(0) ?? '',
    result.ratios[name] === undefined ? '' : `${result.ratios[name].toFixed(2)} x`,
    goalFor(result, name),
  ]);
}

function goalFor({ goals }: RowResult, name: string): string {
  return goals
    .filter(({ text }) => text.endsWith(` ${name}`))
    .map(({ text, isReached }) => `${isReached ? 'reached' : 'MISSED'}: ${text}`)
    .join('; ');
}

function valueOf(unit: RowResult['unit'], value: number): string {
  switch (unit) {
    case 's': case 'ms': return `${value.toFixed(2)} ${unit}`;
    // What a box takes is less than one.
    case 'MB': case 'MB/s': return `${value < 10 ? value.toFixed(2) : Math.round(value)} ${unit}`;
    case 'Items/s': return `${Math.round(value)} Items/s`;
    case 'requests/s': return `${Math.round(value)}/s`;
  }
}

const milliseconds = (value: number | undefined): string => value?.toFixed(2) ?? '';
