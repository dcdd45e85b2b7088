// Owns the proof that no secret is where it does not belong: attack F14. Secrets are planted, used rightly and wrongly, and
// looked for in every log line, answer, export and file of the data folder.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { createVault } from '../../runtime/auth/vault.ts';
import { send, type TestRequest, type TestResponse } from '../support/http.ts';
import { failToStart } from '../support/host-process.ts';
import { installApp, PASSWORD, pushApp, releaseApp, SETUP_SECRET, STATIC_FILES } from '../support/start-host.ts';
import { startAttackedHost, type AttackedHost, type DataRequest } from './data-plane.ts';

const ENV_VALUE = 'env-value-canary-6f1d';
/** Stored on purpose; found where the secrets are looked for, it shows that the search finds. */
const CONTENT = 'content-canary-90ab';

let space: AttackedHost;
let app: WireInstance;
let secrets: Record<string, (string | Buffer)[]>;
/** Bodies and headers of every answer that was no success. */
const refusals: string[] = [];

beforeAll(async () => {
  space = await startAttackedHost();
  const { owner, own } = space;
  const manifest = STATIC_FILES['Spacefile']!.replace('      api_keys: true', `      api_keys: true\n      env:\n        - name: TOKEN\n          default: ${ENV_VALUE}`);
  const pushed = await pushApp(owner, { files: { ...STATIC_FILES, Spacefile: manifest } });
  app = (await installApp(owner, await releaseApp(owner, pushed))).instance;
  await owner.visitor.visit(app.url);
  const keyOf = async (kind: string): Promise<string> => (await owner.call(`POST /instances/${app.id}/keys`, { name: kind, kind })).json().value;
  const cookie = (url: string, name: string): string => owner.visitor.jar.get(new URL(url).host)?.get(name) ?? '';
  const hostKey = await readFile(join(space.dataFolder, 'host.key'));
  secrets = {
    'the password': [PASSWORD, encodeURIComponent(PASSWORD), PASSWORD.replaceAll(' ', '+')],
    'the set-up secret': [SETUP_SECRET],
    'the access token': [owner.accessToken, owner.accessToken.split('_')[1]!],
    'the data key of a Collection': [own.key, own.key.split('_')[1]!],
    'the data key of an Instance': [await keyOf('data')],
    'the API key': [await keyOf('api')],
    'the session': [cookie(space.url, 'space_session')],
    'the session at the app': [cookie(app.url, 'space_instance')],
    'the Micro key': [createVault(hostKey).derivedSecret('micro-key', app.id)],
    'the host key': [hostKey, hostKey.toString('hex'), hostKey.toString('base64'), hostKey.toString('base64url')],
    'an invitation': [(await owner.call('POST /invites', {})).json().invite],
  };
  await useRightly();
  await useWrongly();
}, 60_000);
afterAll(() => space?.close());

async function useRightly(): Promise<void> {
  await space.own.base('things/items', { method: 'PUT', body: { items: [{ key: 'a', content: CONTENT }] } });
  await space.own.drive('things/files?name=a', { method: 'POST', body: CONTENT });
  await space.own.drive('things/files/download?name=a');
  await space.owner.call('GET /instances');
}

/** Each secret in each place where a careless client might put it. */
async function useWrongly(): Promise<void> {
  const note = ({ status, text, headers }: TestResponse): void => {
    if (status >= 400) refusals.push(JSON.stringify(headers) + text);
  };
  for (const secret of textSecrets()) {
    const coded = encodeURIComponent(secret);
    const headers = { 'authorization': `Bearer ${secret}`, 'x-api-key': secret, 'x-space-app-key': secret, 'cookie': `space_session=${coded}` };
    const requests: [string, TestRequest][] = [
      [`/api/v0/space?token=${coded}`, { headers: { authorization: `Bearer ${secret}x` } }], [`/base/v1/${coded}/things/items/a`, { headers }], [`/drive/v1/${space.sibling.id}/d/files?name=${coded}`, { headers, method: 'POST' }],
      ['/api/v0/login', { method: 'POST', body: { username: 'ada', password: `${secret}x` }, headers: { origin: space.url } }], [`/nowhere/${coded}`, { headers }], ['/api/v0/collections', { method: 'POST', headers, body: `{"name": ${secret}` }],
    ];
    for (const [path, request] of requests) note(await send(space.url + path, request));
    note(await send(`${app.url}/__space/v0/nothing?${coded}`, { headers }));
    const data: [string, DataRequest][] = [['items', { method: 'PUT', body: `{"items": ${secret}` }], ['items', { method: 'PUT', body: JSON.stringify({ items: secret }) }], ['query', { method: 'POST', body: JSON.stringify({ query: { [`a?${secret}`]: 1 } }) }], ['items', { method: 'POST', headers: { 'if-match': secret }, body: '{}' }]];
    for (const [path, request] of data) note(await space.own.base(`things/${path}`, request));
  }
}

const textSecrets = (): string[] => Object.values(secrets).flat().filter((one) => typeof one === 'string');

async function dataFiles(): Promise<{ path: string; bytes: Buffer }[]> {
  const entries = await readdir(space.dataFolder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(paths.map(async (path) => ({ path: path.slice(space.dataFolder.length + 1), bytes: await readFile(path).catch(() => Buffer.alloc(0)) })));
}

/** Which secrets are in it. */
function found(text: Buffer | string): string[] {
  return Object.entries(secrets).filter(([, forms]) => forms.some((form) => text.includes(form as string))).map(([name]) => name);
}

test('every secret is one', () => {
  for (const [name, forms] of Object.entries(secrets)) {
    for (const form of forms) expect(form.length, name).toBeGreaterThan(8);
  }
});

test('no line of the log has a secret, or what people store', () => {
  expect(space.logged()).toContain('request.refused');
  expect(found(space.logged())).toEqual([]);
  for (const content of [CONTENT, ENV_VALUE]) expect(space.logged()).not.toContain(content);
  expect(found(`{"event":"x","token":"${space.owner.accessToken}"}`)).toEqual(['the access token']);
});

test('no refusal has the secret that the request had', () => {
  expect(refusals.length).toBeGreaterThan(50);
  // What a caller sends in an address as a name may come back as that name, and nothing else.
  for (const refusal of refusals) expect(found(refusal), refusal).toEqual([]);
});

test('no file of the data folder has a secret in clear, but the host key its own', async () => {
  const files = await dataFiles();
  expect(files.filter(({ bytes }) => bytes.includes(CONTENT)).length).toBeGreaterThan(1);
  const holders = files.flatMap(({ path, bytes }) => found(bytes).map((name) => `${path}: ${name}`));
  expect(holders).toEqual(['host.key: the host key']);
});

test('no secret leaves with an export', async () => {
  const answer = await space.owner.call(`GET /collections/${space.own.id}/export`);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-disposition']).toContain('attachment');
  expect(answer.bytes.subarray(0, 2).toString()).toBe('PK');
  expect([...found(answer.bytes), ...found(JSON.stringify(answer.headers))]).toEqual([]);
  expect(answer.bytes.includes('drives/things/a')).toBe(true);
});

describe('settings with a secret', () => {
  const SECRET = 's3-secret-canary-77c2';

  test.each<[string, string[], Record<string, string>]>([
    ['whose server does not answer', ['--blobs', `s3://access:${SECRET}@127.0.0.1:9/bucket?tls=0`], {}],
    ['of a wrong form', [], { OWNSPACE_BLOBS: `s3://access:${SECRET}@/bucket` }],
  ])('%s are refused without repeating it', async (_, args, env) => {
    const { code, stdout, stderr } = await failToStart(args, env);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(/--blobs|OWNSPACE_BLOBS/);
    expect((stdout + stderr).includes(SECRET), stdout + stderr).toBe(false);
  }, 60_000);
});
