// Owns reading our own sources: which modules a file imports, and the marks the rules look for. Knows no rule.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** One `import`, `export ... from` or `import()`. `isType`: nothing of it is left when the program runs. */
export interface Import {
  specifier: string;
  /** Path from the root for our own files, the package's name otherwise; `node:` specifiers as they are. */
  target: string;
  isOurs: boolean;
  isType: boolean;
}

export interface Source {
  /** From the root, with slashes. */
  path: string;
  text: string;
  lines: number;
  imports: Import[];
  hasDefaultExport: boolean;
  readsEnvironment: boolean;
  comments: string[];
  /** `describe.only`, `it.only`, `test.only`. */
  hasFocusedTest: boolean;
}

/** @param path from the root; it need not exist, so that rules can be tried on bad examples */
export function parseSource(path: string, text: string): Source {
  const { module, program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new TypeError(`${path}: ${errors[0]?.message}`);
  const marks = findMarks(program);
  return {
    path,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: readImports(path, text, module),
    hasDefaultExport: module.staticExports.some((e) => e.entries.some((x) => x.exportName.kind === 'Default')),
    readsEnvironment: marks.readsEnvironment || importsEnvironment(module),
    comments: comments.map((comment) => comment.value),
    hasFocusedTest: marks.hasFocusedTest,
  };
}

/** Every .ts and .js file under `folder`, but for fixtures and installed packages. */
export function readSources(folder: string): Source[] {
  return listFiles(folder)
    .filter((path) => /\.(ts|js)$/.test(path))
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8')));
}

/** Paths from the root of all files under `folder`. */
function listFiles(folder: string): string[] {
  const full = join(ROOT, folder);
  if (!existsSync(full)) return [];
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split('\\').join('/'))
    .filter((path) => !/(^|\/)(node_modules|fixtures|dist)\//.test(path));
}

type ModuleRecord = ReturnType<typeof parseSync>['module'];
type Program = ReturnType<typeof parseSync>['program'];

function readImports(path: string, text: string, module: ModuleRecord): Import[] {
  const found: Import[] = [];
  for (const { moduleRequest, entries, start } of module.staticImports) {
    const isType = /^import\s+type\b/.test(text.slice(start)) || (entries.length > 0 && entries.every((e) => e.isType));
    found.push(resolve(path, moduleRequest.value, isType));
  }
  for (const { entries } of module.staticExports) {
    for (const entry of entries) {
      if (entry.moduleRequest) found.push(resolve(path, entry.moduleRequest.value, entry.isType));
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^['"`]([^'"`$]+)['"`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    if (literal?.[1]) found.push(resolve(path, literal[1], false));
  }
  return found;
}

function resolve(path: string, specifier: string, isType: boolean): Import {
  if (specifier.startsWith('.')) {
    return { specifier, target: posix.join(posix.dirname(path), specifier), isOurs: true, isType };
  }
  const parts = specifier.split('/');
  const target = specifier.startsWith('node:') ? specifier : parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  return { specifier, target, isOurs: false, isType };
}

function importsEnvironment(module: ModuleRecord): boolean {
  return module.staticImports.some(
    (one) => /^(node:)?process$/.test(one.moduleRequest.value) && one.entries.some((e) => e.importName.name === 'env'),
  );
}

function findMarks(program: Program): { readsEnvironment: boolean; hasFocusedTest: boolean } {
  const marks = { readsEnvironment: false, hasFocusedTest: false };
  new Visitor({
    MemberExpression(node) {
      const property = node.property.type === 'Identifier' ? node.property.name : undefined;
      const object = node.object.type === 'Identifier' ? node.object.name : undefined;
      if (object === 'process' && property === 'env') marks.readsEnvironment = true;
      if (property === 'only' && object !== undefined && ['describe', 'it', 'test'].includes(object)) marks.hasFocusedTest = true;
    },
  }).visit(program);
  return marks;
}
