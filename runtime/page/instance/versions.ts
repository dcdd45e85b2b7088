// Owns the tab of an Instance's versions, and the pages of an update and of a rollback.
import { isSpaceError, orMissing } from '../../../core/errors.ts';
import { versionsPage } from '../../../dashboard/pages/instance/versions.ts';
import { rollbackPage } from '../../../dashboard/pages/rollback.ts';
import { updatePage } from '../../../dashboard/pages/update.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type Reply, type Route } from '../../api/route.ts';
import { rollbackWish } from '../../api/versions.ts';
import type { Installation } from '../../instance/installation.ts';
import type { RevisionChange } from '../../instance/revision-diff.ts';
import { shortly } from '../apps.ts';
import { ownChrome } from '../chrome.ts';
import { appOf, frameOf } from './frame.ts';

export function versionPages(parts: ApiParts): Route[] {
  const { versions, lifecycle, installations } = parts;

  async function progress(job: Installation): Promise<Reply> {
    await shortly((signal) => installations.ended(job.id, signal));
    return { redirect: `/installations/${job.id}` };
  }

  return [
    page('GET /apps/:id/versions', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const offer = await lifecycle.offer(instance);
        const current = await orMissing(parts.builder.releases.get(instance.releaseId));
        const earlier = (await versions.points(instance)).map(({ id, version, leftAt, snapshotId }) => ({ id, version, leftAt, hasData: snapshotId !== undefined }));
        return {
          html: versionsPage({
            ...(await frameOf(parts, request, instance)), notes: current?.notes ?? '', earlier,
            ...(offer ? { update: { version: offer.version, notes: offer.notes } } : {}),
          }),
        };
      },
    }),
    page('GET /apps/:id/update', {
      access: 'person', object: 'instance',
      async handle({ person, query }, instance) {
        const offer = await versions.offer(instance, query.get('release') ?? undefined);
        if (!offer) return { redirect: `/apps/${instance.id}` };
        const notes = offer.notes.map(({ version, notes: text }) => ({ version, text }));
        return {
          html: updatePage({
            ...ownChrome(parts, person), app: await appOf(parts, instance), from: instance.version, to: offer.release.version, releaseId: offer.release.id, notes,
            changes: offer.changes.map((each) => ({ text: each.text, isOpening: isOpening(each) })),
          }),
        };
      },
    }),
    page('POST /apps/:id/update', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { release, check } = request.contentType === '' ? {} : await request.form();
        // Nobody takes what they were not shown: what is offered may be another one by now.
        if (release === undefined) return { redirect: `/apps/${instance.id}/update` };
        return progress(await lifecycle.update(instance, release, { isUnchecked: check === 'no' }));
      },
    }),
    page('GET /apps/:id/rollback', {
      access: 'person', object: 'instance',
      async handle({ person, query }, instance) {
        const to = query.get('to') ?? (await versions.points(instance))[0]?.id;
        if (to === undefined) return { redirect: `/apps/${instance.id}/versions` };
        const { point, statement: keep } = await versions.plan(instance, { to, data: 'keep' });
        const restore = await versions.plan(instance, { to, data: 'restore' }).then(({ statement }) => statement, ifNotKept);
        return {
          html: rollbackPage({
            ...ownChrome(parts, person), app: await appOf(parts, instance), from: instance.version, to: { id: to, version: point.version }, keep, ...(restore !== undefined && { restore }),
          }),
        };
      },
    }),
    page('POST /apps/:id/rollback', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { to, data } = await request.form();
        return progress(await versions.rollback(instance, rollbackWish(to, data)));
      },
    }),
  ];
}

/** It lets others in, or the app do more than before. */
function isOpening({ kind, change }: RevisionChange): boolean {
  return change === 'added' && ['public_route', 'permission', 'api_keys', 'app_actions', 'schedule'].includes(kind);
}

function ifNotKept(error: unknown): undefined {
  if (!isSpaceError(error, 'SNAPSHOT_NOT_FOUND')) throw error;
}
