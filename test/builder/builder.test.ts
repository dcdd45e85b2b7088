import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Builder, BuilderOptions } from '../../builder/builder.ts';
import type { Project } from '../../builder/project.ts';
import { chunks, rawZip, zipOf } from './archive.ts';
import { PNG, SOURCE, SPACEFILE, testBuilder } from './test-builder.ts';
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
const push: TestBuilder['push'] = (...args) => host.push(...args);

describe('a push', () => {
  test('makes a Revision: log, files, micros, development Release', async () => {
    const { build, lines } = await push();
    expect(build).toMatchObject({ status: 'complete', state: 'complete', error: null });
    expect(lines).toEqual([
      'Parsing Spacefile...', 'Scanned micros:', '└ web', '└ api', 'Building micro web...', 'Building micro api...',
      'All micros built successfully', expect.stringMatching(/^Total Size \d+\.\d\d MB$/), `Created revision: ${build.tag}`,
    ]);
    const revision = await builder.revisions.get(build.id, 'space1');
    expect(revision).toMatchObject({ projectId: project.id, spaceId: 'space1', tag: build.tag, spacefileText: SPACEFILE, autoPwa: true });
    expect(revision.micros).toMatchObject([
      { name: 'web', engine: 'static', runs: 'static', primary: true, path: '/', entry: '' },
      { name: 'api', engine: 'isolate', runs: 'isolate', primary: false, path: '/api', entry: 'index.js', publicRoutes: ['/open'], presets: { env: [], apiKeys: false } },
    ]);
    const page = revision.micros[0]?.files['index.html'];
    expect((await builder.artifacts.readFile(page?.hash as string)).toString()).toBe('<h1>hi</h1>');
    expect((await builder.artifacts.readFile(revision.micros[1]?.files['index.js']?.hash as string)).toString()).toContain('new Response');
    const releases = await builder.releases.listByRevision(build.id);
    expect(releases).toMatchObject([{ id: revision.developmentReleaseId, channel: 'development', status: 'complete', revisionId: build.id, listed: false }]);
    expect(await builder.revisions.byTag(project.id, build.tag)).toEqual(revision);
  });

  test('leaves no source and no work behind', async () => {
    await push();
    expect(await readdir(join(base, 'work', 'sources'))).toEqual([]);
    expect(await readdir(join(base, 'work', 'jobs'))).toEqual([]);
  });

  test('of the same source again has the same content and stores nothing again', async () => {
    const first = await push();
    const putsBefore = host.blobs.puts;
    const second = await push();
    expect(host.blobs.puts).toBe(putsBefore);
    const [a, b] = await Promise.all([builder.revisions.get(first.build.id), builder.revisions.get(second.build.id)]);
    expect(a.contentHash).toBe(b.contentHash);
    expect(a.id).not.toBe(b.id);
    const third = await push({ ...SOURCE, 'web/index.html': '<h1>ho</h1>' });
    expect((await builder.revisions.get(third.build.id)).contentHash).not.toBe(a.contentHash);
    expect(host.blobs.puts).toBe(putsBefore + 1);
  });

  test('without a manifest takes the Spacefile of the archive', async () => {
    expect((await push(SOURCE, { manifest: null })).build.status).toBe('complete');
  });

  test('without a Spacefile in the archive takes the manifest', async () => {
    const { Spacefile, ...rest } = SOURCE;
    expect((await push(rest, { manifest: Spacefile })).build.status).toBe('complete');
  });

  test('packages no Micro with what was installed for another', async () => {
    const bin = join(base, 'npm');
    await writeFile(bin, '#!/bin/sh\nmkdir -p node_modules/dep && echo "export default 7" > node_modules/dep/index.js && echo "{}" > node_modules/dep/package.json\n', { mode: 0o755 });
    await restart({ npmCommand: [bin] });
    const files = {
      Spacefile: 'v: 0\nmicros:\n  - name: api\n    src: api\n    engine: isolate\n    primary: true\n  - name: web\n    src: .\n    engine: static\n    serve: .\n',
      'api/index.js': 'import x from "dep"; export default { x };', 'api/package.json': '{"dependencies":{"dep":"1"}}', 'api/node_modules/own/a.js': 'uploaded',
    };
    const { build } = await push(files);
    const revision = await builder.revisions.get(build.id);
    expect(Object.keys(revision.micros[1]?.files ?? {})).toEqual(Object.keys(files).filter((path) => path !== 'Spacefile').sort());
    expect((await builder.artifacts.readFile(revision.micros[0]?.files['index.js']?.hash as string)).toString()).toContain('= 7');
  });

  test('takes an icon that was sent, and else the one of the source', async () => {
    const { id } = await builder.builds.create({ project });
    await builder.builds.putManifest(id, SPACEFILE);
    const build = await builder.builds.putIcon(id, PNG, 'text/html');
    expect(build.icon).toMatchObject({ contentType: 'image/png', widthPx: 1, heightPx: 1, sizeBytes: PNG.length });
    await builder.builds.putSource(id, chunks(await zipOf(SOURCE)));
    await linesOf(id);
    expect((await builder.revisions.get(id)).icon).toEqual(build.icon);
    expect(await builder.artifacts.readFile(build.icon?.hash as string)).toEqual(PNG);
    const withIcon = await push({ ...SOURCE, Spacefile: `icon: icon.png\n${SPACEFILE}`, 'icon.png': PNG });
    expect((await builder.revisions.get(withIcon.build.id)).icon).toEqual(build.icon);
    const withNone = await push({ ...SOURCE, Spacefile: `icon: icon.png\n${SPACEFILE}`, 'icon.png': 'text' });
    expect(withNone.build.status).toBe('complete');
    expect(withNone.lines.join('\n')).toContain('The icon is not a picture');
  });
});

describe('a push that fails says what and where', () => {
  const manifests: [string, string][] = [['an unknown engine', SPACEFILE.replace('isolate', 'isolat')], ['no YAML', 'v: 0\n  micros: ['], ['two primaries', `${SPACEFILE}    primary: true\n`]];
  test.each(manifests)('at once, for a Spacefile with %s', async (_, text) => {
    const { id } = await builder.builds.create({ project });
    await expect(builder.builds.putManifest(id, text)).rejects.toMatchObject({ code: 'SPACEFILE_INVALID', status: 400 });
    expect((await builder.builds.get(id)).state).toBe('created');
    await builder.builds.putManifest(id, SPACEFILE);
  });

  const failures: [string, Parameters<typeof push>, string, RegExp][] = [
    ['no Spacefile', [{ a: 'a' }, { manifest: null }], 'SPACEFILE_MISSING', /Spacefile not found/],
    ['another Spacefile than the manifest', [SOURCE, { manifest: `${SPACEFILE}# other\n` }], 'SOURCE_INVALID', /not the one that was sent first/],
    ['a wrong Spacefile in the archive', [{ Spacefile: 'v: 1' }, { manifest: null }], 'SPACEFILE_INVALID', /Spacefile is not valid/],
    ['a missing folder', [{ Spacefile: SPACEFILE, 'web/a': 'a' }], 'BUILD_FAILED', /`api`.*`src: api` is no folder/],
    ['a Micro that does not compile', [{ ...SOURCE, 'api/index.ts': 'const x = ;' }], 'BUILD_FAILED', /index\.ts:1:11: /],
    ['a bundle too large', [{ ...SOURCE, 'api/index.ts': `import x from './x.txt'; export default x;`, 'api/x.txt': Buffer.alloc(10 * 1024 * 1024 + 10, 'abcdefghijklmnop\n') }], 'BUNDLE_TOO_LARGE', /the limit is 10485760/],
    ['an engine that is not built yet', [{ ...SOURCE, Spacefile: SPACEFILE.replace('engine: isolate', 'engine: nodejs16') }], 'BUILD_TOOL_MISSING', /`nodejs16`/],
    ['an archive with a slip', [SOURCE, { zip: rawZip([{ name: '../evil', content: 'x' }]) }], 'SOURCE_INVALID', /evil/],
    ['no archive', [SOURCE, { zip: Buffer.from('hello') }], 'SOURCE_INVALID', /no usable zip/],
  ];
  test.each(failures)('%s', async (_, [files, options], code, says) => {
    const { build, lines } = await push(files, options);
    expect(build).toMatchObject({ status: 'failed', errorCode: code, error: expect.stringMatching(says) });
    expect(lines.join('\n')).toContain((build.error as string).split('\n')[0]);
    await expect(builder.revisions.get(build.id)).rejects.toMatchObject({ code: 'REVISION_NOT_FOUND' });
    expect(await builder.releases.listByRevision(build.id)).toEqual([]);
    expect(host.blobs.puts).toBeLessThan(3);
    expect(await readdir(join(base, 'work', 'sources'))).toEqual([]);
    expect(await readdir(join(base, 'work', 'jobs')).catch(() => [])).toEqual([]);
  });

  test('an upload that is too large or breaks off', async () => {
    const { id } = await builder.builds.create({ project });
    async function* broken(): AsyncIterable<Buffer> {
      yield Buffer.from('PK');
      throw new Error('gone');
    }
    await expect(builder.builds.putSource(id, broken())).rejects.toThrow('gone');
    expect(await builder.builds.get(id)).toMatchObject({ status: 'failed', errorCode: 'SOURCE_INVALID' });
    expect(await linesOf(id)).toEqual(['The source archive was refused: the upload was cut off. Push again.']);
  });

  const icons: [string, Buffer, RegExp][] = [
    ['text', Buffer.from('hello'), /no PNG/], ['nothing', Buffer.alloc(0), /empty/], ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /no PNG/],
    ['too many bytes', Buffer.concat([PNG, Buffer.alloc(1024 * 1024)]), /limit is 1048576/], ['a cut PNG', PNG.subarray(0, 12), /no PNG/],
    ['100 megapixels', Buffer.concat([PNG.subarray(0, 16), Buffer.from([0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]), PNG.subarray(24)]), /10000 x 10000/],
  ];
  test.each(icons)('an icon that is %s', async (_, bytes, says) => {
    const { id } = await builder.builds.create({ project });
    await builder.builds.putManifest(id, SPACEFILE);
    await expect(builder.builds.putIcon(id, bytes)).rejects.toMatchObject({ code: 'ICON_INVALID', message: expect.stringMatching(says) });
    expect((await builder.builds.get(id)).state).toBe('manifest');
  });

  test('steps out of order', async () => {
    const { build } = await push();
    await expect(builder.builds.putManifest(build.id, SPACEFILE)).rejects.toMatchObject({ code: 'BUILD_STATE' });
    await expect(builder.builds.putSource(build.id, chunks(PNG))).rejects.toMatchObject({ code: 'BUILD_STATE' });
    await expect(builder.builds.cancel(build.id)).rejects.toMatchObject({ code: 'BUILD_STATE' });
    await expect(builder.builds.get('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(builder.builds.get(build.id, 'space2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(builder.revisions.get(build.id, 'space2')).rejects.toMatchObject({ code: 'REVISION_NOT_FOUND' });
  });
});

describe('tags', () => {
  test('a given one is used once in a Project', async () => {
    expect((await push(SOURCE, { tag: 'v1' })).build.tag).toBe('v1');
    await expect(builder.builds.create({ project, tag: 'v1' })).rejects.toMatchObject({ code: 'TAG_TAKEN' });
    const other = await builder.projects.create({ spaceId: 'space1', name: 'Other' });
    await builder.builds.create({ project: other, tag: 'v1' });
  });

  test('of a failed Build is free again; of one that never sent its source too', async () => {
    expect((await push({ a: 'a' }, { tag: 'v1', manifest: null })).build.status).toBe('failed');
    const abandoned = await builder.builds.create({ project, tag: 'v1' });
    expect((await push(SOURCE, { tag: 'v1' })).build.status).toBe('complete');
    expect((await builder.builds.get(abandoned.id)).status).toBe('failed');
  });

  test('two creations at once: one of them gets it', async () => {
    const results = await Promise.allSettled([1, 2, 3].map(() => builder.builds.create({ project, tag: 'race' })));
    const taken = (await builder.builds.listByProject(project.id)).map((build) => build.status);
    expect(taken.filter((status) => status === 'pending')).toHaveLength(1);
    expect(results.some((result) => result.status === 'fulfilled')).toBe(true);
  });

  test.each(['a b', '../x', 'x/y', 'x'.repeat(65), 'a\nb'])('%j is refused', async (tag) => {
    await expect(builder.builds.create({ project, tag })).rejects.toMatchObject({ code: 'INVALID_FIELD' });
  });
});

describe('the callback for a new Revision', () => {
  test('is called before the Build is complete, writes into its log, and its failure costs nothing', async () => {
    const seen: unknown[] = [];
    await restart({
      async onRevision(of, revision, report) {
        seen.push([of.id, revision.tag, (await builder.builds.get(revision.id)).status, (await builder.releases.get(revision.developmentReleaseId)).channel]);
        report('starting update...');
        throw new Error('broken');
      },
    });
    const { build, lines } = await push();
    expect(seen).toEqual([[project.id, build.tag, 'running', 'development']]);
    expect(build.status).toBe('complete');
    expect(lines.slice(-2)).toEqual(['starting update...', expect.stringContaining('Updating the Builder Instance failed')]);
  });
});

describe('cancelling', () => {
  test('stops a running Build and its programs, and nothing of it remains', async () => {
    const bin = join(base, 'npm');
    await writeFile(bin, '#!/bin/sh\necho working\nsleep 4712.5\n', { mode: 0o755 });
    await restart({ npmCommand: [bin] });
    const { id } = await builder.builds.create({ project });
    await builder.builds.putSource(id, chunks(await zipOf({ ...SOURCE, 'api/package.json': '{"dependencies":{"x":"1"}}' })));
    for await (const line of builder.builds.logs(id, { follow: true })) {
      if (line === '[api] working') await builder.builds.cancel(id);
    }
    expect(await builder.builds.get(id)).toMatchObject({ status: 'failed', error: 'The build was cancelled.' });
    expect(await builder.builds.cancel(id)).toMatchObject({ status: 'failed' });
    await builder.close();
    expect(await readdir(join(base, 'work', 'jobs'))).toEqual([]);
    expect(await readdir(join(base, 'work', 'sources'))).toEqual([]);
  });

  test('before the source came ends the log', async () => {
    const { id } = await builder.builds.create({ project });
    const lines = linesOf(id);
    await builder.builds.cancel(id);
    expect(await lines).toEqual(['The build was cancelled.']);
  });
});

describe('the log', () => {
  test('can be followed before the first line, by several, and read again later', async () => {
    const { id } = await builder.builds.create({ project });
    const readers = [linesOf(id), linesOf(id)];
    await builder.builds.putSource(id, chunks(await zipOf(SOURCE)));
    const [first, second] = await Promise.all(readers);
    expect(first?.at(-1)).toMatch(/^Created revision/);
    expect(second).toEqual(first);
    expect(await linesOf(id, false)).toEqual(first);
  });

  test('ends for its readers when the Builder closes', async () => {
    const { id } = await builder.builds.create({ project });
    const lines = linesOf(id);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await builder.close();
    expect(await lines).toEqual([]);
  });

  test('has no line that an old client cannot read, and no control characters', async () => {
    await restart({ onRevision: async (_, __, report) => { report(`x${'ä'.repeat(100_000)}`); report('\u001b[31mred\u001b[0m\u0007\ntwo'); } });
    const { lines } = await push();
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThan(64 * 1024);
    expect(lines.slice(-2)).toEqual(['red', 'two']);
  });
});

describe('many at once', () => {
  test('all end, and Revisions are listed newest first, page by page', async () => {
    const zip = await zipOf(SOURCE);
    const ids = await Promise.all(Array.from({ length: 7 }, async () => {
      const { id } = await builder.builds.create({ project });
      await builder.builds.putSource(id, chunks(zip));
      return id;
    }));
    for (const id of ids) await linesOf(id);
    const all = await builder.revisions.listByProject(project.id);
    expect(all.map((revision) => revision.id).sort()).toEqual([...ids].sort());
    expect(all.map((revision) => revision.createdAt)).toEqual(all.map((revision) => revision.createdAt).sort().reverse());
    const first = await builder.revisions.listByProject(project.id, { limit: 3 });
    const second = await builder.revisions.listByProject(project.id, { limit: 10, after: first[2]?.id });
    expect([...first, ...second]).toEqual(all);
    expect(await builder.builds.listByProject(project.id)).toHaveLength(7);
  });
});

describe('deleting a Project', () => {
  test('ends its Builds and unlists its Releases, while Revisions stay for those who installed them', async () => {
    const { build } = await push();
    const revision = await builder.revisions.get(build.id);
    const release = await builder.releases.create({ revision, project, listed: true });
    await builder.builds.create({ project });
    await builder.projects.delete(project.id);
    await expect(builder.projects.get(project.id)).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    expect(await builder.builds.listByProject(project.id)).toEqual([]);
    expect(await builder.revisions.get(build.id)).toEqual(revision);
    expect((await builder.releases.get(release.id)).listed).toBe(false);
    expect(await readdir(join(base, 'work', 'logs'))).toEqual([]);
  });
});

describe('deleting a Revision', () => {
  test('takes it out of the list and off Discovery, lets nobody release it, and keeps its tag from others', async () => {
    const { build } = await push(SOURCE, { tag: 'mine' });
    const revision = await builder.revisions.get(build.id);
    const release = await builder.releases.create({ revision, project, listed: true });
    const changed: string[] = [];
    builder.releases.onChange((projectId) => changed.push(projectId));
    await builder.deleteRevision(build.id);
    expect(new Set(changed)).toEqual(new Set([project.id]));
    expect(await builder.revisions.listByProject(project.id)).toEqual([]);
    expect(await builder.releases.listListed()).toEqual([]);
    expect(await builder.releases.get(release.id)).toMatchObject({ listed: false, deletedRevision: true });
    const deleted = await builder.revisions.get(build.id);
    await expect(builder.releases.create({ revision: deleted, project })).rejects.toMatchObject({ code: 'REVISION_DELETED' });
    await expect(builder.revisions.byTag(project.id, 'mine')).rejects.toMatchObject({ code: 'REVISION_DELETED' });
    await expect(builder.builds.create({ project, tag: 'mine' })).rejects.toMatchObject({ code: 'TAG_TAKEN' });
    await builder.deleteRevision(build.id);
    expect((await push()).lines.join()).not.toContain('taken over');
  });
});

test('the last hundred Builds of a Project are kept, with their logs; what never sent its source ends', async () => {
  const first = await push();
  for (let index = 0; index < 100; index += 1) await builder.builds.create({ project });
  await expect(builder.builds.get(first.build.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await readdir(join(base, 'work', 'logs'))).not.toContain(`${first.build.id}.log`);
  expect(await builder.revisions.get(first.build.id)).toMatchObject({ id: first.build.id });
  await builder.builds.create({ project });
  expect(await builder.builds.listByProject(project.id, { limit: 200 })).toHaveLength(100);
});
