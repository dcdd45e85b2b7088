// Owns `space versions` and `space rollback`: what an app ran before, and going back to it.
import type { Api } from '../../client/api.ts';
import type { WireInstance, WireVersion } from '../../core/wire.ts';
import { findBuilderInstance, findInstance } from '../choose-instance.ts';
import { defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure } from '../failure.ts';
import { confirmed, followInstallation, nothingToDo } from '../installation.ts';
import { formatTable } from '../output.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface VersionsOptions { dir?: string }
interface RollbackOptions { dir?: string; to?: string; withData?: true; dryRun?: true; yes?: true }

const INSTANCE = 'id, alias, address or name of an app (default: the Builder Instance of this project)';

export const versionsCommand = defineCommand<VersionsOptions>({
  summary: 'list what an app ran before',
  configure: (command) => withDir(command).argument('[instance]', INSTANCE),
  async run(context, options, [wanted]) {
    const api = await context.api();
    const instance = await chosen(context, api, { wanted, dir: options.dir });
    const { versions } = await api.listVersions(instance.id);
    const rows = versions.map(({ id, version, left_at: until, snapshot_id: snapshot }) => [id, version, until, snapshot ?? '-']);
    const text = rows.length === 0 ? `${instance.app_name} has run version ${instance.version} only.` : formatTable(['ID', 'VERSION', 'UNTIL', 'DATA'], rows, context.io.colors);
    context.result({ version: instance.version, versions }, text);
  },
});

export const rollbackCommand = defineCommand<RollbackOptions>({
  summary: 'go back to what an app ran before',
  configure: (command) =>
    withDir(command)
      .argument('[instance]', INSTANCE)
      .option('--to <version>', 'version, or id from `space versions` (default: the one before)')
      .option('--with-data', 'put back the data of then, too; those of now are kept aside')
      .option('--dry-run', 'only say what it would do')
      .option('-y, --yes', 'ask nothing'),
  async run(context, options, [wanted]) {
    const api = await context.api();
    const instance = await chosen(context, api, { wanted, dir: options.dir });
    const { versions } = await api.listVersions(instance.id);
    const version = versionFor(instance, versions, options.to);
    if (options.withData && version.snapshot_id === null) throw new Failure({ code: 'SNAPSHOT_NOT_FOUND', what: `The data of version ${version.version} are not kept any more.`, remedy: 'Go back without --with-data, or look at `space snapshot list`.' });
    const wish = { to: version.id, data: options.withData ? 'restore' as const : 'keep' as const };
    const plan = await api.planRollback(instance.id, wish);
    if (options.dryRun) return context.result(plan, plan.statement);
    context.note(plan.statement);
    if (!(await confirmed(context, `Roll ${instance.app_name} back?`, { yes: options.yes }))) return;
    await followInstallation(context, api, {
      start: () => api.rollback(instance.id, wish), doing: `Rolling ${instance.app_name} back`,
      failed: { what: `${instance.app_name} could not be rolled back; it stays as it was.`, remedy: 'Try again.' },
    });
    context.done(`${instance.app_name} is back at version ${version.version}.`);
    context.result({ instance_id: instance.id, version: version.version, url: instance.url }, instance.url);
  },
});

async function chosen({ io }: Context, api: Api, { wanted, dir }: { wanted: string | undefined; dir: string | undefined }): Promise<WireInstance> {
  return wanted === undefined ? findBuilderInstance(api, await findProjectId(await findProjectDir(io, dir), undefined)) : findInstance(api, wanted);
}

/** @throws Failure VERSION_NOT_FOUND */
function versionFor(instance: WireInstance, versions: WireVersion[], to: string | undefined): WireVersion {
  if (versions.length === 0) throw nothingToDo(`${instance.app_name} has run version ${instance.version} only.`, 'There is something to go back to after an update or a push.');
  const found = versions.find(({ id, version }) => to === undefined || id === to || version === to);
  if (found === undefined) throw new Failure({ code: 'VERSION_NOT_FOUND', what: `${instance.app_name} has not run a version \`${to}\`.`, remedy: `\`space versions ${instance.alias}\` lists them.` });
  return found;
}
