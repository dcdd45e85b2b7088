// Owns what the imports of an isolate Micro may reach: files of its own folder and the `deta` module, nothing else.
// Knows not how a bundle is put together.
import { readFile, realpath } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { extname, relative, sep } from 'node:path';
import type { OnLoadResult, OnResolveArgs, OnResolveResult, PartialMessage, Plugin, PluginBuild } from 'esbuild';
import { patternUpwards } from './import-pattern.ts';

/** Modules that the host provides to every isolate. */
const PROVIDED = 'deta';
const PROVIDED_BY_REQUIRE = 'provided-by-require';
const MISSING_AT_RUN_TIME = 'missing-at-run-time';
const GUARDED = Symbol('guarded');
const CODE_EXTENSIONS = new Set(['', '.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx']);
const NODE_MODULES = new Set(builtinModules);
/** Those for which npm has a package of the same name that does the same. */
const STAND_INS = new Set(['assert', 'buffer', 'events', 'punycode', 'string_decoder', 'url', 'util']);

/** @param root the real path of the Micro's folder */
export function importGuard(root: string): Plugin {
  return {
    name: 'import-guard',
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => resolveInside(build, root, args));
      build.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => loadInside(build, root, path));
      // `require('deta')` gets the same module that `import` gets.
      build.onLoad({ filter: /.*/, namespace: PROVIDED_BY_REQUIRE }, () => ({ contents: `export * from '${PROVIDED}';`, resolveDir: root }));
      build.onLoad({ filter: /.*/, namespace: MISSING_AT_RUN_TIME }, ({ path }) => ({ contents: `throw new Error(${JSON.stringify(noNode(path))});\nexport {};` }));
    },
  };
}

/** Some files are reached without being resolved here, by a pattern: therefore each is checked once more. */
async function loadInside(build: PluginBuild, root: string, path: string): Promise<OnLoadResult | undefined> {
  if (!(await isInside(root, path))) return refusal('a file outside the Micro\'s folder is imported by a pattern');
  const extension = extname(path);
  if (!CODE_EXTENSIONS.has(extension)) return undefined;
  const text = await readFile(path, 'utf8');
  const pattern = await patternUpwards(text, extension, build);
  if (pattern !== undefined) return refusal(`\`${pathInside(root, path)}\` imports by the pattern \`${shorten(pattern)}...\`, which leads upwards; name the modules one by one`);
  return text.includes('sourceMappingURL') ? { contents: withoutSourceMap(text), loader: 'default' } : undefined;
}

/** A file may name a source map, and that map any file of this machine as its source, which esbuild then reads.
 *  The escape means the same wherever it stands in code, and nothing in a comment. */
function withoutSourceMap(text: string): string {
  return text.replaceAll('sourceMappingURL', 'source\\u004dappingURL');
}

async function resolveInside(build: PluginBuild, root: string, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData === GUARDED) return undefined;
  if (args.path === PROVIDED) {
    return args.kind === 'require-call' ? { path: PROVIDED, namespace: PROVIDED_BY_REQUIRE } : { path: PROVIDED, external: true };
  }
  if (/^(data|https?):/.test(args.path)) return refusal(`\`${shorten(args.path)}\` is an address; only files of the source and npm packages can be imported`);
  const { importer, namespace, resolveDir, kind } = args;
  // A package of that name, where the source lists one, stands in for the module of Node.js.
  const path = args.path.replace(/^node:/, '');
  if (path !== args.path && !NODE_MODULES.has(path)) return noNodeModule(args);
  const found = await build.resolve(path, { importer, namespace, resolveDir, kind, pluginData: GUARDED, with: args.with });
  if (found.errors.length > 0 || found.path === '') return unresolved(args);
  if (found.namespace !== 'file') return found;
  return (await isInside(root, found.path)) ? found : outside(args);
}

async function isInside(root: string, path: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && real.startsWith(root + sep);
}

/** A bare name that was found outside came from the host's own packages: for the source it does not exist. */
function outside(args: OnResolveArgs): OnResolveResult {
  if (isBare(args.path)) return unresolved(args);
  return refusal(`\`${shorten(args.path)}\` leads out of the Micro's folder`);
}

function unresolved(args: OnResolveArgs): OnResolveResult {
  if (NODE_MODULES.has(args.path) || args.path.startsWith('node:')) return noNodeModule(args);
  if (isBare(args.path)) return refusal(`\`${shorten(args.path)}\` is not installed: list it under \`dependencies\` in the package.json of the Micro's folder`);
  return refusal(`\`${shorten(args.path)}\` was not found`);
}

/** Packages look with `import()` for what may be there, and go on without it: that is only a warning. */
function noNodeModule({ path, kind }: OnResolveArgs): OnResolveResult {
  if (kind !== 'dynamic-import') return refusal(noNode(path));
  return { path, namespace: MISSING_AT_RUN_TIME, warnings: [{ text: noNode(path) }] };
}

function noNode(path: string): string {
  const name = path.replace(/^node:/, '');
  const remedy = STAND_INS.has(name) ? `list the npm package \`${name}\` under \`dependencies\`` : 'use the web standard instead';
  return `\`${path}\` is a module of Node.js, which an isolate does not have: ${remedy}, or engine: nodejs16`;
}

function isBare(path: string): boolean {
  return !/^(\.{0,2}\/|\.{1,2}$|[A-Za-z]:)/.test(path);
}

/** The location of the import is added by esbuild. */
function refusal(text: string): { errors: PartialMessage[] } {
  return { errors: [{ text }] };
}

function shorten(path: string): string {
  return path.length > 100 ? `${path.slice(0, 100)}...` : path;
}


function pathInside(root: string, path: string): string {
  return relative(root, path).split(sep).join('/');
}
