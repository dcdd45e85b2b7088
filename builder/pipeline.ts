// Owns the way from an uploaded archive to the content of a Revision, step by step, each step told to the log.
// Knows no record: whether and how the result becomes a Revision is the Build's business.
import { mkdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import { ENGINES } from '../spacefile-schema/engines.ts';
import type { EngineEntry } from '../spacefile-schema/engines.ts';
import { formatIssues } from '../spacefile-schema/issue.ts';
import { parseSpacefile } from '../spacefile-schema/parse.ts';
import type { Spacefile, SpacefileMicro } from '../spacefile-schema/types.ts';
import type { ArtifactFiles, Artifacts } from './artifact.ts';
import type { Workbench } from './background.ts';
import { withCodings } from './coding.ts';
import { inspectIcon } from './icon.ts';
import type { Icon } from './icon.ts';
import { createPwaIcons } from './pwa-icons.ts';
import type { PwaIcon } from './pwa-icons.ts';
import { createReuse } from './reuse.ts';
import type { EarlierMicro, Reuse } from './reuse.ts';
import { revisionContent } from './revision.ts';
import type { RevisionContent, RevisionMicro } from './revision.ts';
import type { SourceFiles } from './source.ts';
import type { ToolIdentity } from './toolchain/identity.ts';
import { isInside, readInside } from './toolchain/source-file.ts';
import type { Toolchain, ToolchainJob } from './toolchain/toolchain.ts';

export interface PipelineParts {
  artifacts: Artifacts;
  /** By the name that the table of engines gives. */
  toolchains: Record<EngineEntry['toolchain'], Toolchain>;
  identity: ToolIdentity;
}

export interface PipelineJob {
  spaceId: string;
  archivePath: string;
  /** Made and deleted here. */
  folder: string;
  /** The Spacefile that was sent ahead of the archive, if one was. */
  spacefileText?: string;
  icon?: Icon;
  autoPwa: boolean;
  /** Micros of the Project's Revisions, newest first. */
  earlier(): Promise<EarlierMicro[]>;
  report(line: string): void;
  bench: Workbench;
  signal: AbortSignal;
}

const SPACEFILE_MAX_BYTES = 256 * 1024;

/** @throws SpaceErrors that a developer can act on */
export async function runPipeline(job: PipelineJob, parts: PipelineParts): Promise<RevisionContent> {
  const source = join(job.folder, 'source');
  await rm(job.folder, { recursive: true, force: true });
  await mkdir(job.folder, { recursive: true });
  try {
    const files = await job.bench.run('unpack', { path: job.archivePath, folder: source }, job.signal);
    job.report('Parsing Spacefile...');
    const spacefileText = await readSpacefile(source, job.spacefileText);
    const spacefile = parsedSpacefile(spacefileText);
    const micros = await buildMicros(job, spacefile, { ...parts, source, files });
    const icon = job.icon ?? (await iconOfSource(job, spacefile, { ...parts, source }));
    const autoPwa = job.autoPwa && spacefile.autoPwa;
    const pwaIcons = icon && autoPwa ? await pwaIconsOf(job, icon, parts.artifacts) : undefined;
    const content = revisionContent({ spacefileText, spacefile, micros, icon, pwaIcons, autoPwa });
    job.report('All micros built successfully');
    job.report(`Total Size ${(content.totalSizeBytes / 1_000_000).toFixed(2)} MB`);
    return content;
  } finally {
    await rm(job.folder, { recursive: true, force: true });
  }
}

/** The Spacefile that `text` says. @throws SPACEFILE_INVALID with a report that names lines */
export function parsedSpacefile(text: string): Spacefile {
  if (Buffer.byteLength(text) > SPACEFILE_MAX_BYTES) {
    throw new SpaceError('SPACEFILE_INVALID', { report: `It is larger than ${SPACEFILE_MAX_BYTES} bytes.` });
  }
  const { spacefile, issues } = parseSpacefile(text);
  if (spacefile) return spacefile;
  throw new SpaceError('SPACEFILE_INVALID', { report: formatIssues(issues, text), issues });
}

async function readSpacefile(source: string, sentText: string | undefined): Promise<string> {
  const path = join(source, 'Spacefile');
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) {
    if (sentText !== undefined) return sentText;
    throw new SpaceError('SPACEFILE_MISSING');
  }
  if (info.size > SPACEFILE_MAX_BYTES) throw new SpaceError('SPACEFILE_INVALID', { report: `It is larger than ${SPACEFILE_MAX_BYTES} bytes.` });
  const text = await readFile(path, 'utf8');
  if (sentText !== undefined && sentText !== text) {
    throw new SpaceError('SOURCE_INVALID', { reason: 'its Spacefile is not the one that was sent first. Push again without changing files meanwhile' });
  }
  return text;
}

interface SourceParts extends PipelineParts { source: string; files: SourceFiles }

async function buildMicros(job: PipelineJob, spacefile: Spacefile, parts: SourceParts): Promise<RevisionMicro[]> {
  job.report('Scanned micros:');
  for (const micro of spacefile.micros) job.report(`└ ${micro.name}`);
  const works = spacefile.micros.map((micro) => workFor(job, micro, parts.source));
  for (const work of works) await assertFolder(work);
  const reuse = await createReuse(works, { ...parts, earlier: job.earlier });
  const looked = new Set<ToolchainJob>();
  const look = async (work: ToolchainJob): Promise<void> => {
    if (!looked.has(work)) await toolchainOf(work, parts).detect(work);
    looked.add(work);
  };
  for (const work of works) if (!(await reuse.find(work))) await look(work);
  const micros: RevisionMicro[] = [];
  for (const work of works) {
    job.signal.throwIfAborted();
    micros.push((await takeOver(work, reuse)) ?? (await reuse.watch(work, () => look(work).then(() => buildMicro(work, parts)))));
  }
  return micros.map((micro, index) => ({ ...micro, sourceKey: reuse.keyOf(works[index]!) }));
}

function toolchainOf({ micro }: ToolchainJob, { toolchains }: PipelineParts): Toolchain {
  return toolchains[ENGINES[micro.engine].toolchain];
}

async function takeOver(work: ToolchainJob, reuse: Reuse): Promise<RevisionMicro | undefined> {
  const known = await reuse.find(work);
  if (!known) return undefined;
  work.report(`Micro ${work.micro.name} has not changed: taken over from revision ${known.tag}`);
  return revisionMicro(work, known.micro, known.micro.files);
}

async function buildMicro(work: ToolchainJob, parts: SourceParts): Promise<RevisionMicro> {
  // The build of another Micro may have touched it.
  await assertFolder(work);
  work.report(`Building micro ${work.micro.name}...`);
  await mkdir(work.scratchFolder, { recursive: true });
  const toolchain = toolchainOf(work, parts);
  await toolchain.install(work);
  const built = await toolchain.build(work);
  const { artifacts } = parts;
  const { bench, signal } = work;
  const files = await artifacts.putFiles(built.files, { signal, identify: (path) => bench.run('identify', path, signal) });
  const isServed = ENGINES[work.micro.engine].runs === 'static';
  return revisionMicro(work, built, isServed ? await withCodings(files, built.files, { artifacts, bench, signal }) : files);
}

function revisionMicro({ micro }: ToolchainJob, { entry, handlerAt }: Pick<RevisionMicro, 'entry' | 'handlerAt'>, files: ArtifactFiles): RevisionMicro {
  const { name, engine, primary, path, run, serve, presets, publicRoutes, provideActions, actions } = micro;
  return {
    name, engine, primary, path, run, serve, presets, publicRoutes, provideActions, actions,
    runs: ENGINES[engine].runs,
    entry,
    ...(handlerAt !== undefined && { handlerAt }),
    files,
  };
}

function workFor(job: PipelineJob, micro: SpacefileMicro, source: string): ToolchainJob {
  const { spaceId, report, bench, signal } = job;
  return { micro, sourceFolder: source, folder: join(source, micro.src), scratchFolder: join(job.folder, 'scratch', micro.name), spaceId, report, bench, signal };
}

async function assertFolder({ micro, folder, sourceFolder }: ToolchainJob): Promise<void> {
  const [root, place] = await Promise.all([realpath(sourceFolder), realpath(folder).catch(() => undefined)]);
  if (place !== undefined && isInside(root, place) && (await stat(place)).isDirectory()) return;
  throw new SpaceError('BUILD_FAILED', { micro: micro.name, reason: `\`src: ${micro.src}\` is no folder of the source. Check its spelling, and that .spaceignore does not leave it out.` });
}

/** Old clients do not send every kind of icon: then it is taken from the source. A bad one costs no build. */
async function iconOfSource(job: PipelineJob, spacefile: Spacefile, { artifacts, source }: { artifacts: Artifacts; source: string }): Promise<Icon | undefined> {
  if (spacefile.icon === undefined) return undefined;
  const content = await readInside(source, spacefile.icon);
  if (!content) {
    job.report(`Icon \`${spacefile.icon}\` was not found in the source; the app has none.`);
    return undefined;
  }
  try {
    return { ...inspectIcon(content), ...(await artifacts.put({ content })) };
  } catch (error) {
    if (!isSpaceError(error, 'ICON_INVALID')) throw error;
    job.report(error.message);
    return undefined;
  }
}

/** What no icon can be made of is shown as it is. */
async function pwaIconsOf({ report, signal }: PipelineJob, icon: Icon, artifacts: Artifacts): Promise<PwaIcon[]> {
  const icons = await createPwaIcons(icon, { artifacts, signal });
  signal.throwIfAborted();
  if (icons.length === 0) report('The icon could not be brought to the sizes of an installed app; it is offered as it is.');
  return icons;
}
