// Owns what a start of the host puts together around Installations, over a Store that may have a past, without code that runs.
import { expect } from 'vitest';
import { silentLog } from '../../../core/log.ts';
import type { Release } from '../../../builder/release.ts';
import type { Revision } from '../../../builder/revision.ts';
import { createCollections, type Collections } from '../../../runtime/instance/collection.ts';
import { createInstallations, type Installation, type InstallationParts, type Installations } from '../../../runtime/instance/installation.ts';
import { createInstances, type Instance, type Instances, type NewInstance } from '../../../runtime/instance/instance.ts';
import { createTrash, type Trash } from '../../../runtime/instance/trash.ts';
import type { Data, Snapshots } from '../../../sandbox-data/data.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';

export const FRESH: NewInstance = { spaceId: 'space-a', projectId: 'project-a', kind: 'installed', alias: 'guestbook', appName: 'Guestbook', releaseId: 'release-1', version: '1' };
export const releaseOf = (id: string): Release => ({ id, revisionId: id.replace('release', 'revision'), version: id.at(-1) } as Release);
export const revisionOf = (id: string): Revision => ({ id, micros: [{}] } as unknown as Revision);

export interface Host { store: Store; clock: FakeClock; installations: Installations; instances: Instances; collections: Collections; trash: Trash; removed: string[]; changed: string[]; dataRemoved: string[]; restored: string[] }

/** Snapshots of no data: what is in them is for the tests with real data to see. */
export function snapshotsOf(restored: string[]): Snapshots {
  const info = (id = 'x', kind: 'automatic' | 'manual' | 'replaced' = 'manual') => ({ id, kind, note: '', createdAt: '' });
  return {
    list: async () => [], create: async ({ id, kind } = {}) => info(id, kind), drop: async () => {}, since: async () => ({ items: 1, files: 0, isMore: false }),
    async restore(id, { replacedId } = {}) {
      restored.push(id);
      return { replaced: info(replacedId, 'replaced') };
    },
  };
}

/** What a start of the host puts together, over a Store that may have a past. */
export function hostOn(store: Store, { clock = createFakeClock(), ...parts }: Partial<InstallationParts> & { clock?: FakeClock } = {}): Host {
  const dataRemoved: string[] = [];
  const data = { remove: async ({ collectionId }) => void dataRemoved.push(collectionId) } as Pick<Data, 'remove'> as Data;
  const instances = createInstances(store, clock);
  const collections = createCollections({ store, clock });
  const removed: string[] = [];
  const changed: string[] = [];
  const onRemoved: InstallationParts['onRemoved'] = async ({ id }) => void removed.push(id);
  const trash = createTrash({ store, clock, data, collections, instances, onRemoved, hasRevision: async () => true, async onPurged() {} });
  const restored: string[] = [];
  const installations = createInstallations({
    store, clock, log: silentLog, instances, collections, snapshotsOf: () => snapshotsOf(restored), check: async () => undefined, onReady() {}, async onReturned() {},
    release: async (id) => releaseOf(id), revision: async (id) => revisionOf(id), async checkRunnable() {},
    onChanged: async (id) => void changed.push(id), onRemoved, urlOf: ({ label }) => `http://${label}.localhost/`,
    ...parts,
  });
  return { store, clock, installations, instances, collections, trash, removed, changed, dataRemoved, restored };
}

export async function installed(host: Host): Promise<Instance> {
  const job = await host.installations.install(FRESH);
  await host.installations.ended(job.id);
  return (await host.instances.get(job.instanceId)) as Instance;
}

/** Everything that must hold between jobs, whatever happened before. */
export async function expectWhole({ store, instances, collections }: Host): Promise<void> {
  const records: Record<string, any[]> = {};
  for await (const [key, value] of store.range({ gte: 't/', lt: 't0' })) (records[key.split('/')[1] ?? ''] ??= []).push(JSON.parse(value));
  for (const instance of (records['instance'] ?? []) as Instance[]) {
    expect(instance.state).toMatch(/^(ready|failed)$/);
    if (instance.state === 'ready') expect(instance.revisionId).toBe(releaseOf(instance.releaseId).revisionId);
    expect((await instances.byLabel(instance.label))?.id).toBe(instance.id);
    expect(await collections.get(instance.collectionId)).toMatchObject({ instanceId: instance.id, trashedAt: null, spaceId: instance.spaceId });
  }
  for (const job of (records['installation'] ?? []) as Installation[]) expect(job.state).toMatch(/^(complete|failed)$/);
  for (const record of records['collection'] ?? []) {
    if (record.instanceId !== null) expect(await instances.get(record.instanceId)).toBeDefined();
  }
}
