import { mkdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Revision } from '../../builder/revision.ts';
import { chunks, zipOf } from './archive.ts';
import { SOURCE, testBuilder } from './test-builder.ts';
import type { TestBuilder } from './test-builder.ts';

let host: TestBuilder;
beforeEach(async () => { host = await testBuilder(); });
afterEach(() => host.clear());

/** Push, and say which Micros were built and which were taken over. */
async function pushed(files: Record<string, string>): Promise<{ built: string[]; taken: string[]; revision: Revision; tag: string }> {
  const { build, lines } = await host.push(files);
  expect(build.error).toBeNull();
  const named = (pattern: RegExp): string[] => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return { built: named(/^Building micro (\w+)/), taken: named(/^Micro (\w+) has not changed: taken over/), revision: await host.builder.revisions.get(build.id), tag: build.tag };
}

const fileOf = async (revision: Revision, micro: string, path: string): Promise<string> => {
  const hash = revision.micros.find(({ name }) => name === micro)?.files[path]?.hash;
  return hash === undefined ? 'none' : (await host.builder.artifacts.readFile(hash)).toString();
};

describe('a push again', () => {
  test('with nothing changed builds nothing, also after a restart, and gives the same Revision', async () => {
    const first = await pushed(SOURCE);
    expect(first).toMatchObject({ built: ['web', 'api'], taken: [] });
    await host.restart();
    const second = await pushed(SOURCE);
    expect(second).toMatchObject({ built: [], taken: ['web', 'api'] });
    expect(second.revision.micros).toEqual(first.revision.micros);
    expect(second.revision.contentHash).toBe(first.revision.contentHash);
  });

  test('builds the Micro that changed, and no other', async () => {
    await pushed(SOURCE);
    const { built, taken, revision } = await pushed({ ...SOURCE, 'web/index.html': '<h1>ho</h1>' });
    expect([built, taken]).toEqual([['web'], ['api']]);
    expect(await fileOf(revision, 'web', 'index.html')).toBe('<h1>ho</h1>');
  });

  test('finds what was there before the last change too', async () => {
    await pushed(SOURCE);
    await pushed({ ...SOURCE, 'web/index.html': '<h1>ho</h1>' });
    expect(await pushed(SOURCE)).toMatchObject({ built: [] });
  });

  test('with other public routes builds nothing, and has the new routes', async () => {
    await pushed(SOURCE);
    const { built, revision } = await pushed({ ...SOURCE, Spacefile: SOURCE.Spacefile.replace('/open', '/other') });
    expect(built).toEqual([]);
    expect(revision.micros[1]?.publicRoutes).toEqual(['/other']);
  });

  test.each([
    ['another file in its folder', { 'api/more.txt': '' }, ['api']],
    ['another place of what is served', { Spacefile: SOURCE.Spacefile.replace('serve: .', 'serve: ./inner'), 'web/inner/a.html': 'a' }, ['web']],
    ['another package.json around it', { 'package.json': '{"type":"commonjs"}' }, ['web', 'api']],
  ] as const)('with %s builds what that may change', async (_, more, expected) => {
    await pushed({ ...SOURCE, 'web/inner/a.html': 'a' });
    expect((await pushed({ ...SOURCE, 'web/inner/a.html': 'a', ...more })).built).toEqual(expected);
  });

  test('with a file of a million lines holds nothing up', async () => {
    const files = { ...SOURCE, 'api/requirements.txt': '\n'.repeat(1_000_000), 'api/.npmrc': ' '.repeat(1_000_000) };
    await pushed(files);
    expect(await pushed(files)).toMatchObject({ built: [] });
  });

  test('takes nothing from a Revision that was deleted, and again from one that was not', async () => {
    const first = await pushed(SOURCE);
    const second = await pushed({ ...SOURCE, 'web/index.html': '<h1>ho</h1>' });
    await host.builder.deleteRevision(first.revision.id);
    expect(await pushed(SOURCE)).toMatchObject({ built: ['web'], taken: ['api'] });
    await host.builder.deleteRevision(second.revision.id);
    expect(await pushed(SOURCE)).toMatchObject({ built: [], taken: ['web', 'api'] });
  });

  test('of which a file is lost builds it again', async () => {
    const { revision } = await pushed(SOURCE);
    await host.blobs.delete(revision.micros[1]?.files['index.js']?.hash as string);
    expect(await pushed(SOURCE)).toMatchObject({ built: ['api'], taken: ['web'] });
  });
});

test('nothing is taken from another Project, whoever owns it, and yet equal sources give equal Revisions', async () => {
  const first = await pushed(SOURCE);
  for (const spaceId of ['space1', 'space2']) {
    const project = await host.builder.projects.create({ spaceId, name: 'Another' });
    const { id } = await host.builder.builds.create({ project });
    await host.builder.builds.putSource(id, chunks(await zipOf(SOURCE)));
    expect((await host.linesOf(id)).join('\n')).toContain('Building micro api...');
    const revision = await host.builder.revisions.get(id);
    expect(revision.contentHash).toBe(first.revision.contentHash);
    expect(revision.micros).toEqual(first.revision.micros);
  }
});

describe('where programs of the source run', () => {
  const spacefile = (webCommand: string): string => `v: 0\nmicros:\n  - name: web\n    src: web\n    engine: static\n    serve: out\n    primary: true\n    commands:\n      - ${webCommand}\n  - name: api\n    src: api\n    engine: isolate\n`;
  const files = (webCommand: string, more: Record<string, string> = {}): Record<string, string> => ({
    Spacefile: spacefile(webCommand), 'web/in.txt': 'in', 'api/index.js': 'import text from "./made.txt"; export default { text };', 'api/made.txt': 'as uploaded', ...more,
  });
  const QUIET = 'mkdir -p out && cp in.txt out/ && cat ../shared.txt >> out/in.txt';
  const REACHING = 'mkdir -p out && cp in.txt out/ && cp in.txt ../api/made.txt';
  let tools: string;

  beforeEach(async () => {
    tools = join(host.base, 'tools');
    await mkdir(tools);
    await host.restart({ allowsCommands: true, toolPath: `${tools}:/usr/bin:/bin` });
  });

  test('a Micro is built again when anything changed that they could see, and the others are not', async () => {
    await pushed(files(QUIET, { 'shared.txt': '1' }));
    expect(await pushed(files(QUIET, { 'shared.txt': '1' }))).toMatchObject({ built: [] });
    const { built, revision } = await pushed(files(QUIET, { 'shared.txt': '2' }));
    expect(built).toEqual(['web']);
    expect(await fileOf(revision, 'web', 'in.txt')).toBe('in2');
    expect((await pushed(files(QUIET, { 'shared.txt': '2', 'api/made.txt': 'new' }))).built).toEqual(['web', 'api']);
  });

  test('other programs on the machine count for them alone', async () => {
    await pushed(files(QUIET, { 'shared.txt': '1' }));
    await utimes(tools, 1, 1);
    expect(await pushed(files(QUIET, { 'shared.txt': '1' }))).toMatchObject({ built: ['web'], taken: ['api'] });
  });

  test('a build that reaches into the folder of another Micro has nothing taken over, then or later', async () => {
    await pushed(files(QUIET, { 'shared.txt': '1' }));
    const reached = await pushed(files(REACHING));
    expect(reached.built).toEqual(['web', 'api']);
    expect(await fileOf(reached.revision, 'api', 'index.js')).toContain('"in"');
    const again = await pushed(files(REACHING, { 'web/in.txt': 'other' }));
    expect(again.built).toEqual(['web', 'api']);
    expect(await fileOf(again.revision, 'api', 'index.js')).toContain('"other"');
  });
});
