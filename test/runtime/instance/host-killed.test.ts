// Owns the proof with real kills: a host that is killed while apps come, change and go finds every one of them whole.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WireCollection, WireInstallation, WireInstance } from '../../../core/wire.ts';
import { startHostProcess, type HostProcess } from '../../support/host-process.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { PASSWORD, pushApp, releaseApp, SETUP_SECRET, STATIC_FILES, until, type Person } from '../../support/start-host.ts';

const ROUNDS = 8;
let folder: string;
let token: string;
let releases: string[];
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  const host = await start();
  const answer = await send(`${host.url}/api/v0/setup`, { method: 'POST', body: { secret: SETUP_SECRET, username: 'ada', password: PASSWORD } });
  token = answer.json().access_token;
  const owner = { call } as Person;
  const first = await pushApp(owner);
  const second = await pushApp(owner, { projectId: first.projectId, files: { ...STATIC_FILES, 'site/public/open.txt': 'second' } });
  releases = [await releaseApp(owner, first, { version: '1' }), await releaseApp(owner, second, { version: '2' })];
  await host.kill();
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(): Promise<HostProcess> {
  const host = await startHostProcess({ dataFolder: folder, env: { OWNSPACE_SETUP_SECRET: SETUP_SECRET } });
  url = host.url;
  return host;
}

function call(address: string, body?: string | Buffer | object, headers: Record<string, string> = {}): Promise<TestResponse> {
  const [method = 'GET', path = '/'] = address.split(' ');
  return send(`${url}/api/v0${path}`, { method, headers: { authorization: `Bearer ${token}`, ...headers }, ...(body === undefined ? {} : { body }) });
}

/** Install, update and uninstall as fast as the host takes it, until it is gone. */
async function churn(): Promise<void> {
  for (let count = 0; ; count += 1) {
    const { instances } = (await call('GET /instances?channel=experimental')).json<{ instances: WireInstance[] }>();
    const ready = instances.filter(({ status }) => status === 'ready');
    await Promise.all([
      call('POST /installations', { release_id: releases[count % 2] }),
      ...ready.slice(0, 3).map(({ id }) => call('POST /installations', { release_id: releases[count % 2], instance_id: id })),
      ...ready.slice(3).map(({ id }, index) => call(`DELETE /instances/${id}?data=${index % 2 === 0 ? 'keep' : 'delete'}`)),
    ]);
  }
}

async function expectWhole(): Promise<void> {
  const jobs = await until(async () => {
    const { installations } = (await call('GET /installations')).json<{ installations: WireInstallation[] }>();
    return installations.every(({ status }) => status === 'complete' || status === 'failed') ? installations : undefined;
  });
  expect(jobs.filter(({ status }) => status === 'failed')).toEqual([]);
  const { instances } = (await call('GET /instances')).json<{ instances: WireInstance[] }>();
  const { collections } = (await call('GET /collections')).json<{ collections: WireCollection[] }>();
  for (const instance of instances) {
    expect(instance.status).toBe('ready');
    expect(collections.filter((collection) => collection.instance_id === instance.id).map(({ id }) => id)).toEqual([instance.collection_id]);
    if (instance.channel === 'development') continue;
    const says = (await send(new URL('/public/open.txt', instance.url.replace(/:\d+\//, `:${new URL(url).port}/`)).href)).text;
    expect(says).toBe(instance.release_id === releases[0] ? 'open to all' : 'second');
    expect(instance.version).toBe(instance.release_id === releases[0] ? '1' : '2');
  }
  const known = new Set(instances.map(({ id }) => id));
  for (const { instance_id: id } of collections) if (id !== null) expect(known.has(id)).toBe(true);
  expect(new Set(instances.map(({ alias }) => alias)).size).toBe(instances.length);
}

test(`after ${ROUNDS} kills at any moment every app is ready with one Revision, or gone`, async () => {
  let seen = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const host = await start();
    await expectWhole();
    const churning = churn().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 300));
    seen += (await call('GET /installations')).json().installations.length;
    await host.kill();
    await churning;
  }
  const host = await start();
  await expectWhole();
  expect(seen).toBeGreaterThan(ROUNDS); // there was something to break
  expect(await host.stop()).toBe(0);
}, 180_000);
