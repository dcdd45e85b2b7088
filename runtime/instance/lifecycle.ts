// Owns what people and pushes may ask of Instances: install a Release, take an update, follow a push. The one place that
// says which Release fits which Instance; the jobs themselves are Installations.
import { isSpaceError, orMissing, SpaceError } from '../../core/errors.ts';
import type { Project } from '../../builder/project.ts';
import type { Release, Releases } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Space } from '../auth/space.ts';
import type { Collections } from './collection.ts';
import type { Installation, Installations } from './installation.ts';
import { INSTANCES_MAX, type Instance, type Instances } from './instance.ts';

export interface LifecycleParts {
  instances: Instances;
  installations: Installations;
  collections: Pick<Collections, 'assertRoom'>;
  releases: Releases;
  project(id: string): Promise<Project>;
}

export interface Lifecycle {
  /** A new Instance in this person's Space. @throws RELEASE_NOT_FOUND, COUNT_LIMIT */
  install(person: Space, releaseId: string): Promise<Installation>;
  /** Another Release of the same app. @throws RELEASE_NOT_FOUND, CONFLICT, INSTALLATION_RUNNING */
  update(instance: Instance, releaseId: string, options?: { isUnchecked?: boolean }): Promise<Installation>;
  /** The Release of this id, where this Instance may be updated to it. @throws RELEASE_NOT_FOUND, CONFLICT */
  suitable(instance: Instance, releaseId: string): Promise<Release>;
  /** The listed Release that this Instance could be updated to. */
  offer(instance: Instance): Promise<Release | undefined>;
  /** A push is built: put it on the Project's Builder Instance, making that on the first push. Its job's failure is the
   *  Installation's to tell, not the Build's. */
  followPush(project: Project, revision: Revision): Promise<void>;
}

export function createLifecycle(parts: LifecycleParts): Lifecycle {
  const { instances, installations, releases } = parts;

  /** A Release that this person may install: development Releases are for Builder Instances only. */
  async function installable(id: string): Promise<Release> {
    const release = await releases.get(id);
    if (release.channel !== 'experimental') throw new SpaceError('RELEASE_NOT_FOUND');
    if (release.deletedRevision) throw new SpaceError('REVISION_DELETED', { tag: release.tag });
    return release;
  }

  async function suitable(instance: Instance, releaseId: string): Promise<Release> {
    const release = await installable(releaseId);
    if (instance.kind === 'builder') throw new SpaceError('CONFLICT', { reason: 'A Builder Instance follows its pushes: use `space push`.' });
    if (release.projectId !== instance.projectId) throw new SpaceError('CONFLICT', { reason: 'That release is of another app.' });
    return release;
  }

  return {
    async install(person, releaseId) {
      const release = await installable(releaseId);
      // Copies that are there outlive their Project; there are no new ones.
      const project = await orMissing(parts.project(release.projectId));
      if (!project) throw new SpaceError('RELEASE_NOT_FOUND');
      if ((await instances.list(person.id)).length >= INSTANCES_MAX) throw new SpaceError('COUNT_LIMIT', { limit: INSTANCES_MAX, what: 'apps', remedy: 'Uninstall one that you no longer need.' });
      await parts.collections.assertRoom(person.id);
      return installations.install({
        spaceId: person.id, projectId: project.id, kind: 'installed', alias: project.alias,
        appName: release.discovery.appName, releaseId: release.id, version: release.version,
      });
    },
    suitable,
    update: async (instance, releaseId, options) => installations.update(instance, await suitable(instance, releaseId), options),
    async offer(instance) {
      if (instance.kind === 'builder' || instance.state === 'removing') return undefined;
      const latest = await releases.latest(instance.projectId, { listed: true });
      if (!latest || latest.id === instance.releaseId) return undefined;
      const current = await releases.summary(instance.releaseId);
      return !current || latest.createdAt > current.createdAt ? orMissing(releases.get(latest.id)) : undefined;
    },
    async followPush(project, revision) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await place(project, revision);
          return;
        } catch (error) {
          // Another push of this Project was faster: follow it.
          if (!isSpaceError(error, 'INSTALLATION_RUNNING') || attempt === ATTEMPTS) throw error;
        }
      }
    },
  };

  async function place(project: Project, revision: Revision): Promise<void> {
    const release = await releases.get(revision.developmentReleaseId);
    const known = await instances.builderOf(project.id);
    if (known) await afterOpenJob(installations, known.id);
    const instance = known && (await instances.builderOf(project.id));
    if (instance) {
      await installations.update(instance, release);
    } else {
      await installations.install({
        spaceId: project.spaceId, projectId: project.id, kind: 'builder', alias: project.alias,
        appName: revision.appName ?? project.name, releaseId: release.id, version: release.version,
      });
    }
  }
}

/** Pushes at the same time that one waits for. */
const ATTEMPTS = 10;

/** Pushes that overtake each other wait their turn. */
async function afterOpenJob(installations: Installations, instanceId: string): Promise<void> {
  const open = await installations.openFor(instanceId);
  if (open) await installations.ended(open.id);
}
