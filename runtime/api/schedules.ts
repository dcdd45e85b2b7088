// Owns the endpoints of schedules: what an Instance does by itself, when, and what became of it.
import type { WireSchedule, WireScheduleRun } from '../../core/wire.ts';
import { SpaceError } from '../../core/errors.ts';
import type { Instance } from '../instance/instance.ts';
import type { ScheduleRun } from '../action/runs.ts';
import { intervalOf, type Schedule, thenDue } from '../action/schedule.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function scheduleRoutes(parts: ApiParts): Route[] {
  const { schedules } = parts;
  return [
    api('GET /api/v0/instances/:id/schedules', {
      access: 'person', object: 'instance', handle: async (_, instance) => ({ json: { schedules: await schedulesOf(parts, instance) } }),
    }),
    api('PATCH /api/v0/instances/:id/schedules/:schedule', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { interval, enabled } = await request.json();
        if (interval !== undefined && interval !== null && typeof interval !== 'string') throw new SpaceError('INVALID_FIELD', { field: 'interval', reason: 'is text, or null for the default' });
        if (enabled !== undefined && typeof enabled !== 'boolean') throw new SpaceError('INVALID_FIELD', { field: 'enabled', reason: 'is true or false' });
        const changed = await schedules.change(instance, request.params['schedule'] ?? '', { interval, isEnabled: enabled });
        return { json: await wireSchedule(parts, instance.id, changed) };
      },
    }),
    api('POST /api/v0/instances/:id/schedules/:schedule/run', {
      access: 'person', object: 'instance',
      handle: async ({ params }, instance) => ({ json: wireRun(await schedules.runNow(instance, params['schedule'] ?? '')) }),
    }),
    api('GET /api/v0/instances/:id/schedules/:schedule/runs', {
      access: 'person', object: 'instance',
      async handle({ params }, instance) {
        const id = params['schedule'] ?? '';
        if (!(await schedules.list(instance)).some((schedule) => schedule.id === id)) throw new SpaceError('SCHEDULE_NOT_FOUND', { schedule: id.slice(0, 100) });
        return { json: { runs: (await schedules.runs(instance.id, id)).map(wireRun) } };
      },
    }),
  ];
}

export async function schedulesOf(parts: ApiParts, instance: Instance): Promise<WireSchedule[]> {
  const listed = await parts.schedules.list(instance);
  return Promise.all(listed.map((schedule) => wireSchedule(parts, instance.id, schedule)));
}

async function wireSchedule({ schedules }: ApiParts, instanceId: string, schedule: Schedule): Promise<WireSchedule> {
  const { id, micro, name, description, defaultInterval, isEnabled, dueAt } = schedule;
  const [last] = await schedules.runs(instanceId, id, 1);
  return {
    id, micro, name, description, interval: intervalOf(schedule), default_interval: defaultInterval, enabled: isEnabled,
    next_run_at: dueAt ?? null, then_run_at: thenDue(schedule) ?? null, last_run: last ? wireRun(last) : null,
  };
}

export function wireRun(run: ScheduleRun): WireScheduleRun {
  return {
    schedule_id: run.scheduleId, trigger: run.trigger, outcome: run.outcome, scheduled_at: run.scheduledAt, started_at: run.startedAt,
    duration_ms: run.durationMs, status: run.status, request_id: run.requestId, error: run.error,
  };
}
