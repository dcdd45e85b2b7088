// Owns the pages of a person's Instances: my apps, uninstall, progress. Their tabs are in instance/.
import { homePage, type HomeApp } from '../../dashboard/pages/home.ts';
import { installingPage } from '../../dashboard/pages/installing.ts';
import { uninstallPage } from '../../dashboard/pages/uninstall.ts';
import { SpaceError } from '../../core/errors.ts';
import { INSTALLATION_STATUS } from '../api/installations.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type Route } from '../api/route.ts';
import type { Installation } from '../instance/installation.ts';
import type { Instance } from '../instance/instance.ts';
import { ownChrome } from './chrome.ts';
import { appOf, pageState } from './instance/frame.ts';

/** How long a form waits for a job before it shows the progress page instead of the result. */
const SHORT_WAIT_MS = 1500;

export function appPages(parts: ApiParts): Route[] {
  const { instances, installations } = parts;

  return [
    page('GET /', {
      access: 'person',
      async handle({ person, origin, query }) {
        const mine = await instances.list(person.id);
        const shown = mine.filter((instance) => instance.state !== 'removing').toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
        const removed = query.get('removed');
        const message = removed === null ? undefined : `${removed.slice(0, 64)} was uninstalled.`;
        return { html: homePage({ ...ownChrome(parts, person), message, apps: await Promise.all(shown.map((instance) => homeApp(parts, instance, origin))) }) };
      },
    }),
    page('GET /apps/:id/uninstall', {
      access: 'person', object: 'instance',
      handle: async ({ person }, instance) => ({ html: uninstallPage({ ...ownChrome(parts, person), app: { id: instance.id, name: instance.appName, builder: instance.kind === 'builder' } }) }),
    }),
    page('POST /apps/:id/uninstall', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { data } = await request.form();
        if (data !== 'keep' && data !== 'delete') throw new SpaceError('INVALID_FIELD', { field: 'data', reason: 'is keep or delete' });
        const job = await installations.uninstall(instance, data);
        await shortly((signal) => installations.ended(job.id, signal));
        return { redirect: `/?removed=${encodeURIComponent(instance.appName)}` };
      },
    }),
    page('GET /installations/:id', {
      access: 'person', object: 'installation',
      async handle({ person, origin }, job) {
        const instance = await instances.get(job.instanceId);
        if (!instance || job.kind === 'uninstall') return { redirect: '/' };
        const installation = { id: job.id, status: INSTALLATION_STATUS[job.state], step: job.lines.at(-1) ?? '', error: job.error, kind: job.kind };
        const retry = retryOf(job);
        const url = parts.addresses.instanceUrl(instance.label, origin);
        return { html: installingPage({ ...ownChrome(parts, person), installation, ...retry, url, app: await appOf(parts, instance) }) };
      },
    }),
  ];
}

/** Where to try again. Whoever knows better than the check may do without it. */
function retryOf({ kind, instanceId, releaseId, problem }: Installation): { retryPath: string; unchecked?: { path: string; releaseId: string } } {
  if (kind === 'install') return { retryPath: `/r/${releaseId}/install` };
  if (kind === 'rollback') return { retryPath: `/apps/${instanceId}/rollback` };
  const path = `/apps/${instanceId}/update`;
  return { retryPath: `${path}?release=${releaseId}`, ...(problem && { unchecked: { path, releaseId } }) };
}

/** Most jobs are done before a person would see a progress page move.
 *  @param work is told when nobody waits for it any more */
export async function shortly(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const late = AbortSignal.timeout(SHORT_WAIT_MS);
  await Promise.race([work(late).catch(() => undefined), new Promise((resolve) => late.addEventListener('abort', resolve))]);
}

async function homeApp(parts: ApiParts, instance: Instance, origin: string): Promise<HomeApp> {
  const { lifecycle, addresses, installations } = parts;
  const offer = await lifecycle.offer(instance);
  const job = await installations.openFor(instance.id);
  return {
    ...(await appOf(parts, instance)), url: addresses.instanceUrl(instance.label, origin), builder: instance.kind === 'builder',
    state: pageState(instance), version: instance.version, installationId: job?.id,
    ...(offer ? { update: { releaseId: offer.id, version: offer.version, notes: offer.notes } } : {}),
  };
}
