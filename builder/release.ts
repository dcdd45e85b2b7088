// Owns Releases: a Revision made available under a version, with notes and the texts by which it is presented.
// Knows no Instance: who installs one is the runtime's business.
import { SpaceError } from '../core/errors.ts';
import { newId, newReleaseVersion } from '../core/ids.ts';
import type { WireChannel } from '../core/wire.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { commit, contended, createTable } from '../sandbox-data/store/table.ts';
import type { Table, Write } from '../sandbox-data/store/table.ts';
import type { Artifacts } from './artifact.ts';
import { checkedDiscovery } from './discovery.ts';
import type { Discovery } from './discovery.ts';
import { inspectScreenshot } from './icon.ts';
import type { Icon } from './icon.ts';
import { tookPlace } from './project.ts';
import type { Project } from './project.ts';
import { createReleaseSummaries } from './release-summary.ts';
import type { ReleaseSummary } from './release-summary.ts';
import { assertNotDeleted } from './revision.ts';
import type { PageOptions, Revision } from './revision.ts';

/** `development` comes with every Revision and is for its developer; `experimental` is what others install. */
export interface Release {
  id: string;
  projectId: string;
  /** The author's Space. */
  spaceId: string;
  revisionId: string;
  tag: string;
  version: string;
  notes: string;
  channel: WireChannel;
  /** Found by everybody in Discovery; updates are offered for listed ones only. */
  listed: boolean;
  /** A Release is whole when it exists. */
  status: 'complete';
  discovery: Discovery;
  /** False while `discovery` holds no more than what Project and Spacefile say. */
  hasOwnTexts: boolean;
  /** By their position. */
  screenshots: Record<string, Icon | { url: string }>;
  icon?: Icon;
  createdAt: string;
  /** Its Revision was deleted. */
  deletedRevision?: true;
}

export interface ReleaseSpec { revision: Revision; project: Project; version?: string; notes?: string; listed?: boolean; discovery?: Partial<Discovery> }

export interface Releases {
  /** One on channel `experimental`. @throws RELEASE_NOTES_INVALID, INVALID_FIELD, REVISION_DELETED, VERSION_TAKEN, COUNT_LIMIT */
  create(spec: ReleaseSpec): Promise<Release>;
  /** @throws RELEASE_NOT_FOUND when there is none, or it is not of `spaceId` */
  get(id: string, spaceId?: string): Promise<Release>;
  /** What is listed of one that others may install. */
  summary(id: string): Promise<ReleaseSummary | undefined>;
  /** The newest on channel `experimental`, of all or of those that are listed. */
  latest(projectId: string, options?: { listed?: boolean }): Promise<ReleaseSummary | undefined>;
  /** On channel `experimental`, newest first. */
  listByProject(projectId: string, options?: PageOptions & { listed?: boolean }): Promise<ReleaseSummary[]>;
  /** Of this Revision, newest first: its development Release is the last one. */
  listByRevision(revisionId: string): Promise<Release[]>;
  /** Listed Releases of everybody, newest first. */
  listListed(options?: PageOptions): Promise<ReleaseSummary[]>;
  /** @throws INVALID_FIELD, RELEASE_NOT_FOUND */
  putDiscovery(id: string, discovery: Partial<Discovery>): Promise<Release>;
  /** Position `index` from 0; a picture, or the address of one. @throws ICON_INVALID, INVALID_FIELD, RELEASE_NOT_FOUND */
  putScreenshot(id: string, index: number, content: Uint8Array | { url: string }): Promise<Release>;
  /** Copies that are installed stay as they are. @throws RELEASE_NOT_FOUND */
  unlist(id: string): Promise<Release>;
  /** All of a Project. */
  unlistProject(projectId: string): Promise<void>;
  /** Its version is never used for other content. @throws RELEASE_NOT_FOUND */
  delete(id: string): Promise<void>;
  /** Make every Release of a Revision one that nobody can install, in one batch with `more`.
   *  @returns false when somebody else was faster: nothing changed */
  withdraw(revisionId: string, more: Write): Promise<boolean>;
  /** Be told of the Project whenever a Release of it has changed: what was computed from them before holds no more. */
  onChange(listener: (projectId: string) => void): void;
  /** Releases that an older host made can be listed and found. Before the first of all other calls. */
  open(): Promise<void>;
  /** What a follower of the release job reads; the address of its page is the runtime's to add. */
  logs(id: string): AsyncIterable<string>;
  /** The part of a batch by which a Revision's development Release comes into being. */
  developmentWrite(revision: Revision, project: Project): Write;
}

const NOTES_MAX_CHARACTERS = 4250;
const VERSION_MAX_CHARACTERS = 64;
const MAX_SCREENSHOTS = 5;
const FILLED_AT_ONCE = 100;

export function createReleases(store: Store, artifacts: Artifacts, nextInstant: () => string): Releases {
  const order = (release: Release): string => release.createdAt;
  const table = createTable<Release>(store, 'release', {
    project: { of: (release) => release.projectId, order },
    revision: { of: (release) => release.revisionId, order },
  });
  const summaries = createReleaseSummaries(store);
  const versions = createTable<VersionClaim>(store, 'release-version');
  const listeners: ((projectId: string) => void)[] = [];
  const tell = ({ projectId }: Release): void => listeners.forEach((listener) => listener(projectId));

  async function change(id: string, changed: (release: Release) => Release): Promise<Release> {
    const after = await contended(async () => {
      const before = await get(id);
      const release = changed(before);
      await commit(store, table.replaceWrite(before, release), ...(await summaries.writes(release)));
      return release;
    });
    tell(after);
    return after;
  }

  async function get(id: string, spaceId?: string): Promise<Release> {
    const release = await table.get(id);
    if (!release || (spaceId !== undefined && release.spaceId !== spaceId)) throw new SpaceError('RELEASE_NOT_FOUND');
    return release;
  }

  const listByRevision = (revisionId: string): Promise<Release[]> => table.list({ by: { index: 'revision', value: revisionId }, reverse: true });

  return {
    get,
    async create(spec) {
      assertNotDeleted(spec.revision);
      await summaries.assertRoom({ projectId: spec.project.id, spaceId: spec.project.spaceId });
      for (let attempt = 1; ; attempt += 1) {
        const release = draft(spec, { id: newId('release'), channel: 'experimental', createdAt: nextInstant() });
        const claims = await claimVersion(versions, release, spec.revision);
        const made = [table.insertWrite(release), ...(await summaries.writes(release)), ...claims];
        if (await tookPlace(() => commit(store, ...made))) {
          tell(release);
          return release;
        }
        if (attempt === CLAIM_ATTEMPTS) throw new SpaceError('VERSION_TAKEN', { version: release.version });
      }
    },
    summary: (id) => summaries.get(id),
    latest: async (projectId, { listed } = {}) => (await summaries.ofProject(projectId, { listed, limit: 1 }))[0],
    listByProject: (projectId, options) => summaries.ofProject(projectId, options),
    listByRevision,
    listListed: (options) => summaries.listed(options),
    putDiscovery: (id, given) => change(id, (release) => {
      const { appName, title } = release.discovery;
      const discovery = checkedDiscovery({ ...given, appName: given.appName || appName, title: given.title || title });
      return { ...release, discovery, hasOwnTexts: hasTexts(given) };
    }),
    async putScreenshot(id, index, content) {
      if (!Number.isInteger(index) || index < 0 || index >= MAX_SCREENSHOTS) {
        throw new SpaceError('INVALID_FIELD', { field: 'index', reason: `is not one of 0 to ${MAX_SCREENSHOTS - 1}` });
      }
      await get(id);
      const screenshot = await storeScreenshot(content, artifacts);
      return change(id, (release) => ({ ...release, screenshots: { ...release.screenshots, [index]: screenshot } }));
    },
    unlist: (id) => change(id, (release) => ({ ...release, listed: false })),
    async unlistProject(projectId) {
      for (let found = await summaries.ofProject(projectId, { listed: true }); found.length > 0; found = await summaries.ofProject(projectId, { listed: true })) {
        for (const { id } of found) await change(id, (current) => ({ ...current, listed: false }));
      }
    },
    async delete(id) {
      const gone = await contended(async () => {
        const release = await get(id);
        await commit(store, table.deleteWrite(release), ...(await summaries.deleteWrites(id)));
        return release;
      });
      tell(gone);
    },
    async withdraw(revisionId, more) {
      const found = (await listByRevision(revisionId)).map((before) => ({ before, after: { ...before, listed: false, deletedRevision: true } as const }));
      const shown = await Promise.all(found.map(({ after }) => summaries.writes(after)));
      const isDone = await tookPlace(() => commit(store, more, ...found.map(({ before, after }) => table.replaceWrite(before, after)), ...shown.flat()));
      if (isDone) found.forEach(({ after }) => tell(after));
      return isDone;
    },
    onChange: (listener) => void listeners.push(listener),
    open: () => summaries.fill((after) => table.list({ after, limit: FILLED_AT_ONCE })),
    async *logs(id) {
      yield* logLines(await get(id));
    },
    developmentWrite: (revision, project) => table.insertWrite(
      draft({ revision, project }, { id: revision.developmentReleaseId, channel: 'development', createdAt: revision.createdAt }),
    ),
  };
}

/** Which content a version of a Project stands for. */
interface VersionClaim { id: string; contentHash: string }

/** Releases of one version at the same time. */
const CLAIM_ATTEMPTS = 5;

/** @throws VERSION_TAKEN */
async function claimVersion(versions: Table<VersionClaim>, { projectId, version }: Release, { contentHash }: Revision): Promise<Write[]> {
  const claim: VersionClaim = { id: `${projectId}/${version}`, contentHash };
  const known = await versions.get(claim.id);
  if (!known) return [versions.insertWrite(claim)];
  if (known.contentHash !== contentHash) throw new SpaceError('VERSION_TAKEN', { version });
  return [];
}

function draft(spec: ReleaseSpec, identity: Pick<Release, 'id' | 'channel' | 'createdAt'>): Release {
  const { revision, project, version, notes = '', listed = false, discovery } = spec;
  if ([...notes].length > NOTES_MAX_CHARACTERS) throw new SpaceError('RELEASE_NOTES_INVALID', { limit: NOTES_MAX_CHARACTERS });
  const appName = revision.appName ?? project.name;
  return {
    ...identity,
    projectId: project.id,
    spaceId: project.spaceId,
    revisionId: revision.id,
    tag: revision.tag,
    version: checkedVersion(version?.trim() || defaultVersion(identity.channel, revision)),
    notes,
    listed,
    status: 'complete',
    discovery: checkedDiscovery({ ...discovery, appName: discovery?.appName || appName, title: discovery?.title || appName }),
    hasOwnTexts: discovery !== undefined && hasTexts(discovery),
    screenshots: {},
    ...(revision.icon && { icon: revision.icon }),
  };
}

/** Old clients send all fields, empty ones too. */
function hasTexts({ tagline, contentRaw }: Partial<Discovery>): boolean {
  return Boolean(tagline || contentRaw);
}

function defaultVersion(channel: WireChannel, revision: Revision): string {
  return channel === 'development' ? revision.tag : newReleaseVersion();
}

function checkedVersion(version: string): string {
  const field = 'version';
  if ([...version].length > VERSION_MAX_CHARACTERS) throw new SpaceError('INVALID_FIELD', { field, reason: `has more than ${VERSION_MAX_CHARACTERS} characters` });
  if (/\p{Cc}/u.test(version)) throw new SpaceError('INVALID_FIELD', { field, reason: 'has a control character' });
  return version;
}

async function storeScreenshot(content: Uint8Array | { url: string }, artifacts: Artifacts): Promise<Icon | { url: string }> {
  if (content instanceof Uint8Array) {
    const picture = inspectScreenshot(content);
    return { ...picture, ...(await artifacts.put({ content })) };
  }
  return { url: checkedDiscovery({ homepage: content.url }).homepage };
}

/** @source reference 7.3, observed lines. No line contains an address: old clients would take it for the result. */
function* logLines(release: Release): Iterable<string> {
  yield 'creating release...';
  if (release.listed && !release.hasOwnTexts) {
    yield `no Discovery.md was sent: the listing shows the name \`${release.discovery.appName}\` from the Spacefile or the project, and no description`;
  }
  yield release.listed ? 'publishing release, listed in Discovery...' : 'publishing release, open to those who have its link...';
  yield `released: ${release.version} (${release.tag})`;
}

