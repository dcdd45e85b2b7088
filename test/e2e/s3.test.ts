// A host that keeps Files and Revisions in S3, as its owner starts it: an app is pushed and used, a Drive is filled by the
// HTTP API, all of it again after a restart; and the secret of S3 is nowhere to be found afterwards.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireCollection, WireInstance } from '../../core/wire.ts';
import { gather } from '../contract/gather.ts';
import { CHECKOUT, failToStart, removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { CANARY, findS3Server, startS3Server, type S3Server } from '../support/s3-server.ts';
import { copyExample } from '../support/space-command.ts';
import { pushNew, settleOwner, signIn, type Resident } from './people.ts';

const program = findS3Server();
const BLOBS = 'OWNSPACE_BLOBS';

describe.skipIf(!program)('with a real S3 server', () => {
  let server: S3Server;
  let host: HostProcess;
  let ada: Resident;
  let guestbook: string;
  let app: WireInstance;
  let drive: { url: string; headers: Record<string, string> };
  let dataFolder: string;
  /** What hosts printed so far, of both. */
  let printed = '';
  const content = randomBytes(9_000_000);
  const env = (): Record<string, string> => ({ [BLOBS]: server.url('cloud'), OWNSPACE_LOG: 'debug' });

  beforeAll(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
    server = await startS3Server(program!);
    host = await startHostProcess({ dataFolder, env: env() });
    ada = await settleOwner(host);
  });
  afterAll(async () => {
    await host?.kill();
    await ada?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    for (const folder of [dataFolder, guestbook]) if (folder) await removeFolder(folder);
  });

  const stored = async (prefix: string): Promise<string[]> => {
    const client = new Client({ endPoint: '127.0.0.1', port: server.port, useSSL: false, accessKey: server.accessKey, secretKey: server.secretKey });
    return (await gather<{ name: string }>(client.listObjectsV2('cloud', prefix, true))).map(({ name }) => name);
  };
  const restart = async (): Promise<void> => {
    expect(await host.stop()).toBe(0);
    printed += host.stdout() + host.stderr();
    host = await startAgain(host, { env: env() });
  };

  test('the guestbook is pushed, answers, and keeps its pictures', async () => {
    guestbook = await copyExample('guestbook');
    app = await pushNew(ada, guestbook, 'guestbook');
    await signIn(host, ada);
    expect((await ada.browser.visit(app.url)).status).toBe(200);
    const picture = await readFile(join(CHECKOUT, 'examples', 'guestbook', 'icon.png'));
    const uploaded = await ada.browser.fetch(`${app.url}api/pictures`, { method: 'POST', body: picture, headers: { 'content-type': 'image/png' } });
    expect(uploaded.status, uploaded.text).toBe(201);
    const shown = await ada.browser.fetch(`${app.url}api/pictures/${uploaded.json<{ name: string }>().name}`);
    expect(picture.equals(shown.bytes)).toBe(true);
    expect((await stored('artifacts/')).length).toBeGreaterThan(1);
    expect(await stored('spaces/')).toHaveLength(1);
    expect(await readdir(dataFolder)).not.toContain('artifacts');
  });

  test('a Drive is filled and read by the HTTP API', async () => {
    const collection = (await ada.api('POST', '/collections', { name: 'things' })).json<WireCollection>();
    const { value } = (await ada.api('POST', `/collections/${collection.id}/keys`, { name: 'key' })).json<{ value: string }>();
    drive = { url: `${host.url}/drive/v1/${collection.id}/photos`, headers: { 'x-api-key': value } };
    const answer = await send(`${drive.url}/files?name=big.bin`, { method: 'POST', body: content, headers: drive.headers });
    expect(answer.status, answer.text).toBe(201);
    expect(content.equals((await send(`${drive.url}/files/download?name=big.bin`, { headers: drive.headers })).bytes)).toBe(true);
    expect((await stored('spaces/')).filter((name) => name.includes(`/${collection.id}/`))).toHaveLength(1);
  });

  test('all of it is there after a restart', async () => {
    await restart();
    expect(content.equals((await send(`${drive.url}/files/download?name=big.bin`, { headers: drive.headers })).bytes)).toBe(true);
    const part = await send(`${drive.url}/files/download?name=big.bin`, { headers: { ...drive.headers, range: 'bytes=8999990-' } });
    expect([part.status, content.subarray(-10).equals(part.bytes)]).toEqual([206, true]);
    await signIn(host, ada);
    expect((await ada.browser.visit(app.url)).status).toBe(200);
  });

  test('while S3 is away Drives answer 503 without a word of it, Bases go on, and it heals', async () => {
    const base = drive.url.replace('/drive/', '/base/');
    await server.stop();
    try {
      const download = await send(`${drive.url}/files/download?name=big.bin`, { headers: drive.headers });
      expect(download.status).toBe(503);
      expect(download.text).not.toMatch(new RegExp(`${CANARY}|${server.accessKey}|${server.port}`));
      expect((await send(`${base}/items`, { method: 'PUT', body: { items: [{ key: 'a' }] }, headers: drive.headers })).status).toBe(207);
    } finally {
      await server.start();
    }
    expect(content.equals((await send(`${drive.url}/files/download?name=big.bin`, { headers: drive.headers })).bytes)).toBe(true);
  });

  test('a wrong secret or place keeps the host from starting, and says why', async () => {
    const wrong = server.url('cloud').replace(CANARY, `${CANARY}x`);
    for (const [value, reason] of [[wrong, /cannot be used: it said \w+\./], [server.url('cloud').replace(/\/cloud.*/, ''), /the bucket is missing/]] as const) {
      const start = await failToStart(['--data', join(dataFolder, 'other'), '--port', '0', '--tls-port', 'off', '--blobs', value]);
      expect(start.code).toBe(1);
      expect(start.stderr).toMatch(reason);
      printed += start.stdout + start.stderr;
    }
  });

  test('the secret of S3 is in no output and in no file', async () => {
    await restart();
    await host.stop();
    printed += host.stdout() + host.stderr();
    expect(printed).toContain('Dashboard'); // there was something to search
    expect(printed).not.toContain(CANARY);
    const files = (await readdir(dataFolder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const holding = async (text: string): Promise<string[]> => {
      const contents = await Promise.all(files.map(async (file) => ({ name: file.name, content: await readFile(join(file.parentPath, file.name)) })));
      return contents.filter((each) => each.content.includes(text)).map(({ name }) => name);
    };
    expect(await holding('guestbook')).not.toEqual([]); // the search finds what is there
    expect(await holding(CANARY)).toEqual([]);
  });
});
