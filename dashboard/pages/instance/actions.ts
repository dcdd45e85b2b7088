// Owns the tab of an Instance's App Actions: what it can be asked to do, a form for each, and what came back.
import { outputCard } from '../../card.ts';
import { field, problem } from '../../form.ts';
import { html, path, type Markup } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface ActionRow {
  name: string; title: string; micro: string;
  input: { name: string; type: 'string' | 'number' | 'boolean'; optional: boolean; value?: string }[];
  /** What is wrong with its form, as it was sent. */
  error?: string;
  /** What it answered just now. */
  output?: { type: string; data: unknown };
}

export interface ActionsView extends InstanceFrame { actions: ActionRow[] }

/** `GET /apps/<id>/actions`. The form posts `action` and `input.<name>` for each input to the same address. */
export function actionsPage(view: ActionsView): string {
  return instanceTab(view, 'actions', view.actions.length === 0
    ? html`<div class="card"><p>The app did not say what it can be asked to do. <a href="${path`/apps/${view.instance.id}/logs`}">Its log</a> has the reason; it is asked again after a minute.</p></div>`
    : html`${view.actions.map((each, index) => card(view.instance.id, each, `action-${index}`))}
<p class="hint">In a terminal, <code>space trigger</code> does the same.</p>`);
}

function card(instanceId: string, action: ActionRow, id: string): Markup {
  return html`<section class="card" aria-labelledby="${id}"><h2 id="${id}"><bdi>${action.title}</bdi></h2>
<p class="muted"><code>${action.name}</code> by <bdi>${action.micro}</bdi></p>
<form class="stack" method="post" action="${path`/apps/${instanceId}/actions`}"><input type="hidden" name="action" value="${action.name}">
${problem(action.error)}
${action.input.map((input, index) => inputField(input, `${id}-${index}`))}
<button class="primary" type="submit" aria-label="Run ${action.title}">Run</button></form>
${action.output ? html`<div class="stack" role="status"><h3>What came back</h3>${outputCard(action.output)}</div>` : ''}</section>`;
}

function inputField({ name, type, optional, value }: ActionRow['input'][number], id: string): Markup {
  const label = optional ? `${name} (optional)` : name;
  if (type !== 'boolean') {
    return field({ id, name: `input.${name}`, label, isOptional: optional, maxLength: 16_384, ...(value === undefined ? {} : { value }), ...(type === 'number' ? { hint: 'A number.', pattern: '\\s*[+\\-]?\\d*\\.?\\d*(?:[eE][+\\-]?\\d+)?\\s*' } : {}) });
  }
  const options = [...(optional ? [['', 'Not said']] : []), ['false', 'No'], ['true', 'Yes']] as const;
  return html`<div class="field"><label for="${id}">${label}</label><select id="${id}" name="input.${name}">
${options.map(([choice, text]) => html`<option value="${choice}"${choice === (value ?? '') ? html` selected` : ''}>${text}</option>`)}</select></div>`;
}
