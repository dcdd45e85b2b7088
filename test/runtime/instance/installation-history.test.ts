// Owns the proof that what is kept of jobs and of addresses does not grow without end, and that what is needed stays.
import { expect, test } from 'vitest';
import type { Installation } from '../../../runtime/instance/installation.ts';
import { HISTORY_GONE_MAX, HISTORY_MAX } from '../../../runtime/instance/installation-history.ts';
import { createInstances, LABELS_GONE_MAX } from '../../../runtime/instance/instance.ts';
import { commit } from '../../../sandbox-data/store/table.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { codeOf } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { FRESH, hostOn, installed, releaseOf } from './installation-host.ts';

async function jobsIn(store: Store): Promise<Installation[]> {
  const jobs: Installation[] = [];
  for await (const [, value] of store.range({ gt: 't/installation/', lt: 't/installation0' })) jobs.push(JSON.parse(value) as Installation);
  return jobs;
}

test('of one app the last jobs are kept, whatever it was updated to', async () => {
  const host = hostOn(createMemoryStore());
  const instance = await installed(host);
  for (let count = 0; count < HISTORY_MAX + 5; count += 1) {
    host.clock.advance(1000);
    await host.installations.ended((await host.installations.update((await host.instances.get(instance.id))!, releaseOf(`release-${count % 9}`))).id);
  }
  await host.installations.close();
  const jobs = await jobsIn(host.store);
  expect([jobs.length, jobs.some(({ kind }) => kind === 'install')]).toEqual([HISTORY_MAX, false]);
  expect((await host.installations.ofInstance(instance.id)).map(({ id }) => id)).toEqual(jobs.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).map(({ id }) => id));
});

test('of apps that are gone for good the last job is kept, of so many of them; whoever asks for it sees its end', async () => {
  const host = hostOn(createMemoryStore());
  const ends: string[] = [];
  for (let count = 0; count < HISTORY_GONE_MAX + 3; count += 1) {
    host.clock.advance(1000);
    const instance = await installed(host);
    const job = await host.installations.uninstall(instance, 'keep');
    await host.installations.ended(job.id);
    await host.installations.close();
    await host.installations.forget(instance);
    ends.push(job.id);
  }
  const jobs = await jobsIn(host.store);
  expect(jobs.map(({ id }) => id).toSorted()).toEqual(ends.slice(3).toSorted());
  expect((await host.installations.list({ spaceId: FRESH.spaceId, limit: 1 })).map(({ id, state }) => [id, state])).toEqual([[ends.at(-1), 'complete']]);
  expect(await host.installations.list({ spaceId: 'another' })).toEqual([]);
});

test('addresses of apps that are gone stay with them, but for the oldest where somebody had very many', async () => {
  const [store, clock] = [createMemoryStore(), createFakeClock()];
  const instances = createInstances(store, clock);
  const drafts = Array.from({ length: LABELS_GONE_MAX + 2 }, () => instances.draft(FRESH, () => ({ id: 'c' })));
  const living = instances.draft(FRESH, () => ({ id: 'c' }));
  const others = instances.draft({ ...FRESH, spaceId: 'space-b' }, () => ({ id: 'c' }));
  await commit(store, ...[...drafts.slice(0, 4), living, others].flatMap(instances.insertWrites));
  // Of those between only the address is there.
  await store.batch(drafts.slice(4).flatMap(({ id, label }, index) => {
    const goneAt = new Date(clock.now() + index).toISOString();
    return [{ type: 'put' as const, key: `t/label/${label}`, value: JSON.stringify({ id: label, instanceId: id, goneOf: FRESH.spaceId, goneAt }) }, { type: 'put' as const, key: `i/label/gone/${FRESH.spaceId}\0${goneAt}\0${label}`, value: label }];
  }));
  const take = (label: string): Promise<string | undefined> => codeOf(instances.rename(living, label).then((renamed) => instances.rename(renamed, living.label)));
  clock.advance(3_600_000);
  for (const gone of [drafts[0]!, drafts[1]!, others]) {
    await instances.retire(gone);
    await instances.retire(gone);
    clock.advance(3_600_000);
  }
  expect([await take(drafts[0]!.label), await take(drafts[4]!.label), await take(others.label)]).toEqual(['LABEL_TAKEN', 'LABEL_TAKEN', 'LABEL_TAKEN']);
  for (const gone of [drafts[2]!, drafts[3]!]) await instances.retire(gone);
  expect([await store.get(`t/label/${drafts[4]!.label}`), await store.get(`t/label/${drafts[5]!.label}`), await store.get(`t/label/${drafts[6]!.label}`)]).toEqual([undefined, undefined, expect.any(String)]);
  expect(await instances.byLabel(living.label)).toBeDefined();
});
