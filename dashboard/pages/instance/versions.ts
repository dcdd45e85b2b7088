// Owns the tab of an Instance's versions: the one that runs, and the one that could.
import { notesText } from '../../form.ts';
import { html, path } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface VersionsView extends InstanceFrame {
  /** Notes of the version that runs. */
  notes: string;
  update?: { version: string; notes: string };
}

/** `GET /apps/<id>/versions`. */
export function versionsPage(view: VersionsView): string {
  const { instance, update } = view;
  return instanceTab(view, 'versions', html`${update ? html`<section class="card highlight"><h2>Version <bdi>${update.version}</bdi> is out</h2>${notesText(update.notes)}
<p><a class="button primary" href="${path`/apps/${instance.id}/update`}">Update…</a></p></section>` : ''}
<section class="card"><h2>Version <bdi>${instance.version}</bdi> runs</h2>${notesText(view.notes)}</section>`);
}
