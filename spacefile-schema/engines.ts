// Owns the one table that maps an engine name of the Spacefile to how it is built and how it runs. Pure.
// Must not know how a Toolchain builds or how an Engine runs: it only names them.

export interface EngineEntry {
  /** Which Engine of the host runs the Micro. */
  runs: 'static' | 'process' | 'isolate';
  /** Which Toolchain of the builder makes its files. */
  toolchain: 'static' | 'isolate' | 'node' | 'python' | 'custom';
  /** Shell line that the build runs after the dependencies are installed and before `commands`. */
  buildCommand?: string;
  /** Start command in production when the Spacefile has no `run`; for an isolate, its entry module. */
  defaultRun?: string;
  /** Start command of `space dev` when the Spacefile has no `dev`; `$PORT` is expanded. */
  devCommand?: string;
  /** Folder that is served when the Spacefile has no `serve`, relative to the Micro's `src`. */
  defaultServe?: string;
  /** Which of the two fields the Spacefile may have: `serve` (the folder of files) or `include` (what is packaged). */
  takes: 'serve' | 'include';
}

const VITE_DEV = 'npm run dev -- --port $PORT';
const NPM_BUILD = 'npm run build';

/** @source Deta Space, Spacefile reference and `space` CLI; `isolate` is ours. */
const TABLE = {
  isolate: { runs: 'isolate', toolchain: 'isolate', defaultRun: 'index.js', takes: 'include' },
  static: { runs: 'static', toolchain: 'static', takes: 'serve' },
  react: { runs: 'static', toolchain: 'static', buildCommand: NPM_BUILD, defaultServe: 'build', devCommand: 'npm run start -- --port $PORT', takes: 'serve' },
  svelte: { runs: 'static', toolchain: 'static', buildCommand: NPM_BUILD, defaultServe: 'dist', devCommand: VITE_DEV, takes: 'serve' },
  vue: { runs: 'static', toolchain: 'static', buildCommand: NPM_BUILD, defaultServe: 'dist', devCommand: VITE_DEV, takes: 'serve' },
  next: { runs: 'process', toolchain: 'node', buildCommand: NPM_BUILD, defaultRun: 'node server.js', devCommand: VITE_DEV, takes: 'include' },
  nuxt: { runs: 'process', toolchain: 'node', buildCommand: NPM_BUILD, defaultRun: 'node .output/server/index.mjs', devCommand: VITE_DEV, takes: 'include' },
  'svelte-kit': { runs: 'process', toolchain: 'node', buildCommand: NPM_BUILD, defaultRun: 'node build', devCommand: VITE_DEV, takes: 'include' },
  nodejs16: { runs: 'process', toolchain: 'node', defaultRun: 'node index.js', takes: 'include' },
  'python3.9': { runs: 'process', toolchain: 'python', takes: 'include' },
  'python3.8': { runs: 'process', toolchain: 'python', takes: 'include' },
  custom: { runs: 'process', toolchain: 'custom', takes: 'include' },
} as const satisfies Record<string, EngineEntry>;

/** A name that a parsed Spacefile has: aliases are resolved. */
export type EngineName = keyof typeof TABLE;

export const ENGINES: Readonly<Record<EngineName, EngineEntry>> = TABLE;

export const ENGINE_NAMES = Object.keys(TABLE) as EngineName[];

/** Names that older tools accepted. @source alias table of the `space` CLI */
export const ENGINE_ALIASES: Readonly<Record<string, EngineName>> = {
  'nodejs16.x': 'nodejs16',
  nodejs14: 'nodejs16',
  'nodejs14.x': 'nodejs16',
};

/** The canonical name of what a Spacefile says, or undefined for an unknown engine. */
export function engineNamed(text: string): EngineName | undefined {
  if (Object.hasOwn(TABLE, text)) return text as EngineName;
  return Object.hasOwn(ENGINE_ALIASES, text) ? ENGINE_ALIASES[text] : undefined;
}
