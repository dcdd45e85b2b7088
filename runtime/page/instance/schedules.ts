// Owns the tab of an Instance's schedules and the forms on it.
import { SpaceError } from '../../../core/errors.ts';
import { schedulesPage, type SchedulesView } from '../../../dashboard/pages/instance/schedules.ts';
import { schedulesOf, wireRun } from '../../api/schedules.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type PersonalRequest, type Reply, type Route } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { retried } from '../account.ts';
import { shortly } from '../apps.ts';
import { frameOf } from './frame.ts';

export function schedulePages(parts: ApiParts): Route[] {
  const { schedules } = parts;
  /** The tab again once it is done, or with what is wrong with this schedule's form. */
  const done = (request: PersonalRequest, instance: Instance, scheduleId: string, work: () => Promise<unknown>): Promise<Reply> =>
    retried(async () => {
      await work();
      return { redirect: `/apps/${instance.id}/schedules` };
    }, async (error) => {
      if (error.code === 'SCHEDULE_NOT_FOUND') throw error;
      return schedulesPage(await viewOf(parts, request, instance, { id: scheduleId, text: error.message }));
    });

  return [
    page('GET /apps/:id/schedules', {
      access: 'person', object: 'instance', handle: async (request, instance) => ({ html: schedulesPage(await viewOf(parts, request, instance)) }),
    }),
    page('POST /apps/:id/schedules', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { schedule = '', interval = '' } = await request.form();
        return done(request, instance, schedule, () => schedules.change(instance, schedule, { interval: interval.trim() === '' ? null : interval.trim() }));
      },
    }),
    page('POST /apps/:id/schedules/switch', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { schedule = '', enabled } = await request.form();
        if (enabled !== 'true' && enabled !== 'false') throw new SpaceError('INVALID_FIELD', { field: 'enabled', reason: 'is true or false' });
        return done(request, instance, schedule, () => schedules.change(instance, schedule, { isEnabled: enabled === 'true' }));
      },
    }),
    page('POST /apps/:id/schedules/run', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { schedule = '' } = await request.form();
        // What is refused is refused at once; what runs long is seen on the tab.
        const running = schedules.runNow(instance, schedule);
        return done(request, instance, schedule, () => Promise.race([running, shortly(() => running)]));
      },
    }),
  ];
}

const RUNS_SHOWN = 10;

async function viewOf(parts: ApiParts, request: PersonalRequest, instance: Instance, wrong?: { id: string; text: string }): Promise<SchedulesView> {
  const rows = (await schedulesOf(parts, instance)).map(async (schedule) => ({
    id: schedule.id, name: schedule.name, description: schedule.description, micro: schedule.micro, interval: schedule.interval,
    defaultInterval: schedule.default_interval, enabled: schedule.enabled,
    ...(schedule.next_run_at === null ? {} : { next: schedule.next_run_at }), ...(schedule.then_run_at === null ? {} : { following: schedule.then_run_at }),
    ...(wrong?.id === schedule.id ? { error: wrong.text } : {}),
    runs: (await parts.schedules.runs(instance.id, schedule.id, RUNS_SHOWN)).map(wireRun)
      .map((run) => ({ startedAt: run.started_at, trigger: run.trigger, outcome: run.outcome, durationMs: run.duration_ms, requestId: run.request_id, error: run.error })),
  }));
  return { ...(await frameOf(parts, request, instance)), schedules: await Promise.all(rows) };
}
