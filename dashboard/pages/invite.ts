// Owns the pages of invitations: the owner makes them, a guest accepts one. Knows nothing of how they are kept.
import { field, newPassword, onceShown, personName, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, path, webUrl, type Markup } from '../markup.ts';

export interface InvitesView extends Chrome {
  invites: { id: string; createdAt: string; expiresAt: string; used: boolean }[];
  /** An invitation made by the request before this page; its link is shown this once. */
  created?: { url: string };
}

/** `GET /invites`. Making one posts to the same address, withdrawing one to `/invites/<id>/withdraw`. */
export function invitesPage(view: InvitesView): string {
  const url = webUrl(view.created?.url);
  return layout({
    ...view, title: 'Invitations', place: 'invites',
    body: html`<h1>Invitations</h1>
<p class="lead">An invitation gives one person a Space of their own on this host: their apps, their data, closed to you and everybody else.</p>
${url ? onceShown('The invitation is ready.', url) : ''}
<form method="post" action="/invites"><button class="primary" type="submit">Create an invitation</button></form>
${view.invites.length === 0 ? '' : html`<section class="card"><h2>Made so far</h2><ul class="rows">${view.invites.map(inviteRow)}</ul></section>`}`,
  });
}

function inviteRow(invite: InvitesView['invites'][number]): Markup {
  return html`<li><p>Made ${day(invite.createdAt)}</p><p class="muted">${invite.used ? 'Used' : html`Open until ${day(invite.expiresAt)}`}</p>
${invite.used ? '' : html`<form method="post" action="${path`/invites/${invite.id}/withdraw`}"><button class="quiet" type="submit">Withdraw</button></form>`}</li>`;
}

export interface AcceptInviteView extends Chrome {
  invite: string;
  error?: string;
  username?: string;
}

/** `GET /invites/<invite>`. The form posts `username` and `password` to the same address. */
export function acceptInvitePage(view: AcceptInviteView): string {
  return layout({
    ...view, title: 'You are invited', shape: 'plain',
    body: html`<h1>You are invited</h1>
<p class="lead">Somebody made room for you here: a Space of your own, where each app you install keeps its own database and files, for your eyes only.</p>
<form class="card stack" method="post" action="${path`/invites/${view.invite}`}">
${problem(view.error)}
${field(personName({ value: view.username, hasFocus: true }))}
${field(newPassword())}
<button class="primary" type="submit">Create my Space</button>
</form>`,
  });
}
