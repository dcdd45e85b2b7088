// Owns the tab of an Instance's log, and the table that the overview previews it with.
import { field } from '../../form.ts';
import { html, path, second, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface LogLine {
  time: string;
  micro: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  text: string;
  requestId?: string | null;
}

export interface LogsView extends InstanceFrame {
  /** Names that can be chosen, and what was. */
  micros: string[];
  filter: { micro?: string; level?: string; requestId?: string };
  /** In the order in which they are shown. */
  lines: LogLine[];
}

/** `GET /apps/<id>/logs`, with `micro`, `level` and `request_id` in its query. */
export function logsPage(view: LogsView): string {
  const { instance } = view;
  return instanceTab(view, 'logs', html`${filters(view)}
${view.lines.length === 0 && isFiltered(view)
    ? html`<div class="card"><p>Nothing is like that. <a href="${path`/apps/${instance.id}/logs`}">Everything</a></p></div>`
    : view.lines.length === 0
    ? html`<div class="card"><p>Nothing yet. What the app writes with <code>console.log</code>, its errors, and the reason of every stop appear here.</p></div>`
    : html`<div class="card">${logTable(view.lines)}</div>`}
<p class="buttons"><a class="button" href="${path`/apps/${instance.id}/logs`}">Load again</a></p>
<p class="hint">In a terminal, <code>space logs -f</code> follows the log as it grows.</p>`);
}

const isFiltered = ({ filter }: LogsView): boolean => Object.values(filter).some((value) => value !== undefined);

function filters({ instance, micros, filter }: LogsView): Markup {
  const option = (value: string, label: string, chosen: string | undefined): Markup => html`<option value="${value}"${value === (chosen ?? '') ? html` selected` : ''}>${label}</option>`;
  return html`<form class="filters card" method="get" action="${path`/apps/${instance.id}/logs`}">
<div class="field"><label for="micro">Micro</label><select id="micro" name="micro">${option('', 'All', filter.micro)}${micros.map((name) => option(name, name, filter.micro))}</select></div>
<div class="field"><label for="level">Level</label><select id="level" name="level">${option('', 'All', filter.level)}${option('info', 'Info and worse', filter.level)}${option('warn', 'Warnings and errors', filter.level)}${option('error', 'Errors', filter.level)}</select></div>
${field({ name: 'request_id', label: 'Request', isOptional: true, maxLength: 64, ...(filter.requestId === undefined ? {} : { value: filter.requestId }) })}
<button type="submit">Show</button></form>`;
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];

export function logTable(lines: LogLine[]): Markup {
  return html`<div class="scroll" role="region" aria-label="Log lines" tabindex="0"><table class="logs">
<thead><tr><th scope="col">Time</th><th scope="col">Level</th><th scope="col">Micro</th><th scope="col">Text</th><th scope="col">Request</th></tr></thead>
<tbody>${lines.map(logRow)}</tbody>
</table></div>`;
}

function logRow(line: LogLine): Markup {
  return html`<tr class="${LEVELS.includes(line.level) ? line.level : 'info'}"><td>${second(line.time)}</td><td>${line.level}</td><td><bdi>${line.micro}</bdi></td><td class="text" dir="auto">${line.text}</td><td><code>${line.requestId ?? ''}</code></td></tr>
`;
}
