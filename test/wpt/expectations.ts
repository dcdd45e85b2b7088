// Owns what is expected to fail, and why. Anything else that fails is a fault, and so is what passes against expectation.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestResult } from './run-test.ts';

/** For the file as a whole, where it does not run to its end. */
export const WHOLE_FILE = '(the file itself)';

interface Expectations {
  /** Each reason by a short name. */
  reasons: Record<string, string>;
  /** By file, then by reason: names of subtests. */
  files: Record<string, Record<string, string[]>>;
}

const PATH = join(dirname(fileURLToPath(import.meta.url)), 'expectations.json');
export const EXPECTATIONS = JSON.parse(readFileSync(PATH, 'utf8')) as Expectations;

export function reasonOf(file: string, subtest: string): string | undefined {
  return Object.entries(EXPECTATIONS.files[file] ?? {}).find(([, names]) => names.includes(subtest))?.[0];
}

/** What failed, and what passed, against expectation. */
export function compare(file: string, { subtests, error }: TestResult): { failed: string[]; passed: string[] } {
  const failed = subtests.filter((subtest) => !subtest.passed && reasonOf(file, subtest.name) === undefined).map(({ name, message }) => `${name}: ${message ?? ''}`);
  const passed = subtests.filter((subtest) => subtest.passed && reasonOf(file, subtest.name) !== undefined).map(({ name }) => name);
  if (error !== undefined && reasonOf(file, WHOLE_FILE) === undefined) failed.push(`${WHOLE_FILE}: ${error}`);
  if (error === undefined && reasonOf(file, WHOLE_FILE) !== undefined) passed.push(WHOLE_FILE);
  return { failed, passed };
}

/** Take what failed as expected from now on; known reasons stay, new ones have to be written by hand. */
export function writeExpectations(failures: Map<string, Set<string>>): void {
  const files: Expectations['files'] = {};
  for (const file of [...new Set([...Object.keys(EXPECTATIONS.files).filter((name) => !failures.has(name)), ...failures.keys()])].sort()) {
    const names = failures.get(file);
    if (!names) { files[file] = EXPECTATIONS.files[file]!; continue; }
    for (const name of [...names].sort()) ((files[file] ??= {})[reasonOf(file, name) ?? 'unknown'] ??= []).push(name);
  }
  writeFileSync(PATH, `${JSON.stringify({ reasons: EXPECTATIONS.reasons, files }, null, 1)}\n`);
}
