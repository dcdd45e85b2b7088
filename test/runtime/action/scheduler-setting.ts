// Owns a scheduler over a Store in memory, whose time, apps and Micros are as a test says.
import { silentLog } from '../../../core/log.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Revision } from '../../../builder/revision.ts';
import { createInstances, type Instance, type Instances } from '../../../runtime/instance/instance.ts';
import type { ScheduledEvent } from '../../../runtime/engine/engine.ts';
import { createScheduler, type Delivered, type Scheduler } from '../../../runtime/action/scheduler.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { commit } from '../../../sandbox-data/store/table.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const START = Date.UTC(2030, 0, 1, 10, 7, 30);

/** Timers follow the time that passes; what the clock shows can be set besides. */
interface SetClock extends Clock { mono: FakeClock; set(ms: number): void; timers(): number }

function createSetClock(): SetClock {
  const mono = createFakeClock(START);
  let offset = 0;
  let timers = 0;
  return {
    mono, timers: () => timers,
    now: () => mono.now() + offset,
    set: (ms) => { offset = ms - mono.now(); },
    after(delayMs, run) {
      timers += 1;
      let isOver = false;
      const over = (): boolean => isOver || ((isOver = true), (timers -= 1), false);
      const cancel = mono.after(delayMs, () => { if (!over()) run(); });
      return () => { if (!over()) cancel(); };
    },
  };
}

interface Given { id: string; interval: string; micro?: string }
export const revisionOf = (id: string, given: Given[]): Revision => ({
  id, micros: ['web', 'api'].map((name) => ({
    name, actions: given.filter(({ micro = 'web' }) => micro === name).map((each) => ({ id: each.id, name: `The ${each.id}`, description: '', trigger: 'schedule', defaultInterval: each.interval })),
  })),
} as unknown as Revision);

interface Ran { instance: string; micro: string; at: string; event: ScheduledEvent }
export interface Setting {
  store: Store; clock: SetClock; instances: Instances; scheduler: Scheduler; ran: Ran[]; told: string[]; revisions: Map<string, Revision>;
  /** Answers what is delivered; until then it runs. */
  answer: { next: (event: ScheduledEvent, instance: Instance) => Promise<Delivered> };
  pass(ms: number, stepMs?: number): Promise<void>;
  install(given: Given[], more?: Partial<Instance>): Promise<Instance>;
  update(instance: Instance, given: Given[]): Promise<Instance>;
  /** A host that starts on the same Store; the one before ends as its test says, by kill -9 when nothing is said. */
  restart(): Promise<Setting>;
  /** Times of the runs of this schedule. */
  times(id: string): string[];
}

export const flush = async (): Promise<void> => { for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve)); };
export const shown = (ms: number): string => new Date(ms).toISOString().slice(5, 16).replace('T', ' ');

export async function setUp({ store = createMemoryStore(), clock = createSetClock(), revisions = new Map<string, Revision>() }: { store?: Store; clock?: SetClock; revisions?: Map<string, Revision> } = {}): Promise<Setting> {
  const instances = createInstances(store, clock);
  const ran: Ran[] = [];
  const told: string[] = [];
  const answer: Setting['answer'] = { next: async () => ({ status: 200, text: '' }) };
  const scheduler = createScheduler({
    store, clock, log: silentLog, instances, revision: async (id) => revisions.get(id),
    async deliver(instance, micro, { event }) {
      ran.push({ instance: instance.id, micro, at: shown(clock.now()), event });
      return answer.next(event, instance);
    },
    tell: (_, { text }) => void told.push(text),
  });
  await scheduler.start();
  await flush();

  async function follow(instance: Instance): Promise<Instance> {
    await scheduler.instanceChanged(instance.id);
    await flush();
    return instance;
  }
  const revise = (given: Given[]): string => {
    const revision = revisionOf(`r${revisions.size}`, given);
    revisions.set(revision.id, revision);
    return revision.id;
  };
  return {
    store, clock, instances, scheduler, ran, told, revisions, answer,
    async pass(ms, stepMs = 30_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.mono.advance(Math.min(left, stepMs));
        await flush();
      }
    },
    async install(given, more = {}) {
      const draft = instances.draft({ spaceId: 'ada', projectId: 'p', kind: 'installed', alias: 'app', appName: 'App', releaseId: 'x', version: '1' }, () => ({ id: 'c' }));
      const instance = { ...draft, state: 'ready' as const, revisionId: revise(given), ...more };
      await commit(store, ...instances.insertWrites(instance));
      return follow(instance);
    },
    async update(instance, given) {
      const after = { ...instance, revisionId: revise(given) };
      await commit(store, instances.replaceWrite(instance, after));
      return follow(after);
    },
    restart: () => setUp({ store, clock, revisions }),
    times: (id) => ran.filter(({ event }) => event.id === id).map(({ at }) => at),
  };
}

/** Newest first. */
export const outcomes = async ({ scheduler }: Setting, { id }: Instance, schedule: string): Promise<string[]> => (await scheduler.runs(id, schedule)).map((run) => `${run.trigger} ${run.outcome}`);
