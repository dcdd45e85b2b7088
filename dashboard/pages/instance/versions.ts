// Owns the tab of an Instance's versions: the one that runs, the one that could, and those that ran before.
import { notesText } from '../../form.ts';
import { html, path, second, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface VersionsView extends InstanceFrame {
  /** Notes of the version that runs. */
  notes: string;
  update?: { version: string; notes: string };
  /** What ran before, newest first. */
  earlier: { id: string; version: string; leftAt: string; hasData: boolean }[];
}

/** `GET /apps/<id>/versions`. */
export function versionsPage(view: VersionsView): string {
  const { instance, update } = view;
  return instanceTab(view, 'versions', html`${update ? html`<section class="card highlight"><h2>Version <bdi>${update.version}</bdi> is out</h2>${notesText(update.notes)}
<p><a class="button primary" href="${path`/apps/${instance.id}/update`}">Update…</a></p></section>` : ''}
<section class="card"><h2>Version <bdi>${instance.version}</bdi> runs</h2>${notesText(view.notes)}</section>
<section class="card" aria-labelledby="earlier"><h2 id="earlier">Earlier versions</h2>${earlier(view)}</section>`);
}

function earlier({ instance, earlier: versions }: VersionsView): Markup {
  if (versions.length === 0) return html`<p class="muted">None yet. After ${instance.builder ? 'a push' : 'an update'} you can go back from here.</p>`;
  return html`<ul class="rows">${versions.map((each) => html`<li><p><strong><bdi>${each.version}</bdi></strong>${each.hasData ? html` <span class="tag">with its data</span>` : ''}</p>
<p class="muted">until ${second(each.leftAt)}</p>
<a class="button" href="${path`/apps/${instance.id}/rollback`}?to=${encodeURIComponent(each.id)}" aria-label="Go back to ${each.version}">Go back…</a></li>`)}</ul>`;
}
