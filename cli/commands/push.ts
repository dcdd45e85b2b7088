// Owns `space push`: Spacefile and source to the host, the build's log to the terminal, until the Builder Instance runs it.
import { Option } from 'commander';
import type { Api } from '../../client/api.ts';
import type { WireBuild, WireInstance } from '../../core/wire.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import type { Context } from '../command.ts';
import { dashboardUrl } from '../credentials.ts';
import { Failure, Interrupted, usageFailure } from '../failure.ts';
import { readIcon } from '../icon.ts';
import { awaitEnd, awaitFirst, checkComplete, followLog } from '../job.ts';
import { count, formatBytes } from '../output.ts';
import { findProjectDir, findProjectId, loadSpacefile } from '../project-dir.ts';
import type { LoadedSpacefile } from '../project-dir.ts';
import { createSourceZip } from '../source-zip.ts';
import type { SourceChange } from '../source-zip.ts';

interface Options { dir?: string; id?: string; tag?: string; open?: true; skipLogs?: true; experimental?: true }

export const pushCommand = defineCommand<Options>({
  summary: 'build the project and update your Builder Instance',
  configure: (command) =>
    withProjectId(withDir(command))
      .option('-t, --tag <tag>', 'tag of the new revision (default: one is made up)')
      .option('--open', 'open the Builder Instance when it is ready')
      .option('--skip-logs', 'do not wait for the build')
      .addOption(new Option('--experimental').hideHelp()),
  async run(context, options) {
    if (options.tag?.trim() === '') throw usageFailure('--tag is empty.', 'Give one, or leave it out: one is made up.');
    const dir = await findProjectDir(context.io, options.dir);
    const projectId = await findProjectId(dir, options.id);
    const loaded = await loadSpacefile(dir);
    context.done(`The Spacefile is valid: ${count(loaded.spacefile.micros.length, 'Micro')}.`);
    const api = await context.api();
    const buildId = await startBuild(context, api, { dir, projectId, loaded, options });
    if (options.skipLogs) return leave(context, api, buildId);
    const { build, instance } = await finish(context, api, buildId);
    context.result(
      { build_id: buildId, revision_id: buildId, tag: build.tag, instance_id: instance.id, url: instance.url },
      `Builder Instance: ${instance.url}`,
    );
    if (options.open) await context.io.openUrl(instance.url);
  },
});

/** `change`: what is sent in place of what lies there. */
export interface Push { dir: string; projectId: string; loaded: LoadedSpacefile; options: Options; change?: SourceChange }

/** Build it and run it, from the first byte to the Builder Instance. @throws Failure BUILD_FAILED, INSTALLATION_FAILED */
export async function pushProject(context: Context, api: Api, push: Push): Promise<WireInstance> {
  return (await finish(context, api, await startBuild(context, api, push))).instance;
}

async function finish(context: Context, api: Api, buildId: string): Promise<{ build: WireBuild; instance: WireInstance }> {
  const build = await orCancel(context, buildId, () => finishBuild(context, api, buildId));
  return { build, instance: await finishUpdate(context, api, buildId) };
}

/** In the order that the host expects; the code comes last and starts the build. */
async function startBuild(context: Context, api: Api, { dir, projectId, loaded, options, change }: Push): Promise<string> {
  const spinner = context.io.spin('Packing the source');
  try {
    const icon = await readIcon(dir, loaded.spacefile.icon);
    await using source = await createSourceZip(dir, change);
    spinner.update('Sending the source');
    const tag = options.tag?.trim() ?? '';
    const { id } = await api.createBuild({ app_id: projectId, tag, experimental: options.experimental ?? false, auto_pwa: loaded.spacefile.autoPwa });
    await api.sendManifest(id, loaded.text);
    if (icon !== undefined) await api.sendIcon(id, icon.content, icon.contentType);
    await orCancel(context, id, () => api.sendCode(id, source.content));
    context.done(`Sent ${count(source.files.length, 'file')}, ${formatBytes(source.content.size)}.`);
    return id;
  } finally {
    spinner.stop();
  }
}

/** Ctrl-C means that the developer does not want it any more: the host need not go on with it. */
async function orCancel<T>(context: Context, buildId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!context.io.signal.aborted) throw error;
    const lasting = await context.api({ isLasting: true });
    // Too late, or nobody answers: then it is as without a word.
    await lasting.cancelBuild(buildId).catch(() => { throw error; });
    context.note('The build was cancelled; your Builder Instance stays as it was.');
    throw new Interrupted();
  }
}

async function leave(context: Context, api: Api, buildId: string): Promise<void> {
  const { tag, status } = await api.getBuild(buildId);
  context.result({ build_id: buildId, tag, status }, `The build${tag ? ` ${tag}` : ''} goes on at the host: ${dashboardUrl(api.root)}`);
}

async function finishBuild(context: Context, api: Api, buildId: string): Promise<WireBuild> {
  await followLog(context, api.buildLogs(buildId));
  const build = await awaitEnd(context, () => api.getBuild(buildId));
  checkComplete(build, { code: 'BUILD_FAILED', what: 'The build failed; your Builder Instance stays as it was.', remedy: 'Correct what the lines above say, then run `space push` again.' });
  context.done(`Built revision ${build.tag}.`);
  return build;
}

/** The host installs a new revision by itself: as a Release on the channel `development`, whose id is the job's. */
async function finishUpdate(context: Context, api: Api, revisionId: string): Promise<WireInstance> {
  const failure = { code: 'INSTALLATION_FAILED', what: 'The revision was built, but the Builder Instance could not be updated.', remedy: 'Run `space push` again. `space logs` shows what the app said.' };
  const spinner = context.io.spin('Updating your Builder Instance');
  try {
    const found = await awaitFirst(context, async () => (await api.listPromotions(revisionId)).promotions);
    if (found === undefined) throw new Failure({ ...failure, why: 'the host has not taken it up' });
    checkComplete(await awaitEnd(context, () => api.getPromotion(found.id)), failure);
    const job = await awaitFirst(context, async () => (await api.listInstallations(found.id)).installations);
    if (job === undefined) throw new Failure({ ...failure, why: 'the host has not taken it up' });
    await followLog(context, api.installationLogs(job.id), (_, line) => { if (!line.includes('http')) spinner.update(line); });
    const installation = await awaitEnd(context, () => api.getInstallation(job.id));
    checkComplete(installation, failure);
    return await api.getInstance(installation.instance_id);
  } finally {
    spinner.stop();
  }
}

