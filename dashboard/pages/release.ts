// Owns a Release's page, where a person decides whether to install it. Knows nothing of Installations.
import { notesText } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, ownPath, path, webUrl, type Markup } from '../markup.ts';
import { prose } from '../prose.ts';

export interface ReleaseView extends Chrome {
  release: {
    id: string; name: string; title?: string; tagline: string; version: string; notes: string; author: string;
    /** A path on the dashboard's host. */
    iconUrl?: string;
    listed: boolean; releasedAt: string;
    /** What its developer tells about it, in Markdown. */
    about?: string;
    /** A colour as `#a1b2c3`; anything else is none. */
    color?: string;
    homepage?: string; git?: string; portedFrom?: string;
    worksWith?: string[];
    /** Paths on the dashboard's host, and addresses of pictures and films elsewhere. */
    screenshots?: string[];
    media?: string[];
  };
  /** People who have this app. */
  installs?: number;
  /** Other Releases that everybody may see, newest first. */
  versions?: { id: string; version: string; releasedAt: string }[];
  /** The visitor made it. */
  isOwn?: boolean;
  /** Its developer took it back. */
  isWithdrawn?: boolean;
  /** The visitor's Instances of this app; `upToDate` when they have this release or a newer one. */
  installed: { id: string; url: string; version: string; upToDate: boolean }[];
  /** What the app may do, one plain sentence each. */
  permissions: string[];
}

/** `GET /r/<release id>`. Installing posts to `/r/<release id>/install`; an update is looked at first, on a page of its own. */
export function releasePage(view: ReleaseView): string {
  const { release } = view;
  return layout({
    ...view, title: release.title || release.name,
    body: html`<article class="release">
${colorBar(release.color)}
<header class="hero">${appIcon(release, ownPath(release.iconUrl))}
<div><h1><bdi>${release.title || release.name}</bdi></h1><p class="lead" dir="auto">${release.tagline}</p>
<p class="muted">by <bdi>${release.author}</bdi> · version <bdi>${release.version}</bdi> · ${day(release.releasedAt)}${view.installs ? html` · <span class="installs">${installsText(view.installs)}</span>` : ''}</p></div></header>
${action(view)}
${screenshots(release)}
${release.about?.trim() ? html`<section class="card" aria-label="About">${prose(release.about, { headingsFrom: 2 })}</section>` : ''}
<div class="columns">
<section class="card"><h2>What is new</h2>${notesText(release.notes)}</section>
<section class="card"><h2>What it may do</h2>
${view.permissions.length === 0 ? html`<p>Nothing beyond its own data.</p>` : html`<ul class="ticks">${view.permissions.map((each) => html`<li>${SYMBOLS.check}<span dir="auto">${each}</span></li>`)}</ul>`}
${release.listed || view.isWithdrawn ? '' : html`<p class="hint">This release is not listed in Discover. Install it only if you trust whoever gave you the link.</p>`}
</section>
${facts(release)}
${versions(view)}
</div>
${view.isOwn ? ownerCard(release) : ''}
</article>`,
  });
}

export function installsText(count: number): string {
  return count === 1 ? '1 person has it' : `${count} people have it`;
}

/** An attribute of a drawing: the content policy of our pages knows no inline styles. */
function colorBar(color: string | undefined): Markup | '' {
  if (color === undefined || !/^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(color)) return '';
  return html`<svg class="color-bar" aria-hidden="true" focusable="false" viewBox="0 0 100 1" preserveAspectRatio="none"><rect width="100" height="1" fill="${color}"></rect></svg>`;
}

function screenshots({ name, screenshots: shown = [], media = [] }: ReleaseView['release']): Markup | '' {
  const paths = shown.flatMap((each) => ownPath(each) ?? []);
  const links = media.flatMap((each) => elsewhere(each) ?? []);
  if (paths.length === 0 && links.length === 0) return '';
  return html`<section class="shots" aria-label="Pictures">
${paths.map((each, index) => html`<a href="${each}" aria-label="Picture ${index + 1} of ${name}"><img src="${each}" alt="" loading="lazy"></a>`)}
${links.map((each) => html`<a class="card" href="${each}" rel="noopener noreferrer nofollow">Picture or film at <bdi>${hostOf(each)}</bdi></a>`)}
</section>`;
}

function facts({ homepage, git, portedFrom, worksWith = [] }: ReleaseView['release']): Markup | '' {
  const links = [['Website', homepage], ['Source code', git], ['Ported from', portedFrom]] as const;
  const shown = links.flatMap(([label, address]) => {
    const url = elsewhere(address);
    return url === undefined ? [] : [html`<dt>${label}</dt><dd><a href="${url}" rel="noopener noreferrer nofollow">${hostOf(url)}</a></dd>`];
  });
  if (shown.length === 0 && worksWith.length === 0) return '';
  return html`<section class="card"><h2>More about it</h2><dl class="facts">${shown}
${worksWith.length === 0 ? '' : html`<dt>Works with</dt><dd dir="auto">${worksWith.join(', ')}</dd>`}</dl></section>`;
}

function versions({ versions: others = [] }: ReleaseView): Markup | '' {
  if (others.length === 0) return '';
  return html`<section class="card"><h2>Other versions</h2><ul class="rows">${others.map((each) => html`<li><a href="${path`/r/${each.id}`}"><bdi>${each.version}</bdi></a> <span class="muted">${day(each.releasedAt)}</span></li>`)}</ul></section>`;
}

function ownerCard({ id, listed }: ReleaseView['release']): Markup {
  return html`<section class="card" aria-labelledby="own"><h2 id="own">You made this</h2>
${listed ? html`<p>Everybody on this host finds it in Discover, and those who have an older version are offered it.</p>
<form method="post" action="${path`/releases/${id}/unlist`}"><button type="submit">Take it off Discover</button></form>`
    : html`<p>Only those who have its link find it, and nobody is offered it as an update. Copies that are installed stay. List a release with <code>space release --listed</code>.</p>`}</section>`;
}

/** An address of another host, or undefined. */
function elsewhere(address: string | undefined): string | undefined {
  return address?.startsWith('/') ? undefined : webUrl(address);
}

function hostOf(address: string): string {
  return new URL(address).host;
}

function action(view: ReleaseView): Markup {
  const { release } = view;
  if (view.isWithdrawn) return html`<div class="card action"><p>The developer of <bdi>${release.name}</bdi> took this version back. Copies that are installed go on; new ones cannot be made.</p></div>`;
  if (!view.person) {
    return html`<div class="card action"><p>Sign in to install <bdi>${release.name}</bdi> into your own Space.</p>
<a class="button primary" href="/login?redirect_uri=${encodeURIComponent(path`/r/${release.id}`)}">Sign in</a></div>`;
  }
  if (view.installed.length === 0) {
    return html`<div class="card action"><p>You get a private copy: its own address, its own empty data.</p>${installForm(release.id, 'Install', true)}</div>`;
  }
  return html`<section class="card" aria-labelledby="yours"><h2 id="yours">In your Space</h2>
<ul class="rows">${view.installed.map((each) => installedRow(each, release))}</ul>
${installForm(release.id, 'Install another copy', false)}</section>`;
}

function installForm(releaseId: string, label: string, isMain: boolean): Markup {
  return html`<form method="post" action="${path`/r/${releaseId}/install`}"><button class="${isMain ? 'primary' : ''}" type="submit">${label}</button></form>`;
}

function installedRow(instance: ReleaseView['installed'][number], release: ReleaseView['release']): Markup {
  const url = webUrl(instance.url);
  return html`<li><p>Version <bdi>${instance.version}</bdi>${url ? html` at <a href="${url}">${url}</a>` : ''}</p>
${instance.upToDate ? html`<span class="state ready">Up to date</span>`
    : html`<a class="button primary" href="${path`/apps/${instance.id}/update`}?release=${encodeURIComponent(release.id)}">Update to <bdi>${release.version}</bdi>…</a>`}</li>`;
}
