import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { TOKEN, refuse, startFakeHost } from '../client/fake-host.ts';
import type { FakeHost } from '../client/fake-host.ts';
import { makeWorkplace, runSpace } from './run-space.ts';
import type { RunOptions, Workplace } from './run-space.ts';

const SPACEFILE = 'v: 0\nmicros:\n  - name: api\n    src: api\n    engine: isolate\n';
const META = '{"id":"proj1","name":"guestbook","alias":"guestbook"}';
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAgAAAAIACAIAAAB7GkOtAAAAAElFTkSuQmCC', 'base64');

let host: FakeHost;
let place: Workplace;
beforeEach(async () => {
  host = await startFakeHost();
  place = await makeWorkplace({ Spacefile: SPACEFILE, 'api/index.js': 'export default {}', '.space/meta': META });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const run = (argv: string[], options: RunOptions = {}) => runSpace(place, argv, { ...options, env: { SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN, ...options.env } });
const undated = (text: string) => text.replace(/^\d\d:\d\d:\d\d/gm, 'HH:MM:SS').replace(/\d+ B\b/g, 'N B');
const steps = () => host.calls.map((call) => `${call.method} ${call.path.replace('/api/v0', '')}`);

describe('space push', () => {
  test('sends everything in the order that hosts expect, and ends with the address', async () => {
    const ran = await run(['push']);
    expect(ran.code).toBe(0);
    expect(ran.out).toBe('Builder Instance: http://guestbook-a1111111.localhost:4400/\n');
    expect(undated(ran.err)).toMatchInlineSnapshot(`
      "✓ The Spacefile is valid: 1 Micro.
      ✓ Sent 2 files, N B.
      HH:MM:SS Parsing Spacefile...
      HH:MM:SS All micros built successfully
      ✓ Built revision crow-qznb.
      "
    `);
    expect(steps().filter((step, at, all) => all.indexOf(step) === at)).toEqual([
      'POST /builds', 'POST /builds/bld0001/manifest', 'POST /builds/bld0001/code', 'GET /builds/bld0001/logs?follow=true', 'GET /builds/bld0001',
      'GET /promotions?per_page=1&revision_id=bld0001', 'GET /promotions/dev-bld0001', 'GET /installations?per_page=1&release_id=dev-bld0001',
      'GET /installations/job-inst0002/logs?follow=true', 'GET /installations/job-inst0002', 'GET /instances/inst0002',
    ]);
    expect(JSON.parse(String(host.calls[0]?.body))).toEqual({ app_id: 'proj1', tag: '', experimental: false, auto_pwa: true });
    expect(host.calls[1]).toMatchObject({ type: 'text/plain', body: Buffer.from(SPACEFILE) });
    expect(host.calls[2]?.type).toBe('application/zip');
    expect(Number(host.calls[2]?.headers['content-length'])).toBe(host.calls[2]?.body.length);
    const zip = await fromBufferPromise(host.calls[2]?.body ?? Buffer.alloc(0));
    const names: string[] = [];
    for await (const entry of zip.eachEntry()) names.push(entry.fileName);
    expect(names).toEqual(['Spacefile', 'api/index.js']);
  });

  test('every request names the client and carries the token', async () => {
    await run(['push']);
    for (const call of host.calls) {
      expect(call.headers.authorization).toBe(`Bearer ${TOKEN}`);
      expect(call.headers['x-space-client']).toMatch(/^cli\/\d+\.\d+\.\d+ \S+$/);
    }
  });

  test('the icon goes along, and one that is no picture stops the push before anything is sent', async () => {
    await place.write({ Spacefile: `icon: icon.png\n${SPACEFILE}`, 'icon.png': PNG });
    expect((await run(['push'])).code).toBe(0);
    expect(host.calls.find((call) => call.path.endsWith('/icon'))).toMatchObject({ type: 'image/png', body: PNG });
    host.calls.length = 0;
    await place.write({ 'icon.png': 'not a picture, but long enough to look at' });
    const ran = await run(['push']);
    expect(ran.err).toContain('The icon `icon.png` is no PNG, WebP, JPEG or GIF picture.');
    expect([ran.code, host.calls.length]).toEqual([1, 0]);
  });

  test('--tag, --id and --experimental reach the host; --open opens the address', async () => {
    const ran = await run(['push', '--tag', 'mine', '--id', 'proj2', '--experimental', '--open']);
    expect(JSON.parse(String(host.calls[0]?.body))).toMatchObject({ app_id: 'proj2', tag: 'mine', experimental: true });
    expect(ran.opened).toEqual(['http://guestbook-a1111111.localhost:4400/']);
  });

  test('--skip-logs leaves as soon as the code is there', async () => {
    const ran = await run(['push', '--skip-logs', '--json']);
    expect(JSON.parse(ran.out)).toEqual({ build_id: 'bld0001', tag: 'crow-qznb', status: 'running' });
    expect(steps().at(-1)).toBe('GET /builds/bld0001');
  });

  test('--json prints one document, and nothing else on stdout', async () => {
    const ran = await run(['push', '--json']);
    expect(JSON.parse(ran.out)).toEqual({ build_id: 'bld0001', revision_id: 'bld0001', tag: 'crow-qznb', instance_id: 'inst0002', url: 'http://guestbook-a1111111.localhost:4400/' });
  });

  test('a failed build says why and what to do, for people and for scripts', async () => {
    host.nextBuild = { lines: ['Building micro api...', '\u001B[31mindex.js:1: no such thing\u001B[0m\u0007'], error: 'Building Micro `api` failed: no such thing' };
    const ran = await run(['push', '--json']);
    expect(ran.code).toBe(1);
    expect(undated(ran.err)).toMatchInlineSnapshot(`
      "✓ The Spacefile is valid: 1 Micro.
      ✓ Sent 2 files, N B.
      HH:MM:SS Building micro api...
      HH:MM:SS index.js:1: no such thing
      ✗ The build failed; your Builder Instance stays as it was.
        Why: Building Micro \`api\` failed: no such thing
        What to do: Correct what the lines above say, then run \`space push\` again.
      "
    `);
    expect(JSON.parse(ran.out)).toMatchObject({ error: { code: 'BUILD_FAILED', why: 'Building Micro `api` failed: no such thing' } });
  });

  test('a host that restarts meanwhile is waited for', async () => {
    host.nextBuild.hangUp = true;
    let refused = 0;
    host.intercept = (call) => (call.method === 'GET' && /\/builds\/[^/]+$/.test(call.path) && (refused += 1) === 1 ? { status: 503, json: {} } : undefined);
    const ran = await run(['push']);
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('The connection to the host broke off; the job goes on there.');
    expect(ran.err).toContain('The host does not answer; waiting for it to come back...');
  });

  test.each([
    ['cancels the build', '/logs', { json: { id: 'x' } }, 'The build was cancelled; your Builder Instance stays as it was.\nStopped.\n'],
    ['cancels an upload', '/code', { json: { id: 'x' } }, 'The build was cancelled; your Builder Instance stays as it was.\nStopped.\n'],
    ['that comes too late says that the host goes on', '/logs', { status: 409, json: { code: 'BUILD_STATE' } }, 'Stopped. What the host has begun goes on there.\n'],
  ])('Ctrl-C %s', async (_, at, answer, said) => {
    const interruption = new AbortController();
    host.intercept = (call) => {
      if (call.path.includes(at)) interruption.abort();
      return call.path.endsWith('/cancel') ? answer : undefined;
    };
    const ran = await run(['push'], { signal: interruption.signal });
    expect(ran.code).toBe(130);
    expect(ran.err).toContain(said);
    expect(host.calls.filter(({ path }) => path.endsWith('/cancel'))).toHaveLength(1);
  });

  test.each([
    ['no Spacefile', async () => place.write({ 'elsewhere/.space/meta': META }), ['push', '--dir', 'elsewhere'], 1, 'Spacefile not found in'],
    ['a wrong Spacefile', async () => place.write({ Spacefile: SPACEFILE.replace('isolate', 'isolat') }), ['push'], 1, 'did you mean `isolate`?'],
    ['a folder of a Micro that is not there', async () => place.write({ Spacefile: SPACEFILE.replace('src: api', 'src: nowhere') }), ['push'], 1, 'its folder `nowhere` (src) was not found'],
    ['a folder that is not linked', async () => place.write({ 'elsewhere/Spacefile': SPACEFILE }), ['push', '--dir', 'elsewhere'], 1, 'is not linked to a project'],
    ['a damaged .space/meta', async () => place.write({ '.space/meta': '{' }), ['push'], 1, 'is damaged'],
    ['a folder that does not exist', async () => {}, ['push', '--dir', 'nowhere'], 2, 'does not exist'],
    ['an empty --tag', async () => {}, ['push', '--tag', ' '], 2, '--tag is empty'],
  ])('%s: its own message before anything is sent', async (...[, prepare, argv, code, message]) => {
    await prepare();
    const ran = await run(argv);
    expect(ran.err).toContain(message);
    expect([ran.code, host.calls.length]).toEqual([code, 0]);
  });

  test('what the host refuses is shown with its sentence and request id', async () => {
    host.intercept = (call) => (call.path.endsWith('/code') ? refuse(413, 'SOURCE_TOO_LARGE', 'The source is larger than the limit: 250 MB.') : undefined);
    expect((await run(['push'])).err).toContain('✗ The source is larger than the limit: 250 MB.\n  Request id: req123\n');
    host.intercept = () => refuse(409, 'TAG_TAKEN', 'A revision with the tag `mine` exists already.');
    expect((await run(['push', '--tag', 'mine'])).err).toContain('What to do: Choose another --tag, or leave it out.');
  });

  test('an unreachable host is named, with how to name another', async () => {
    const ran = await run(['push'], { env: { SPACE_ROOT: 'http://127.0.0.1:9/api' } });
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('✗ The host at http://127.0.0.1:9/api/v0/builds cannot be reached.\n  Why: ');
    expect(ran.err).toContain('SPACE_ROOT');
  });
});
