// Owns the tab of an Instance's log.
import type { WireLogLine } from '../../../core/wire.ts';
import { logsPage, type LogLine } from '../../../dashboard/pages/instance/logs.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type Route } from '../../api/route.ts';
import { logFilter } from '../../api/instances.ts';
import { frameOf, revisionOf } from './frame.ts';

export function logPages(parts: ApiParts): Route[] {
  return [
    page('GET /apps/:id/logs', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const filter = logFilter(request.query);
        const lines = await parts.logs.read({ spaceId: instance.spaceId, instanceId: instance.id }, undefined, filter);
        const micros = ((await revisionOf(parts, instance))?.micros ?? []).map(({ name }) => name);
        return { html: logsPage({ ...(await frameOf(parts, request, instance)), micros, filter, lines: lines.toReversed().map(pageLine) }) };
      },
    }),
  ];
}

export function pageLine({ time, micro, level, text, request_id: requestId }: WireLogLine): LogLine {
  return { time, micro, level, text, requestId };
}
