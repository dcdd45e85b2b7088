// Owns `space uninstall`, and `space trash list|restore|empty`: an app goes, comes back, or is gone for good.
import { findInstance } from '../choose-instance.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { confirmed, followInstallation } from '../installation.ts';
import { count, formatTable } from '../output.ts';

interface UninstallOptions { data?: string; yes?: true }
interface RestoreOptions { dataOnly?: true }
interface EmptyOptions { yes?: true }

export const uninstallCommand = defineCommand<UninstallOptions>({
  summary: 'uninstall an app, and say what becomes of its data',
  configure: (command) =>
    command
      .argument('<instance>', 'id, alias, address or name of an app')
      .option('--data <fate>', '`keep`: as a Collection of its own; `delete`: app and data wait in the trash for 30 days')
      .option('-y, --yes', 'ask nothing'),
  async run(context, options, [wanted = '']) {
    const { data } = options;
    if (data !== undefined && data !== 'keep' && data !== 'delete') throw usageFailure(`--data is \`keep\` or \`delete\`, not \`${data}\`.`);
    const api = await context.api();
    const instance = await findInstance(api, wanted);
    const fate = data ?? (context.io.isInteractive ? await context.io.prompts.choose<'keep' | 'delete'>('Its data', [
      { name: 'keep them as a Collection of their own', value: 'keep' }, { name: 'put them into the trash, with the app', value: 'delete' },
    ]) : undefined);
    if (fate === undefined) throw usageFailure('What shall become of the data?', 'Say --data keep or --data delete. `space export` saves them as a zip.');
    if (!(await confirmed(context, `Uninstall ${instance.app_name} at ${instance.url}?`, { yes: options.yes }))) return;
    await followInstallation(context, api, {
      start: () => api.uninstall(instance.id, fate), doing: `Uninstalling ${instance.app_name}`,
      failed: { what: `${instance.app_name} could not be uninstalled.`, remedy: 'Try again.' },
    });
    const where = fate === 'keep' ? `Its data are the Collection ${instance.collection_id}.` : `For 30 days \`space trash restore ${instance.collection_id}\` brings it back.`;
    context.done(`Uninstalled ${instance.app_name}. ${where}`);
    context.result({ instance_id: instance.id, collection_id: instance.collection_id, data: fate }, instance.collection_id);
  },
});

export const trashListCommand = defineCommand<object>({
  summary: 'list what is in the trash',
  configure: (command) => command,
  async run(context) {
    const { trash } = await (await context.api()).listTrash();
    const rows = trash.map((one) => [one.id, one.name, one.kind, one.version ?? '-', one.deleted_at]);
    context.result({ trash }, rows.length === 0 ? 'The trash is empty.' : formatTable(['ID', 'NAME', 'KIND', 'VERSION', 'GONE FOR GOOD'], rows, context.io.colors));
  },
});

export const trashRestoreCommand = defineCommand<RestoreOptions>({
  summary: 'bring back an app or a Collection from the trash',
  configure: (command) => command.argument('<id>', 'id from `space trash list`').option('--data-only', 'of an app only its data, as a Collection'),
  async run(context, options, [id = '']) {
    const restored = await (await context.api()).restoreTrashed(id, options.dataOnly ? 'collection' : 'app');
    context.done(restored.url === null ? `The Collection ${restored.collection_id} is back.` : `It is back at ${restored.url}`);
    context.result(restored, restored.url ?? restored.collection_id);
  },
});

export const trashEmptyCommand = defineCommand<EmptyOptions>({
  summary: 'delete for good what is in the trash, or one thing in it',
  configure: (command) => command.argument('[id]', 'id from `space trash list`').option('-y, --yes', 'ask nothing'),
  async run(context, options, [id]) {
    const api = await context.api();
    const going = (await api.listTrash()).trash.filter((one) => id === undefined || one.id === id);
    if (going.length > 0 && !(await confirmed(context, `Delete ${going.map(({ name }) => name).join(', ')} for good?`, { yes: options.yes }))) return;
    const { deleted } = id === undefined ? await api.emptyTrash() : await api.purgeTrashed(id);
    context.done(`Deleted ${count(deleted.length, 'thing')} for good.`);
    context.result({ deleted }, deleted.join('\n'));
  },
});
