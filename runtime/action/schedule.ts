// Owns the schedules of an Instance as one record: it follows the Instance's Revision, and keeps what the owner set. Pure;
// knows no Store and no timer.
import type { RevisionMicro } from '../../builder/revision.ts';
import { SpaceError } from '../../core/errors.ts';
import { isoTime } from '../../core/clock.ts';
import { INTERVAL_EXPECTED, nextDue, parseInterval, type Interval } from '../../spacefile-schema/interval.ts';

export interface Schedule {
  /** Of the action in the Spacefile. */
  id: string;
  micro: string;
  name: string;
  description: string;
  defaultInterval: string;
  /** The owner's own; null: the default, which follows the app. */
  interval: string | null;
  isEnabled: boolean;
  /** When the interval that holds was set: a rate counts from there. */
  startedAt: string;
  /** When it was last looked after: run, changed or aligned. */
  touchedAt: string;
  /** Undefined while it is disabled. */
  dueAt?: string;
  /** Runs so far, for their places in the history. */
  runCount: number;
}

/** What an owner set for an action that the app has no more: it may come back, with a rollback for one. */
type KeptChoice = Pick<Schedule, 'id' | 'interval' | 'isEnabled'>;

/** All of one Instance, whose id it has; also where there are none, to say that its Revision was looked at. */
export interface ScheduleSet {
  id: string;
  spaceId: string;
  revisionId: string;
  schedules: Schedule[];
  kept: KeptChoice[];
  /** The earliest of its schedules. */
  dueAt?: string;
}

/** A clock that was ahead by more than this was wrong, and what was planned by it is planned anew. */
const AHEAD_MS = 86_400_000;
const KEPT_MAX = 50;
/** Windows in which the last missed time is looked for begin with this, and double. */
const LOOK_BACK_MS = 60_000;

export function intervalOf({ interval, defaultInterval }: Pick<Schedule, 'interval' | 'defaultInterval'>): string {
  return interval ?? defaultInterval;
}

/** The record for this Revision: what stayed keeps its choices and its plan. */
export function followRevision(before: ScheduleSet | undefined, instance: { id: string; spaceId: string }, revision: { id: string; micros: readonly Pick<RevisionMicro, 'name' | 'actions'>[] }, nowMs: number): ScheduleSet {
  const actions = revision.micros.flatMap((micro) => micro.actions.map((action) => ({ action, micro: micro.name })));
  const known = new Map((before?.schedules ?? []).map((schedule) => [schedule.id, schedule]));
  const choices = new Map([...(before?.kept ?? []), ...known.values()].map((choice) => [choice.id, choice]));
  const schedules = actions.map(({ action, micro }): Schedule => {
    const old = known.get(action.id);
    const choice = choices.get(action.id);
    const fresh = {
      id: action.id, micro, name: action.name, description: action.description, defaultInterval: action.defaultInterval,
      interval: choice?.interval ?? null, isEnabled: choice?.isEnabled ?? true, runCount: old?.runCount ?? 0,
    };
    const isAsBefore = old !== undefined && intervalOf(old) === intervalOf(fresh);
    return isAsBefore ? { ...old, ...fresh } : planned({ ...fresh, startedAt: isoTime(nowMs), touchedAt: isoTime(nowMs) }, nowMs);
  });
  const current = new Set(schedules.map(({ id }) => id));
  return summed({ id: instance.id, spaceId: instance.spaceId, revisionId: revision.id, schedules, kept: keptOf([...choices.values()].filter(({ id }) => !current.has(id))) });
}

/** Nothing of it is due, and what its owner chose waits. */
export function rested(set: ScheduleSet): ScheduleSet {
  return summed({ ...set, revisionId: '', schedules: [], kept: keptOf([...set.kept, ...set.schedules]) });
}

/** What differs from the app's own, the last of each. */
function keptOf(choices: readonly KeptChoice[]): KeptChoice[] {
  const last = new Map(choices.map((choice) => [choice.id, choice]));
  return [...last.values()].filter(({ interval, isEnabled }) => interval !== null || !isEnabled).slice(-KEPT_MAX).map(({ id, interval, isEnabled }) => ({ id, interval, isEnabled }));
}

export interface ScheduleChange { interval?: string | null | undefined; isEnabled?: boolean | undefined }

/** @throws SCHEDULE_NOT_FOUND, INTERVAL_INVALID */
export function changeSchedule(set: ScheduleSet, id: string, { interval, isEnabled }: ScheduleChange, nowMs: number): ScheduleSet {
  if (typeof interval === 'string') checkInterval(interval);
  return withSchedule(set, id, (before) => {
    const after = { ...before, ...(interval === undefined ? {} : { interval }), ...(isEnabled === undefined ? {} : { isEnabled }) };
    const isAsBefore = intervalOf(after) === intervalOf(before) && after.isEnabled === before.isEnabled;
    return isAsBefore ? after : planned({ ...after, startedAt: isoTime(nowMs) }, nowMs);
  });
}

function checkInterval(interval: string): void {
  const { problem } = parseInterval(interval);
  if (problem !== undefined) throw new SpaceError('INTERVAL_INVALID', { interval: interval.slice(0, 100), problem, expected: INTERVAL_EXPECTED });
}

export function scheduleIn(set: ScheduleSet | undefined, id: string): Schedule {
  const found = set?.schedules.find((schedule) => schedule.id === id);
  if (!found) throw new SpaceError('SCHEDULE_NOT_FOUND', { schedule: id.slice(0, 100) });
  return found;
}

export function dueIn({ schedules }: ScheduleSet, nowMs: number): Schedule[] {
  return schedules.filter(({ dueAt }) => dueAt !== undefined && Date.parse(dueAt) <= nowMs);
}

/** It is run now: its next time is in the future of now, however long ago it was due. */
export function taken(set: ScheduleSet, id: string, nowMs: number): ScheduleSet {
  return withSchedule(set, id, (schedule) => {
    const counted = { ...schedule, runCount: schedule.runCount + 1 };
    const isDue = schedule.dueAt !== undefined && Date.parse(schedule.dueAt) <= nowMs;
    return isDue ? planned(counted, nowMs) : counted;
  });
}

/** What was planned by a clock that was far ahead, planned anew; undefined when nothing was. */
export function realigned(set: ScheduleSet, nowMs: number): ScheduleSet | undefined {
  const isAhead = ({ touchedAt }: Schedule): boolean => Date.parse(touchedAt) > nowMs + AHEAD_MS;
  if (!set.schedules.some(isAhead)) return undefined;
  return summed({ ...set, schedules: set.schedules.map((schedule) => (isAhead(schedule) ? planned({ ...schedule, startedAt: isoTime(nowMs) }, nowMs) : schedule)) });
}

/** The last time at or before now at which it was due, no earlier than its `dueAt`. */
export function lastDue({ dueAt, ...schedule }: Schedule, nowMs: number): number {
  const interval = parsed(schedule);
  const startMs = Date.parse(schedule.startedAt);
  const floorMs = dueAt === undefined ? nowMs : Date.parse(dueAt);
  for (let windowMs = LOOK_BACK_MS; nowMs - windowMs >= floorMs; windowMs *= 2) {
    const first = nextDue(interval, { startMs, afterMs: nowMs - windowMs });
    if (first <= nowMs) return lastFrom(first, (afterMs) => nextDue(interval, { startMs, afterMs }), nowMs);
  }
  return lastFrom(floorMs, (afterMs) => nextDue(interval, { startMs, afterMs }), nowMs);
}

function lastFrom(first: number, next: (afterMs: number) => number, nowMs: number): number {
  let found = first;
  for (let following = next(found); following <= nowMs; following = next(found)) found = following;
  return found;
}

/** The time after its next one. */
export function thenDue(schedule: Schedule): string | undefined {
  if (schedule.dueAt === undefined) return undefined;
  return isoTime(nextDue(parsed(schedule), { startMs: Date.parse(schedule.startedAt), afterMs: Date.parse(schedule.dueAt) }));
}

function withSchedule(set: ScheduleSet, id: string, change: (schedule: Schedule) => Schedule): ScheduleSet {
  const before = scheduleIn(set, id);
  return summed({ ...set, schedules: set.schedules.map((schedule) => (schedule === before ? change(schedule) : schedule)) });
}

function planned({ dueAt: _, ...schedule }: Schedule, nowMs: number): Schedule {
  const touched = { ...schedule, touchedAt: isoTime(nowMs) };
  if (!schedule.isEnabled) return touched;
  return { ...touched, dueAt: isoTime(nextDue(parsed(schedule), { startMs: Date.parse(schedule.startedAt), afterMs: nowMs })) };
}

function summed({ dueAt: _, ...set }: ScheduleSet): ScheduleSet {
  const earliest = set.schedules.flatMap(({ dueAt }) => dueAt ?? []).toSorted()[0];
  return { ...set, ...(earliest === undefined ? {} : { dueAt: earliest }) };
}

/** Checked when the app was built, and when the owner set it. A Revision that was built under laxer rules never runs its own. */
function parsed(schedule: Pick<Schedule, 'interval' | 'defaultInterval'>): Interval {
  return parseInterval(intervalOf(schedule)).interval ?? NEVER;
}

/** Far away, and no two of them near each other. */
const NEVER: Interval = { kind: 'rate', every: 999_999, unit: 'day' };
