// Owns the list of headless Collections: data that stands alone, such as what an uninstalled app left.
import { field, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, path } from '../markup.ts';

export interface CollectionsView extends Chrome {
  collections: { id: string; name: string; createdAt: string }[];
  error?: string;
}

/** `GET /collections`. Making one posts `name` to the same address. */
export function collectionsPage(view: CollectionsView): string {
  return layout({
    ...view, title: 'Collections', place: 'collections',
    body: html`<h1>Collections</h1>
<p class="lead">Data without an app: what you kept when you uninstalled one, and what programs of your own keep here.</p>
<section class="card"><h2>Yours</h2>
${view.collections.length === 0 ? html`<p class="muted">None yet. When you uninstall an app and keep its data, it appears here.</p>`
      : html`<ul class="rows">${view.collections.map((each) => html`<li><p><strong><a href="${path`/collections/${each.id}`}"><bdi>${each.name}</bdi></a></strong></p><p class="muted"><code>${each.id}</code> · ${day(each.createdAt)}</p></li>`)}</ul>`}
<form class="stack" method="post" action="/collections">
${problem(view.error)}
${field({ name: 'name', label: 'Name of a new Collection', maxLength: 64, placeholder: 'Weather station', hint: 'Programs read and write it with a data key.' })}
<button class="primary" type="submit">Create Collection</button>
</form></section>`,
  });
}
