// Owns putting what Instances do by themselves, or are asked for by name, together with the way to Micros and the logs.
import { SpaceError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type AppActions, type AppActionsParts, createAppActions } from './action/app-actions.ts';
import { createScheduler, type Scheduler, type SchedulerParts } from './action/scheduler.ts';
import { askMicro, type DeliverRequest, type HostAnswer, type HostRequest } from './instance/deliver.ts';
import type { Instance } from './instance/instance.ts';
import type { LiveInstances } from './instance/live.ts';
import type { InstanceLogs } from './instance/logs.ts';

/** Of the answer to an event: to be shown, should it be an error. */
const TEXT_BYTES = 2048;

export interface Actions {
  schedules: Scheduler;
  appActions: AppActions;
  /** An Instance runs other code, is gone, or came back. Nobody waits for what follows. */
  instanceChanged(instanceId: string): void;
}

type Shared = Omit<SchedulerParts, 'deliver' | 'tell' | 'log'> & Omit<AppActionsParts, 'ask' | 'tell'> & { log: Log };

/** Whatever is sent goes to the Micro by the way of all requests. */
export function openActions(parts: Shared, { live, logs, deliver }: { live: LiveInstances; logs: InstanceLogs; deliver: DeliverRequest }): Actions {
  const ask = async ({ label }: Instance, micro: string, request: HostRequest): Promise<HostAnswer> => {
    const target = await live.byLabel(label);
    if (!target) throw new SpaceError('INSTANCE_NOT_FOUND');
    return askMicro(deliver, target, micro, request);
  };
  const tell = ({ id, spaceId }: Instance, entry: { micro: string; text: string; requestId: string }): void =>
    logs.append({ spaceId, instanceId: id }, { ...entry, level: 'error' });
  const schedules = createScheduler({
    ...parts, tell,
    deliver: (instance, micro, { id, event, signal }) =>
      ask(instance, micro, { id, method: 'POST', path: '/__space/v0/actions', json: { event: { id: event.id, trigger: event.trigger } }, event, signal, keepBytes: TEXT_BYTES }),
  });
  const appActions = createAppActions({ ...parts, ask, tell });
  return {
    schedules, appActions,
    instanceChanged(instanceId) {
      for (const part of [schedules, appActions]) part.instanceChanged(instanceId).catch((error) => parts.log.error('actions.not-changed', { instanceId, error }));
    },
  };
}
