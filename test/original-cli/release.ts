// Covers `release`.
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WireRelease } from '../../core/wire.ts';
import { CHECKOUT } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { KEYS, openOriginal, tap } from './original.ts';
import { urlIn, type Scene } from './scene.ts';

const DISCOVERY = `---
app_name: "Greeter"
title: "Greeter greets"
tagline: "Says hello to whoever comes"
theme_color: "#ff8800"
git: "https://example.org/greeter"
homepage: "https://example.org"
ported_from: "https://example.org/old"
open_code: false
media:
  - "shot.png"
  - "https://www.youtube.com/watch?v=abcdefghijk"
---

# About

It greets.
`;

export function releaseCommands(scene: () => Scene): void {
  const latest = async (id: string): Promise<WireRelease> => (await scene().ada.api('GET', `/releases/latest?app_id=${id}`)).json();

  async function pushed(name: string): Promise<{ dir: string; id: string }> {
    const made = await scene().project(name);
    expect(await scene().original.run(['push', '--tag', 'first'], { cwd: made.dir })).toMatchObject({ code: 0 });
    return made;
  }

  test('release of the latest revision, with Discovery.md and what it shows, call by call', async () => {
    const { host, ada, bob } = scene();
    const { dir, id } = await pushed('released');
    await writeFile(join(dir, 'Discovery.md'), DISCOVERY);
    await writeFile(join(dir, 'shot.png'), await readFile(join(CHECKOUT, 'docs', 'images', 'my-apps.png')));
    await using wire = await tap(host.url);
    await using cli = await openOriginal(wire.root, ada.token);
    const released = await cli.run(['release', '--confirm', '--listed', '--version', '1.0', '--notes', 'The first'], { cwd: dir });
    expect(released.code, released.out).toBe(0);
    for (const line of ['Selected revision: first', 'creating release...', 'Listed on Discovery']) expect(released.out).toContain(line);
    const release = await latest(id);
    expect(release).toMatchObject({
      version: '1.0', release_notes: 'The first', listed: true, tag: 'first', url: urlIn(released.out, 'Release'),
      discovery: { app_name: 'Greeter', title: 'Greeter greets', tagline: 'Says hello to whoever comes', theme_color: '#ff8800', git: 'https://example.org/greeter', homepage: 'https://example.org', ported_from: 'https://example.org/old', content_raw: expect.stringContaining('It greets.') },
    });
    const calls = wire.calls().map((call) => call.replaceAll(release.id, 'PROMOTION').replaceAll(id, 'APP')).filter((call) => call !== 'GET /v0/time');
    expect(calls.slice(0, 4)).toEqual(['GET /v0/releases/latest?app_id=APP', 'GET /v0/apps/APP/revisions?per_page=5', 'POST /v0/promotions', 'POST /v0/promotions/PROMOTION/discovery']);
    expect(calls.slice(4, 6).toSorted()).toEqual([0, 1].map((n) => `POST /v0/promotions/PROMOTION/discovery/screenshots/${n}`));
    expect(calls.slice(6)).toEqual(['GET /v0/promotions/PROMOTION/logs?follow=true', 'GET /v0/promotions/PROMOTION']);

    const page = await bob.browser.visit(release.url);
    expect(page.status).toBe(200);
    expect(page.text).toContain('The first');
    expect((await bob.space(['install', release.url])).code).toBe(0);
  });

  test('release of a named revision, unlisted, without Discovery.md', async () => {
    const { original } = scene();
    const { dir, id } = await pushed('named');
    const released = await original.run(['release', '--rid', 'first'], { cwd: dir });
    expect(released.code, released.out).toBe(0);
    expect(await latest(id)).toMatchObject({ tag: 'first', listed: false, version: expect.stringMatching(/^exp-\w{4}$/), discovery: { app_name: 'Greeter' } });
    expect((await send(`${scene().host.url}/api/v0/releases/latest?app_id=${id}&listed=true`, { headers: { authorization: `Bearer ${scene().ada.token}` } })).status).toBe(404);
  });

  test('release in a terminal asks for everything, and keeps the answers in Discovery.md', async () => {
    const { original } = scene();
    const { dir, id } = await pushed('asked');
    const refused = await original.inTerminal(['release'], [['want to release this app to others', KEYS.no]], { cwd: dir });
    expect(refused).toEqual({ code: 0, out: expect.stringContaining('Aborted.') });
    const released = await original.inTerminal(['release'], [
      ['want to release this app to others', KEYS.yes], ['App Name', 'Asker'], ['Asker', KEYS.enter], ['Short Description', 'It asks'], ['It asks', KEYS.enter],
      ['use the latest revision', KEYS.no], ['Choose a revision', KEYS.enter], ['Release Notes', 'Notes of it'], ['Notes of it', KEYS.enter],
    ], { cwd: dir });
    expect(released.code, released.out).toBe(0);
    expect(await latest(id)).toMatchObject({ release_notes: 'Notes of it', discovery: { app_name: 'Asker', tagline: 'It asks' } });
    expect(await readFile(join(dir, 'Discovery.md'), 'utf8')).toContain('Asker');
  });

  test('release offers the texts of the latest one, where those in the folder are others and older', async () => {
    const { original } = scene();
    const { dir, id } = await pushed('compared');
    const file = join(dir, 'Discovery.md');
    await writeFile(file, DISCOVERY.replace(/media:\n.*\n.*\n/, ''));
    expect(await original.run(['release', '--confirm'], { cwd: dir })).toMatchObject({ code: 0 });
    await utimes(file, 1, 1);
    // The host gives back what it was given: as long as the file says the same, nothing is asked.
    expect((await original.run(['release', '--confirm'], { cwd: dir })).out).not.toContain('Warning');
    await writeFile(file, DISCOVERY.replace(/media:\n.*\n.*\n/, '').replace('It greets.', 'It greeted once.'));
    await utimes(file, 1, 1);
    const released = await original.inTerminal(['release', '--confirm', '--notes', 'x'], [['update your local Discovery.md', KEYS.yes]], { cwd: dir });
    expect(released).toEqual({ code: 0, out: expect.stringContaining('Updated your local Discovery.md file') });
    expect(await readFile(file, 'utf8')).toContain('It greets.');
    expect((await latest(id)).discovery.content_raw).toContain('It greeted once.');
  });

  test('release refuses a revision that is not there, or another person\'s project', async () => {
    const { original, bobs, ada, bob, project } = scene();
    const { dir, id } = await pushed('foreign');
    expect(await original.run(['release', '--rid', 'nothing'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('This revision does not exist, or is not yours.') });
    expect(await bobs.run(['release', '--confirm', '--id', id], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('This project does not exist, or is not yours.') });
    const other = await project('other');
    const { revisions } = (await ada.api('GET', `/apps/${id}/revisions`)).json<{ revisions: { id: string }[] }>();
    const body = { revision_id: revisions[0]?.id, channel: 'experimental' };
    expect((await ada.api('POST', '/promotions', { ...body, app_id: other.id })).json()).toMatchObject({ code: 'REVISION_NOT_FOUND' });
    const bobsApp = (await bob.api('POST', '/apps', { name: 'bobs' })).json<{ id: string }>().id;
    expect((await bob.api('POST', '/promotions', { ...body, app_id: bobsApp })).json()).toMatchObject({ code: 'REVISION_NOT_FOUND' });
    expect(await original.run(['release'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('revision id or confirm flag must be provided') });
  });

  test('release of a revision that was deleted is refused; the others are still there', async () => {
    const { original, ada } = scene();
    const { dir, id } = await pushed('deleted');
    const { revisions } = (await ada.api('GET', `/apps/${id}/revisions`)).json<{ revisions: { id: string }[] }>();
    await writeFile(join(dir, 'web/index.html'), 'second');
    expect(await original.run(['push', '--tag', 'second'], { cwd: dir })).toMatchObject({ code: 0 });
    expect((await ada.api('DELETE', `/revisions/${revisions[0]?.id}`)).status).toBe(200);
    expect(await original.run(['release', '--rid', 'first'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('The revision `first` was deleted') });
    expect(await original.run(['release', '--confirm'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Selected revision: second') });
    expect(await original.run(['release', '--confirm', '--version', '1'], { cwd: dir })).toMatchObject({ code: 0 });
    await writeFile(join(dir, 'web/index.html'), 'third');
    expect(await original.run(['push', '--tag', 'third'], { cwd: dir })).toMatchObject({ code: 0 });
    expect(await original.run(['release', '--confirm', '--version', '1'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('failed to create a new release') });
  });

  test('five releases at once are five', async () => {
    const { original, ada } = scene();
    const { dir, id } = await pushed('together');
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => original.run(['release', '--confirm', '--version', `v${n}`], { cwd: dir })));
    for (const { code, out } of all) expect(code, out).toBe(0);
    const { releases } = (await ada.api('GET', `/releases?app_id=${id}`)).json<{ releases: WireRelease[] }>();
    expect(releases.map(({ version }) => version).toSorted()).toEqual(['v1', 'v2', 'v3', 'v4', 'v5']);
    expect(releases.filter((release) => release.latest)).toHaveLength(1);
  });
}
