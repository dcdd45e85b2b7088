// What goes wrong stays with whoever caused it, and says what happened: Micros that misbehave, people who mistype,
// hosts that are started wrongly or fall over in the middle.
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { WireInstance, WireLogLine } from '../../core/wire.ts';
import { CHECKOUT, failToStart, removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send, Visitor, type TestResponse } from '../support/http.ts';
import { copyExample } from '../support/space-command.ts';
import { install, push, pushNew, release, settleGuest, settleOwner, signIn, until, type Resident } from './people.ts';

let host: HostProcess;
let ada: Resident;
const folders: string[] = [];

beforeAll(async () => {
  host = await startHostProcess({ dataFolder: await folder() });
  ada = await settleOwner(host);
  await signIn(host, ada);
});

afterAll(async () => {
  await host?.kill();
  await ada?.[Symbol.asyncDispose]();
  await Promise.all(folders.map(removeFolder));
});

async function folder(files: Record<string, string | Buffer> = {}): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'trouble-'));
  folders.push(made);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(made, path)), { recursive: true });
    await writeFile(join(made, path), content);
  }
  return made;
}

const SPACEFILE = 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n';
const answering = (text: string): string => `export default { fetch() { return new Response(${JSON.stringify(text)}); } };\n`;

describe('a Micro that misbehaves', () => {
  let probe: WireInstance;
  let neighbour: WireInstance;

  beforeAll(async () => {
    const source = await folder();
    await cp(join(CHECKOUT, 'test', 'fixtures', 'probe'), source, { recursive: true });
    probe = await pushNew(ada, source, 'probe');
    neighbour = await install(ada, await release(ada, source));
    for (const { url } of [probe, neighbour]) expect((await ada.browser.visit(`${url}keys`)).status).toBe(200);
  });

  const logOf = async ({ id }: WireInstance): Promise<WireLogLine[]> =>
    (await ada.api('GET', `/instances/${id}/logs`)).text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as WireLogLine);

  /** Ask the neighbour until `work` is done. @returns its slowest answer in ms, and how often it was asked */
  async function askMeanwhile<T>(work: Promise<T>): Promise<{ result: T; slowestMs: number; asked: number }> {
    let isDone = false;
    let slowestMs = 0;
    let asked = 0;
    const asking = (async () => {
      while (!isDone) {
        const since = performance.now();
        const answer = await ada.browser.fetch(`${neighbour.url}echo`);
        expect(answer.status, answer.text).toBe(200);
        slowestMs = Math.max(slowestMs, performance.now() - since);
        asked += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const result = await work.finally(() => { isDone = true; });
    await asking;
    return { result, slowestMs, asked };
  }

  /** Of the probe alone, from its next request on; null: as usual. */
  const limit = async (limits: Record<string, number | null>): Promise<void> => {
    if (Object.keys(limits).length > 0) expect((await ada.api('PATCH', `/instances/${probe.id}/limits`, limits)).status).toBe(200);
  };

  const CASES: { path: string; status: number; code: string; reason: RegExp; limits?: Record<string, number> }[] = [
    { path: 'throw', status: 500, code: 'MICRO_THREW', reason: /the probe threw on purpose/ },
    { path: 'nothing', status: 502, code: 'MICRO_BAD_RESPONSE', reason: /Response/ },
    { path: 'number', status: 500, code: 'MICRO_THREW', reason: /status/i },
    { path: 'spin', status: 503, code: 'MICRO_CPU_EXCEEDED', reason: /500 ms CPU time/, limits: { cpuMs: 500 } },
    { path: 'eat', status: 502, code: 'MICRO_OUT_OF_MEMORY', reason: /memory|MB of heap/i, limits: { cpuMs: 15_000, heapMb: 32 } },
    { path: 'hang', status: 504, code: 'MICRO_TIMEOUT', reason: /no answer after .* of 3,000 ms/, limits: { wallMs: 3000 } },
  ];

  test.each(CASES)('$path: its caller gets $status $code, its neighbour answers meanwhile, its log has the reason', async ({ path, status, code, reason, limits = {} }) => {
    await limit(limits);
    onTestFinished(() => limit(Object.fromEntries(Object.keys(limits).map((name) => [name, null]))));
    const before = (await logOf(probe)).length;
    const { result, slowestMs, asked } = await askMeanwhile(ada.browser.fetch(`${probe.url}${path}`));
    expect(result.status, result.text).toBe(status);
    expect(result.json()).toMatchObject({ code, detail: expect.any(String), request_id: expect.any(String) });
    expect(result.text).not.toMatch(/\/work\/|node_modules|at .*\.ts:/);
    expect(asked).toBeGreaterThan(0);
    expect(slowestMs, 'the slowest answer of the neighbour').toBeLessThan(1500);
    const lines = await until(async () => {
      const fresh = (await logOf(probe)).slice(before);
      return fresh.length > 0 && fresh;
    }, 'the log has a line');
    expect(lines.map(({ text }) => text).join('\n')).toMatch(reason);
    expect(lines.some(({ level, request_id: id }) => level === 'error' && id === result.json<{ request_id: string }>().request_id), JSON.stringify(lines)).toBe(true);
    await until(async () => (await ada.browser.fetch(`${probe.url}echo`)).status === 200, 'the Micro answers again');
  });

  test('a person sees a page that says so', async () => {
    const page = await ada.browser.visit(`${probe.url}throw`);
    expect(page.status).toBe(500);
    expect(page.text).toContain('<h1><bdi>Probe</bdi> ran into an error</h1>');
    expect(page.text).not.toContain('on purpose');
    const style = /href="(\/__space\/assets\/[^"]+\.css)"/.exec(page.text)?.[1] ?? '';
    expect((await send(new URL(style, probe.url).href)).status).toBe(200);
  });

  test('one that fails while it starts says so, to people and to programs, and the next push mends it', async () => {
    const source = await folder({ Spacefile: SPACEFILE, 'index.js': `throw new Error('no way to start');\n${answering('never')}` });
    const instance = await pushNew(ada, source, 'broken');
    const page = await ada.browser.visit(instance.url);
    expect(page.status, page.text).toBe(502);
    expect(page.text).toContain('could not start');
    const answer = await ada.browser.fetch(instance.url);
    expect(answer.json()).toMatchObject({ code: 'MICRO_START_FAILED', detail: expect.stringContaining('no way to start') });
    const logs = await ada.space(['logs'], { cwd: source });
    expect(logs.stdout).toContain('no way to start');
    await writeFile(join(source, 'index.js'), answering('mended'));
    await push(ada, source);
    expect((await ada.browser.fetch(instance.url)).text).toBe('mended');
  });
});

describe('what a developer gets wrong', () => {
  let source: string;
  let instance: WireInstance;

  beforeAll(async () => {
    source = await folder({ Spacefile: SPACEFILE, 'index.js': answering('good') });
    instance = await pushNew(ada, source, 'mistakes');
    await ada.browser.visit(instance.url);
  });

  async function failingPush(files: Record<string, string | Buffer>): Promise<string> {
    for (const [path, content] of Object.entries(files)) await writeFile(join(source, path), content);
    const pushed = await ada.space(['push'], { cwd: source });
    await writeFile(join(source, 'Spacefile'), SPACEFILE);
    await writeFile(join(source, 'index.js'), answering('good'));
    expect(pushed.code, pushed.stdout + pushed.stderr).toBe(1);
    const answer = await ada.browser.fetch(instance.url);
    expect(answer.text, 'the Builder Instance stays as it was').toBe('good');
    expect(pushed.stdout + pushed.stderr).not.toMatch(/\bat .*\.ts:\d+|undefined|\[object/);
    return pushed.stdout + pushed.stderr;
  }

  test('a wrong Spacefile: line, column, what was expected, what was meant', async () => {
    const said = await failingPush({ Spacefile: SPACEFILE.replace('isolate', 'isolat').replace('primary', 'primry') });
    expect(said).toMatch(/5:13/);
    expect(said).toMatch(/`?isolate`?/);
    expect(said).toMatch(/6:5/);
    expect(said).toContain('primary');
    await writeFile(join(source, 'Spacefile'), SPACEFILE.replace('isolate', 'isolat'));
    const json = await ada.space(['validate', '--json'], { cwd: source });
    await writeFile(join(source, 'Spacefile'), SPACEFILE);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, issues: [{ line: 5, column: 13, suggestion: 'isolate', path: 'micros[0].engine' }] });
  });

  test('a Spacefile that only the host sees is refused in the same words', async () => {
    const { id } = (await ada.api('POST', '/builds', { app_id: instance.app_id })).json<{ id: string }>();
    const refused = await send(`${host.url}/api/v0/builds/${id}/manifest`, { method: 'POST', body: SPACEFILE.replace('isolate', 'isolat'), headers: { authorization: `Bearer ${ada.token}`, 'content-type': 'text/plain' } });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ code: 'SPACEFILE_INVALID', detail: expect.stringMatching(/5:13[\s\S]*isolate/) });
  });

  test('a Micro that does not compile: file and line', async () => {
    const said = await failingPush({ 'index.js': 'const fine = 1;\nexport default { fetch( { return fine; } };\n' });
    expect(said).toMatch(/index\.js:2/);
    expect(said).toContain('Builder Instance stays as it was');
  });

  test('an import that is not there', async () => {
    const said = await failingPush({ 'index.js': "import left from 'left-pad-that-is-not-there';\nexport default { fetch: () => new Response(left) };\n" });
    expect(said).toMatch(/index\.js:1/);
    expect(said).toContain('left-pad-that-is-not-there');
  });

  test('a bundle that is too large: how large, and the limit', async () => {
    const said = await failingPush({ 'index.js': `const big = ${JSON.stringify(randomBytes(6 * 1024 * 1024).toString('hex'))};\nexport default { fetch: () => new Response(big) };\n` });
    expect(said).toMatch(/bundle of Micro `main` has \d+ bytes; the limit is \d+/);
  });

  test('an icon that is none', async () => {
    const said = await failingPush({ Spacefile: `${SPACEFILE}icon: ./icon.png\n`, 'icon.png': 'I am a picture. Believe me.' });
    expect(said).toMatch(/icon/i);
    const { id } = (await ada.api('POST', '/builds', { app_id: instance.app_id })).json<{ id: string }>();
    await send(`${host.url}/api/v0/builds/${id}/manifest`, { method: 'POST', body: SPACEFILE, headers: { authorization: `Bearer ${ada.token}` } });
    const refused = await send(`${host.url}/api/v0/builds/${id}/icon`, { method: 'POST', body: 'no picture', headers: { authorization: `Bearer ${ada.token}`, 'content-type': 'image/png' } });
    expect(refused.json()).toMatchObject({ code: 'ICON_INVALID' });
  });

  test('a link to no release, a project of nobody, a command that does not exist', async () => {
    expect(await ada.space(['install', `${host.url}/r/aaaaaaaaaaaaaaaa`])).toMatchObject({ code: 1, stderr: expect.stringContaining('This release does not exist') });
    expect(await ada.space(['push', '--id', 'nobodys'], { cwd: source })).toMatchObject({ code: 1, stderr: expect.stringContaining('not yours') });
    expect(await ada.space(['psuh'])).toMatchObject({ code: 2, stderr: expect.stringContaining('push') });
    expect(await ada.space(['push'], { cwd: source, env: { SPACE_ROOT: 'http://localhost:1/api' } })).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be reached') });
    expect(await ada.space(['instances'], { env: { SPACE_ACCESS_TOKEN: 'aaaaaaaa_wrong' } })).toMatchObject({ code: 1, stderr: expect.stringContaining('space login') });
  });
});

describe('what a visitor gets wrong', () => {
  const visible = ({ text }: TestResponse, name: string): string => text.replaceAll(name, 'NAME');

  test('a wrong password and a name that nobody has read the same', async () => {
    const wrong = await new Visitor().submit(`${host.url}/login`, { username: 'ada', password: 'wrong horse' });
    const nobody = await new Visitor().submit(`${host.url}/login`, { username: 'zoe', password: 'wrong horse' });
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect(wrong.text).toContain('The name or the password is wrong.');
    expect(visible(nobody, 'zoe')).toBe(visible(wrong, 'ada'));
    const api = await Promise.all(['ada', 'zoe'].map((username) => send(`${host.url}/api/v0/login`, { method: 'POST', body: { username, password: 'wrong horse' } })));
    for (const answer of api) expect([answer.status, answer.json()]).toEqual([401, expect.objectContaining({ code: 'LOGIN_FAILED', detail: 'The name or the password is wrong.' })]);
  });

  test('a used invitation and one that never was', async () => {
    const { invite } = (await ada.api('POST', '/invites', {})).json<{ invite: string }>();
    const sign = (name: string, secret: string): Promise<TestResponse> => new Visitor().submit(`${host.url}/invites/${secret}`, { username: name, password: 'long enough' });
    expect((await sign('carol', invite)).status).toBe(200);
    for (const secret of [invite, 'never-was']) {
      const refused = await sign('mallory', secret);
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('This invitation is not valid');
    }
    const api = await send(`${host.url}/api/v0/signup`, { method: 'POST', body: { invite, username: 'mallory', password: 'long enough' } });
    expect(api.json()).toMatchObject({ code: 'INVITE_INVALID' });
    expect((await new Visitor().submit(`${host.url}/login`, { username: 'mallory', password: 'long enough' })).status).toBe(401);
  });

  test('an unusable name or password keeps the invitation open', async () => {
    const { invite } = (await ada.api('POST', '/invites', {})).json<{ invite: string }>();
    const attempt = (username: string, password: string): Promise<TestResponse> => new Visitor().submit(`${host.url}/invites/${invite}`, { username, password });
    expect((await attempt('X', 'long enough')).text).toContain('A name has 2 to 32 characters');
    expect((await attempt('dave', 'short')).text).toContain('A password has 8 to 256 characters');
    expect((await attempt('ada', 'long enough')).text).toContain('That name is taken');
    expect((await attempt('dave', 'long enough')).status).toBe(200);
  });

  test('a host name at which nobody lives: a page for people, JSON for programs', async () => {
    const url = `http://nobody-x1234567.localhost:${host.port}/`;
    const page = await new Visitor().visit(url);
    expect(page.status).toBe(404);
    expect(page.text).toContain('No app lives here');
    expect(page.text).toContain(host.url);
    const program = await send(url, { headers: { accept: 'application/json' } });
    expect([program.status, program.json()]).toEqual([404, expect.objectContaining({ code: 'HOST_UNKNOWN' })]);
    for (const [value, status] of [['evil.test', 404], ['a b', 400], ['-.localhost', 400]] as const) {
      expect((await send(`${host.url}/`, { headers: { host: value, accept: 'application/json' } })).status, `Host: ${value}`).toBe(status);
    }
  });

  test('a page that does not exist', async () => {
    const page = await ada.browser.visit(`${host.url}/nowhere`);
    expect(page.status).toBe(404);
    expect(page.text).toContain('<h1>');
    expect((await send(`${host.url}/api/v0/nowhere`)).json()).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a host that is started wrongly', () => {
  const start = async (...args: string[]): ReturnType<typeof failToStart> => failToStart(['--tls-port', 'off', ...args]);

  test('on a port that is in use: which, and another to choose', async () => {
    const { code, stderr } = await start('--port', String(host.port), '--data', await folder());
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${host.port} is in use`);
    expect(stderr).toContain(`--port ${host.port + 1}`);
    expect(stderr).toContain('PORT_IN_USE');
  });

  test('with a data folder that another host uses: which process', async () => {
    const { code, stderr } = await start('--port', '0', '--data', host.dataFolder);
    expect(code).toBe(1);
    expect(stderr).toContain('DATA_LOCKED');
    const pid = Number(/process (\d+)/.exec(stderr)?.[1]);
    expect(process.kill(pid, 0)).toBe(true);
    expect((await send(`${host.url}/api/v0/health`)).status, 'and that one goes on').toBe(200);
  });

  test('with a data folder of a newer version, which it does not touch', async () => {
    const data = await folder({ 'format.json': '{"format":999}' });
    const { code, stderr } = await start('--port', '0', '--data', data);
    expect(code).toBe(1);
    expect(stderr).toContain('DATA_NEWER');
    expect(stderr).toContain('999');
    expect(await readFile(join(data, 'format.json'), 'utf8')).toBe('{"format":999}');
  });

  test('with a data folder that cannot be written', async () => {
    const { code, stderr } = await start('--port', '0', '--data', join(await folder({ file: '' }), 'file', 'data'));
    expect(code).toBe(1);
    expect(stderr).toContain('DATA_NOT_WRITABLE');
    expect(stderr).toContain('--data DIR');
  });

  test('with flags that do not exist or make no sense, all said at once', async () => {
    const { code, stderr } = await start('--port', '99999', '--domain', 'no domain', '--store', 'paper:');
    expect(code).toBe(1);
    for (const word of ['--port', '--domain', '--store']) expect(stderr).toContain(word);
    expect(stderr).not.toMatch(/at .*\.ts:/);
    expect(await start('--colour', 'red')).toMatchObject({ code: 1, stderr: expect.stringContaining('--colour') });
  });
});

describe('a host that dies in the middle of a push', () => {
  let source: string;
  let instance: WireInstance;

  beforeAll(async () => {
    source = await copyExample('guestbook');
    folders.push(source);
    instance = await pushNew(ada, source, 'guestbook');
  });

  const edit = (text: string): Promise<void> => writeFile(join(source, 'web', 'index.html'), `<h1>${text}</h1>`);
  const live = async (): Promise<string> => (await ada.browser.visit(instance.url)).text;

  // While the source is packed and sent, while it is built, and when the Builder Instance is to be moved.
  test.each(['Spacefile is valid', 'Sent', 'Building micro', 'Created revision'])('and comes back, right after "%s": the push is done, or says that it is not', async (moment) => {
    await edit(`before ${moment}`);
    await push(ada, source);
    await edit(`after ${moment}`);
    let restarted: Promise<HostProcess> | undefined;
    const restart = async (): Promise<HostProcess> => {
      await host.kill();
      return startAgain(host);
    };
    const pushed = await ada.space(['push'], { cwd: source, onOutput: (text) => { if (text.includes(moment)) restarted ??= restart(); } });
    expect(restarted, `nothing said "${moment}":\n${pushed.stdout}${pushed.stderr}`).toBeDefined();
    host = (await restarted) as HostProcess;
    const said = pushed.stdout + pushed.stderr;
    console.log(`killed after "${moment}": exit ${pushed.code} in ${Math.round(pushed.durationMs)} ms\n${pushed.stderr.trim().split('\n').slice(-4).join('\n')}`);
    expect(said).not.toMatch(/at .*\.ts:|INTERNAL/);
    expect([0, 1]).toContain(pushed.code);
    expect(pushed.code === 0 ? [`<h1>after ${moment}</h1>`] : [`<h1>before ${moment}</h1>`, `<h1>after ${moment}</h1>`], said).toContain(await live());
    if (pushed.code === 1) expect(said).toMatch(/`space push`|npm start/);
    await push(ada, source);
    expect(await live()).toBe(`<h1>after ${moment}</h1>`);
  });

  test('no build is left open for ever', async () => {
    const open = await until(async () => {
      const { builds } = (await ada.api('GET', `/builds?app_id=${instance.app_id}`)).json<{ builds: { status: string }[] }>();
      expect(builds.length).toBeGreaterThan(8);
      const open = builds.filter(({ status }) => status === 'running');
      return open.length === 0 && { open };
    }, 'every build that began has ended');
    expect(open.open).toEqual([]);
  });
});

test('settling a guest works after all of this', async () => {
  await using guest = await settleGuest(host, ada, 'zed');
  expect((await guest.api('GET', '/space')).json()).toMatchObject({ name: 'zed' });
});
