// Owns the page that asks what shall happen to the data before an Instance goes.
import { layout, type Chrome } from '../layout.ts';
import { html, path } from '../markup.ts';

export interface UninstallView extends Chrome {
  /** `id` is the Instance's. */
  app: { id: string; name: string; builder?: boolean };
}

/** `GET /apps/<id>/uninstall`. The form posts `data=keep|delete` to the same address. */
export function uninstallPage({ app, ...chrome }: UninstallView): string {
  return layout({
    ...chrome, title: `Uninstall ${app.name}`, shape: 'narrow',
    body: html`<h1>Uninstall <bdi>${app.name}</bdi>?</h1>
<p class="lead">The app stops and its address goes away. What shall happen to its data?</p>
<form class="card stack" method="post" action="${path`/apps/${app.id}/uninstall`}">
<fieldset class="choices cards"><legend class="unseen">Its data</legend>
<label><input type="radio" name="data" value="keep" checked aria-describedby="keep-hint"> <span><strong>Keep the data</strong>
<span class="hint" id="keep-hint">It stays as a Collection that you can read and write with a data key.</span></span></label>
<label><input type="radio" name="data" value="delete" aria-describedby="delete-hint"> <span><strong>Delete the data</strong>
<span class="hint" id="delete-hint">App and data wait in the trash for 30 days, where you can bring them back. Then they are gone for good.</span></span></label>
</fieldset>
<p>A copy for yourself: <a href="${path`/api/v0/instances/${app.id}/export`}">export the data</a> as one zip before.</p>
<div class="buttons"><button class="danger" type="submit">Uninstall</button> <a class="button" href="/">Cancel</a></div>
</form>`,
  });
}
