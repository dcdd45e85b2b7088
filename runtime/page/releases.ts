// Owns the pages of Releases: one to install, the shelf of listed ones, and the Collections that uninstalled apps left.
import { orMissing, SpaceError } from '../../core/errors.ts';
import { collectionsPage } from '../../dashboard/pages/collections.ts';
import { discoveryPage } from '../../dashboard/pages/discovery.ts';
import { releasePage, type ReleaseView } from '../../dashboard/pages/release.ts';
import type { Release } from '../../builder/release.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type Route, type RouteRequest } from '../api/route.ts';
import { permissionsOf } from '../instance/revision-diff.ts';
import { shortly } from './apps.ts';
import { chrome, ownChrome } from './chrome.ts';

const ICON_CACHE = 'public, max-age=31536000, immutable';

export function releasePages(parts: ApiParts): Route[] {
  const { builder, spaces, installations, lifecycle, collections } = parts;

  async function open(id: string): Promise<Release> {
    const release = await builder.releases.get(id);
    if (release.channel !== 'experimental') throw new SpaceError('RELEASE_NOT_FOUND');
    return release;
  }

  const card = async (release: Release) => ({
    id: release.id, name: release.discovery.appName, tagline: release.discovery.tagline, version: release.version,
    author: (await spaces.get(release.spaceId))?.username ?? 'somebody who left', iconUrl: release.icon ? `/icons/${release.id}` : undefined,
  });

  async function view(release: Release, { person, origin }: RouteRequest): Promise<ReleaseView> {
    const revision = await orMissing(builder.revisions.get(release.revisionId));
    const mine = person ? (await parts.instances.list(person.id)).filter((instance) => instance.projectId === release.projectId && instance.kind === 'installed' && instance.state !== 'removing') : [];
    const isNewer = async (releaseId: string): Promise<boolean> => {
      const current = await orMissing(builder.releases.get(releaseId));
      return current !== undefined && current.createdAt >= release.createdAt;
    };
    return {
      ...chrome(parts, person),
      release: { ...(await card(release)), notes: release.notes, listed: release.listed, releasedAt: release.createdAt },
      installed: await Promise.all(mine.map(async (instance) => ({
        id: instance.id, url: parts.addresses.instanceUrl(instance.label, origin), version: instance.version, upToDate: await isNewer(instance.releaseId),
      }))),
      permissions: permissionsOf(revision?.micros ?? []),
    };
  }

  return [
    page('GET /r', {
      access: 'public',
      async handle({ query }) {
        const id = /([a-z0-9]{16})\/?\s*$/.exec(query.get('link') ?? '')?.[1];
        if (id === undefined) throw new SpaceError('RELEASE_NOT_FOUND');
        return { redirect: `/r/${id}` };
      },
    }),
    page('GET /r/:release', {
      access: 'public', handle: async (request) => ({ html: releasePage(await view(await open(request.params['release'] ?? ''), request)) }),
    }),
    page('POST /r/:release/install', {
      access: 'person',
      async handle({ person, params }) {
        const job = await lifecycle.install(person, params['release'] ?? '');
        await shortly(installations.ended(job.id));
        return { redirect: `/installations/${job.id}` };
      },
    }),
    page('GET /icons/:release', {
      access: 'public',
      async handle({ params, person }) {
        const release = await builder.releases.get(params['release'] ?? '');
        // One that came with a push is its developer's alone.
        const { icon } = release.spaceId === person?.id ? release : await open(release.id);
        if (!icon) throw new SpaceError('NOT_FOUND', { what: 'An icon' });
        return { bytes: { content: await builder.artifacts.readFile(icon.hash), contentType: icon.contentType, cacheControl: ICON_CACHE } };
      },
    }),
    page('GET /discover', {
      access: 'person',
      async handle({ person }) {
        const newest = new Map<string, Release>();
        for (const release of await builder.releases.listListed({ limit: 200 })) if (!newest.has(release.projectId)) newest.set(release.projectId, release);
        return { html: discoveryPage({ ...ownChrome(parts, person), releases: await Promise.all([...newest.values()].map(card)) }) };
      },
    }),
    page('GET /collections', {
      access: 'person',
      async handle({ person }) {
        const headless = (await collections.list(person.id)).filter((record) => record.instanceId === null);
        return { html: collectionsPage({ ...ownChrome(parts, person), collections: headless }) };
      },
    }),
  ];
}
