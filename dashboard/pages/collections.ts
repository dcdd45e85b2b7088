// Owns the list of headless Collections: data that stands alone, such as what an uninstalled app left.
import { layout, type Chrome } from '../layout.ts';
import { day, html } from '../markup.ts';

export interface CollectionsView extends Chrome {
  collections: { id: string; name: string; createdAt: string }[];
}

/** `GET /collections`. */
export function collectionsPage(view: CollectionsView): string {
  return layout({
    ...view, title: 'Collections', place: 'collections',
    body: html`<h1>Collections</h1>
<p class="lead">Data without an app: what you kept when you uninstalled one.</p>
${view.collections.length === 0
      ? html`<div class="card"><p>None. When you uninstall an app and keep its data, it appears here.</p></div>`
      : html`<ul class="rows card">${view.collections.map((each) => html`<li><p><strong><bdi>${each.name}</bdi></strong></p><p class="muted"><code>${each.id}</code> · ${day(each.createdAt)}</p></li>`)}</ul>`}`,
  });
}
