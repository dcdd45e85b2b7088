// Owns the first tab of an Instance: what is wrong or new, what it consists of, its last log lines.
import { notesText } from '../../form.ts';
import { day, html, path, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';
import { logTable, type LogLine } from './logs.ts';

export interface OverviewView extends InstanceFrame {
  createdAt: string;
  collectionId: string;
  update?: { version: string; notes: string };
  micros: { name: string; engine: string; path: string; primary: boolean }[];
  /** Micros that were stopped too often. */
  paused: { micro: string; reason: string; at: string }[];
  /** The last few lines of the log. */
  logs: LogLine[];
}

/** `GET /apps/<id>`. `POST /apps/<id>/resume` takes nothing. */
export function overviewPage(view: OverviewView): string {
  const { instance } = view;
  return instanceTab(view, 'overview', html`${view.paused.length > 0 ? pausedCard(view) : ''}
${view.update ? updateCard(instance.id, view.update) : ''}
<section class="card"><h2>Micros</h2>${micros(view)}
<dl><dt>Collection</dt><dd><code>${view.collectionId}</code></dd><dt>${instance.builder ? 'Since' : 'Installed'}</dt><dd>${day(view.createdAt)}</dd></dl></section>
<section class="card"><h2>Last log lines</h2>${view.logs.length === 0 ? html`<p class="muted">Nothing yet.</p>` : logTable(view.logs)}<p><a href="${path`/apps/${instance.id}/logs`}">All logs</a></p></section>`);
}

function updateCard(id: string, { version, notes }: { version: string; notes: string }): Markup {
  return html`<section class="card highlight"><h2>Version <bdi>${version}</bdi> is out</h2>${notesText(notes)}
<p><a class="button primary" href="${path`/apps/${id}/update`}">Update…</a></p></section>`;
}

function micros(view: OverviewView): Markup {
  return html`<ul class="rows">${view.micros.map((each) => html`<li><p><strong><bdi>${each.name}</bdi></strong>${each.primary ? html` <span class="tag">primary</span>` : ''}</p>
<p class="muted"><code>${each.path}</code> <bdi>${each.engine}</bdi></p></li>`)}</ul>`;
}

function pausedCard({ instance, paused }: OverviewView): Markup {
  return html`<section class="card highlight" aria-labelledby="paused"><h2 id="paused">Paused</h2>
${paused.map((each) => html`<p><bdi>${each.reason}</bdi> <span class="muted">${day(each.at)}</span></p>`)}
<form method="post" action="${path`/apps/${instance.id}/resume`}"><button class="primary" type="submit">Start it again</button></form></section>`;
}
