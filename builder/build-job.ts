// Owns the running of one queued Build, and what a restart does with those that were under way.
// One batch makes a Build's Revision, its development Release and its state; a kill leaves all of them or none.
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpaceError, SpaceError, toSpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { commit } from '../sandbox-data/store/table.ts';
import type { Background } from './background.ts';
import type { Build, BuildParts } from './build.ts';
import { isAwaitingSource } from './build-state.ts';
import { runPipeline } from './pipeline.ts';
import type { PipelineParts } from './pipeline.ts';
import type { Project, Projects } from './project.ts';
import type { Releases } from './release.ts';
import type { EarlierMicro } from './reuse.ts';
import type { Revision } from './revision.ts';

/** Told of each Revision before its Build counts as complete; may be told twice when the host was killed meanwhile.
 *  `report` writes a line into the Build's log. */
export type OnRevision = (project: Project, revision: Revision, report: (line: string) => void) => Promise<void>;

export interface JobParts extends Omit<BuildParts, 'queue' | 'prepare' | 'abort'>, PipelineParts {
  projects: Projects;
  releases: Releases;
  background: Background;
  jobFolder: string;
  log: Log;
  onRevision: OnRevision;
}

/** A Build that is cut off this often is not tried again: it may be what stops the host. */
const MAX_ATTEMPTS = 2;
const COMMIT_ATTEMPTS = 10;
const UPLOAD_PATIENCE_MS = 24 * 60 * 60_000;

/** Why a running job is aborted. */
export type AbortReason = 'cancel' | 'close';

/** Run the job of a Build to its end. Never rejects. */
export async function runBuild(id: string, parts: JobParts, signal: AbortSignal): Promise<void> {
  try {
    const started = await start(id, parts);
    if (!started) return;
    if (started.state === 'running') await makeRevision(started, parts, signal);
    await announce(id, parts);
  } catch (error) {
    await (signal.reason === ('close' satisfies AbortReason) ? putBack(id, parts) : giveUp(id, parts, { error, signal }));
  }
}

async function start(id: string, parts: JobParts): Promise<Build | undefined> {
  const build = await parts.table.get(id);
  if (build?.state !== 'queued') return build?.state === 'released' ? build : undefined;
  const step = await parts.table.step(id, 'run', ({ attempts }) => ({ attempts: attempts + 1 }));
  return step.moved ? step.build : undefined;
}

async function makeRevision(build: Build, parts: JobParts, signal: AbortSignal): Promise<void> {
  const report = (line: string): void => parts.logs.write(build.id, line);
  const startedAt = performance.now();
  const content = await parts.background.lend((bench) => runPipeline({
    spaceId: build.spaceId, archivePath: parts.sources.path(build.id), folder: join(parts.jobFolder, build.id),
    spacefileText: build.spacefileText, icon: build.icon, autoPwa: build.autoPwa, report, bench, signal,
    earlier: () => earlierMicros(build, parts),
  }, parts));
  signal.throwIfAborted();
  const { id, projectId, spaceId, tag } = build;
  const revision: Revision = { id, projectId, spaceId, tag, ...content, developmentReleaseId: newId('release'), createdAt: parts.nextInstant() };
  await commitRevision(revision, parts);
  await parts.sources.remove(id);
  report(`Created revision: ${tag}`);
  parts.log.info('revision.created', { projectId, revisionId: id, durationMs: Math.round(performance.now() - startedAt), totalSizeBytes: revision.totalSizeBytes });
}

/** Back and forth between two states of a source is common; more would only take time to load. */
const REVISIONS_REMEMBERED = 4;

async function earlierMicros({ projectId }: Build, { revisions }: JobParts): Promise<EarlierMicro[]> {
  const found = await revisions.listByProject(projectId, { limit: REVISIONS_REMEMBERED });
  return found.flatMap(({ micros, tag }) => micros.map((micro) => ({ micro, tag })));
}

async function commitRevision(revision: Revision, parts: JobParts): Promise<void> {
  const project = await parts.projects.get(revision.projectId);
  for (let attempt = 1; ; attempt += 1) {
    const before = await parts.table.get(revision.id);
    if (before?.state !== 'running') throw new SpaceError('BUILD_STATE', { state: before?.state ?? 'gone' });
    const after: Build = { ...before, state: 'released' };
    try {
      return await commit(parts.store, parts.table.replaceWrite(before, after), parts.revisions.insertWrite(revision), parts.releases.developmentWrite(revision, project));
    } catch (error) {
      if (!isSpaceError(error, 'STORE_CONDITION_FAILED') || attempt === COMMIT_ATTEMPTS) throw error;
    }
  }
}

/** Tell the runtime, then let the Build be seen as complete. The Revision stands, whatever becomes of its Instance. */
async function announce(id: string, parts: JobParts): Promise<void> {
  const report = (line: string): void => parts.logs.write(id, line);
  try {
    const revision = await parts.revisions.get(id);
    await parts.onRevision(await parts.projects.get(revision.projectId), revision, report);
  } catch (error) {
    parts.log.error('revision.announce-failed', { revisionId: id, error });
    report(`Updating the Builder Instance failed: ${toSpaceError(error).message}`);
  }
  await parts.table.step(id, 'complete');
  await parts.logs.finish(id);
}

async function giveUp(id: string, parts: JobParts, { error, signal }: { error: unknown; signal: AbortSignal }): Promise<void> {
  await parts.sources.remove(id).catch((second: unknown) => parts.log.warn('build.source-not-removed', { buildId: id, error: second }));
  if (signal.aborted) return parts.logs.finish(id);
  const known = toSpaceError(error);
  if (known.blame === 'platform') parts.log.error('build.failed', { buildId: id, error });
  parts.logs.write(id, known.message);
  await parts.ends.end(id, known);
}

/** The host stops: the Build waits for the next start. */
async function putBack(id: string, parts: JobParts): Promise<void> {
  await parts.table.step(id, 'interrupt', ({ attempts }) => ({ attempts: attempts - 1 })).catch((error: unknown) => {
    parts.log.warn('build.put-back-failed', { buildId: id, error });
  });
}

/** Clear what a killed host left, and decide each Build that had not ended.
 *  @returns those that shall run now, oldest first */
export async function recoverBuilds(parts: JobParts & { now: number }): Promise<Build[]> {
  await rm(parts.jobFolder, { recursive: true, force: true });
  const runnable: Build[] = [];
  for (const build of await parts.table.list({ by: { index: 'unfinished', value: 'yes' } })) {
    const recovered = await recover(build, parts);
    if (recovered) runnable.push(recovered);
    else if (!isAwaitingSource(build.state)) await parts.logs.finish(build.id);
  }
  await parts.sources.keepOnly(runnable.filter(({ state }) => state === 'queued'));
  return runnable;
}

async function recover(build: Build, parts: JobParts & { now: number }): Promise<Build | undefined> {
  if (build.state === 'released') return build;
  if (isAwaitingSource(build.state)) {
    if (parts.now - Date.parse(build.createdAt) > UPLOAD_PATIENCE_MS) await failRecovered(build, parts, 'no source was sent for a day');
    return undefined;
  }
  if (build.state === 'code') return failRecovered(build, parts, 'the host restarted during the upload. Push again');
  const hasSource = await access(parts.sources.path(build.id)).then(() => true, () => false);
  if (!hasSource || (build.state === 'running' && build.attempts >= MAX_ATTEMPTS)) {
    return failRecovered(build, parts, 'the host restarted during this build. Push again');
  }
  if (build.state === 'queued') return build;
  parts.logs.write(build.id, 'The host restarted during this build; it starts again.');
  return (await parts.table.step(build.id, 'interrupt')).build;
}

async function failRecovered(build: Build, parts: JobParts, reason: string): Promise<undefined> {
  const error = new SpaceError('BUILD_INTERRUPTED', { reason });
  parts.logs.write(build.id, error.message);
  await parts.table.fail(build.id, error);
}
