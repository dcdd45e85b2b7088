// Owns the pages of Releases: one to install, and the shelf of listed ones.
import { orMissing, SpaceError } from '../../core/errors.ts';
import { discoveryPage } from '../../dashboard/pages/discovery.ts';
import { releasePage, type ReleaseView } from '../../dashboard/pages/release.ts';
import type { ReleaseSummary } from '../../builder/release-summary.ts';
import type { Release } from '../../builder/release.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type Route, type RouteRequest } from '../api/route.ts';
import { NOBODY, type Shelf } from '../api/shelf.ts';
import { permissionsOf } from '../instance/revision-diff.ts';
import { shortly } from './apps.ts';
import { chrome, ownChrome } from './chrome.ts';

const ICON_CACHE = 'public, max-age=31536000, immutable';
const SCREENSHOT_CACHE = 'public, max-age=3600';
const APPS_A_PAGE = 60;
const SEARCH_MAX_CHARACTERS = 100;
const VERSIONS_SHOWN = 10;

export function releasePages(parts: ApiParts, shelf: Shelf): Route[] {
  const { builder, spaces, installations, lifecycle } = parts;

  async function open(id: string): Promise<Release> {
    const release = await builder.releases.get(id);
    if (release.channel !== 'experimental') throw new SpaceError('RELEASE_NOT_FOUND');
    return release;
  }

  const card = async ({ id, appName, tagline, version, spaceId, hasIcon }: Omit<ReleaseSummary, 'projectId' | 'title' | 'listed' | 'createdAt'>) => ({
    id, name: appName, tagline, version, author: (await spaces.get(spaceId))?.username ?? NOBODY, iconUrl: hasIcon ? `/icons/${id}` : undefined,
  });

  async function view(release: Release, { person, origin }: RouteRequest): Promise<ReleaseView> {
    const revision = await orMissing(builder.revisions.get(release.revisionId));
    const mine = person ? (await parts.instances.list(person.id)).filter((instance) => instance.projectId === release.projectId && instance.kind === 'installed' && instance.state !== 'removing') : [];
    const isNewer = async (releaseId: string): Promise<boolean> => {
      const current = await builder.releases.summary(releaseId);
      return current !== undefined && current.createdAt >= release.createdAt;
    };
    return {
      ...chrome(parts, person),
      release: { ...(await card({ ...release, ...release.discovery, hasIcon: release.icon !== undefined })), ...presentation(release), notes: release.notes, listed: release.listed, releasedAt: release.createdAt },
      installs: (await shelf.installs(release.projectId)).total,
      versions: await others(release),
      isOwn: person?.id === release.spaceId,
      isWithdrawn: release.deletedRevision === true,
      installed: await Promise.all(mine.map(async (instance) => ({
        id: instance.id, url: parts.addresses.instanceUrl(instance.label, origin), version: instance.version, upToDate: await isNewer(instance.releaseId),
      }))),
      permissions: permissionsOf(revision?.micros ?? []),
    };
  }

  /** Of the same app, as far as everybody may see them. */
  async function others({ id, projectId }: Release): Promise<NonNullable<ReleaseView['versions']>> {
    const found = await builder.releases.listByProject(projectId, { listed: true, limit: VERSIONS_SHOWN + 1 });
    return found.filter((each) => each.id !== id).slice(0, VERSIONS_SHOWN).map((each) => ({ id: each.id, version: each.version, releasedAt: each.createdAt }));
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
        await shortly((signal) => installations.ended(job.id, signal));
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
    page('GET /r/:release/screenshots/:position', {
      access: 'public',
      async handle({ params }) {
        const { screenshots } = await open(params['release'] ?? '');
        const position = params['position'] ?? '';
        const picture = Object.hasOwn(screenshots, position) ? screenshots[position] : undefined;
        if (!picture || 'url' in picture) throw new SpaceError('NOT_FOUND', { what: 'A picture' });
        return { bytes: { content: await builder.artifacts.readFile(picture.hash), contentType: picture.contentType, cacheControl: SCREENSHOT_CACHE } };
      },
    }),
    page('POST /releases/:id/unlist', {
      access: 'person', object: 'release',
      async handle(_, release) {
        await builder.releases.unlist(release.id);
        return { redirect: `/r/${release.id}` };
      },
    }),
    page('GET /discover', {
      access: 'person',
      async handle({ person, query }) {
        const search = (query.get('q') ?? '').trim().slice(0, SEARCH_MAX_CHARACTERS);
        const sort = query.get('sort') === 'recent' ? 'recent' : 'popular';
        const at = Math.max(1, Number.parseInt(query.get('page') ?? '1', 10) || 1);
        const { apps, total } = await shelf.find({ search, sort, offset: (at - 1) * APPS_A_PAGE, limit: APPS_A_PAGE });
        if (apps.length === 0 && total > 0) return { redirect: '/discover' };
        const releases = await Promise.all(apps.map(async ({ release, installs }) => ({ ...(await card(release)), installs })));
        return { html: discoveryPage({ ...ownChrome(parts, person), releases, search, sort, page: at, pages: Math.ceil(total / APPS_A_PAGE) }) };
      },
    }),
  ];
}

/** What its developer tells about it. Pictures that were sent are shown, those elsewhere are links. */
function presentation({ id, discovery, screenshots }: Release): Partial<ReleaseView['release']> {
  const { title, contentRaw, themeColor, homepage, git, portedFrom, worksWith } = discovery;
  const pictures = Object.entries(screenshots);
  return {
    title, about: contentRaw, color: themeColor, homepage, git, portedFrom, worksWith,
    screenshots: pictures.flatMap(([position, picture]) => ('url' in picture ? [] : [`/r/${id}/screenshots/${position}`])),
    media: pictures.flatMap(([, picture]) => ('url' in picture ? [picture.url] : [])),
  };
}
