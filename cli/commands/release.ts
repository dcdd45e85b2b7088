// Owns `space release`: a revision becomes a Release that others can install; prints its link.
import type { Api, NewDiscovery } from '../../client/api.ts';
import { ApiError } from '../../client/transport.ts';
import type { WireRelease, WireRevision } from '../../core/wire.ts';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import type { Spacefile } from '../../spacefile-schema/types.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import type { Context } from '../command.ts';
import { dashboardUrl } from '../credentials.ts';
import { EMPTY_DISCOVERY, readDiscovery, readScreenshots, writeDiscovery } from '../discovery.ts';
import { Failure, usageFailure } from '../failure.ts';
import { awaitEnd, checkComplete, followLog } from '../job.ts';
import { findProjectDir, findProjectId, readSpacefileText } from '../project-dir.ts';

interface Options { dir?: string; id?: string; rid?: string; version?: string; listed?: true; confirm?: true; notes?: string }

const NOTES_MAX_CHARS = 4250;

export const releaseCommand = defineCommand<Options>({
  summary: 'publish a revision, so that others can install it',
  configure: (command) =>
    withProjectId(withDir(command))
      .option('--rid <tag>', 'tag of the revision (default: the latest)')
      .option('-v, --version <version>', 'version of the release (default: one is made up)')
      .option('--listed', 'show it on Discovery, and offer it as an update')
      .option('--confirm', 'ask nothing, take the latest revision')
      .option('-n, --notes <text>', 'what is new, in Markdown'),
  async run(context, options) {
    checkOptions(options);
    const dir = await findProjectDir(context.io, options.dir);
    const projectId = await findProjectId(dir, options.id);
    const api = await context.api();
    const earlier = await findEarlier(api, projectId, {});
    if (earlier === undefined && !(await confirmFirst(context, options))) return;
    const { spacefile } = parseSpacefile((await readSpacefileText(dir)) ?? '');
    const discovery = await prepareDiscovery(context, dir, spacefile);
    const screenshots = await readScreenshots(dir, discovery.media ?? []);
    const revision = await chooseRevision(context, api, projectId, options);
    const notes = await chooseNotes(context, options, async () => earlier !== undefined && (await findEarlier(api, projectId, { listed: true })) !== undefined);
    const release = await publish(context, api, { projectId, revision, options, notes, discovery, screenshots, autoPwa: spacefile?.autoPwa ?? true });
    const url = release.url || `${dashboardUrl(api.root)}/r/${release.id}`;
    context.done(`Released version ${release.version}${options.listed ? ', listed' : ', only for those who have the link'}.`);
    context.result({ release_id: release.id, version: release.version, revision_tag: revision.tag, listed: options.listed ?? false, url }, `Release: ${url}`);
  },
});

function checkOptions(options: Options): void {
  if (options.confirm && options.rid !== undefined) throw usageFailure('--confirm and --rid exclude each other.', '--confirm takes the latest revision, --rid the one with that tag.');
  for (const name of ['rid', 'version'] as const) if (options[name]?.trim() === '') throw usageFailure(`--${name} is empty.`);
  if ([...(options.notes ?? '')].length > NOTES_MAX_CHARS) throw usageFailure(`--notes has more than ${NOTES_MAX_CHARS} characters.`);
}

async function findEarlier(api: Api, projectId: string, query: { listed?: true }): Promise<WireRelease | undefined> {
  return api.getLatestRelease(projectId, query).catch((error: unknown) => {
    // A project that does not exist is 404 too; the next call says so.
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });
}

async function confirmFirst(context: Context, options: Options): Promise<boolean> {
  if (!context.io.isInteractive || options.confirm) return true;
  context.note('This is the first release of this project. Whoever has its link can install a copy of the app, with data of their own.');
  const isWanted = await context.io.prompts.confirm('Release it?');
  if (!isWanted) context.note('Nothing was released.');
  return isWanted;
}

async function prepareDiscovery(context: Context, dir: string, spacefile: Spacefile | undefined): Promise<NewDiscovery> {
  const loaded = (await readDiscovery(dir)) ?? (await askDiscovery(context, dir));
  for (const warning of loaded?.warnings ?? []) context.note(warning);
  if (loaded === undefined) context.note('No Discovery.md here: the release takes its texts from the project and its Spacefile.');
  const discovery = loaded?.discovery ?? EMPTY_DISCOVERY;
  return discovery.app_name === '' ? { ...discovery, app_name: spacefile?.appName ?? '' } : discovery;
}

async function askDiscovery(context: Context, dir: string): ReturnType<typeof readDiscovery> {
  if (!context.io.isInteractive) return undefined;
  const { prompts } = context.io;
  const app_name = (await prompts.text('Name of the app', { check: lengthCheck(4, 12) })).trim();
  const tagline = (await prompts.text('What it is, in a few words', { check: lengthCheck(4, 69) })).trim();
  await writeDiscovery(dir, { app_name, tagline });
  context.done('Wrote Discovery.md; more can be told there.');
  return readDiscovery(dir);
}

function lengthCheck(min: number, max: number): (value: string) => true | string {
  return (value) => {
    const length = [...value.trim()].length;
    return (length >= min && length <= max) || `${min} to ${max} characters, please; these are ${length}.`;
  };
}

async function chooseRevision(context: Context, api: Api, projectId: string, options: Options): Promise<WireRevision> {
  if (options.rid !== undefined) return (await api.getRevisionByTag(projectId, options.rid.trim())).revision;
  const { revisions } = await api.listRevisions(projectId);
  const [latest] = revisions;
  if (latest === undefined) throw new Failure({ code: 'REVISION_NOT_FOUND', what: 'This project has no revision yet.', remedy: 'Run `space push` first.' });
  if (options.confirm || !context.io.isInteractive) return latest;
  if (await context.io.prompts.confirm(`Release the latest revision, ${latest.tag}?`)) return latest;
  return context.io.prompts.choose('Revision', revisions.map((revision) => ({ name: `${revision.tag}  ${revision.created_at}`, value: revision })));
}

/** People who have the app shall know what an update brings. */
async function chooseNotes(context: Context, options: Options, hasListed: () => Promise<boolean>): Promise<string> {
  if (options.notes !== undefined) return options.notes;
  const isNeeded = options.listed === true && (await hasListed());
  if (context.io.isInteractive && !options.confirm) {
    return context.io.prompts.text(`What is new${isNeeded ? '' : ' (may stay empty)'}`, { check: (text) => (isNeeded ? lengthCheck(1, NOTES_MAX_CHARS)(text) : true) });
  }
  if (isNeeded) throw usageFailure('A listed release after the first needs notes: people read them before they update.', 'Give them: --notes "what is new".');
  return '';
}

interface Publication {
  projectId: string; revision: WireRevision; options: Options; notes: string; discovery: NewDiscovery; autoPwa: boolean;
  screenshots: Awaited<ReturnType<typeof readScreenshots>>;
}

async function publish(context: Context, api: Api, { projectId, revision, options, notes, discovery, screenshots, autoPwa }: Publication): Promise<WireRelease> {
  const spinner = context.io.spin(`Releasing ${revision.tag}`);
  try {
    const { id } = await api.createPromotion({
      revision_id: revision.id, app_id: projectId, version: options.version?.trim() ?? '', release_notes: notes, description: '',
      channel: 'experimental', discovery_list: options.listed ?? false, auto_pwa: autoPwa,
    });
    await api.sendDiscovery(id, discovery);
    await Promise.all(screenshots.map((screenshot, index) => api.sendScreenshot(id, index, screenshot)));
    await followLog(context, api.promotionLogs(id), (own, line) => { if (!line.includes('http')) own.note(line); });
    checkComplete(await awaitEnd(context, () => api.getPromotion(id)), { code: 'RELEASE_FAILED', what: 'The release failed.', remedy: 'Correct what the lines above say, then run `space release` again.' });
    return await api.getRelease(id);
  } finally {
    spinner.stop();
  }
}
