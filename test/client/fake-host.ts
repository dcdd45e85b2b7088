// A small host that follows the wire of the control plane over real HTTP, with state in memory: what the command needs
// of a host, without building or running anything. The tests of `e2e` use the real one.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import type { WireInstance, WireJobStatus, WireRelease, WireRevision } from '../../core/wire.ts';

export const TOKEN = 'abcdefgh_0123456789abcdef0123456789abcdef';

export interface Call { method: string; path: string; type: string; body: Buffer; headers: IncomingMessage['headers'] }
/** `hangUp`: after the lines the connection breaks off, when this says so. */
interface Answer { status?: number; json?: unknown; lines?: string[]; headers?: Record<string, string>; hangUp?: Promise<void> }

interface Build { id: string; app_id: string; tag: string; status: WireJobStatus; error: string | null }

export interface FakeHost extends AsyncDisposable {
  root: string;
  origin: string;
  calls: Call[];
  revisions: WireRevision[];
  releases: WireRelease[];
  instances: WireInstance[];
  /** What the next build says and how it ends. */
  nextBuild: { lines: string[]; error: string | null; hangUp?: boolean };
  logLines: string[];
  /** Answers instead of the host when it returns something. */
  intercept: (call: Call) => Answer | undefined;
}

export async function startFakeHost(): Promise<FakeHost> {
  const builds = new Map<string, Build>();
  const released = new Map<string, WireRelease>();
  let counter = 0;
  const nextId = (prefix: string) => `${prefix}${String((counter += 1)).padStart(4, '0')}`;

  const host: FakeHost = {
    root: '', origin: '', calls: [], revisions: [], releases: [], instances: [], logLines: [],
    nextBuild: { lines: ['Parsing Spacefile...', 'All micros built successfully'], error: null },
    intercept: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  /** A build goes on until somebody has seen that it does. */
  const endBuild = (build: Build): void => {
    build.status = host.nextBuild.error === null ? 'complete' : 'failed';
    build.error = host.nextBuild.error;
    if (build.error === null) host.revisions.unshift({ id: build.id, app_id: build.app_id, tag: build.tag, created_at: '2026-01-01T00:00:00Z' });
  };

  const instanceFor = (appId: string, channel: WireInstance['channel'], releaseId: string): WireInstance => {
    const alias = `guestbook-${channel === 'development' ? 'a1111111' : nextId('b')}`;
    const made: WireInstance = {
      id: nextId('inst'), app_id: appId, app_name: 'guestbook', release_id: releaseId, channel, alias, url: `http://${alias}.localhost:4400/`,
      version: channel === 'development' ? 'crow-qznb' : '1.0', status: 'ready', collection_id: 'col1', created_at: '2026-01-01T00:00:00Z', update: null,
      release: { id: releaseId, app_name: 'guestbook', version: '1.0', channel, short_description: '', icon_url: null },
      micros: [{ id: 'm1', name: 'api', engine: 'isolate', path: '/', primary: true, presets: { env: [{ name: 'GREETING', description: '', value: 'hi' }], api_keys: false } }],
    };
    host.instances.push(made);
    return made;
  };

  const routes: [string, RegExp, (match: string[], call: Call, query: URLSearchParams) => Answer][] = [
    ['GET', /^\/health$/, () => ({ json: { status: 'ok', version: '0.1.0' } })],
    ['GET', /^\/space$/, () => ({ json: { id: 'space1', name: 'ada', role: 'owner' } })],
    ['POST', /^\/login$/, (_, call) => {
      const { username, password } = JSON.parse(String(call.body)) as Record<string, string>;
      if (username !== 'ada' || password !== 'correct horse') return refuse(401, 'LOGIN_FAILED', 'The name or the password is wrong.');
      return { json: { space: { id: 'space1', name: 'ada' } }, headers: { 'set-cookie': 'session=s3cret; HttpOnly; Path=/' } };
    }],
    ['POST', /^\/logout$/, () => ({ status: 204 })],
    ['POST', /^\/tokens$/, () => ({ status: 201, json: { id: 'abcdefgh', access_token: TOKEN } })],
    ['POST', /^\/apps$/, (_, call) => {
      const { name } = JSON.parse(String(call.body)) as { name: string };
      return { status: 201, json: { id: 'proj1', name, alias: name.toLowerCase(), created_at: '2026-01-01T00:00:00Z' } };
    }],
    ['GET', /^\/apps$/, () => ({ json: { apps: [{ id: 'proj1', name: 'guestbook', alias: 'guestbook', created_at: '' }] } })],
    ['GET', /^\/apps\/([^/]+)$/, ([id]) => (id === 'proj1' ? { json: { id, name: 'guestbook', alias: 'guestbook', created_at: '' } } : refuse(404, 'PROJECT_NOT_FOUND', 'This project does not exist, or is not yours.'))],
    ['GET', /^\/apps\/[^/]+\/revisions$/, () => ({ json: { revisions: host.revisions, page: { size: host.revisions.length, last: null } } })],
    ['GET', /^\/apps\/[^/]+\/revisions\/tag\/([^/]+)$/, ([tag]) => {
      const revision = host.revisions.find((one) => one.tag === tag);
      return revision ? { json: { revision } } : refuse(404, 'REVISION_NOT_FOUND', 'This revision does not exist, or is not yours.');
    }],
    ['POST', /^\/builds$/, (_, call) => {
      const { app_id, tag } = JSON.parse(String(call.body)) as { app_id: string; tag: string };
      const build: Build = { id: nextId('bld'), app_id, tag: tag || 'crow-qznb', status: 'pending', error: null };
      builds.set(build.id, build);
      return { status: 202, json: { id: build.id } };
    }],
    ['POST', /^\/builds\/([^/]+)\/(manifest|icon|code)$/, ([id = '', step]) => {
      const build = builds.get(id);
      if (build && step === 'code') build.status = 'running';
      return { status: 202, json: { build_id: id } };
    }],
    ['GET', /^\/builds\/([^/]+)$/, ([id = '']) => {
      const build = builds.get(id);
      const seen = { ...build };
      if (build?.status === 'running') endBuild(build);
      return { json: seen };
    }],
    ['GET', /^\/builds\/([^/]+)\/logs$/, () => ({ lines: host.nextBuild.lines, ...(host.nextBuild.hangUp && { hangUp: Promise.resolve() }) })],
    ['GET', /^\/promotions$/, (_, _call, query) => ({ json: { promotions: [{ id: `dev-${query.get('revision_id')}`, status: 'complete', channel: 'development' }], page: {} } })],
    ['POST', /^\/promotions$/, (_, call) => {
      const body = JSON.parse(String(call.body)) as Record<string, string>;
      const id = nextId('rel');
      const made = {
        id, app_id: body.app_id, app_name: 'guestbook', tag: 'crow-qznb', revision_id: body.revision_id, version: body.version || 'exp-MgPS',
        release_notes: body.release_notes, channel: 'experimental', listed: Boolean(body.discovery_list), latest: true,
        released_at: '2026-01-01T00:00:00Z', url: `${host.origin}/r/${id}`, author: 'ada', discovery: {},
      } as unknown as WireRelease;
      released.set(id, made);
      host.releases.unshift(made);
      return { status: 202, json: { id } };
    }],
    ['POST', /^\/promotions\/([^/]+)\/discovery$/, () => ({ status: 202, json: {} })],
    ['POST', /^\/promotions\/([^/]+)\/discovery\/screenshots\/\d+$/, ([id]) => ({ json: { release_id: id } })],
    ['GET', /^\/promotions\/([^/]+)$/, ([id]) => ({ json: { id, status: 'complete', channel: 'experimental' } })],
    ['GET', /^\/promotions\/([^/]+)\/logs$/, ([id]) => ({ lines: ['creating release...', 'completed...', `${host.origin}/r/${id}`] })],
    ['GET', /^\/releases\/latest$/, (_, _call, query) => {
      const latest = host.releases.find((one) => query.get('listed') !== 'true' || one.listed);
      return latest ? { json: latest } : refuse(404, 'RELEASE_NOT_FOUND', 'This release does not exist.');
    }],
    ['GET', /^\/releases\/([^/]+)$/, ([id = '']) => {
      const release = released.get(id);
      return release ? { json: release } : refuse(404, 'RELEASE_NOT_FOUND', 'This release does not exist.');
    }],
    ['GET', /^\/installations$/, (_, _call, query) => {
      const builder = host.instances.find((one) => one.channel === 'development') ?? instanceFor('proj1', 'development', query.get('release_id') ?? '');
      return { json: { installations: [{ id: `job-${builder.id}`, instance_id: builder.id, status: 'running' }], page: {} } };
    }],
    ['POST', /^\/installations$/, (_, call) => {
      const { release_id, instance_id } = JSON.parse(String(call.body)) as { release_id: string; instance_id?: string };
      const instance = host.instances.find((one) => one.id === instance_id) ?? instanceFor(released.get(release_id)?.app_id ?? '', 'experimental', release_id);
      return { status: 202, json: { id: `job-${instance.id}`, instance_id: instance.id, status: 'pending' } };
    }],
    ['GET', /^\/installations\/job-([^/]+)$/, ([instanceId]) => ({ json: { id: `job-${instanceId}`, instance_id: instanceId, status: 'complete', error: null } })],
    ['GET', /^\/installations\/([^/]+)\/logs$/, () => ({ lines: ['starting update...', 'http://guestbook-a1111111.localhost:4400/'] })],
    ['GET', /^\/instances$/, (_, _call, query) => ({ json: { instances: host.instances.filter((one) => (query.get('app_id') ?? one.app_id) === one.app_id && (query.get('channel') ?? one.channel) === one.channel) } })],
    ['GET', /^\/instances\/([^/]+)$/, ([id]) => ({ json: host.instances.find((one) => one.id === id) })],
    ['PATCH', /^\/instances\/([^/]+)$/, () => ({ json: {} })],
    ['GET', /^\/instances\/([^/]+)\/logs$/, (_, _call, query) => {
      const micro = query.get('micro');
      return { lines: host.logLines.filter((line) => micro === null || (JSON.parse(line) as { micro: string }).micro === micro) };
    }],
  ];

  const answer = (call: Call): Answer => {
    const url = new URL(call.path, 'http://host');
    const path = url.pathname.replace(/^\/api\/v0/, '');
    const isOpen = path === '/health' || path === '/login';
    const isSession = /session=s3cret/.test(call.headers.cookie ?? '') && call.headers.origin === host.origin;
    if (!isOpen && !isSession && call.headers.authorization !== `Bearer ${TOKEN}`) return refuse(401, 'UNAUTHORIZED', 'Unauthorized');
    for (const [method, pattern, handle] of routes) {
      const match = method === call.method ? pattern.exec(path) : null;
      if (match) return handle(match.slice(1), call, url.searchParams);
    }
    return refuse(404, 'NOT_FOUND', 'Nothing is here.');
  };

  const server = createServer(async (request, response) => {
    const call: Call = {
      method: request.method ?? '', path: request.url ?? '', type: request.headers['content-type'] ?? '', body: await buffer(request), headers: request.headers,
    };
    host.calls.push(call);
    send(response, host.intercept(call) ?? answer(call));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  host.root = `${host.origin}/api`;
  return host;
}

export function refuse(status: number, code: string, detail: string): Answer {
  return { status, json: { errors: [detail], detail, code, request_id: 'req123' } };
}

function send(response: ServerResponse, { status = 200, json, lines, headers = {}, hangUp }: Answer): void {
  if (lines !== undefined) {
    response.writeHead(200, { 'content-type': 'text/plain' });
    for (const line of lines) response.write(`${line}\n`);
    if (hangUp) void hangUp.then(() => response.destroy());
    else response.end();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(json === undefined ? '' : JSON.stringify(json));
}
