// Owns the history of schedules: the last runs of each, in places that are used again. Knows no timer and no Micro.
import { isoTime } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable, type Write } from '../../sandbox-data/store/table.ts';
import type { Schedule } from './schedule.ts';

export interface ScheduleRun {
  id: string;
  instanceId: string;
  scheduleId: string;
  /** due: in its time. catch-up: later, for all that were missed. manual: somebody asked. */
  trigger: 'due' | 'catch-up' | 'manual';
  /** When it was due. */
  scheduledAt: string;
  startedAt: string;
  outcome: 'running' | 'ok' | 'failed' | 'skipped' | 'interrupted';
  durationMs: number | null;
  /** HTTP status of the Micro's answer. */
  status: number | null;
  requestId: string | null;
  error: string | null;
}

export interface ScheduleRuns {
  /** Newest first. */
  list(instanceId: string, scheduleId: string, limit?: number): Promise<ScheduleRun[]>;
  /** A new run in the place of an old one, to be written with its schedule. @param number of the run, from 1 */
  write(run: ScheduleRun): Promise<Write>;
  /** It has ended; nothing where it is gone. */
  end(id: string, how: Pick<ScheduleRun, 'outcome' | 'durationMs' | 'status' | 'error'>): Promise<void>;
  /** What ran when the host was killed. */
  interrupt(): Promise<void>;
  remove(instanceId: string): Promise<void>;
}

/** Of each schedule. */
const RUNS_KEPT = 30;

export function placeOfRun(instanceId: string, { id, runCount }: Schedule): string {
  return `${subjectOf(instanceId, id)}/${runCount % RUNS_KEPT}`;
}

/** Ids of actions are any text. */
const subjectOf = (instanceId: string, scheduleId: string): string => `${instanceId}/${encodeURIComponent(scheduleId.toWellFormed())}`;

export function createScheduleRuns(store: Store): ScheduleRuns {
  const table = createTable<ScheduleRun>(store, 'schedule-run', {
    schedule: { of: (run) => subjectOf(run.instanceId, run.scheduleId), order: (run) => run.startedAt },
    instance: { of: (run) => run.instanceId },
    running: { of: (run) => (run.outcome === 'running' ? 'yes' : undefined) },
  });
  return {
    list: (instanceId, scheduleId, limit = RUNS_KEPT) => table.list({ by: { index: 'schedule', value: subjectOf(instanceId, scheduleId) }, reverse: true, limit }),
    async write(run) {
      const before = await table.get(run.id);
      return before ? table.replaceWrite(before, run) : table.insertWrite(run);
    },
    async end(id, how) {
      await table.update(id, (run) => ({ ...run, ...how }));
    },
    async interrupt() {
      for (const { id } of await table.list({ by: { index: 'running', value: 'yes' } })) {
        await table.update(id, (run) => ({ ...run, outcome: 'interrupted', error: 'The host stopped while it ran.' }));
      }
    },
    async remove(instanceId) {
      for (const { id } of await table.list({ by: { index: 'instance', value: instanceId } })) await table.delete(id);
    },
  };
}

/** As it is when it begins; one that is skipped has ended with that. */
export function newRun(instanceId: string, schedule: Schedule, { trigger, scheduledMs, nowMs, requestId }: { trigger: ScheduleRun['trigger']; scheduledMs: number; nowMs: number; requestId: string | null }): ScheduleRun {
  return {
    id: placeOfRun(instanceId, schedule), instanceId, scheduleId: schedule.id, trigger, scheduledAt: isoTime(scheduledMs), startedAt: isoTime(nowMs),
    outcome: requestId === null ? 'skipped' : 'running', durationMs: null, status: null, requestId, error: null,
  };
}
