// Owns a Release's page, where a person decides whether to install it. Knows nothing of Installations.
import { notesText } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, ownPath, path, webUrl, type Markup } from '../markup.ts';

export interface ReleaseView extends Chrome {
  release: {
    id: string; name: string; tagline: string; version: string; notes: string; author: string;
    /** A path on the dashboard's host. */
    iconUrl?: string;
    listed: boolean; releasedAt: string;
  };
  /** The visitor's Instances of this app; `upToDate` when they have this release or a newer one. */
  installed: { id: string; url: string; version: string; upToDate: boolean }[];
  /** What the app may do, one plain sentence each. */
  permissions: string[];
}

/** `GET /r/<release id>`. Installing posts to `/r/<release id>/install`, updating posts `release` to
 *  `/apps/<instance id>/update`. */
export function releasePage(view: ReleaseView): string {
  const { release } = view;
  return layout({
    ...view, title: release.name,
    body: html`<article class="release">
<header class="hero">${appIcon(release, ownPath(release.iconUrl))}
<div><h1><bdi>${release.name}</bdi></h1><p class="lead" dir="auto">${release.tagline}</p>
<p class="muted">by <bdi>${release.author}</bdi> · version <bdi>${release.version}</bdi> · ${day(release.releasedAt)}</p></div></header>
${action(view)}
<div class="columns">
<section class="card"><h2>What is new</h2>${notesText(release.notes)}</section>
<section class="card"><h2>What it may do</h2>
${view.permissions.length === 0 ? html`<p>Nothing beyond its own data.</p>` : html`<ul class="ticks">${view.permissions.map((each) => html`<li>${SYMBOLS.check}<span dir="auto">${each}</span></li>`)}</ul>`}
${release.listed ? '' : html`<p class="hint">This release is not listed in Discover. Install it only if you trust whoever gave you the link.</p>`}
</section>
</div>
</article>`,
  });
}

function action(view: ReleaseView): Markup {
  const { release } = view;
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
    : html`<form method="post" action="${path`/apps/${instance.id}/update`}"><input type="hidden" name="release" value="${release.id}">
<button class="primary" type="submit">Update to <bdi>${release.version}</bdi></button></form>`}</li>`;
}
