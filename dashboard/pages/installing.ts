// Owns the page that follows an Installation until it is done. Knows nothing of its steps' meaning.
import { appIcon, SYMBOLS } from '../icon.ts';
import { layout, type Chrome } from '../layout.ts';
import { html, ownPath, path, webUrl, type Markup } from '../markup.ts';

export interface InstallingView extends Chrome {
  installation: {
    id: string;
    status: 'pending' | 'running' | 'complete' | 'failed';
    /** What is being done, in words for people. */
    step: string;
    error: string | null;
    kind: 'install' | 'update' | 'rollback';
  };
  app: { id?: string; name: string; iconUrl?: string };
  /** The Instance's address. */
  url: string;
  /** Path that takes the POST of another installation; for an update or a rollback the page that asks again. */
  retryPath?: string;
  /** Path that takes `release` and `check=no`: an update that is not tried before it counts. */
  unchecked?: { path: string; releaseId: string };
}

const REFRESH_SECONDS = 1;

const WORDS = {
  install: { running: 'Installing', complete: 'is installed', failed: 'could not be installed' },
  update: { running: 'Updating', complete: 'is up to date', failed: 'could not be updated' },
  rollback: { running: 'Rolling back', complete: 'is back at the earlier version', failed: 'could not be rolled back' },
} as const;

/** `GET /installations/<id>`. Loads itself again until the Installation has ended. */
export function installingPage(view: InstallingView): string {
  const words = WORDS[view.installation.kind] ?? WORDS.install;
  const { status } = view.installation;
  const isRunning = status === 'pending' || status === 'running';
  const heading = isRunning ? html`${words.running} <bdi>${view.app.name}</bdi>` : html`<bdi>${view.app.name}</bdi> ${words[status === 'complete' ? 'complete' : 'failed']}`;
  return layout({
    ...view, shape: 'narrow', refreshSeconds: isRunning ? REFRESH_SECONDS : undefined,
    title: isRunning ? `${words.running} ${view.app.name}` : `${view.app.name} ${words[status === 'complete' ? 'complete' : 'failed']}`,
    body: html`<div class="center">${appIcon(view.app, ownPath(view.app.iconUrl))}
<h1>${heading}</h1>
${isRunning ? running(view) : status === 'complete' ? complete(view) : failed(view)}</div>`,
  });
}

function running(view: InstallingView): Markup {
  return html`<p role="status">${view.installation.step || 'Waiting to begin'}…</p>
<progress aria-label="${view.installation.step || 'Waiting'}"></progress>
<p class="hint">This page keeps itself up to date. You may leave; the work goes on.</p>`;
}

function complete(view: InstallingView): Markup {
  const url = webUrl(view.url);
  return html`${url ? html`<p><a class="button primary" href="${url}" autofocus>Open ${SYMBOLS.arrow}</a></p><p class="muted">${url}</p>` : ''}
<p><a href="/">Back to my apps</a></p>`;
}

function failed(view: InstallingView): Markup {
  const retryPath = ownPath(view.retryPath);
  return html`<p class="notice bad" role="alert">${SYMBOLS.warning}<span>${view.installation.error ?? 'The reason is not known.'}</span></p>
<p class="muted">It stopped at: ${view.installation.step || 'the beginning'}.</p>
<div class="buttons">${retryPath && view.installation.kind !== 'install' ? html`<a class="button primary" href="${retryPath}">Try again</a>` : retryPath ? html`<form method="post" action="${retryPath}"><button class="primary" type="submit">Try again</button></form>` : ''}
${view.app.id ? html`<a class="button" href="${path`/apps/${view.app.id}/logs`}">See the logs</a>` : ''}</div>
${view.unchecked ? uncheckedForm(view.unchecked) : ''}
<p><a href="/">Back to my apps</a></p>`;
}

function uncheckedForm({ path: target, releaseId }: NonNullable<InstallingView['unchecked']>): Markup | '' {
  const action = ownPath(target);
  return action === undefined ? '' : html`<details><summary>You know that it works?</summary><form method="post" action="${action}"><input type="hidden" name="release" value="${releaseId}"><input type="hidden" name="check" value="no">
<p class="hint">The version then counts without having answered. You can roll it back.</p><button type="submit">Update without the check</button></form></details>`;
}
