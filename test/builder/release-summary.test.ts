// Owns the proof that what is listed of Releases is what they are, also those of an older host, and that nobody fills the host
// with them.
import { beforeEach, expect, test } from 'vitest';
import { createArtifacts } from '../../builder/artifact.ts';
import type { Project } from '../../builder/project.ts';
import { createReleases, type Releases } from '../../builder/release.ts';
import { createReleaseSummaries, RELEASES_MAX, RELEASES_MAX_SPACE } from '../../builder/release-summary.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit } from '../../sandbox-data/store/table.ts';
import { createFailingStore } from '../support/failing-store.ts';
import { codeOf } from '../support/identity.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const project = { id: 'project1', spaceId: 'space1', name: 'Guests' } as Project;
const revision = { id: 'revision1', contentHash: 'one', projectId: 'project1', spaceId: 'space1', tag: 'crow-qznb', appName: 'Guests', micros: [], developmentReleaseId: 'development1' } as unknown as Revision;
const LARGE = { contentRaw: 'x'.repeat(20_000), tagline: 'Sign here' };

let store: Store;
let releases: Releases;
let count = 0;
const releasesOn = (on: Store): Releases => createReleases(on, createArtifacts(createMemoryBlobStore()), () => new Date((count += 1)).toISOString());

beforeEach(() => {
  store = createMemoryStore();
  releases = releasesOn(store);
});

test('follows every change of its Release, and has none of its texts', async () => {
  const told: string[] = [];
  releases.onChange((id) => told.push(id));
  const { id } = await releases.create({ revision, project, listed: true, version: '1.0', notes: 'n'.repeat(4000) });
  await releases.putDiscovery(id, LARGE);
  const [listed] = await releases.listListed();
  expect(listed).toMatchObject({ id, appName: 'Guests', tagline: 'Sign here', version: '1.0', listed: true, hasIcon: false });
  expect(JSON.stringify(listed).length).toBeLessThan(500);
  await releases.unlist(id);
  expect([await releases.listListed(), (await releases.latest('project1'))?.listed, told]).toEqual([[], false, ['project1', 'project1', 'project1']]);
  await releases.delete(id);
  expect([await releases.latest('project1'), await releases.summary(id), told.length]).toEqual([undefined, undefined, 4]);
});

test('of a Revision that is taken back is listed no more, and is told after that is written', async () => {
  const { id } = await releases.create({ revision, project, listed: true });
  let seen: unknown;
  releases.onChange(() => (seen = releases.listListed()));
  const more = { changes: [{ type: 'put' as const, key: 'x', value: 'y' }], conditions: [{ key: 'x', is: 'other' }] };
  expect([await releases.withdraw(revision.id, more), seen, (await releases.get(id)).listed]).toEqual([false, undefined, true]);
  expect(await releases.withdraw(revision.id, { ...more, conditions: [] })).toBe(true);
  expect([await (seen as Promise<unknown>), await store.get('x'), (await releases.get(id)).deletedRevision]).toEqual([[], 'y', true]);
});

test('Releases of an older host are listed and found from the next start on, wherever that is cut off', async () => {
  const made = [];
  for (const listed of [true, false, true]) made.push(await releases.create({ revision, project, listed }));
  await store.batch([releases.developmentWrite(revision, project).changes[0]!]);
  const old: string[] = [];
  for await (const [key] of store.range({ gt: '', lt: 'z' })) if (key.includes('release-summary')) old.push(key);
  await store.batch(old.map((key) => ({ type: 'del', key })));
  for (let batches = 0; batches < 5; batches += 1) await codeOf(releasesOn(createFailingStore(store, batches)).open());
  await releasesOn(store).open();
  expect((await releases.listByProject('project1')).map(({ id }) => id)).toEqual(made.map(({ id }) => id).reverse());
  expect((await releases.listListed()).map(({ id }) => id)).toEqual([made[2]!.id, made[0]!.id]);
});

test('one project has so many, one person has so many, and taking one back makes room', async () => {
  const first = await releases.create({ revision, project });
  const summaries = createReleaseSummaries(store);
  const fill = async (projectId: string, wanted: number): Promise<void> => {
    const writes = await Promise.all(Array.from({ length: wanted }, (_, index) => summaries.writes({ ...first, id: `${projectId}of${index}`, projectId })));
    await commit(store, ...writes.flat());
  };
  await fill(project.id, RELEASES_MAX - 1);
  const refused = await releases.create({ revision, project }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'COUNT_LIMIT', message: `There are ${RELEASES_MAX} releases of this project already, which is the most. Take back old ones that nobody has installed: DELETE /api/v0/releases/ID.` });
  await releases.delete(first.id);
  expect(await codeOf(releases.create({ revision, project }))).toBeUndefined();
  for (let other = 2; other <= RELEASES_MAX_SPACE / RELEASES_MAX; other += 1) await fill(`project${other}`, RELEASES_MAX);
  expect(await codeOf(releases.create({ revision, project: { ...project, id: 'one more' } }))).toBe('COUNT_LIMIT');
  expect(await codeOf(releases.create({ revision, project: { ...project, id: 'one more', spaceId: 'space2' } }))).toBeUndefined();
});
