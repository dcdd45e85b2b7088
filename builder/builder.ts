// Owns how the parts of the Builder are put together, and their start and end. What runs a Revision is not known here:
// it is told through `onRevision`.
import { dirname, join } from 'node:path';
import { isoTime } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { SpaceError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Boxes } from '../sandbox/box.ts';
import type { BlobStore } from '../sandbox-data/blob/blob-store.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { createArtifacts } from './artifact.ts';
import type { Artifacts } from './artifact.ts';
import { createBackground } from './background.ts';
import { createBuilds, createBuildTable } from './build.ts';
import type { Builds } from './build.ts';
import { recoverBuilds, runBuild } from './build-job.ts';
import type { AbortReason, JobParts, OnRevision } from './build-job.ts';
import { createBuildEnds } from './build-end.ts';
import { createBuildLogs } from './build-log.ts';
import { createBuildQueue } from './build-queue.ts';
import { createProjects } from './project.ts';
import type { Projects } from './project.ts';
import { createReleases } from './release.ts';
import type { Releases } from './release.ts';
import { createRevisions } from './revision.ts';
import type { Revisions } from './revision.ts';
import { createSources } from './sources.ts';
import type { SourceRoom } from './sources.ts';
import type { BuildLimits } from './toolchain/box-workshop.ts';
import { createCustomToolchain } from './toolchain/custom.ts';
import { createToolIdentity } from './toolchain/identity.ts';
import { createIsolateToolchain } from './toolchain/isolate.ts';
import { createNodeToolchain } from './toolchain/node.ts';
import type { PackageTools } from './toolchain/package-tools.ts';
import { createPythonToolchain } from './toolchain/python.ts';
import { createStaticToolchain } from './toolchain/static.ts';

export interface BuilderOptions {
  /** The host's own records. */
  store: Store;
  /** Content of Revisions and nothing else. */
  artifacts: BlobStore;
  /** Sources, logs, caches; kept between starts, used by one Builder at a time. */
  workFolder: string;
  log: Log;
  clock: Clock;
  /** How npm is started; `['npm']` on `toolPath` by default. */
  npmCommand?: readonly string[];
  /** PATH of the programs that a build starts. */
  toolPath?: string;
  /** Variables that package managers see besides PATH and HOME, such as NODE_EXTRA_CA_CERTS, HTTPS_PROXY or
   *  npm_config_registry. None by default; never secrets. */
  toolEnv?: Readonly<Record<string, string>>;
  /** Run what sources say without a sandbox: it can do whatever the host can. */
  allowsCommands?: boolean;
  /** The sandbox for it otherwise; undefined where this machine has none. */
  boxes?(): Promise<Boxes | undefined>;
  /** Hosts that a build may reach beside package registries. */
  buildHosts?: readonly string[];
  buildLimits?: Partial<BuildLimits>;
  /** Of sources that wait. */
  sourceRoom?: SourceRoom;
  onRevision?: OnRevision;
}

export interface Builder {
  projects: Projects;
  builds: Builds;
  revisions: Revisions;
  releases: Releases;
  artifacts: Artifacts;
  /** It and its Releases can no longer be installed; copies that run it go on. @throws REVISION_NOT_FOUND */
  deleteRevision(id: string): Promise<void>;
  /** Stop at once; what runs starts again with the next Builder over the same Store and folder. */
  close(): Promise<void>;
}

/** Before it resolves, Builds that a previous host left are decided: run again, or failed with the reason. */
export async function createBuilder(options: BuilderOptions): Promise<Builder> {
  const { store, log, clock, workFolder } = options;
  const nextInstant = instants(clock);
  const artifacts = createArtifacts(options.artifacts);
  const projects = createProjects(store, nextInstant);
  const revisions = createRevisions(store);
  const releases = createReleases(store, artifacts, nextInstant);
  await releases.open();
  const logs = await createBuildLogs(join(workFolder, 'logs'));
  const tools = packageTools(options);
  const background = createBackground();
  const table = createBuildTable(store);
  const parts: JobParts = {
    store, background, log, artifacts, projects, revisions, releases, logs, nextInstant,
    table,
    ends: createBuildEnds({ table, logs, clock, log }),
    sources: await createSources(join(workFolder, 'sources'), options.sourceRoom),
    jobFolder: join(workFolder, 'jobs'),
    toolchains: createToolchains(tools),
    identity: createToolIdentity(tools),
    onRevision: options.onRevision ?? (async () => {}),
  };
  const jobs = new Map<string, AbortController>();
  const abort = (id: string, reason: AbortReason): void => jobs.get(id)?.abort(reason);
  const queue = createBuildQueue({
    async run({ id }) {
      const controller = new AbortController();
      jobs.set(id, controller);
      await runBuild(id, parts, controller.signal).finally(() => jobs.delete(id));
    },
  });
  const builds = createBuilds({ ...parts, queue, prepare: background.prepare, abort: (id) => abort(id, 'cancel') });
  for (const build of await recoverBuilds({ ...parts, now: clock.now() })) queue.add(build);

  return {
    projects: { ...projects, delete: (id) => deleteProject(id, { projects, builds, releases }) },
    builds,
    revisions,
    releases,
    artifacts,
    deleteRevision: (id) => deleteRevision(id, parts),
    async close() {
      const ended = queue.close();
      for (const id of jobs.keys()) abort(id, 'close');
      await ended;
      parts.ends.close();
      await background.close();
      await logs.close();
    },
  };
}

/** Revisions and Releases stay: copies that are installed go on. */
async function deleteProject(id: string, { projects, builds, releases }: Pick<Builder, 'projects' | 'builds' | 'releases'>): Promise<void> {
  await builds.removeProject(id);
  await releases.unlistProject(id);
  await projects.delete(id);
}

const DELETE_ATTEMPTS = 10;

async function deleteRevision(id: string, { revisions, releases, nextInstant }: JobParts): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const revision = await revisions.get(id);
    if (revision.deletedAt !== undefined) return;
    if (await releases.withdraw(id, revisions.deleteWrite(revision, nextInstant()))) return;
    if (attempt === DELETE_ATTEMPTS) throw new SpaceError('STORE_CONDITION_FAILED');
  }
}

function packageTools(options: BuilderOptions): PackageTools {
  const { boxes, buildHosts, buildLimits } = options;
  const [program = 'npm', ...args] = options.npmCommand ?? [];
  const toolPath = options.toolPath ?? `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  return {
    npmCommand: [program, ...args], toolPath, toolEnv: options.toolEnv ?? {}, cacheFolder: join(options.workFolder, 'cache'), allowsCommands: options.allowsCommands ?? false,
    ...(boxes && { boxes }), ...(buildHosts && { buildHosts }), ...(buildLimits && { buildLimits }),
  };
}

function createToolchains(tools: PackageTools): JobParts['toolchains'] {
  return { static: createStaticToolchain(tools), isolate: createIsolateToolchain(tools), node: createNodeToolchain(tools), python: createPythonToolchain(tools), custom: createCustomToolchain(tools) };
}

/** Instants that never repeat, so that what is made later sorts later. */
function instants(clock: Clock): () => string {
  let last = 0;
  return () => {
    last = Math.max(clock.now(), last + 1);
    return isoTime(last);
  };
}
