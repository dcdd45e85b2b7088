// Owns the bundle of an isolate Micro: one ES module with everything that it imports, and its source map. It is made on a thread
// of a Build's own.
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { SpaceError } from '../../core/errors.ts';
import { importGuard } from './import-guard.ts';
import { wasmModules } from './wasm-modules.ts';

/** Another one may bundle the same source differently. */
export const BUNDLER_VERSION = esbuild.version;
export const BUNDLE_MAX_BYTES = 10 * 1024 * 1024;
/** Where it is in the package. */
export const BUNDLE = 'index.js';
const MAX_ERRORS = 10;

/** `root`: the real path of the Micro's folder; `entry`: the start module in it; `tsconfig`: options of translation, as JSON. */
export interface BundleOrder { micro: string; root: string; entry: string; tsconfig: string }

export interface Bundle {
  /** Line and column at which the handler is declared, where that is known. */
  handlerAt: string | undefined;
  files: Map<string, Uint8Array>;
  warnings: string[];
}

const OPTIONS = {
  bundle: true, write: false, metafile: true, format: 'esm', platform: 'neutral', target: 'es2024', charset: 'utf8',
  mainFields: ['browser', 'module', 'main'], conditions: ['worker', 'browser', 'module', 'production'],
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: {
    '.txt': 'text', '.html': 'text', '.md': 'text', '.css': 'text', '.svg': 'text', '.sql': 'text', '.xml': 'text', '.csv': 'text', '.graphql': 'text', '.gql': 'text',
    '.bin': 'binary',
  },
  sourcemap: 'linked', sourcesContent: false, legalComments: 'none', logLevel: 'silent', logLimit: MAX_ERRORS, treeShaking: true,
} as const satisfies esbuild.BuildOptions;

/** @throws BUILD_FAILED, BUNDLE_TOO_LARGE */
export async function bundleMicro(order: BundleOrder, signal: AbortSignal): Promise<Bundle> {
  const result = await built(order, signal);
  const files = new Map(result.outputFiles.map(({ path, contents }) => [path.endsWith('.map') ? `${BUNDLE}.map` : BUNDLE, contents]));
  const code = files.get(BUNDLE);
  if (!code) throw new TypeError('esbuild gave no bundle');
  if (code.length > BUNDLE_MAX_BYTES) {
    throw new SpaceError('BUNDLE_TOO_LARGE', { micro: order.micro, sizeBytes: code.length, limitBytes: BUNDLE_MAX_BYTES });
  }
  assertDefaultExport(order, result.metafile);
  return { handlerAt: handlerPlace(Buffer.from(code).toString()), files, warnings: result.warnings.slice(0, MAX_ERRORS).map(describe) };
}

/** Where a bundle declares what it exports as default: the list of exports is the last thing in it. */
export function handlerPlace(code: string): string | undefined {
  const exported = code.slice(code.lastIndexOf('\nexport {')).split('}', 1)[0]!.slice('\nexport {'.length);
  const name = exported.split(',').map((one) => one.trim().split(' as ')).find(([, as]) => as === 'default')?.[0];
  if (name === undefined || !/^[\w$]{1,200}$/.test(name)) return undefined;
  const declared = new RegExp(`^(?:var|let|const|class|(?:async )?function\\*?) (?=${name.replaceAll('$', '\\$')}[^\\w$])`, 'm').exec(code);
  if (!declared) return undefined;
  const line = code.slice(0, declared.index).split('\n').length;
  return `${line}:${declared[0].length + 1}`;
}

type Built = esbuild.BuildResult<{ write: false; metafile: true }>;

async function built({ micro, root, entry, tsconfig }: BundleOrder, signal: AbortSignal): Promise<Built> {
  const context = await esbuild.context({
    ...OPTIONS,
    absWorkingDir: root,
    entryPoints: [`./${entry}`],
    outfile: join(root, BUNDLE),
    allowOverwrite: true,
    tsconfigRaw: tsconfig,
    plugins: [importGuard(root), wasmModules],
  });
  const cancel = (): void => void context.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    return await context.rebuild();
  } catch (error) {
    signal.throwIfAborted();
    throw bundleError(micro, error);
  } finally {
    signal.removeEventListener('abort', cancel);
    await context.dispose();
  }
}

function assertDefaultExport({ micro }: BundleOrder, metafile: esbuild.Metafile): void {
  const output = Object.entries(metafile.outputs).find(([path]) => !path.endsWith('.map'))?.[1];
  if (output?.exports.includes('default')) return;
  throw failed(micro, `\`${output?.entryPoint ?? 'the start module'}\` has no default export. It starts with: export default { async fetch(request, env) { ... } }.`);
}

function bundleError(micro: string, error: unknown): unknown {
  const errors = error instanceof Error && 'errors' in error ? (error.errors as esbuild.Message[]) : undefined;
  return errors ? failed(micro, errors.slice(0, MAX_ERRORS).map(describe).join('\n')) : error;
}

function failed(micro: string, reason: string): SpaceError {
  return new SpaceError('BUILD_FAILED', { micro, reason });
}

/** `file:line:column: what` and the line itself, with a mark below the place. */
function describe({ text: said, location }: esbuild.Message): string {
  const text = said.replace(/^No loader is configured for "([^"]*)" files: .*/, "`$1` files are imported with { type: 'text' }, { type: 'bytes' } or { type: 'json' }");
  if (!location) return text;
  const { file, line, column, lineText } = location;
  const shown = lineText.slice(0, 200);
  const mark = column < shown.length ? `\n    ${shown.slice(0, column).replace(/[^\t]/g, ' ')}^` : '';
  return `${file}:${line}:${column + 1}: ${text}\n    ${shown}${mark}`;
}
