// Owns which files of a Micro's folder go into the package of a process, and under which names. Links stay inside the
// folder; what is no plain file, folder or link is refused; of the mode only the executable bit counts.
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { buildFailed } from './failure.ts';
import { isInside, kindOf } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';

/** @source reference 3.2: source and assets, and dependencies, of one Micro */
export const PART_MAX_BYTES = 250 * 1024 * 1024;
const PART_MAX_FILES = 100_000;

/** Folders that hold what was installed: a part of the package of their own, which many Revisions share. */
export const DEPENDENCY_FOLDERS = ['node_modules', '.venv'] as const;

/** Notes that package managers and bundlers keep for themselves there, with times in them. */
const LEFT_OUT = new Set(['node_modules/.modules.yaml', 'node_modules/.pnpm-workspace-state.json', 'node_modules/.pnpm-workspace-state-v1.json', 'node_modules/.cache', 'node_modules/.vite', 'node_modules/.vite-temp']);

/** By its path in the package, with `/`. */
export type PackageFiles = Map<string, PackageFile>;

export type PackageFile =
  | { kind: 'file'; from: string; sizeBytes: number; isExecutable: boolean }
  | { kind: 'link'; to: string }
  | { kind: 'folder' };

/** Where a file of the package comes from: `from` below the Micro's folder, `to` in the package, both `''` for the whole. */
export interface Placement { from: string; to: string }

/** What the Spacefile's `include` means: each entry at its own path and, since some sources expect it there, a file also at
 *  the top by its base name (@source reference, Appendix A 22). Everything when there is none. @throws BUILD_FAILED */
export async function includedPlaces(job: ToolchainJob): Promise<Placement[]> {
  const { include } = job.micro;
  if (include.length === 0) return [{ from: '', to: '' }];
  const places: Placement[] = [];
  for (const path of include) {
    if (path === '.') return [{ from: '', to: '' }];
    const kind = await kindOf(job, path);
    if (kind === undefined) throw buildFailed(job, `\`include\` names ${JSON.stringify(path)}, which the build has not made and the source does not have`);
    places.push({ from: path, to: path });
    if (kind === 'file' && path.includes('/')) places.push({ from: path, to: basename(path) });
  }
  return places;
}

/** The parts of a package: what was installed lies in folders of known names. */
export interface PackageParts { app: PackageFiles; dependencies: PackageFiles }

/** Everything at `places`; earlier places count where two meet. @throws BUILD_FAILED */
export async function filesAt(job: ToolchainJob, places: readonly Placement[]): Promise<PackageParts> {
  const part = (): Part => ({ files: new Map(), room: PART_MAX_BYTES });
  const walk: Walk = { job, root: await realpath(job.folder), app: part(), dependencies: part() };
  for (const { from, to } of places) await add(walk, from, to);
  return { app: walk.app.files, dependencies: walk.dependencies.files };
}

interface Part { files: PackageFiles; room: number }
interface Walk { job: ToolchainJob; root: string; app: Part; dependencies: Part }

async function add(walk: Walk, from: string, to: string): Promise<void> {
  walk.job.signal.throwIfAborted();
  if (LEFT_OUT.has(to)) return;
  const path = join(walk.root, from);
  const info = await lstat(path);
  if (info.isDirectory()) {
    if (to !== '') put(walk, to, { kind: 'folder' });
    for (const name of await readdir(path)) await add(walk, from === '' ? name : `${from}/${name}`, to === '' ? name : `${to}/${name}`);
  } else if (info.isSymbolicLink()) {
    put(walk, to, await linkAt(walk, from, to));
  } else if (info.isFile()) {
    if ((info.mode & 0o6000) !== 0) walk.job.report(`[${walk.job.micro.name}] ${JSON.stringify(from)} loses its setuid bit`);
    put(walk, to, { kind: 'file', from: path, sizeBytes: info.size, isExecutable: (info.mode & 0o100) !== 0 });
  } else {
    throw buildFailed(walk.job, `${JSON.stringify(from)} is a device, pipe or socket, which cannot be packaged`);
  }
}

function put({ job, app, dependencies }: Walk, to: string, file: PackageFile): void {
  const isInstalled = DEPENDENCY_FOLDERS.some((folder) => to === folder || to.startsWith(`${folder}/`));
  // There, the other part appears.
  if (isInstalled && !to.includes('/') && file.kind === 'folder') app.files.set(to, file);
  const part = isInstalled ? dependencies : app;
  if (part.files.has(to)) return;
  part.files.set(to, file);
  part.room -= file.kind === 'file' ? file.sizeBytes : 0;
  const remedy = isInstalled ? 'Depend on less' : 'Name what it needs with `include`';
  const what = isInstalled ? 'what was installed' : 'the package';
  if (part.room < 0) throw buildFailed(job, `${what} is larger than ${PART_MAX_BYTES / 1024 / 1024} MB, counted up to ${JSON.stringify(to)}. ${remedy}`);
  if (part.files.size > PART_MAX_FILES) throw buildFailed(job, `${what} has more than ${PART_MAX_FILES} files. ${remedy}`);
}

/** Relative, and to a place in the Micro's folder: by its letters, in the source and in the package, and by what the
 *  system makes of them. */
async function linkAt({ job, root }: Walk, from: string, to: string): Promise<PackageFile> {
  const target = await readlink(join(root, from));
  const isOutside = [from, to].some((path) => /^\.\.(\/|$)/.test(posix.normalize(posix.join(posix.dirname(path), target))));
  const real = await realpath(join(root, from)).catch(() => root);
  if (target.startsWith('/') || isOutside || !isInside(root, real)) {
    throw buildFailed(job, `the link ${JSON.stringify(from)} leads out of the Micro's folder, to ${JSON.stringify(target.slice(0, 200))}`);
  }
  return { kind: 'link', to: target };
}

/** Folders on the way to a file that nobody named. */
export function withParents(files: PackageFiles): PackageFiles {
  const whole: PackageFiles = new Map(files);
  for (const path of files.keys()) {
    for (let at = dirname(path); at !== '.' && at !== ''; at = dirname(at)) if (!whole.has(at)) whole.set(at, { kind: 'folder' });
  }
  return whole;
}
