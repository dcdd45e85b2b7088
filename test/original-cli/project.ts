// Covers `new`, `link`, `validate` and `open`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KEYS, openOriginal, tap } from './original.ts';
import { linkedId, type Scene } from './scene.ts';
import { OUTCOMES } from '../cli/spacefile-outcomes.ts';

/** Builder and documents are written into the CLI, whatever SPACE_ROOT says. */
const BUILDER = 'https://deta.space/builder';

export function projectCommands(scene: () => Scene): void {
  test('new makes a project and leaves a Spacefile that is there alone', async () => {
    const { host, ada, folder } = scene();
    await using wire = await tap(host.url);
    await using cli = await openOriginal(wire.root, ada.token);
    const dir = await folder();
    const before = await readFile(join(dir, 'Spacefile'), 'utf8');
    const made = await cli.run(['new', '--name', 'first-app'], { cwd: dir });
    expect(made).toEqual({ code: 0, out: expect.stringContaining('Project first-app created successfully!') });
    expect(wire.calls()).toEqual(['GET /v0/time', 'POST /v0/apps']);
    expect(await readFile(join(dir, 'Spacefile'), 'utf8')).toBe(before);
    const meta = JSON.parse(await readFile(join(dir, '.space', 'meta'), 'utf8'));
    expect(meta).toEqual({ id: expect.any(String), name: 'first-app', alias: 'first-app' });
    expect(made.out).toContain(`${BUILDER}/${meta.id}`);
    // A name may be taken twice; what addresses are made of is not.
    expect(await cli.run(['new', '--name', 'first-app'], { cwd: await folder() })).toMatchObject({ code: 0 });
  });

  test.each([
    ['python', { 'main.py': '' }, 'python3.9'], ['Node', { 'package.json': '{}' }, 'nodejs16'], ['Go', { 'go.mod': 'module x\n' }, 'custom'],
    ['static files', { 'index.html': '' }, 'static'], ['SvelteKit', { 'package.json': '{"devDependencies":{"@sveltejs/kit":"1"}}' }, 'svelte-kit'],
  ] as [string, Record<string, string>, string][])('new finds %s, and what it writes is valid here too', async (_, files, engine) => {
    const { original, ada, folder } = scene();
    const dir = await folder(files);
    expect(await original.run(['new', '--name', 'detected'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining(engine) });
    expect(await readFile(join(dir, 'Spacefile'), 'utf8')).toContain(`engine: ${engine}`);
    expect(await ada.space(['validate'], { cwd: dir })).toMatchObject({ code: 0 });
  });

  test('new asks in a terminal, and takes no for an answer', async () => {
    const { original, folder } = scene();
    const dir = await folder({ 'index.html': 'x' });
    const made = await original.inTerminal(['new'], [['project\'s name', 'asked-for'], ['asked-for', KEYS.enter], ['with this configuration', KEYS.no]], { cwd: dir });
    expect(made).toEqual({ code: 0, out: expect.stringContaining('Project asked-for created successfully!') });
    expect(await readFile(join(dir, 'Spacefile'), 'utf8')).not.toContain('micros');
    const blank = await folder({ 'index.html': 'x' });
    expect(await original.run(['new', '--blank', '--name', 'blank'], { cwd: blank })).toMatchObject({ code: 0 });
    expect(await readFile(join(blank, 'Spacefile'), 'utf8')).toContain('v: 0');
  });

  test('new refuses a name that is too short, by itself and by the host', async () => {
    const { original, ada } = scene();
    expect(await original.run(['new', '--name', 'abc'])).toEqual({ code: 1, out: expect.stringContaining('at least 4 characters') });
    expect((await ada.api('POST', '/apps', { name: 'abc', alias: '' })).json()).toMatchObject({ code: 'PROJECT_NAME_INVALID', detail: expect.stringContaining('4 to 16') });
  });

  test('link takes a project of one\'s own, and no other', async () => {
    const { original, bobs, folder, project } = scene();
    const { id } = await project('linked');
    const dir = await folder();
    expect(await original.run(['link', '--id', id], { cwd: dir })).toEqual({ code: 0, out: expect.stringMatching(/Project\s+linked\s+was linked!/) });
    expect(await linkedId(dir)).toBe(id);
    const asked = await folder();
    expect(await original.inTerminal(['link'], [['Project ID', id], [id, KEYS.enter]], { cwd: asked })).toMatchObject({ code: 0 });
    expect(await linkedId(asked)).toBe(id);
    for (const [cli, wanted] of [[bobs, id], [original, 'nothing']] as const) {
      expect(await cli.run(['link', '--id', wanted], { cwd: await folder() })).toEqual({ code: 1, out: expect.stringContaining('This project does not exist, or is not yours.') });
    }
  });

  test('open leads to Deta\'s Builder, which is written into it', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('opened');
    expect(await original.run(['open'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Opening project') });
    expect(await original.opened()).toContain(`${BUILDER}/${id}`);
  });

  test('validate accepts what is valid here, but for engines of our own', async () => {
    const { original, ada, folder } = scene();
    const dir = await folder();
    expect(await original.run(['validate'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Spacefile looks good!') });
    expect(await ada.space(['validate'], { cwd: dir })).toMatchObject({ code: 0 });
    const isolate = await folder({ Spacefile: 'v: 0\nmicros:\n  - name: api\n    src: .\n    engine: isolate\n' });
    expect(await ada.space(['validate'], { cwd: isolate })).toMatchObject({ code: 0 });
    expect(await original.run(['validate'], { cwd: isolate })).toEqual({ code: 1, out: expect.stringContaining('engine -> value must be one of') });
  });

  test.each(OUTCOMES)('validate: $name', async ({ spacefile, original: expected }) => {
    const { original, folder } = scene();
    const dir = await folder({ 'a/index.html': 'x', ...(spacefile === undefined ? {} : { Spacefile: spacefile }) });
    const ran = await original.run(['validate'], { cwd: dir });
    expect(ran.out).toContain(expected ?? 'Spacefile looks good!');
    expect(ran.code).toBe(expected === undefined ? 0 : 1);
  });

  test('validate --dir looks for the icon in the folder that it is called in', async () => {
    const { original, folder } = scene();
    expect(await original.run(['validate', '--dir', await folder()])).toEqual({ code: 1, out: expect.stringContaining('cannot find the icon') });
  });
}
