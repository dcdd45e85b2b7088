// Owns `space new`: a project on the host for the folder at hand, and a Spacefile of what is there.
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import { defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { dashboardUrl } from '../credentials.ts';
import { detectMicros, spacefileText } from '../detect.ts';
import type { DetectedMicro } from '../detect.ts';
import { Failure, usageFailure } from '../failure.ts';
import { count } from '../output.ts';
import { findProjectDir, readMeta, readSpacefileText, writeMeta } from '../project-dir.ts';

interface Options { name?: string; dir?: string; blank?: true }

/** @source Deta Space, project names */
const NAME_MIN_CHARS = 4;
const NAME_MAX_CHARS = 16;

export const newCommand = defineCommand<Options>({
  summary: 'make a project of a folder',
  configure: (command) =>
    withDir(command)
      .option('-n, --name <name>', `name of the project, ${NAME_MIN_CHARS} to ${NAME_MAX_CHARS} characters`)
      .option('-b, --blank', 'write a Spacefile without Micros'),
  async run(context, options) {
    const dir = await findProjectDir(context.io, options.dir);
    await refuseLinked(dir);
    const name = await chooseName(context, dir, options.name);
    const api = await context.api();
    const micros = await ensureSpacefile(context, dir, options);
    const project = await api.createProject(name);
    await writeMeta(dir, project);
    context.done(`Project ${project.name} was created.`);
    const next = micros === 0 ? 'Describe your Micros in the Spacefile, then run `space push`.' : 'Next: `space push` builds and starts it.';
    context.result(
      { id: project.id, name: project.name, alias: project.alias, dir, micros },
      `${next}\nIt will appear at ${dashboardUrl(api.root)}.`,
    );
  },
});

async function refuseLinked(dir: string): Promise<void> {
  const meta = await readMeta(dir);
  if (meta === undefined) return;
  throw new Failure({ code: 'PROJECT_LINKED', what: `${dir} is the project ${meta.name || meta.id} already.`, remedy: 'Run `space push`. For another project of the same files remove the folder .space first.' });
}

async function chooseName(context: Context, dir: string, given: string | undefined): Promise<string> {
  if (given !== undefined) {
    const verdict = checkName(given);
    if (verdict !== true) throw usageFailure(verdict, 'Give another --name.');
    return given.trim();
  }
  if (!context.io.isInteractive) throw usageFailure('The project needs a name.', 'Give one: --name NAME.');
  return (await context.io.prompts.text('Name of the project', { initial: suggestName(dir), check: checkName })).trim();
}

function suggestName(dir: string): string | undefined {
  const name = basename(dir).slice(0, NAME_MAX_CHARS);
  return checkName(name) === true ? name : undefined;
}

function checkName(name: string): true | string {
  const length = [...name.trim()].length;
  return (length >= NAME_MIN_CHARS && length <= NAME_MAX_CHARS) || `A project name has ${NAME_MIN_CHARS} to ${NAME_MAX_CHARS} characters; this one has ${length}.`;
}

/** One that exists is never touched. @returns how many Micros it has; 0 while it is not valid */
async function ensureSpacefile(context: Context, dir: string, options: Options): Promise<number> {
  const existing = await readSpacefileText(dir);
  if (existing !== undefined) {
    const { spacefile } = parseSpacefile(existing);
    context.note(spacefile === undefined ? 'Keeping your Spacefile, which is not valid yet: `space validate` says why.' : `Keeping your Spacefile with ${count(spacefile.micros.length, 'Micro')}.`);
    return spacefile?.micros.length ?? 0;
  }
  const micros = options.blank ? [] : await proposeMicros(context, dir);
  await writeFile(join(dir, 'Spacefile'), spacefileText(micros), { flag: 'wx' });
  context.done(micros.length === 0 ? 'Wrote a blank Spacefile.' : `Wrote a Spacefile with ${count(micros.length, 'Micro')}.`);
  return micros.length;
}

async function proposeMicros(context: Context, dir: string): Promise<DetectedMicro[]> {
  const micros = await detectMicros(dir);
  if (micros.length === 0) {
    context.note('Found nothing here that looks like a Micro.');
    return [];
  }
  context.note('Found:');
  for (const micro of micros) context.note(`  ${micro.name}  ${micro.engine}, in ${micro.src}${micro.primary ? '  (primary)' : ''}`);
  if (!context.io.isInteractive) return micros;
  return (await context.io.prompts.confirm('Set the project up like this?')) ? micros : [];
}
