// Owns the way of a request to a Micro: from the front door, and from one Micro to another. The front door's hot path:
// no Koa, no Web objects, and no promise before the Engine where everything is remembered.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { isReservedPath, microForPath, normalizePath } from '../../spacefile-schema/route.ts';
import { actsForOwner, isNavigation, isPassedOn, type Access, type AccessRequest, type Decision } from '../auth/access.ts';
import type { Engine, HeaderList, MicroRequest, MicroResponse } from '../engine/engine.ts';
import { answerWithMarkup, withoutCodings } from '../engine/page-markup.ts';
import { hasBody } from '../http/body.ts';
import { cookieName, setCookie } from '../http/cookie.ts';
import { cleanRequestHeaders, headerValue, type CleanRequest } from '../http/headers.ts';
import { redirect, SERVER_NAME } from '../http/reply.ts';
import { sendMicroResponse } from '../http/send.ts';
import { tellDropped } from './dropped-headers.ts';
import { acceptWebSocket, passWebSocket, type UpgradeSocket } from '../http/web-socket.ts';
import { INSTANCE_SESSION_SECONDS } from '../auth/instance-session.ts';
import type { LiveInstance, LiveInstances, RevisionMicro } from './live.ts';
import type { OpenCall, OpenCalls } from './open-calls.ts';

/** A request at an Instance's host, read once. */
export interface InstanceCall {
  id: string;
  request: IncomingMessage;
  response: ServerResponse;
  live: LiveInstance;
  /** Normalised; what is decided on and what the Micro receives. */
  path: string;
  /** With its `?`, or ''. */
  query: string;
  /** Scheme, host and port by which it came. */
  origin: string;
  isSecure: boolean;
  clean: CleanRequest;
  /** It asks for a WebSocket. */
  connection: UpgradeSocket | undefined;
}

interface Target { micro: RevisionMicro; path: string }
type Allowed = Extract<Decision, { allowed: true }>;
type Arrival = Pick<InstanceCall, 'id' | 'request' | 'response' | 'isSecure' | 'connection'>;

export interface DispatchParts {
  live: LiveInstances;
  access: Access;
  engineFor(micro: RevisionMicro): Engine;
  /** `/__space/...` of an Instance's host. */
  reserved(call: InstanceCall): Promise<void>;
  /** Answer with an error: a page for a person, JSON for a program. */
  refuse(call: Pick<InstanceCall, 'id' | 'request' | 'response'> & { live?: LiveInstance }, error: unknown): void;
  /** Where people sign in, for the host and port by which a request came. */
  loginUrl(call: InstanceCall): string;
  openCalls: OpenCalls;
}

export interface Dispatch {
  /** A request of the instance plane. */
  handle(request: IncomingMessage, response: ServerResponse, at: { label: string; host: string; isSecure: boolean }): void;
  /** A request that asks for a WebSocket. */
  upgrade(request: IncomingMessage, response: ServerResponse, at: { label: string; host: string; isSecure: boolean; connection: UpgradeSocket }): void;
  /** A call by URL from a Micro to a host name of this host's Instances: keys and public routes open it, sessions do not. */
  fetchByUrl(live: LiveInstance, request: MicroRequest): Promise<MicroResponse>;
  /** A call from a Micro to another of its own Instance. */
  fetchMicro(live: LiveInstance, name: string, request: MicroRequest): Promise<MicroResponse>;
  /** A request of the host's own, which may go to the addresses that are closed to everybody else. */
  deliver(live: LiveInstance, name: string, request: MicroRequest): Promise<MicroResponse>;
}

const GOODBYE_MS = 1_000;
const GOODBYE: Readonly<Record<'revoked' | 'closing', [code: number, reason: string]>> = { revoked: [4401, 'Signed out'], closing: [1012, 'The host is being restarted'] };
/** Besides what the app's own policy says: both hold. */
const OWN_FRAMES_ONLY: HeaderList = ['content-security-policy', "frame-ancestors 'self'"];
/** In the pages of people who are signed in: what makes an app installable (@source reference 3.9). */
const PWA_MARKUP = '<script src="/__space/v0/runtime.js" async></script>';

export function createDispatch(parts: DispatchParts): Dispatch {
  function handle(request: IncomingMessage, response: ServerResponse, at: { label: string; host: string; isSecure: boolean; connection?: UpgradeSocket }): void {
    const arrival: Arrival = { id: newId('request'), request, response, isSecure: at.isSecure, connection: at.connection };
    const live = parts.live.byLabel(at.label);
    if (live !== undefined && !(live instanceof Promise)) {
      serve(arrival, live);
      return;
    }
    Promise.resolve(live).then((found) => {
      if (!found) throw new SpaceError('HOST_UNKNOWN', { host: at.host });
      serve(arrival, found);
    }).catch((error) => parts.refuse(arrival, error));
  }

  function serve(arrival: Arrival, live: LiveInstance): void {
    try {
      const call = readCall(arrival, live);
      if (call.path.startsWith('/__space/') || call.path === '/__space') {
        parts.reserved(call).catch((error) => parts.refuse(call, error));
        return;
      }
      route(call);
    } catch (error) {
      parts.refuse({ ...arrival, live }, error);
    }
  }

  function route(call: InstanceCall): void {
    const { live, request } = call;
    const method = request.method ?? 'GET';
    const target = microForPath(live.revision.micros, call.path);
    if (!target) throw new SpaceError('MICRO_NOT_FOUND');
    assertOpen(call.path, target.path);
    const isOwners = call.connection ? checkOrigin(call) : actsForOwner(method, request.rawHeaders, call.origin);
    const sessionTokens = isOwners ? call.clean.platformCookies[cookieName('instance', call.isSecure)] : undefined;
    const decision = parts.access.decide(accessOf(call, target, sessionTokens));
    if (decision instanceof Promise) {
      decision.then((late) => proceed(call, target, late)).catch((error) => parts.refuse(call, error));
    } else {
      proceed(call, target, decision);
    }
  }

  function proceed(call: InstanceCall, target: Target, decision: Decision): void {
    const { request, response, live } = call;
    const method = request.method ?? 'GET';
    if (!decision.allowed) {
      if (call.connection || !isNavigation(method, request.rawHeaders)) throw new SpaceError('UNAUTHORIZED');
      redirect(response, parts.loginUrl(call));
      return;
    }
    if (target.micro.runs === 'static' && call.path === target.micro.path && target.path === '/' && call.path !== '/') {
      // Links of its page count from there.
      redirect(response, `${call.path}/${call.query}`);
      return;
    }
    const pageMarkup = live.revision.autoPwa && decision.by === 'session' && isPageVisit(request.rawHeaders) ? PWA_MARKUP : undefined;
    const extra = decision.by === 'session' && isPassedOn(request.rawHeaders) ? OWN_FRAMES_ONLY : undefined;
    const microRequest: MicroRequest = {
      id: call.id, method, url: call.origin + target.path + call.query, pageMarkup,
      headers: pageMarkup === undefined || target.micro.runs === 'static' ? call.clean.headers : withoutCodings(call.clean.headers),
      body: hasBody(request) && !call.connection ? request : null, hops: 0, ...(call.connection ? { upgrade: true } : {}),
      onGone: (tell) => response.on('close', () => { if (!response.writableFinished) tell(); }),
    };
    parts.engineFor(target.micro).fetch(live.spec, target.micro.name, microRequest).then((given) => {
      const answer = pageMarkup === undefined || given.hasPageMarkup ? given : answerWithMarkup(given, pageMarkup);
      if (answer.webSocket ?? answer.connection) {
        join(call, target, { answer, decision });
        return;
      }
      if (answer.body instanceof Readable && decision.by !== 'public') watch(call, target, { decision, close: () => response.destroy() });
      const cookie = decision.renewed === undefined ? undefined
        : setCookie('instance', decision.renewed, { isSecure: call.isSecure, maxAgeSeconds: INSTANCE_SESSION_SECONDS });
      const onCut = (error: SpaceError): void => live.spec.services.log({ micro: target.micro.name, level: 'error', text: error.message, requestId: call.id });
      sendMicroResponse(response, extra === undefined ? answer : { ...answer, headers: [...answer.headers, ...extra] }, { isHead: method === 'HEAD', isPrivate: decision.by !== 'public', cookie, onCut, onDropped: (what) => tellDropped(live, target.micro.name, what) });
    }).catch((error) => parts.refuse(call, error));
  }

  async function fetchByUrl(live: LiveInstance, request: MicroRequest): Promise<MicroResponse> {
    const url = new URL(request.url);
    const path = normalizePath(url.pathname);
    if (path === undefined) throw new SpaceError('BAD_REQUEST', { reason: 'The path is malformed.' });
    const target = microForPath(live.revision.micros, path);
    if (!target) throw new SpaceError('MICRO_NOT_FOUND');
    assertOpen(path, target.path);
    const decision = await parts.access.decide({ live, micro: target.micro, path: target.path, headers: request.headers, sessionTokens: undefined });
    if (!decision.allowed) return unauthorized();
    const facts = { host: url.host, proto: url.protocol === 'https:' ? 'https' as const : 'http' as const, clientAddress: '127.0.0.1', requestId: request.id };
    const { headers } = cleanRequestHeaders(request.headers, facts);
    return parts.engineFor(target.micro).fetch(live.spec, target.micro.name, { ...framed(request, headers), url: url.origin + target.path + url.search });
  }

  async function fetchMicro(live: LiveInstance, name: string, request: MicroRequest): Promise<MicroResponse> {
    const path = normalizePath(URL.parse(request.url)?.pathname ?? '');
    if (path === undefined) throw new SpaceError('BAD_REQUEST', { reason: 'The path is malformed.' });
    assertOpen(path);
    return deliver(live, name, request);
  }

  async function deliver(live: LiveInstance, name: string, request: MicroRequest): Promise<MicroResponse> {
    const micro = live.micro(name);
    if (!micro) throw new SpaceError('MICRO_NOT_FOUND');
    return parts.engineFor(micro).fetch(live.spec, name, framed(request, request.headers));
  }

  /** Give the Micro the connection that asked for a WebSocket. */
  function join(call: InstanceCall, target: Target, { answer, decision }: { answer: MicroResponse; decision: Allowed }): void {
    const { request, response, connection } = call;
    const { webSocket, headers } = answer;
    if (answer.connection) return pass(call, target, { answer, decision });
    if (!connection || connection.socket.destroyed) return webSocket!.refuse();
    // From here on the connection is the library's; a client whose part of the handshake is wrong hears of it there.
    response.detachSocket(connection.socket as Socket);
    connection.socket.once('close', webSocket!.refuse);
    acceptWebSocket(request, connection, { headers, onOpen: (socket) => {
      connection.socket.off('close', webSocket!.refuse);
      webSocket!.attach(socket);
      const release = watch(call, target, { decision, close: (why) => endSocket(socket, why) });
      socket.once('close', release);
    } });
  }

  /** A program shakes hands itself. */
  function pass(call: InstanceCall, target: Target, { answer, decision }: { answer: MicroResponse; decision: Allowed }): void {
    const { response, connection } = call;
    const inner = answer.connection!;
    if (!connection || connection.socket.destroyed) return void inner.socket.destroy();
    response.detachSocket(connection.socket as Socket);
    const end = passWebSocket(connection, answer.headers, inner);
    const release = watch(call, target, { decision, close: (why) => end(...GOODBYE[why]) });
    connection.socket.once('close', release);
  }

  /** Ask now and then whether whoever holds this open may still do so. */
  function watch(call: InstanceCall, target: Target, { decision, close }: { decision: Allowed; close: OpenCall['close'] }): () => void {
    let tokens = decision.by === 'session' ? call.clean.platformCookies[cookieName('instance', call.isSecure)] : undefined;
    if (decision.renewed !== undefined) tokens = [decision.renewed];
    const release = parts.openCalls.add({
      close,
      async mayStay() {
        if (decision.by === 'public') return true;
        const now = await parts.access.decide(accessOf(call, target, tokens));
        if (now.allowed && now.renewed !== undefined) tokens = [now.renewed];
        return now.allowed;
      },
    });
    call.response.once('close', release);
    return release;
  }

  return { handle, upgrade: handle, fetchByUrl, fetchMicro, deliver };
}

/** What the platform sends to a Micro by these paths, nobody else may, also behind the prefix of a Micro (attack E21). */
function assertOpen(...paths: string[]): void {
  if (paths.some(isReservedPath)) throw new SpaceError('FORBIDDEN', { reason: 'This address is for the platform only.' });
}

/** A page in a window of its own, so far as anybody says. */
function isPageVisit(headers: readonly string[]): boolean {
  return headerValue(headers, 'sec-fetch-dest') === 'document' || isPassedOn(headers);
}

/** Whoever does not say goodbye in time is cut off. */
function endSocket(socket: WebSocket, why: 'revoked' | 'closing'): void {
  socket.close(...GOODBYE[why]);
  setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
}

/** A WebSocket's handshake carries cookies whoever's page asks for it, and no preflight protects it: a page of another
 *  origin gets none that came with cookies (attack D16). @returns whether the owner's own page asks */
function checkOrigin({ request, origin }: InstanceCall): boolean {
  const from = request.headers.origin;
  if (from === undefined || URL.parse(from)?.host === URL.parse(origin)?.host) return true;
  if (request.headers.cookie !== undefined) throw new SpaceError('ORIGIN_FORBIDDEN');
  return false;
}

function accessOf({ live, request }: InstanceCall, { micro, path }: Target, sessionTokens: readonly string[] | undefined): AccessRequest {
  return { live, micro, path, headers: request.rawHeaders, sessionTokens };
}

/** The length that a Micro claims for its body counts for nothing: two programs might believe two lengths (attack C7). */
function framed(request: MicroRequest, claimed: HeaderList): MicroRequest {
  const headers = claimed.filter((_, index) => (claimed[index - (index % 2)] ?? '').toLowerCase() !== 'content-length');
  if (request.body instanceof Uint8Array) headers.push('content-length', String(request.body.length));
  return { ...request, headers };
}

function unauthorized(): MicroResponse {
  const body = Buffer.from(JSON.stringify({ errors: ['Unauthorized'] }));
  return { status: 401, headers: ['content-type', 'application/json', 'server', SERVER_NAME], body };
}

function readCall({ id, request, response, isSecure, connection }: Arrival, live: LiveInstance): InstanceCall {
  const target = request.url ?? '/';
  const end = target.indexOf('?');
  const path = normalizePath(end < 0 ? target : target.slice(0, end));
  if (path === undefined) throw new SpaceError('BAD_REQUEST', { reason: 'The path is malformed.' });
  if (request.method === 'TRACE') throw new SpaceError('METHOD_NOT_ALLOWED', { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' });
  const host = (request.headers.host ?? '').toLowerCase();
  const proto = isSecure ? 'https' : 'http';
  const clean = cleanRequestHeaders(request.rawHeaders, { host, proto, clientAddress: request.socket.remoteAddress ?? '', requestId: id });
  if (clean.hostCount !== 1) throw new SpaceError('HOST_INVALID');
  if (connection) clean.headers.push('upgrade', 'websocket');
  return { id, request, response, live, path, query: end < 0 ? '' : target.slice(end), origin: `${proto}://${host}`, isSecure, clean, connection };
}
