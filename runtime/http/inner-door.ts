// Owns the door by which a boxed program reaches this host: a TLS listener for each box, on a Unix socket that only this box
// has. Whose Collection and whose app are behind it is a fact of the socket; what a request says can only narrow that.
import { chmod, chown, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import { dataAddress, type DataPlane } from '../api/data-plane.ts';
import { createCallDepth, type CallDepth } from '../engine/call-depth.ts';
import type { InstanceSpec } from '../engine/engine.ts';
import { hasBody } from './body.ts';
import { canonicalHost } from './host.ts';
import { innerNames, type InnerNames } from './inner-names.ts';
import { answerBroken, hasSeveralHosts, REQUEST_LIMITS } from './listener.ts';
import { sendError } from './reply.ts';
import { sendMicroResponse } from './send.ts';
import { createTurns, type Turns } from './turns.ts';
import type { Tls } from './tls.ts';

export interface InnerDoorParts {
  tls: Pick<Tls, 'sandboxContextFor' | 'sandboxCaPem'>;
  dataPlane: Pick<DataPlane, 'handle'>;
  log: Log;
  clock: Clock;
  /** Calls from Micro to Micro, one inside the other. */
  hopsMax: number;
}

export interface Box {
  instance: InstanceSpec;
  /** The Micro that runs in it. */
  micro: string;
  /** At most 107 bytes; its folder is there. */
  socketPath: string;
  /** Who may connect, where the box runs as a user of its own. */
  user?: number;
}

export interface InnerDoor extends InnerNames {
  /** The Micro got a request that came by `hops` calls: what it calls meanwhile is deeper. @returns what ends it */
  received(hops: number): () => void;
  /** The Micro calls by another way than this door. @returns by how many calls that comes, and what ends it */
  calling: CallDepth['calling'];
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 256;
const REQUESTS_OPEN_MAX = 256;
const HANDSHAKE_MS = 10_000;
/** A handshake costs the host a millisecond of its front door, and a program next to nothing. */
const HANDSHAKES = { burst: 200, perSecond: 50 };
const SERVICES: Readonly<Record<string, 'base' | 'drive'>> = { 'database.deta.sh': 'base', 'drive.deta.sh': 'drive' };

/** What a request may turn to. */
interface Behind { parts: InnerDoorParts; box: Box; ownName: string; depth: CallDepth; open: number }

export async function openInnerDoor(parts: InnerDoorParts, box: Box): Promise<InnerDoor> {
  const { hostname } = box.instance;
  const ownName = canonicalHost(hostname) ?? hostname;
  const depth = createCallDepth();
  const behind: Behind = { parts, box, ownName, depth, open: 0 };
  const turns = createTurns(parts.clock, HANDSHAKES);
  const server = createServer({ ...REQUEST_LIMITS, shouldUpgradeCallback: () => false, handshakeTimeout: HANDSHAKE_MS, SNICallback: choose(behind, turns) });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', (request, response) => serve(behind, request, response)).on('clientError', answerBroken);
  const sockets = track(server);
  await listenAt(server, box);
  return {
    ...innerNames({ hostname, socketPath: box.socketPath, authority: parts.tls.sandboxCaPem }),
    received: depth.received,
    calling: depth.calling,
    async close() {
      turns.end();
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
      for (const socket of sockets) socket.destroy();
      await closed;
      await rm(box.socketPath, { force: true });
    },
  };
}

/** Also those that have not shaken hands yet, of which the server itself knows nothing. */
function track(server: Server): ReadonlySet<{ destroy(): void }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function listenAt(server: Server, { socketPath, user }: Box): Promise<void> {
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  if (user !== undefined) await chown(socketPath, user, user);
}

/** A certificate for the names of this box alone; anybody else's name ends the handshake. */
function choose({ parts, ownName }: Behind, turns: Turns): (serverName: string, done: (error: Error | null, context?: Awaited<ReturnType<Tls['sandboxContextFor']>>) => void) => void {
  return (serverName, done) => {
    const name = canonicalHost(serverName);
    if (name === undefined || !(name === ownName || Object.hasOwn(SERVICES, name))) {
      done(null);
      return;
    }
    turns.next().then(() => parts.tls.sandboxContextFor(name)).then((context) => done(null, context), (error: Error) => done(error));
  };
}

function serve(behind: Behind, request: IncomingMessage, response: ServerResponse): void {
  const id = newId('request');
  const refuse = (error: unknown): void => sendError(response, error, { requestId: id, log: behind.parts.log });
  // Node refuses any other coding only when the body is read: until then the request would be under way.
  if (!/^chunked$/i.test(request.headers['transfer-encoding'] ?? 'chunked')) {
    request.destroy();
    return;
  }
  try {
    if (behind.open >= REQUESTS_OPEN_MAX) throw new SpaceError('TOO_MANY_REQUESTS', { retryAfterSeconds: 1 });
    behind.open += 1;
    response.once('close', () => { behind.open -= 1; });
    const host = hostOf(request);
    const target = request.url ?? '/';
    if (target.charCodeAt(0) !== 47 /* / */) throw new SpaceError('BAD_REQUEST', { reason: 'The request target must be a path.' });
    const service = SERVICES[host];
    if (service) toData(behind, service, { request, response, target });
    else toOwnApp(behind, { id, request, response, target }).catch(refuse);
  } catch (error) {
    refuse(error);
  }
}

/** What the request and its handshake both say. @throws HOST_INVALID */
function hostOf(request: IncomingMessage): string {
  const host = canonicalHost(request.headers.host ?? '');
  const { servername } = request.socket as TLSSocket;
  if (host === undefined || typeof servername !== 'string' || host !== canonicalHost(servername) || hasSeveralHosts(request)) throw new SpaceError('HOST_INVALID');
  return host;
}

function toData({ parts, box }: Behind, service: 'base' | 'drive', { request, response, target }: { request: IncomingMessage; response: ServerResponse; target: string }): void {
  const end = target.indexOf('?');
  const address = dataAddress(end < 0 ? target : target.slice(0, end), service);
  if (!address) throw new SpaceError('NOT_FOUND');
  parts.dataPlane.handle(request, response, address, box.instance.collectionId);
}

/** Micros of old apps call each other through the app's own address, with their Micro key. */
async function toOwnApp({ parts, box, depth }: Behind, { id, request, response, target }: { id: string; request: IncomingMessage; response: ServerResponse; target: string }): Promise<void> {
  const method = request.method ?? 'GET';
  if (method === 'TRACE') throw new SpaceError('METHOD_NOT_ALLOWED', { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' });
  const { hops, end } = depth.calling();
  response.once('close', end);
  if (hops > parts.hopsMax) throw new SpaceError('MICRO_LOOP', { limit: parts.hopsMax });
  const { services, hostname } = box.instance;
  const answer = await services.fetchUrl({
    id, method, url: `https://${hostname}${target}`, headers: request.rawHeaders, body: hasBody(request) ? request : null, hops, redirect: 'manual',
    onGone: (tell) => response.on('close', () => { if (!response.writableFinished) tell(); }),
  });
  const onCut = (error: SpaceError): void => services.log({ micro: box.micro, level: 'error', text: error.message, requestId: id });
  sendMicroResponse(response, answer, { isHead: method === 'HEAD', isPrivate: false, cookie: undefined, onCut });
}
