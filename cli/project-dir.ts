// Owns the folder of a project on the developer's disk: which project it belongs to (`.space/`) and its Spacefile.
// @source Deta Space `space` CLI, local state files
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatIssues } from '../spacefile-schema/issue.ts';
import { parseSpacefile } from '../spacefile-schema/parse.ts';
import type { Spacefile } from '../spacefile-schema/types.ts';
import { Failure, usageFailure } from './failure.ts';
import type { Io } from './io.ts';

/** `.space/meta` */
export interface ProjectMeta { id: string; name: string; alias: string }

export interface LoadedSpacefile { text: string; spacefile: Spacefile }

const README_TEXT = `This folder links the project to its counterpart on a host: \`meta\` has the project's id.
It belongs to your checkout only. Do not commit it.
`;

/** The absolute path of an existing folder. */
export async function findProjectDir(io: Io, dir: string | undefined): Promise<string> {
  const path = resolve(io.cwd, dir ?? '.');
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return path;
  throw usageFailure(found === undefined ? `The folder ${path} does not exist.` : `${path} is not a folder.`, 'Give the folder of your project with --dir.');
}

export async function readMeta(dir: string): Promise<ProjectMeta | undefined> {
  const file = join(dir, '.space', 'meta');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { id, name = '', alias = '' } = JSON.parse(text) as Partial<ProjectMeta>;
    if (typeof id === 'string' && id !== '') return { id, name, alias };
  } catch {
    // Said below, together with JSON of another shape.
  }
  throw new Failure({ code: 'PROJECT_META_INVALID', what: `${file} is damaged.`, remedy: 'Link the folder again: `space link --id ID`.' });
}

export async function writeMeta(dir: string, meta: ProjectMeta): Promise<void> {
  const folder = join(dir, '.space');
  await mkdir(folder, { recursive: true, mode: 0o760 });
  await Promise.all([
    writeFile(join(folder, 'meta'), JSON.stringify({ id: meta.id, name: meta.name, alias: meta.alias }), { mode: 0o660 }),
    writeFile(join(folder, 'README'), README_TEXT),
    writeFile(join(folder, '.gitignore'), '*\n'),
  ]);
}

/** The project's id: the one given, else the one that the folder is linked to. */
export async function findProjectId(dir: string, given: string | undefined): Promise<string> {
  if (given !== undefined) {
    if (given.trim() === '') throw usageFailure('--id is empty.', 'Give the id of a project.');
    return given.trim();
  }
  const meta = await readMeta(dir);
  if (meta !== undefined) return meta.id;
  throw new Failure({
    code: 'PROJECT_NOT_LINKED',
    what: `${dir} is not linked to a project.`,
    remedy: 'Make a project of it: `space new`. Or link it to one of yours: `space link --id ID`. Or name one for this time: --id ID.',
  });
}

export async function readSpacefileText(dir: string): Promise<string | undefined> {
  return readFile(join(dir, 'Spacefile'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

export async function hasSpacefile(dir: string): Promise<boolean> {
  return (await readSpacefileText(dir)) !== undefined;
}

export function missingSpacefile(dir: string): Failure {
  return new Failure({ code: 'SPACEFILE_MISSING', what: `Spacefile not found in ${dir}.`, remedy: '`space new` writes one. For a project elsewhere: --dir DIR.' });
}

/** @throws Failure SPACEFILE_MISSING, SPACEFILE_INVALID, MICRO_SRC_MISSING */
export async function loadSpacefile(dir: string): Promise<LoadedSpacefile> {
  const text = await readSpacefileText(dir);
  if (text === undefined) {
    throw missingSpacefile(dir);
  }
  const { spacefile, issues } = parseSpacefile(text);
  if (spacefile === undefined) {
    throw new Failure({ code: 'SPACEFILE_INVALID', what: `The Spacefile is not valid.\n${formatIssues(issues, text)}`, remedy: 'Correct it; `space validate` checks again.' });
  }
  const missing = await missingSources(dir, spacefile);
  if (missing.length > 0) {
    throw new Failure({ code: 'MICRO_SRC_MISSING', what: missing.join('\n'), remedy: 'Create the folder, or correct `src` in the Spacefile.' });
  }
  return { text, spacefile };
}

/** One sentence for each Micro whose folder is not there. */
export async function missingSources(dir: string, spacefile: Spacefile): Promise<string[]> {
  const checks = spacefile.micros.map(async (micro) => {
    const found = await stat(join(dir, micro.src)).catch(() => undefined);
    return found?.isDirectory() ? [] : [`Micro \`${micro.name}\`: its folder \`${micro.src}\` (src) was not found.`];
  });
  return (await Promise.all(checks)).flat();
}
