// Owns `space update`: what an update would bring, and taking it.
import type { Api } from '../../client/api.ts';
import type { WireInstance, WireUpdate } from '../../core/wire.ts';
import { findInstance } from '../choose-instance.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../command.ts';
import { confirmed, followInstallation, nothingToDo } from '../installation.ts';
import { formatTable, plainText } from '../output.ts';

interface Options { to?: string; check: boolean; dryRun?: true; yes?: true }

export const updateCommand = defineCommand<Options>({
  summary: 'update an app, or list which have an update',
  configure: (command) =>
    command
      .argument('[instance]', 'id, alias, address or name of an app')
      .option('--to <release>', 'id of another release than the newest one')
      .option('--no-check', 'do not try whether the new version answers before it counts')
      .option('--dry-run', 'only say what would be different')
      .option('-y, --yes', 'ask nothing'),
  async run(context, options, [wanted]) {
    const api = await context.api();
    if (wanted === undefined) return listUpdates(context, api);
    const instance = await findInstance(api, wanted);
    const update = await api.getUpdate(instance.id, options.to);
    if (update.to === null) {
      context.done(`${instance.app_name} ${instance.version} is up to date.`);
      return context.result(update, instance.url);
    }
    const told = describe(update);
    if (options.dryRun) return context.result(update, told);
    context.note(told);
    if (!(await confirmed(context, `Update ${instance.app_name} to ${update.to.version}?`, { yes: options.yes, isNeeded: false }))) return;
    await run(context, api, instance, { update, skipCheck: !options.check });
  },
});

async function run(context: Context, api: Api, instance: WireInstance, { update, skipCheck }: { update: WireUpdate; skipCheck: boolean }): Promise<void> {
  const { release_id: releaseId = '', version = '' } = update.to ?? {};
  await followInstallation(context, api, {
    start: () => api.install({ release_id: releaseId, instance_id: instance.id, ...(skipCheck && { skip_check: true }) }),
    doing: `Updating ${instance.app_name}`,
    failed: { what: `${instance.app_name} could not be updated; it stays at version ${instance.version}.`, remedy: '`space logs` shows more. If you know better than the check: --no-check.' },
  });
  context.done(`Updated ${instance.app_name} from ${instance.version} to ${version}. \`space rollback ${instance.alias}\` undoes it.`);
  context.result({ instance_id: instance.id, release_id: releaseId, version, url: instance.url }, instance.url);
}

async function listUpdates(context: Context, api: Api): Promise<void> {
  const { instances } = await api.listInstances();
  const waiting = instances.filter(({ update }) => update !== null);
  if (instances.length === 0) throw nothingToDo('Your Space has no apps yet.', '`space install LINK` installs one.');
  const rows = waiting.map((one) => [one.app_name, one.version, one.update?.version ?? '', one.alias]);
  const text = rows.length === 0 ? 'All apps are up to date.' : `${formatTable(['APP', 'VERSION', 'UPDATE', 'ALIAS'], rows, context.io.colors)}\n\`space update ALIAS\` shows what is new, and updates.`;
  context.result({ instances: waiting }, text);
}

function describe({ from, to, notes, changes }: WireUpdate): string {
  const told = notes.map(({ version, release_notes: text }) => [`Version ${version}:`, ...plainLines(text || 'no notes')].join('\n  '));
  const different = changes.length === 0 ? ['Nothing that others reach, and no variable or schedule, is different.'] : changes.map(({ text }) => `- ${plainText(text)}`);
  return [`From ${from.version} to ${to?.version ?? ''}`, ...told, 'What is different:', ...different].join('\n');
}

function plainLines(text: string): string[] {
  return text.split('\n').map(plainText);
}
