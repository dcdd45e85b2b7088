// Owns running what is due: one timer for all Instances, no two runs of one schedule at a time, and each taken before it is
// delivered. Knows no HTTP; how a Micro is reached is given to it.
import { SpaceError, toSpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import type { ScheduledEvent } from '../engine/engine.ts';
import type { Instance, Instances } from '../instance/instance.ts';
import { createPlans, type Taken } from './plans.ts';
import { createScheduleRuns, type ScheduleRun, type ScheduleRuns } from './runs.ts';
import { dueIn, intervalOf, scheduleIn, type Schedule, type ScheduleChange } from './schedule.ts';
import { createTurns } from './turns.ts';

/** `isTaken`: recorded; before that it is still due by what is stored. */
interface Running { spaceId: string; trigger: 'manual' | 'plan'; isTaken: boolean; ended: Promise<unknown> }

/** What the Micro said to it. */
export interface Delivered { status: number; text: string }

export interface SchedulerParts {
  store: Store;
  clock: Clock;
  log: Log;
  instances: Instances;
  revision(id: string): Promise<Revision | undefined>;
  /** Send the event to the Micro, and wait until its answer has come whole. */
  deliver(instance: Instance, micro: string, request: { id: string; event: ScheduledEvent; signal: AbortSignal }): Promise<Delivered>;
  /** For the Instance's own log. */
  tell(instance: Instance, entry: { micro: string; text: string; requestId: string }): void;
}

export interface Scheduler {
  /** Look after what changed while the host was down, then run what is due from now on. */
  start(): Promise<void>;
  /** It runs another Revision, or is gone, maybe to come back. */
  instanceChanged(instanceId: string): Promise<void>;
  /** It will not come back. */
  instanceRemoved(instanceId: string): Promise<void>;
  list(instance: Instance): Promise<Schedule[]>;
  /** Newest first. */
  runs(instanceId: string, scheduleId: string, limit?: number): Promise<ScheduleRun[]>;
  /** @throws SCHEDULE_NOT_FOUND, INTERVAL_INVALID */
  change(instance: Instance, scheduleId: string, change: ScheduleChange): Promise<Schedule>;
  /** Run it now, whatever its plan. Resolves when it has ended. @throws SCHEDULE_NOT_FOUND, SCHEDULE_RUNNING, SCHEDULES_BUSY */
  runNow(instance: Instance, scheduleId: string): Promise<ScheduleRun>;
  /** Nothing begins any more; what runs has a moment to end. */
  close(): Promise<void>;
}

/** The clock is looked at so often, whatever is planned: somebody may have set it. */
const LOOK_MS = 60_000;
/** Runs that one Space asked for by hand, at once: they take no place of those that are due. */
const MANUAL_MAX_SPACE = 4;
/** An answer that streams on is cut off after this. */
const RUN_MAX_MS = 300_000;
const GOODBYE_MS = 3000;
const RETRY_MS = 5000;
const TEXT_SHOWN = 500;

export function createScheduler(parts: SchedulerParts): Scheduler {
  const { clock, log, instances } = parts;
  const history = createScheduleRuns(parts.store);
  const plans = createPlans({ ...parts, runs: history });
  const turns = createTurns();
  const running = new Map<string, Running>();
  /** What could not be recorded is not tried again at once: the disk may be full. */
  const resting = new Map<string, number>();
  let cancelTimer = (): void => {};
  let starting: Promise<void> | undefined;
  let looking: Promise<void> | undefined;
  let isAskedAgain = false;
  let isClosed = false;
  let seenMs = 0;

  const keyOf = (instanceId: string, scheduleId: string): string => `${instanceId}/${scheduleId}`;

  async function instanceChanged(instanceId: string): Promise<void> {
    const instance = await instances.get(instanceId);
    if (instance) await plans.of(instance);
    else await plans.rest(instanceId);
    look();
  }

  /** Take it and run it, unless it runs already. */
  function begin(instance: Instance, scheduleId: string, trigger: 'manual' | 'plan'): Promise<ScheduleRun | undefined> {
    const key = keyOf(instance.id, scheduleId);
    const entry: Running = { spaceId: instance.spaceId, trigger, isTaken: false, ended: Promise.resolve() };
    running.set(key, entry);
    const leave = trigger === 'plan' ? turns.begin(instance.spaceId) : (): void => {};
    const work = (async () => {
      const begun = await plans.take(instance.id, scheduleId, trigger, newId('request'));
      entry.isTaken = true;
      look();
      return begun && runOne({ ...parts, history }, instance, begun);
    })();
    entry.ended = work.catch((error) => {
      log.error('schedule.not-run', { instanceId: instance.id, error });
      resting.set(key, clock.now() + RETRY_MS);
    }).finally(() => {
      running.delete(key);
      leave();
      look();
    });
    return work;
  }

  /** Begin what is due, so far as there is room; Spaces take turns. @returns when to look again */
  async function beginDue(): Promise<number> {
    for (const [key, until] of resting) if (until <= clock.now()) resting.delete(key);
    const sets = plans.due(clock.now());
    for (const { instanceId } of sets) await skipRunning(instanceId);
    const atRest = new Set(Array.from(resting.keys(), (key) => key.split('/')[0]));
    const waiting = Map.groupBy(sets.filter(({ instanceId }) => !atRest.has(instanceId)), ({ spaceId }) => spaceId);
    for (let spaceId = turns.next(waiting.keys()); spaceId !== undefined && !isClosed; spaceId = turns.next(waiting.keys())) {
      const [first, ...others] = waiting.get(spaceId) ?? [];
      if (others.length === 0) waiting.delete(spaceId);
      else waiting.set(spaceId, others);
      if (first) await beginSet(first.instanceId);
    }
    // Somebody else's end makes room, and asks anew.
    return Math.min(plans.nextAfter(clock.now()) - clock.now(), resting.size > 0 ? RETRY_MS : LOOK_MS);
  }

  /** What is due while it runs is skipped, whoever else waits for room. */
  async function skipRunning(instanceId: string): Promise<void> {
    const ofInstance = [...running].filter(([key, { isTaken }]) => isTaken && key.startsWith(`${instanceId}/`));
    for (const [key] of ofInstance) await plans.take(instanceId, key.slice(instanceId.length + 1), 'plan', null);
  }

  async function beginSet(instanceId: string): Promise<void> {
    const instance = await instances.get(instanceId);
    if (!instance) return instanceChanged(instanceId);
    const set = await plans.get(instanceId);
    for (const schedule of set ? dueIn(set, clock.now()) : []) await beginOne(instance, schedule);
  }

  async function beginOne(instance: Instance, schedule: Schedule): Promise<void> {
    const key = keyOf(instance.id, schedule.id);
    if (isClosed || running.has(key) || resting.has(key)) return;
    if (instance.state !== 'ready') await plans.take(instance.id, schedule.id, 'plan', null);
    else if (turns.hasRoom(instance.spaceId)) void begin(instance, schedule.id, 'plan').catch(() => undefined);
  }

  async function lookOnce(): Promise<void> {
    let waitMs = RETRY_MS;
    try {
      if (clock.now() < seenMs - LOOK_MS) await plans.realign();
      seenMs = clock.now();
      waitMs = await beginDue();
    } catch (error) {
      if (!isClosed) log.error('schedule.look-failed', { error });
    }
    if (!isClosed) cancelTimer = clock.after(Math.max(1, Math.min(waitMs, LOOK_MS)), look);
  }

  /** Look what is due; one look at a time. */
  function look(): void {
    if (isClosed) return;
    isAskedAgain = looking !== undefined;
    if (looking) return;
    cancelTimer();
    looking = lookOnce().finally(() => {
      looking = undefined;
      if (isAskedAgain) look();
    });
  }

  async function begins(): Promise<void> {
    await history.interrupt();
    await plans.realign();
    const known = await plans.load();
    for (const instance of await instances.all()) {
      if (isClosed) return;
      if (instance.revisionId !== null && known.get(instance.id) !== instance.revisionId) await plans.of(instance);
      known.delete(instance.id);
    }
    for (const gone of known.keys()) await instanceChanged(gone);
    look();
  }

  return {
    start() {
      starting = begins().catch((error) => log.error('schedules.not-started', { error }));
      return starting;
    },
    instanceChanged,
    instanceRemoved: (instanceId) => plans.remove(instanceId),
    list: async (instance) => (await plans.of(instance))?.schedules ?? [],
    runs: (instanceId, scheduleId, limit) => history.list(instanceId, scheduleId, limit),
    async change(instance, scheduleId, change) {
      const changed = await plans.change(instance, scheduleId, change);
      look();
      return changed;
    },
    async runNow(instance, scheduleId) {
      scheduleIn(await plans.of(instance), scheduleId);
      if (running.has(keyOf(instance.id, scheduleId))) throw new SpaceError('SCHEDULE_RUNNING');
      const manual = [...running.values()].filter(({ spaceId, trigger }) => spaceId === instance.spaceId && trigger === 'manual');
      if (manual.length >= MANUAL_MAX_SPACE) throw new SpaceError('SCHEDULES_BUSY', { limit: MANUAL_MAX_SPACE });
      return (await begin(instance, scheduleId, 'manual')) as ScheduleRun;
    },
    async close() {
      isClosed = true;
      cancelTimer();
      await Promise.all([starting, looking]);
      const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref());
      await Promise.race([Promise.allSettled([...running.values()].map(({ ended }) => ended)), late]);
    },
  };
}

/** @returns the run as it ended */
async function runOne(parts: SchedulerParts & { history: ScheduleRuns }, instance: Instance, { run: begun, schedule }: Taken): Promise<ScheduleRun> {
  const { clock, log } = parts;
  const requestId = begun.requestId ?? '';
  const startMs = clock.now();
  const tooLong = AbortSignal.timeout(RUN_MAX_MS);
  const event: ScheduledEvent = { id: schedule.id, trigger: 'schedule', cron: intervalOf(schedule), scheduledTime: Date.parse(begun.scheduledAt) };
  let how: Pick<ScheduleRun, 'outcome' | 'status' | 'error'>;
  try {
    const { status, text } = await parts.deliver(instance, schedule.micro, { id: requestId, event, signal: tooLong });
    how = { outcome: status < 400 ? 'ok' : 'failed', status, error: status < 400 ? null : `It answered ${status}${text === '' ? '' : `: ${text.slice(0, TEXT_SHOWN)}`}` };
  } catch (error) {
    const known = toSpaceError(error);
    if (known.blame === 'platform') log.warn('schedule.failed', { instanceId: instance.id, requestId, error });
    how = { outcome: 'failed', status: known.status, error: known.message };
  }
  if (how.outcome === 'failed') parts.tell(instance, { micro: schedule.micro, requestId, text: `The schedule "${schedule.name}" failed. ${how.error ?? ''}` });
  const ended = { ...how, durationMs: Math.max(0, clock.now() - startMs) };
  await parts.history.end(begun.id, ended);
  return { ...begun, ...ended };
}
