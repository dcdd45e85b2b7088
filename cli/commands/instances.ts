// Owns `space instances`: what is installed in one's Space, and what has an update.
import { defineCommand } from '../command.ts';
import { formatTable } from '../output.ts';

export const instancesCommand = defineCommand<object>({
  summary: 'list the apps in your Space',
  configure: (command) => command,
  async run(context) {
    const { instances } = await (await context.api()).listInstances();
    const rows = instances.map((one) => [
      one.app_name, one.version, one.channel === 'development' ? 'builder' : 'installed', one.status, one.update?.version ?? '-', one.alias, one.url,
    ]);
    const text = rows.length === 0
      ? 'Your Space has no apps yet. `space install LINK` installs one, `space push` makes one of yours.'
      : formatTable(['APP', 'VERSION', 'KIND', 'STATUS', 'UPDATE', 'ALIAS', 'ADDRESS'], rows, context.io.colors);
    context.result({ instances }, text);
  },
});
