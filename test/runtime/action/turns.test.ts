// Owns the proof that nobody's schedules wait for those of others that hang, however many apps and accounts these have.
import { expect, test } from 'vitest';
import type { Delivered } from '../../../runtime/action/scheduler.ts';
import { createTurns, RUNS_KEPT_FREE, RUNS_MAX, RUNS_MAX_SPACE } from '../../../runtime/action/turns.ts';
import { codeOf } from '../../support/identity.ts';
import { MINUTE, setUp, type Setting } from './scheduler-setting.ts';

const EACH_MINUTE = [{ id: 'a', interval: '1 minute' }];

/** Runs of one of these Spaces hang until `end`. */
function hanging(host: Setting, isHanging: (spaceId: string) => boolean): { end(count: number): void } {
  const ends: (() => void)[] = [];
  host.answer.next = async (_, instance) => {
    if (isHanging(instance.spaceId)) await new Promise<void>((resolve) => ends.push(resolve));
    return { status: 200, text: '' } satisfies Delivered;
  };
  return { end: (count) => { for (const end of ends.splice(0, count)) end(); } };
}
const ranOf = (host: Setting, instanceId: string): number => host.ran.filter(({ instance }) => instance === instanceId).length;

test('two accounts whose hundreds of apps hang hold up nobody: bob\'s runs each minute', async () => {
  const host = await setUp();
  hanging(host, (spaceId) => spaceId !== 'bob');
  for (const spaceId of ['eve', 'mallory']) for (let count = 0; count < 120; count += 1) await host.install(EACH_MINUTE, { spaceId });
  await host.pass(2 * MINUTE);
  expect(host.ran).toHaveLength(2 * RUNS_MAX_SPACE);
  const bobs = await host.install(EACH_MINUTE, { spaceId: 'bob' });
  await host.pass(3 * MINUTE);
  expect(ranOf(host, bobs.id)).toBe(3);
  expect(host.ran).toHaveLength(2 * RUNS_MAX_SPACE + 3);
});

test('what is due while it runs is skipped, though its Space has no room', async () => {
  const host = await setUp();
  const { end } = hanging(host, () => true);
  const apps = [];
  for (let count = 0; count < RUNS_MAX_SPACE + 1; count += 1) apps.push(await host.install(EACH_MINUTE));
  await host.pass(3 * MINUTE);
  const [first] = apps;
  expect((await host.scheduler.runs(first!.id, 'a')).map(({ outcome }) => outcome)).toEqual(['skipped', 'skipped', 'running']);
  end(1);
  await host.pass(MINUTE);
  expect(ranOf(host, apps.at(-1)!.id)).toBe(1);
});

test('whoever has all places: with each that comes free, those who wait take turns', () => {
  const turns = createTurns();
  const ends = new Map<string, () => void>();
  const accounts = Array.from({ length: RUNS_MAX + 2 }, (_, index) => `account${index}`);
  const greedy = ['account0', 'account1', 'account2', 'account3'];
  for (let spaceId = turns.next(greedy); spaceId !== undefined; spaceId = turns.next(greedy)) ends.set(`${spaceId}#${ends.size}`, turns.begin(spaceId));
  expect(ends.size).toBe(RUNS_MAX - RUNS_KEPT_FREE);
  expect(greedy.map((spaceId) => turns.hasRoom(spaceId))).toEqual([false, false, false, false]);
  for (const spaceId of accounts.slice(4, 4 + RUNS_KEPT_FREE)) ends.set(spaceId, turns.begin(turns.next([spaceId])!));
  expect(turns.next(accounts)).toBeUndefined();
  const order = Array.from({ length: 8 }, () => {
    const [oldest, end] = [...ends][0]!;
    ends.delete(oldest);
    end();
    const next = turns.next(accounts)!;
    ends.set(`${next}#later`, turns.begin(next));
    return next;
  });
  // First those who never had a turn, none of them twice, and nobody who has one running.
  expect(order).toEqual(['account8', 'account9', 'account10', 'account11', 'account12', 'account13', 'account14', 'account15']);
});

test('by hand one person runs a few at once, which take no place of what is due', async () => {
  const host = await setUp();
  const { end } = hanging(host, () => true);
  const apps = [];
  for (let count = 0; count < 7; count += 1) apps.push(await host.install(EACH_MINUTE));
  const codes = Promise.all(apps.map((app) => codeOf(host.scheduler.runNow(app, 'a'))));
  await host.pass(MINUTE);
  expect(host.ran).toHaveLength(4 + 3);
  expect(await codeOf(host.scheduler.runNow(apps[6]!, 'a'))).toBe('SCHEDULE_RUNNING');
  end(99);
  expect((await codes).toSorted()).toEqual(['SCHEDULES_BUSY', 'SCHEDULES_BUSY', 'SCHEDULES_BUSY', undefined, undefined, undefined, undefined]);
});
