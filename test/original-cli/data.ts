// Covers `exec` and `api`.
import { expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { send } from '../support/http.ts';
import { openOriginal, tap } from './original.ts';
import type { Scene } from './scene.ts';

const STORE = `const key = process.env.DETA_PROJECT_KEY; const [id] = key.split('_');
fetch(process.env.BASE + '/base/v1/' + id + '/notes/items', { method: 'PUT', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify({ items: [{ key: 'from-exec' }] }) }).then((answer) => console.log(answer.status));`;

export function dataCommands(scene: () => Scene): void {
  test('exec has a data key, before the first push too, and what it stores is the app\'s', async () => {
    const { host, ada, project } = scene();
    const { dir, id } = await project('executed');
    await using wire = await tap(host.url);
    await using cli = await openOriginal(wire.root, ada.token);
    const ran = await cli.run(['exec', '--', process.execPath, '-e', STORE], { cwd: dir, env: { BASE: host.url } });
    expect(ran).toEqual({ code: 0, out: expect.stringContaining('207') });
    expect(wire.calls().filter((call) => call !== 'GET /v0/time')).toEqual([`GET /v0/apps/${id}/keys`, `POST /v0/apps/${id}/keys`]);
    // The key is kept, in a file that has room for one.
    await cli.run(['exec', '--project', id, '--', 'true']);
    expect(wire.calls().filter((call) => call.startsWith('POST'))).toHaveLength(1);
    expect(await cli.run(['push'], { cwd: dir })).toMatchObject({ code: 0 });
    const { instances } = (await ada.api('GET', `/instances?app_id=${id}`)).json<{ instances: WireInstance[] }>();
    expect((await ada.api('GET', `/collections/${instances[0]?.collection_id}/bases`)).json()).toMatchObject({ bases: [{ name: 'notes' }] });
    await using another = await openOriginal(host.root, ada.token);
    await another.run(['exec', '--project', id, '--', 'true']);
    expect((await ada.api('GET', `/apps/${id}/keys`)).json<{ keys: { name: string }[] }>().keys.map(({ name }) => name).toSorted()).toEqual(['space cli', 'space cli (1)']);
    expect(await cli.run(['exec', '--project', id, '--', 'false'])).toMatchObject({ code: 1 });
  });

  test('exec of another person\'s project has no key', async () => {
    const { bobs, project } = scene();
    const { id } = await project('closed');
    expect(await bobs.run(['exec', '--project', id, '--', 'env'])).toEqual({ code: 1, out: expect.stringContaining('This project does not exist, or is not yours.') });
  });

  test('api asks anything of the control plane', async () => {
    const { original, project } = scene();
    const { dir, id } = await project('apiapp');
    expect(await original.inTerminal(['api', '/v0/space', '--jq', '.name'], [], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('"ada"') });
    expect((await original.inTerminal(['api', `/v0/apps/${id}`], [])).out).toContain('"alias":"apiapp"');
    expect(await original.inTerminal(['api', '/v0/nothing'], [])).toEqual({ code: 1, out: expect.stringContaining('status code: 404') });
    await original.run(['push'], { cwd: dir });
    // It takes 200 and nothing else for success.
    const { instances } = (await scene().ada.api('GET', `/instances?app_id=${id}`)).json<{ instances: WireInstance[] }>();
    const key = await original.run(['api', `/v0/instances/${instances[0]?.id}/api_keys`], { stdin: '{"name":"by hand"}' });
    expect(key).toMatchObject({ code: 0 });
    expect(JSON.parse(key.out)).toMatchObject({ value: expect.any(String) });
    expect(await original.run(['api', `/v0/instances/${instances[0]?.id}/keys/by%20hand?kind=api`, '-X', 'DELETE'], { stdin: '' })).toMatchObject({ code: 0 });
    expect(await original.run(['api', '/v0/apps'], { stdin: '{"name":"by-api"}' })).toEqual({ code: 1, out: expect.stringContaining('status code: 201') });
    expect((await send(`${scene().host.url}/api/v0/apps`, { headers: { authorization: `Bearer ${scene().ada.token}` } })).text).toContain('by-api');
  });
}
