// Owns how the output of an App Action is shown. It is an app's own: text, and links that say where they lead; nothing of it
// is loaded, and what is no card that we know is shown as it came.
import { html, webUrl, type Markup } from './markup.ts';

const TEXT_MAX = 20_000;
const ITEMS_MAX = 100;

type Fields = Record<string, unknown>;

/** @source reference 3.7, the table of card types */
export function outputCard({ type, data }: { type: string; data: unknown }): Markup {
  const fields = fieldsOf(data);
  if (fields && type === '@deta/detail') return entry(fields, 'text');
  if (fields && type === '@deta/file') return html`<p>${link(fields['url'], text(fields['name']) || 'File')} <span class="muted">${text(fields['type'])}</span></p>`;
  if (fields && type === '@deta/list' && Array.isArray(fields['items'])) return listed(fields, fields['items']);
  return plain(data);
}

function listed(fields: Fields, items: unknown[]): Markup {
  return html`${entry(fields, 'description')}<ul class="rows">${items.slice(0, ITEMS_MAX).map((item) => html`<li>${entry(fieldsOf(item) ?? {}, 'description')}</li>`)}</ul>
${items.length > ITEMS_MAX ? html`<p class="muted">and ${String(items.length - ITEMS_MAX)} more</p>` : ''}`;
}

function entry(fields: Fields, body: 'text' | 'description'): Markup {
  const title = text(fields['title']);
  return html`<div>${title === '' ? '' : html`<p dir="auto"><strong>${title}</strong></p>`}${text(fields[body]) === '' ? '' : html`<p class="notes" dir="auto">${text(fields[body])}</p>`}
${link(fields['url'])}${link(fields['image_url'], 'Picture')}</div>`;
}

/** To the web; the label stands beside the host that it leads to. */
function link(address: unknown, label = 'Open'): Markup | '' {
  const url = typeof address === 'string' && !address.startsWith('/') ? webUrl(address) : undefined;
  if (url === undefined) return typeof address === 'string' && address !== '' ? html`<p class="muted"><bdi>${cut(address)}</bdi></p>` : '';
  return html`<p><a href="${url}" rel="noopener noreferrer nofollow">${label} <span class="muted">at <bdi>${new URL(url).host}</bdi></span></a></p>`;
}

function plain(data: unknown): Markup {
  if (data === '' || data === null || data === undefined) return html`<p class="muted">Nothing.</p>`;
  const shown = typeof data === 'string' ? data : (JSON.stringify(data, null, 2) ?? '');
  return html`<pre class="terminal output" tabindex="0" dir="auto">${cut(shown)}</pre>`;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? cut(String(value)) : '';
}

function cut(shown: string): string {
  return shown.length <= TEXT_MAX ? shown : `${shown.slice(0, TEXT_MAX)}…`;
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
