// Covers `dev`, `dev up`, `dev proxy`, `dev trigger` and `dev serve`: what runs is the developer's own machine's; the host
// gives the data key.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Scene } from './scene.ts';

export function developCommands(scene: () => Scene): void {
  const get = (port: number, path = '/'): Promise<string> => fetch(`http://localhost:${port}${path}`).then((answer) => answer.text(), () => '');

  test('dev runs the Micros behind one address, with a data key from the host, before any push', async () => {
    const { original, project } = scene();
    const { dir } = await project('developed');
    const port = await freePort();
    await using dev = original.start(['dev', '--port', String(port)], { cwd: dir });
    await expect.poll(() => get(port)).toBe('<h1>hi</h1>\n');
    expect(JSON.parse(await get(port, '/api/look'))).toEqual({ greeting: 'hello', url: '/look', hasKey: true });
    expect(JSON.parse(await get(port, '/__space/actions'))).toMatchObject([{ name: 'greet', channel: 'local' }]);
    expect(await original.run(['dev', 'trigger', 'tidy'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('{"tidied":"tidy"}') });
    await dev.interrupt();
    expect(await readdir(join(dir, '.space', 'micros'))).toEqual([]);
  });

  test('dev up and dev proxy do it one by one', async () => {
    const { original, project } = scene();
    const { dir } = await project('one-by-one');
    const [own, front] = [await freePort(), await freePort()];
    expect((await original.run(['dev', 'proxy'], { cwd: dir })).out).toContain('No running micros detected');
    await using up = original.start(['dev', 'up', 'api', '--port', String(own)], { cwd: dir });
    await expect.poll(() => get(own, '/look')).toContain('"greeting":"hello"');
    await using proxy = original.start(['dev', 'proxy', '--port', String(front)], { cwd: dir });
    await expect.poll(() => get(front, '/api/look')).toContain('"greeting":"hello"');
    expect(await original.run(['dev', 'up', 'nothing'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('micro nothing not found') });
    await Promise.all([proxy.interrupt(), up.interrupt()]);
  });

  test('dev serve serves files', async () => {
    const { original, folder } = scene();
    const port = await freePort();
    await using served = original.start(['dev', 'serve', 'web', '--port', String(port)], { cwd: await folder() });
    await expect.poll(() => get(port)).toBe('<h1>hi</h1>\n');
    await served.interrupt();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
