// Owns the proof that sources which wait for their build take no more of the disk than one account, and the host, may.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSources, type Sources } from '../../builder/sources.ts';
import { SpaceError } from '../../core/errors.ts';
import { errorHeaders } from '../../runtime/http/reply.ts';
import { codeOf } from '../support/identity.ts';
import { chunks } from './archive.ts';
import { SOURCE, testBuilder } from './test-builder.ts';

let folder: string;
let sources: Sources;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  sources = await open();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (): Promise<Sources> => createSources(folder, { spaceBytes: 1000, hostBytes: 1500 });
const send = (id: string, size: number, announced = size): Promise<string | undefined> =>
  codeOf(sources.receive({ id, spaceId: id.slice(0, 1) }, chunks(Buffer.alloc(size)), announced));

test('one account has so much, all together have so much, and what is built makes room', async () => {
  expect([await send('a1', 600), await send('a2', 600), await send('a3', 400), await send('b1', 600), await send('b2', 500)]).toEqual([undefined, 'BUILD_ROOM_FULL', undefined, 'HOST_BUILD_ROOM_FULL', undefined]);
  expect((await readdir(folder)).toSorted()).toEqual(['a1.zip', 'a3.zip', 'b2.zip']);
  await sources.remove('a1');
  expect([await send('a4', 700), await send('a5', 600)]).toEqual(['BUILD_ROOM_FULL', undefined]);
});

test('what is sent without its size, or with a lie about it, counts as it comes', async () => {
  expect([await send('a1', 1200, 0), await send('a2', 1200, 100), await send('a3', 900, 100)]).toEqual(['BUILD_ROOM_FULL', 'BUILD_ROOM_FULL', undefined]);
  expect(await readdir(folder)).toEqual(['a3.zip']);
  expect(await send('a4', 200, 0)).toBe('BUILD_ROOM_FULL');
});

test('after a restart what waits still counts, and the rest is gone', async () => {
  await Promise.all([send('a1', 900), writeFile(join(folder, 'left.zip.part'), 'half')]);
  sources = await open();
  await sources.keepOnly([{ id: 'a1', spaceId: 'a' }]);
  expect(await readdir(folder)).toEqual(['a1.zip']);
  expect([await send('a2', 200), await send('b1', 200)]).toEqual(['BUILD_ROOM_FULL', undefined]);
});

test('a push that is refused for it says when to come again, took nothing, and can be sent again', async () => {
  const host = await testBuilder();
  const first = await host.push();
  await host.restart({ sourceRoom: { spaceBytes: 10_000, hostBytes: 20_000 } });
  const { id } = await host.builder.builds.create({ project: host.project });
  const refused = await host.builder.builds.putSource(id, chunks(Buffer.alloc(1)), 10_001).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'BUILD_ROOM_FULL', status: 429 });
  expect(errorHeaders(refused as SpaceError)).toEqual({ 'retry-after': '30' });
  expect(errorHeaders(new SpaceError('HOST_BUILD_ROOM_FULL', { retryAfterSeconds: 30, limit: 'x' }))).toEqual({ 'retry-after': '30' });
  expect((await host.builder.builds.get(id)).state).toBe('created');
  // As often as somebody likes, since what is built makes room.
  for (let count = 0; count < 3; count += 1) expect((await host.push({ ...SOURCE, 'web/large.bin': String(count).repeat(5000) })).build.status).toBe('complete');
  expect(first.build.status).toBe('complete');
  await host.clear();
});
