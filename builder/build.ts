// Owns Builds: the jobs that turn an uploaded source into a Revision, from their first call to their end.
// Knows the steps of a job only as `runBuild`; what runs a Revision is told by a callback.
import { isSpaceError, SpaceError, toSpaceError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import { newId, newRevisionTag } from '../core/ids.ts';
import type { WireJobStatus } from '../core/wire.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { createTable } from '../sandbox-data/store/table.ts';
import type { Table } from '../sandbox-data/store/table.ts';
import type { Artifacts } from './artifact.ts';
import type { BuildEnds } from './build-end.ts';
import type { BuildLogs } from './build-log.ts';
import type { BuildQueue } from './build-queue.ts';
import { BUILD_STEPS, isAwaitingSource, isFinished, statusOf } from './build-state.ts';
import type { BuildEvent, BuildState } from './build-state.ts';
import { inspectIcon } from './icon.ts';
import type { Icon } from './icon.ts';
import { parsedSpacefile } from './pipeline.ts';
import { tookPlace } from './project.ts';
import type { Project } from './project.ts';
import { tagKey } from './revision.ts';
import type { PageOptions, Revisions } from './revision.ts';
import { assertSize, SOURCE_MAX_BYTES } from './source.ts';
import type { Sources } from './sources.ts';

export interface Build {
  /** Also the id of the Revision that it makes. */
  id: string;
  projectId: string;
  spaceId: string;
  state: BuildState;
  status: WireJobStatus;
  /** Reserved in the Project until the Build fails. */
  tag: string;
  /** Why it failed, for a person. */
  error: string | null;
  errorCode: ErrorCode | null;
  autoPwa: boolean;
  spacefileText?: string;
  icon?: Icon;
  /** How often it was started; a host that stops in an orderly way does not count. */
  attempts: number;
  createdAt: string;
}

export interface Builds {
  /** @throws TAG_TAKEN, INVALID_FIELD */
  create(spec: { project: Project; tag?: string; autoPwa?: boolean }): Promise<Build>;
  /** @throws SPACEFILE_INVALID, BUILD_STATE, NOT_FOUND */
  putManifest(id: string, text: string): Promise<Build>;
  /** What the picture is is told from its bytes. @throws ICON_INVALID, BUILD_STATE, NOT_FOUND */
  putIcon(id: string, bytes: Uint8Array, contentType?: string): Promise<Build>;
  /** Clients from before 2023 sent Discovery.md with the push: it is read when a Release is made. Says so in the log.
   *  @throws BUILD_STATE, NOT_FOUND */
  leaveDiscovery(id: string): Promise<void>;
  /** Take the zip and start the job. @param announcedBytes how large it will be, where that is known
   *  @throws SOURCE_TOO_LARGE, SOURCE_INVALID, BUILD_STATE, BUILD_QUEUE_FULL, BUILD_ROOM_FULL, HOST_BUILD_ROOM_FULL, NOT_FOUND */
  putSource(id: string, stream: AsyncIterable<Uint8Array>, announcedBytes?: number): Promise<Build>;
  /** @throws NOT_FOUND when there is none, or it is not of `spaceId` */
  get(id: string, spaceId?: string): Promise<Build>;
  /** Newest first. */
  listByProject(projectId: string, options?: PageOptions): Promise<Build[]>;
  /** Lines of the log; with `follow`, until the job has ended, and then its status is final, or until nobody reads any more.
   *  @throws NOT_FOUND at the first line */
  logs(id: string, options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<string>;
  /** Cancelling what has failed already changes nothing. @throws BUILD_STATE once there is a Revision */
  cancel(id: string): Promise<Build>;
  /** Cancel and forget all Builds of a Project. */
  removeProject(projectId: string): Promise<void>;
}

/** What the parts of a Build share. */
export interface BuildParts {
  store: Store;
  table: BuildTable;
  queue: BuildQueue;
  logs: BuildLogs;
  revisions: Revisions;
  artifacts: Artifacts;
  nextInstant: () => string;
  sources: Sources;
  ends: BuildEnds;
  /** A Build comes soon. */
  prepare(): void;
  /** Stop the job if it runs. */
  abort(id: string): void;
}

export type BuildTable = Table<Build> & {
  /** Move a Build along its table of states. `moved` is false when the event came too late.
   *  @throws BUILD_STATE, NOT_FOUND */
  step(id: string, event: BuildEvent, changes?: (build: Build) => Partial<Build>): Promise<{ build: Build; moved: boolean }>;
  /** End it as failed, unless it has ended. */
  fail(id: string, error: unknown): Promise<void>;
};

const TAG_MAX_CHARACTERS = 64;
const FORGOTTEN_AT_ONCE = 10;
/** Of one Project, with their logs; their Revisions stay. */
const BUILDS_KEPT = 100;

export function createBuildTable(store: Store): BuildTable {
  const table = createTable<Build>(store, 'build', {
    project: { of: (build) => build.projectId, order: (build) => build.createdAt },
    tag: { of: (build) => (build.state === 'failed' ? undefined : tagKey(build.projectId, build.tag)), unique: true },
    unfinished: { of: (build) => (isFinished(build.state) ? undefined : 'yes'), order: (build) => build.createdAt },
  });

  const step: BuildTable['step'] = async (id, event, changes = () => ({})) => {
    let moved = false;
    const build = await table.update(id, (before) => {
      const state = BUILD_STEPS[before.state][event];
      if (state === 'invalid') throw new SpaceError('BUILD_STATE', { state: before.state });
      moved = state !== 'ignore';
      return state === 'ignore' ? undefined : { ...before, ...changes(before), state, status: statusOf(state) };
    });
    if (!build) throw notFound();
    return { build, moved };
  };

  async function fail(id: string, error: unknown): Promise<void> {
    const { message, code } = toSpaceError(error);
    await step(id, 'fail', () => ({ error: message, errorCode: code }));
  }

  return { ...table, step, fail };
}

export function createBuilds(parts: BuildParts): Builds {
  const { table, queue, logs, sources } = parts;

  async function get(id: string, spaceId?: string): Promise<Build> {
    const build = await table.get(id);
    if (!build || (spaceId !== undefined && build.spaceId !== spaceId)) throw notFound();
    return build;
  }

  async function cancel(id: string): Promise<Build> {
    const message = 'The build was cancelled.';
    // The line comes first: a reader who sees the Build as ended reads on no further.
    if (BUILD_STEPS[(await get(id)).state].cancel === 'failed') logs.write(id, message);
    const { build, moved } = await table.step(id, 'cancel', () => ({ error: message }));
    if (!moved) return build;
    queue.remove(id);
    parts.abort(id);
    await sources.remove(id);
    await logs.finish(id);
    return build;
  }

  async function create({ project, tag, autoPwa = true }: { project: Project; tag?: string; autoPwa?: boolean }): Promise<Build> {
    const given = tag ? checkedTag(tag) : undefined;
    await forgetOld(project.id);
    if (given !== undefined) await assertTagFree(parts, project.id, given, cancel);
    for (;;) {
      const build = draft(project, { tag: given ?? newRevisionTag(), autoPwa, createdAt: parts.nextInstant() });
      if (await tookPlace(() => table.insert(build))) return build;
      if (given !== undefined) throw new SpaceError('TAG_TAKEN', { tag: given });
    }
  }

  /** Those that were never given a source end, and those that have ended go, with their logs. */
  async function forgetOld(projectId: string): Promise<void> {
    const builds = await table.list({ by: { index: 'project', value: projectId }, reverse: true, limit: BUILDS_KEPT + FORGOTTEN_AT_ONCE });
    for (const build of builds.slice(BUILDS_KEPT - 1)) {
      if (isAwaitingSource(build.state)) await cancel(build.id);
      else if (!isFinished(build.state)) continue;
      await table.delete(build.id);
      await logs.delete(build.id);
    }
  }

  async function putSource(id: string, stream: AsyncIterable<Uint8Array>, announcedBytes = 0): Promise<Build> {
    const { spaceId } = await get(id);
    // What is refused here can be sent again for the same Build.
    sources.assertRoom(spaceId, Math.min(announcedBytes, SOURCE_MAX_BYTES));
    const release = queue.reserve(spaceId);
    parts.prepare();
    try {
      await table.step(id, 'code');
      await receive({ id, spaceId }, stream, announcedBytes);
      const { build, moved } = await table.step(id, 'queue');
      if (moved) queue.add(build);
      else await sources.remove(id);
      return build;
    } finally {
      release();
    }
  }

  async function receive({ id, spaceId }: Pick<Build, 'id' | 'spaceId'>, stream: AsyncIterable<Uint8Array>, announcedBytes: number): Promise<void> {
    try {
      assertSize(announcedBytes);
      await sources.receive({ id, spaceId }, stream, announcedBytes);
    } catch (error) {
      const known = isSpaceError(error) ? error : uploadCut(error);
      logs.write(id, known.message);
      await parts.ends.end(id, known);
      throw error;
    }
  }

  return {
    create,
    get,
    cancel,
    putSource,
    async putManifest(id, text) {
      await assertStep(get(id), 'manifest');
      parsedSpacefile(text);
      return (await table.step(id, 'manifest', () => ({ spacefileText: text }))).build;
    },
    async leaveDiscovery(id) {
      await assertStep(get(id), 'code');
      logs.write(id, 'Discovery.md came with this push, and was left out: it is read by `space release`.');
    },
    async putIcon(id, bytes) {
      await assertStep(get(id), 'icon');
      const icon = { ...inspectIcon(bytes), ...(await parts.artifacts.put({ content: bytes })) };
      return (await table.step(id, 'icon', () => ({ icon }))).build;
    },
    listByProject: (projectId, { after, limit = 50 } = {}) =>
      table.list({ by: { index: 'project', value: projectId }, reverse: true, after, limit }),
    async *logs(id, { follow = false, signal } = {}) {
      await get(id);
      const isDone = async (): Promise<boolean> => isFinished((await table.get(id))?.state ?? 'failed');
      yield* logs.read(id, { follow, isDone, signal });
    },
    async removeProject(projectId) {
      for (const build of await table.list({ by: { index: 'project', value: projectId } })) {
        if (!isFinished(build.state) && build.state !== 'released') await cancel(build.id);
        await table.delete(build.id);
        await logs.delete(build.id);
      }
    },
  };
}

/** A push that never sent its source does not hold its tag against the next one. */
async function assertTagFree({ table, revisions }: BuildParts, projectId: string, tag: string, cancel: (id: string) => Promise<unknown>): Promise<void> {
  if (await revisions.hasTag(projectId, tag)) throw new SpaceError('TAG_TAKEN', { tag });
  const holder = await table.find('tag', tagKey(projectId, tag));
  if (!holder) return;
  if (!isAwaitingSource(holder.state)) throw new SpaceError('TAG_TAKEN', { tag });
  await cancel(holder.id);
}

async function assertStep(build: Promise<Build>, event: BuildEvent): Promise<void> {
  const { state } = await build;
  if (BUILD_STEPS[state][event] === 'invalid') throw new SpaceError('BUILD_STATE', { state });
}

function draft(project: Project, more: Pick<Build, 'tag' | 'autoPwa' | 'createdAt'>): Build {
  const state = 'created';
  return {
    id: newId('revision'), projectId: project.id, spaceId: project.spaceId, state, status: statusOf(state),
    error: null, errorCode: null, attempts: 0, ...more,
  };
}

function checkedTag(tag: string): string {
  if (tag.length > TAG_MAX_CHARACTERS || !/^[\p{L}\p{N}][\p{L}\p{N}._+-]*$/u.test(tag)) {
    throw new SpaceError('INVALID_FIELD', { field: 'tag', reason: `has 1 to ${TAG_MAX_CHARACTERS} letters, digits, dots, hyphens and underscores` });
  }
  return tag;
}

function uploadCut(cause: unknown): SpaceError {
  return new SpaceError('SOURCE_INVALID', { reason: 'the upload was cut off. Push again' }, { cause });
}

function notFound(): SpaceError {
  return new SpaceError('NOT_FOUND', { what: 'This build' });
}
