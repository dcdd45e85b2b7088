// Owns the page that shows what an update brings before it is made.
import { notesText } from '../form.ts';
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path } from '../markup.ts';

export interface UpdateView extends Chrome {
  /** `id` is the Instance's. */
  app: { id: string; name: string; iconUrl?: string };
  /** The versions before and after. */
  from: string;
  to: string;
  notes: string;
}

/** `GET /apps/<id>/update`. The form posts nothing but its intent to the same address. */
export function updatePage(view: UpdateView): string {
  const { app } = view;
  return layout({
    ...view, title: `Update ${app.name}`, shape: 'narrow',
    body: html`<header class="hero">${appIcon(app, ownPath(app.iconUrl))}<div><h1>Update <bdi>${app.name}</bdi></h1>
<p class="muted versions"><span class="unseen">From</span> <bdi>${view.from}</bdi> ${SYMBOLS.arrow} <span class="unseen">to</span> <strong><bdi>${view.to}</bdi></strong></p></div></header>
<section class="card"><h2>What is new</h2>${notesText(view.notes)}</section>
<form class="card action" method="post" action="${path`/apps/${app.id}/update`}"><p>Your data stays as it is.</p>
<div class="buttons"><button class="primary" type="submit">Update</button> <a class="button" href="/">Not now</a></div></form>`,
  });
}
