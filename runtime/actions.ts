// Owns putting scheduled actions together with the way to Micros and the logs of Instances.
import { SpaceError } from '../core/errors.ts';
import { createScheduler, type Scheduler, type SchedulerParts } from './action/scheduler.ts';
import { askMicro, type DeliverRequest } from './instance/deliver.ts';
import type { LiveInstances } from './instance/live.ts';
import type { InstanceLogs } from './instance/logs.ts';

/** Of the answer to an event: to be shown, should it be an error. */
const TEXT_BYTES = 2048;

/** Whatever is due goes to the Micro by the way of all requests. */
export function openScheduler(parts: Omit<SchedulerParts, 'deliver' | 'tell'>, { live, logs, deliver }: { live: LiveInstances; logs: InstanceLogs; deliver: DeliverRequest }): Scheduler {
  return createScheduler({
    ...parts,
    async deliver({ label }, micro, { id, event, signal }) {
      const target = await live.byLabel(label);
      if (!target) throw new SpaceError('INSTANCE_NOT_FOUND');
      const json = { event: { id: event.id, trigger: event.trigger } };
      return askMicro(deliver, target, micro, { id, method: 'POST', path: '/__space/v0/actions', json, event, signal, keepBytes: TEXT_BYTES });
    },
    tell: ({ id, spaceId }, entry) => logs.append({ spaceId, instanceId: id }, { ...entry, level: 'error' }),
  });
}
