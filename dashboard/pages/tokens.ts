// Owns the page of access tokens, by which the CLI and scripts act for a person.
import { field, onceShown, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { day, html, path, type Markup } from '../markup.ts';

export interface TokensView extends Chrome {
  tokens: { id: string; name: string; createdAt: string; lastUsedAt?: string | null }[];
  /** A token made by the request before this page; it is shown this once. */
  created?: { name: string; access_token: string };
  error?: string;
  /** Address of the control plane as the CLI takes it, such as `http://localhost:4400/api`. */
  spaceRoot: string;
}

/** `GET /tokens`. Making one posts `name` to the same address, revoking one posts to `/tokens/<id>/revoke`. */
export function tokensPage(view: TokensView): string {
  return layout({
    ...view, title: 'Access tokens', place: 'tokens',
    body: html`<h1>Access tokens</h1>
<p class="lead">A token lets the <code>space</code> command, or a script, act for you. Whoever has it can do what you can.</p>
${view.created ? onceShown(`The token ${view.created.name}.`, view.created.access_token) : ''}
<div class="columns">
<section class="card"><h2>Your tokens</h2>
${view.tokens.length === 0 ? html`<p class="muted">None yet.</p>` : html`<ul class="rows">${view.tokens.map(tokenRow)}</ul>`}
<form class="stack" method="post" action="/tokens">
${problem(view.error)}
${field({ name: 'name', label: 'Name of a new token', maxLength: 64, placeholder: 'my laptop', hint: 'So that you know later which one to revoke.' })}
<button class="primary" type="submit">Create token</button>
</form></section>
<section class="card"><h2>Use it</h2>${commands(view)}</section>
</div>`,
  });
}

function commands(view: TokensView): Markup {
  return html`<p>Once, in the checkout of Ownspace:</p>
<pre class="terminal" tabindex="0"><code>npm install --global .</code></pre>
<p>Then, in the folder of your app:</p>
<pre class="terminal" tabindex="0"><code>export SPACE_ROOT=${view.spaceRoot}
space login
space new
space push</code></pre>
<p><code>space login</code> asks for your name and your password, and makes a token of its own for that computer. Where nobody can
be asked, as in CI, set a token from this page instead:</p>
<pre class="terminal" tabindex="0"><code>export SPACE_ACCESS_TOKEN=${view.created?.access_token ?? '…'}
space push</code></pre>`;
}

function tokenRow(token: TokensView['tokens'][number]): Markup {
  return html`<li><p><strong><bdi>${token.name}</bdi></strong></p>
<p class="muted">${token.lastUsedAt ? html`used ${day(token.lastUsedAt)}` : html`made ${day(token.createdAt)}`}</p>
<form method="post" action="${path`/tokens/${token.id}/revoke`}"><button class="quiet danger" type="submit" aria-label="Revoke ${token.name}">Revoke</button></form></li>`;
}
