// Owns the sockets: HTTP and HTTPS listeners, their limits, and the choice of the plane by Host. Knows no route.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import { dataAddress, type DataAddress } from '../api/data-plane.ts';
import type { Plane } from './host.ts';
import { asksForWebSocket, plainResponse, type UpgradeSocket } from './web-socket.ts';
import { sniCallback, type Tls } from './tls.ts';

export interface PlaneHandlers {
  control(request: IncomingMessage, response: ServerResponse): void;
  data(request: IncomingMessage, response: ServerResponse, address: DataAddress): void;
  instance(request: IncomingMessage, response: ServerResponse, at: { label: string; host: string; isSecure: boolean }): void;
  /** Like `instance`, for a connection that asks for a WebSocket. */
  upgrade(request: IncomingMessage, response: ServerResponse, at: { label: string; host: string; isSecure: boolean; connection: UpgradeSocket }): void;
  /** A Host that is malformed, or nobody's. */
  refuse(request: IncomingMessage, response: ServerResponse, error: SpaceError): void;
}

export interface Listeners {
  ports: { http: number; tls: number | undefined };
  /** Take no new connections, let requests in flight end, cut what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions { address: string; port: number; tlsPort: number | undefined; tls: Tls | undefined }

/** Slow senders are cut (attack D9): heads within 20 s, whole requests within 10 minutes. */
export const REQUEST_LIMITS: ServerOptions = {
  headersTimeout: 20_000, requestTimeout: 600_000, keepAliveTimeout: 65_000, maxHeaderSize: 32_768, connectionsCheckingInterval: 5000,
  // Whoever offers another protocol than a WebSocket gets an answer in this one.
  shouldUpgradeCallback: asksForWebSocket,
};

/** The listeners of both sockets. */
export interface FrontDoor {
  request: RequestListener;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export function createFrontDoor(planeOf: (host: string | undefined) => Plane | undefined, handlers: PlaneHandlers): (isSecure: boolean) => FrontDoor {
  return (isSecure) => {
    const request: RequestListener = (incoming, response) => toPlanes(incoming, response, { plane: planeOf(incoming.headers.host), isSecure, handlers });
    return {
      request,
      upgrade(incoming, socket, head) {
        const response = plainResponse(incoming, socket);
        const plane = planeOf(incoming.headers.host);
        // Only apps have WebSockets; anybody else answers as ever.
        if (plane?.kind !== 'instance' || incoming.url?.charCodeAt(0) !== 47) request(incoming, response);
        else handlers.upgrade(incoming, response, { label: plane.label, host: plane.host, isSecure, connection: { socket, head } });
      },
    };
  };
}

function toPlanes(request: IncomingMessage, response: ServerResponse, { plane, isSecure, handlers }: { plane: Plane | undefined; isSecure: boolean; handlers: PlaneHandlers }): void {
  const target = request.url ?? '/';
  if (plane === undefined) handlers.refuse(request, response, new SpaceError('HOST_INVALID'));
  else if (target.charCodeAt(0) !== 47 /* / */) handlers.refuse(request, response, new SpaceError('BAD_REQUEST', { reason: 'The request target must be a path.' }));
  else if (plane.kind === 'instance') handlers.instance(request, response, { label: plane.label, host: plane.host, isSecure });
  else if (hasSeveralHosts(request)) handlers.refuse(request, response, new SpaceError('HOST_INVALID'));
  else if (plane.kind === 'unknown') handlers.refuse(request, response, new SpaceError('HOST_UNKNOWN', { host: plane.host }));
  else toPlane(handlers, plane, { request, response, target });
}

function toPlane(handlers: PlaneHandlers, plane: Plane, { request, response, target }: { request: IncomingMessage; response: ServerResponse; target: string }): void {
  const end = target.indexOf('?');
  const address = dataAddress(end < 0 ? target : target.slice(0, end), plane.kind === 'data' ? plane.service : undefined);
  if (address) handlers.data(request, response, address);
  else if (plane.kind === 'data') handlers.refuse(request, response, new SpaceError('NOT_FOUND'));
  else handlers.control(request, response);
}

/** Two Host headers may mean two things to two programs (attack D4). */
export function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.toLowerCase() === 'host') count += 1;
  return count !== 1;
}

/** @throws PORT_IN_USE, PORT_FORBIDDEN */
export async function listen(frontDoor: (isSecure: boolean) => FrontDoor, { address, port, tlsPort, tls }: ListenOptions): Promise<Listeners> {
  const plain = openDoor(createServer(REQUEST_LIMITS), frontDoor(false));
  await bind(plain, port, address, '--port');
  const secure = tlsPort === undefined || !tls ? undefined : openDoor(createTlsServer({ ...REQUEST_LIMITS, SNICallback: sniCallback(tls) }), frontDoor(true));
  if (secure) await bind(secure, tlsPort ?? 0, address, '--tls-port').catch((error) => closeServer(plain, 0).then(() => { throw error; }));
  return {
    ports: { http: portOf(plain), tls: secure && portOf(secure) },
    close: async (graceMs) => void (await Promise.all([plain, ...(secure ? [secure] : [])].map((server) => closeServer(server, graceMs)))),
  };
}

/** Connections that became something else than HTTP: the server itself forgets them. */
const upgraded = new WeakMap<Server, Set<Duplex>>();

function openDoor<S extends Server>(server: S, door: FrontDoor): S {
  const sockets = new Set<Duplex>();
  upgraded.set(server, sockets);
  server.on('request', door.request).on('clientError', answerBroken).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    door.upgrade(request, socket, head);
  });
  return server;
}

/** What is no request gets a word and the end of its connection. Too many cookies, perhaps planted by an app on a
 *  sibling host, would lock a person out for ever (attack E2): this answer tells the browser to drop them. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const text = isTooLarge ? 'Your browser sent too many cookies. They have been removed: load the page again, and sign in.\n' : 'This is not a request that can be understood.\n';
  const head = [`HTTP/1.1 ${isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'}`, 'Content-Type: text/plain; charset=utf-8', `Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close', ...(isTooLarge ? ['Clear-Site-Data: "cookies"'] : [])];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

function bind(server: Server, port: number, address: string, flag: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(new SpaceError('PORT_IN_USE', { port, flag }, { cause: error }));
      else if (error.code === 'EACCES') reject(new SpaceError('PORT_FORBIDDEN', { port, flag }, { cause: error }));
      else reject(error);
    });
    server.listen(port, address, () => resolve());
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of upgraded.get(server) ?? []) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
