// Owns `space install`: a Release into one's own Space, as a new copy or as the update of one.
import type { Api } from '../../client/api.ts';
import { ApiError } from '../../client/transport.ts';
import type { WireInstance, WireRelease } from '../../core/wire.ts';
import { findInstance } from '../choose-instance.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../command.ts';
import { dashboardUrl } from '../credentials.ts';
import { Failure, usageFailure } from '../failure.ts';
import { followInstallation } from '../installation.ts';

interface Options { instance?: string; open?: true }

export const installCommand = defineCommand<Options>({
  summary: 'install a release into your Space, or update an app to it',
  configure: (command) =>
    command
      .argument('<release>', 'link or id of the release')
      .option('--instance <instance>', 'update this one (id, alias or address); its data stays')
      .option('--open', 'open the app when it is ready'),
  async run(context, options, [given = '']) {
    const releaseId = releaseIdOf(given);
    const api = await context.api();
    const release = await api.getRelease(releaseId).catch((error: unknown) => explainUnknown(error, given, api.root));
    const target = options.instance === undefined ? undefined : await findInstance(api, options.instance);
    if (target === undefined) await mentionCopies(context, api, release);
    const instance = await install(context, api, release, target);
    const verb = target === undefined ? 'Installed' : 'Updated';
    context.done(`${verb} ${release.app_name} ${release.version}.`);
    context.result({ instance_id: instance.id, release_id: release.id, version: release.version, url: instance.url }, instance.url);
    if (options.open) await context.io.openUrl(instance.url);
  },
});

/** A link ends in the id: `http://HOST/r/ID`, or the old `https://deta.space/discovery/r/ID`. */
function releaseIdOf(given: string): string {
  const path = URL.canParse(given) ? new URL(given).pathname : given;
  const id = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  if (/^[A-Za-z0-9]+$/.test(id)) return id;
  throw usageFailure(`\`${given}\` is neither the link nor the id of a release.`, 'A link looks like http://localhost:4400/r/ID; `space release` prints it.');
}

function explainUnknown(error: unknown, given: string, root: string): never {
  if (!(error instanceof ApiError) || error.status !== 404) throw error;
  const host = URL.canParse(given) ? new URL(given).host : undefined;
  const isElsewhere = host !== undefined && host !== new URL(root).host;
  throw new Failure({
    code: error.code,
    what: error.message,
    why: isElsewhere ? `the link belongs to ${host}, and you are signed in to ${dashboardUrl(root)}` : undefined,
    remedy: isElsewhere ? `Sign in there first: \`space login --root ${new URL(given).origin}/api\`.` : 'Check the link with whoever gave it to you.',
    requestId: error.requestId,
  }, { cause: error });
}

async function mentionCopies(context: Context, api: Api, release: WireRelease): Promise<void> {
  const { instances } = await api.listInstances({ app_id: release.app_id, channel: 'experimental' });
  const [first] = instances;
  if (first !== undefined) context.note(`You have ${release.app_name} already, at ${first.url}. This makes another copy; to update that one: --instance ${first.alias}`);
}

async function install(context: Context, api: Api, release: WireRelease, target: WireInstance | undefined): Promise<WireInstance> {
  const job = await followInstallation(context, api, {
    start: () => api.install({ release_id: release.id, ...(target && { instance_id: target.id }) }),
    doing: `${target === undefined ? 'Installing' : 'Updating'} ${release.app_name}`,
    failed: {
      what: target === undefined ? `${release.app_name} could not be installed.` : `${release.app_name} could not be updated; it stays as it was.`,
      remedy: 'Try again. If it stays, ask the developer of the app.',
    },
  });
  return api.getInstance(job.instance_id);
}
