// Owns Discover: the listed Releases of this host, searched and sorted.
import { releaseLinkForm } from '../form.ts';
import { appIcon } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path, type Markup } from '../markup.ts';
import { installsText } from './release.ts';

export interface DiscoveryView extends Chrome {
  releases: { id: string; name: string; tagline: string; author: string; version: string; iconUrl?: string; installs: number }[];
  search: string;
  sort: 'popular' | 'recent';
  /** From 1. */
  page: number;
  pages: number;
}

/** `GET /discover`, with `q`, `sort` and `page`. */
export function discoveryPage(view: DiscoveryView): string {
  return layout({
    ...view, title: 'Discover', place: 'discover',
    body: html`<h1>Discover</h1>
<p class="lead">Apps that were published on this host. Each installs as a private copy of your own.</p>
<form class="search" method="get" action="/discover" role="search"><label class="unseen" for="q">Search apps</label>
<input id="q" name="q" type="search" value="${view.search}" maxlength="100" placeholder="Search by name, purpose or author" autocomplete="off">
${view.sort === 'popular' ? '' : html`<input type="hidden" name="sort" value="${view.sort}">`}<button type="submit">Search</button></form>
<nav class="tabs" aria-label="Order"><ul><li>${sortLink(view, 'popular', 'Popular')}</li><li>${sortLink(view, 'recent', 'Recent')}</li></ul></nav>
${view.releases.length === 0 ? nothing(view) : html`<ul class="tiles shelf">${view.releases.map(releaseTile)}</ul>`}
${pager(view)}
<section class="card add" aria-labelledby="add"><h2 id="add">Have a link?</h2>${releaseLinkForm()}</section>`,
  });
}

function nothing({ search }: DiscoveryView): Markup {
  if (search !== '') return html`<div class="card"><p>No app has “<bdi>${search}</bdi>” in its name, its description or its author's name.</p><p><a href="/discover">Show all</a></p></div>`;
  return html`<div class="card"><p>Nothing is listed yet. Publish the first one with <code>space release --listed</code>.</p></div>`;
}

function address({ search }: DiscoveryView, sort: string, page: number): string {
  const query = new URLSearchParams({ ...(search && { q: search }), ...(sort !== 'popular' && { sort }), ...(page > 1 && { page: String(page) }) });
  return query.size === 0 ? '/discover' : `/discover?${query}`;
}

function sortLink(view: DiscoveryView, sort: DiscoveryView['sort'], label: string): Markup {
  return html`<a href="${address(view, sort, 1)}"${view.sort === sort ? html` aria-current="page"` : ''}>${label}</a>`;
}

function pager(view: DiscoveryView): Markup | '' {
  if (view.pages <= 1) return '';
  const link = (page: number, label: string): Markup | '' => (page < 1 || page > view.pages ? '' : html`<a class="button" href="${address(view, view.sort, page)}">${label}</a>`);
  return html`<nav class="pager" aria-label="Pages">${link(view.page - 1, 'Previous')}<span class="muted">Page ${view.page} of ${view.pages}</span>${link(view.page + 1, 'Next')}</nav>`;
}

function releaseTile(release: DiscoveryView['releases'][number]): Markup {
  return html`<li class="tile"><a class="tile-open" href="${path`/r/${release.id}`}">${appIcon(release, ownPath(release.iconUrl))}<span class="tile-name"><bdi>${release.name}</bdi></span></a>
<p class="tagline" dir="auto">${release.tagline}</p><p class="tile-meta">by <bdi>${release.author}</bdi> · <bdi>${release.version}</bdi>${release.installs > 0 ? html` · ${installsText(release.installs)}` : ''}</p></li>`;
}
