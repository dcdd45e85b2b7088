// Owns the two addresses of `space dev`: one where every browser is the signed-in owner, one where it is a visitor. Takes each
// request to its Micro by the routing of hosts: to the Micro's own server, or to the host of `space dev`.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProxyServer } from 'httpxy';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { isPublicRoute, microForPath, normalizePath } from '../../spacefile-schema/route.ts';
import { Failure } from '../failure.ts';
import { loopbackOf } from './free-port.ts';
import { RELOAD_MARKUP } from './live-reload.ts';
import type { LiveReload } from './live-reload.ts';

const LISTEN_MS = 15_000;

export type Visitor = 'owner' | 'visitor';

/** What routing looks at; replaced as a whole when it changes. */
export interface ProxyState {
  micros: readonly SpacefileMicro[];
  /** Name of a Micro -> port of its own server; 0 where that has ended. */
  servers: ReadonlyMap<string, number>;
  hostPort: number;
  /** Label of the Instance at the host; undefined before the first build is done. */
  label: string | undefined;
  /** Cookie of the signed-in owner. */
  session: string;
  /** What the Micros' own servers call each other with. */
  key: string;
}

export interface DevProxy {
  url: string;
  close(): Promise<void>;
}

export interface ProxyOptions { port: number; as: Visitor; state(): ProxyState; reload: LiveReload }

/** @throws Failure PORT_IN_USE */
export async function openProxy({ port, as, state, reload }: ProxyOptions): Promise<DevProxy> {
  const proxy = createProxyServer({});
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => say(response, 502, { title: 'No answer', text: error instanceof Error ? error.message : String(error) }));
  });
  const names = new Set(['localhost', '127.0.0.1', '[::1]'].map((name) => `${name}:${port}`));
  const isOwn = (host: string): boolean => names.has(host) || host === `${state().label}.localhost:${port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Another site's name that leads to this machine would make its pages ours (DNS rebinding).
    if (!isOwn(request.headers.host ?? '')) return say(response, 421, { title: 'Unknown name', text: `This is http://localhost:${port}/ of space dev.` });
    if (reload.serve(request, response)) return;
    const target = await targetOf(request, state(), as);
    if ('refusal' in target) return say(response, target.refusal.status, target.refusal);
    if (target.kind === 'server') {
      request.url = target.url;
      await proxy.web(request, response, { target: target.origin, proxyTimeout: 0 });
    } else {
      await throughHost(request, response);
    }
  }

  async function throughHost(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = request.headers.host ?? '';
    const host = `${state().label}.localhost:${port}`;
    disguise(request, { own, host, session: as === 'owner' || hasKey(request, state()) ? state().session : undefined });
    await proxy.web(request, response, { target: `http://127.0.0.1:${state().hostPort}`, selfHandleResponse: true, proxyTimeout: 0 });
  }

  proxy.on('proxyRes', (answered, request, response) => passOn(answered, request, response, as));
  proxy.on('error', (error, _request, response) => {
    if (response === undefined) return;
    if ('writeHead' in response) say(response, 502, { title: 'No answer', text: `${error.message}.` });
    else response.destroy();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => void join(request, socket, head).catch(() => socket.destroy()));

  async function join(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (!isOwn(request.headers.host ?? '')) return void socket.end('HTTP/1.1 421 Misdirected Request\r\n\r\n');
    const target = await targetOf(request, state(), as);
    if ('refusal' in target) return void socket.end(`HTTP/1.1 ${target.refusal.status} Refused\r\n\r\n`);
    if (target.kind === 'server') {
      request.url = target.url;
      await proxy.ws(request, socket, { target: target.origin }, head);
      return;
    }
    disguise(request, { own: request.headers.host ?? '', host: `${state().label}.localhost:${port}`, session: as === 'owner' ? state().session : undefined });
    await proxy.ws(request, socket, { target: `http://127.0.0.1:${state().hostPort}` }, head);
  }

  await listen(server, port);
  return {
    url: `http://localhost:${port}/`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE'
      ? new Failure({ code: 'PORT_IN_USE', what: `Port ${port} is in use by another program.`, remedy: 'Choose another: --port N.' }, { cause: error })
      : error));
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** Frameworks take their time to start: a request waits for them, rather than its person. */
async function awaitListener(port: number): Promise<string | undefined> {
  for (const until = performance.now() + LISTEN_MS; ;) {
    const address = await loopbackOf(port);
    if (address !== undefined || performance.now() > until) return address;
    await sleep(100);
  }
}

interface Refusal { status: number; title: string; text: string }
type Target = { kind: 'host' } | { kind: 'server'; origin: string; url: string } | { refusal: Refusal };

async function targetOf(request: IncomingMessage, state: ProxyState, as: Visitor): Promise<Target> {
  const [rawPath = '/', ...rest] = (request.url ?? '/').split('?');
  const path = normalizePath(rawPath);
  if (path === undefined) return { refusal: { status: 400, title: 'Bad request', text: 'The path is malformed.' } };
  const found = path === '/__space' || path.startsWith('/__space/') ? undefined : microForPath(state.micros, path);
  const port = found === undefined ? undefined : state.servers.get(found.micro.name);
  if (found === undefined || port === undefined) {
    return state.label === undefined ? { refusal: { status: 503, title: 'Not built yet', text: 'The app is being built, or has never been built without errors. The terminal says more; this page loads itself anew.' } } : { kind: 'host' };
  }
  const { micro } = found;
  if ((as === 'visitor' || isFromElsewhere(request)) && !hasKey(request, state) && !isPublicRoute(micro, found.path)) return { refusal: closed(`${as === 'visitor' ? 'Visitors' : 'Requests from pages of other sites'} do not get in here: \`${micro.name}\` has no public route for ${path}.`) };
  if (port === 0) return { refusal: { status: 502, title: 'Ended', text: `The dev command of \`${micro.name}\` has ended; the terminal says how. The next change of a file starts it again.` } };
  const address = await awaitListener(port);
  if (address === undefined) return { refusal: { status: 502, title: 'Not there yet', text: `Nothing listens on port ${port}, which the dev command of \`${micro.name}\` was given as PORT. It may still be starting.` } };
  return { kind: 'server', origin: `http://${address.includes(':') ? `[${address}]` : address}:${port}`, url: [found.path, ...rest].join('?') };
}

/** A page of another site sent this, or its browser does not say: in its person's name it may only lead here. */
function isFromElsewhere({ method, headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site === undefined) return headers.origin !== undefined && headers.origin !== `http://${headers.host}`;
  return site !== 'same-origin' && site !== 'none' && !(method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document');
}

function closed(text: string): Refusal {
  return { status: 401, title: 'Unauthorized', text };
}

function hasKey(request: IncomingMessage, { key }: ProxyState): boolean {
  return request.headers['x-api-key'] === key;
}

/** Requests to the host -> the name by which the browser sent them. */
const ownHosts = new WeakMap<IncomingMessage, string>();

/** As the host expects it: the app's own name, and the cookie that a sign-in would have left. */
function disguise(request: IncomingMessage, { own, host, session }: { own: string; host: string; session: string | undefined }): void {
  const { headers } = request;
  const renamed = (text: string): string => (text === `http://${own}` || text.startsWith(`http://${own}/`) ? text.replace(`http://${own}`, `http://${host}`) : text);
  headers.host = host;
  if (headers.origin !== undefined) headers.origin = renamed(headers.origin);
  if (headers.referer !== undefined) headers.referer = renamed(headers.referer);
  const cookies = (headers.cookie ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair !== '' && !/^space_(instance|session)=/.test(pair));
  if (session !== undefined) cookies.push(`space_instance=${session}`);
  if (cookies.length > 0) headers.cookie = cookies.join('; ');
  else delete headers.cookie;
  // So that a script can be put behind the end of a page.
  if (/text\/html/.test(headers.accept ?? '')) headers['accept-encoding'] = 'identity';
  ownHosts.set(request, own);
}

function passOn(answered: IncomingMessage, request: IncomingMessage, response: ServerResponse, as: Visitor): void {
  const own = ownHosts.get(request);
  if (own === undefined) return;
  const host = request.headers.host ?? '';
  const headers = { ...answered.headers };
  if (headers.location?.startsWith(`http://${host}`)) headers.location = headers.location.replace(`http://${host}`, `http://${own}`);
  if (isWayToLogin(answered, host)) {
    answered.resume();
    return say(response, 401, as === 'visitor' ? closed('Visitors are asked to sign in here: this route is not public.') : { status: 401, title: 'Signed out', text: 'The session has ended; load the page again.' });
  }
  headers['set-cookie'] = headers['set-cookie']?.filter((cookie) => !cookie.startsWith('space_instance='));
  if (headers['set-cookie'] === undefined || headers['set-cookie'].length === 0) delete headers['set-cookie'];
  const isPage = request.method === 'GET' && headers['content-type']?.startsWith('text/html') === true && headers['content-encoding'] === undefined && answered.statusCode !== 304 && answered.statusCode !== 206;
  if (isPage) for (const name of ['content-length', 'etag', 'last-modified']) delete headers[name];
  for (const name of ['transfer-encoding', 'connection', 'keep-alive']) delete headers[name];
  response.writeHead(answered.statusCode ?? 502, headers);
  answered.pipe(response, { end: false });
  answered.on('end', () => response.end(isPage ? RELOAD_MARKUP : undefined));
  answered.on('aborted', () => response.destroy());
}

/** Nobody can sign in here: the first address is signed in, and the second one never. */
function isWayToLogin({ statusCode = 0, headers }: IncomingMessage, host: string): boolean {
  const url = URL.parse(headers.location ?? '', `http://${host}`);
  return statusCode >= 300 && statusCode < 400 && url?.pathname === '/login' && url.host !== host && url.searchParams.has('redirect_uri');
}

function say(response: ServerResponse, status: number, { title, text }: { title: string; text: string }): void {
  if (response.headersSent) return void response.destroy();
  const plain = text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`).replace(/`([^`]*)`/g, '<code>$1</code>');
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`<!doctype html>\n<meta name="color-scheme" content="light dark"><title>${title}</title>\n<body style="font: 1rem system-ui; margin: 3rem auto; max-width: 40rem; padding: 0 1rem"><h1>${title}</h1><p>${plain}</p></body>${RELOAD_MARKUP}`);
}
