// Owns a Builder over a Store in memory and a folder on the disk, and a push as the CLI makes it, for tests.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Build } from '../../builder/build.ts';
import { createBuilder } from '../../builder/builder.ts';
import type { Builder, BuilderOptions } from '../../builder/builder.ts';
import type { Project } from '../../builder/project.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { chunks, collected, zipOf } from './archive.ts';

export const SPACEFILE = 'v: 0\nmicros:\n  - name: web\n    src: web\n    engine: static\n    serve: .\n    primary: true\n  - name: api\n    src: api\n    engine: isolate\n    public_routes:\n      - /open\n';
export const SOURCE = { Spacefile: SPACEFILE, 'web/index.html': '<h1>hi</h1>', 'api/index.ts': 'export default { fetch: (request: Request) => new Response(request.url) };' };
/** One red pixel. */
export const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==', 'base64');

export interface TestBuilder {
  /** The one that was started last. */
  builder: Builder;
  project: Project;
  store: Store;
  blobs: ReturnType<typeof createMemoryBlobStore>;
  base: string;
  /** Close the Builder, and start another over the same Store and folder. */
  restart(more?: Partial<BuilderOptions>): Promise<void>;
  /** Lines of a Build's log up to its end. */
  linesOf(id: string, follow?: boolean): Promise<string[]>;
  push(files?: Record<string, string | Buffer>, options?: PushOptions): Promise<{ build: Build; lines: string[] }>;
  clear(): Promise<void>;
}

export interface PushOptions { tag?: string; manifest?: string | null; zip?: Buffer }

export async function testBuilder(): Promise<TestBuilder> {
  const base = await mkdtemp(join(tmpdir(), 'builder-'));
  const store = createMemoryStore();
  const blobs = createMemoryBlobStore();
  const start = (more: Partial<BuilderOptions> = {}): Promise<Builder> =>
    createBuilder({ store, artifacts: blobs, workFolder: join(base, 'work'), log: silentLog, clock: systemClock, ...more });
  const first = await start();
  const all: TestBuilder = {
    base, store, blobs,
    builder: first,
    project: await first.projects.create({ spaceId: 'space1', name: 'Guestbook' }),
    async restart(more) {
      await all.builder.close();
      all.builder = await start(more);
    },
    linesOf: (id, follow = true) => collected(all.builder.builds.logs(id, { follow })),
    async push(files = SOURCE, { tag, manifest = String(files['Spacefile']), zip } = {}) {
      const { id } = await all.builder.builds.create({ project: all.project, tag });
      if (manifest !== null) await all.builder.builds.putManifest(id, manifest);
      await all.builder.builds.putSource(id, chunks(zip ?? (await zipOf(files))));
      const lines = await all.linesOf(id);
      return { build: await all.builder.builds.get(id), lines };
    },
    async clear() {
      await all.builder.close();
      await rm(base, { recursive: true, force: true });
    },
  };
  return all;
}
