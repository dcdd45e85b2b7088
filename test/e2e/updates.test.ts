// Owns the proof that an update can be trusted: it says what it brings, it is tried before anybody reaches it, what fails is
// undone with its data, and people go back, delete and bring back as they like. Faults 5, 36, 40 and 41.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstallation, WireInstance, WireRollback, WireSnapshot, WireTrashed, WireUpdate, WireVersion } from '../../core/wire.ts';
import { send, type TestResponse } from '../support/http.ts';
import { installApp, installationEnd, pushApp, releaseApp, startTestHost, until, type Person, type PushedApp, type TestHost } from '../support/start-host.ts';

let space: TestHost;
let developer: Person;
let person: Person;
let pushed: PushedApp;
let app: WireInstance;

interface Edition { version: string; spacefile?: string[]; root?: string; top?: string }

/** Keeps notes. `root` is what `GET /` does, `top` what happens at the start. */
function filesOf({ version, spacefile = [], root = 'return new Response("home");', top = '' }: Edition): Record<string, string> {
  return {
    Spacefile: ['v: 0', 'micros:', '  - name: notes', '    src: .', '    engine: isolate', '    primary: true', '    public_routes:', '      - /version', '      - /notes', ...spacefile, ''].join('\n'),
    'index.js': `${top}
      export default { async fetch(request, env) {
        const notes = env.Base('notes');
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === '/version') return new Response('${version}');
        if (pathname === '/notes' && request.method === 'POST') return Response.json(await notes.put({ text: searchParams.get('text'), by: '${version}' }, searchParams.get('text')));
        if (pathname === '/notes') return Response.json((await notes.fetch()).items.map(({ key, by }) => key + ' by ' + by).sort());
        ${root}
      } };`,
  };
}

async function release(edition: Edition, more: object = {}): Promise<string> {
  const next = await pushApp(developer, { projectId: pushed?.projectId, name: 'notes', files: filesOf(edition) });
  pushed ??= next;
  return releaseApp(developer, next, { version: edition.version, release_notes: `Notes of ${edition.version}.`, discovery_list: true, ...more });
}

const at = (path: string, method = 'GET'): Promise<TestResponse> => send(app.url + path, { method });
const note = async (text: string): Promise<number> => (await at(`notes?text=${text}`, 'POST')).status;
const notes = async (): Promise<string[]> => (await at('notes')).json();
const versionNow = async (): Promise<string> => (await at('version')).text;
const get = async <T>(path: string): Promise<T> => (await person.call(`GET ${path}`)).json<T>();
const logOf = async (who: Person, id: string): Promise<string> => (await who.call(`GET /instances/${id}/logs`)).text;
const snapshots = async (): Promise<WireSnapshot[]> => (await get<{ snapshots: WireSnapshot[] }>(`/collections/${app.collection_id}/snapshots`)).snapshots;
const versions = async (): Promise<WireVersion[]> => (await get<{ versions: WireVersion[] }>(`/instances/${app.id}/versions`)).versions;

async function update(releaseId: string, more: object = {}): Promise<WireInstallation> {
  const started = await person.call('POST /installations', { release_id: releaseId, instance_id: app.id, ...more });
  expect(started.status, started.text).toBe(202);
  return installationEnd(person, started.json<WireInstallation>().id);
}

async function rollback(wish: object): Promise<WireInstallation> {
  const started = await person.call(`POST /instances/${app.id}/rollback`, wish);
  expect(started.status, started.text).toBe(202);
  return installationEnd(person, started.json<WireInstallation>().id);
}

beforeAll(async () => {
  space = await startTestHost();
  developer = space.owner;
  person = space.member;
  app = (await installApp(person, await release({ version: '1' }))).instance;
}, 60_000);
afterAll(() => space?.close());

describe('an update', () => {
  let second: string;

  test('says what it brings: notes of all versions in between, what becomes public, what else is different', async () => {
    await release({ version: '1.5' });
    second = await release({ version: '2', spacefile: ['      - /open/*', '    presets:', '      env:', '        - name: COLOUR', '          description: of the page', '          default: red', '  - name: extra', '    src: .', '    engine: static', '    serve: .', '    path: extra'] });
    const offer = await get<WireUpdate>(`/instances/${app.id}/update`);
    expect(offer).toMatchObject({ instance_id: app.id, from: { version: '1' }, to: { version: '2', release_id: second } });
    expect(offer.notes.map(({ version, release_notes: text }) => [version, text])).toEqual([['2', 'Notes of 2.'], ['1.5', 'Notes of 1.5.']]);
    expect(offer.changes.map(({ kind, change, what }) => [kind, change, what])).toEqual([['public_route', 'added', '/open/*'], ['micro', 'added', 'extra'], ['env', 'added', 'COLOUR']]);
    expect(offer.changes[0]?.text).toBe('`/open/*` is open to everybody from now on, without signing in.');
    expect((await get<WireUpdate>(`/instances/${app.id}/update?release_id=${second}`)).to?.version).toBe('2');
    expect((await person.call(`GET /instances/${app.id}/update?release_id=nosuch`)).status).toBe(404);
  });

  test('is one moment for whoever uses the app: nobody is refused, and nobody sees the old version after the new one', async () => {
    expect(await note('first')).toBe(200);
    const seen: string[] = [];
    let isOver = false;
    const visitors = Array.from({ length: 4 }, async () => {
      while (!isOver) seen.push(await at('version').then(({ status, text }) => (status === 200 ? text : `status ${status}`)));
    });
    await until(async () => (seen.length > 4 ? true : undefined));
    expect(await update(second)).toMatchObject({ status: 'complete', kind: 'update' });
    await until(async () => (seen.at(-1) === '2' ? true : undefined));
    isOver = true;
    await Promise.all(visitors);
    expect(new Set(seen)).toEqual(new Set(['1', '2']));
    // Four at a time: as many may have been answered by the old one while the new one came.
    expect(seen.slice(seen.indexOf('2') + 4)).not.toContain('1');
    expect(await notes()).toEqual(['first by 1']);
    expect((await snapshots()).map(({ kind, note: text }) => [kind, text])).toEqual([['automatic', 'Before the update from 1 to 2']]);
    expect(await get<WireUpdate>(`/instances/${app.id}/update`)).toMatchObject({ to: null, changes: [] });
  });
});

describe('fault 40: an update that fails its check', () => {
  test.each([
    ['does not start', { version: '3-broken', top: 'throw new Error("no secret of the owner");' }, 'no secret of the owner', 'MICRO_START_FAILED'],
    ['throws at every request', { version: '3-throws', root: 'throw new Error("x");' }, 'Micro `notes`', 'MICRO_THREW'],
    ['answers with an error', { version: '3-error', root: 'return new Response("", { status: 500 });' }, 'with status 500', 'STATUS_500'],
  ] as [string, Edition, string, string][])('because it %s is taken back, and both are told', async (_, edition, reason, code) => {
    const before = await notes();
    const kept = (await snapshots()).filter(({ kind }) => kind === 'replaced').length;
    const failing = await release(edition);
    const job = await update(failing);
    expect(job).toMatchObject({ status: 'failed', error: expect.stringContaining(reason) });
    expect(job.error).toContain('The app is back at version 2');
    expect(await versionNow()).toBe('2');
    expect(await notes()).toEqual(before);
    expect(await get<WireInstance>(`/instances/${app.id}`)).toMatchObject({ status: 'ready', version: '2', update: { version: edition.version } });
    expect(await logOf(person, app.id)).toContain(reason);
    // The developer of another's copy learns what kind of failure it was, and not what the code said there.
    const told = await logOf(developer, pushed.builder.id);
    expect(told).toContain(code);
    expect(told).not.toContain('no secret of the owner');
    // It wrote nothing, so there is nothing to keep.
    expect((await snapshots()).filter(({ kind }) => kind === 'replaced')).toHaveLength(kept);
    const page = await person.visitor.visit(`${space.url}/installations/${job.id}`);
    expect(page.text).toContain('could not be updated');
  });

  test('and wrote is taken back with its data; what it wrote is kept aside', async () => {
    await release({ version: '4', root: 'await notes.put({ text: "x" }, "format-4"); return new Response("", { status: 503 });' });
    const job = await update((await get<WireUpdate>(`/instances/${app.id}/update`)).to!.release_id);
    expect(job).toMatchObject({ status: 'failed', error: expect.stringContaining('kept as the snapshot') });
    expect(await notes()).toEqual(['first by 1']);
    const [aside] = (await snapshots()).filter(({ kind }) => kind === 'replaced');
    expect(aside?.note).toBe('What version 4 wrote before it failed its check');
    expect(job.error).toContain(aside?.id);
  });

  test.each([
    ['a program that ends', 'nodejs16', 'console.error("no way"); process.exit(3);', 'Micro `web`'],
    ['a program that answers with an error', 'nodejs16', 'require("node:http").createServer((request, response) => response.writeHead(502).end()).listen(process.env.PORT);', 'with status 502'],
    ['a page whose content is gone', 'static', '', 'missing'],
  ])('%s is taken back as well', async (what, engine, broken, reason) => {
    const spacefile = ['v: 0', 'micros:', '  - name: web', '    src: .', `    engine: ${engine}`, engine === 'static' ? '    serve: .' : '    run: node index.cjs', '    public_routes:', '      - /*', ''].join('\n');
    const files = (content: string): Record<string, string> => ({ Spacefile: spacefile, [engine === 'static' ? 'index.html' : 'index.cjs']: content });
    const good = 'require("node:http").createServer((request, response) => response.end("fine")).listen(process.env.PORT);';
    const first = await pushApp(developer, { name: 'other', files: files(engine === 'static' ? 'fine' : good) });
    const { instance } = await installApp(person, await releaseApp(developer, first));
    expect((await send(instance.url)).text).toBe('fine');
    const second = await pushApp(developer, { projectId: first.projectId, files: files(broken || `gone: ${what}`) });
    if (engine === 'static') await removeContent(`gone: ${what}`);
    const job = (await person.call('POST /installations', { release_id: await releaseApp(developer, second), instance_id: instance.id })).json<WireInstallation>();
    expect(await installationEnd(person, job.id)).toMatchObject({ status: 'failed', error: expect.stringContaining(reason) });
    expect((await send(instance.url)).text).toBe('fine');
  }, 60_000);

  async function removeContent(content: string): Promise<void> {
    const folder = join(space.dataFolder, 'artifacts');
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && (await readFile(path, 'utf8')).includes(content)) await rm(path);
    }
  }

  test('the control: unchecked, the same version stays', async () => {
    const to = (await get<WireUpdate>(`/instances/${app.id}/update`)).to!.release_id;
    expect(await update(to, { skip_check: true })).toMatchObject({ status: 'complete' });
    expect(await versionNow()).toBe('4');
    expect(await rollback({ data: 'keep' })).toMatchObject({ status: 'complete', kind: 'rollback' });
    expect(await versionNow()).toBe('2');
  });
});

describe('fault 41: a rollback', () => {
  test('says what it would undo, brings back the data of then, and keeps those of now', async () => {
    await release({ version: '5' });
    expect(await update((await get<WireUpdate>(`/instances/${app.id}/update`)).to!.release_id)).toMatchObject({ status: 'complete' });
    await note('second');
    await note('third');
    const plan = await get<WireRollback>(`/instances/${app.id}/rollback?data=restore`);
    expect(plan).toMatchObject({ data: 'restore', to: { version: '2' }, changed_since: { items: 2, files: 0, more: false } });
    expect(plan.statement).toMatch(/^Version 2 takes the place of version 5\. The data go back to .* UTC\. 2 Items and 0 Files that changed since then will be as then\. .* kept aside/);
    expect(await rollback({ data: 'restore' })).toMatchObject({ status: 'complete' });
    expect(await versionNow()).toBe('2');
    expect(await notes()).toEqual(['first by 1']);
    // And forward again, with what was put aside.
    const [undone] = await versions();
    expect(undone).toMatchObject({ version: '5', snapshot_id: expect.any(String) });
    expect(await rollback({ to: undone?.id, data: 'restore' })).toMatchObject({ status: 'complete' });
    expect(await versionNow()).toBe('5');
    expect(await notes()).toEqual(['first by 1', 'second by 5', 'third by 5']);
  });

  test('of the code alone leaves the data as they are, and says so', async () => {
    const plan = await get<WireRollback>(`/instances/${app.id}/rollback`);
    expect(plan).toMatchObject({ data: 'keep', changed_since: null, to: { version: '2' } });
    expect(plan.statement).toContain('may not understand');
    expect(await rollback({})).toMatchObject({ status: 'complete' });
    expect(await versionNow()).toBe('2');
    expect(await notes()).toEqual(['first by 1', 'second by 5', 'third by 5']);
  });

  test('to what never was is refused', async () => {
    const other = (await installApp(person, app.release_id)).instance;
    expect((await person.call(`POST /instances/${other.id}/rollback`, {})).json()).toMatchObject({ code: 'VERSION_NOT_FOUND' });
    expect((await person.call(`POST /instances/${app.id}/rollback`, { to: 'nosuch' })).json()).toMatchObject({ code: 'VERSION_NOT_FOUND' });
    expect((await person.call(`POST /instances/${app.id}/rollback`, { data: 'burn' })).json()).toMatchObject({ code: 'INVALID_FIELD' });
    const gone = (await versions()).find(({ snapshot_id: id }) => id !== null)!;
    await person.call(`DELETE /collections/${app.collection_id}/snapshots/${gone.snapshot_id}`);
    expect((await person.call(`POST /instances/${app.id}/rollback`, { to: gone.id, data: 'restore' })).json()).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  test('of a Builder Instance is one of its code: pushes take no snapshot', async () => {
    const { versions: known } = (await developer.call(`GET /instances/${pushed.builder.id}/versions`)).json<{ versions: WireVersion[] }>();
    expect(known.length).toBeGreaterThan(5);
    expect(known.every(({ snapshot_id: id }) => id === null)).toBe(true);
    const started = (await developer.call(`POST /instances/${pushed.builder.id}/rollback`, { to: known.at(-1)?.id })).json<WireInstallation>();
    expect(await installationEnd(developer, started.id)).toMatchObject({ status: 'complete' });
    expect((await send(`${pushed.builder.url}version`)).text).toBe('1');
  });
});

test('fault 36: of a thousand updates and rollbacks at once one is done, and the others are told so', async () => {
  const to = (await get<WireUpdate>(`/instances/${app.id}/update`)).to!.release_id;
  const ask = (index: number): Promise<TestResponse> => (index % 10 > 0
    ? person.call('POST /installations', { release_id: to, instance_id: app.id })
    : person.call(`POST /instances/${app.id}/rollback`, { data: index % 20 === 0 ? 'keep' : 'restore' }));
  // Fewer at a time than one person may have open.
  const waiting = Array.from({ length: 1000 }, (_, index) => index);
  const answers: TestResponse[] = [];
  await Promise.all(Array.from({ length: 200 }, async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) answers.push(await ask(index));
  }));
  const started = answers.filter(({ status }) => status === 202).map((answer) => answer.json<WireInstallation>().id);
  const others = new Set(answers.filter(({ status }) => status !== 202).map((answer) => answer.json<{ code: string }>().code));
  expect(started.length).toBeGreaterThan(0);
  expect([...others].filter((code) => !['INSTALLATION_RUNNING', 'SNAPSHOT_NOT_FOUND'].includes(code))).toEqual([]);
  for (const id of started) expect(await installationEnd(person, id)).toMatchObject({ status: 'complete' });
  const now = await get<WireInstance>(`/instances/${app.id}`);
  expect(now.status).toBe('ready');
  expect(await versionNow()).toBe(now.version);
  expect(await notes()).toContain('first by 1');
});

describe('an app in the trash', () => {
  const trash = async (): Promise<WireTrashed[]> => (await get<{ trash: WireTrashed[] }>('/trash')).trash;
  const uninstall = async (one: WireInstance, data: 'keep' | 'delete'): Promise<void> => {
    const job = (await person.call(`DELETE /instances/${one.id}?data=${data}`)).json<WireInstallation>();
    expect(await installationEnd(person, job.id)).toMatchObject({ status: 'complete' });
  };

  test('is nowhere, and comes back as it was: address, data, keys', async () => {
    const before = await notes();
    const { value } = (await person.call(`POST /instances/${app.id}/keys`, { name: 'script', kind: 'data' })).json<{ value: string }>();
    const query = (): Promise<TestResponse> => send(`${space.url}/base/v1/${app.collection_id}/notes/query`, { method: 'POST', body: {}, headers: { 'x-api-key': value } });
    expect((await query()).status).toBe(200);
    await uninstall(app, 'delete');
    expect((await at('version')).status).toBe(404);
    expect((await query()).status).toBe(401);
    expect((await person.call(`GET /collections/${app.collection_id}`)).status).toBe(404);
    expect((await person.call(`GET /instances/${app.id}`)).status).toBe(404);
    const [trashed] = await trash();
    expect(trashed).toMatchObject({ id: app.collection_id, kind: 'app', instance_id: app.id, alias: app.alias });
    expect(Date.parse(trashed!.deleted_at) - Date.parse(trashed!.trashed_at)).toBe(30 * 86_400_000);
    // Another person neither sees it nor brings it back.
    expect((await developer.call('GET /trash')).json()).toEqual({ trash: [] });
    expect((await developer.call(`POST /trash/${trashed!.id}/restore`, {})).status).toBe(404);
    const restored = await person.call(`POST /trash/${trashed!.id}/restore`, {});
    expect(restored.json()).toMatchObject({ instance_id: app.id, url: app.url });
    expect(await notes()).toEqual(before);
    expect((await query()).status).toBe(200);
    expect(await trash()).toEqual([]);
    expect((await person.call(`POST /trash/${trashed!.id}/restore`, {})).json()).toMatchObject({ code: 'TRASH_NOT_FOUND' });
  });

  test('can come back as data alone', async () => {
    const { instance } = await installApp(person, app.release_id);
    await uninstall(instance, 'delete');
    expect((await person.call(`POST /trash/${instance.collection_id}/restore`, { as: 'collection' })).json()).toMatchObject({ instance_id: null });
    expect(await get(`/collections/${instance.collection_id}`)).toMatchObject({ instance_id: null });
    // A headless Collection goes into the trash and comes back, too.
    await person.call(`DELETE /collections/${instance.collection_id}`);
    expect(await trash()).toMatchObject([{ kind: 'collection', instance_id: null }]);
    await person.call(`POST /trash/${instance.collection_id}/restore`, {});
    expect(await get(`/collections/${instance.collection_id}`)).toMatchObject({ instance_id: null });
  });

  test('of which another Builder Instance was made meanwhile comes back as data alone', async () => {
    const theirs = await pushApp(person, { name: 'theirs' });
    await uninstall(theirs.builder, 'delete');
    await pushApp(person, { projectId: theirs.projectId });
    expect((await person.call(`POST /trash/${theirs.builder.collection_id}/restore`, {})).json()).toMatchObject({ code: 'CONFLICT' });
    expect((await person.call(`POST /trash/${theirs.builder.collection_id}/restore`, { as: 'collection' })).status).toBe(200);
  });

  test('is gone for good when its owner says so, or after 30 days', async () => {
    const [first, second] = [(await installApp(person, app.release_id)).instance, (await installApp(person, app.release_id)).instance];
    await uninstall(first, 'delete');
    await uninstall(second, 'delete');
    expect((await person.call(`DELETE /trash/${first.collection_id}`)).json()).toEqual({ deleted: [first.collection_id] });
    expect((await trash()).map(({ id }) => id)).toEqual([second.collection_id]);
    space.clock.advance(29 * 86_400_000);
    expect(await trash()).toHaveLength(1);
    space.clock.advance(86_400_000 + 3_600_000);
    await until(async () => ((await trash()).length === 0 ? true : undefined));
    expect((await person.call(`POST /trash/${second.collection_id}/restore`, {})).status).toBe(404);
    expect(await versionNow(), 'nobody else is touched').toBe((await get<WireInstance>(`/instances/${app.id}`)).version);
  });
});
