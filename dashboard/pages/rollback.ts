// Owns the page that says what going back to an earlier version means, before it is done.
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path } from '../markup.ts';

export interface RollbackView extends Chrome {
  /** `id` is the Instance's. */
  app: { id: string; name: string; iconUrl?: string };
  from: string;
  /** `id` is that of the version in the list of versions. */
  to: { id: string; version: string };
  /** What it means for the data, when they stay and when they go back; undefined where those of then are not kept. */
  keep: string;
  restore?: string;
}

/** `GET /apps/<id>/rollback?to=<version id>`. The form posts `to` and `data=keep|restore` to the same address. */
export function rollbackPage(view: RollbackView): string {
  const { app, to } = view;
  return layout({
    ...view, title: `Roll ${app.name} back`, shape: 'narrow',
    body: html`<header class="hero">${appIcon(app, ownPath(app.iconUrl))}<div><h1>Roll <bdi>${app.name}</bdi> back?</h1>
<p class="muted versions"><span class="unseen">From</span> <bdi>${view.from}</bdi> ${SYMBOLS.arrow} <span class="unseen">to</span> <strong><bdi>${to.version}</bdi></strong></p></div></header>
<form class="card stack" method="post" action="${path`/apps/${app.id}/rollback`}"><input type="hidden" name="to" value="${to.id}">
<fieldset class="choices cards"><legend class="unseen">Its data</legend>
<label><input type="radio" name="data" value="keep" checked aria-describedby="keep-hint"> <span><strong>The code only</strong>
<span class="hint" id="keep-hint">${view.keep}</span></span></label>
${view.restore === undefined ? html`<p class="muted">The data of version <bdi>${to.version}</bdi> are not kept any more.</p>` : html`<label><input type="radio" name="data" value="restore" aria-describedby="restore-hint"> <span><strong>The code and its data</strong>
<span class="hint" id="restore-hint">${view.restore}</span></span></label>`}
</fieldset>
<div class="buttons"><button class="danger" type="submit">Roll back</button> <a class="button" href="${path`/apps/${app.id}/versions`}">Cancel</a></div>
</form>`,
  });
}
