// Owns the page of one headless Collection: what is in it, its data keys, taking it out and in, its end.
import { archiveCard, contentsCards, type ArchiveView, type ContentsView } from '../archive.ts';
import { field, onceShown, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, path, type Markup } from '../markup.ts';

export interface CollectionView extends Chrome, ContentsView, ArchiveView {
  collection: { id: string; name: string; createdAt: string };
  keys: { name: string; createdAt: string; lastUsedAt: string | null }[];
  /** A key made by the request before this page; its value is shown this once. */
  created?: { name: string; value: string };
  /** What is wrong with the form of a new key. */
  keyError?: string;
  /** Where programs find Bases, such as `http://localhost:4400/base/v1/`. */
  dataUrl: string;
}

/** `GET /collections/<id>`. Making a key posts `name` to `/collections/<id>/keys`, revoking one to `.../keys/revoke`;
 *  `.../import` takes `dry_run=true?` and `file`, `.../delete` nothing. */
export function collectionPage(view: CollectionView): string {
  const { id, name, createdAt } = view.collection;
  return layout({
    ...view, title: name, place: 'collections',
    body: html`<p><a class="back" href="/collections">Collections</a></p>
<h1><bdi>${name}</bdi></h1>
<p class="muted"><code>${id}</code> · since ${day(createdAt)}</p>
${contentsCards(view)}
<section class="card" aria-labelledby="keys"><h2 id="keys">Data keys</h2>${keys(view)}</section>
${archiveCard(view, { exportPath: path`/api/v0/collections/${id}/export`, importPath: path`/collections/${id}/import` })}
<section class="card action"><p>Done with it? It goes into the trash with all its data, where you can bring it back for 30 days. Its keys open nothing meanwhile.</p>
<details><summary>Delete…</summary><form method="post" action="${path`/collections/${id}/delete`}"><button class="danger" type="submit">Delete <bdi>${name}</bdi></button></form></details></section>`,
  });
}

function keys(view: CollectionView): Markup {
  const { id } = view.collection;
  return html`${view.created ? onceShown(`The data key ${view.created.name}.`, view.created.value) : ''}
${view.keys.length === 0 ? html`<p class="muted">None yet. A data key lets a program of yours read and write this Collection.</p>` : html`<ul class="rows">${view.keys.map((each) => keyRow(id, each))}</ul>`}
<form class="stack" method="post" action="${path`/collections/${id}/keys`}">
${problem(view.keyError)}
${field({ name: 'name', label: 'Name of a new key', maxLength: 64, placeholder: 'backup script' })}
<button type="submit">Create key</button></form>
<p class="hint">Programs send it as <code>X-API-Key</code> to <code>${view.dataUrl}${id}/…</code>, or give it to an SDK of Deta.</p>`;
}

function keyRow(collectionId: string, key: CollectionView['keys'][number]): Markup {
  return html`<li><p><strong><bdi>${key.name}</bdi></strong></p><p class="muted">${day(key.createdAt)}, ${key.lastUsedAt === null ? 'never used' : html`last used ${day(key.lastUsedAt)}`}</p>
<form method="post" action="${path`/collections/${collectionId}/keys/revoke`}"><input type="hidden" name="name" value="${key.name}">
<button class="quiet danger" type="submit" aria-label="Revoke ${key.name}">Revoke</button></form></li>`;
}
