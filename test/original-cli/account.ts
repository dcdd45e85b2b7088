// Covers `login`, `print-access-token`, `version`, `completion`, `help`, and what a wrong token or a wrong clock looks like.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KEYS, openOriginal, tap } from './original.ts';
import type { Scene } from './scene.ts';

export function accountCommands(scene: () => Scene): void {
  test('login by a pipe and in a terminal keeps the token that was shown on the dashboard', async () => {
    const { host, ada } = scene();
    await using wire = await tap(host.url);
    await using cli = await openOriginal(wire.root);
    expect(await cli.run(['login', '--with-token'], { stdin: `${ada.token}\n` })).toEqual({ code: 0, out: expect.stringContaining('Login Successful!') });
    expect(wire.calls()).toEqual(['GET /v0/time', 'GET /v0/space']);
    expect((await cli.run(['print-access-token'])).out).toBe(ada.token);
    expect(JSON.parse(await readFile(join(cli.homeFolder, '.detaspace', 'space_tokens'), 'utf8'))).toEqual({ access_token: ada.token });
    await using other = await openOriginal(host.root);
    const inTerminal = await other.inTerminal(['login'], [['access token', ada.token], ['*', KEYS.enter]]);
    expect(inTerminal).toEqual({ code: 0, out: expect.stringContaining('Login Successful!') });
    expect(inTerminal.out).not.toContain(ada.token);
  });

  test('login refuses a token that is malformed, foreign or revoked, and keeps none', async () => {
    const { host, ada } = scene();
    await using cli = await openOriginal(host.root);
    const made = (await ada.api('POST', '/tokens', { name: 'short-lived' })).json<{ id: string; access_token: string }>();
    expect((await ada.api('DELETE', `/tokens/${made.id}`)).status).toBe(200);
    const refusals: [string, string][] = [
      ['nonsense', 'invalid access token, please generate a valid token from your Space settings'], ['a_b_c', 'invalid access token'],
      ['aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'failed to validate access token, unauthorized'], [made.access_token, 'failed to validate access token, unauthorized'],
    ];
    for (const [token, message] of refusals) {
      expect(await cli.run(['login', '--with-token'], { stdin: token })).toEqual({ code: 1, out: expect.stringContaining(message) });
    }
    expect((await cli.run(['print-access-token'])).code).toBe(1);
    expect(await cli.run(['new', '--name', 'nobody'])).toEqual({ code: 1, out: expect.stringContaining('no access token was found') });
  });

  test('says in the words of the host that a token was revoked', async () => {
    const { host, folder } = scene();
    await using cli = await openOriginal(host.root, 'aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
    expect(await cli.run(['new', '--name', 'nobody'], { cwd: await folder() })).toEqual({ code: 1, out: expect.stringContaining('The access token is not valid') });
  });

  test('goes by the time of the host; where it is told another one, it says which clock is off', async () => {
    const { host, ada, folder } = scene();
    for (const aheadSeconds of [-290, 290]) {
      await using near = await tap(host.url, { aheadSeconds });
      await using cli = await openOriginal(near.root, ada.token);
      expect((await cli.inTerminal(['api', '/v0/space'], [])).out).toContain('"name":"ada"');
    }
    for (const aheadSeconds of [-400, 400]) {
      await using far = await tap(host.url, { aheadSeconds });
      await using cli = await openOriginal(far.root, ada.token);
      expect(await cli.run(['new', '--name', 'clock'], { cwd: await folder() })).toEqual({ code: 1, out: expect.stringMatching(/The request was signed at \S+Z, and here it is \S+Z: a signature holds for 5 minutes/) });
    }
  });

  test('version, help and completion need no host', async () => {
    const { original } = scene();
    const version = await original.run(['version']);
    expect(version).toMatchObject({ code: 0 });
    const number = /(\d\S*|dev)/i.exec(version.out)?.[1] ?? '';
    expect(await original.run(['version', 'upgrade', '--version', number])).toEqual({ code: 0, out: expect.stringContaining('no upgrade required') });
    expect((await original.run(['--version'])).code).toBe(0);
    expect((await original.run(['help', 'push'])).out).toContain('--skip-logs');
    for (const shell of ['bash', 'zsh', 'fish', 'powershell']) expect((await original.run(['completion', shell])).out).toContain('space');
    for (const args of [[], ['builder'], ['builder', 'env']]) expect((await original.run(args, { cwd: (await scene().project('usage')).dir })).out).toContain('Usage:');
  });
}
