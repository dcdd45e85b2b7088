// Owns how an issue is worded and shown: quoting, nearest valid value, the report for a terminal or a build log.
import { distance } from 'fastest-levenshtein';
import type { SpacefileIssue } from './types.ts';

/** No report has more issues than this; the last one then counts the rest. */
export const ISSUES_LIMIT = 50;
const QUOTE_MAX_CHARS = 60;

/** A value of the document as it may stand in a message: short, and with nothing that steers a terminal. */
export function quote(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a set of fields';
  const text = String(value);
  return `\`${printable(text.length > QUOTE_MAX_CHARS ? `${text.slice(0, QUOTE_MAX_CHARS)}...` : text)}\``;
}

/** Control characters and those that reorder a line are replaced. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{fffd}');
}

/** The valid value that `text` was probably meant to be. */
export function nearest(text: string, valid: readonly string[]): string | undefined {
  const typed = text.slice(0, QUOTE_MAX_CHARS).toLowerCase();
  const ranked = valid
    .map((value) => ({ value, edits: distance(typed, value.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= Math.floor(best.value.length / 2) ? best.value : undefined;
}

/** In the order of the text, each once, and no more than the limit. */
export function tidyIssues(issues: readonly SpacefileIssue[]): SpacefileIssue[] {
  const sorted = issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const last = sorted[ISSUES_LIMIT - 1];
  if (sorted.length <= ISSUES_LIMIT || last === undefined) return sorted;
  const more = sorted.length - ISSUES_LIMIT + 1;
  return [...sorted.slice(0, ISSUES_LIMIT - 1), { ...last, code: 'MORE_ISSUES', path: '', expected: undefined, suggestion: undefined, message: `There are at least ${more} more problems.` }];
}

/** A report for people: one block for each issue, with the line it is about when `text` is given.
 *  @returns lines without colours or a trailing newline */
export function formatIssues(issues: readonly SpacefileIssue[], text?: string): string {
  const lines = text?.split(/\r?\n/) ?? [];
  return issues.map((issue) => formatIssue(issue, lines[issue.line - 1])).join('\n');
}

function formatIssue(issue: SpacefileIssue, source: string | undefined): string {
  const rows = [`Spacefile:${issue.line}:${issue.column}  ${printable(issue.message)}`];
  if (source !== undefined && source.length <= 200) {
    const gutter = `    ${issue.line} | `;
    rows.push(gutter + printable(source), `${' '.repeat(gutter.length + issue.column - 1)}^`);
  }
  if (issue.expected !== undefined) rows.push(`    expected: ${printable(issue.expected)}`);
  if (issue.suggestion !== undefined) rows.push(`    did you mean ${quote(issue.suggestion)}?`);
  return rows.join('\n');
}
