// Owns the settings page of one Instance: address, Micros, keys, ways out. Knows nothing of how keys are kept.
import { field, notesText, onceShown, problem, stateDot, type State } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, openUrl, ownPath, path, webUrl, type Markup } from '../markup.ts';
import { logTable, type LogLine } from './logs.ts';

export type KeyKind = 'data' | 'api';

export interface InstanceView extends Chrome {
  instance: {
    id: string; name: string; url: string;
    /** A path on the dashboard's host. */
    iconUrl?: string;
    state: State; builder: boolean; version: string; createdAt: string; collectionId: string;
    update?: { version: string; notes: string };
  };
  micros: { name: string; engine: string; path: string; primary: boolean }[];
  keys: { name: string; kind: KeyKind; createdAt: string }[];
  /** A key made by the request before this page; its value is shown this once. */
  created?: { name: string; kind: KeyKind; value: string };
  error?: string;
  /** Micros that were stopped too often. */
  paused: { micro: string; reason: string; at: string }[];
  /** Where the app may call, and how often it did. */
  egress: { policy: 'internet' | 'none' | 'list'; hosts: string[]; total: number; refused: number };
  /** The last few lines of the log. */
  logs?: LogLine[];
}

/** `GET /apps/<id>`. Making a key posts `name` and `kind` to `/apps/<id>/keys`, revoking one to `/apps/<id>/keys/revoke`.
 *  `/apps/<id>/egress` takes `policy` and `hosts`, `/apps/<id>/resume` nothing. */
export function instancePage(view: InstanceView): string {
  const { instance } = view;
  return layout({
    ...view, title: instance.name,
    body: html`${hero(view)}
${view.paused.length > 0 ? pausedCard(view) : ''}
${instance.update ? updateCard(view) : ''}
<div class="columns">
<section class="card"><h2>Micros</h2>${micros(view)}
<dl><dt>Collection</dt><dd><code>${instance.collectionId}</code></dd><dt>${instance.builder ? 'Since' : 'Installed'}</dt><dd>${day(instance.createdAt)}</dd></dl></section>
<section class="card" aria-labelledby="keys"><h2 id="keys">Keys</h2>${keys(view)}</section>
</div>
<section class="card" aria-labelledby="egress"><h2 id="egress">Calls to the outside</h2>${egress(view)}</section>
${view.logs ? html`<section class="card"><h2>Last log lines</h2>${view.logs.length === 0 ? html`<p class="muted">Nothing yet.</p>` : logTable(view.logs)}<p><a href="${path`/apps/${instance.id}/logs`}">All logs</a></p></section>` : ''}
<section class="card action"><p>Done with this app? You choose what happens to its data.</p>
<a class="button danger" href="${path`/apps/${instance.id}/uninstall`}">Uninstall…</a></section>`,
  });
}

function hero({ instance }: InstanceView): Markup {
  const url = webUrl(instance.url);
  return html`<header class="hero">${appIcon(instance, ownPath(instance.iconUrl))}
<div><h1><bdi>${instance.name}</bdi></h1>
<p class="muted">${stateDot(instance.state)} version <bdi>${instance.version}</bdi>${instance.builder ? html` <span class="tag">Builder</span>` : ''}</p>
${url ? html`<p><a class="address" href="${url}">${url}</a></p>` : ''}</div>
<div class="buttons">${url && instance.state === 'ready' ? html`<a class="button primary" href="${openUrl(instance.url)}">Open ${SYMBOLS.arrow}</a>` : ''}
<a class="button" href="${path`/apps/${instance.id}/logs`}">Logs</a></div></header>`;
}

function updateCard({ instance }: InstanceView): Markup {
  return html`<section class="card highlight"><h2>Version <bdi>${instance.update?.version ?? ''}</bdi> is out</h2>${notesText(instance.update?.notes ?? '')}
<p><a class="button primary" href="${path`/apps/${instance.id}/update`}">Update…</a></p></section>`;
}

function micros(view: InstanceView): Markup {
  return html`<ul class="rows">${view.micros.map((each) => html`<li><p><strong><bdi>${each.name}</bdi></strong>${each.primary ? html` <span class="tag">primary</span>` : ''}</p>
<p class="muted"><code>${each.path}</code> <bdi>${each.engine}</bdi></p></li>`)}</ul>`;
}

function pausedCard({ instance, paused }: InstanceView): Markup {
  return html`<section class="card highlight" aria-labelledby="paused"><h2 id="paused">Paused</h2>
${paused.map((each) => html`<p><bdi>${each.reason}</bdi> <span class="muted">${day(each.at)}</span></p>`)}
<form method="post" action="${path`/apps/${instance.id}/resume`}"><button class="primary" type="submit">Start it again</button></form></section>`;
}

const POLICIES = [['internet', 'Anything on the public internet'], ['list', 'Only these hosts'], ['none', 'Nothing']] as const;

function egress({ instance, egress: { policy, hosts, total, refused } }: InstanceView): Markup {
  return html`<p class="muted">${String(total)} calls since the host started, ${String(refused)} refused.</p>
<form class="stack" method="post" action="${path`/apps/${instance.id}/egress`}">
<fieldset class="choices"><legend>This app may call</legend>
${POLICIES.map(([value, label]) => html`<label><input type="radio" name="policy" value="${value}"${value === policy ? html` checked` : ''}> ${label}</label>`)}</fieldset>
${field({ name: 'hosts', label: 'Hosts', value: hosts.join(' '), isOptional: true, placeholder: 'api.example.org *.example.net', hint: 'Names with spaces between them; *. stands for every name below one.' })}
<button type="submit">Save</button></form>`;
}

const KIND_WORDS: Record<KeyKind, string> = { data: 'data key', api: 'API key' };
const kindWord = (kind: KeyKind) => (kind === 'api' ? KIND_WORDS.api : KIND_WORDS.data);

function keys(view: InstanceView): Markup {
  return html`${view.created ? onceShown(`The ${kindWord(view.created.kind)} ${view.created.name}.`, view.created.value) : ''}
${view.keys.length === 0 ? html`<p class="muted">None yet. A data key lets a program of yours read and write this app's data; an API key lets it call the app.</p>`
    : html`<ul class="rows">${view.keys.map((each) => keyRow(view.instance.id, each))}</ul>`}
<form class="stack" method="post" action="${path`/apps/${view.instance.id}/keys`}">
${problem(view.error)}
${field({ name: 'name', label: 'Name of a new key', maxLength: 64, placeholder: 'backup script' })}
<fieldset class="choices"><legend>Kind</legend>
<label><input type="radio" name="kind" value="data" checked> Data key: this app's Bases and Drives</label>
<label><input type="radio" name="kind" value="api"> API key: the app's own addresses</label></fieldset>
<button type="submit">Create key</button>
</form>`;
}

function keyRow(instanceId: string, key: InstanceView['keys'][number]): Markup {
  return html`<li><p><strong><bdi>${key.name}</bdi></strong> <span class="tag">${kindWord(key.kind)}</span></p><p class="muted">${day(key.createdAt)}</p>
<form method="post" action="${path`/apps/${instanceId}/keys/revoke`}"><input type="hidden" name="kind" value="${key.kind}"><input type="hidden" name="name" value="${key.name}">
<button class="quiet danger" type="submit" aria-label="Revoke ${key.name}">Revoke</button></form></li>`;
}
