// Owns the rules of who may import whom and who may touch what, as functions from sources to sentences.
// Knows nothing of the file system, so that each rule can be shown to find a bad example.
import type { Import, Source } from './source.ts';

/** Folder -> the other folders that its files may import. The picture is in docs/architecture.md. */
export const ARROWS: Record<string, readonly string[]> = {
  core: [],
  'spacefile-schema': [],
  'sandbox-data': ['core'],
  sandbox: ['core'],
  builder: ['sandbox-data', 'sandbox', 'spacefile-schema', 'core'],
  runtime: ['builder', 'sandbox-data', 'sandbox', 'spacefile-schema', 'dashboard', 'core'],
  cli: ['client', 'spacefile-schema', 'core'],
  client: ['core'],
  dashboard: ['core'],
};

export const FOLDERS = Object.keys(ARROWS);

/** Folders of `runtime` -> those that their files may import; files right in `runtime` put everything together. */
const RUNTIME_ARROWS: Record<string, readonly string[]> = {
  leaf: [],
  engine: [],
  auth: [],
  instance: ['engine', 'auth'],
  action: ['instance', 'engine', 'auth'],
  api: ['action', 'instance', 'engine', 'auth'],
  page: ['api', 'action', 'instance', 'engine', 'auth'],
  http: ['page', 'api', 'action', 'instance', 'engine', 'auth'],
};

/** How HTTP is read and written, without a word of what for: all of runtime may import these, and they nothing of it. */
const RUNTIME_LEAVES = ['http/body', 'http/cookie', 'http/headers', 'http/range', 'http/reply', 'http/send', 'http/web-socket', 'http/address', 'http/assets'];

/** Package -> the paths whose files may import it, and how many of them at most. */
const OWNERS: Record<string, { within: readonly string[]; files?: number }> = {
  koa: { within: ['runtime/http/', 'runtime/api/'] },
  '@koa/router': { within: ['runtime/http/', 'runtime/api/'] },
  'classic-level': { within: ['sandbox-data/store/level'], files: 2 },
  'isolated-vm': { within: ['runtime/engine/cell/'] },
  minio: { within: ['sandbox-data/blob/'], files: 1 },
  jsonwebtoken: { within: ['runtime/auth/'], files: 1 },
  '@node-rs/argon2': { within: ['runtime/auth/'], files: 1 },
  execa: { within: ['builder/', 'runtime/engine/', 'sandbox/', 'cli/'], files: 3 },
  esbuild: { within: ['builder/', 'runtime/engine/cell/'], files: 2 },
  yauzl: { within: ['builder/source.ts', 'sandbox-data/archive-import.ts'] },
  ws: { within: ['runtime/', 'sandbox/egress-socket.ts'] },
  '@silvia-odwyer/photon-node': { within: ['builder/icon-thread.ts'] },
  '@fastify/busboy': { within: ['runtime/http/upload.ts'] },
  'markdown-it': { within: ['dashboard/prose.ts'] },
  'sanitize-html': { within: ['dashboard/prose.ts'] },
  '@peculiar/x509': { within: ['runtime/http/certificate.ts'] },
};

export const MAX_LINES = 400;
export const MAX_README_LINES = 30;

export type Rule = (sources: readonly Source[]) => string[];

const folderOf = (path: string): string => path.slice(0, Math.max(path.indexOf('/'), 0));
const ours = (source: Source): Import[] => source.imports.filter((one) => one.isOurs);

/** Imports between folders follow the arrows; what a bare program needs may not be written as a path either. */
export const followsArrows: Rule = (sources) =>
  sources.flatMap((source) => {
    const from = folderOf(source.path);
    const allowed = ARROWS[from];
    if (!allowed) return [];
    return ours(source)
      .filter(({ target }) => folderOf(target) !== from && !allowed.includes(folderOf(target)))
      .map(({ target }) => `${source.path} imports ${target}: ${from} may import ${allowed.join(', ') || 'nothing of ours'}`);
  });

/** Inside runtime: http -> page -> api -> action -> instance -> engine and auth. Types may point anywhere. */
export const followsRuntimeArrows: Rule = (sources) =>
  sources.flatMap((source) => {
    const from = runtimePart(source.path);
    if (from === undefined) return [];
    return ours(source)
      .filter(({ target, isType }) => {
        const to = runtimePart(target);
        return !isType && to !== undefined && to !== from && to !== 'leaf' && !RUNTIME_ARROWS[from]?.includes(to);
      })
      .map(({ target }) => `${source.path} imports ${target}: runtime/${from} may not import runtime/${runtimePart(target)}`);
  });

function runtimePart(path: string): string | undefined {
  const [, folder, file] = /^runtime\/([^/]+)\/(.*)\.ts$/.exec(path) ?? [];
  if (folder === undefined) return undefined;
  return RUNTIME_LEAVES.includes(`${folder}/${file}`) ? 'leaf' : folder;
}

/** Leaf folders stay usable anywhere: a file of ours is imported with its real name, never through a barrel. */
export const hasNoBarrel: Rule = (sources) =>
  sources.filter(({ path }) => /(^|\/)index\.ts$/.test(path)).map(({ path }) => `${path}: name it after what it owns`);

/** No file reaches itself through imports. Type-only imports do not count: nothing of them is left at run time. */
export const hasNoCycle: Rule = (sources) => {
  const next = new Map(sources.map((s) => [s.path, ours(s).filter((i) => !i.isType).map((i) => i.target)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const target of next.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return cycles;
};

/** Each library is touched only by the files that wrap it. */
export const keepsLibrariesWrapped: Rule = (sources) =>
  Object.entries(OWNERS).flatMap(([library, { within, files }]) => {
    const importers = sources.filter((s) => s.imports.some((i) => i.target === library && !i.isType)).map((s) => s.path);
    const strangers = importers.filter((path) => !within.some((owner) => path.startsWith(owner)));
    const problems = strangers.map((path) => `${path} imports ${library}: only ${within.join(', ')} may`);
    if (files !== undefined && importers.length > files) {
      problems.push(`${library} is imported by ${importers.join(', ')}: at most ${files} may wrap it`);
    }
    return problems;
  });

/** Settings enter through the two programs; everything else receives what it needs. */
export const readsNoEnvironment: Rule = (sources) =>
  sources
    .filter((s) => s.readsEnvironment && s.path !== 'runtime/main.ts' && s.path !== 'cli/main.ts')
    .map((s) => `${s.path} reads the environment: only runtime/main.ts and cli/main.ts may`);

/** The test runner wants one. */
const RUNNER_REPORTER = 'test/support/unhandled.js';

export const hasNoDefaultExport: Rule = (sources) =>
  sources.filter((s) => s.hasDefaultExport && s.path !== RUNNER_REPORTER).map((s) => `${s.path} has a default export`);

export const isShortEnough: Rule = (sources) =>
  sources.filter((s) => s.lines > MAX_LINES).map((s) => `${s.path} has ${s.lines} lines: split it, the limit is ${MAX_LINES}`);

/** The first line of a file says what it owns; the names of tests say it for theirs. */
export const opensWithComment: Rule = (sources) =>
  sources.filter((s) => !/^(#!.*\n)?(\/\/|\/\*)/.test(s.text) && !s.path.endsWith('.test.ts')).map((s) => `${s.path} does not open with what it owns`);

export const hasNoAnonymousTodo: Rule = (sources) =>
  sources.flatMap((s) =>
    s.comments
      .filter((comment) => /\b(TODO|FIXME|XXX)\b(?!\([a-z][^)]*\): \S)/.test(comment))
      .map((comment) => `${s.path}: "${comment.trim()}" needs the form TODO(name): the condition that removes it`),
  );

export const hasNoFocusedTest: Rule = (sources) =>
  sources.filter((s) => s.hasFocusedTest).map((s) => `${s.path} has a test with .only`);

/** Relative imports name the file itself, as Node needs them. */
export const importsWithExtension: Rule = (sources) =>
  sources.flatMap((s) =>
    ours(s)
      .filter(({ specifier }) => !/\.(ts|js|json|css|svg|html)$/.test(specifier))
      .map(({ specifier }) => `${s.path} imports ${specifier} without its extension`),
  );
