// Owns which files a push leaves behind: `.spaceignore`, with the rules of the original command, which differ from git's.
// Pure. @source Deta Space `space` CLI; its library github.com/sabhiram/go-gitignore

/** @source Deta Space `space` CLI, default list */
export const DEFAULT_PATTERNS: readonly string[] = [
  '.space', '.spaceignore', 'Discovery.md',
  '.hg', '.git', '.gitmodules', '.gitignore', '.svn',
  'build', 'dist', '.output/',
  '.next', '.nuxt', '.svelte-kit', '.astro',
  'node_modules', '.npmignore', '.cache', '.yarn', 'npm-debug.log*', 'yarn-debug.log*', 'yarn-error.log*', 'lerna-debug.log*', '.pnpm-debug.log*',
  '.venv', 'venv', 'virtualenv', '__pycache__',
  'target',
  '*.lcov', '.nyc_output', '.coverage', '.coverage.*',
  '.dockerignore',
  '.env.local', '.env.*.local', '.env', '.envrc',
  '.*.swp', '.vscode', '.history',
  '.DS_Store',
  '.lock-wscript', 'config.gypi', 'CVS',
];

/** Whether a path relative to the project's root, with `/`, stays behind. */
export type Ignore = (path: string) => boolean;

/** The last pattern that matches decides; `!pattern` takes back in.
 *  @param text content of `.spaceignore`, appended to the defaults */
export function createIgnore(text = ''): Ignore {
  const rules = [...DEFAULT_PATTERNS, ...text.split('\n')].flatMap(parseLine);
  return (path) => rules.reduce((isIgnored, rule) => (rule.pattern.test(path) ? !rule.isNegated : isIgnored), false);
}

interface Rule { pattern: RegExp; isNegated: boolean }

function parseLine(line: string): Rule[] {
  if (line.startsWith('#')) return [];
  const text = line.replace(/\r+$/, '').replace(/^ +| +$/g, '');
  const isNegated = text.startsWith('!');
  const body = (isNegated ? text.slice(1) : text).replace(/^\\(?=[#!])/, '');
  if (body === '') return [];
  // The original's `!node_modules/` took nothing back, against its own documentation; here it does.
  const pattern = compilePattern(isNegated ? body.replace(/(?<=.)\/$/, '') : body);
  return pattern === undefined ? [] : [{ pattern, isNegated }];
}

/** Stands for a `*` of the expression itself while the pattern's own stars are translated. */
const STAR = '\u0000';

function compilePattern(pattern: string): RegExp | undefined {
  let text = pattern;
  // `folder/*.ext` is anchored, every other pattern matches at any depth.
  if (/[^/+]\/.*\*\./.test(text) && !text.startsWith('/')) text = `/${text}`;
  text = text.replaceAll('.', '\\.');
  if (text.startsWith('/**/')) text = text.slice(1);
  text = text
    .replaceAll('/**/', `(/|/.+/)`)
    .replaceAll('**/', `(|.${STAR}/)`)
    .replaceAll('/**', `(|/.${STAR})`)
    .replaceAll('\\*', `\\${STAR}`)
    .replaceAll('*', '([^/]*)')
    .replaceAll('?', '\\?')
    .replaceAll(STAR, '*');
  text += text.endsWith('/') ? '(|.*)$' : '(|/.*)$';
  const anchored = text.startsWith('/') ? `^(|/)${text.slice(1)}` : `^(|.*/)${text}`;
  try {
    return new RegExp(anchored);
  } catch {
    // As in the original: a line that is no pattern matches nothing.
    return undefined;
  }
}
