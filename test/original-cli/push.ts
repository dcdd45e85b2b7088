// Covers `push`.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { send } from '../support/http.ts';
import { openOriginal, tap, type Ran } from './original.ts';
import { SPACEFILE, urlIn, type Scene } from './scene.ts';

export function pushCommands(scene: () => Scene): void {
  const instanceOf = async (id: string): Promise<WireInstance> =>
    ((await scene().ada.api('GET', `/instances?app_id=${id}&channel=development`)).json<{ instances: WireInstance[] }>()).instances[0] as WireInstance;
  const builds = async (id: string): Promise<{ id: string; tag: string; status: string; error: string | null }[]> =>
    (await scene().ada.api('GET', `/builds?app_id=${id}`)).json<{ builds: { id: string; tag: string; status: string; error: string | null }[] }>().builds;

  test('push builds, updates the Builder Instance and prints its address, call by call as the CLI expects it', async () => {
    const { host, ada, project } = scene();
    const { dir, id } = await project('pushed');
    await using wire = await tap(host.url);
    await using cli = await openOriginal(wire.root, ada.token);
    const pushed = await cli.run(['push'], { cwd: dir });
    expect(pushed.code, pushed.out).toBe(0);
    for (const line of ['Parsing Spacefile...', 'Scanned micros:', '└ web', 'Building micro api...', 'All micros built successfully', 'Total Size', 'Created revision:', 'Updating your Builder instance', 'configuring resource 1 out of 2...']) expect(pushed.out).toContain(line);
    const url = urlIn(pushed.out, 'Builder instance');
    expect((await send(url)).text).toBe('<h1>hi</h1>\n');
    const instance = await instanceOf(id);
    expect(instance).toMatchObject({ status: 'ready', url, app_name: 'Greeter' });
    const [build] = await builds(id);
    const named = wire.calls().map((call) => call.replaceAll(build?.id ?? '', 'BUILD').replaceAll(instance.release_id, 'PROMOTION').replace(/installations\/\w{8,}/, 'installations/JOB'));
    expect(named.filter((call) => call !== 'GET /v0/time')).toEqual([
      'POST /v0/builds', 'POST /v0/builds/BUILD/manifest', 'POST /v0/builds/BUILD/icon', 'POST /v0/builds/BUILD/code', 'GET /v0/builds/BUILD/logs?follow=true', 'GET /v0/builds/BUILD',
      'GET /v0/promotions?per_page=1&revision_id=BUILD', 'GET /v0/promotions/PROMOTION/logs?follow=true', 'GET /v0/promotions/PROMOTION',
      'GET /v0/installations?per_page=1&release_id=PROMOTION', 'GET /v0/installations/JOB/logs?follow=true', 'GET /v0/installations/JOB',
    ]);
    expect((await send(`${host.url}/icons/${instance.release_id}`, { headers: { authorization: `Bearer ${ada.token}` } })).headers['content-type']).toBe('image/png');
  });

  test('push again updates the same Instance; --tag names the revision once', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('tagged');
    const first = urlIn((await original.run(['push', '--tag', 'one'], { cwd: dir })).out, 'Builder instance');
    await writeFile(join(dir, 'web/index.html'), 'second');
    const again = await original.run(['push', '--experimental', '--open'], { cwd: dir });
    expect(urlIn(again.out, 'Builder instance')).toBe(first);
    expect(await original.opened()).toContain(first);
    expect((await send(first)).text).toBe('second');
    expect(await original.run(['push', '--tag', 'one'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('A revision with the tag `one` exists already.') });
    expect((await builds(id)).map(({ tag }) => tag)).toContain('one');
  });

  test('push --skip-logs returns at once and names the build', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('skipped');
    const pushed = await original.run(['push', '--skip-logs', '--tag', 'quiet'], { cwd: dir });
    expect(pushed).toEqual({ code: 0, out: expect.stringContaining(`https://deta.space/builder/${id}?event=bld-quiet`) });
    await expect.poll(async () => (await builds(id))[0]?.status).toBe('complete');
    await expect.poll(async () => (await instanceOf(id)).version).toBe('quiet');
  });

  test('push of what cannot be built tells why, line by line, and changes nothing', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('broken');
    const url = urlIn((await original.run(['push'], { cwd: dir })).out, 'Builder instance');
    await writeFile(join(dir, 'Spacefile'), SPACEFILE.replace('run: node index.js\n', 'run: node index.js\n    commands:\n      - echo on the way; exit 7\n'));
    await writeFile(join(dir, 'web/index.html'), 'broken');
    const pushed = await original.run(['push'], { cwd: dir });
    expect(pushed.code).toBe(1);
    for (const line of ['[api] Running command', 'on the way', 'failed to push code and create a revision']) expect(pushed.out).toContain(line);
    expect((await send(url)).text).toBe('<h1>hi</h1>\n');
    expect((await builds(id))[0]).toMatchObject({ status: 'failed', error: expect.stringContaining('api') });
  });

  test('push of a Spacefile that only this host refuses shows the host\'s report', async () => {
    const { original, project } = scene();
    const { dir } = await project('refused');
    await writeFile(join(dir, 'Spacefile'), SPACEFILE.replace('path: api', 'path: /'));
    const pushed = await original.run(['push'], { cwd: dir });
    expect(pushed).toEqual({ code: 1, out: expect.stringContaining('failed to push Spacefile') });
    expect(pushed.out).toMatch(/Spacefile:\d+:\d+ {2}`path` cannot be `\/`/);
  });

  test('push without an icon, without files, without a link, of another person\'s project', async () => {
    const { original, bobs, project, folder } = scene();
    const { dir, id } = await project('odd-one');
    await rm(join(dir, 'icon.png'));
    expect(await original.run(['push'], { cwd: dir })).toMatchObject({ code: 0 });
    await rm(join(dir, 'api/index.js'));
    await rm(join(dir, 'api/package.json'));
    expect(await original.run(['push'], { cwd: dir })).toMatchObject({ code: 1 });
    expect(await original.run(['push'], { cwd: await folder() })).toEqual({ code: 1, out: expect.stringContaining('project is not initialized') });
    for (const wanted of [id, 'nothing']) {
      const pushed = await bobs.run(['push', '--id', wanted], { cwd: dir });
      expect(pushed).toEqual({ code: 1, out: expect.stringContaining('failed to start a build, This project does not exist, or is not yours.') });
    }
    expect(await original.run(['push', '--tag', '  '], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('tag cannot be empty') });
    expect(await original.run(['push', '--tag', '../x'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('`tag` has 1 to 64 letters') });
  });

  test('five pushes at once of one project, the first ones it has: each ends, and all are of one Instance', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('at-once');
    const pushed: Ran[] = await Promise.all([1, 2, 3, 4, 5].map((n) => original.run(['push', '--tag', `t${n}`], { cwd: dir })));
    for (const { code, out } of pushed) expect(code, out).toBe(0);
    expect(new Set(pushed.map(({ out }) => urlIn(out, 'Builder instance'))).size).toBe(1);
    const { revisions } = (await scene().ada.api('GET', `/apps/${id}/revisions`)).json<{ revisions: { tag: string }[] }>();
    expect(revisions.map(({ tag }) => tag).toSorted()).toEqual(['t1', 't2', 't3', 't4', 't5']);
    expect(revisions.map(({ tag }) => tag)).toContain((await instanceOf(id)).version);
    const same = await Promise.all([1, 2].map(() => original.run(['push', '--tag', 'same'], { cwd: dir })));
    expect(same.map(({ code }) => code).toSorted()).toEqual([0, 1]);
  });
}
