// Owns Discover: the listed Releases of this host.
import { releaseLinkForm } from '../form.ts';
import { appIcon } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path, type Markup } from '../markup.ts';

export interface DiscoveryView extends Chrome {
  releases: { id: string; name: string; tagline: string; author: string; version: string; iconUrl?: string }[];
}

/** `GET /discover`. */
export function discoveryPage(view: DiscoveryView): string {
  return layout({
    ...view, title: 'Discover', place: 'discover',
    body: html`<h1>Discover</h1>
<p class="lead">Apps that were published on this host. Each installs as a private copy of your own.</p>
${view.releases.length === 0
      ? html`<div class="card"><p>Nothing is listed yet. Publish the first one with <code>space release --listed</code>.</p></div>`
      : html`<ul class="tiles shelf">${view.releases.map(releaseTile)}</ul>`}
<section class="card add" aria-labelledby="add"><h2 id="add">Have a link?</h2>${releaseLinkForm()}</section>`,
  });
}

function releaseTile(release: DiscoveryView['releases'][number]): Markup {
  return html`<li class="tile"><a class="tile-open" href="${path`/r/${release.id}`}">${appIcon(release, ownPath(release.iconUrl))}<span class="tile-name"><bdi>${release.name}</bdi></span></a>
<p class="tagline" dir="auto">${release.tagline}</p><p class="tile-meta">by <bdi>${release.author}</bdi> · <bdi>${release.version}</bdi></p></li>`;
}
