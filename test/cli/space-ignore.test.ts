import { describe, expect, test } from 'vitest';
import { createIgnore } from '../../cli/space-ignore.ts';

describe('the defaults, as the original command tests them', () => {
  const ignore = createIgnore();
  test.each(['.git', '.env', '.envrc', 'venv', 'virtualenv', 'venv/main.py', 'node_modules/index.js', 'folder/.env'])('%s stays behind', (path) => {
    expect(ignore(path)).toBe(true);
  });
  test.each(['main.py', 'Spacefile', 'src/builder.ts', 'environment', 'a/distance/x', '.github/workflow.yml'])('%s is sent', (path) => {
    expect(ignore(path)).toBe(false);
  });
  test('a line of one’s own leaves a file behind', () => {
    expect(createIgnore('main.py')('main.py')).toBe(true);
  });
  test('a negated line takes a default back in', () => {
    expect(createIgnore('!.env')('.env')).toBe(false);
  });
});

describe('patterns, where they differ from git', () => {
  const cases: [pattern: string, path: string, isIgnored: boolean][] = [
    ['docs/x', 'a/docs/x', true],
    ['/docs/x', 'a/docs/x', false],
    ['/docs/x', 'docs/x/deep/file', true],
    ['docs/*.md', 'docs/a.md', true],
    ['docs/*.md', 'a/docs/a.md', false],
    ['logs/', 'logs', false],
    ['logs/', 'logs/today', true],
    ['a*c', 'abc', true],
    ['a*c', 'ab/c', false],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['**/z', 'a/b/z', true],
    ['a/**', 'a/b/c', true],
    ['what?', 'what?', true],
    ['what?', 'whats', false],
    ['[ab].txt', 'a.txt', true],
    ['[ab].txt', 'c.txt', false],
    ['a.txt', 'aXtxt', false],
    ['# no comment', '# no comment', false],
    [' #x', '#x', true],
    ['\\#x', '#x', true],
    ['  spaced  ', 'spaced', true],
    ['crlf\r', 'crlf', true],
    ['(', '(', false],
  ];
  test.each(cases)('%s on %s: %s', (pattern, path, isIgnored) => {
    expect(createIgnore(pattern)(path)).toBe(isIgnored);
  });
  test('the last pattern that matches decides', () => {
    expect(createIgnore('*.log\n!keep.log')('keep.log')).toBe(false);
    expect(createIgnore('!keep.log\n*.log')('keep.log')).toBe(true);
  });
  test('!node_modules/ takes the folder back in, as the documentation always said', () => {
    expect(createIgnore('!node_modules/')('node_modules')).toBe(false);
    expect(createIgnore('!node_modules/')('node_modules/a/index.js')).toBe(false);
  });
});
