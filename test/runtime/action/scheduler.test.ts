// Owns the proof of when schedules run: each time once, whatever the clock, the host and the Micro do meanwhile.
import { describe, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import type { Instance } from '../../../runtime/instance/instance.ts';
import type { Delivered } from '../../../runtime/action/scheduler.ts';
import { commit } from '../../../sandbox-data/store/table.ts';
import { codeOf } from '../../support/identity.ts';
import { DAY, flush, HOUR, MINUTE, outcomes, revisionOf, setUp, shown } from './scheduler-setting.ts';

describe('what is due', () => {
  test('runs at its times, on its Micro, and says for which time', async () => {
    const host = await setUp();
    await host.install([{ id: 'tick', interval: '15 minutes' }, { id: 'noon', interval: '0 12 * * *', micro: 'api' }]);
    await host.pass(2 * HOUR);
    expect(host.times('tick')).toEqual(['01-01 10:08', '01-01 10:23', '01-01 10:38', '01-01 10:53', '01-01 11:08', '01-01 11:23', '01-01 11:38', '01-01 11:53']);
    expect(host.ran.filter(({ event }) => event.id === 'noon')).toMatchObject([{ micro: 'api', at: '01-01 12:00', event: { trigger: 'schedule', cron: '0 12 * * *', scheduledTime: Date.UTC(2030, 0, 1, 12) } }]);
  });

  test('of many apps takes one timer', async () => {
    const host = await setUp();
    const apps = 40;
    for (let count = 0; count < apps; count += 1) await host.install([{ id: 'tick', interval: `${count + 2} minutes` }]);
    expect(host.clock.timers()).toBe(1);
    await host.pass(MINUTE);
    expect(new Set(host.ran.map(({ instance }) => instance)).size).toBe(apps);
  });

  test('does not run when it is off, and its history says what became of the others', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '1 minute' }, { id: 'b', interval: '1 minute' }, { id: 'c', interval: '1 minute' }]);
    await host.scheduler.change(app, 'a', { isEnabled: false });
    host.answer.next = async ({ id }) => {
      if (id === 'c') throw new SpaceError('MICRO_TIMEOUT', { limitMs: 20_000 });
      return { status: 500, text: 'broken' };
    };
    await host.pass(MINUTE);
    expect(host.times('a')).toEqual([]);
    expect(await host.scheduler.runs(app.id, 'b')).toMatchObject([{ trigger: 'due', outcome: 'failed', status: 500, error: 'It answered 500: broken', scheduledAt: '2030-01-01T10:08:00.000Z' }]);
    expect(await host.scheduler.runs(app.id, 'c')).toMatchObject([{ outcome: 'failed', status: 504, error: 'The app took longer than 20000 ms.' }]);
    expect(host.told).toHaveLength(2);
    await host.scheduler.change(app, 'a', { isEnabled: true });
    await host.pass(MINUTE);
    expect(host.times('a')).toEqual(['01-01 10:09']);
  });

  test('keeps the last runs of each schedule, and no more', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '1 minute' }]);
    await host.pass(40 * MINUTE);
    const kept = await host.scheduler.runs(app.id, 'a');
    expect(kept).toHaveLength(30);
    expect((kept[0]?.startedAt ?? '') > (kept[1]?.startedAt ?? '')).toBe(true);
  });
});

describe('no two at a time (fault 49)', () => {
  test('one that is due while it still runs is skipped, and the next is not', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'slow', interval: '1 minute' }]);
    const first = Promise.withResolvers<Delivered>();
    host.answer.next = () => first.promise;
    await host.pass(3 * MINUTE);
    expect(host.times('slow')).toEqual(['01-01 10:08']);
    expect(await outcomes(host, app, 'slow')).toEqual(['due skipped', 'due skipped', 'due running']);
    expect(await codeOf(host.scheduler.runNow(app, 'slow'))).toBe('SCHEDULE_RUNNING');
    first.resolve({ status: 200, text: '' });
    await flush();
    await host.pass(MINUTE);
    expect(host.times('slow')).toEqual(['01-01 10:08', '01-01 10:11']);
    expect((await outcomes(host, app, 'slow')).at(-1)).toBe('due ok');
  });

  test('by hand it runs at once, whatever its plan, and does not change that', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '1 hour' }]);
    await host.scheduler.change(app, 'a', { isEnabled: false });
    expect(await host.scheduler.runNow(app, 'a')).toMatchObject({ trigger: 'manual', outcome: 'ok', status: 200 });
    await host.scheduler.change(app, 'a', { isEnabled: true });
    await host.scheduler.runNow(app, 'a');
    expect(await host.scheduler.list(app)).toMatchObject([{ dueAt: '2030-01-01T11:00:00.000Z' }]);
    expect(await codeOf(host.scheduler.runNow(app, 'nothing'))).toBe('SCHEDULE_NOT_FOUND');
  });

  test('one Space leaves room for the others', async () => {
    const host = await setUp();
    const never = new Promise<Delivered>(() => {});
    host.answer.next = () => never;
    for (let count = 0; count < 10; count += 1) await host.install([{ id: 'a', interval: '1 minute' }]);
    const bobs = await host.install([{ id: 'a', interval: '1 minute' }], { spaceId: 'bob' });
    await host.pass(MINUTE);
    expect(host.ran.filter(({ instance }) => instance === bobs.id)).toHaveLength(1);
    expect(host.ran).toHaveLength(5);
  });
});

describe('after a pause (fault 48)', () => {
  test('one run makes up for all that were missed, for the last of their times', async () => {
    const before = await setUp();
    const app = await before.install([{ id: 'tick', interval: '1 minute' }, { id: 'daily', interval: '0 3 * * *' }, { id: 'far', interval: '0 0 1 7 *' }]);
    await before.scheduler.close();
    before.clock.mono.advance(3 * DAY);
    const host = await before.restart();
    expect(host.times('tick')).toEqual(['01-04 10:07']);
    expect(host.ran.map(({ event }) => `${event.id} ${shown(event.scheduledTime)}`).toSorted()).toEqual(['daily 01-04 03:00', 'tick 01-04 10:07']);
    expect(await outcomes(host, app, 'daily')).toEqual(['catch-up ok']);
    await host.pass(2 * MINUTE);
    expect(host.times('tick')).toEqual(['01-04 10:07', '01-04 10:08', '01-04 10:09']);
    expect(host.times('daily')).toHaveLength(1);
  });

  test('what a kill cut off is not run again', async () => {
    const before = await setUp();
    const app = await before.install([{ id: 'a', interval: '1 hour' }]);
    before.answer.next = () => new Promise(() => {});
    await before.pass(HOUR);
    expect(await outcomes(before, app, 'a')).toEqual(['due running']);
    const host = await before.restart();
    await host.pass(5 * MINUTE);
    expect(host.ran).toEqual([]);
    expect(await outcomes(host, app, 'a')).toEqual(['due interrupted']);
  });

  test('an app that was updated, or went, while nobody looked', async () => {
    const before = await setUp();
    const app = await before.install([{ id: 'a', interval: '1 hour' }]);
    const gone = await before.install([{ id: 'a', interval: '1 hour' }]);
    await before.scheduler.close();
    before.revisions.set('later', revisionOf('later', [{ id: 'b', interval: '1 hour' }]));
    await commit(before.store, before.instances.replaceWrite(app, { ...app, revisionId: 'later' }), before.instances.deleteWrite(gone));
    const host = await before.restart();
    await host.pass(HOUR);
    expect(host.ran.map(({ instance, event }) => `${instance === app.id} ${event.id}`)).toEqual(['true b']);
  });
});

describe('when the clock is set (faults 27 to 29)', () => {
  test('an hour back: nothing runs twice', async () => {
    const host = await setUp();
    await host.install([{ id: 'tick', interval: '10 minutes' }, { id: 'daily', interval: '0 11 * * *' }]);
    await host.pass(HOUR);
    const before = host.ran.length;
    host.clock.set(host.clock.now() - HOUR);
    await host.pass(HOUR);
    expect(host.ran).toHaveLength(before);
    await host.pass(2 * MINUTE);
    expect(host.times('tick').at(-1)).toBe('01-01 11:08');
    expect(host.times('daily')).toEqual(['01-01 11:00']);
  });

  test('a year ahead: each runs once; and back again: planned anew', async () => {
    const host = await setUp();
    await host.install([{ id: 'tick', interval: '1 minute' }, { id: 'daily', interval: '0 3 * * *' }]);
    host.clock.set(host.clock.now() + 365 * DAY);
    await host.pass(MINUTE);
    expect(host.times('daily')).toHaveLength(1);
    const ticks = host.times('tick').length;
    expect(ticks).toBeLessThanOrEqual(2);
    host.clock.set(host.clock.now() - 365 * DAY);
    await host.pass(3 * MINUTE);
    expect(host.times('tick').length).toBeGreaterThanOrEqual(ticks + 1);
    await host.pass(DAY, 5 * MINUTE);
    expect(host.times('daily').slice(1)).toEqual([expect.stringMatching(/^01-02 03:0/)]);
  });

  test('also over a restart', async () => {
    const before = await setUp();
    before.clock.set(before.clock.now() + 365 * DAY);
    await before.install([{ id: 'daily', interval: '0 3 * * *' }]);
    await before.scheduler.close();
    before.clock.set(before.clock.now() - 365 * DAY);
    const host = await before.restart();
    await host.pass(DAY, 5 * MINUTE);
    expect(host.times('daily')).toEqual([expect.stringMatching(/^01-02 03:0/)]);
  });
});

describe('what an owner chose', () => {
  test('is kept by updates, and comes back with a version that has it again; the rest follows the app', async () => {
    const host = await setUp();
    const chosen = async (app: Instance) => (await host.scheduler.list(app)).map((each) => [each.id, each.interval ?? each.defaultInterval, each.isEnabled]);
    const app = await host.install([{ id: 'mine', interval: '1 hour' }, { id: 'theirs', interval: '1 hour' }, { id: 'off', interval: '1 hour' }]);
    await host.scheduler.change(app, 'mine', { interval: '15 12 * * *' });
    await host.scheduler.change(app, 'off', { isEnabled: false });
    const second = await host.update(app, [{ id: 'mine', interval: '2 hours' }, { id: 'theirs', interval: '3 hours' }]);
    expect(await chosen(second)).toEqual([['mine', '15 12 * * *', true], ['theirs', '3 hours', true]]);
    const third = await host.update(second, [{ id: 'off', interval: '1 hour' }, { id: 'fresh', interval: '5 minutes' }]);
    expect(await chosen(third)).toEqual([['off', '1 hour', false], ['fresh', '5 minutes', true]]);
    const fourth = await host.update(third, [{ id: 'mine', interval: '2 hours' }]);
    expect(await chosen(fourth)).toEqual([['mine', '15 12 * * *', true]]);
    await host.scheduler.change(fourth, 'mine', { interval: null });
    expect(await chosen(fourth)).toEqual([['mine', '2 hours', true]]);
  });

  test('is there again when the app comes back from the trash, and nothing is due before', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '1 hour' }, { id: 'b', interval: '1 minute' }]);
    await host.scheduler.change(app, 'a', { interval: '2 minutes' });
    await commit(host.store, host.instances.deleteWrite(app));
    await host.scheduler.instanceChanged(app.id);
    await host.pass(10 * MINUTE);
    expect(host.ran).toEqual([]);
    await host.scheduler.close();
    const again = await host.restart();
    await commit(host.store, { changes: host.instances.insertWrites(app).slice(0, 1).flatMap(({ changes }) => changes), conditions: [] });
    await again.scheduler.instanceChanged(app.id);
    await again.pass(2 * MINUTE);
    expect([again.times('a').length, again.times('b').length]).toEqual([1, 2]);
    await again.scheduler.instanceRemoved(app.id);
    expect(await again.scheduler.runs(app.id, 'a')).toEqual([]);
  });

  test('an update that changes nothing about it does not put it off', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '2 hours' }]);
    await host.pass(30 * MINUTE);
    await host.update(app, [{ id: 'a', interval: '2 hours' }, { id: 'b', interval: '1 day' }]);
    await host.pass(HOUR);
    expect(host.times('a')).toEqual(['01-01 11:00']);
  });

  test('has to be an interval', async () => {
    const host = await setUp();
    const app = await host.install([{ id: 'a', interval: '2 hours' }]);
    expect(await codeOf(host.scheduler.change(app, 'a', { interval: '30 seconds' }))).toBe('INTERVAL_INVALID');
    expect(await codeOf(host.scheduler.change(app, 'none', { interval: '1 hour' }))).toBe('SCHEDULE_NOT_FOUND');
    expect(await host.scheduler.list(app)).toMatchObject([{ interval: null }]);
  });
});
