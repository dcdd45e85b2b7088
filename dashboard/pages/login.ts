// Owns the page to sign in. Knows nothing of sessions.
import { field, problem } from '../form.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, webUrl } from '../markup.ts';

export interface LoginView extends Chrome {
  /** Where to go afterwards; whoever takes the form decides whether it may be. */
  next?: string;
  error?: string;
  username?: string;
  /** The app that sent the visitor here. */
  appName?: string;
}

/** `GET /login`. The form posts `username`, `password` and perhaps `redirect_uri` to `/login`. */
export function loginPage(view: LoginView): string {
  const next = webUrl(view.next);
  return layout({
    ...view, title: 'Sign in', shape: 'plain',
    body: html`<h1>Sign in</h1>
${view.appName ? html`<p class="lead">to open <strong><bdi>${view.appName}</bdi></strong>. The app never sees your password.</p>` : html`<p class="lead">Your apps are where you left them.</p>`}
<form class="card stack" method="post" action="/login">
${problem(view.error)}
${next ? html`<input type="hidden" name="redirect_uri" value="${next}">` : ''}
${field({ name: 'username', label: 'Name', autocomplete: 'username', value: view.username, hasFocus: !view.username })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', hasFocus: Boolean(view.username) })}
<button class="primary" type="submit">Sign in</button>
</form>`,
  });
}

export interface ContinueView { appName: string; domain: string; /** On the dashboard's host. */ url: string }

/** After signing in on the way to an app at a domain of its own. */
export function continuePage({ appName, domain, url }: ContinueView): string {
  const target = ownPath(url) ?? '/';
  return layout({
    title: `To ${appName}`, shape: 'plain', goTo: target,
    body: html`<h1>You are signed in</h1><p class="lead">On to <bdi>${appName}</bdi> at <bdi>${domain}</bdi>.</p>
<p><a class="button primary" href="${target}">Continue</a></p>`,
  });
}
