// Owns which web-platform-tests there are: files, their variants, the scripts that they name, and what this project cannot run.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FOLDERS = ['url', 'urlpattern', 'encoding', 'fetch/api/headers', 'fetch/api/request', 'fetch/api/response', 'streams', 'FileAPI', 'compression', 'WebCryptoAPI'];

/** One file with one of its variants. */
export interface SuiteTest { file: string; variant: string; scripts: string[]; isLong: boolean }

/** What needs a document, a frame or the suite's own Python server: whole files, or subtests by a pattern of their names. */
export interface Exclusion { file: string; subtests?: string; because: 'document' | 'frame' | 'server' }
const HERE = dirname(fileURLToPath(import.meta.url));
export const EXCLUSIONS = JSON.parse(readFileSync(join(HERE, 'exclusions.json'), 'utf8')) as Exclusion[];

export function isExcluded(file: string, subtest?: string): boolean {
  return EXCLUSIONS.some((entry) => new RegExp(`^(?:${entry.file})$`).test(file) && (entry.subtests === undefined || (subtest !== undefined && new RegExp(entry.subtests).test(subtest))));
}

/** @param excluded list what is left out otherwise, to count it */
export function listTests(root: string, part = '', excluded = false): SuiteTest[] {
  const files = FOLDERS.flatMap((folder) => filesBelow(root, folder)).filter((file) => file.endsWith('.any.js') && file.startsWith(part) && (excluded ? hasExclusion(file) : !isExcluded(file)));
  return files.flatMap((file) => testsOf(root, file));
}

function hasExclusion(file: string): boolean {
  return EXCLUSIONS.some((entry) => new RegExp(`^(?:${entry.file})$`).test(file));
}

/** The folder of `FOLDERS` that a file belongs to. */
export function folderOf(file: string): string {
  return FOLDERS.find((folder) => file.startsWith(`${folder}/`))!;
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder)).sort().flatMap((name) => {
    const path = `${folder}/${name}`;
    return statSync(join(root, path)).isDirectory() ? filesBelow(root, path) : [path];
  });
}

function testsOf(root: string, file: string): SuiteTest[] {
  const meta = [...readFileSync(join(root, file), 'utf8').matchAll(/^\/\/\s*META:\s*(\w+)=(.*)$/gm)].map(([, key, value]) => ({ key: key!, value: value!.trim() }));
  const all = (key: string): string[] => meta.filter((entry) => entry.key === key).map((entry) => entry.value);
  const scripts = all('script').map((script) => scriptPath(file, script));
  const variants = all('variant');
  return (variants.length > 0 ? variants : ['']).map((variant) => ({ file, variant, scripts, isLong: all('timeout').includes('long') }));
}

function scriptPath(file: string, script: string): string {
  // The suite's server knows this one under two names.
  if (script === '/resources/WebIDLParser.js') return 'resources/webidl2/lib/webidl2.js';
  return script.startsWith('/') ? script.slice(1) : posix.join(posix.dirname(file), script);
}
