// Owns the proof that no change of an Instance's settings is lost, and that nobody is told old ones after a change.
import { expect, test } from 'vitest';
import { createSettings, type Settings } from '../../../runtime/instance/settings.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { createSlowStore } from '../../support/slow-store.ts';

const vault = { sealText: (_: string, text: string) => text, unsealText: (_: string, text: string) => text };
const settingsOn = (store: Store): Settings => createSettings({ store, clock: createFakeClock(), vault });

test('of many first changes at once none is lost', async () => {
  const store = createMemoryStore();
  const settings = settingsOn(store);
  await Promise.all([
    settings.setLimits('one', { cpuMs: 1234 }), settings.setReach('one', { policy: 'none', hosts: [] }),
    settings.pause('one', { micro: 'web', reason: 'it loops', revisionId: 'r' }), settings.setLimits('one', { memoryMb: 64 }),
  ]);
  const expected = { limits: { cpuMs: 1234, memoryMb: 64 }, reach: { policy: 'none' }, paused: [{ micro: 'web' }] };
  expect(await settings.of('one')).toMatchObject(expected);
  expect(await settingsOn(store).of('one')).toMatchObject(expected);
  await Promise.all([settings.setCordon('space', 'space'), settings.setCordon('space', 'space')]);
  expect(await settings.cordonOf('space')).toBe('space');
});

test('what was read before a change is not told after it', async () => {
  const slow = createSlowStore(createMemoryStore(), (key) => key.includes('instance-settings'));
  const settings = settingsOn(slow.store);
  const early = settings.of('one');
  await slow.waiting(1);
  const changing = settings.setLimits('one', { cpuMs: 1234 });
  await slow.waiting(2);
  slow.release();
  await Promise.all([early, changing]);
  expect((await settings.of('one')).limits).toEqual({ cpuMs: 1234 });
  await settings.remove('one');
  expect((await settings.of('one')).limits).toEqual({});
});
