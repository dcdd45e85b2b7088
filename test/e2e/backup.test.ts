// Owns the proof that people can go back, take their data out and bring it in, by the commands that docs/backup.md shows,
// and that quotas hold at a real host.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { zipOf } from '../builder/archive.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { copyExample } from '../support/space-command.ts';
import { push, pushNew, settleGuest, settleOwner, type Resident } from './people.ts';

let host: HostProcess;
let ada: Resident;
let bob: Resident;
let instance: WireInstance;
let project: string;
let folder: string;
let dataKey: string;

beforeAll(async () => {
  host = await startHostProcess();
  ada = await settleOwner(host);
  bob = await settleGuest(host, ada);
  project = await copyExample('guestbook');
  folder = await mkdtemp(join(tmpdir(), 'backup-'));
  instance = await pushNew(ada, project, 'guestbook');
  dataKey = (await ada.api('POST', `/instances/${instance.id}/keys`, { name: 'test', kind: 'data' })).json<{ value: string }>().value;
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  for (const person of [ada, bob]) await person?.[Symbol.asyncDispose]();
  await Promise.all([project, folder].filter(Boolean).map(removeFolder));
});

const base = (path: string, method = 'GET', body?: object) => send(`${host.url}/base/v1/${instance.collection_id}/entries/${path}`, { method, body, headers: { 'x-api-key': dataKey } });
const drive = (path: string, method = 'GET', body?: string) => send(`${host.url}/drive/v1/${instance.collection_id}/pictures/${path}`, { method, body, headers: { 'x-api-key': dataKey } });

async function write(key: string, text: string): Promise<number> {
  return (await base('items', 'PUT', { items: [{ key, text }] })).status;
}

async function keys(): Promise<string[]> {
  return (await base('query', 'POST', {})).json<{ items: { key: string }[] }>().items.map(({ key }) => key).filter((key) => key.startsWith('k'));
}

test('the commands of docs/backup.md run as written', async () => {
  await write('k1', 'one');
  expect((await drive('files?name=a.txt', 'POST', 'hello')).status).toBe(201);
  await writeFile(join(folder, 'space'), `#!/bin/sh\nexec node ${join(CHECKOUT, 'bin', 'space.js')} "$@"\n`);
  await chmod(join(folder, 'space'), 0o755);
  const text = await readFile(join(CHECKOUT, 'docs', 'backup.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  expect(blocks.length).toBe(4);
  const ran = await bash(blocks.join('\n'));
  expect(ran.code, ran.output).toBe(0);
  expect(ran.output).toContain('before I clean up');
  expect(ran.output).toMatch(/Nothing was changed\..*would change like this:\nKIND +NAME +ADDED +CHANGED +UNCHANGED\nBase +entries +0 +0 +1\nDrive +pictures +0 +0 +1/s);
  expect(ran.output).toContain('"used_bytes":');
  expect((await stat(join(folder, 'guestbook.zip'))).size).toBeGreaterThan(200);
});

test('the commands of docs/updates.md run as written, and leave the app as it was', async () => {
  await push(ada, project);
  const before = await keys();
  const text = await readFile(join(CHECKOUT, 'docs', 'updates.md'), 'utf8');
  const ran = await bash([...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n'));
  expect(ran.code, ran.output).toBe(0);
  expect(ran.output).toContain('takes the place of version');
  expect(ran.output).toContain(`It is back at ${instance.url}`);
  expect((await ada.api('GET', `/instances/${instance.id}`)).json()).toMatchObject({ status: 'ready', version: instance.version, url: instance.url });
  expect(await keys()).toEqual(before);
});

test('a snapshot brings back what was deleted, and the restore can be undone', async () => {
  await write('k2', 'two');
  const made = await ada.space(['snapshot', 'create', '--instance', 'guestbook', '--json']);
  const { id } = JSON.parse(made.stdout) as { id: string };
  await base('items/k2', 'DELETE');
  await drive('files', 'DELETE', JSON.stringify({ names: ['a.txt'] }));
  expect(await keys()).not.toContain('k2');
  const restored = await ada.space(['snapshot', 'restore', id, '--instance', 'guestbook', '--json']);
  expect(await keys()).toContain('k2');
  expect((await drive('files/download?name=a.txt')).text).toBe('hello');
  const { replaced } = JSON.parse(restored.stdout) as { replaced: { id: string } };
  await ada.space(['snapshot', 'restore', replaced.id, '--instance', 'guestbook']);
  expect(await keys()).not.toContain('k2');
  const missing = await ada.space(['snapshot', 'restore', 'nobody', '--instance', 'guestbook']);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('This snapshot does not exist.') });
});

test('`space verify` tells what is damaged until it is mended or struck off', async () => {
  const verify = (...flags: string[]) => ada.space(['verify', '--instance', 'guestbook', ...flags]);
  expect((await drive('files?name=hurt.txt', 'POST', 'to be hurt')).status).toBe(201);
  expect(await verify()).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/No damage to guestbook\S* is known\./) });
  const blobs = join(host.dataFolder, 'spaces', (await ada.api('GET', '/space')).json<{ id: string }>().id, 'collections', instance.collection_id, 'blobs');
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path, 'utf8')) === 'to be hurt') await writeFile(path, 'hurt');
  }
  expect(await verify('--known')).toMatchObject({ code: 0 });
  expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringMatching(/damaged +Drive pictures: hurt\.txt +The content of a File is missing, or cut\./) });
  expect(JSON.parse((await verify('--known', '--json')).stdout)).toMatchObject({ damage: [{ kind: 'blob', things: [{ key: 'hurt.txt', state: 'damaged' }] }] });
  const { stdout: log } = await ada.space(['logs', '--instance', 'guestbook']);
  expect(log).toContain('pictures/hurt.txt');
  await drive('files?name=hurt.txt', 'POST', 'again');
  expect(await verify('--known')).toMatchObject({ code: 0, stderr: expect.stringContaining('can be read again') });
  expect(await verify('--forget')).toMatchObject({ code: 0 });
  expect(JSON.parse((await verify('--known', '--json')).stdout)).toEqual({ damage: [] });
});

test('an export moves the data to another app, and imports say what they do', async () => {
  const out = join(folder, 'move.zip');
  const exported = await ada.space(['export', '--instance', 'guestbook', '--out', out, '--json']);
  expect(JSON.parse(exported.stdout)).toMatchObject({ file: out, bytes: (await stat(out)).size, collection_id: instance.collection_id });
  const target = (await bob.api('POST', '/collections', { name: 'from ada' })).json<{ id: string }>();
  const dry = await bob.space(['import', out, '--collection', 'from ada', '--dry-run', '--json']);
  expect(JSON.parse(dry.stdout)).toMatchObject({ dry_run: true, verified: true, bases: [{ name: 'entries', added: 1 }] });
  expect((await bob.api('GET', `/collections/${target.id}/bases`)).json()).toEqual({ bases: [] });
  const done = await bob.space(['import', out, '--collection', target.id]);
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect((await bob.api('GET', `/collections/${target.id}/usage`)).json()).toMatchObject({ bases: [{ name: 'entries', items: 1 }] });
  const back = await bob.space(['export', '--collection', target.id], { cwd: folder });
  expect(back.stdout.trim()).toMatch(/from-ada-\d{4}-\d\d-\d\dT\d{6}\.zip$/);
});

test('a hostile zip is refused with its reason, by status and by command', async () => {
  const path = join(folder, 'bad.zip');
  await writeFile(path, (await zipOf({ 'drives/d/aaa/x': 'x' })).toString('latin1').replaceAll('aaa', '../').slice(0), 'latin1');
  const ran = await ada.space(['import', path, '--instance', 'guestbook']);
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/The archive was refused: .*Nothing was changed\./) });
  const answer = await fetch(`${host.url}/api/v0/instances/${instance.id}/import`, { method: 'POST', body: await readFile(path), headers: { authorization: `Bearer ${ada.token}` } });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, 'ARCHIVE_INVALID']);
  const late = await fetch(`${host.url}/api/v0/instances/${instance.id}/import`, { method: 'POST', body: await zipOf({ 'bases/x.json': '[1]' }), headers: { authorization: `Bearer ${ada.token}` } });
  expect(JSON.parse((await late.text()).trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'ARCHIVE_INVALID', detail: expect.stringContaining('bases/x.json') } });
  const none = await ada.space(['import', join(folder, 'none.zip'), '--instance', 'guestbook']);
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('does not exist') });
});

test('a quota stops the writes of one app or Space, readably, and holds after a restart', async () => {
  const used = (await ada.api('GET', '/space/quota')).json<{ used_bytes: number; limit_bytes: number; collections: { id: string; used_bytes: number }[] }>();
  expect(used.limit_bytes).toBe(50e9);
  const limited = await ada.api('PATCH', `/instances/${instance.id}/quota`, { limit_bytes: 5000 });
  expect(limited.json()).toMatchObject({ id: instance.collection_id, limit_bytes: 5000 });
  const refused = await base('items', 'PUT', { items: [{ key: 'k9', text: 'x'.repeat(6000) }] });
  expect(refused.status).toBe(507);
  expect(refused.json()).toMatchObject({ errors: [expect.stringMatching(/^This app has used .* of its 5\.00 KB\./)], code: 'QUOTA_EXCEEDED' });
  expect((await base('items/k1')).status).toBe(200);
  expect((await ada.api('PATCH', `/instances/${instance.id}/quota`, { limit_bytes: null })).json()).toMatchObject({ limit_bytes: 10e9 });
  expect(await write('k9', 'x'.repeat(6000))).toBe(207);

  const { spaces } = (await ada.api('GET', '/spaces')).json<{ spaces: { id: string; name: string }[] }>();
  expect(spaces.map(({ name }) => name).toSorted()).toEqual(['ada', 'bob']);
  const adas = spaces.find(({ name }) => name === 'ada')!.id;
  for (const call of [bob.api('GET', '/spaces'), bob.api('PATCH', `/spaces/${adas}/quota`, { limit_bytes: 1 })]) expect((await call).status).toBe(403);
  for (const limit of [-1, 1.5, '7', undefined]) expect((await ada.api('PATCH', `/spaces/${adas}/quota`, { limit_bytes: limit })).status).toBe(400);
  expect((await ada.api('PATCH', '/spaces/nobody/quota', { limit_bytes: 1 })).status).toBe(404);
  expect((await ada.api('PATCH', `/spaces/${adas}/quota`, { limit_bytes: 1000 })).status).toBe(200);
  expect(await write('k10', 'x'.repeat(2000))).toBe(507);

  const { dataFolder } = host;
  await host.kill();
  host = await startHostProcess({ dataFolder });
  expect(await write('k10', 'x'.repeat(2000))).toBe(507);
  expect((await send(`${host.url}/api/v0/spaces/${adas}/quota`, { method: 'PATCH', body: { limit_bytes: null }, headers: { authorization: `Bearer ${ada.token}` } })).status).toBe(200);
  expect(await write('k10', 'x'.repeat(2000))).toBe(207);
});

function bash(script: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-e', '-u', '-o', 'pipefail', '-c', script], {
      cwd: folder, env: { PATH: `${folder}:${process.env['PATH']}`, HOME: folder, TMPDIR: tmpdir(), SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: ada.token },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += String(chunk); });
    child.on('close', (code) => resolve({ code, output }));
  });
}
