import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createBuilder } from '../../builder/builder.ts';
import type { Builder } from '../../builder/builder.ts';
import type { Project } from '../../builder/project.ts';
import type { Revision } from '../../builder/revision.ts';
import { isAwaitingSource } from '../../builder/build-state.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { openFileBlobStore } from '../../sandbox-data/blob/file.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { collected } from './archive.ts';

const KILLS = 5;

/** Let a host push for a while, then end it as a power cut would. */
async function pushAndKill(folder: string, delayMs: number): Promise<void> {
  const host = spawn(process.execPath, [fileURLToPath(new URL('./push-forever.ts', import.meta.url)), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(host, 'exit');
  await Promise.race([once(host.stdout, 'data'), exited]);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  host.kill('SIGKILL');
  expect((await exited)[1]).toBe('SIGKILL');
}

async function assertWhole(builder: Builder, seen: Set<string>): Promise<void> {
  const [project] = await builder.projects.listBySpace('space1');
  for (const { id, state } of await builder.builds.listByProject(project?.id as string, { limit: 100_000 })) {
    if (isAwaitingSource(state)) continue;
    await collected(builder.builds.logs(id, { follow: true }));
    const build = await builder.builds.get(id);
    seen.add(build.status);
    const releases = (await builder.releases.listByRevision(id)).filter(({ channel }) => channel === 'development');
    const revision = await builder.revisions.get(id).catch(() => undefined);
    expect([releases.length, revision !== undefined]).toEqual(build.status === 'complete' ? [1, true] : [0, false]);
    if (project && revision) await assertReleasable(builder, { project, revision });
    for (const micro of revision?.micros ?? []) {
      for (const { hash, sizeBytes } of Object.values(micro.files)) expect(await builder.artifacts.readFile(hash)).toHaveLength(sizeBytes);
    }
  }
}

/** Its version was given to it or to nobody: releasing it once more says the same. */
async function assertReleasable(builder: Builder, { project, revision }: { project: Project; revision: Revision }): Promise<void> {
  const [released] = (await builder.releases.listByRevision(revision.id)).filter(({ channel }) => channel === 'experimental');
  const version = released?.version ?? `again ${revision.id}`;
  expect(await builder.releases.create({ project, revision, version })).toMatchObject({ version, revisionId: revision.id });
}

test('a host that is killed at any moment has whole Revisions or none when it starts again', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kill-'));
  const seen = new Set<string>();
  for (let round = 0; round < KILLS; round += 1) {
    await pushAndKill(folder, round * 23);
    const store = await openLevelStore(join(folder, 'store'));
    const artifacts = await openFileBlobStore(join(folder, 'artifacts'));
    const builder = await createBuilder({ store, artifacts, workFolder: join(folder, 'work'), log: silentLog, clock: systemClock });
    await assertWhole(builder, seen);
    await builder.close();
    expect(await readdir(join(folder, 'work', 'sources'))).toEqual([]);
    await Promise.all([store.close(), artifacts.close()]);
  }
  expect(seen).toContain('complete');
  await rm(folder, { recursive: true, force: true });
});
