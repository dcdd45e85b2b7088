// Owns the proof of what Discovery costs: each thing is read once, whoever asks at the same time, and again only for the app
// that changed; nobody is shown what was before a change that came before the question.
import { expect, test } from 'vitest';
import { createArtifacts } from '../../../builder/artifact.ts';
import { createReleases } from '../../../builder/release.ts';
import type { Project } from '../../../builder/project.ts';
import type { Revision } from '../../../builder/revision.ts';
import { createShelf, type Shelf } from '../../../runtime/api/shelf.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createMemoryBlobStore } from '../../support/memory-blob-store.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const projectOf = (id: string): Project => ({ id, spaceId: 'ada', name: id } as Project);
const revisionOf = (projectId: string): Revision => ({ id: `r-${projectId}`, contentHash: 'one', projectId, spaceId: 'ada', tag: 'crow', appName: projectId, micros: [], developmentReleaseId: 'd' } as unknown as Revision);

function setUp() {
  const asked = { releases: 0, summaries: 0, ranges: 0, counts: 0 };
  const memory = createMemoryStore();
  let gate: Promise<void> | undefined;
  const store: Store = {
    ...memory,
    async get(key) {
      await gate;
      if (key.startsWith('t/release/')) asked.releases += 1;
      if (key.startsWith('t/release-summary/')) asked.summaries += 1;
      return memory.get(key);
    },
    async *range(range) {
      asked.ranges += 1;
      yield* memory.range(range);
    },
  };
  let count = 0;
  const releases = createReleases(store, createArtifacts(createMemoryBlobStore()), () => new Date((count += 1)).toISOString());
  const instances = { async ofProject() { asked.counts += 1; return []; } } as never;
  const shelf = createShelf({ builder: { releases }, spaces: { get: async () => ({ username: 'ada' }) } as never, instances, clock: createFakeClock() });
  const publish = (id: string) => releases.create({ project: projectOf(id), revision: revisionOf(id), listed: true });
  const forget = (): void => { Object.assign(asked, { releases: 0, summaries: 0, ranges: 0, counts: 0 }); };
  return { asked, releases, shelf, publish, forget, hold: (until: Promise<void> | undefined) => { gate = until; } };
}

const found = async (shelf: Shelf, search = '', sort: 'recent' | 'popular' = 'recent'): Promise<string[]> => (await shelf.find({ search, sort, offset: 0, limit: 100 })).apps.map(({ release }) => release.projectId);

test('a hundred at once have one reading of short records; nobody reads a whole Release', async () => {
  const host = setUp();
  for (let index = 0; index < 20; index += 1) await host.publish(`app${index}`);
  host.forget();
  const all = await Promise.all(Array.from({ length: 100 }, (_, index) => found(host.shelf, '', index % 2 === 0 ? 'recent' : 'popular')));
  expect(all.every((apps) => apps.length === 20)).toBe(true);
  expect(host.asked).toEqual({ releases: 0, summaries: 20, ranges: 1, counts: 20 });
});

test('a change has its own app read again, once, and is seen by whoever asks after it', async () => {
  const host = setUp();
  const made = [];
  for (let index = 0; index < 20; index += 1) made.push(await host.publish(`app${index}`));
  await found(host.shelf);
  await host.releases.putDiscovery(made[3]!.id, { tagline: 'unheard of' });
  host.forget();
  expect(await Promise.all(Array.from({ length: 10 }, () => found(host.shelf, 'unheard')))).toEqual(Array.from({ length: 10 }, () => ['app3']));
  expect([host.asked.releases, host.asked.summaries, host.asked.ranges]).toEqual([0, 1, 1]);
  await host.releases.unlist(made[3]!.id);
  await host.publish('app5');
  expect((await found(host.shelf)).slice(0, 2)).toEqual(['app5', 'app19']);
  expect(await found(host.shelf, 'unheard')).toEqual([]);
});

test('what changes while it is read is seen by the next who asks; a reading that fails is made anew', async () => {
  const host = setUp();
  const { id } = await host.publish('app0');
  const gate = Promise.withResolvers<void>();
  host.hold(gate.promise);
  const early = found(host.shelf);
  host.hold(undefined);
  await host.releases.unlist(id);
  gate.resolve();
  await early;
  expect(await found(host.shelf)).toEqual([]);
  await host.publish('app1');
  host.hold(Promise.reject(new Error('the disk')));
  await expect(found(host.shelf)).rejects.toThrow('the disk');
  host.hold(undefined);
  expect(await found(host.shelf)).toEqual(['app1']);
});
