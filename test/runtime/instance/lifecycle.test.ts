// Covers how many apps and Collections one Space may have.
import { expect, test } from 'vitest';
import type { Release } from '../../../builder/release.ts';
import type { Space } from '../../../runtime/auth/space.ts';
import { COLLECTIONS_MAX, createCollections } from '../../../runtime/instance/collection.ts';
import type { Installations } from '../../../runtime/instance/installation.ts';
import { createInstances, INSTANCES_MAX } from '../../../runtime/instance/instance.ts';
import { createLifecycle } from '../../../runtime/instance/lifecycle.ts';
import { commit } from '../../../sandbox-data/store/table.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { codeOf } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

test('one app too many is refused, to whoever has that many', async () => {
  const store = createMemoryStore();
  const instances = createInstances(store, createFakeClock());
  const fresh = { spaceId: 'space-a', projectId: 'project', kind: 'installed' as const, alias: 'app', appName: 'App', releaseId: 'release', version: '1' };
  const drafts = Array.from({ length: INSTANCES_MAX }, () => instances.draft(fresh, (id) => ({ id: `collection of ${id}` })));
  await commit(store, ...drafts.flatMap(instances.insertWrites));
  const release = { id: 'release', projectId: 'project', channel: 'experimental', version: '1', discovery: { appName: 'App' } } as Release;
  const lifecycle = createLifecycle({
    instances, collections: createCollections({ store, clock: createFakeClock() }), releases: { get: async () => release } as never, project: async () => ({ id: 'project', alias: 'app' }) as never,
    installations: { install: async () => ({}) } as unknown as Installations,
  });
  expect(await codeOf(lifecycle.install({ id: 'space-a' } as Space, 'release'))).toBe('COUNT_LIMIT');
  expect(await codeOf(lifecycle.install({ id: 'space-b' } as Space, 'release'))).toBeUndefined();
});

test('one Collection too many is refused, to whoever has that many', async () => {
  const store = createMemoryStore();
  const collections = createCollections({ store, clock: createFakeClock() });
  const ofApps = Array.from({ length: COLLECTIONS_MAX }, (_, index) => collections.forInstance({ spaceId: 'space-a', instanceId: `instance${index}`, name: 'data' }).write);
  await commit(store, ...ofApps);
  expect(await codeOf(collections.create('space-a', 'too many'))).toBe('COUNT_LIMIT');
  expect(await codeOf(collections.create('space-b', 'data'))).toBeUndefined();
});
