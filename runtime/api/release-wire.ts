// Owns how a Release looks on the wire: its texts, who has it, where its page is. Knows no route.
import type { Discovery } from '../../builder/discovery.ts';
import type { ReleaseSummary } from '../../builder/release-summary.ts';
import type { Release } from '../../builder/release.ts';
import { orMissing } from '../../core/errors.ts';
import type { WireDiscovery, WireRelease } from '../../core/wire.ts';
import type { ApiParts } from './parts.ts';
import { NOBODY, type Shelf } from './shelf.ts';

export interface ReleaseWire {
  pageUrl(release: Release, origin: string): string;
  wireRelease(release: Release, origin: string): Promise<WireRelease>;
  /** Those that are still there. */
  wireReleases(summaries: readonly ReleaseSummary[], origin: string): Promise<WireRelease[]>;
}

export function createReleaseWire({ builder, spaces, addresses }: Pick<ApiParts, 'builder' | 'spaces' | 'addresses'>, shelf: Shelf): ReleaseWire {
  const pageUrl = (release: Release, origin: string): string => `${addresses.controlOrigin(origin)}/r/${release.id}`;

  async function wireRelease(release: Release, origin: string): Promise<WireRelease> {
    const latest = await builder.releases.latest(release.projectId);
    const { total, ofRelease } = await shelf.installs(release.projectId);
    const project = await orMissing(builder.projects.get(release.projectId));
    const url = pageUrl(release, origin);
    return {
      id: release.id, app_id: release.projectId, app_name: release.discovery.appName, tag: release.tag, revision_id: release.revisionId,
      version: release.version, release_notes: release.notes, channel: release.channel, listed: release.listed,
      latest: latest?.id === release.id, released_at: release.createdAt, url, author: (await spaces.get(release.spaceId))?.username ?? NOBODY,
      name: release.version, release_alias: project ? `${project.alias}-${release.version}` : release.version, short_description: release.discovery.tagline,
      icon_url: release.icon ? `${addresses.controlOrigin(origin)}/icons/${release.id}` : null, status: release.status,
      discovery: {
        ...wireDiscovery(release.discovery), stats: { total_installs: total, release_installs: ofRelease.get(release.id) ?? 0 },
        listed: release.listed, canonical_url: url, listed_url: release.listed ? url : null,
      },
    };
  }

  async function wireReleases(summaries: readonly ReleaseSummary[], origin: string): Promise<WireRelease[]> {
    const found = await Promise.all(summaries.map(({ id }) => orMissing(builder.releases.get(id))));
    return Promise.all(found.filter((release) => release !== undefined).map((release) => wireRelease(release, origin)));
  }

  return { pageUrl, wireRelease, wireReleases };
}

function wireDiscovery(discovery: Discovery): WireDiscovery {
  return {
    app_name: discovery.appName, title: discovery.title, tagline: discovery.tagline, theme_color: discovery.themeColor, git: discovery.git,
    homepage: discovery.homepage, media: discovery.media, ported_from: discovery.portedFrom, open_code: discovery.openCode,
    works_with: discovery.worksWith, content_raw: discovery.contentRaw,
  };
}
