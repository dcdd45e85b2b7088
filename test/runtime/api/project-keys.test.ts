// Owns the proof that a Project's data is there before its first push: keys, what is stored with them, and the Instance
// that finds it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireCollection, WireInstance, WireNewKey } from '../../../core/wire.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { pushApp, startTestHost, until, type Person, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
let ada: Person;
beforeAll(async () => {
  space = await startTestHost();
  ada = space.owner;
});
afterAll(() => space.close());

const newProject = async (name: string): Promise<string> => (await ada.call('POST /apps', { name })).json<{ id: string }>().id;
const newKey = async (project: string, name = 'space cli'): Promise<string> => (await ada.call(`POST /apps/${project}/keys`, { name })).json<WireNewKey>().value;
const collectionOf = (key: string): string => key.split('_')[0] ?? '';
const collections = async (): Promise<WireCollection[]> => (await ada.call('GET /collections')).json<{ collections: WireCollection[] }>().collections;

function store(key: string, items: object[]): Promise<TestResponse> {
  return send(`${space.url}/base/v1/${collectionOf(key)}/notes/items`, { method: 'PUT', body: { items }, headers: { 'x-api-key': key } });
}

function stored(key: string): Promise<{ items: { key: string }[] }> {
  return send(`${space.url}/base/v1/${collectionOf(key)}/notes/query`, { method: 'POST', body: {}, headers: { 'x-api-key': key } }).then((answer) => answer.json());
}

describe('a key from before the first push', () => {
  test('stores what the Builder Instance finds', async () => {
    const project = await newProject('early');
    expect((await ada.call(`GET /apps/${project}/keys`)).json()).toEqual({ keys: [] });
    expect(await collections()).toEqual([]); // asking makes nothing
    const key = await newKey(project);
    expect((await ada.call(`GET /apps/${project}/keys`)).json<{ keys: object[] }>().keys).toMatchObject([{ name: 'space cli' }]);
    expect((await store(key, [{ key: 'a' }])).status).toBe(207);
    expect(await collections()).toMatchObject([{ id: collectionOf(key), name: 'early', instance_id: null }]);

    const { builder } = await pushApp(ada, { projectId: project });
    expect(builder.collection_id).toBe(collectionOf(key));
    expect((await stored(key)).items).toEqual([{ key: 'a' }]);
    expect(collectionOf(await newKey(project, 'another'))).toBe(builder.collection_id);
    expect(await collections()).toMatchObject([{ id: builder.collection_id, instance_id: builder.id }]);
    // Another push changes nothing of that.
    expect((await pushApp(ada, { projectId: project })).builder.collection_id).toBe(builder.collection_id);
  });

  test('asked for by many at once is of one Collection', async () => {
    const project = await newProject('many');
    const keys = await Promise.all(Array.from({ length: 12 }, (_, index) => newKey(project, `key ${index}`)));
    expect(new Set(keys.map(collectionOf)).size).toBe(1);
  });

  test('is of the Collection of the Builder Instance, whichever was first', async () => {
    const project = await newProject('race');
    const pushing = pushApp(ada, { projectId: project });
    const keys: string[] = [];
    let builder: WireInstance | undefined;
    void pushing.then((pushed) => { builder = pushed.builder; });
    await until(async () => {
      keys.push(await newKey(project, `key ${keys.length}`));
      return builder;
    });
    await pushing;
    expect(new Set(keys.map(collectionOf))).toEqual(new Set([builder?.collection_id]));
  });

  test('ends with its Collection, and the push that follows begins anew', async () => {
    const project = await newProject('ended');
    const key = await newKey(project);
    expect((await ada.call(`DELETE /collections/${collectionOf(key)}`)).status).toBe(202);
    expect((await store(key, [{ key: 'a' }])).status).toBe(401);
    const { builder } = await pushApp(ada, { projectId: project });
    expect(builder.collection_id).not.toBe(collectionOf(key));
  });

  test('of a Builder Instance that is gone is not that of the next one', async () => {
    const project = await newProject('again');
    const { builder } = await pushApp(ada, { projectId: project });
    const job = (await ada.call(`DELETE /instances/${builder.id}?data=keep`)).json<{ id: string }>();
    await ada.call(`GET /installations/${job.id}/logs?follow=true`);
    const key = await newKey(project);
    expect(collectionOf(key)).not.toBe(builder.collection_id);
    expect((await pushApp(ada, { projectId: project })).builder.collection_id).toBe(collectionOf(key));
    expect((await collections()).map(({ id }) => id)).toContain(builder.collection_id);
  });
});
