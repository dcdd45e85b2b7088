// Owns the tab of an Instance's settings: its keys, where it may call, its end. Knows nothing of how keys are kept.
import { field, onceShown, problem } from '../../form.ts';
import { day, html, path, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

type KeyKind = 'data' | 'api';

export interface SettingsView extends InstanceFrame {
  keys: { name: string; kind: KeyKind; createdAt: string }[];
  /** A key made by the request before this page; its value is shown this once. */
  created?: { name: string; kind: KeyKind; value: string };
  /** What is wrong with the form of that name, as it was sent. */
  problems: Partial<Record<'keys' | 'egress', string>>;
  /** Where the app may call, and how often it did. */
  egress: { policy: 'internet' | 'none' | 'list'; hosts: string[]; total: number; refused: number };
}

/** `GET /apps/<id>/settings`. Making a key posts `name` and `kind` to `/apps/<id>/keys`, revoking one to
 *  `/apps/<id>/keys/revoke`; `/apps/<id>/egress` takes `policy` and `hosts`. */
export function settingsPage(view: SettingsView): string {
  const { instance } = view;
  return instanceTab(view, 'settings', html`<section class="card" aria-labelledby="keys"><h2 id="keys">Keys</h2>${keys(view)}</section>
<section class="card" aria-labelledby="egress"><h2 id="egress">Calls to the outside</h2>${egress(view)}</section>
<section class="card action"><p>Done with this app? You choose what happens to its data.</p>
<a class="button danger" href="${path`/apps/${instance.id}/uninstall`}">Uninstall…</a></section>`);
}

const POLICIES = [['internet', 'Anything on the public internet'], ['list', 'Only these hosts'], ['none', 'Nothing']] as const;

function egress({ instance, problems, egress: { policy, hosts, total, refused } }: SettingsView): Markup {
  return html`<p class="muted">${String(total)} calls since the host started, ${String(refused)} refused.</p>
<form class="stack" method="post" action="${path`/apps/${instance.id}/egress`}">
${problem(problems.egress)}
<fieldset class="choices"><legend>This app may call</legend>
${POLICIES.map(([value, label]) => html`<label><input type="radio" name="policy" value="${value}"${value === policy ? html` checked` : ''}> ${label}</label>`)}</fieldset>
${field({ name: 'hosts', label: 'Hosts', value: hosts.join(' '), isOptional: true, placeholder: 'api.example.org *.example.net', hint: 'Names with spaces between them; *. stands for every name below one.' })}
<button type="submit">Save</button></form>`;
}

const KIND_WORDS: Record<KeyKind, string> = { data: 'data key', api: 'API key' };
const kindWord = (kind: KeyKind) => (kind === 'api' ? KIND_WORDS.api : KIND_WORDS.data);

function keys(view: SettingsView): Markup {
  return html`${view.created ? onceShown(`The ${kindWord(view.created.kind)} ${view.created.name}.`, view.created.value) : ''}
${view.keys.length === 0 ? html`<p class="muted">None yet. A data key lets a program of yours read and write this app's data; an API key lets it call the app.</p>`
    : html`<ul class="rows">${view.keys.map((each) => keyRow(view.instance.id, each))}</ul>`}
<form class="stack" method="post" action="${path`/apps/${view.instance.id}/keys`}">
${problem(view.problems.keys)}
${field({ name: 'name', label: 'Name of a new key', maxLength: 64, placeholder: 'backup script' })}
<fieldset class="choices"><legend>Kind</legend>
<label><input type="radio" name="kind" value="data" checked> Data key: this app's Bases and Drives</label>
<label><input type="radio" name="kind" value="api"> API key: the app's own addresses</label></fieldset>
<button type="submit">Create key</button>
</form>`;
}

function keyRow(instanceId: string, key: SettingsView['keys'][number]): Markup {
  return html`<li><p><strong><bdi>${key.name}</bdi></strong> <span class="tag">${kindWord(key.kind)}</span></p><p class="muted">${day(key.createdAt)}</p>
<form method="post" action="${path`/apps/${instanceId}/keys/revoke`}"><input type="hidden" name="kind" value="${key.kind}"><input type="hidden" name="name" value="${key.name}">
<button class="quiet danger" type="submit" aria-label="Revoke ${key.name}">Revoke</button></form></li>`;
}
