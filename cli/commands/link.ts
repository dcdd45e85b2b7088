// Owns `space link`: ties a folder to a project that exists on the host.
import { ApiError } from '../../client/transport.ts';
import { defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure, usageFailure } from '../failure.ts';
import { findProjectDir, writeMeta } from '../project-dir.ts';
import type { Api } from '../../client/api.ts';

interface Options { id?: string; dir?: string }

export const linkCommand = defineCommand<Options>({
  summary: 'link a folder to a project of yours',
  configure: (command) => withDir(command).option('-i, --id <id>', 'id of the project'),
  async run(context, options) {
    const dir = await findProjectDir(context.io, options.dir);
    if (options.id === undefined && !context.io.isInteractive) throw usageFailure('Which project?', 'Name it: --id ID.');
    if (options.id?.trim() === '') throw usageFailure('--id is empty.', 'Give the id of a project.');
    const api = await context.api();
    const id = options.id?.trim() ?? (await chooseProject(context, api));
    const project = await api.getProject(id).catch(explainUnknown);
    await writeMeta(dir, project);
    context.result({ id: project.id, name: project.name, alias: project.alias, dir }, `Linked ${dir} to project ${project.name}. Next: \`space push\`.`);
  },
});

async function chooseProject(context: Context, api: Api): Promise<string> {
  const { apps } = await api.listProjects();
  if (apps.length === 0) throw new Failure({ code: 'PROJECT_NOT_FOUND', what: 'You have no project yet.', remedy: 'Make one: `space new`.' });
  return context.io.prompts.choose('Project', apps.map((app) => ({ name: `${app.name} (${app.id})`, value: app.id })));
}

function explainUnknown(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 404) throw error;
  throw new Failure({ code: error.code, what: error.message, remedy: 'Check the id; `.space/meta` of the folder that you pushed from has it.', requestId: error.requestId }, { cause: error });
}
