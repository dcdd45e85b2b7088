// Owns the endpoints of Projects, which travel under the name `apps`, their Revisions and their data keys.
import type { WireApp, WireRevision } from '../../core/wire.ts';
import type { Project } from '../../builder/project.ts';
import type { Revision } from '../../builder/revision.ts';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { perPage, requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function projectRoutes({ builder, dataKeys, instances, collections }: ApiParts): Route[] {
  /** A Project's data is that of its Builder Instance, from its first push on; what was stored before waits for it. */
  async function collectionOf(project: Project): Promise<string | undefined> {
    return (await instances.builderOf(project.id))?.collectionId ?? (await collections.reservedFor(project.id))?.id;
  }

  async function keptCollectionOf(project: Project): Promise<string> {
    const known = await collectionOf(project);
    if (known !== undefined) return known;
    try {
      return (await collections.reserve(project)).id;
    } catch (error) {
      const made = isSpaceError(error, 'STORE_CONDITION_FAILED') ? await collectionOf(project) : undefined;
      if (made === undefined) throw error;
      return made;
    }
  }

  return [
    api('GET /api/v0/apps', {
      access: 'person',
      handle: async ({ person }) => ({ json: { apps: (await builder.projects.listBySpace(person.id)).map(wireApp) } }),
    }),
    api('POST /api/v0/apps', {
      access: 'person',
      async handle(request) {
        const name = requiredText(await request.json(), 'name');
        return { status: 201, json: wireApp(await builder.projects.create({ spaceId: request.person.id, name })) };
      },
    }),
    api('GET /api/v0/apps/:id', { access: 'person', object: 'project', handle: async (_, project) => ({ json: wireApp(project) }) }),
    api('DELETE /api/v0/apps/:id', {
      access: 'person', object: 'project',
      async handle(_, project) {
        const copies = await instances.ofProject(project.id);
        if (copies.some(({ kind }) => kind === 'builder')) throw new SpaceError('CONFLICT', { reason: 'This project has a Builder Instance: uninstall that first. Its data can be kept.' });
        const isListed = (await builder.releases.latest(project.id, { listed: true })) !== undefined;
        if (isListed && copies.some(({ spaceId }) => spaceId !== project.spaceId)) throw new SpaceError('CONFLICT', { reason: 'Others have installed this app, and a release of it is listed: unlist its releases first.' });
        await builder.projects.delete(project.id);
        await collections.unreserve(project.id);
        return { json: { id: project.id } };
      },
    }),
    api('GET /api/v0/apps/:id/revisions', {
      access: 'person', object: 'project',
      async handle({ query }, project) {
        const limit = perPage(query);
        const found = await builder.revisions.listByProject(project.id, { limit: limit + 1, after: query.get('last') ?? undefined });
        const revisions = found.slice(0, limit);
        return { json: { revisions: revisions.map(wireRevision), page: { size: revisions.length, last: found.length > limit ? revisions.at(-1)?.id ?? null : null } } };
      },
    }),
    api('GET /api/v0/apps/:id/revisions/tag/:tag', {
      access: 'person', object: 'project',
      async handle({ params }, project) {
        const revision = await builder.revisions.byTag(project.id, params['tag'] ?? '');
        if (!revision) throw new SpaceError('REVISION_NOT_FOUND');
        return { json: { revision: wireRevision(revision) } };
      },
    }),
    api('GET /api/v0/apps/:id/keys', {
      access: 'person', object: 'project',
      async handle(_, project) {
        const collectionId = await collectionOf(project);
        const keys = collectionId === undefined ? [] : await dataKeys.list(collectionId);
        return { json: { keys: keys.map(({ name, createdAt }) => ({ name, created_at: createdAt })) } };
      },
    }),
    api('POST /api/v0/apps/:id/keys', {
      access: 'person', object: 'project',
      async handle(request, project) {
        const { name } = await request.json();
        const { key, value } = await dataKeys.create(await keptCollectionOf(project), name);
        return { status: 201, json: { name: key.name, created_at: key.createdAt, value } };
      },
    }),
  ];
}

function wireApp({ id, name, alias, createdAt }: Project): WireApp {
  return { id, name, alias, created_at: createdAt };
}

function wireRevision({ id, projectId, tag, createdAt }: Revision): WireRevision {
  return { id, app_id: projectId, tag, created_at: createdAt };
}
