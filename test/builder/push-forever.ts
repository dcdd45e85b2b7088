// Owns a host in small, for the tests that kill one: pushes and releases without end into the folder that it is given, and says when
// it began.
import { join } from 'node:path';
import { createBuilder } from '../../builder/builder.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { openFileBlobStore } from '../../sandbox-data/blob/file.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { chunks, collected, zipOf } from './archive.ts';
import { SOURCE } from './test-builder.ts';

const folder = process.argv[2] as string;
const builder = await createBuilder({
  store: await openLevelStore(join(folder, 'store')), artifacts: await openFileBlobStore(join(folder, 'artifacts')),
  workFolder: join(folder, 'work'), log: silentLog, clock: systemClock,
});
const project = (await builder.projects.listBySpace('space1'))[0] ?? (await builder.projects.create({ spaceId: 'space1', name: 'Guestbook' }));

async function pushForever(): Promise<never> {
  for (let count = 0; ; count += 1) {
    const { id } = await builder.builds.create({ project });
    await builder.builds.putManifest(id, SOURCE.Spacefile);
    await builder.builds.putSource(id, chunks(await zipOf({ ...SOURCE, 'web/index.html': `${process.pid} ${count}` })));
    await collected(builder.builds.logs(id, { follow: true }));
    await builder.releases.create({ project, revision: await builder.revisions.get(id), version: `${process.pid} ${id}`, listed: true });
    if (count === 0) process.stdout.write('pushed\n');
  }
}

await Promise.all([pushForever(), pushForever(), pushForever()]);
