// Faults of data as those meet them who use it through HTTP: 16, 17, 30, 31, 35, 37 and 38.
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { WireDamage, WireInstance, WireLogLine, WireVerified } from '../../core/wire.ts';
import { failToStart, removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send, type TestResponse } from '../support/http.ts';
import { startTestHost, pushApp, type TestHost } from '../support/start-host.ts';
import { until } from './people.ts';

let space: TestHost;
let instance: WireInstance;
let collectionId: string;
let headers: Record<string, string>;

beforeAll(async () => {
  space = await startTestHost();
  instance = (await pushApp(space.owner)).builder;
  collectionId = instance.collection_id;
  const { value } = (await space.owner.call(`POST /collections/${collectionId}/keys`, { name: 'key' })).json();
  headers = { 'x-api-key': value };
});

afterAll(() => space?.close());

const base = (method: string, path: string, body?: object, more: Record<string, string> = {}): Promise<TestResponse> =>
  send(`${space.url}/base/v1/${collectionId}/things/${path}`, { method, body, headers: { ...headers, ...more } });
const drive = (method: string, path: string, body?: Buffer | object): Promise<TestResponse> =>
  send(`${space.url}/drive/v1/${collectionId}/files/${path}`, { method, body, headers });
const blobsFolder = (): string => join(space.dataFolder, 'spaces', space.owner.spaceId, 'collections', collectionId, 'blobs');

async function blobFiles(): Promise<string[]> {
  const entries = await readdir(blobsFolder(), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The path of the blob that storing `name` made. */
async function store(name: string, content: Buffer): Promise<string> {
  const before = new Set(await blobFiles());
  expect((await drive('POST', `files?name=${name}`, content)).status).toBe(201);
  const made = (await blobFiles()).filter((path) => !before.has(path));
  expect(made).toHaveLength(1);
  return made[0]!;
}

const damageNow = async (): Promise<WireDamage[]> => (await space.owner.call(`GET /collections/${collectionId}/damage`)).json().damage;
const hits = (damage: WireDamage[], name: string): boolean => damage.some(({ things }) => things.some(({ key }) => key === name));

describe('faults 16 and 17: a blob that is flipped, cut or missing', () => {
  test.each([
    ['flipped', async (path: string) => { const bytes = await readFile(path); bytes[bytes.length >> 1]! ^= 4; await writeFile(path, bytes); }],
    ['cut', (path: string) => truncate(path, 1000)],
    ['missing', (path: string) => rm(path)],
  ] as const)('%s: never given as whole, the owner is told which, the others are served', async (how, hurt) => {
    const other = await store(`${how}-other`, Buffer.alloc(400_000, 'o'));
    await hurt(await store(how, Buffer.alloc(900_000, 'c')));
    expect(other).toBeTruthy();
    const answer = await drive('GET', `files/download?name=${how}`).catch((error: Error) => error);
    if (how === 'flipped') expect(answer, 'the connection is cut').toBeInstanceOf(Error);
    else expect(answer).toMatchObject({ status: 410 });
    expect((await drive('GET', `files/download?name=${how}-other`)).bytes.length).toBe(400_000);
    await until(async () => hits(await damageNow(), how), 'it is told');
    const lines = await until(async () => {
      const { logs } = await logLines();
      return logs.some((text) => text.includes(`files/${how}`)) ? logs : undefined;
    }, "the Instance's log has it");
    expect(lines.join()).toContain('damaged');
    // Storing it again heals.
    expect((await drive('POST', `files?name=${how}`, Buffer.from('new'))).status).toBe(201);
    expect((await drive('GET', `files/download?name=${how}`)).text).toBe('new');
  });

  test('looking through everything finds what nobody read, and the owner strikes it off', async () => {
    const path = await store('unread', Buffer.alloc(50_000, 'u'));
    const bytes = await readFile(path);
    bytes[7]! ^= 1;
    await writeFile(path, bytes);
    expect(hits(await damageNow(), 'unread')).toBe(false);
    const { damage, indexes } = (await space.owner.call(`POST /collections/${collectionId}/verify`)).json<WireVerified>();
    expect(hits(damage, 'unread')).toBe(true);
    expect(indexes).toEqual({ checked: 0, rebuilt: [], orphans: 0 });
    expect((await space.member.call(`GET /collections/${collectionId}/damage`)).status).toBe(404);
    expect((await space.member.call(`DELETE /collections/${collectionId}/damage`)).status).toBe(404);
    expect(hits(await damageNow(), 'unread')).toBe(true);
    expect((await space.owner.call(`DELETE /collections/${collectionId}/damage`)).status).toBe(200);
    expect(await damageNow()).toEqual([]);
  });

  async function logLines(): Promise<{ logs: string[] }> {
    const answer = await space.owner.call(`GET /instances/${instance.id}/logs`);
    return { logs: answer.text.split('\n').filter((line) => line !== '').map((line) => (JSON.parse(line) as WireLogLine).text) };
  }
});

describe('fault 30: an upload that ends early', () => {
  test.each([1, 50, 99, 100])('at %d %%: the File is not there, and nothing of it stays; the control is a whole one', async (percent) => {
    const before = (await blobFiles()).length;
    const size = 2_000_000;
    await new Promise<void>((resolve) => {
      const outgoing = request(`${space.url}/drive/v1/${collectionId}/files/files?name=early${percent}`, { method: 'POST', agent: false, headers: { ...headers, 'content-length': size } });
      outgoing.on('error', () => {});
      outgoing.on('close', () => resolve());
      outgoing.on('response', (incoming) => incoming.resume());
      outgoing.write(Buffer.alloc((size * percent) / 100));
      if (percent < 100) void until(async () => (await blobFiles()).length > before, 'something of it is written').finally(() => outgoing.destroy());
    });
    if (percent === 100) {
      expect((await drive('GET', `files/download?name=early${percent}`)).bytes.length).toBe(size);
      return;
    }
    await until(async () => (await blobFiles()).length === before, 'what was written is removed');
    expect((await drive('GET', `files/download?name=early${percent}`)).status).toBe(404);
  });

  test('in parts, aborted: parts are removed; given up, they are removed a day later', async () => {
    const before = (await blobFiles()).length;
    const ids: string[] = [];
    for (const name of ['aborted', 'given-up']) {
      const id = (await drive('POST', `uploads?name=${name}`)).json().upload_id;
      ids.push(id);
      for (const part of [1, 2]) expect((await drive('POST', `uploads/${id}/parts?name=${name}&part=${part}`, Buffer.alloc(10_000))).status).toBe(200);
      expect((await drive('GET', `files/download?name=${name}`)).status).toBe(404);
    }
    expect((await blobFiles()).length).toBe(before + 4);
    expect((await drive('DELETE', `uploads/${ids[0]}?name=aborted`)).status).toBe(200);
    await until(async () => (await blobFiles()).length === before + 2, 'aborting removes');
    space.clock.advance(25 * 60 * 60 * 1000);
    await until(async () => {
      space.clock.advance(61_000);
      await wait(50);
      return (await blobFiles()).length === before;
    }, 'sweeping removes');
  });
});

test('fault 31: parts in any order, repeated, and everything once more: the same File', async () => {
  const parts = [1, 2, 3, 4].map((part) => Buffer.alloc(30_000 + part, String(part)));
  const id = (await drive('POST', 'uploads?name=parts')).json().upload_id;
  const put = async (part: number, content = parts[part - 1]!): Promise<void> =>
    expect((await drive('POST', `uploads/${id}/parts?name=parts&part=${part}`, content)).status).toBe(200);
  await put(3, Buffer.from('an earlier attempt'));
  await Promise.all([4, 2, 3, 1, 2].map((part) => put(part)));
  for (let again = 0; again < 3; again += 1) expect((await drive('PATCH', `uploads/${id}?name=parts`)).status).toBe(200);
  expect((await drive('GET', 'files/download?name=parts')).bytes.equals(Buffer.concat(parts))).toBe(true);
  for (let again = 0; again < 3; again += 1) {
    expect((await base('PUT', 'items', { items: [{ key: 'same', n: 1 }] })).status).toBe(207);
    expect((await drive('POST', 'files?name=same', Buffer.from('same'))).status).toBe(201);
    expect((await base('DELETE', 'items/absent')).status).toBe(200);
  }
  expect((await base('GET', 'items/same')).json()).toEqual({ key: 'same', n: 1 });
  expect((await drive('GET', 'files/download?name=same')).text).toBe('same');
});

describe('fault 35: 100 writers on one key with conditions', () => {
  test('inserting: exactly one wins', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => base('POST', 'items', { item: { key: 'one', n } })));
    const winners = answers.flatMap(({ status }, n) => (status === 201 ? [n] : []));
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(99);
    expect((await base('GET', 'items/one')).json().n).toBe(winners[0]);
  });

  test('by version: exactly one winner for each', async () => {
    await base('PUT', 'items', { items: [{ key: 'versioned', n: -1 }] });
    for (let round = 0; round < 5; round += 1) {
      const { etag } = (await base('GET', 'items/versioned')).headers;
      const answers = await Promise.all(Array.from({ length: 100 }, (_, n) =>
        base('PUT', 'items', { items: [{ key: 'versioned', n: round * 100 + n }] }, { 'if-match': etag! })));
      const winners = answers.flatMap(({ status }, n) => (status === 207 ? [round * 100 + n] : []));
      expect(winners, `round ${round}`).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(99);
      expect((await base('GET', 'items/versioned')).json().n).toBe(winners[0]);
    }
  });

  test('the control: without a condition all of them win', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => base('PUT', 'items', { items: [{ key: 'versioned', n }] })));
    expect(answers.filter(({ status }) => status === 207)).toHaveLength(100);
  });

  test('increments: none is lost', async () => {
    await base('PUT', 'items', { items: [{ key: 'counter', n: 0 }] });
    await Promise.all(Array.from({ length: 100 }, () => base('PATCH', 'items/counter', { increment: { n: 1 } })));
    expect((await base('GET', 'items/counter')).json().n).toBe(100);
  });
});

describe('faults 37 and 38: the lock of the data folder', () => {
  test('a second host on the folder refuses and says who has it; after kill -9 the lock is no obstacle', async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
    onTestFinished(() => removeFolder(dataFolder));
    let host: HostProcess = await startHostProcess({ dataFolder });
    onTestFinished(() => host.kill());
    const files = await snapshotOf(dataFolder);
    const second = await failToStart(['--data', dataFolder, '--port', '0', '--tls-port', 'off']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('DATA_LOCKED');
    const owner = JSON.parse(await readFile(join(dataFolder, 'host.pid'), 'utf8')) as { pid: number };
    expect(second.stderr).toContain(`process ${owner.pid}`);
    expect(await snapshotOf(dataFolder), 'nothing was changed').toEqual(files);
    expect((await send(`${host.url}/login`)).status).toBeLessThan(500);
    await host.kill();
    expect(await readdir(dataFolder), 'what the dead one left').toContain('host.pid');
    host = await startAgain(host);
    expect((await send(`${host.url}/login`)).status).toBeLessThan(500);
    await host.stop();
  });

  /** Names and sizes of what makes up the host's Store. */
  async function snapshotOf(folder: string): Promise<string[]> {
    return (await readdir(join(folder, 'host'))).filter((name) => /^(CURRENT|MANIFEST.*|.*\.(ldb|log))$/.test(name)).toSorted();
  }
});
