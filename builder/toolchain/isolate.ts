// Owns how an isolate Micro is packaged: one ES module with everything that it imports, and its source map.
// Knows not how an isolate runs.
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { parse as parseJsonc } from 'jsonc-parser';
import { SpaceError } from '../../core/errors.ts';
import { giveWay } from './bundler-priority.ts';
import { assertCommands, commandsOf, runBuildCommands } from './build-commands.ts';
import { installDependencies, removeDependencies } from './dependencies.ts';
import type { PackageTools } from './package-tools.ts';
import { buildFailed } from './failure.ts';
import { importGuard } from './import-guard.ts';
import { kindOf, readInside } from './source-file.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';
import { wasmModules } from './wasm-modules.ts';

/** Another one may bundle the same source differently. */
export const BUNDLER_VERSION = esbuild.version;
export const BUNDLE_MAX_BYTES = 10 * 1024 * 1024;
const BUNDLE_TIMEOUT_MS = 60_000;
const MAX_ERRORS = 10;
const BUNDLE = 'index.js';

/** Where the code starts when `run` was left at its default. */
const DEFAULT_ENTRIES = ['index.js', 'index.ts', 'index.mjs', 'index.jsx', 'index.tsx', 'src/index.js', 'src/index.ts'];

/** What of a tsconfig.json changes how code is translated. `extends` would read other files: it is not among them. */
const TRANSLATION_OPTIONS = [
  'alwaysStrict', 'baseUrl', 'experimentalDecorators', 'importsNotUsedAsValues', 'jsx', 'jsxFactory', 'jsxFragmentFactory',
  'jsxImportSource', 'paths', 'preserveValueImports', 'strict', 'target', 'useDefineForClassFields', 'verbatimModuleSyntax',
];

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

export function createIsolateToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      await assertCommands(job, tools);
      // Commands may be what makes it.
      if (commandsOf(job.micro).length === 0) await findEntry(job);
    },
    install: (job) => installDependencies(job, tools),
    build: (job) => runBuildCommands(job, tools).then(() => bundleMicro(job)).finally(() => removeDependencies(job)),
  };
}

/** Path of the start module below the Micro's folder. @throws BUILD_FAILED */
async function findEntry(job: ToolchainJob): Promise<string> {
  const { run } = job.micro;
  const isDefault = run === undefined || run === DEFAULT_ENTRIES[0];
  const candidates = isDefault ? DEFAULT_ENTRIES : [run];
  for (const path of candidates) {
    if ((await kindOf(job, path)) === 'file') return path;
  }
  const where = job.micro.src === '.' ? 'the source' : `\`${job.micro.src}\``;
  throw buildFailed(job, isDefault
    ? `there is no index.js or index.ts in ${where}. Add one, or name the start module with \`run\``
    : `the start module \`${run}\` is not in ${where}`);
}

async function bundleMicro(job: ToolchainJob): Promise<Package> {
  const root = await realpath(job.folder);
  const result = await bundle(job, root, await findEntry(job));
  for (const warning of result.warnings.slice(0, MAX_ERRORS)) job.report(`[${job.micro.name}] warning: ${describe(warning)}`);
  const outputs = new Map(result.outputFiles.map((file) => [file.path.endsWith('.map') ? `${BUNDLE}.map` : BUNDLE, file.contents]));
  const code = outputs.get(BUNDLE);
  if (!code) throw new TypeError('esbuild gave no bundle');
  if (code.length > BUNDLE_MAX_BYTES) {
    throw new SpaceError('BUNDLE_TOO_LARGE', { micro: job.micro.name, sizeBytes: code.length, limitBytes: BUNDLE_MAX_BYTES });
  }
  assertDefaultExport(job, result.metafile);
  return { entry: BUNDLE, handlerAt: handlerPlace(Buffer.from(code).toString()), files: new Map([...outputs].map(([path, content]) => [path, { content }])) };
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

type Bundle = esbuild.BuildResult<{ write: false; metafile: true }>;

async function bundle(job: ToolchainJob, root: string, entry: string): Promise<Bundle> {
  const context = await esbuild.context({
    ...OPTIONS,
    absWorkingDir: root,
    entryPoints: [`./${entry}`],
    outfile: join(root, BUNDLE),
    allowOverwrite: true,
    tsconfigRaw: await translationOptions(job, root),
    plugins: [importGuard(root), wasmModules],
  });
  const cancel = (): void => void context.cancel();
  const timeout = AbortSignal.any([job.signal, AbortSignal.timeout(BUNDLE_TIMEOUT_MS)]);
  timeout.addEventListener('abort', cancel, { once: true });
  try {
    job.signal.throwIfAborted();
    await giveWay();
    return await context.rebuild();
  } catch (error) {
    job.signal.throwIfAborted();
    throw timeout.aborted ? buildFailed(job, `bundling took longer than ${BUNDLE_TIMEOUT_MS / 1000} seconds`) : bundleError(job, error);
  } finally {
    timeout.removeEventListener('abort', cancel);
    await context.dispose();
  }
}

/** The project's own options, as far as they are harmless; esbuild then looks for no other file. */
async function translationOptions(job: ToolchainJob, root: string): Promise<string> {
  const text = (await readInside(root, 'tsconfig.json'))?.toString() ?? '{}';
  const given = parseJsonc(text, [], { allowTrailingComma: true }) as { compilerOptions?: Record<string, unknown>; extends?: unknown } | undefined;
  if (given?.extends !== undefined) job.report(`[${job.micro.name}] \`extends\` of tsconfig.json is not followed`);
  const options = given?.compilerOptions ?? {};
  const kept = TRANSLATION_OPTIONS.flatMap((name) => (Object.hasOwn(options, name) ? [[name, options[name]]] : []));
  return JSON.stringify({ compilerOptions: Object.fromEntries(kept) });
}

function assertDefaultExport(job: ToolchainJob, metafile: esbuild.Metafile): void {
  const output = Object.entries(metafile.outputs).find(([path]) => !path.endsWith('.map'))?.[1];
  if (output?.exports.includes('default')) return;
  throw buildFailed(job, `\`${output?.entryPoint ?? 'the start module'}\` has no default export. It starts with: export default { async fetch(request, env) { ... } }`);
}

function bundleError(job: ToolchainJob, error: unknown): unknown {
  const errors = error instanceof Error && 'errors' in error ? (error.errors as esbuild.Message[]) : undefined;
  if (!errors) return error;
  return new SpaceError('BUILD_FAILED', { micro: job.micro.name, reason: errors.slice(0, MAX_ERRORS).map(describe).join('\n') }, { cause: error });
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
