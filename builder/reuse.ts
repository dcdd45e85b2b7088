// Owns which Micros of a push need no build: their source, their part of the Spacefile and the tools are those of an earlier
// Revision of the same Project, whose files they take over. Nothing is ever taken from another Project.
import { createHash } from 'node:crypto';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINES } from '../spacefile-schema/engines.ts';
import type { Artifacts } from './artifact.ts';
import type { RevisionMicro } from './revision.ts';
import type { SourceFiles } from './source.ts';
import { commandsOf } from './toolchain/build-commands.ts';
import type { ToolIdentity } from './toolchain/identity.ts';
import { readInside } from './toolchain/source-file.ts';
import type { ToolchainJob } from './toolchain/toolchain.ts';

/** A Micro of an earlier Revision. */
export interface EarlierMicro { micro: RevisionMicro; tag: string }

export interface ReuseParts {
  files: SourceFiles;
  identity: ToolIdentity;
  artifacts: Artifacts;
  /** Of this Project, newest first. */
  earlier(): Promise<EarlierMicro[]>;
}

export interface Reuse {
  /** What this Micro's build would give, where that is known. */
  find(work: ToolchainJob): Promise<EarlierMicro | undefined>;
  /** Build it, and notice when its programs reach over into what others are built of: then nothing of this push is taken
   *  over, nor will anything of it be. */
  watch<T>(work: ToolchainJob, build: () => Promise<T>): Promise<T>;
  /** By which later pushes find what was built; undefined where they must not. */
  keyOf(work: ToolchainJob): string | undefined;
}

/** What of a source the result of a Micro's build follows from. `own`: its folder. `shared`: what is in no other Micro's folder
 *  too. `whole`: programs of the source run in its build, and these see everything. */
type Scope = 'own' | 'shared' | 'whole';

export async function createReuse(works: readonly ToolchainJob[], parts: ReuseParts): Promise<Reuse> {
  const scopes = new Map(await Promise.all(works.map(async (work) => [work, await scopeOf(work)] as const)));
  const keys = new Map(await Promise.all(works.map(async (work) => [work, await keyFor(work, works, { ...parts, scope: scopes.get(work)! })] as const)));
  const runsPrograms = (work: ToolchainJob): boolean => scopes.get(work) !== 'own';
  let isEntangled = works.some(runsPrograms) && works.some((one) => works.some((other) => one !== other && holds(one, other.micro.src)));
  let earlier: Promise<EarlierMicro[]> | undefined;

  return {
    keyOf: (work) => (isEntangled ? undefined : keys.get(work)),
    async find(work) {
      if (isEntangled) return undefined;
      const known = (await (earlier ??= parts.earlier())).find(({ micro }) => micro.sourceKey !== undefined && micro.sourceKey === keys.get(work));
      return known && (await parts.artifacts.haveAll(Object.values(known.micro.files).flatMap((file) => [file, ...Object.values(file.encodings ?? {})]))) ? known : undefined;
    },
    async watch(work, build) {
      if (isEntangled || works.length === 1 || !runsPrograms(work)) return build();
      const before = await stateAround(work);
      const built = await build();
      isEntangled = before !== (await stateAround(work));
      return built;
    },
  };
}

async function scopeOf(work: ToolchainJob): Promise<Scope> {
  const { engine } = work.micro;
  if (commandsOf(work.micro).length > 0 || ENGINES[engine].toolchain === 'custom') return 'whole';
  if (ENGINES[engine].toolchain === 'static') return 'own';
  const texts = await Promise.all(INSTALL_FILES.map(async (name) => (await readInside(work.folder, name))?.toString() ?? ''));
  if (texts.some((text) => RUNS_OR_LEADS_OUT.test(text))) return 'whole';
  return ENGINES[engine].runs === 'isolate' && texts.every((text) => text === '') ? 'own' : 'shared';
}

/** What installing packages reads. */
const INSTALL_FILES = ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc', '.yarnrc', '.yarnrc.yml', 'requirements.txt'];

/** Tried on files of strangers in the main process: nothing in it may go over ends of lines, or its time grows with the square of
 *  their number. Scripts that run at installation, packages that lie beside this one, other files of requirements. */
const RUNS_OR_LEADS_OUT = /"(?:pre|post)?(?:install|prepare)"\s*:|"prepublish"\s*:|"dependencies"\s*:\s*"|"workspaces"\s*:|\.\.[/\\]|\b(?:file|link|portal|workspace|git\+file):|^[^\S\r\n]*-(?:e|-editable|r|-requirement|c|-constraint)\b|^[^\S\r\n]*\.{0,2}\//m;

async function keyFor(work: ToolchainJob, works: readonly ToolchainJob[], { files, identity, scope }: ReuseParts & { scope: Scope }): Promise<string> {
  const { presets: _, publicRoutes: _routes, provideActions: _provides, actions: _actions, path: _path, primary: _primary, ...built } = work.micro;
  const hash = createHash('sha256').update(JSON.stringify([
    scope === 'own' ? await identity.code() : await identity.programs(), built, ENGINES[built.engine],
  ]));
  for (const [path, content] of files) if (counts(path, work, { works, scope })) hash.update(`${JSON.stringify(path)} ${content}\n`);
  return hash.digest('hex');
}

function counts(path: string, work: ToolchainJob, { works, scope }: { works: readonly ToolchainJob[]; scope: Scope }): boolean {
  // Its part that counts is in the key already.
  if (path === 'Spacefile') return scope === 'whole' || work.micro.src === '.';
  if (scope === 'whole' || holds(work, path) || isAbove(path, work)) return true;
  return scope === 'shared' && !works.some((other) => holds(other, path));
}

/** Whether the Micro's folder has this path in it. */
function holds({ micro }: ToolchainJob, path: string): boolean {
  return micro.src === '.' || path === micro.src || path.startsWith(`${micro.src}/`);
}

/** Files of the folders around a Micro's: tools look for a package.json there. */
function isAbove(path: string, { micro }: ToolchainJob): boolean {
  const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  return !path.endsWith('/') && path.endsWith('package.json') && (folder === '' || micro.src.startsWith(`${folder}/`));
}

/** Names, sizes and times of everything outside of the Micro's folder. Links are not followed. */
async function stateAround(work: ToolchainJob): Promise<string> {
  const hash = createHash('sha256');
  const visit = async (folder: string, path: string): Promise<void> => {
    const names: string[] = [];
    for await (const { name } of await opendir(folder)) names.push(name);
    for (const name of names.toSorted()) {
      const inner = path === '' ? name : `${path}/${name}`;
      if (holds(work, inner)) continue;
      work.signal.throwIfAborted();
      const info = await lstat(join(folder, name), { bigint: true });
      const isWayThere = work.micro.src.startsWith(`${inner}/`);
      hash.update(`${JSON.stringify(inner)} ${info.ino} ${info.mode & 0o170000n} ${info.size} ${isWayThere ? '' : info.mtimeNs}\n`);
      if (info.isDirectory()) await visit(join(folder, name), inner);
    }
  };
  await visit(work.sourceFolder, '');
  return hash.digest('hex');
}
