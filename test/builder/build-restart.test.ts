import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBuildTable } from '../../builder/build.ts';
import type { Build, BuildTable } from '../../builder/build.ts';
import type { Builder, BuilderOptions } from '../../builder/builder.ts';
import type { Project } from '../../builder/project.ts';
import { systemClock } from '../../core/clock.ts';
import { SpaceError } from '../../core/errors.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { chunks, zipOf } from './archive.ts';
import { SOURCE, SPACEFILE, testBuilder } from './test-builder.ts';
import type { TestBuilder } from './test-builder.ts';

let host: TestBuilder;
let builder: Builder;
let project: Project;
let base: string;
const linesOf: TestBuilder['linesOf'] = (...args) => host.linesOf(...args);
async function restart(more: Partial<BuilderOptions> = {}): Promise<void> {
  await host.restart(more);
  builder = host.builder;
}
beforeEach(async () => {
  host = await testBuilder();
  ({ builder, project, base } = host);
});
afterEach(() => host.clear());

/** A Store that refuses a Build's end three times. */
function refusingEnds(store: Store): { store: Store; refused(): number } {
  let refused = 0;
  return {
    refused: () => refused,
    store: {
      ...store, transact: undefined,
      async batch(changes, conditions) {
        const isEnd = changes.some((change) => change.type === 'put' && change.key.startsWith('t/build/') && /"status":"(failed|complete)"/.test(change.value));
        if (isEnd && (refused += 1) <= 3) throw new SpaceError('STORE_UNAVAILABLE');
        await store.batch(changes, conditions);
      },
    },
  };
}

test.each([['fails', { ...SOURCE, Spacefile: 'v: 9\n' }, 'failed'], ['succeeds', SOURCE, 'complete']])('a Build that %s ends once that can be written, and whoever follows it hears of that', async (_, files, status) => {
  const { store, refused } = refusingEnds(host.store);
  await restart({ store, clock: { ...systemClock, after: (ms, run) => systemClock.after(ms / 1000, run) } });
  const { id } = await builder.builds.create({ project });
  await builder.builds.putSource(id, chunks(await zipOf(files)));
  await linesOf(id);
  expect([(await builder.builds.get(id)).status, refused()]).toEqual([status, 4]);
});

describe('a restart', () => {
  const table = (): BuildTable => createBuildTable(host.store);
  const sourcePath = (id: string): string => join(base, 'work', 'sources', `${id}.zip`);

  /** A Build as a killed host leaves it: its record in `state`, its source on the disk. */
  async function leftBehind(state: Build['state'], more: Partial<Build> = {}, files: Record<string, string> | null = SOURCE): Promise<Build> {
    const build = await builder.builds.create({ project });
    await table().update(build.id, (before) => ({ ...before, state, status: state === 'running' ? 'running' : 'pending', spacefileText: SPACEFILE, ...more }));
    if (files) await writeFile(sourcePath(build.id), await zipOf(files));
    return build;
  }

  test('runs what was queued, and what was running once more', async () => {
    const queued = await leftBehind('queued');
    const running = await leftBehind('running', { attempts: 1 });
    await restart();
    await linesOf(queued.id);
    const lines = await linesOf(running.id);
    expect((await builder.builds.get(queued.id)).status).toBe('complete');
    expect(await builder.builds.get(running.id)).toMatchObject({ status: 'complete', attempts: 2 });
    expect(lines[0]).toContain('The host restarted during this build');
  });

  test('gives up on what was cut off twice, and on what has no source', async () => {
    const twice = await leftBehind('running', { attempts: 2 });
    const without = await leftBehind('queued', {}, null);
    const uploading = await leftBehind('code', {}, null);
    await restart();
    expect(await builder.builds.get(twice.id)).toMatchObject({ status: 'failed', errorCode: 'BUILD_INTERRUPTED', error: expect.stringContaining('the host restarted during this build') });
    expect(await builder.builds.get(without.id)).toMatchObject({ status: 'failed' });
    expect(await builder.builds.get(uploading.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('during the upload') });
    expect((await linesOf(twice.id)).join()).toContain('the host restarted');
    expect(await readdir(join(base, 'work', 'sources'))).toEqual([]);
  });

  test('lets a push go on that had not sent its source', async () => {
    const { id } = await builder.builds.create({ project });
    await builder.builds.putManifest(id, SPACEFILE);
    await restart();
    await builder.builds.putSource(id, chunks(await zipOf(SOURCE)));
    await linesOf(id);
    expect((await builder.builds.get(id)).status).toBe('complete');
  });

  test('forgets a push of which nothing came for a day', async () => {
    const { id } = await builder.builds.create({ project });
    await restart({ clock: { ...systemClock, now: () => Date.now() + 25 * 60 * 60_000 } });
    expect(await builder.builds.get(id)).toMatchObject({ status: 'failed', error: expect.stringContaining('no source') });
  });

  test('tells the runtime again of a Revision whose Build was not complete', async () => {
    const { build } = await host.push();
    await table().update(build.id, (before) => ({ ...before, state: 'released', status: 'running' }));
    const told: string[] = [];
    await restart({ onRevision: async (_, revision) => void told.push(revision.id) });
    await linesOf(build.id);
    expect(told).toEqual([build.id]);
    expect((await builder.builds.get(build.id)).status).toBe('complete');
    expect(await builder.releases.listByRevision(build.id)).toHaveLength(1);
  });

  test('clears what was half there', async () => {
    await builder.close();
    for (const path of ['work/jobs/x/source/a', 'work/sources/x.zip', 'work/sources/y.zip.part']) {
      await mkdir(dirname(join(base, path)), { recursive: true });
      await writeFile(join(base, path), 'half');
    }
    await restart();
    expect(await access(join(base, 'work/jobs')).then(() => true, () => false)).toBe(false);
    expect(await readdir(join(base, 'work/sources'))).toEqual([]);
  });

  test('an orderly one puts a running Build back without counting it', async () => {
    const bin = join(base, 'npm');
    await writeFile(bin, '#!/bin/sh\necho working\nsleep 4712.6\n', { mode: 0o755 });
    await restart({ npmCommand: [bin] });
    const { id } = await builder.builds.create({ project });
    await builder.builds.putSource(id, chunks(await zipOf({ ...SOURCE, 'api/package.json': '{"dependencies":{"x":"1"}}' })));
    for await (const line of builder.builds.logs(id, { follow: true })) if (line === '[api] working') break;
    await builder.close();
    expect(await table().get(id)).toMatchObject({ state: 'queued', attempts: 0 });
    await writeFile(bin, '#!/bin/sh\nmkdir node_modules\n', { mode: 0o755 });
    await restart({ npmCommand: [bin] });
    await linesOf(id);
    expect((await builder.builds.get(id)).status).toBe('complete');
  });

  test.each(Array.from({ length: 8 }, (_, index) => index))('a Store that stops at write %i leaves all of a Revision or none', async (allowed) => {
    let left = Infinity;
    const real = host.store;
    const failing: Store = { ...real, batch: async (changes, conditions) => {
      if ((left -= 1) < 0) throw new Error('killed');
      return real.batch(changes, conditions);
    } };
    await restart({ store: failing });
    left = allowed;
    const id = await builder.builds.create({ project }).then((build) => build.id, () => undefined);
    if (id) await builder.builds.putSource(id, chunks(await zipOf(SOURCE))).catch(() => {});
    await restart();
    if (!id) return expect(await builder.builds.listByProject(project.id)).toEqual([]);
    const before = await builder.builds.get(id);
    if (before.state !== 'created') await linesOf(id);
    const build = await builder.builds.get(id);
    const releases = await builder.releases.listByRevision(id);
    const hasRevision = await builder.revisions.get(id).then(() => true, () => false);
    expect([build.status, releases.length, hasRevision]).toEqual(
      build.status === 'complete' ? ['complete', 1, true] : [expect.stringMatching(/pending|failed/), 0, false]);
    return undefined;
  });
});
