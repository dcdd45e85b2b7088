// Owns what a Cell is made of: its program, the guest's web API, and the V8 snapshot of that. Made once, kept in the cache folder.
// Only the host writes there; nothing in it ever comes from a user or from a process that ran a guest.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SpaceError } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import { BUNDLE_FILES, BUNDLE_FOLDERS, bundleGuest, bundleProgram } from './bundle.ts';

/** Flags of every Cell; a code cache made under other flags would be refused. isolated-vm asks for `--no-node-snapshot`: without it a
 *  Cell starts in half the time, and 12,000 isolates made, timed out, run out of memory and disposed in one process broke nothing. One memory of WebAssembly has 2,048 pages of 64 KB at most. */
export const CELL_FLAGS = ['--no-concurrent-recompilation', '--wasm-max-mem-pages=2048'] as const;

/** Part of every cache key: machine code fits one V8 under one set of flags. */
export const V8_KEY = [process.versions.v8, process.arch, ...CELL_FLAGS].join(' ');

export interface CellParts {
  /** The program, a CommonJS file. */
  programPath: string;
  /** isolated-vm's binary. */
  addonPath: string;
  snapshot: Buffer;
}

/** Runs a Cell that makes a snapshot of this source. */
export type MakeSnapshot = (parts: Omit<CellParts, 'snapshot'>, source: string) => Promise<Buffer>;

/** isolated-vm's binary for this platform, without loading it. @throws ISOLATED_VM_MISSING */
export function findAddon(): string {
  const platform = `${process.platform} ${process.arch}, Node.js ${process.versions.node}`;
  try {
    const packagePath = createRequire(import.meta.url).resolve('isolated-vm/package.json');
    const build = createRequire(packagePath)('node-gyp-build') as { path(folder: string): string };
    return build.path(dirname(packagePath));
  } catch (cause) {
    throw new SpaceError('ISOLATED_VM_MISSING', { platform }, { cause });
  }
}

export async function buildCell(cacheFolder: string, addonPath: string, makeSnapshot: MakeSnapshot): Promise<CellParts> {
  await mkdir(cacheFolder, { recursive: true });
  const sources = await hashOfSources();
  const programPath = await keep(join(cacheFolder, `cell-${sources}.cjs`), bundleProgram);
  const base = { programPath, addonPath };
  const snapshotPath = await keep(join(cacheFolder, `web-${hashOf(V8_KEY, sources)}.snapshot`), async () => makeSnapshot(base, (await bundleGuest()).toString()));
  return { ...base, snapshot: await readFile(snapshotPath) };
}

/** Of everything that is bundled: then a start with a warm cache needs no bundler. */
async function hashOfSources(): Promise<string> {
  const files = [...BUNDLE_FILES];
  for (const folder of BUNDLE_FOLDERS) {
    for (const name of (await readdir(folder)).sort()) files.push(join(folder, name));
  }
  return hashOf(...await Promise.all(files.map((file) => readFile(file))));
}

/** The file, made first where it is missing; never seen half-written. */
async function keep(path: string, make: () => Promise<Buffer>): Promise<string> {
  if (existsSync(path)) return path;
  const draft = `${path}.${newId('blob')}`;
  await writeFile(draft, await make());
  await rename(draft, path);
  return path;
}

export function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 32);
}

/** Code caches of Micros, by content of the module and by V8. */
export class CodeCache {
  #folder: string;
  constructor(cacheFolder: string) {
    this.#folder = cacheFolder;
  }

  async get(source: Uint8Array): Promise<Buffer | null> {
    return readFile(this.#path(source)).catch(() => null);
  }

  /** @param bytes from a Cell that had not run a guest yet */
  async put(source: Uint8Array, bytes: Uint8Array): Promise<void> {
    await keep(this.#path(source), async () => Buffer.from(bytes));
  }

  #path(source: Uint8Array): string {
    return join(this.#folder, `code-${hashOf(V8_KEY, source)}.cache`);
  }
}
