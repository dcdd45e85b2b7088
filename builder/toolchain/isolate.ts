// Owns how an isolate Micro is packaged: where it starts, what it depends on, which options of its own count; `bundle.ts` does the rest.
// Knows not how an isolate runs.
import { realpath } from 'node:fs/promises';
import { parse as parseJsonc } from 'jsonc-parser';
import { assertCommands, commandsOf, runBuildCommands } from './build-commands.ts';
import { BUNDLE } from './bundle.ts';
import type { Bundle, BundleOrder } from './bundle.ts';
import { installDependencies, removeDependencies } from './dependencies.ts';
import type { PackageTools } from './package-tools.ts';
import { buildFailed } from './failure.ts';
import { kindOf, readInside } from './source-file.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';

const BUNDLE_TIMEOUT_MS = 60_000;

/** Where the code starts when `run` was left at its default. */
const DEFAULT_ENTRIES = ['index.js', 'index.ts', 'index.mjs', 'index.jsx', 'index.tsx', 'src/index.js', 'src/index.ts'];

/** What of a tsconfig.json changes how code is translated. `extends` would read other files: it is not among them. */
const TRANSLATION_OPTIONS = [
  'alwaysStrict', 'baseUrl', 'experimentalDecorators', 'importsNotUsedAsValues', 'jsx', 'jsxFactory', 'jsxFragmentFactory',
  'jsxImportSource', 'paths', 'preserveValueImports', 'strict', 'target', 'useDefineForClassFields', 'verbatimModuleSyntax',
];

export function createIsolateToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      await assertCommands(job, tools);
      // Commands may be what makes it.
      if (commandsOf(job.micro).length === 0) await findEntry(job);
    },
    install: (job) => installDependencies(job, tools),
    build: (job) => runBuildCommands(job, tools).then(() => bundle(job)).finally(() => removeDependencies(job)),
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

async function bundle(job: ToolchainJob): Promise<Package> {
  const root = await realpath(job.folder);
  const { handlerAt, files, warnings } = await bundleInTime(job, { micro: job.micro.name, root, entry: await findEntry(job), tsconfig: await translationOptions(job, root) });
  for (const warning of warnings) job.report(`[${job.micro.name}] warning: ${warning}`);
  return { entry: BUNDLE, handlerAt, files: new Map([...files].map(([path, content]) => [path, { content }])) };
}

async function bundleInTime(job: ToolchainJob, order: BundleOrder): Promise<Bundle> {
  const timeout = AbortSignal.timeout(BUNDLE_TIMEOUT_MS);
  try {
    return await job.bench.run('bundle', order, AbortSignal.any([job.signal, timeout]));
  } catch (error) {
    job.signal.throwIfAborted();
    throw timeout.aborted ? buildFailed(job, `bundling took longer than ${BUNDLE_TIMEOUT_MS / 1000} seconds`) : error;
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
