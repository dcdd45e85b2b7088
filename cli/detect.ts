// Owns what `space new` makes of a folder: which Micros are in it, and the Spacefile that says so.
// @source Deta Space `space` CLI, detection; isolates are ours
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { EngineName } from '../spacefile-schema/engines.ts';
import { createIgnore } from './space-ignore.ts';

export interface DetectedMicro {
  name: string;
  src: string;
  engine: EngineName;
  primary: boolean;
  commands?: string[];
  include?: string[];
  serve?: string;
  run?: string;
}

type Found = Pick<DetectedMicro, 'engine' | 'commands' | 'include' | 'serve' | 'run'>;
/** The names in a folder, and how to read one of them. */
interface Folder { names: ReadonlySet<string>; read(name: string): Promise<string> }
type Scanner = (folder: Folder) => Promise<Found | undefined>;

const MICROS_MAX = 5;

/** The root alone when it is a Micro, otherwise every direct folder that is one. */
export async function detectMicros(dir: string): Promise<DetectedMicro[]> {
  const root = await scan(dir);
  if (root !== undefined) return [{ name: microName(dir), src: '.', ...root, primary: true }];
  const ignore = createIgnore();
  const entries = await readdir(dir, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !ignore(entry.name)).map((entry) => entry.name).sort();
  const micros: DetectedMicro[] = [];
  for (const name of folders) {
    const found = await scan(join(dir, name));
    if (found !== undefined) micros.push({ name: microName(name), src: name, ...found, primary: false });
  }
  return choosePrimary(micros.slice(0, MICROS_MAX));
}

const FRONT_ENDS: readonly EngineName[] = ['static', 'react', 'svelte', 'vue', 'svelte-kit', 'next', 'nuxt'];

/** What people see first is the entry: a front end where there is one. */
function choosePrimary(micros: DetectedMicro[]): DetectedMicro[] {
  const primary = micros.find((micro) => FRONT_ENDS.includes(micro.engine)) ?? micros[0];
  return micros.map((micro) => ({ ...micro, primary: micro === primary }));
}

/** As the Spacefile allows it: `my.app` -> `my-app`. */
export function microName(path: string): string {
  return basename(path).replace(/[^A-Za-z0-9]+/g, '-').replace(/^-+/, '') || 'main';
}

const SCANNERS: readonly Scanner[] = [scanPython, scanIsolate, scanNode, scanGo, scanStatic];

async function scan(dir: string): Promise<Found | undefined> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const folder: Folder = {
    names: new Set(entries.map((entry) => entry.name)),
    read: (name) => readFile(join(dir, name), 'utf8').catch(() => ''),
  };
  for (const scanner of SCANNERS) {
    const found = await scanner(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function scanPython({ names }: Folder): Promise<Found | undefined> {
  const isPython = ['requirements.txt', 'Pipfile', 'setup.py', 'main.py'].some((name) => names.has(name));
  return isPython ? { engine: 'python3.9' } : undefined;
}

const ISOLATE_MODULES = ['index.js', 'index.mjs', 'index.ts', 'src/index.js', 'src/index.ts'];

/** A module whose default export answers `fetch`, and no framework that would build it. */
async function scanIsolate(folder: Folder): Promise<Found | undefined> {
  if (frameworkOf(await readDependencies(folder)) !== undefined) return undefined;
  for (const name of ISOLATE_MODULES) {
    if (!folder.names.has(name.split('/')[0] ?? name)) continue;
    if (exportsFetch(await folder.read(name))) return { engine: 'isolate', ...(name !== 'index.js' && { run: name }) };
  }
  return undefined;
}

/** Told from the text alone: `export default { ... fetch ... }`, or a Hono app as the default export. */
function exportsFetch(source: string): boolean {
  const code = source.replace(/\/\*[^]*?\*\/|(?<![:'"`])\/\/[^\n]*/g, '');
  const name = /export\s+default\s+([A-Za-z_$][\w$]*)\s*(?:;|$|\n|satisfies\b|as\b)/.exec(code)?.[1];
  if (name === undefined) return /export\s+default\s*\{[^]*?\bfetch\s*[(:,}]/.test(code);
  const isHono = /from\s*['"]hono(?:\/[^'"]*)?['"]/.test(code);
  const start = new RegExp(`\\b(?:const|let|var)\\s+${name.replaceAll('$', '\\$')}\\b[^=]*=\\s*(\\{[^]*?\\bfetch\\s*[(:,}]|new\\s+Hono\\b)`).exec(code);
  return start !== null && (isHono || !start[1]?.startsWith('new'));
}

async function scanNode(folder: Folder): Promise<Found | undefined> {
  if (!folder.names.has('package.json')) return undefined;
  return { engine: frameworkOf(await readDependencies(folder)) ?? 'nodejs16' };
}

/** In this order. */
const FRAMEWORKS: readonly { engine: EngineName; isUsed(has: (name: string) => boolean): boolean }[] = [
  { engine: 'react', isUsed: (has) => has('react-scripts') || has('react-dev-utils') },
  { engine: 'svelte', isUsed: (has) => has('svelte') && has('@sveltejs/vite-plugin-svelte') && !has('@sveltejs/kit') },
  { engine: 'vue', isUsed: (has) => has('@vue/cli-service') },
  { engine: 'svelte-kit', isUsed: (has) => has('@sveltejs/kit') },
  { engine: 'next', isUsed: (has) => has('next') },
  { engine: 'nuxt', isUsed: (has) => ['nuxt', 'nuxt3', 'nuxt-edge', 'nuxt3-edge'].some(has) },
];

function frameworkOf(dependencies: ReadonlySet<string>): EngineName | undefined {
  return FRAMEWORKS.find(({ isUsed }) => isUsed((name) => dependencies.has(name)))?.engine;
}

async function readDependencies(folder: Folder): Promise<Set<string>> {
  if (!folder.names.has('package.json')) return new Set();
  try {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(await folder.read('package.json')) as Record<string, object>;
    return new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
  } catch {
    return new Set();
  }
}

async function scanGo({ names }: Folder): Promise<Found | undefined> {
  return names.has('go.mod') ? { engine: 'custom', commands: ['go build -o server'], include: ['server'], run: './server' } : undefined;
}

async function scanStatic({ names }: Folder): Promise<Found | undefined> {
  return names.has('index.html') ? { engine: 'static', serve: './' } : undefined;
}

/** The text of a Spacefile; without Micros a blank one, to be filled in by hand. */
export function spacefileText(micros: readonly DetectedMicro[]): string {
  const head = '# Spacefile Docs: https://go.deta.dev/docs/spacefile/v0\nv: 0\n';
  return micros.length === 0 ? head : `${head}micros:\n${micros.map(microText).join('')}`;
}

function microText(micro: DetectedMicro): string {
  const rows = [`- name: ${micro.name}`, `  src: ${scalar(micro.src)}`, `  engine: ${micro.engine}`];
  if (micro.primary) rows.push('  primary: true');
  for (const field of ['commands', 'include'] as const) {
    const values = micro[field];
    if (values !== undefined) rows.push(`  ${field}:`, ...values.map((value) => `    - ${scalar(value)}`));
  }
  for (const field of ['serve', 'run'] as const) if (micro[field] !== undefined) rows.push(`  ${field}: ${scalar(micro[field])}`);
  return rows.map((row) => `  ${row}\n`).join('');
}

/** Names of folders can be anything; JSON text is YAML too. */
function scalar(text: string): string {
  return /^[\w./-][\w ./-]*$/.test(text) && !/^\d|^(true|false|null|yes|no|on|off|~|-+)$|\s$/i.test(text) ? text : JSON.stringify(text);
}
