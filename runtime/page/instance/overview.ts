// Owns the first tab of an Instance, and starting again what is paused.
import { overviewPage } from '../../../dashboard/pages/instance/overview.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type Route } from '../../api/route.ts';
import { frameOf, revisionOf } from './frame.ts';
import { pageLine } from './logs.ts';

const PREVIEW_LINES = 8;

export function overviewPages(parts: ApiParts): Route[] {
  return [
    page('GET /apps/:id', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const revision = await revisionOf(parts, instance);
        const offer = await parts.lifecycle.offer(instance);
        const settings = await parts.settings.of(instance.id);
        const lines = await parts.logs.read({ spaceId: instance.spaceId, instanceId: instance.id }, PREVIEW_LINES);
        return {
          html: overviewPage({
            ...(await frameOf(parts, request, instance)), createdAt: instance.createdAt, collectionId: instance.collectionId,
            ...(offer ? { update: { version: offer.version, notes: offer.notes } } : {}),
            micros: (revision?.micros ?? []).map(({ name, engine, path, primary }) => ({ name, engine, path, primary })),
            paused: settings.paused.filter((each) => each.revisionId === instance.revisionId),
            logs: lines.map(pageLine),
          }),
        };
      },
    }),
    page('POST /apps/:id/resume', {
      access: 'person', object: 'instance',
      async handle(_, { id }) {
        await parts.machine.resume(id);
        return { redirect: `/apps/${id}` };
      },
    }),
  ];
}
