// Owns what is stored of schedules: each Instance's set, as its Revision has it, and taking one of them to be run. Knows no
// timer and no Micro.
import type { Clock } from '../../core/clock.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, contended, createTable } from '../../sandbox-data/store/table.ts';
import type { Instance } from '../instance/instance.ts';
import { newRun, type ScheduleRun, type ScheduleRuns } from './runs.ts';
import { changeSchedule, dueIn, followRevision, lastDue, realigned, rested, scheduleIn, taken, type Schedule, type ScheduleChange, type ScheduleSet } from './schedule.ts';

export interface PlansParts {
  store: Store;
  clock: Clock;
  runs: ScheduleRuns;
  revision(id: string): Promise<Revision | undefined>;
}

export interface Taken { run: ScheduleRun; schedule: Schedule }

/** An Instance of which something is due. */
export interface DueSet { instanceId: string; spaceId: string; dueMs: number }

export interface Plans {
  /** As its Revision has them. */
  of(instance: Instance): Promise<ScheduleSet | undefined>;
  /** As it is stored. */
  get(instanceId: string): Promise<ScheduleSet | undefined>;
  /** Read once what is stored. @returns of which Instances something is, and by which Revision */
  load(): Promise<Map<string, string>>;
  /** What is due by now, the earliest first. Immediate, however many wait. */
  due(nowMs: number): DueSet[];
  /** When something is due after that; Infinity when nothing is. */
  nextAfter(nowMs: number): number;
  /** @throws SCHEDULE_NOT_FOUND, INTERVAL_INVALID */
  change(instance: Instance, scheduleId: string, change: ScheduleChange): Promise<Schedule>;
  /** Record that it runs now, or is skipped without a request's id, and when it is due next: before anything is delivered.
   *  @returns undefined when it is not due any more  @throws SCHEDULE_NOT_FOUND */
  take(instanceId: string, scheduleId: string, trigger: 'manual' | 'plan', requestId: string | null): Promise<Taken | undefined>;
  /** What was planned by a clock that was far ahead is planned anew. */
  realign(): Promise<void>;
  /** Its Instance is gone, and may come back: nothing is due meanwhile. */
  rest(instanceId: string): Promise<void>;
  /** With its history. */
  remove(instanceId: string): Promise<void>;
}

/** Later than this it is a catch-up. */
const LATE_MS = 60_000;

export function createPlans({ store, clock, runs, revision }: PlansParts): Plans {
  const sets = createTable<ScheduleSet>(store, 'schedules', {
    due: { of: ({ dueAt }) => (dueAt === undefined ? undefined : 'yes'), order: ({ dueAt }) => dueAt ?? '' },
  });
  /** When each is due, as it is stored: looking costs nothing, whoever lets how many pile up. */
  const times = new Map<string, DueSet>();

  function noted<S extends ScheduleSet | undefined>(set: S): S {
    if (set?.dueAt !== undefined) times.set(set.id, { instanceId: set.id, spaceId: set.spaceId, dueMs: Date.parse(set.dueAt) });
    else if (set) times.delete(set.id);
    return set;
  }

  async function follow(instance: Instance): Promise<ScheduleSet | undefined> {
    const before = await sets.get(instance.id);
    if (instance.revisionId === null || before?.revisionId === instance.revisionId) return before;
    const found = await revision(instance.revisionId);
    if (!found) return before;
    const after = followRevision(before, instance, found, clock.now());
    await commit(store, before ? sets.replaceWrite(before, after) : sets.insertWrite(after));
    return noted(after);
  }

  async function take(instanceId: string, scheduleId: string, trigger: 'manual' | 'plan', requestId: string | null): Promise<Taken | undefined> {
    const before = await sets.get(instanceId);
    const nowMs = clock.now();
    if (trigger === 'plan' && (!before || !dueIn(before, nowMs).some(({ id }) => id === scheduleId))) return undefined;
    const schedule = scheduleIn(before, scheduleId);
    const run = newRun(instanceId, schedule, { ...whyOf(schedule, trigger, nowMs), nowMs, requestId });
    const after = taken(before as ScheduleSet, scheduleId, nowMs);
    await commit(store, sets.replaceWrite(before as ScheduleSet, after), await runs.write(run));
    noted(after);
    return { run, schedule };
  }

  return {
    of: (instance) => contended(() => follow(instance)),
    async get(instanceId) {
      const set = noted(await sets.get(instanceId));
      if (!set) times.delete(instanceId);
      return set;
    },
    async load() {
      const all = await sets.list();
      for (const set of all) noted(set);
      return new Map(all.flatMap(({ id, revisionId }) => (revisionId === '' ? [] : [[id, revisionId]])));
    },
    due: (nowMs) => [...times.values()].filter(({ dueMs }) => dueMs <= nowMs).toSorted((a, b) => a.dueMs - b.dueMs),
    nextAfter: (nowMs) => times.values().reduce((next, { dueMs }) => (dueMs > nowMs && dueMs < next ? dueMs : next), Infinity),
    async change(instance, scheduleId, change) {
      await contended(() => follow(instance));
      return scheduleIn(noted(await sets.update(instance.id, (set) => changeSchedule(set, scheduleId, change, clock.now()))), scheduleId);
    },
    take: (...what) => contended(() => take(...what)),
    async realign() {
      for (const { id } of await sets.list()) noted(await sets.update(id, (set) => realigned(set, clock.now())));
    },
    async rest(instanceId) {
      noted(await sets.update(instanceId, (set) => (set.revisionId === '' ? undefined : rested(set))));
    },
    async remove(instanceId) {
      await sets.delete(instanceId);
      times.delete(instanceId);
      await runs.remove(instanceId);
    },
  };
}

function whyOf(schedule: Schedule, trigger: 'manual' | 'plan', nowMs: number): { trigger: ScheduleRun['trigger']; scheduledMs: number } {
  if (trigger === 'manual') return { trigger, scheduledMs: nowMs };
  const isLate = nowMs - Date.parse(schedule.dueAt ?? '') > LATE_MS;
  return { trigger: isLate ? 'catch-up' : 'due', scheduledMs: lastDue(schedule, nowMs) };
}
