// Owns the proof that an Instance is ready with one Revision or gone, wherever its Installation was cut off, and that one
// job at a time changes it.
import { describe, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import type { Installation } from '../../../runtime/instance/installation.ts';
import type { Instance } from '../../../runtime/instance/instance.ts';
import type { Snapshots } from '../../../sandbox-data/data.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFailingStore } from '../../support/failing-store.ts';
import { codeOf } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { expectWhole, FRESH, hostOn, installed, releaseOf, snapshotsOf, type Host } from './installation-host.ts';

describe('an Installation', () => {
  test('makes an Instance with a label, a Collection and the Revision of its Release', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    expect(instance).toMatchObject({ state: 'ready', revisionId: 'revision-1', version: '1', generation: 2, label: expect.stringMatching(/^guestbook-[a-z]\d{7}$/) });
    expect(host.changed).toEqual([instance.id]);
    await expectWhole(host);
  });

  test('tells its follower every line, once, and ends', async () => {
    const host = hostOn(createMemoryStore());
    const job = await host.installations.install(FRESH);
    const lines: string[] = [];
    for await (const line of host.installations.follow(job.id)) lines.push(line);
    expect(lines).toEqual(['starting install...', 'fetching release configuration...', 'configuring resource 1 out of 1...', expect.stringMatching(/^http:/)]);
  });

  test('of an app that this host cannot run fails, says why, and leaves an Instance that can be removed', async () => {
    const host = hostOn(createMemoryStore(), { async checkRunnable() { throw new SpaceError('MICRO_ENGINE_UNSUPPORTED', { engine: 'nodejs16' }); } });
    const instance = await installed(host);
    const [job] = await host.installations.list({ spaceId: 'space-a' });
    expect(job).toMatchObject({ state: 'failed', error: 'This host cannot run the engine `nodejs16`.' });
    expect(instance).toMatchObject({ state: 'failed', revisionId: null });
    await host.installations.ended((await host.installations.uninstall(instance, 'delete')).id);
    expect(await host.instances.get(instance.id)).toBeUndefined();
  });

  test('of an update that fails leaves the Instance as it was', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const host = hostOn(store, { release: async () => undefined });
    const job = await host.installations.update(before, releaseOf('release-2'));
    expect(await host.installations.ended(job.id)).toMatchObject({ state: 'failed' });
    expect(await host.instances.get(before.id)).toEqual(before);
  });

  test('of an uninstall that fails leaves the Instance to be used and uninstalled again', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const broken = hostOn(store, { onChanged: async () => { throw new SpaceError('STORE_UNAVAILABLE'); } });
    expect(await broken.installations.ended((await broken.installations.uninstall(before, 'keep')).id)).toMatchObject({ state: 'failed' });
    expect(await broken.instances.get(before.id)).toMatchObject({ state: 'ready', revisionId: before.revisionId });
    await expectWhole(broken);
    const host = hostOn(store);
    const again = (await host.instances.get(before.id)) as Instance;
    expect(await host.installations.ended((await host.installations.uninstall(again, 'keep')).id)).toMatchObject({ state: 'complete' });
    await expectWhole(host);
  });
});

describe('one job at a time', () => {
  test('of a hundred updates at once one runs, and the others are told so', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    const codes = await Promise.all(Array.from({ length: 100 }, (_, index) => codeOf(host.installations.update(instance, releaseOf(`release-${index % 10}`)))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'INSTALLATION_RUNNING')).toHaveLength(99);
    await host.installations.close();
    await expectWhole(host);
    expect((await host.instances.get(instance.id))?.generation).toBe(instance.generation + 1);
  });

  test('an uninstall waits for nobody and nobody passes it', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    const codes = await Promise.all([codeOf(host.installations.uninstall(instance, 'keep')), codeOf(host.installations.update(instance, releaseOf('release-2'))), codeOf(host.installations.uninstall(instance, 'delete'))]);
    expect(codes).toEqual([undefined, 'INSTALLATION_RUNNING', 'INSTALLATION_RUNNING']);
    await host.installations.close();
    await expectWhole(host);
    expect(await host.instances.get(instance.id)).toBeUndefined();
  });
});

describe('an uninstalled Instance', () => {
  test('leaves its data as a headless Collection where that was wished', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    await host.installations.ended((await host.installations.uninstall(instance, 'keep')).id);
    expect(await host.collections.list('space-a')).toMatchObject([{ id: instance.collectionId, instanceId: null, trashedAt: null }]);
    expect(host.removed).toEqual([instance.id]);
    host.clock.advance(400 * 86_400_000);
    await host.trash.sweep();
    expect(host.dataRemoved).toEqual([]);
  });

  test('leaves its data in the trash for thirty days otherwise', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    await host.installations.ended((await host.installations.uninstall(instance, 'delete')).id);
    expect(await host.collections.list('space-a')).toEqual([]);
    expect(await host.collections.open(instance.collectionId)).toBeUndefined();
    host.clock.advance(30 * 86_400_000 - 1);
    await host.trash.sweep();
    expect(host.dataRemoved).toEqual([]);
    host.clock.advance(1);
    await host.trash.sweep();
    await host.trash.sweep();
    expect(host.dataRemoved).toEqual([instance.collectionId]);
    expect(await host.collections.get(instance.collectionId)).toBeUndefined();
  });

  test('keeps its label: nobody else ever lives there', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    await host.installations.ended((await host.installations.uninstall(instance, 'delete')).id);
    expect(await host.instances.byLabel(instance.label)).toBeUndefined();
    const squatter = { ...instance, id: 'instance-of-another' };
    const [, label] = host.instances.insertWrites(squatter);
    await expect(host.store.batch(label?.changes ?? [], label?.conditions)).rejects.toMatchObject({ code: 'STORE_CONDITION_FAILED' });
  });
});

describe('a host that dies', () => {
  type Job = (host: Host, instance: Instance | undefined) => Promise<Installation>;
  const JOBS: Record<string, { job: Job; ends: (before: Instance | undefined, after: Instance | undefined) => boolean }> = {
    install: { job: (host) => host.installations.install(FRESH), ends: (_, after) => after === undefined || after.revisionId === 'revision-1' },
    update: {
      job: (host, instance) => host.installations.update(instance as Instance, releaseOf('release-2')),
      ends: (before, after) => after?.revisionId === 'revision-2' || JSON.stringify(after) === JSON.stringify(before),
    },
    'uninstall keeping data': { job: (host, instance) => host.installations.uninstall(instance as Instance, 'keep'), ends: (before, after) => after === undefined || JSON.stringify(after) === JSON.stringify(before) },
    'uninstall deleting data': { job: (host, instance) => host.installations.uninstall(instance as Instance, 'delete'), ends: (before, after) => after === undefined || JSON.stringify(after) === JSON.stringify(before) },
  };

  for (const [name, { job, ends }] of Object.entries(JOBS)) {
    test.each([0, 1, 2, 3])(`${name}: after %i batches it is complete or undone at the next start`, async (allowed) => {
      const store = createMemoryStore();
      const before = name === 'install' ? undefined : await installed(hostOn(store));
      const dying = hostOn(createFailingStore(store, allowed));
      const started = await job(dying, before).catch(() => undefined);
      await dying.installations.close();
      expect(started === undefined).toBe(allowed === 0);

      const host = hostOn(store);
      await host.installations.resume();
      await host.installations.close();
      await expectWhole(host);
      const id = before?.id ?? started?.instanceId;
      const after = id === undefined ? undefined : await host.instances.get(id);
      expect(ends(before, after)).toBe(true);
      // What was accepted is done, not undone.
      if (started) expect(await host.installations.get(started.id)).toMatchObject({ state: 'complete' });
      if (after) expect(await codeOf(host.installations.update(after, releaseOf('release-3')))).toBeUndefined();
      await host.installations.close();
    });
  }

  test('again and again still comes to an end', async () => {
    const store = createMemoryStore();
    await hostOn(createFailingStore(store, 1)).installations.install(FRESH);
    for (let round = 0; round < 5; round += 1) {
      const dying = hostOn(createFailingStore(store, 0));
      await dying.installations.resume();
      await dying.installations.close();
    }
    const host = hostOn(store);
    await host.installations.resume();
    await host.installations.close();
    await expectWhole(host);
    expect(await host.instances.list('space-a')).toMatchObject([{ state: 'ready' }]);
  });
});

describe('an update that fails its check', () => {
  const problem = { micro: 'web', code: 'MICRO_THREW', text: 'Micro `web`: it throws.' };

  test('is undone, and both are told once', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const told: string[] = [];
    const host = hostOn(store, { check: async () => problem, onReturned: async ({ version }, { text }) => void told.push(`${version}: ${text}`) });
    const job = await host.installations.ended((await host.installations.update(before, releaseOf('release-2'))).id);
    expect(job).toMatchObject({ state: 'failed', error: expect.stringContaining('Micro `web`: it throws. The app is back at version 1') });
    expect(await host.instances.get(before.id)).toMatchObject({ state: 'ready', revisionId: 'revision-1', releaseId: 'release-1', version: '1', generation: before.generation + 2 });
    expect(host.restored).toEqual([job.snapshotId]);
    expect(told).toEqual([`1: ${job.error}`]);
  });

  test('and whose data cannot be put back leaves an app that is closed until its owner rolls it back', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const broken = hostOn(store, { check: async () => problem, snapshotsOf: () => ({ ...snapshotsOf([]), restore: async () => { throw new SpaceError('STORE_FULL'); } }) });
    const job = await broken.installations.ended((await broken.installations.update(before, releaseOf('release-2'))).id);
    expect(job).toMatchObject({ state: 'failed', error: expect.stringMatching(/it throws\..* could not be put back: The disk is full/) });
    const closed = (await broken.instances.get(before.id)) as Instance;
    expect(closed).toMatchObject({ state: 'failed', revisionId: 'revision-2' });
    const host = hostOn(store);
    await host.installations.ended((await host.installations.rollback(closed, { target: job.before!, restoreId: undefined })).id);
    expect(await host.instances.get(before.id)).toMatchObject({ state: 'ready', revisionId: 'revision-1' });
  });

  test('keeps the address that its owner gave it meanwhile, as one does that passes', async () => {
    for (const failing of [problem, undefined]) {
      const store = createMemoryStore();
      const before = await installed(hostOn(store));
      const host = hostOn(store, { async check(instance) { await host.instances.rename(instance, 'my-guests'); return failing; } });
      const job = await host.installations.ended((await host.installations.update(before, releaseOf('release-2'))).id);
      expect(job).toMatchObject({ state: failing ? 'failed' : 'complete' });
      expect(await host.instances.get(before.id)).toMatchObject({ state: 'ready', label: 'my-guests', revisionId: failing ? 'revision-1' : 'revision-2' });
    }
  });

  test('because the check itself cannot be made, is undone as well', async () => {
    const store = createMemoryStore();
    const before = await installed(hostOn(store));
    const host = hostOn(store, { check: async () => { throw new SpaceError('STORE_BUSY'); } });
    expect(await host.installations.ended((await host.installations.update(before, releaseOf('release-2'))).id)).toMatchObject({ state: 'failed' });
    expect(await host.instances.get(before.id)).toMatchObject({ state: 'ready', revisionId: 'revision-1' });
  });
});

test('data that were put back, to code that could not be, go forward again', async () => {
  const store = createMemoryStore();
  const instance = await installed(hostOn(store));
  // The batch that moves the code fails once; what comes later is written.
  let batches = 0;
  const flaky: Store = { ...store, transact: undefined, batch: async (changes, conditions) => { if (++batches === 4) throw new SpaceError('STORE_BUSY'); await store.batch(changes, conditions); } };
  const restored: string[] = [];
  let aside = '';
  const snapshots = (): Snapshots => ({
    ...snapshotsOf(restored), list: async () => ['then', aside].map((id) => ({ id, kind: 'manual', note: '', createdAt: '' })),
    async restore(id, { replacedId = 'later' } = {}) { restored.push(id); aside ||= replacedId; return { replaced: { id: replacedId, kind: 'replaced', note: '', createdAt: '' } }; },
  });
  const host = hostOn(flaky, { snapshotsOf: snapshots });
  const job = await host.installations.ended((await host.installations.rollback(instance, { target: { revisionId: 'revision-0', releaseId: 'release-0', version: '0' }, restoreId: 'then' })).id);
  expect(job).toMatchObject({ state: 'failed' });
  expect(restored).toEqual(['then', job.replacedId]);
  expect(await host.instances.get(instance.id)).toMatchObject({ state: 'ready', revisionId: 'revision-1' });
});

describe('what is in the trash', () => {
  test.each([0, 1, 2])('is gone for good at the next sweep, where deleting it was cut off after %i batches, and nobody brings half of it back', async (allowed) => {
    const store = createMemoryStore();
    const first = hostOn(store);
    const instance = await installed(first);
    await first.installations.ended((await first.installations.uninstall(instance, 'delete')).id);
    const dying = hostOn(createFailingStore(store, allowed));
    await dying.trash.purge((await dying.trash.get(instance.collectionId))!).catch(() => {});
    const host = hostOn(store);
    expect((await host.trash.get(instance.collectionId)) === undefined).toBe(allowed > 0);
    await host.trash.sweep();
    expect((await host.collections.get(instance.collectionId)) === undefined).toBe(allowed > 0);
    expect([...dying.dataRemoved, ...host.dataRemoved].length > 0).toBe(allowed > 0);
  });

  test('is brought back once, however often that is asked at the same time, and not deleted afterwards', async () => {
    const host = hostOn(createMemoryStore());
    const instance = await installed(host);
    await host.installations.ended((await host.installations.uninstall(instance, 'delete')).id);
    const trashed = (await host.trash.get(instance.collectionId))!;
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(host.trash.restore(trashed))));
    expect(await codeOf(host.trash.purge(trashed)), 'it is not there any more').toBe('TRASH_NOT_FOUND');
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(new Set(codes)).toEqual(new Set([undefined, 'TRASH_NOT_FOUND']));
    expect(await host.instances.get(instance.id)).toMatchObject({ state: 'ready', label: instance.label, revisionId: 'revision-1', collectionId: instance.collectionId });
    expect((await host.instances.byLabel(instance.label))?.id).toBe(instance.id);
    expect(host.dataRemoved).toEqual([]);
    await expectWhole(host);
  });
});
