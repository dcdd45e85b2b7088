// Owns what the imports of an isolate Micro may reach: files of its own folder and the `deta` module, nothing else.
// Knows not how a bundle is put together.
import { readFile, realpath } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { extname, sep } from 'node:path';
import type { OnLoadResult, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';

/** Modules that the host provides to every isolate. */
const PROVIDED = 'deta';
const PROVIDED_BY_REQUIRE = 'provided-by-require';
const GUARDED = Symbol('guarded');
const CODE_EXTENSIONS = new Set(['', '.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx']);
const NODE_MODULES = new Set(builtinModules);

/** @param root the real path of the Micro's folder */
export function importGuard(root: string): Plugin {
  return {
    name: 'import-guard',
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => resolveInside(build, root, args));
      build.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => withoutSourceMap(path));
      // `require('deta')` gets the same module that `import` gets.
      build.onLoad({ filter: /.*/, namespace: PROVIDED_BY_REQUIRE }, () => ({ contents: `export * from '${PROVIDED}';`, resolveDir: root }));
    },
  };
}

/** A file may name a source map, and that map any file of this machine as its source, which esbuild then reads.
 *  The escape means the same wherever it stands in code, and nothing in a comment. */
async function withoutSourceMap(path: string): Promise<OnLoadResult | undefined> {
  if (!CODE_EXTENSIONS.has(extname(path))) return undefined;
  const text = await readFile(path, 'utf8');
  if (!text.includes('sourceMappingURL')) return undefined;
  return { contents: text.replaceAll('sourceMappingURL', 'source\\u004dappingURL'), loader: 'default' };
}

async function resolveInside(build: PluginBuild, root: string, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData === GUARDED) return undefined;
  if (args.path === PROVIDED) {
    return args.kind === 'require-call' ? { path: PROVIDED, namespace: PROVIDED_BY_REQUIRE } : { path: PROVIDED, external: true };
  }
  if (/^(data|https?):/.test(args.path)) return refusal(`\`${shorten(args.path)}\` is an address; only files of the source and npm packages can be imported`);
  if (args.path.startsWith('node:')) return refusal(noNode(args.path));
  const { importer, namespace, resolveDir, kind } = args;
  const found = await build.resolve(args.path, { importer, namespace, resolveDir, kind, pluginData: GUARDED, with: args.with });
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
  if (NODE_MODULES.has(args.path)) return refusal(noNode(args.path));
  if (isBare(args.path)) return refusal(`\`${shorten(args.path)}\` is not installed: list it under \`dependencies\` in the package.json of the Micro's folder`);
  return refusal(`\`${shorten(args.path)}\` was not found`);
}

function noNode(path: string): string {
  return `\`${path}\` is a module of Node.js, which an isolate does not have: use the web standard instead, or engine: nodejs16`;
}

function isBare(path: string): boolean {
  return !/^(\.{0,2}\/|\.{1,2}$|[A-Za-z]:)/.test(path);
}

/** The location of the import is added by esbuild. */
function refusal(text: string): OnResolveResult {
  return { errors: [{ text }] };
}

function shorten(path: string): string {
  return path.length > 100 ? `${path.slice(0, 100)}...` : path;
}

