// Owns the proof that the sources keep to the architecture, and that each rule would notice if they did not.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as rules from './architecture/rules.ts';
import { parseSource, readSources, ROOT } from './architecture/source.ts';
import type { Source } from './architecture/source.ts';

const isGuestCode = (source: Source): boolean => source.path.startsWith('runtime/engine/guest/');
const all = rules.FOLDERS.flatMap(readSources);
const product = all.filter((source) => !isGuestCode(source));
const tests = readSources('test');
const everything = [...product, ...tests, ...readSources('bench'), ...readSources('bin'), ...readSources('docs')];

/** Bad examples as {path: text}; each must be flagged by its rule, and its good twin must pass. */
interface Example { rule: rules.Rule; over: readonly Source[]; bad: Record<string, string>; good: Record<string, string> }

const EXAMPLES: Record<string, Example> = {
  'imports follow the arrows between folders': {
    rule: rules.followsArrows, over: all,
    bad: { 'sandbox-data/a.ts': `import { b } from '../runtime/b.ts';` },
    good: { 'sandbox-data/a.ts': `import { b } from '../core/b.ts';` },
  },
  'a type-only import follows the arrows too': {
    rule: rules.followsArrows, over: all,
    bad: { 'builder/a.ts': `import type { B } from '../runtime/b.ts';` },
    good: { 'runtime/a.ts': `import type { B } from '../builder/b.ts';` },
  },
  'a dynamic import or a re-export follows the arrows too': {
    rule: rules.followsArrows, over: all,
    bad: { 'cli/a.ts': `await import('../runtime/server.ts');` },
    good: { 'cli/a.ts': `export { b } from '../client/b.ts';` },
  },
  'core imports nothing of ours': {
    rule: rules.followsArrows, over: all,
    bad: { 'core/a.ts': `export * from '../spacefile-schema/types.ts';` },
    good: { 'core/a.ts': `import { b } from './b.ts'; import { c } from 'node:fs';` },
  },
  'the folders of runtime follow their arrows': {
    rule: rules.followsRuntimeArrows, over: product,
    bad: { 'runtime/engine/a.ts': `import { b } from '../api/b.ts';` },
    good: { 'runtime/api/a.ts': `import { b } from '../engine/b.ts';` },
  },
  'what everybody in runtime may import imports none of them': {
    rule: rules.followsRuntimeArrows, over: product,
    bad: { 'runtime/http/cookie.ts': `import { b } from '../auth/b.ts';` },
    good: { 'runtime/auth/a.ts': `import { b } from '../http/cookie.ts';` },
  },
  'no barrels': {
    rule: rules.hasNoBarrel, over: product,
    bad: { 'core/index.ts': `export * from './ids.ts';` },
    good: { 'core/ids.ts': '' },
  },
  'no cycles between files': {
    rule: rules.hasNoCycle, over: product,
    bad: { 'core/a.ts': `import './b.ts';`, 'core/b.ts': `import './c.ts';`, 'core/c.ts': `export * from './a.ts';` },
    good: { 'core/a.ts': `import './b.ts';`, 'core/b.ts': `import type { A } from './a.ts';` },
  },
  'each library is touched only where it is wrapped': {
    rule: rules.keepsLibrariesWrapped, over: product,
    bad: { 'runtime/instance/a.ts': `import Koa from 'koa';` },
    good: { 'runtime/http/a.ts': `import Koa from 'koa';` },
  },
  'isolated-vm stays in the Cell': {
    rule: rules.keepsLibrariesWrapped, over: product,
    bad: { 'runtime/engine/isolate.ts': `const ivm = await import('isolated-vm');` },
    good: { 'runtime/engine/cell/a.ts': `import ivm from 'isolated-vm';` },
  },
  'level stays in its driver': {
    rule: rules.keepsLibrariesWrapped, over: product,
    bad: { 'sandbox-data/base.ts': `import { Level } from 'classic-level';` },
    good: { 'sandbox-data/store/level.ts': `import { Level } from 'classic-level';` },
  },
  'one file wraps jsonwebtoken': {
    rule: rules.keepsLibrariesWrapped, over: product,
    bad: { 'runtime/auth/a.ts': `import jwt from 'jsonwebtoken';`, 'runtime/auth/b.ts': `import jwt from 'jsonwebtoken';` },
    good: { 'runtime/auth/a.ts': `import jwt from 'jsonwebtoken';` },
  },
  'only the two programs read the environment': {
    rule: rules.readsNoEnvironment, over: product,
    bad: { 'runtime/config.ts': 'const port = process.env.PORT;' },
    good: { 'runtime/main.ts': 'start(process.env);', 'core/a.ts': '// process.env\nconst b = `process.env`;' },
  },
  'the environment does not enter by an import either': {
    rule: rules.readsNoEnvironment, over: product,
    bad: { 'runtime/config.ts': `import { env } from 'node:process';` },
    good: { 'runtime/config.ts': `import { hrtime } from 'node:process';` },
  },
  'no default exports': {
    rule: rules.hasNoDefaultExport, over: [...product, ...tests],
    bad: { 'core/a.ts': 'export default 1;' },
    good: { 'core/a.ts': 'export const a = `\nexport default 1;`;' },
  },
  'no file is longer than the limit': {
    rule: rules.isShortEnough, over: everything,
    bad: { 'core/a.ts': '//\n'.repeat(rules.MAX_LINES + 1) },
    good: { 'core/a.ts': '//\n'.repeat(rules.MAX_LINES) },
  },
  'each file opens with what it owns': {
    rule: rules.opensWithComment, over: everything,
    bad: { 'core/a.ts': 'export const a = 1;' },
    good: { 'core/a.ts': '// Owns a.\nexport const a = 1;', 'bin/a.js': '#!/usr/bin/env node\n// Starts a.' },
  },
  'a TODO names somebody and a condition': {
    rule: rules.hasNoAnonymousTodo, over: everything,
    bad: { 'core/a.ts': '// TODO: later' },
    good: { 'core/a.ts': '// TODO(ada): remove when Node 26 is the oldest\nconst text = "TODO: not a comment";' },
  },
  'no test runs alone': {
    rule: rules.hasNoFocusedTest, over: tests,
    bad: { 'test/a.test.ts': `it.only('x', () => {});` },
    good: { 'test/a.test.ts': `it('x', () => { config.only = 1; });` },
  },
  'relative imports carry their extension': {
    rule: rules.importsWithExtension, over: everything,
    bad: { 'core/a.ts': `import { b } from './b';` },
    good: { 'core/a.ts': `import { b } from './b.ts';` },
  },
};

const parseAll = (files: Record<string, string>): Source[] =>
  Object.entries(files).map(([path, text]) => parseSource(path, text));

describe.each(Object.entries(EXAMPLES))('%s', (_name, { rule, over, bad, good }) => {
  test('in our sources', () => expect(rule(over)).toEqual([]));
  test('and a breach is noticed', () => expect(rule(parseAll(bad))).not.toEqual([]));
  test('and what is right passes', () => expect(rule(parseAll(good))).toEqual([]));
});

test('the sources are found', () => {
  expect(product.map((source) => source.path)).toContain('core/errors.ts');
  expect(tests.map((source) => source.path)).toContain('test/architecture.test.ts');
});

/** Folders that hold code, from the root. */
const codeFolders = [...new Set(everything.map((source) => dirname(source.path)))].filter((folder) => !/^(test|bench\/apps)\/./.test(folder));

test.each(codeFolders)('%s has a README of at most 30 lines', (folder) => {
  const file = join(ROOT, folder, 'README.md');
  expect(existsSync(file), `${folder}/README.md says what the folder owns, may import, and where to start reading`).toBe(true);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').length;
  expect(lines).toBeGreaterThan(2);
  expect(lines).toBeLessThanOrEqual(rules.MAX_README_LINES);
});
