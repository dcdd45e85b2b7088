// Owns the tab of an Instance's versions.
import { orMissing } from '../../../core/errors.ts';
import { versionsPage } from '../../../dashboard/pages/instance/versions.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type Route } from '../../api/route.ts';
import { frameOf } from './frame.ts';

export function versionPages(parts: ApiParts): Route[] {
  return [
    page('GET /apps/:id/versions', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const offer = await parts.lifecycle.offer(instance);
        const current = await orMissing(parts.builder.releases.get(instance.releaseId));
        return {
          html: versionsPage({
            ...(await frameOf(parts, request, instance)), notes: current?.notes ?? '',
            ...(offer ? { update: { version: offer.version, notes: offer.notes } } : {}),
          }),
        };
      },
    }),
  ];
}
