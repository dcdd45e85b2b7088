// Owns the endpoints of Releases, which travel under two names: as `promotions` while they are made, as `releases` after.
import type { WireListedApp, WirePromotion } from '../../core/wire.ts';
import type { Discovery } from '../../builder/discovery.ts';
import type { Release } from '../../builder/release.ts';
import { isSpaceError, orMissing, SpaceError } from '../../core/errors.ts';
import { oneOf, optionalFlag, optionalText, optionalTexts, perPage, requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { createReleaseWire } from './release-wire.ts';
import { api, type Route } from './route.ts';
import { SHELF_SORTS, type Shelf } from './shelf.ts';

const SCREENSHOT_MAX_BYTES = 4 * 1024 * 1024;

export function releaseRoutes({ builder, spaces, addresses, instances, log }: ApiParts, shelf: Shelf): Route[] {
  const { pageUrl, wireRelease, wireReleases } = createReleaseWire({ builder, spaces, addresses }, shelf);

  /** @throws RELEASE_NOT_FOUND, for what is not listed too */
  async function listedBy(author: string, alias: string): Promise<Release> {
    const project = await builder.projects.byAlias(alias);
    const isTheirs = project !== undefined && (await spaces.get(project.spaceId))?.username === author.replace(/^@/, '');
    const newest = isTheirs ? await builder.releases.latest(project.id, { listed: true }) : undefined;
    if (!newest) throw new SpaceError('RELEASE_NOT_FOUND');
    return builder.releases.get(newest.id);
  }

  /** Whoever has the link of a Release may see it; what is on channel development is its developer's alone. */
  async function visible(id: string, personId: string): Promise<Release> {
    const release = await builder.releases.get(id);
    if (release.channel === 'development' && release.spaceId !== personId) throw new SpaceError('RELEASE_NOT_FOUND');
    return release;
  }

  async function* logLines(release: Release, origin: string): AsyncGenerator<string> {
    yield* builder.releases.logs(release.id);
    if (release.channel === 'experimental') yield pageUrl(release, origin);
  }

  return [
    api('POST /api/v0/promotions', {
      access: 'person',
      async handle(request) {
        const body = await request.json();
        const project = await builder.projects.get(requiredText(body, 'app_id'), request.person.id);
        const revision = await builder.revisions.get(requiredText(body, 'revision_id'));
        if (revision?.projectId !== project.id) throw new SpaceError('REVISION_NOT_FOUND');
        oneOf(body['channel'] ?? 'experimental', ['experimental'], 'channel');
        const spec = { version: optionalText(body, 'version'), notes: optionalText(body, 'release_notes'), listed: optionalFlag(body, 'discovery_list', false) };
        const release = await builder.releases.create({ project, revision, ...spec }).catch((error: unknown) => {
          if (isSpaceError(error, 'VERSION_TAKEN')) log.warn('release.refused', { projectId: project.id, revisionId: revision.id, version: spec.version, code: error.code });
          throw error;
        });
        log.info('release.created', { projectId: project.id, releaseId: release.id, revisionId: revision.id, version: release.version, listed: release.listed });
        return { status: 202, json: { id: release.id } };
      },
    }),
    api('GET /api/v0/promotions', {
      access: 'person',
      async handle({ person, query }) {
        const revision = await orMissing(builder.revisions.get(query.get('revision_id') ?? ''));
        const found = revision?.spaceId === person.id ? await builder.releases.listByRevision(revision.id) : [];
        // The one that came with the push is what a push asks for.
        const promotions = found.toReversed().slice(0, perPage(query)).map(wirePromotion);
        return { json: { promotions, page: { size: promotions.length, last: null } } };
      },
    }),
    api('GET /api/v0/promotions/:id', { access: 'person', object: 'release', handle: async (_, release) => ({ json: wirePromotion(release) }) }),
    api('GET /api/v0/promotions/:id/logs', {
      access: 'person', object: 'release',
      handle: async ({ origin }, release) => ({ lines: { source: logLines(release, origin), contentType: 'text/plain; charset=utf-8' } }),
    }),
    api('POST /api/v0/promotions/:id/discovery', {
      access: 'person', object: 'release',
      async handle(request, release) {
        await builder.releases.putDiscovery(release.id, readDiscovery(await request.json()));
        return { status: 202, json: { release_id: release.id } };
      },
    }),
    api('POST /api/v0/promotions/:id/discovery/screenshots/:position', {
      access: 'person', object: 'release',
      async handle(request, release) {
        const bytes = await request.bytes(SCREENSHOT_MAX_BYTES);
        const content = request.contentType === 'text/plain' ? { url: bytes.toString('utf8').trim() } : bytes;
        await builder.releases.putScreenshot(release.id, Number(request.params['position']), content);
        return { status: 202, json: { release_id: release.id } };
      },
    }),
    api('GET /api/v0/releases', {
      access: 'person',
      async handle({ person, query, origin }) {
        const project = await builder.projects.get(query.get('app_id') ?? '', person.id);
        const found = await builder.releases.listByProject(project.id, { limit: perPage(query) });
        return { json: { releases: await wireReleases(found, origin) } };
      },
    }),
    api('GET /api/v0/releases/latest', {
      access: 'person',
      async handle({ person, query, origin }) {
        const project = await builder.projects.get(query.get('app_id') ?? '', person.id);
        const newest = await builder.releases.latest(project.id, { listed: query.get('listed') === 'true' });
        if (!newest) throw new SpaceError('RELEASE_NOT_FOUND');
        return { json: await wireRelease(await builder.releases.get(newest.id), origin) };
      },
    }),
    api('GET /api/v0/releases/:id', {
      access: 'person',
      handle: async ({ person, params, origin }) => ({ json: await wireRelease(await visible(params['id'] ?? '', person.id), origin) }),
    }),
    api('POST /api/v0/releases/:id/unlist', {
      access: 'person', object: 'release',
      handle: async ({ origin }, release) => ({ json: await wireRelease(await builder.releases.unlist(release.id), origin) }),
    }),
    api('DELETE /api/v0/releases/:id', {
      access: 'person', object: 'release',
      async handle(_, release) {
        if (release.channel !== 'experimental') throw new SpaceError('CONFLICT', { reason: 'This release belongs to a push: delete its revision instead.' });
        const count = (await instances.ofProject(release.projectId)).filter(({ releaseId }) => releaseId === release.id).length;
        if (count > 0) throw new SpaceError('RELEASE_IN_USE', { count });
        await builder.releases.delete(release.id);
        log.info('release.deleted', { projectId: release.projectId, releaseId: release.id });
        return { json: { id: release.id } };
      },
    }),
    api('DELETE /api/v0/revisions/:id', {
      access: 'person', object: 'revision',
      async handle(_, revision) {
        await builder.deleteRevision(revision.id);
        log.info('revision.deleted', { projectId: revision.projectId, revisionId: revision.id });
        return { json: { id: revision.id } };
      },
    }),
    api('GET /api/v0/discovery/apps', {
      access: 'person',
      async handle({ origin, query }) {
        const limit = perPage(query);
        const page = Math.max(1, Number.parseInt(query.get('page') ?? '1', 10) || 1);
        const { apps, total } = await shelf.find({
          search: query.get('search') ?? '', sort: oneOf(query.get('sort') ?? 'recent', SHELF_SORTS, 'sort'), offset: (page - 1) * limit, limit,
        });
        return { json: { releases: await wireReleases(apps.map(({ release }) => release), origin), page: { size: apps.length, last: null }, total } };
      },
    }),
    api('GET /api/v0/discovery/apps/:author/:alias', {
      access: 'person',
      async handle({ params, origin }) {
        const release = await wireRelease(await listedBy(params['author'] ?? '', params['alias'] ?? ''), origin);
        return { json: { release, discovery: { ...release.discovery, content: release.discovery.content_raw } } satisfies WireListedApp };
      },
    }),
  ];
}

function wirePromotion({ id, projectId, revisionId, status, channel, version }: Release): WirePromotion {
  return { id, app_id: projectId, revision_id: revisionId, status, channel, version };
}


function readDiscovery(body: Record<string, unknown>): Partial<Discovery> {
  return {
    appName: optionalText(body, 'app_name'), title: optionalText(body, 'title'), tagline: optionalText(body, 'tagline'),
    themeColor: optionalText(body, 'theme_color'), git: optionalText(body, 'git'), homepage: optionalText(body, 'homepage'),
    media: optionalTexts(body, 'media'), portedFrom: optionalText(body, 'ported_from'), openCode: optionalFlag(body, 'open_code', false),
    worksWith: optionalTexts(body, 'works_with'), contentRaw: optionalText(body, 'content_raw'),
  };
}
