import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDiscovery } from '../../cli/discovery.ts';
import { TOKEN, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

const SPACEFILE = 'v: 0\napp_name: Guests\nauto_pwa: false\nmicros:\n  - name: api\n    src: .\n    engine: isolate\n';

let host: FakeHost;
let place: Workplace;
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace({ Spacefile: SPACEFILE, 'index.js': '', '.space/meta': '{"id":"proj1","name":"guestbook","alias":"guestbook"}' });
  host.revisions = [{ id: 'rev2', app_id: 'proj1', tag: 'crow-qznb', created_at: '2026-01-02' }, { id: 'rev1', app_id: 'proj1', tag: 'dory-weyi', created_at: '2026-01-01' }];
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, { env: { SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN }, ...options });
const sent = (pattern: RegExp) => host.calls.filter((call) => call.method === 'POST' && pattern.test(call.path));
const body = (pattern: RegExp) => JSON.parse(String(sent(pattern)[0]?.body));

describe('space release', () => {
  test('publishes the latest revision and prints the link', async () => {
    const ran = await run(['release', '--listed', '--notes', 'First *one*', '--version', '1.0']);
    expect(ran).toMatchObject({ code: 0, out: `Release: ${host.origin}/r/rel0001\n` });
    expect(ran.err).toBe('No Discovery.md here: the release takes its texts from the project and its Spacefile.\ncreating release...\ncompleted...\n✓ Released version 1.0, listed.\n');
    expect(body(/promotions$/)).toEqual({
      revision_id: 'rev2', app_id: 'proj1', version: '1.0', release_notes: 'First *one*', description: '', channel: 'experimental', discovery_list: true, auto_pwa: false,
    });
    expect(body(/discovery$/)).toMatchObject({ app_name: 'Guests', tagline: '', media: null });
  });

  test('--json, another revision by its tag', async () => {
    const ran = await run(['release', '--rid', 'dory-weyi', '--json']);
    expect(JSON.parse(ran.out)).toEqual({ release_id: 'rel0001', version: 'exp-MgPS', revision_tag: 'dory-weyi', listed: false, url: `${host.origin}/r/rel0001` });
    expect(body(/promotions$/).revision_id).toBe('rev1');
  });

  test('Discovery.md and its pictures go along, in order', async () => {
    await place.write({ 'Discovery.md': '---\napp_name: Book\ntagline: Sign it\nmedia:\n  - shots/a.png\n  - https://youtu.be/x\n---\n# Hello\n', 'shots/a.png': 'PNG' });
    expect((await run(['release', '--confirm'])).code).toBe(0);
    expect(body(/discovery$/)).toMatchObject({ app_name: 'Book', tagline: 'Sign it', content_raw: '# Hello', media: ['shots/a.png', 'https://youtu.be/x'] });
    expect(sent(/screenshots\/0$/)[0]).toMatchObject({ type: 'image/png', body: Buffer.from('PNG') });
    expect(sent(/screenshots\/1$/)[0]).toMatchObject({ type: 'text/plain', body: Buffer.from('https://youtu.be/x') });
  });

  test('in a terminal it explains, asks for texts and keeps them in Discovery.md', async () => {
    const ran = await run(['release'], { answers: [true, 'Guestbook', 'Sign it', true, ''] });
    expect(ran.code).toBe(0);
    expect(await readFile(join(place.dir, 'Discovery.md'), 'utf8')).toBe('---\napp_name: Guestbook\ntagline: Sign it\n---\n');
    expect(body(/discovery$/)).toMatchObject({ app_name: 'Guestbook', tagline: 'Sign it' });
  });

  test('No to the first release ends well and does nothing', async () => {
    expect(await run(['release'], { answers: [false] })).toMatchObject({ code: 0, err: expect.stringContaining('Nothing was released.') });
    expect(sent(/./)).toEqual([]);
  });

  test('a listed release after the first needs notes', async () => {
    await run(['release', '--listed']);
    expect(await run(['release', '--listed'])).toMatchObject({ code: 2, err: expect.stringContaining('Give them: --notes') });
    expect((await run(['release', '--listed', '--notes', 'Better'])).code).toBe(0);
    expect((await run(['release'])).code).toBe(0);
  });

  test.each<[string, () => Promise<unknown>, string[], number, string]>([
    ['nothing pushed yet', async () => { host.revisions = []; }, ['release'], 1, 'Run `space push` first.'],
    ['an unknown tag', async () => {}, ['release', '--rid', 'nope-1234'], 1, 'This revision does not exist'],
    ['two choices of revision', async () => {}, ['release', '--rid', 'x', '--confirm'], 2, 'exclude each other'],
    ['long notes', async () => {}, ['release', '--notes', 'x'.repeat(4251)], 2, 'more than 4250'],
    ['a picture that is not there', async () => place.write({ 'Discovery.md': '---\nmedia: [a.png]\n---\n' }), ['release'], 1, 'the picture a.png does not exist'],
    ['a picture outside of the project', async () => place.write({ 'Discovery.md': '---\nmedia: [../a.png]\n---\n' }), ['release'], 1, 'outside of the project'],
  ])('%s: its own message, and no release', async (...[, prepare, argv, code, message]) => {
    await prepare();
    const ran = await run(argv);
    expect(ran.err).toContain(message);
    expect([ran.code, sent(/promotions$/).length]).toEqual([code, 0]);
  });
});

describe('space install', () => {
  beforeEach(async () => {
    await run(['release', '--version', '1.0']);
    host.calls.length = 0;
  });

  test.each([() => 'rel0001', () => `${host.origin}/r/rel0001`, () => `${host.origin}/r/rel0001/?x=1`, () => 'https://deta.space/discovery/r/rel0001'])('by id or link', async (given) => {
    const ran = await run(['install', given()]);
    expect(ran).toMatchObject({ code: 0, out: 'http://guestbook-b0002.localhost:4400/\n', err: '✓ Installed guestbook 1.0.\n' });
    expect(body(/installations$/)).toEqual({ release_id: 'rel0001' });
  });

  test('a second copy is made, but not unawares; --instance updates the first', async () => {
    await run(['install', 'rel0001']);
    expect((await run(['install', 'rel0001'])).err).toContain('You have guestbook already, at http://guestbook-b0002.localhost:4400/.');
    host.calls.length = 0;
    const ran = await run(['install', 'rel0001', '--instance', 'guestbook-b0002', '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ url: 'http://guestbook-b0002.localhost:4400/', version: '1.0' });
    expect(body(/installations$/)).toEqual({ release_id: 'rel0001', instance_id: 'inst0003' });
  });

  test('an unknown id, a link of another host, and what is no link', async () => {
    expect(await run(['install', 'nope'])).toMatchObject({ code: 1, err: expect.stringContaining('Check the link with whoever gave it to you.') });
    expect((await run(['install', 'http://other.example/r/nope'])).err).toContain('the link belongs to other.example');
    expect(await run(['install', 'a b'])).toMatchObject({ code: 2, err: expect.stringContaining('neither the link nor the id') });
    expect((await run(['install'])).code).toBe(2);
  });

  test('one that fails says what stays', async () => {
    host.intercept = (call) => (/\/installations\/job-[^/]+$/.test(call.path) ? { json: { id: 'x', instance_id: 'x', status: 'failed', error: 'The app could not start: boom' } } : undefined);
    expect((await run(['install', 'rel0001'])).err).toContain('✗ guestbook could not be installed.\n  Why: The app could not start: boom\n  What to do: ');
  });
});

describe('Discovery.md', () => {
  test('without front matter it is all text', () => {
    expect(parseDiscovery('# Hi\n---\nmore').discovery).toMatchObject({ app_name: '', content_raw: '# Hi\n---\nmore' });
  });
  test('with Windows line ends, an empty front matter, fields that nobody knows', () => {
    expect(parseDiscovery('---\r\napp_name: Hi\r\nfuture: 1\r\n---\r\nText\r\n').discovery).toMatchObject({ app_name: 'Hi', content_raw: 'Text' });
    expect(parseDiscovery('---\n---\nText').discovery.content_raw).toBe('Text');
  });
  test('all that is wrong is named at once; what is only too long is said', () => {
    expect(() => parseDiscovery('---\ntitle: [1]\nmedia: x\nopen_code: maybe\n---\n')).toThrow(/`title` is not a text.*\n.*`media` is not a list.*\n.*`open_code`/);
    expect(() => parseDiscovery('---\na: [\n---\n')).toThrow('not valid YAML');
    expect(() => parseDiscovery('---\n- a\n---\n')).toThrow('not a set of fields');
    expect(parseDiscovery('---\napp_name: much too long a name\n---\n').warnings).toEqual(['Discovery.md: `app_name` has 20 characters; up to 12 are shown well.']);
  });
});
