// Owns a host in small, for the tests that kill one at every step of an Installation: real data in a folder, and everything
// that decides about code; what would run code is a note in the data. Run by itself it first looks at what the last one left,
// then does one job and is killed there.
//   node small-host.ts LEFT-FOLDER FOLDER SCENARIO STEP
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../../core/clock.ts';
import { createLog, silentLog, type Log } from '../../../core/log.ts';
import type { Release } from '../../../builder/release.ts';
import type { Revision } from '../../../builder/revision.ts';
import { createCollections } from '../../../runtime/instance/collection.ts';
import { createInstallations, type Installation } from '../../../runtime/instance/installation.ts';
import { createInstances, type Instance } from '../../../runtime/instance/instance.ts';
import { createTrash } from '../../../runtime/instance/trash.ts';
import type { Data, Snapshots } from '../../../sandbox-data/data.ts';
import { createData } from '../../../sandbox-data/open.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';

export const SPACE = 'spacea';
/** A Release `good-2` runs as the Revision `of-good-2`. */
const releaseOf = (id: string): Release => ({ id, revisionId: `of-${id}`, version: id.split('-')[1] } as Release);
const revisionOf = (id: string): Revision => ({ id, micros: [] } as unknown as Revision);

export type SmallHost = Awaited<ReturnType<typeof openSmallHost>>;

/** @param options.isUnguarded data never go back: to see what happens then
 *  @param options.isEveryWrite each write of a record is a step */
export async function openSmallHost(folder: string, { log = silentLog, isUnguarded = false, isEveryWrite = false }: { log?: Log; isUnguarded?: boolean; isEveryWrite?: boolean } = {}) {
  const clock = systemClock;
  const data = await createData({ folder, clock, log: silentLog, workers: 1 });
  const store = isEveryWrite ? stepping(data.hostStore, log) : data.hostStore;
  const instances = createInstances(store, clock);
  const collections = createCollections({ store, clock });
  const onRemoved = async ({ id }: Instance): Promise<void> => {
    await data.hostStore.batch([{ type: 'del', key: `keys/${id}` }]);
    log.debug('installation.step', { reached: 'keys removed' });
  };
  const trash = createTrash({ store, clock, data, collections, instances, hasRevision: async () => true, onRemoved, async onPurged() {} });
  const snapshotsOf = ({ spaceId, collectionId }: Instance): Snapshots => data.collection({ spaceId, collectionId }).snapshots;
  const installations = createInstallations({
    store, clock, log, instances, collections,
    release: async (id) => releaseOf(id), revision: async (id) => revisionOf(id), async checkRunnable() {},
    async onChanged() {}, onReady() {}, onRemoved, async onReturned() {}, urlOf: ({ label }) => `http://${label}.localhost/`,
    snapshotsOf: (instance) => (isUnguarded ? withoutReturn(snapshotsOf(instance)) : snapshotsOf(instance)),
    // New code moves the data to a format of its own as soon as it runs.
    async check(instance) {
      await note(data, instance, { key: 'format', version: instance.version });
      return instance.releaseId.startsWith('bad') ? { micro: 'web', code: 'MICRO_THREW', text: 'Micro `web`: it throws.' } : undefined;
    },
  });
  const close = async (): Promise<void> => {
    await installations.close();
    await data.close();
  };
  return { data, store, instances, collections, trash, installations, snapshotsOf, close };
}

function stepping(store: Store, log: Log): Store {
  return {
    ...store, transact: undefined,
    async batch(changes, conditions) {
      await store.batch(changes, conditions);
      log.debug('installation.step', { reached: 'written' });
    },
  };
}

function withoutReturn(snapshots: Snapshots): Snapshots {
  return {
    list: () => snapshots.list(), create: (options) => snapshots.create(options), since: (id) => snapshots.since(id), drop: (id) => snapshots.drop(id),
    restore: async (_, { replacedId = '' } = {}) => ({ replaced: { id: replacedId, kind: 'replaced', note: '', createdAt: '' } }),
  };
}

export async function note(data: Data, { spaceId, collectionId }: Instance, item: { key: string } & Record<string, unknown>): Promise<void> {
  await data.collection({ spaceId, collectionId }).base('notes').put(JSON.stringify({ items: [item] }));
}

/** What the app would show: `a` as it was written last, and the format of the data. */
async function seen(data: Data, { spaceId, collectionId }: Pick<Instance, 'spaceId' | 'collectionId'>): Promise<string> {
  const base = data.collection({ spaceId, collectionId }).base('notes');
  const [a, format] = await Promise.all(['a', 'format'].map(async (key) => JSON.parse((await base.get(key)) ?? '{}') as { n?: number; version?: string }));
  return `a=${a?.n ?? '-'} format=${format?.version ?? '-'}`;
}

export async function only({ instances }: SmallHost): Promise<Instance | undefined> {
  return (await instances.list(SPACE))[0];
}

export async function install({ installations }: SmallHost, releaseId = 'good-1'): Promise<Installation> {
  return installations.install({ spaceId: SPACE, projectId: 'projecta', kind: 'installed', alias: 'notes', appName: 'Notes', releaseId, version: '1' });
}

export type Scenario = 'install' | 'update' | 'bad update' | 'rollback' | 'rollback with data' | 'uninstall, data kept' | 'uninstall into the trash' | 'restore as a Collection';

export async function begin(host: SmallHost, scenario: Exclude<Scenario, 'restore as a Collection'>): Promise<Installation> {
  if (scenario === 'install') return install(host);
  const { installations } = host;
  const instance = (await only(host)) as Instance;
  const [last] = await installations.ofInstance(instance.id);
  switch (scenario) {
    case 'update': return installations.update(instance, releaseOf('good-2'));
    case 'bad update': return installations.update(instance, releaseOf('bad-2'));
    case 'rollback': return installations.rollback(instance, { target: last!.before!, restoreId: undefined });
    case 'rollback with data': return installations.rollback(instance, { target: last!.before!, restoreId: last!.snapshotId });
    case 'uninstall, data kept': return installations.uninstall(instance, 'keep');
    case 'uninstall into the trash': return installations.uninstall(instance, 'delete');
  }
}

/** Code and data as they are together; undefined where visitors wait or find nothing. */
export async function pairOf(host: SmallHost): Promise<string | undefined> {
  const instance = await only(host);
  return instance?.state === 'ready' ? `${instance.releaseId} ${await seen(host.data, instance)}` : undefined;
}

/** What a start finds, and what is there once it has taken up what was cut off. */
export interface Found { atStart: string | undefined; end: string; state: string | undefined; snapshots: string[]; keys: { atStart: string; end: string } }

/** What an app keeps beside its data, such as API keys: it is there as long as the app is, and in the trash too. */
export async function giveKeys({ store }: SmallHost, { id }: Instance): Promise<void> {
  await store.batch([{ type: 'put', key: `keys/${id}`, value: 'some' }]);
}

async function keysOf(host: SmallHost): Promise<string> {
  const app = (await only(host)) ?? (await host.trash.list(SPACE))[0]?.trashedInstance;
  if (app) return (await host.store.get(`keys/${app.id}`)) === undefined ? 'an app without its keys' : 'an app with its keys';
  for await (const _ of host.store.range({ gt: 'keys/', lt: 'keys0' })) return 'keys without an app';
  return 'none';
}

export async function recover(host: SmallHost): Promise<Found> {
  const atStart = await pairOf(host);
  const keysAtStart = await keysOf(host);
  const [collection] = [...await host.trash.list(SPACE), ...await host.collections.list(SPACE)];
  await host.installations.resume();
  await host.installations.close();
  await host.trash.sweep();
  const jobs: Installation[] = [];
  for await (const [, value] of host.store.range({ gt: 't/installation/', lt: 't/installation0' })) jobs.push(JSON.parse(value) as Installation);
  const taken = collection ? await host.data.collection({ spaceId: SPACE, collectionId: collection.id }).snapshots.list() : [];
  return {
    atStart, end: await endOf(host), snapshots: taken.map(({ kind }) => kind),
    state: jobs.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).at(-1)?.state,
    keys: { atStart: keysAtStart, end: await keysOf(host) },
  };
}

async function endOf(host: SmallHost): Promise<string> {
  const pair = await pairOf(host);
  if (pair !== undefined) return pair;
  const [trashed] = await host.trash.list(SPACE);
  if (trashed) return `trashed ${await seen(host.data, { spaceId: SPACE, collectionId: trashed.id })}`;
  const [kept] = await host.collections.list(SPACE);
  return kept ? `${kept.instanceId === null ? 'kept' : 'orphaned'} ${await seen(host.data, { spaceId: SPACE, collectionId: kept.id })}` : 'nothing';
}

async function lookAt(folder: string): Promise<void> {
  const host = await openSmallHost(folder);
  writeSync(1, JSON.stringify(await recover(host)));
  await host.close();
}

async function dieAt(folder: string, scenario: Scenario, step: number): Promise<void> {
  let left = step;
  const log = createLog('debug', (line) => {
    if (line.includes('"installation.step"') && left-- === 0) process.kill(process.pid, 'SIGKILL');
  });
  const host = await openSmallHost(folder, { log, isEveryWrite: scenario === 'restore as a Collection' });
  if (scenario === 'restore as a Collection') await host.trash.restore((await host.trash.list(SPACE))[0]!, 'collection');
  else await host.installations.ended((await begin(host, scenario)).id);
  await host.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [left = '', folder = '', scenario = '', step = '0'] = process.argv.slice(2);
  if (left !== '') await lookAt(left);
  if (folder !== '') await dieAt(folder, scenario as Scenario, Number(step));
}
