// Owns `space open`: an Instance in the browser, or at least its address.
import { findBuilderInstance, findInstance } from '../choose-instance.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

export const openCommand = defineCommand<{ dir?: string; id?: string }>({
  summary: 'open an app in the browser',
  configure: (command) => withProjectId(withDir(command)).argument('[instance]', 'id, alias or address (default: the Builder Instance of this project)'),
  async run(context, options, [wanted]) {
    const projectId = wanted === undefined ? await findProjectId(await findProjectDir(context.io, options.dir), options.id) : '';
    const api = await context.api();
    const { id, url } = wanted === undefined ? await findBuilderInstance(api, projectId) : await findInstance(api, wanted);
    context.result({ instance_id: id, url }, url);
    if (context.io.isInteractive) await context.io.openUrl(url);
  },
});
