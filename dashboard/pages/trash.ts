// Owns the trash: what was deleted lately, bringing it back, deleting it for good.
import { problem } from '../form.ts';
import { SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, path, type Markup } from '../markup.ts';

export interface TrashView extends Chrome {
  things: { id: string; kind: 'app' | 'collection'; name: string; version?: string; trashedAt: string; deletedAt: string }[];
  /** What just happened. */
  message?: string;
  error?: string;
}

/** `GET /trash`. `/trash/<id>/restore` takes `as=app|collection`, `/trash/<id>/delete` and `/trash/empty` take nothing. */
export function trashPage(view: TrashView): string {
  return layout({
    ...view, title: 'Trash', place: 'trash',
    body: html`<h1>Trash</h1>
<p class="lead">Apps and Collections that you deleted. Each can come back for 30 days, as it was.</p>
${view.message ? html`<p class="notice good" role="status">${SYMBOLS.check}<span>${view.message}</span></p>` : ''}
${problem(view.error)}
${view.things.length === 0 ? html`<div class="card"><p>Nothing is in it.</p></div>`
      : html`<ul class="rows card">${view.things.map(row)}</ul>
<section class="card action"><p>What is deleted here does not come back.</p>
<details><summary>Empty the trash…</summary><form method="post" action="/trash/empty"><button class="danger" type="submit">Delete all of it for good</button></form></details></section>`}`,
  });
}

function row(thing: TrashView['things'][number]): Markup {
  const isApp = thing.kind === 'app';
  return html`<li><p><strong><bdi>${thing.name}</bdi></strong> <span class="tag">${isApp ? 'app' : 'Collection'}</span></p>
<p class="muted">${thing.version ? html`version <bdi>${thing.version}</bdi> · ` : ''}deleted ${day(thing.trashedAt)} · gone for good ${day(thing.deletedAt)}</p>
<div class="buttons"><form method="post" action="${path`/trash/${thing.id}/restore`}"><button class="primary" type="submit" aria-label="Bring back ${thing.name}">Bring back</button></form>
${isApp ? html`<form method="post" action="${path`/trash/${thing.id}/restore`}"><input type="hidden" name="as" value="collection"><button type="submit" aria-label="Bring back the data of ${thing.name} only">Its data only</button></form>` : ''}
<details><summary>Delete…</summary><form method="post" action="${path`/trash/${thing.id}/delete`}"><button class="danger" type="submit" aria-label="Delete ${thing.name} for good">Delete for good</button></form></details></div></li>`;
}
