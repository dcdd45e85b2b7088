// Owns Revisions: immutable packages of an app, the one thing at which Builder and Runtime meet.
// Knows not how one is built, nor what runs it.
import { createHash } from 'node:crypto';
import { SpaceError } from '../core/errors.ts';
import type { EngineEntry } from '../spacefile-schema/engines.ts';
import type { Spacefile, SpacefileMicro } from '../spacefile-schema/types.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { createTable } from '../sandbox-data/store/table.ts';
import type { Write } from '../sandbox-data/store/table.ts';
import { hashFiles, sizeOfFiles } from './artifact.ts';
import type { ArtifactFiles } from './artifact.ts';
import type { Icon } from './icon.ts';
import type { PwaIcon } from './pwa-icons.ts';

export interface RevisionMicro extends Pick<SpacefileMicro,
  'name' | 'engine' | 'primary' | 'path' | 'run' | 'serve' | 'presets' | 'publicRoutes' | 'provideActions' | 'actions'> {
  runs: EngineEntry['runs'];
  /** Path in `files` of what is started; `''` for static. */
  entry: string;
  /** Line and column in `entry` at which its handler is declared, where that is known. */
  handlerAt?: string;
  files: ArtifactFiles;
  /** By which a later push finds that this Micro needs no build. */
  sourceKey?: string;
}

export interface Revision {
  /** The id of the Build that made it. */
  id: string;
  projectId: string;
  spaceId: string;
  /** Unique in the Project. */
  tag: string;
  spacefileText: string;
  appName?: string;
  autoPwa: boolean;
  micros: RevisionMicro[];
  icon?: Icon;
  /** The icon in the sizes that an installed app needs. */
  pwaIcons?: PwaIcon[];
  /** Equal for equal Spacefiles and files, whoever built them and whenever. */
  contentHash: string;
  totalSizeBytes: number;
  /** The Release on channel `development` that came into being with it. */
  developmentReleaseId: string;
  createdAt: string;
  /** Its developer took it back: it can be neither released nor installed. What runs it runs on, and its tag is never used
   *  for another one. */
  deletedAt?: string;
}

/** What a build yields of a Revision; the rest is identity. */
export type RevisionContent = Pick<Revision, 'spacefileText' | 'appName' | 'autoPwa' | 'micros' | 'icon' | 'pwaIcons' | 'contentHash' | 'totalSizeBytes'>;

export interface PageOptions { after?: string; limit?: number }

export interface Revisions {
  /** @throws REVISION_NOT_FOUND when there is none, or it is not of `spaceId` */
  get(id: string, spaceId?: string): Promise<Revision>;
  /** @throws REVISION_NOT_FOUND, REVISION_DELETED */
  byTag(projectId: string, tag: string): Promise<Revision>;
  /** Newest first, without deleted ones; `after` is the last id of the page before. */
  listByProject(projectId: string, options?: PageOptions): Promise<Revision[]>;
  hasTag(projectId: string, tag: string): Promise<boolean>;
  /** The part of a batch that makes it exist. */
  insertWrite(revision: Revision): Write;
  /** The part of a batch that marks it as deleted. */
  deleteWrite(revision: Revision, deletedAt: string): Write;
}

/** @throws REVISION_DELETED */
export function assertNotDeleted({ tag, deletedAt }: Pick<Revision, 'tag' | 'deletedAt'>): void {
  if (deletedAt !== undefined) throw new SpaceError('REVISION_DELETED', { tag });
}

export function createRevisions(store: Store): Revisions {
  const table = createTable<Revision>(store, 'revision', {
    tag: { of: (revision) => tagKey(revision.projectId, revision.tag), unique: true },
    project: { of: (revision) => (revision.deletedAt === undefined ? revision.projectId : undefined), order: (revision) => revision.createdAt },
  });

  return {
    insertWrite: table.insertWrite,
    deleteWrite: (revision, deletedAt) => table.replaceWrite(revision, { ...revision, deletedAt }),
    async get(id, spaceId) {
      const revision = await table.get(id);
      if (!revision || (spaceId !== undefined && revision.spaceId !== spaceId)) throw new SpaceError('REVISION_NOT_FOUND');
      return revision;
    },
    async byTag(projectId, tag) {
      const revision = await table.find('tag', tagKey(projectId, tag));
      if (!revision) throw new SpaceError('REVISION_NOT_FOUND');
      assertNotDeleted(revision);
      return revision;
    },
    listByProject: (projectId, { after, limit = 50 } = {}) =>
      table.list({ by: { index: 'project', value: projectId }, reverse: true, after, limit }),
    hasTag: async (projectId, tag) => (await table.find('tag', tagKey(projectId, tag))) !== undefined,
  };
}

/** The key under which a Project's tag is unique, for Builds and Revisions alike. */
export function tagKey(projectId: string, tag: string): string {
  return `${projectId}/${tag}`;
}

/** Everything of a Revision that follows from its Spacefile, its files and its icon. */
export function revisionContent(source: { spacefileText: string; spacefile: Spacefile; micros: RevisionMicro[]; icon?: Icon; pwaIcons?: PwaIcon[]; autoPwa: boolean }): RevisionContent {
  const { spacefileText, spacefile, micros, icon, pwaIcons, autoPwa } = source;
  const hash = createHash('sha256').update(JSON.stringify([spacefileText, autoPwa, icon?.hash ?? null]));
  for (const micro of micros) hash.update(JSON.stringify([micro.name, micro.entry, hashFiles(micro.files)]));
  return {
    spacefileText,
    ...(spacefile.appName !== undefined && { appName: spacefile.appName }),
    autoPwa,
    micros,
    ...(icon && { icon }),
    ...(pwaIcons && { pwaIcons }),
    contentHash: hash.digest('hex'),
    totalSizeBytes: micros.reduce((sum, micro) => sum + sizeOfFiles(micro.files), 0),
  };
}
