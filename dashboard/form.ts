// Owns the parts that pages are built from: fields, notices, values shown once, states, notes.
// Knows no page and no route.
import { SYMBOLS } from './icon.ts';
import { html, type Markup } from './markup.ts';
import { prose } from './prose.ts';

export interface Field {
  /** Where a page has several of this name. */
  id?: string;
  name: string;
  label: string;
  type?: 'text' | 'password' | 'url';
  value?: string;
  hint?: string;
  autocomplete?: string;
  placeholder?: string;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  isOptional?: boolean;
  hasFocus?: boolean;
}

/** One labelled input. */
export function field(f: Field): Markup {
  const id = f.id ?? f.name;
  const hintId = `${id}-hint`;
  return html`<div class="field">
<label for="${id}">${f.label}</label>
<input id="${id}" name="${f.name}" type="${f.type ?? 'text'}"${attribute('value', f.value)}${attribute('autocomplete', f.autocomplete ?? 'off')}${attribute('placeholder', f.placeholder)}${attribute('minlength', f.minLength)}${attribute('maxlength', f.maxLength)}${attribute('pattern', f.pattern)}${f.hint ? attribute('aria-describedby', hintId) : ''} autocapitalize="none" spellcheck="false"${f.isOptional ? '' : html` required`}${f.hasFocus ? html` autofocus` : ''}>
${f.hint ? html`<p class="hint" id="${hintId}">${f.hint}</p>` : ''}
</div>`;
}

/** One labelled value of any number of lines, as tall as what is in it. Without a value it may be left empty. */
export function textArea({ id, name, label, value, hint, placeholder }: { id: string; name: string; label: string; value: string; hint?: string; placeholder?: string }): Markup {
  const hintId = `${id}-hint`;
  // The first line break of a textarea is not part of its value.
  return html`<div class="field">
<label for="${id}">${label}</label>
<textarea id="${id}" name="${name}" rows="1" autocomplete="off"${attribute('placeholder', placeholder)}${hint ? attribute('aria-describedby', hintId) : ''} autocapitalize="none" spellcheck="false">
${value}</textarea>
${hint ? html`<p class="hint" id="${hintId}">${hint}</p>` : ''}
</div>`;
}

function attribute(name: string, value: string | number | undefined): Markup | '' {
  return value === undefined ? '' : html` ${name}="${value}"`;
}

/** @source core/errors.ts, USERNAME_INVALID */
export const personName = (more: Partial<Field> = {}): Field => ({
  name: 'username', label: 'Name', autocomplete: 'username', minLength: 2, maxLength: 32, pattern: '[a-z][a-z0-9\\-]{1,31}',
  hint: '2 to 32 lower-case letters, digits and hyphens, starting with a letter.', ...more,
});

/** @source core/errors.ts, PASSWORD_INVALID */
export const newPassword = (more: Partial<Field> = {}): Field => ({
  name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password', minLength: 8, maxLength: 256,
  hint: 'At least 8 characters. A few unrelated words work well.', ...more,
});

/** What went wrong with the form below it. Nothing without a text. */
export function problem(text: string | undefined): Markup | '' {
  return text ? html`<p class="notice bad" role="alert">${SYMBOLS.warning}<span>${text}</span></p>` : '';
}

/** A value that is shown this once. A click selects all of it. */
export function onceShown(label: string, value: string): Markup {
  return html`<section class="notice good once" aria-label="${label}">
<p><strong>${label}</strong> Copy it now: it is not shown again.</p>
<code class="secret" tabindex="0">${value}</code>
</section>`;
}

/** How an Instance or an Installation fares, as a dot and a word. */
export type State = 'ready' | 'installing' | 'updating' | 'failed' | 'paused';

const STATE_WORDS: Record<State, string> = { ready: 'Ready', installing: 'Installing', updating: 'Updating', failed: 'Failed', paused: 'Paused' };

export function stateDot(state: State): Markup {
  const known = Object.hasOwn(STATE_WORDS, state) ? state : 'failed';
  return html`<span class="state ${known}">${STATE_WORDS[known]}</span>`;
}

/** Notes as their author wrote them, in Markdown; line breaks are kept. They stand below a heading of the page. */
export function notesText(notes: string): Markup {
  return notes.trim() === '' ? html`<p class="muted">No notes were given.</p>` : html`<div class="notes">${prose(notes, { headingsFrom: 3, keepsBreaks: true })}</div>`;
}

/** The form that opens a Release by its link. */
export function releaseLinkForm(): Markup {
  return html`<form class="inline" method="get" action="/r">
${field({ name: 'link', label: 'Release link', placeholder: 'https://…/r/…', hint: 'From a developer, or a friend. You see what it is before anything is installed.' })}
<button type="submit">Look at it</button>
</form>`;
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;

/** Bytes as people read them: `1.2 MB`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : Math.round(amount * 10) / 10} ${bytes === 1 ? 'byte' : UNITS[power]}`;
}
