// Owns the tab of an Instance's data: what its Collection holds, and taking it away.
import { sizeText } from '../../form.ts';
import { html, path, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface DataView extends InstanceFrame {
  collectionId: string;
  bases: { name: string; items: number; bytes: number }[];
  drives: { name: string; files: number; bytes: number }[];
}

/** `GET /apps/<id>/data`. */
export function dataPage(view: DataView): string {
  return instanceTab(view, 'data', html`<div class="columns">
<section class="card"><h2>Bases</h2>${list(view.bases.map(({ name, items, bytes }) => ({ name, text: `${items} ${items === 1 ? 'item' : 'items'}, ${sizeText(bytes)}` })))}</section>
<section class="card"><h2>Drives</h2>${list(view.drives.map(({ name, files, bytes }) => ({ name, text: `${files} ${files === 1 ? 'file' : 'files'}, ${sizeText(bytes)}` })))}</section>
</div>
<section class="card action"><p>All of it in one zip, which any Ownspace takes in. The Collection is <code>${view.collectionId}</code>.</p>
<a class="button" href="${path`/api/v0/instances/${view.instance.id}/export`}">Export</a></section>`);
}

function list(rows: { name: string; text: string }[]): Markup {
  if (rows.length === 0) return html`<p class="muted">None yet.</p>`;
  return html`<ul class="rows">${rows.map(({ name, text }) => html`<li><p><strong><bdi>${name}</bdi></strong></p><p class="muted">${text}</p></li>`)}</ul>`;
}
