// Owns the tab of an Instance's schedules: when each is due, its switch and interval, and what became of the last runs.
import { field, problem } from '../../form.ts';
import { html, path, second, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface ScheduleRow {
  id: string; name: string; description: string; micro: string;
  interval: string; defaultInterval: string; enabled: boolean;
  next?: string; following?: string;
  runs: { startedAt: string; trigger: 'due' | 'catch-up' | 'manual'; outcome: 'running' | 'ok' | 'failed' | 'skipped' | 'interrupted'; durationMs: number | null; requestId: string | null; error: string | null }[];
  /** What is wrong with its form, as it was sent. */
  error?: string;
}

export interface SchedulesView extends InstanceFrame { schedules: ScheduleRow[] }

/** `GET /apps/<id>/schedules`. Each form names its `schedule`: `/apps/<id>/schedules` takes `interval` too,
 *  `/apps/<id>/schedules/switch` takes `enabled=true|false`, `/apps/<id>/schedules/run` nothing more. */
export function schedulesPage(view: SchedulesView): string {
  return instanceTab(view, 'schedules', html`${view.schedules.map((each, index) => card(view.instance.id, each, index))}
<p class="hint">Times are UTC. What was due while this host was off is made up for by one run; a schedule never runs twice at the same time.</p>`);
}

function card(instanceId: string, schedule: ScheduleRow, index: number): Markup {
  const hidden = html`<input type="hidden" name="schedule" value="${schedule.id}">`;
  return html`<section class="card" aria-labelledby="schedule-${String(index)}"><div class="card-head"><h2 id="schedule-${String(index)}"><bdi>${schedule.name}</bdi></h2>
<span class="buttons"><form method="post" action="${path`/apps/${instanceId}/schedules/run`}">${hidden}<button type="submit" aria-label="Run ${schedule.name} now">Run now</button></form>
<form method="post" action="${path`/apps/${instanceId}/schedules/switch`}">${hidden}<input type="hidden" name="enabled" value="${String(!schedule.enabled)}"><button class="quiet" type="submit" aria-label="${schedule.enabled ? 'Turn off' : 'Turn on'} ${schedule.name}">${schedule.enabled ? 'Turn off' : 'Turn on'}</button></form></span></div>
${schedule.description === '' ? '' : html`<p><bdi>${schedule.description}</bdi></p>`}
<p class="muted">${plan(schedule)}</p>
<form class="inline" method="post" action="${path`/apps/${instanceId}/schedules`}">${hidden}
${problem(schedule.error)}
${field({ id: `interval-${index}`, name: 'interval', label: 'Interval', value: schedule.interval, maxLength: 256, isOptional: true, hint: `A rate such as 15 minutes, or a cron expression such as 0 10 * * *. Empty: the app's own, ${schedule.defaultInterval}.` })}
<button type="submit" aria-label="Save the interval of ${schedule.name}">Save</button></form>
${runs(schedule)}</section>`;
}

function plan({ enabled, next, following, micro }: ScheduleRow): Markup {
  const where = html`by <bdi>${micro}</bdi>`;
  if (!enabled) return html`Turned off; ${where}.`;
  return html`${next === undefined ? 'Never' : html`Next ${second(next)}`}${following === undefined ? '' : html`, then ${second(following)}`}; ${where}.`;
}

const OUTCOMES: Record<ScheduleRow['runs'][number]['outcome'], string> = { running: 'Running', ok: 'Done', failed: 'Failed', skipped: 'Skipped: the run before was not done', interrupted: 'Cut off: the host stopped' };
const TRIGGERS: Record<ScheduleRow['runs'][number]['trigger'], string> = { due: '', 'catch-up': 'made up for', manual: 'by hand' };

function runs({ runs: list, name }: ScheduleRow): Markup {
  if (list.length === 0) return html`<p class="muted">It has not run yet.</p>`;
  return html`<details><summary>Last runs</summary><div class="scroll" role="region" aria-label="Runs of ${name}" tabindex="0"><table class="logs">
<thead><tr><th scope="col">Began</th><th scope="col">Outcome</th><th scope="col">Took</th><th scope="col">Why</th><th scope="col">Request</th></tr></thead>
<tbody>${list.map((run) => html`<tr class="${run.outcome === 'failed' ? 'error' : run.outcome === 'ok' ? 'info' : 'warn'}"><td>${second(run.startedAt)}</td><td>${OUTCOMES[run.outcome] ?? ''}</td><td>${run.durationMs === null ? '' : `${run.durationMs} ms`}</td><td class="text" dir="auto">${[TRIGGERS[run.trigger] ?? '', run.error ?? ''].filter(Boolean).join(': ')}</td><td><code>${run.requestId ?? ''}</code></td></tr>
`)}</tbody></table></div></details>`;
}
