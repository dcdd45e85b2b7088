// Owns the proof of the S3 BlobStore against a real server: the contract, parts, what stays behind, and how it fails.
import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { openS3 } from '../../../sandbox-data/blob/s3.ts';
import { readS3Place, type S3Place } from '../../../sandbox-data/blob/s3-place.ts';
import type { BlobScopes } from '../../../sandbox-data/blob/blob-store.ts';
import { describeBlobStore } from '../../contract/blob-store.ts';
import { gather } from '../../contract/gather.ts';
import { CANARY, findS3Server, startS3Server, type S3Server } from '../../support/s3-server.ts';
import { until } from '../../support/start-host.ts';
import { bytes, collected, failure } from '../open-data.ts';

const program = findS3Server();
const MIB = 1024 * 1024;

describe.skipIf(!program)('with a real S3 server', () => {
  let server: S3Server;
  let scopes: BlobScopes;
  /** Looks past the driver. */
  let client: Client;
  let count = 0;
  const newScope = (): string => `artifacts/t${(count += 1)}`;
  const placeOf = (bucket: string, change: Partial<S3Place> = {}): S3Place => ({ ...(readS3Place(server.url(bucket)) as S3Place), ...change });

  beforeAll(async () => {
    server = await startS3Server(program!);
    scopes = await openS3(placeOf('ownspace'));
    client = new Client({ endPoint: '127.0.0.1', port: server.port, useSSL: false, accessKey: server.accessKey, secretKey: server.secretKey });
  });
  afterAll(async () => {
    await scopes?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const objects = async (prefix = ''): Promise<string[]> => (await gather<{ name: string }>(client.listObjectsV2('ownspace', prefix, true))).map(({ name }) => name);
  const unfinished = async (name: string): Promise<unknown[]> => (await client.listIncompleteUploadsQuery('ownspace', name, '', '', '')).uploads;

  describeBlobStore('s3', () => scopes.open(newScope()));

  test.each([8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 7])('%i bytes of a length that nobody told come back exactly', async (size) => {
    const [scope, content] = [newScope(), randomBytes(size)];
    const blobs = await scopes.open(scope);
    expect(await blobs.put('a', bytes(content.subarray(0, 100), content.subarray(100, 9 * MIB), content.subarray(9 * MIB)))).toEqual({ sizeBytes: size });
    expect(content.equals(await collected(await blobs.get('a')))).toBe(true);
    const range = { start: size - 5, end: size + 5 };
    expect(content.subarray(-5).equals(await collected(await blobs.get('a', range)))).toBe(true);
    expect(await unfinished(`${scope}/a`)).toEqual([]);
  });

  test('what breaks off after some parts leaves no blob, no part, and what was there before', async () => {
    const scope = newScope();
    const blobs = await scopes.open(scope);
    await blobs.put('old', bytes('kept'));
    let isUnderway = false;
    const failing = async function* (name: string): AsyncGenerator<Uint8Array> {
      for (let part = 0; part < 3; part += 1) yield randomBytes(8 * MIB);
      isUnderway ||= (await unfinished(`${scope}/${name}`)).length === 1;
      throw new Error('the sender went away');
    };
    for (const name of ['old', 'fresh']) await expect(blobs.put(name, failing(name))).rejects.toThrow('the sender went away');
    await expect(blobs.put('fresh', bytes(randomBytes(17 * MIB)), { maxBytes: 16 * MIB })).rejects.toEqual(failure('PAYLOAD_TOO_LARGE'));
    expect(isUnderway).toBe(true); // else there was nothing to leave behind
    for (const name of ['old', 'fresh']) expect(await unfinished(`${scope}/${name}`)).toEqual([]);
    expect((await collected(await blobs.get('old'))).toString()).toBe('kept');
    expect(await objects(`${scope}/`)).toEqual([`${scope}/old`]);
  });

  test('scopes do not see each other, and one is removed without the other', async () => {
    const [one, two] = ['spaces/s1/c1', 'spaces/s1/c12'];
    for (const scope of [one, two]) await (await scopes.open(scope)).put('a', bytes(scope));
    expect(await gather((await scopes.open(one)).list())).toEqual(['a']);
    expect((await collected(await (await scopes.open(two)).get('a'))).toString()).toBe(two);
    await scopes.remove(one);
    await scopes.remove(one);
    expect(await objects('spaces/')).toEqual([`${two}/a`]);
    for (const scope of ['', '..', 'a/../b', '/a', 'a/', 'A']) await expect(scopes.open(scope)).rejects.toThrow(TypeError);
  });

  test('more than a thousand blobs are listed and removed', async () => {
    const scope = newScope();
    const blobs = await scopes.open(scope);
    const keys = Array.from({ length: 1100 }, (_, at) => `k${at}`);
    for (let at = 0; at < keys.length; at += 100) await Promise.all(keys.slice(at, at + 100).map((key) => blobs.put(key, bytes(key))));
    expect((await gather(blobs.list())).toSorted()).toEqual(keys.toSorted());
    await scopes.remove(scope);
    expect(await gather(blobs.list())).toEqual([]);
  });

  test('a bucket that is missing is made', async () => {
    const fresh = await openS3(placeOf('made-by-the-host'));
    expect(await client.bucketExists('made-by-the-host')).toBe(true);
    await fresh.close();
  });

  test.each<[string, Partial<S3Place>]>([
    ['a wrong secret', { secretKey: `wrong-${CANARY}` }], ['an unknown key', { accessKey: 'nobody', secretKey: `wrong-${CANARY}` }],
    ['a closed port', { port: 1 }], ['an unknown host', { host: 'no-such-host.invalid' }], ['TLS where there is none', { hasTls: true }],
  ])('%s keeps it shut, with a reason and without the secret', async (_name, change) => {
    const error = await openS3(placeOf('ownspace', change)).then(() => undefined, (reason: unknown) => reason as Error);
    expect(error).toEqual(failure('BLOBS_UNUSABLE'));
    expect(error?.message).toMatch(/s3:\/\/\S+\/ownspace cannot be used: it (said \w+|cannot be reached \(\w+\))\./);
    expect(allOf(error)).not.toContain(CANARY);
  });

  test('a server that is away is STORE_UNAVAILABLE with its cause, and comes back without a restart', async () => {
    const blobs = await scopes.open(newScope());
    await blobs.put('a', bytes('before'));
    await server.stop();
    try {
      const attempts = [() => blobs.put('b', bytes('x')), () => blobs.put('c', bytes(randomBytes(9 * MIB))), () => blobs.get('a'), () => blobs.head('a'), () => blobs.delete('a'), () => gather(blobs.list())];
      for (const attempt of attempts) {
        const error = await attempt().then(() => undefined, (reason: unknown) => reason as Error);
        expect(error).toEqual(failure('STORE_UNAVAILABLE'));
        expect(error?.cause).toBeInstanceOf(Error);
        expect(allOf(error)).not.toContain(CANARY);
      }
    } finally {
      await server.start();
    }
    expect((await collected(await blobs.get('a'))).toString()).toBe('before');
    expect(await gather(blobs.list())).toEqual(['a']);
  });

  test('a server that accepts and says nothing is STORE_UNAVAILABLE after a while, and not asked thrice', async () => {
    let isMute = false;
    let asked = 0;
    const between = createServer((socket) => {
      asked += 1;
      const onward = connect(server.port, '127.0.0.1');
      for (const [from, to] of [[socket, onward], [onward, socket]] as const) {
        from.on('error', () => to.destroy()).on('close', () => to.destroy()).on('data', (data) => { if (!isMute) to.write(data); });
      }
    });
    await new Promise<void>((resolve) => { between.listen(0, '127.0.0.1', resolve); });
    const slow = await openS3(placeOf('ownspace', { port: (between.address() as AddressInfo).port }), { silenceMs: 300 });
    try {
      const blobs = await slow.open(newScope());
      await blobs.put('a', bytes(randomBytes(20 * MIB)));
      const stream = await blobs.get('a');
      await wait(700); // a reader who takes long is no silence of the server
      expect((await collected(stream)).length).toBe(20 * MIB);
      const broken = await blobs.get('a');
      isMute = true;
      await expect(collected(broken)).rejects.toEqual(failure('STORE_UNAVAILABLE'));
      asked = 0;
      await expect(blobs.head('a')).rejects.toEqual(failure('STORE_UNAVAILABLE'));
      expect(asked).toBeLessThanOrEqual(1);
    } finally {
      await slow.close();
      between.close();
    }
  });

  test.skipIf(program?.endsWith('minio'))('parts that a dead process left a day ago are removed at the next start, younger ones are not', async () => {
    const scope = newScope();
    await client.initiateNewMultipartUpload('ownspace', `${scope}/half`, {});
    await client.initiateNewMultipartUpload('ownspace', 'somebody-elses/half', {});
    const after = async (hours: number): Promise<BlobScopes> => openS3(placeOf('ownspace'), { clock: { ...systemClock, now: () => Date.now() + hours * 3_600_000 } });
    const young = await after(23);
    await wait(300); // nothing tells when it has looked
    expect(await unfinished(`${scope}/half`)).toHaveLength(1);
    const old = await after(25);
    await until(async () => ((await unfinished(`${scope}/half`)).length === 0 ? true : undefined));
    expect(await unfinished('somebody-elses/half')).toHaveLength(1);
    await Promise.all([young.close(), old.close()]);
  });

  test('a download that breaks off fails as STORE_UNAVAILABLE, never as a shorter blob', async () => {
    const blobs = await scopes.open(newScope());
    await blobs.put('a', bytes(randomBytes(40 * MIB)));
    const stream = await blobs.get('a');
    try {
      await server.stop();
      await expect(collected(stream)).rejects.toEqual(failure('STORE_UNAVAILABLE'));
    } finally {
      await server.start();
    }
  });
});

/** Everything that a log or a crash report could show of an error. */
function allOf(error: unknown): string {
  const texts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) texts.push(at.message, at.stack ?? '', JSON.stringify({ ...at }));
  return texts.join('\n');
}
