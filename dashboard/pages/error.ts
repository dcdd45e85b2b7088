// Owns the pages that a browser gets instead of what it asked for: on the dashboard, on an unknown host name,
// and on the host name of an Instance that cannot answer. The last two load only from the reserved `/__space/assets`.
import { layout, type Chrome } from '../layout.ts';
import { html, webUrl, type Markup } from '../markup.ts';

export interface ErrorView extends Chrome {
  status: number;
  title: string;
  message: string;
  requestId?: string;
  signedIn: boolean;
}

/** Any error on the dashboard. */
export function errorPage(view: ErrorView): string {
  return layout({
    ...view, shape: view.person ? 'narrow' : 'plain',
    body: html`<div class="center"><p class="status-number" aria-hidden="true">${view.status}</p><h1>${view.title}</h1>
<p class="lead notes">${view.message}</p>
<p>${view.signedIn ? html`<a class="button" href="/">My apps</a>` : html`<a class="button" href="/login">Sign in</a>`}</p>${requestLine(view.requestId)}</div>`,
  });
}

export interface UnknownHostView {
  host: string;
  dashboardUrl: string;
}

/** For a host name at which nothing lives. */
export function unknownHostPage(view: UnknownHostView): string {
  return layout({
    title: 'No app here', shape: 'plain', assets: '/__space/assets', homeUrl: view.dashboardUrl,
    body: html`<div class="center"><h1>No app lives here</h1>
<p class="lead"><bdi>${view.host}</bdi> is not the address of an app. Perhaps it was uninstalled, or the address has a slip in it.</p>
${dashboardLink(view.dashboardUrl)}</div>`,
  });
}

/** Why an Instance gives no answer of its own. */
export type Trouble = 'installing' | 'paused' | 'crashed' | 'failed' | 'busy' | 'forbidden';

export interface TroubleView {
  appName: string;
  trouble: Trouble;
  /** What the owner may read about it. */
  reason?: string;
  dashboardUrl: string;
  requestId?: string;
}

const TROUBLE_WORDS: Record<Trouble, { title: string; text: string; refreshSeconds?: number }> = {
  installing: { title: 'is being installed', text: 'It opens here as soon as it is ready.', refreshSeconds: 2 },
  paused: { title: 'is paused', text: 'It does not answer until its owner starts it again.' },
  crashed: { title: 'ran into an error', text: 'It stopped while it answered. Load the page again; the log says what happened.' },
  failed: { title: 'could not start', text: 'The log says what happened.' },
  busy: { title: 'is very busy', text: 'It has too many requests at once. Try again in a moment.' },
  forbidden: { title: 'is not yours', text: 'This copy of the app belongs to somebody else. You can install your own.' },
};

/** On an Instance's host name, when the app itself cannot answer. */
export function troublePage(view: TroubleView): string {
  const words = TROUBLE_WORDS[view.trouble] ?? TROUBLE_WORDS.failed;
  return layout({
    title: `${view.appName} ${words.title}`, shape: 'plain', assets: '/__space/assets', homeUrl: view.dashboardUrl, refreshSeconds: words.refreshSeconds,
    body: html`<div class="center"><h1><bdi>${view.appName}</bdi> ${words.title}</h1><p class="lead">${words.text}</p>
${view.reason ? html`<p class="notice bad notes"><span>${view.reason}</span></p>` : ''}
${dashboardLink(view.dashboardUrl)}${requestLine(view.requestId)}</div>`,
  });
}

function dashboardLink(dashboardUrl: string): Markup | '' {
  const url = webUrl(dashboardUrl);
  return url ? html`<p><a class="button" href="${url}">My apps</a></p>` : '';
}

function requestLine(requestId: string | undefined): Markup | '' {
  return requestId ? html`<p class="hint">Request <code>${requestId}</code></p>` : '';
}
