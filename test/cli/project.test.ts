import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TOKEN, refuse, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

let host: FakeHost;
let place: Workplace;
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace({ 'api/index.js': 'export default { fetch() {} }', 'web/index.html': '' });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, { env: { SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN }, ...options });
const read = (path: string) => readFile(join(place.dir, path), 'utf8');
const LOG = { time: '2026-01-01T12:00:00.000Z', micro: 'api', level: 'info', text: 'hello', request_id: null };

describe('space new', () => {
  test('detects, writes the Spacefile, makes the project and links the folder', async () => {
    const ran = await run(['new', '--name', 'guestbook']);
    expect(ran.code).toBe(0);
    expect(ran.err).toBe('Found:\n  api  isolate, in api\n  web  static, in web  (primary)\n✓ Wrote a Spacefile with 2 Micros.\n✓ Project guestbook was created.\n');
    expect(ran.out).toBe(`Next: \`space push\` builds and starts it.\nIt will appear at ${host.origin}.\n`);
    expect(JSON.parse(String(host.calls[0]?.body))).toEqual({ name: 'guestbook', alias: '' });
    expect(JSON.parse(await read('.space/meta'))).toEqual({ id: 'proj1', name: 'guestbook', alias: 'guestbook' });
    expect(await read('.space/.gitignore')).toBe('*\n');
    expect(await read('.space/README')).toContain('Do not commit');
    expect((await run(['validate'])).code).toBe(0);
    expect((await run(['push'])).code).toBe(0);
  });

  test('asks in a terminal; No to what was found writes a blank Spacefile', async () => {
    expect((await run(['new'], { answers: ['guestbook', false] })).code).toBe(0);
    expect(await read('Spacefile')).toBe('# Spacefile Docs: https://go.deta.dev/docs/spacefile/v0\nv: 0\n');
  });

  test('--blank looks for nothing', async () => {
    const ran = await run(['new', '-n', 'guestbook', '-b', '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ id: 'proj1', micros: 0 });
    expect(await read('Spacefile')).not.toContain('micros');
  });

  test('a Spacefile that exists is kept to the letter', async () => {
    const mine = 'v: 0\nmicros:\n  - {name: web, src: web, engine: static, serve: .}\n';
    await place.write({ Spacefile: mine });
    expect((await run(['new', '-n', 'guestbook'])).err).toContain('Keeping your Spacefile with 1 Micro.');
    expect(await read('Spacefile')).toBe(mine);
  });

  test.each<[string, string[], number, string]>([
    ['no name and no terminal', ['new'], 2, 'Give one: --name NAME.'],
    ['a short name', ['new', '-n', 'abc'], 2, 'A project name has 4 to 16 characters; this one has 3.'],
    ['a long name', ['new', '-n', 'a-name-of-17-char'], 2, 'this one has 17'],
  ])('%s: nothing is made', async (_, argv, code, message) => {
    const ran = await run(argv);
    expect(ran.err).toContain(message);
    expect([ran.code, host.calls.length]).toEqual([code, 0]);
    await expect(stat(join(place.dir, 'Spacefile'))).rejects.toThrow('ENOENT');
  });

  test('a folder that is a project already stays the same project', async () => {
    await run(['new', '-n', 'guestbook']);
    const ran = await run(['new', '-n', 'another']);
    expect(ran.err).toContain('is the project guestbook already');
    expect(ran.code).toBe(1);
  });

  test('a host that refuses leaves the folder unlinked, so that the command can be repeated', async () => {
    host.intercept = () => refuse(403, 'FORBIDDEN', 'You may not do this.');
    expect((await run(['new', '-n', 'guestbook'])).code).toBe(1);
    host.intercept = () => undefined;
    expect((await run(['new', '-n', 'guestbook'])).code).toBe(0);
  });
});

describe('space link', () => {
  test('by id, or by choice in a terminal', async () => {
    expect((await run(['link', '--id', 'proj1'])).out).toContain('to project guestbook');
    expect((await run(['link'], { answers: ['proj1'] })).code).toBe(0);
    expect(JSON.parse(await read('.space/meta'))).toEqual({ id: 'proj1', name: 'guestbook', alias: 'guestbook' });
  });

  test('an unknown id, no id', async () => {
    expect(await run(['link', '--id', 'other'])).toMatchObject({ code: 1, err: expect.stringContaining('This project does not exist, or is not yours.\n  What to do: Check the id') });
    expect(await run(['link'])).toMatchObject({ code: 2, err: expect.stringContaining('--id ID') });
  });
});

describe('space validate', () => {
  test('lists everything that is wrong, with its line', async () => {
    await place.write({ Spacefile: 'v: 0\nicon: none.png\nmicros:\n  - name: api\n    src: apis\n    engine: isolate\n' });
    const ran = await run(['validate', '--json']);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.out)).toEqual({
      valid: false, issues: [], problems: ['Micro `api`: its folder `apis` (src) was not found.', 'The icon `none.png` was not found.'],
    });
    await place.write({ Spacefile: 'v: 1\n' });
    expect((await run(['validate'])).err).toMatch(/problems? in .*:\nSpacefile:1:/);
    expect(host.calls).toEqual([]);
  });

  test.each([
    ['png', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAGQAAAIACAIAAAB7GkOtAAAAAElFTkSuQmCC', 'base64'), '100 x 512'],
    ['webp', Buffer.concat([Buffer.from('RIFF0000WEBPVP8X0000'), Buffer.from([0, 0, 0, 0, 0x63, 0, 0, 0xff, 1, 0, 0])]), '100 x 512'],
    ['gif', Buffer.concat([Buffer.from('GIF89a'), Buffer.from([100, 0, 0, 2]), Buffer.alloc(30)]), '100 x 512'],
    ['jpeg', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 2, 0, 0, 100]), Buffer.alloc(30)]), '100 x 512'],
  ])('an icon of the wrong size in %s, even when only one side is wrong', async (_, icon, size) => {
    await place.write({ Spacefile: 'v: 0\nicon: i\nmicros:\n  - {name: api, src: api, engine: isolate}\n', i: icon });
    expect((await run(['validate'])).err).toContain(`has ${size} pixels; it should have 512 x 512.`);
  });
});

describe('space open, instances, logs', () => {
  beforeEach(async () => {
    await run(['new', '-n', 'guestbook']);
  });

  test('before the first push there is nothing to open', async () => {
    expect(await run(['open'])).toMatchObject({ code: 1, err: expect.stringContaining('The first `space push` makes it.') });
  });

  test('instances are listed with their updates', async () => {
    await run(['push']);
    expect((await run(['instances'])).out).toMatchInlineSnapshot(`
      "APP        VERSION    KIND     STATUS  UPDATE  ALIAS               ADDRESS
      guestbook  crow-qznb  builder  ready   -       guestbook-a1111111  http://guestbook-a1111111.localhost:4400/
      "
    `);
    expect(JSON.parse((await run(['instances', '--json'])).out)).toEqual({ instances: host.instances });
  });

  test('open prints the address, and opens it only where somebody sits', async () => {
    await run(['push']);
    expect(await run(['open'])).toMatchObject({ out: 'http://guestbook-a1111111.localhost:4400/\n', opened: [] });
    expect((await run(['open', 'guestbook-a1111111'], { answers: [] })).opened).toEqual(['http://guestbook-a1111111.localhost:4400/']);
    expect((await run(['open', 'nothing'])).err).toContain('You have no app instance `nothing`.');
  });

  test('logs are shown line by line, without what would steer the terminal', async () => {
    await run(['push']);
    host.logLines = [LOG, { ...LOG, level: 'error', text: 'Error: \u001B]0;title\u0007no\n    at fetch' }, { ...LOG, micro: 'web', text: 'other' }].map((line) => JSON.stringify(line));
    const ran = await run(['logs', '--micro', 'api']);
    expect(ran.out.replace(/\d\d:\d\d:\d\d/g, 'HH:MM:SS')).toBe('HH:MM:SS api hello\nHH:MM:SS api Error: ]0;titleno\n             at fetch\n');
    expect((await run(['logs', '--json', '--instance', 'guestbook-a1111111'])).out.split('\n')[0]).toBe(JSON.stringify(LOG));
  });

  test('following goes on until Ctrl-C, which is no failure', async () => {
    await run(['push']);
    host.logLines = [JSON.stringify(LOG)];
    const interruption = new AbortController();
    const ran = await run(['logs', '-f'], { signal: interruption.signal, onOut: () => interruption.abort() });
    expect(host.calls.at(-1)?.path).toContain('/logs?follow=true');
    expect(ran).toMatchObject({ code: 0, err: '' });
  });
});

describe('space builder env', () => {
  test('values go out to a file and come back changed; what the app does not ask for is left out', async () => {
    await run(['new', '-n', 'guestbook']);
    await run(['push']);
    expect((await run(['builder', 'env', '--get', '.env'])).out).toContain('Wrote 1 value');
    expect(await read('.env')).toBe('GREETING=hi\n');
    await place.write({ '.env': 'GREETING="good day"\nOTHER=1\n' });
    const ran = await run(['builder', 'env', '--set', '.env']);
    expect(ran).toMatchObject({ out: 'Changed 1 value of api.\n', err: 'Not in the Spacefile, and left out: OTHER.\n' });
    expect(JSON.parse(String(host.calls.at(-1)?.body))).toEqual({ micros: [{ id: 'm1', name: 'api', presets: { env: [{ name: 'GREETING', description: '', value: 'good day' }] } }] });
    expect((await run(['builder', 'env'])).code).toBe(2);
  });
});
