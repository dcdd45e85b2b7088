// Owns the tab of an Instance's settings: address, variables, keys, limits, where it may call, its end.
import { field, onceShown, problem, textArea } from '../../form.ts';
import { day, html, path, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

type KeyKind = 'data' | 'api';

export interface SettingsView extends InstanceFrame {
  /** First label of its address, and what comes behind it. */
  address: { label: string; behind: string };
  domains: { domain: string; shown: string; isActive: boolean; problem: string | null; txt: { name: string; value: string } }[];
  /** Micros that take variables. */
  env: { micro: string; values: { name: string; description: string; value: string; fallback?: string }[] }[];
  keys: { name: string; kind: KeyKind; createdAt: string; lastUsedAt: string | null }[];
  /** Some Micro takes API keys. */
  takesApiKeys: boolean;
  /** The numbers that hold. */
  limits: { name: string; meaning: string; unit: string; value: number; isSet: boolean }[];
  /** A key made by the request before this page; its value is shown this once. */
  created?: { name: string; kind: KeyKind; value: string };
  /** What is wrong with the form of that name, as it was sent. */
  problems: Partial<Record<'address' | 'domains' | 'env' | 'keys' | 'limits' | 'egress', string>>;
  /** Where the app may call, and how often it did. */
  egress: { policy: 'internet' | 'none' | 'list'; hosts: string[]; total: number; refused: number };
}

/** `GET /apps/<id>/settings`. Making a key posts `name` and `kind` to `/apps/<id>/keys`, revoking one to
 *  `/apps/<id>/keys/revoke`; `/apps/<id>/egress` takes `policy` and `hosts`, `/apps/<id>/address` `label`, `/apps/<id>/env`
 *  `micro` and `env.<NAME>` for each variable, `/apps/<id>/domains`, `.../domains/verify` and `.../domains/remove` `domain`, `/apps/<id>/limits` a number by each name; the last is for the host's owner. */
export function settingsPage(view: SettingsView): string {
  const { instance } = view;
  return instanceTab(view, 'settings', html`${view.env.length === 0 ? '' : html`<section class="card" aria-labelledby="env"><h2 id="env">Variables</h2>${env(view)}</section>`}
<section class="card" aria-labelledby="keys"><h2 id="keys">Keys</h2>${keys(view)}</section>
<section class="card" aria-labelledby="egress"><h2 id="egress">Calls to the outside</h2>${egress(view)}</section>
<section class="card" aria-labelledby="address"><h2 id="address">Address</h2>${address(view)}</section>
<section class="card" aria-labelledby="domains"><h2 id="domains">Domains of your own</h2>${domains(view)}</section>
<section class="card" aria-labelledby="limits"><h2 id="limits">Limits</h2>${limits(view)}</section>
<section class="card action"><p>Done with this app? You choose what happens to its data.</p>
<a class="button danger" href="${path`/apps/${instance.id}/uninstall`}">Uninstall…</a></section>`);
}

function env({ instance, env: micros, problems }: SettingsView): Markup {
  return html`${problem(problems.env)}${micros.map(({ micro, values }) => html`<form class="stack" method="post" action="${path`/apps/${instance.id}/env`}">
<input type="hidden" name="micro" value="${micro}">${micros.length > 1 ? html`<h3><bdi>${micro}</bdi></h3>` : ''}
${values.map(({ name, description, value, fallback }) => textArea({ id: `${micro}-env-${name}`, name: `env.${name}`, label: name, value, ...(fallback ? { placeholder: fallback } : {}), ...(description ? { hint: description } : {}) }))}
<button type="submit">Save</button></form>`)}
<p class="hint">They are kept encrypted. The app starts anew with them at its next request. Empty: what the app itself says.</p>`;
}

function address({ instance, address: { label, behind }, problems }: SettingsView): Markup {
  return html`<form class="stack" method="post" action="${path`/apps/${instance.id}/address`}">
${problem(problems.address)}
${field({ name: 'label', label: 'Name in front', value: label, minLength: 3, maxLength: 63, pattern: '[a-z0-9][a-z0-9\\-]*[a-z0-9]', hint: `The address is this name and ${behind}. Lower-case letters, digits and hyphens. The addresses that it had still lead to it.` })}
<button type="submit">Save</button></form>`;
}

function domains({ instance, domains: list, problems }: SettingsView): Markup {
  return html`${problem(problems.domains)}
${list.length === 0 ? '' : html`<ul class="rows">${list.map((each) => domainRow(instance.id, each))}</ul>`}
<form class="stack" method="post" action="${path`/apps/${instance.id}/domains`}">
${field({ name: 'domain', label: 'A new domain', maxLength: 253, placeholder: 'notes.example.org', hint: 'First you prove that it is yours, with a TXT record in its DNS. Then point its name at this host.' })}
<button type="submit">Add</button></form>`;
}

function domainRow(instanceId: string, { domain, shown, isActive, problem, txt }: SettingsView['domains'][number]): Markup {
  const hidden = html`<input type="hidden" name="domain" value="${domain}">`;
  return html`<li><p><strong><bdi>${shown}</bdi></strong>${shown === domain ? '' : html` <code>${domain}</code>`} <span class="tag">${isActive ? 'leads here' : 'not proven yet'}</span></p>
${problem === null ? '' : html`<p role="status">${problem}</p>`}
${isActive && problem === null ? '' : html`<p class="muted">TXT record <code>${txt.name}</code> with the text <code>${txt.value}</code></p>`}
<div class="buttons">${isActive && problem === null ? '' : html`<form method="post" action="${path`/apps/${instanceId}/domains/verify`}">${hidden}<button type="submit" aria-label="Check ${shown}">Check</button></form>`}
<form method="post" action="${path`/apps/${instanceId}/domains/remove`}">${hidden}<button class="quiet danger" type="submit" aria-label="Remove ${shown}">Remove</button></form></div></li>`;
}

function limits({ instance, limits: rows, problems, person }: SettingsView): Markup {
  const list = html`<dl>${rows.map(({ name, meaning, unit, value, isSet }) => html`<dt><code>${name}</code></dt><dd>${String(value)} ${unit}${isSet ? html` <span class="tag">set for this app</span>` : ''} <span class="muted">${meaning}</span></dd>`)}</dl>`;
  if (!person?.isOwner) return html`<p class="muted">The owner of this host can change them.</p>${list}`;
  return html`${problem(problems.limits)}<details${problems.limits ? html` open` : ''}><summary>What this app may use</summary>
<form class="stack" method="post" action="${path`/apps/${instance.id}/limits`}">
${rows.map(({ name, meaning, unit, value, isSet }) => field({ id: `limit-${name}`, name, label: name, ...(isSet ? { value: String(value) } : {}), placeholder: String(value), isOptional: true, pattern: '\\d*', hint: `${unit === '' ? '' : `${unit}: `}${meaning}` }))}
<button type="submit">Save</button></form></details>
<p class="hint">Empty: the number of the whole host.</p>`;
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
${view.takesApiKeys ? html`<label><input type="radio" name="kind" value="api"> API key: the app's own addresses</label>` : ''}</fieldset>
<button type="submit">Create key</button>
</form>`;
}

function keyRow(instanceId: string, key: SettingsView['keys'][number]): Markup {
  return html`<li><p><strong><bdi>${key.name}</bdi></strong> <span class="tag">${kindWord(key.kind)}</span></p><p class="muted">${day(key.createdAt)}, ${key.lastUsedAt === null ? 'never used' : html`last used ${day(key.lastUsedAt)}`}</p>
<form method="post" action="${path`/apps/${instanceId}/keys/revoke`}"><input type="hidden" name="kind" value="${key.kind}"><input type="hidden" name="name" value="${key.name}">
<button class="quiet danger" type="submit" aria-label="Revoke ${key.name}">Revoke</button></form></li>`;
}
