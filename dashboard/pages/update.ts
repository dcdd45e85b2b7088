// Owns the page that shows what an update brings before it is made: notes, and what is different.
import { notesText } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path, type Markup } from '../markup.ts';

export interface UpdateView extends Chrome {
  /** `id` is the Instance's. */
  app: { id: string; name: string; iconUrl?: string };
  /** The versions before and after. */
  from: string;
  to: string;
  releaseId: string;
  /** Of all versions that it brings, newest first. */
  notes: { version: string; text: string }[];
  /** `isOpening`: it lets others in, or the app do more than before. */
  changes: { text: string; isOpening: boolean }[];
}

/** `GET /apps/<id>/update`. The form posts `release` to the same address. */
export function updatePage(view: UpdateView): string {
  const { app } = view;
  return layout({
    ...view, title: `Update ${app.name}`, shape: 'narrow',
    body: html`<header class="hero">${appIcon(app, ownPath(app.iconUrl))}<div><h1>Update <bdi>${app.name}</bdi></h1>
<p class="muted versions"><span class="unseen">From</span> <bdi>${view.from}</bdi> ${SYMBOLS.arrow} <span class="unseen">to</span> <strong><bdi>${view.to}</bdi></strong></p></div></header>
<section class="card"><h2>What is new</h2>${view.notes.map(({ version, text }) => html`${view.notes.length > 1 ? html`<h3>Version <bdi>${version}</bdi></h3>` : ''}${notesText(text)}`)}</section>
<section class="card"><h2>What is different</h2>${changes(view)}</section>
<form class="card action" method="post" action="${path`/apps/${app.id}/update`}"><input type="hidden" name="release" value="${view.releaseId}">
<p>Your data are put aside first. The new version is tried before it counts; if it does not answer, everything is as before.</p>
<div class="buttons"><button class="primary" type="submit">Update</button> <a class="button" href="/">Not now</a></div></form>`,
  });
}

function changes(view: UpdateView): Markup {
  if (view.changes.length === 0) return html`<p class="muted">What others reach of the app, and what it may do, stays as it is.</p>`;
  return html`<ul class="rows">${view.changes.map(({ text, isOpening }) => html`<li><p>${isOpening ? html`<span class="tag">opens</span> ` : ''}<bdi>${text}</bdi></p></li>`)}</ul>`;
}
