// Owns "My apps". Knows nothing of how Instances are stored or run.
import { notesText, releaseLinkForm, stateDot, type State } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome, type Person } from '../layout.ts';
import { html, openUrl, ownPath, path, type Markup } from '../markup.ts';

export interface HomeApp {
  /** Of the Instance. */
  id: string;
  name: string;
  url: string;
  /** A path on the dashboard's host. */
  iconUrl?: string;
  state: State;
  /** True for a Builder Instance: the developer's own running copy. */
  builder: boolean;
  version: string;
  update?: { releaseId: string; version: string; notes: string };
  /** The Installation under way or failed; its page shows more. */
  installationId?: string;
}

export interface HomeView extends Chrome {
  person: Person;
  apps: HomeApp[];
  /** What just happened, such as "Guestbook was uninstalled." */
  message?: string;
}

/** `GET /`. */
export function homePage(view: HomeView): string {
  const installed = view.apps.filter((each) => !each.builder);
  const building = view.apps.filter((each) => each.builder);
  return layout({
    ...view, title: 'My apps', place: 'apps',
    body: html`<h1>My apps</h1>
${view.message ? html`<p class="notice good" role="status">${SYMBOLS.check}<span>${view.message}</span></p>` : ''}
${view.apps.length === 0 ? firstSteps(view) : ''}
${tiles(installed)}
${building.length === 0 ? '' : html`<section aria-labelledby="building"><h2 id="building">You are building</h2>${tiles(building)}</section>`}
${view.apps.length === 0 ? '' : html`<section class="card add" aria-labelledby="add"><h2 id="add">Add an app</h2>${releaseLinkForm()}
<p>Or look around in <a href="/discover">Discover</a>${view.person.isOwner ? html`, or <a href="/invites">invite someone</a> to a Space of their own` : ''}.</p></section>`}`,
  });
}

function tiles(apps: HomeApp[]): Markup | '' {
  return apps.length === 0 ? '' : html`<ul class="tiles">${apps.map(tile)}</ul>`;
}

function tile(app: HomeApp): Markup {
  const picture = html`${appIcon(app, ownPath(app.iconUrl))}<span class="tile-name"><bdi>${app.name}</bdi></span>`;
  const target = openTarget(app);
  return html`<li class="tile">
${target ? html`<a class="tile-open" href="${target}">${picture}</a>` : html`<span class="tile-open">${picture}</span>`}
<p class="tile-meta">${stateDot(app.state)} <span class="version"><bdi>${app.version}</bdi></span></p>
${app.update ? html`<a class="badge" href="${path`/apps/${app.id}/update`}">Update<span class="unseen"> ${app.name} to ${app.update.version}</span></a>` : ''}
${menu(app)}
</li>`;
}

/** A ready app opens; any other leads to the page that says what is going on. */
function openTarget(app: HomeApp): string | undefined {
  if (app.state === 'ready') return openUrl(app.url);
  return app.installationId === undefined ? path`/apps/${app.id}` : path`/installations/${app.installationId}`;
}

function menu(app: HomeApp): Markup {
  const url = openUrl(app.url);
  return html`<details class="menu" name="tile-menu">
<summary aria-label="Menu of ${app.name}">${SYMBOLS.more}</summary>
<div class="menu-panel">
<ul>
${url && app.state === 'ready' ? html`<li><a href="${url}">Open</a></li>` : ''}
<li><a href="${path`/apps/${app.id}`}">Overview</a></li>
<li><a href="${path`/apps/${app.id}/settings`}">Settings</a></li>
<li><a href="${path`/apps/${app.id}/logs`}">Logs</a></li>
<li><a class="danger" href="${path`/apps/${app.id}/uninstall`}">Uninstall…</a></li>
</ul>
${app.update ? html`<div class="menu-update"><p><strong>Version <bdi>${app.update.version}</bdi></strong> is out.</p>${notesText(app.update.notes)}
<a class="button" href="${path`/apps/${app.id}/update`}">Update…</a></div>` : ''}
</div>
</details>`;
}

function firstSteps(view: HomeView): Markup {
  return html`<p class="lead">Your Space is ready, <bdi>${view.person.name}</bdi>, and still empty. Three ways to begin:</p>
<div class="steps">
<section class="card"><h2>Install from a link</h2>${releaseLinkForm()}</section>
<section class="card"><h2>Look around</h2><p>Apps that were published on this host.</p><p><a class="button" href="/discover">Discover apps</a></p></section>
<section class="card"><h2>Build your own</h2><p>From any folder, live within seconds:</p>
<pre class="terminal"><code>space login
space new
space push</code></pre>
<p>It asks for your name and your password. <a href="/tokens">Settings</a> has every step.</p></section>
</div>`;
}
