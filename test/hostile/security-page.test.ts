// Covers docs/security.md: each case that it names is tried by a test that carries the name, and each file that it names is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../architecture/source.ts';

const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const ids = [...new Set(page.match(/\b[ABC]\d{1,2}\b/g))];

/** Text of every test and table that runs, but this one. */
const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('security-page.test.ts'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, 'test', path), 'utf8') }));

/** In the name of a test, or in the `ids` of an attack; a range such as `C1 to C7` names what lies between. */
function isTried(id: string): boolean {
  const named = new RegExp(`(?:it|test|describe)(?:\\.\\w+)*\\((?:\\[[^\\n]*\\]\\)\\()?['\`][^'\`\\n]*\\b${id}\\b|ids: '[^']*\\b${id}\\b|\\[(?:'[ABC]\\d+', )*'${id}'[,\\]]`);
  return tests.some(({ text }) => named.test(text));
}

it('names what a stranger may try: all of it', () => {
  const expected = [...Array.from({ length: 25 }, (_, at) => `A${at + 1}`), ...Array.from({ length: 20 }, (_, at) => `B${at + 1}`), 'C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C9', 'C10'];
  expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
});

it.each(ids)('%s is tried by a test of that name', (id) => {
  expect(isTried(id)).toBe(true);
});

it('a case that nobody tries would be found', () => {
  expect(isTried('A99')).toBe(false);
});

it('every file that it names is there', () => {
  const paths = [...page.matchAll(/`((?:test|docs|runtime|sandbox)\/[\w./-]+)`/g)].map(([, path]) => path!);
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
