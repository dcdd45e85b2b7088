// Owns the pages of the first visit: choosing the owner's name and password. Knows nothing of how a secret is checked.
import { field, newPassword, personName, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { html } from '../markup.ts';

export interface SetupView extends Chrome {
  /** From the link that the host printed; empty when the visitor came without it. */
  secret: string;
  error?: string;
  username?: string;
}

/** `GET /setup`. The form posts `secret`, `username`, `password` to `/setup`. */
export function setupPage(view: SetupView): string {
  return layout({
    ...view, title: 'Set up', shape: 'plain',
    body: html`<h1>Welcome to your own cloud</h1>
<p class="lead">This machine is about to hold your Space: a private place for apps. Each app you install gets its own address, its own
database and its own files. Nobody else sees them, and they stay here.</p>
<form class="card stack" method="post" action="/setup">
${problem(view.error)}
${view.secret ? html`<input type="hidden" name="secret" value="${view.secret}">`
    : field({ name: 'secret', label: 'Set-up secret', hint: 'The host printed it when it started, as part of a link.', hasFocus: true })}
${field(personName({ value: view.username, hasFocus: Boolean(view.secret) }))}
${field(newPassword())}
<button class="primary" type="submit">Create my Space</button>
<p class="hint">You become the owner of this host: you can invite others, and each of them gets a Space of their own.</p>
</form>`,
  });
}

/** For a visit to `/setup` after the owner exists. */
export function setupDonePage(view: Chrome = {}): string {
  return layout({
    ...view, title: 'Set up already', shape: 'plain',
    body: html`<h1>This host is set up</h1>
<p class="lead">Its owner exists already, so the set-up link has no power any more. If that was you, sign in. If you would like a Space
here, ask the owner for an invitation.</p>
<p><a class="button primary" href="/login">Sign in</a></p>`,
  });
}
