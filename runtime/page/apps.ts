// Owns the pages of a person's Instances: my apps, one app, its keys and log, update, uninstall, progress.
import { homePage, type HomeApp } from '../../dashboard/pages/home.ts';
import { installingPage } from '../../dashboard/pages/installing.ts';
import { instancePage, type InstanceView } from '../../dashboard/pages/instance.ts';
import { logsPage } from '../../dashboard/pages/logs.ts';
import { uninstallPage } from '../../dashboard/pages/uninstall.ts';
import { updatePage } from '../../dashboard/pages/update.ts';
import { orMissing, SpaceError } from '../../core/errors.ts';
import { INSTALLATION_STATUS } from '../api/installations.ts';
import { createKey, deleteKey, keysOf } from '../api/instances.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type PersonalRequest, type Route } from '../api/route.ts';
import type { Installation } from '../instance/installation.ts';
import type { Instance } from '../instance/instance.ts';
import { retried } from './account.ts';
import { ownChrome } from './chrome.ts';

/** How long a form waits for a job before it shows the progress page instead of the result. */
const SHORT_WAIT_MS = 1500;
const PREVIEW_LINES = 8;

export function appPages(parts: ApiParts): Route[] {
  const { instances, installations, lifecycle, logs } = parts;

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
    page('GET /apps/:id', { access: 'person', object: 'instance', handle: async (request, instance) => ({ html: instancePage(await instanceView(parts, request, instance)) }) }),
    page('POST /apps/:id/keys', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name, kind } = await request.form();
        return retried(async () => {
          const created = await createKey(parts, instance, { name, kind });
          return { html: instancePage({ ...(await instanceView(parts, request, instance)), created }) };
        }, async (error) => instancePage({ ...(await instanceView(parts, request, instance)), error: error.message }));
      },
    }),
    page('POST /apps/:id/keys/revoke', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name = '', kind } = await request.form();
        await deleteKey(parts, instance, { name, kind });
        return { redirect: `/apps/${instance.id}` };
      },
    }),
    page('POST /apps/:id/egress', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { policy, hosts = '' } = await request.form();
        return retried(async () => {
          await parts.settings.setReach(instance.id, { policy, hosts: hosts.split(/[\s,]+/).filter(Boolean) });
          return { redirect: `/apps/${instance.id}` };
        }, async (error) => instancePage({ ...(await instanceView(parts, request, instance)), error: error.message }));
      },
    }),
    page('POST /apps/:id/resume', {
      access: 'person', object: 'instance',
      async handle(_, { id }) {
        await parts.machine.resume(id);
        return { redirect: `/apps/${id}` };
      },
    }),
    page('GET /apps/:id/logs', {
      access: 'person', object: 'instance',
      async handle({ person }, instance) {
        const lines = await logs.read({ spaceId: instance.spaceId, instanceId: instance.id });
        return { html: logsPage({ ...ownChrome(parts, person), instance: { id: instance.id, name: instance.appName }, lines: lines.toReversed().map(pageLine) }) };
      },
    }),
    page('GET /apps/:id/update', {
      access: 'person', object: 'instance',
      async handle({ person }, instance) {
        const offer = await lifecycle.offer(instance);
        if (!offer) return { redirect: `/apps/${instance.id}` };
        return { html: updatePage({ ...ownChrome(parts, person), app: await appOf(parts, instance), from: instance.version, to: offer.version, notes: offer.notes }) };
      },
    }),
    page('POST /apps/:id/update', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        // A Release's own page names it: one that is not listed is never offered, but may be taken by its link.
        const { release = (await lifecycle.offer(instance))?.id } = request.contentType === '' ? {} : await request.form();
        if (release === undefined) return { redirect: `/apps/${instance.id}` };
        return progress(await lifecycle.update(instance, release));
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
        await shortly(installations.ended(job.id));
        return { redirect: `/?removed=${encodeURIComponent(instance.appName)}` };
      },
    }),
    page('GET /installations/:id', {
      access: 'person', object: 'installation',
      async handle({ person, origin }, job) {
        const instance = await instances.get(job.instanceId);
        if (!instance || job.kind === 'uninstall') return { redirect: '/' };
        const installation = { id: job.id, status: INSTALLATION_STATUS[job.state], step: job.lines.at(-1) ?? '', error: job.error, kind: job.kind };
        const retryPath = job.kind === 'install' ? `/r/${job.releaseId}/install` : `/apps/${instance.id}/update`;
        const url = parts.addresses.instanceUrl(instance.label, origin);
        return { html: installingPage({ ...ownChrome(parts, person), installation, retryPath, url, app: await appOf(parts, instance) }) };
      },
    }),
  ];

  async function progress(job: Installation): Promise<{ redirect: string }> {
    await shortly(installations.ended(job.id));
    return { redirect: `/installations/${job.id}` };
  }
}

/** Most jobs are done before a person would see a progress page move. */
export async function shortly(work: Promise<unknown>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, SHORT_WAIT_MS).unref());
  await Promise.race([work.catch(() => undefined), late]);
}

/** What every page shows of an app: its name and its own picture, where it has one. */
async function appOf({ builder }: ApiParts, { id, appName, releaseId }: Instance): Promise<{ id: string; name: string; iconUrl?: string }> {
  const release = await orMissing(builder.releases.get(releaseId));
  return { id, name: appName, ...(release?.icon && { iconUrl: `/icons/${release.id}` }) };
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

function pageState({ state }: Instance): HomeApp['state'] {
  return state === 'removing' ? 'paused' : state;
}

async function instanceView(parts: ApiParts, { person, origin }: PersonalRequest, instance: Instance): Promise<InstanceView> {
  const revision = instance.revisionId === null ? undefined : await orMissing(parts.builder.revisions.get(instance.revisionId));
  const offer = await parts.lifecycle.offer(instance);
  const settings = await parts.settings.of(instance.id);
  const calls = parts.machine.calls(instance.id);
  const lines = await parts.logs.read({ spaceId: instance.spaceId, instanceId: instance.id }, PREVIEW_LINES);
  return {
    ...ownChrome(parts, person),
    instance: {
      ...(await appOf(parts, instance)), url: parts.addresses.instanceUrl(instance.label, origin), state: pageState(instance),
      builder: instance.kind === 'builder', version: instance.version, createdAt: instance.createdAt, collectionId: instance.collectionId,
      ...(offer ? { update: { version: offer.version, notes: offer.notes } } : {}),
    },
    micros: (revision?.micros ?? []).map(({ name, engine, path, primary }) => ({ name, engine, path, primary })),
    keys: (await keysOf(parts, instance)).map(({ name, kind, created_at: createdAt }) => ({ name, kind, createdAt })),
    logs: lines.map(pageLine),
    paused: settings.paused.filter((each) => each.revisionId === instance.revisionId),
    egress: { ...settings.reach, total: calls.total, refused: calls.refused },
  };
}

function pageLine({ time, micro, level, text, request_id: requestId }: Awaited<ReturnType<ApiParts['logs']['read']>>[number]): NonNullable<InstanceView['logs']>[number] {
  return { time, micro, level, text, requestId };
}
