// Owns the proof that a job ends whatever fails, and that whoever waits for it hears of that, and only they.
import { describe, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { createFlakyStore } from '../../support/failing-store.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { until } from '../../support/start-host.ts';
import { expectWhole, FRESH, hostOn, installed, releaseOf } from './installation-host.ts';

describe('a job', () => {
  test('that keeps the data removes what was the app\'s after it is decided, later if that fails', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const broken = hostOn(store, { onRemoved: async () => { throw new SpaceError('STORE_UNAVAILABLE'); } });
    expect(await broken.installations.ended((await broken.installations.uninstall(before, 'keep')).id)).toMatchObject({ state: 'complete' });
    const host = hostOn(store);
    await host.trash.sweep();
    await host.trash.sweep();
    expect(host.removed).toEqual([before.id]);
    await expectWhole(host);
  });

  test('whose failure cannot even be written down is taken up again once that works, and whoever waited hears of it', async () => {
    const flaky = createFlakyStore(createMemoryStore());
    const instance = await installed(hostOn(flaky.store));
    const host = hostOn(flaky.store, { async checkRunnable() { flaky.isBroken = flaky.refused === 0; } });
    const job = await host.installations.update(instance, releaseOf('release-2'));
    const waiting = host.installations.ended(job.id);
    await until(async () => flaky.refused > 1 || undefined);
    flaky.isBroken = false;
    await until(async () => {
      host.clock.advance(5000);
      return (await host.installations.get(job.id))?.state === 'complete' || undefined;
    });
    expect(await waiting).toMatchObject({ state: 'complete' });
    await expectWhole(host);
  });

  test('tells nobody who has gone away, and keeps nothing for them', async () => {
    const started = Promise.withResolvers<void>();
    const host = hostOn(createMemoryStore(), { checkRunnable: () => started.promise });
    const job = await host.installations.install(FRESH);
    const gone = new AbortController();
    const lines: string[] = [];
    const following = (async () => { for await (const line of host.installations.follow(job.id, gone.signal)) lines.push(line); })();
    const waiting = host.installations.ended(job.id, gone.signal);
    await until(async () => lines.length === 2 || undefined);
    gone.abort();
    await following;
    expect(await waiting).toMatchObject({ state: 'preparing' });
    started.resolve();
    expect(await host.installations.ended(job.id)).toMatchObject({ state: 'complete' });
  });
});
