// Covers a Project's end, what a push brings that is of old clients, and the shapes that clients besides the CLI read.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireCollection, WireInstance } from '../../../core/wire.ts';
import { zipOf } from '../../builder/archive.ts';
import { installApp, pushApp, releaseApp, startTestHost, STATIC_FILES, type Person, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let ada: Person;
let bob: Person;
beforeAll(async () => {
  space = await startTestHost();
  ({ owner: ada, member: bob } = space);
});
afterAll(() => space.close());

async function uninstall(person: Person, id: string): Promise<void> {
  const job = (await person.call(`DELETE /instances/${id}?data=keep`)).json<{ id: string }>();
  await person.call(`GET /installations/${job.id}/logs?follow=true`);
}

describe('a project is deleted', () => {
  test('when nothing of its own runs any more; what waited for its first push is kept', async () => {
    const id = (await ada.call('POST /apps', { name: 'never' })).json<{ id: string }>().id;
    const key = (await ada.call(`POST /apps/${id}/keys`, { name: 'space cli' })).json<{ value: string }>().value;
    expect((await ada.call(`DELETE /apps/${id}`)).json()).toEqual({ id });
    expect((await ada.call(`GET /apps/${id}`)).json()).toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    expect((await ada.call('POST /builds', { app_id: id })).json()).toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    const { collections } = (await ada.call('GET /collections')).json<{ collections: WireCollection[] }>();
    expect(collections.find((one) => key.startsWith(one.id))).toMatchObject({ name: 'never', instance_id: null });
  });

  test('not while it has a Builder Instance, nor while it is listed and others have it; then their copies go on, and there are no new ones', async () => {
    const pushed = await pushApp(ada, { name: 'popular' });
    const release = await releaseApp(ada, pushed, { discovery_list: true });
    const { instance } = await installApp(bob, release);
    expect((await ada.call(`DELETE /apps/${pushed.projectId}`)).json()).toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('Builder Instance') });
    await uninstall(ada, pushed.builder.id);
    expect((await ada.call(`DELETE /apps/${pushed.projectId}`)).json()).toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('unlist') });
    await ada.call(`POST /releases/${release}/unlist`);
    expect((await ada.call(`DELETE /apps/${pushed.projectId}`)).status).toBe(200);

    expect((await bob.call(`GET /instances/${instance.id}`)).json<WireInstance>()).toMatchObject({ status: 'ready', micros: [{ name: 'web' }, { name: 'closed' }] });
    expect((await bob.visitor.visit(instance.url)).text).toContain('Home');
    expect((await bob.call('POST /installations', { release_id: release })).json()).toMatchObject({ code: 'RELEASE_NOT_FOUND' });
    expect((await ada.call('POST /promotions', { app_id: pushed.projectId, revision_id: pushed.revisionId })).json()).toMatchObject({ code: 'PROJECT_NOT_FOUND' });
  });
});

test('Discovery.md that comes with a push is taken, and the log says that it was left out', async () => {
  const app = (await ada.call('POST /apps', { name: 'old-client' })).json<{ id: string }>().id;
  const build = (await ada.call('POST /builds', { app_id: app })).json<{ id: string }>().id;
  const text = { 'content-type': 'text/plain' };
  await ada.call(`POST /builds/${build}/manifest`, STATIC_FILES.Spacefile ?? '', text);
  expect((await ada.call(`POST /builds/${build}/discovery`, '---\ntitle: x\n---\n', text)).json()).toEqual({ build_id: build });
  await ada.call(`POST /builds/${build}/code`, await zipOf(STATIC_FILES), { 'content-type': 'application/zip' });
  expect((await ada.call(`GET /builds/${build}/logs?follow=true`)).text).toContain('Discovery.md came with this push');
  expect((await ada.call(`POST /builds/${build}/discovery`, 'x', text)).json()).toMatchObject({ code: 'BUILD_STATE' });
});

test('an Instance tells of its Release as clients besides the CLI read it', async () => {
  const pushed = await pushApp(ada, { name: 'shaped' });
  const release = await releaseApp(ada, pushed, { version: '2.0' });
  await ada.call(`POST /promotions/${release}/discovery`, { app_name: 'Shaped', tagline: 'Of a shape' });
  const { instance } = await installApp(bob, release);
  const { instances } = (await bob.call(`GET /instances?alias=${instance.alias}`)).json<{ instances: WireInstance[] }>();
  expect(instances).toMatchObject([{ id: instance.id, app_id: pushed.projectId, url: instance.url, release: { id: release, app_name: 'Shaped', version: '2.0', channel: 'experimental', short_description: 'Of a shape', icon_url: null } }]);
});

test('a listed Release is found by author and alias, with all that clients besides the CLI read; one that is not listed is not', async () => {
  const pushed = await pushApp(ada, { name: 'On the shelf' });
  const ask = async (path: string): Promise<any> => (await bob.call(`GET /discovery/apps/${path}`)).json();
  const hidden = await releaseApp(ada, pushed, { version: '1' });
  expect(await ask('@ada/on-the-shelf')).toMatchObject({ code: 'RELEASE_NOT_FOUND' });
  const release = await releaseApp(ada, pushed, { version: '2', discovery_list: true });
  await ada.call(`POST /promotions/${release}/discovery`, { app_name: 'Shelf', tagline: 'On it', content_raw: '# Shelf' });
  const found = await ask('@ada/on-the-shelf');
  expect(found).toMatchObject({
    release: { id: release, app_name: 'Shelf', version: '2', name: '2', release_alias: 'on-the-shelf-2', latest: true, author: 'ada', icon_url: null, short_description: 'On it', status: 'complete' },
    discovery: { title: 'On the shelf', tagline: 'On it', content: '# Shelf', listed: true, listed_url: `${space.url}/r/${release}`, canonical_url: `${space.url}/r/${release}`, stats: { total_installs: 0, release_installs: 0 } },
  });
  expect(await ask('ada/on-the-shelf')).toEqual(found);
  for (const path of ['@bob/on-the-shelf', '@ada/nothing', '@/on-the-shelf']) expect(await ask(path), path).toMatchObject({ code: 'RELEASE_NOT_FOUND' });
  expect((await ada.call(`GET /releases/${hidden}`)).json()).toMatchObject({ discovery: { listed: false, listed_url: null, canonical_url: `${space.url}/r/${hidden}` } });
});
