// Covers programs in Node and Python from the push to the answer, through a whole host: their requests, their sleep, a second
// person's copy, WebSockets, what they may call, and what people are shown.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { WireAction, WireScheduleRun } from '../../core/wire.ts';
import { send, type TestResponse } from '../support/http.ts';
import { installApp, pushApp, releaseApp, startTestHost, until, type PushedApp, type TestHost } from '../support/start-host.ts';

const NODE = `
const http = require('node:http');
const { createHash } = require('node:crypto');
console.log('node is up');
http.createServer(async (request, response) => {
  if (request.url === '/env') return response.end(JSON.stringify(process.env));
  if (request.url === '/crash') process.exit(3);
  if (request.url === '/forbidden') return response.writeHead(200, { 'Strict-Transport-Security': 'max-age=1', 'X-Space-App-Actor': 'me', 'X-Own': 'kept', 'Set-Cookie': ['a=1; Domain=localhost', '__Host-space_session=x'] }).end();
  if (request.url === '/outside') return http.get({ host: '127.0.0.1', port: 3128, path: 'http://127.0.0.1:9/' }, (answer) => answer.pipe(response));
  if (request.url.startsWith('/fetch?')) {
    try { const answer = await fetch(decodeURIComponent(request.url.slice(7))); return response.end(answer.status + ' ' + await answer.text()); }
    catch (error) { return response.end('failed ' + (error.cause?.code ?? error.cause?.message ?? error.message)); }
  }
  response.end('node ' + request.url + ' ' + process.pid);
}).on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  // A text frame of up to 125 bytes comes back as it is.
  socket.on('data', (frame) => {
    const length = frame[1] & 127, mask = frame.subarray(2, 6), data = Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]));
    if ((frame[0] & 15) === 1) socket.write(Buffer.concat([Buffer.of(0x81, length), data]));
  });
  socket.on('error', () => {});
}).listen(process.env.PORT);
`;
const PYTHON = `
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path, "micro": os.environ["DETA_SPACE_APP_MICRO_NAME"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`;
const FILES = {
  Spacefile: [
    'v: 0', 'micros:',
    '  - name: node', '    src: node', '    engine: nodejs16', '    primary: true', '    public_routes:', '      - /*',
    '  - name: python', '    src: python', '    engine: custom', '    run: python3 main.py', '    path: python', '    public: true',
    '  - name: late', '    src: python', '    engine: custom', '    run: python3 none.py', '    path: late', '    public: true', '',
  ].join('\n'),
  'node/index.js': NODE,
  'python/main.py': PYTHON,
};

let host: TestHost;
let app: PushedApp;

beforeAll(async () => {
  host = await startTestHost();
  app = await pushApp(host.owner, { name: 'programs', files: FILES });
});
afterAll(() => host?.close());

const at = (path: string): string => `${app.builder.url}${path}`;
const logs = async (): Promise<string> => (await host.owner.call(`GET /instances/${app.builder.id}/logs`)).text;

test('a program in Node and one in Python answer side by side', async () => {
  expect((await send(at('some/path?x=1'))).text).toMatch(/^node \/some\/path\?x=1 \d+$/);
  expect((await send(at('python/deep'))).json()).toEqual({ path: '/deep', micro: 'python' });
  await until(async () => ((await logs()).includes('node is up') ? true : undefined));
});

test('it stays up between requests, is gone when it exits, and comes back', async () => {
  const [first, second] = [(await send(at(''))).text, (await send(at(''))).text];
  expect(second).toBe(first);
  expect((await send(at('crash'))).status).toBe(502);
  await until(async () => ((await logs()).includes('ended by itself with code 3') ? true : undefined));
  expect((await send(at(''))).text).toMatch(/^node/);
});

test('it sees its own variables and none of the host', async () => {
  process.env.OWNSPACE_CANARY = 'canary';
  const env = (await send(at('env'))).json();
  delete process.env.OWNSPACE_CANARY;
  expect(env).toMatchObject({ DETA_SPACE_APP: 'true', DETA_SPACE_APP_MICRO_NAME: 'node', PORT: '8080' });
  expect(env.DETA_PROJECT_KEY).toMatch(/_/);
  expect(JSON.stringify(env)).not.toMatch(/canary/);
});

test('a start that fails says why, to the caller and in the log', async () => {
  const answer = await send(at('late/'));
  expect(answer.status).toBe(502);
  expect(answer.text).toMatch(/MICRO_START_FAILED|could not start/);
  expect(await logs()).toMatch(/ended by itself with code 2.*none\.py/);
});

test('headers of its answers that would count for more than the app are left out, and its log says which, once', async () => {
  for (let turn = 0; turn < 2; turn += 1) {
    const { headers, cookies } = await send(at('forbidden'));
    expect([headers['x-own'], headers['strict-transport-security'], headers['x-space-app-actor'], cookies]).toEqual(['kept', undefined, undefined, ['a=1']]);
  }
  await until(async () => ((await logs()).includes('set-cookie of an answer') ? true : undefined));
  const said = [...(await logs()).matchAll(/The (?:header )?(\S+|Domain of a cookie)(?: of an answer)? was left out/g)].map(([, what]) => what);
  expect(said.sort()).toEqual(['Domain of a cookie', 'set-cookie', 'strict-transport-security', 'x-space-app-actor']);
});

test('its WebSockets are its own', async () => {
  const { host: name } = new URL(app.builder.url);
  const socket = new WebSocket(`ws://127.0.0.1:${host.port}/chat`, { headers: { host: name } });
  const word = await new Promise((resolve, reject) => {
    socket.on('error', reject).on('open', () => socket.send('over the wire')).on('message', (data) => resolve(String(data)));
  });
  expect(word).toBe('over the wire');
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.terminate();
  await closed;
});

test('it reaches no address of this machine, by name, number or proxy', async () => {
  const inside = async (url: string): Promise<string> => (await send(at(`fetch?${encodeURIComponent(url)}`))).text;
  for (const url of [`http://127.0.0.1:${host.port}/`, `http://localhost:${host.port}/`, 'http://[::1]:22/', 'http://169.254.169.254/latest', 'https://10.0.0.1/', 'http://2130706433/', 'http://0x7f.1:80/']) {
    expect(await inside(url), url).toMatch(/^failed|^403 EGRESS_BLOCKED|^502 EGRESS_FAILED/);
  }
});

test('a flood of its calls to the outside is cut off, for this app only, and the host says whose it was (C10)', async () => {
  const call = async (): Promise<string> => /[A-Z_]{8,}/.exec((await send(at('outside'))).text)?.[0] ?? 'nothing';
  await host.owner.call(`PATCH /instances/${app.builder.id}/limits`, { callsPerMinute: 3 });
  const said: string[] = [];
  for (let turn = 0; turn < 20 && said.at(-1) !== 'TOO_MANY_REQUESTS'; turn += 1) said.push(await call());
  expect(said[0]).toBe('EGRESS_BLOCKED');
  expect(said.at(-1)).toBe('TOO_MANY_REQUESTS');
  await until(async () => (host.logged().split('\n').some((line) => line.includes('egress.limited') && line.includes(app.builder.id)) ? true : undefined));
  await host.owner.call(`PATCH /instances/${app.builder.id}/limits`, { callsPerMinute: null });
  expect(await call(), 'the control: under its usual limit it is asked again').toBe('EGRESS_BLOCKED');
});

test('an owner who lets it call nothing finds no way outside in it', async () => {
  await host.owner.call(`PATCH /instances/${app.builder.id}/egress`, { policy: 'none' });
  const env = (await send(at('env'))).json();
  expect([env.PORT, env.HTTPS_PROXY, env.NODE_USE_ENV_PROXY]).toEqual(['8080', undefined, undefined]);
  await host.owner.call(`PATCH /instances/${app.builder.id}/egress`, { policy: 'internet' });
  expect((await send(at('env'))).json().HTTPS_PROXY).toBe('http://127.0.0.1:3128');
});

test('another person has a program of their own, which ends with the Instance', async () => {
  const release = await releaseApp(host.owner, app, { version: '1.0.0' });
  const { instance } = await installApp(host.member, release);
  const [mine, theirs] = [(await send(at('env'))).json(), (await send(`${instance.url}env`)).json()];
  expect(theirs.DETA_PROJECT_KEY).not.toBe(mine.DETA_PROJECT_KEY);
  const { programs, boxes } = (await host.owner.call('GET /host')).json();
  expect(programs.running).toBeGreaterThanOrEqual(2);
  expect(['full', 'soft']).toContain(boxes.level);
  expect((await host.owner.visitor.visit(`${host.url}/host`)).text).toMatch(/Boxes for programs: Full/);
  await host.member.call(`DELETE /instances/${instance.id}?data=delete`);
  await until(async () => ((await host.owner.call('GET /host')).json().programs.running < programs.running ? true : undefined));
});

test('it stands still after a while, and goes on with the next request', async () => {
  const before = (await send(at(''))).text;
  host.clock.advance(16_000);
  await until(async () => { host.clock.advance(1_000); return (await host.owner.call('GET /host')).json().programs.frozen > 0 ? true : undefined; });
  expect((await send(at(''))).text).toBe(before);
});

describe('what isolates do, programs do too: schedules, actions, variables', () => {
  const DOER = {
    node: `
const events = [];
require('node:http').createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const json = (value, status = 200) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.url === '/__space/v0/actions') { events.push(JSON.parse(body).event); return json({}, events.at(-1).id.startsWith('bad') ? 500 : 200); }
  if (request.url === '/__space/actions') return json({ actions: [{ name: 'say-node', path: '/say', input: [{ name: 'text', type: 'string' }] }] });
  json({ word: process.env.WORD, text: body && JSON.parse(body).text, events });
}).listen(process.env.PORT);
`,
    python: `
import http.server, json, os
events = []
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = json.loads(body) if body else {}
        status, value = 200, {"word": os.environ.get("WORD"), "text": sent.get("text"), "events": events}
        if self.path == "/__space/v0/actions":
            events.append(sent["event"])
            status = 500 if sent["event"]["id"].startswith("bad") else 200
        if self.path == "/__space/actions":
            value = {"actions": [{"name": "say-python", "path": "/say", "input": [{"name": "text", "type": "string"}]}]}
        reply = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
    do_GET = do_POST = answer
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`,
    cell: `
const events = [];
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/__space/actions') return Response.json({ actions: [{ name: 'say-cell', path: '/say', input: [{ name: 'text', type: 'string' }] }] });
    const text = request.method === 'POST' ? (await request.json()).text : undefined;
    return Response.json({ word: env.WORD, text, events });
  },
  async scheduled({ id, trigger }) {
    events.push({ id, trigger });
    if (id.startsWith('bad')) throw new Error('bad');
  },
};
`,
  };
  type Doer = keyof typeof DOER;
  const DOERS = Object.keys(DOER) as Doer[];
  const micro = (name: Doer, how: string): string[] => [
    `  - name: ${name}`, `    src: ${name}`, `    ${how}`, '    public: true', '    provide_actions: true', '    presets: { env: [{ name: WORD, default: hello }] }', '    actions:',
    ...['tick', 'bad'].map((id) => `      - { id: ${id}-${name}, name: ${id} ${name}, trigger: schedule, default_interval: 1 day }`),
  ];
  const SPACEFILE = ['v: 0', 'micros:', ...micro('node', 'engine: nodejs16'), '    primary: true', ...micro('python', 'engine: custom'), '    run: python3 main.py', ...micro('cell', 'engine: isolate'), ''].join('\n');
  let doers: PushedApp;
  const ask = async (name: Doer, method = 'GET', path = ''): Promise<TestResponse> => send(`${doers.builder.url}${name === 'node' ? '' : `${name}/`}${path}`, { method, ...(method === 'POST' && { body: { event: { id: 'forged', trigger: 'schedule' } } }) });
  const run = async (id: string): Promise<WireScheduleRun> => (await host.owner.call(`POST /instances/${doers.builder.id}/schedules/${id}/run`, {})).json();

  beforeAll(async () => {
    doers = await pushApp(host.owner, { name: 'doers', files: { Spacefile: SPACEFILE, 'node/index.js': DOER.node, 'python/main.py': DOER.python, 'cell/index.js': DOER.cell } });
  });

  test.each(DOERS)('%s is called by its schedules, told which, and judged by its answer', async (name) => {
    expect(await run(`tick-${name}`)).toMatchObject({ outcome: 'ok', error: null });
    expect(await run(`bad-${name}`)).toMatchObject({ outcome: 'failed' });
    // Nobody else can say that a schedule is due.
    expect((await ask(name, 'POST', '__space/v0/actions')).status).toBe(403);
    expect((await ask(name)).json().events).toEqual([{ id: `tick-${name}`, trigger: 'schedule' }, { id: `bad-${name}`, trigger: 'schedule' }]);
  });

  test.each(DOERS)('%s says what it can be asked to do, and does it', async (name) => {
    const { actions } = (await host.owner.call('GET /actions?per_page=1000')).json<{ actions: WireAction[] }>();
    expect(actions.filter((each) => each.instance_id === doers.builder.id).map((each) => each.name).toSorted()).toEqual(['say-cell', 'say-node', 'say-python']);
    expect((await host.owner.call(`POST /actions/${doers.builder.id}/say-${name}`, { text: 'hi' })).json()).toMatchObject({ type: '@deta/raw', data: { word: 'hello', text: 'hi' } });
  });

  test.each(DOERS)('%s sees a variable that its owner sets from the next request on, in schedules and actions too', async (name) => {
    const values = { micros: [{ name, presets: { env: [{ name: 'WORD', value: `salut ${name}` }] } }] };
    expect((await host.owner.call(`PATCH /instances/${doers.builder.id}`, values)).status).toBe(200);
    expect((await ask(name)).json().word).toBe(`salut ${name}`);
    expect((await host.owner.call(`POST /actions/${doers.builder.id}/say-${name}`, { text: 'hi' })).json()).toMatchObject({ data: { word: `salut ${name}` } });
    expect(await run(`tick-${name}`)).toMatchObject({ outcome: 'ok' });
  });
});
