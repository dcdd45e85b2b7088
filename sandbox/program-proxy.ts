// Owns how the program of a Micro reaches anything outside its box: a proxy of this host on a Unix socket that only this box has. What it
// may reach is said by whoever opens the proxy; here is only HTTP. It hands on no header that is meant for the proxy.
import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { toSpaceError } from '../core/errors.ts';
import type { EgressHeaders } from './egress.ts';
import { joinTunnel } from './tunnel.ts';

export interface ProgramProxyOptions {
  /** At most 107 bytes; its folder is there. */
  socketPath: string;
  /** Who may connect, where the box runs as a user of its own. */
  user?: number | undefined;
  /** A request by URL; redirects are answers like others. @throws EGRESS_*, TOO_MANY_REQUESTS */
  fetch(request: { method: string; url: string; headers: EgressHeaders; body: Readable | null; signal: AbortSignal }): Promise<{ status: number; headers: EgressHeaders; body: Uint8Array | Readable | null }>;
  /** A connection that is used for something that nobody here reads, TLS mostly. @throws EGRESS_*, TOO_MANY_REQUESTS */
  connect(host: string, port: number, signal: AbortSignal): Promise<Socket>;
}

export interface ProgramProxy { close(): Promise<void> }

const CONNECTIONS_MAX = 512;
const HEAD_TIMEOUT_MS = 30_000;
const TUNNEL_IDLE_MS = 10 * 60_000;
/** The port of a box at which programs expect it. */
export const PROXY_PORT = 3128;
const AT = `http://127.0.0.1:${PROXY_PORT}`;

/** Programs agree on no spelling. Node.js has to be told to look at all. */
export const PROXY_ENV: Readonly<Record<string, string>> = { HTTP_PROXY: AT, HTTPS_PROXY: AT, http_proxy: AT, https_proxy: AT, NODE_USE_ENV_PROXY: '1' };

export async function openProgramProxy(options: ProgramProxyOptions): Promise<ProgramProxy> {
  const { socketPath, user } = options;
  const open = new Set<Duplex>();
  const server = createServer({ headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: 0, maxHeaderSize: 64 * 1024 });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('request', (request, response) => void forward(options, request, response).catch((error) => refuse(response, error)));
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => {});
    void tunnel(options, { target: request.url ?? '', socket, head }).catch((error) => {
      const { status, code, message } = toSpaceError(error);
      socket.end(`HTTP/1.1 ${status} ${code}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${code}: ${message}\n`);
    });
  });
  server.on('clientError', (_error, socket: Duplex) => socket.destroy());
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));
  await chmod(socketPath, 0o600);
  if (user !== undefined) await chown(socketPath, user, user);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
      for (const socket of open) socket.destroy();
      await closed;
      await rm(socketPath, { force: true });
    },
  };
}

async function forward({ fetch }: ProgramProxyOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '';
  if (!/^http:\/\//i.test(url)) {
    response.writeHead(400, { 'content-type': 'text/plain', connection: 'close' }).end('This is a proxy: name the whole address.\n');
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  const answer = await fetch({ method: request.method ?? 'GET', url, headers: endToEnd(request.rawHeaders), body: hasBody ? request : null, signal: gone.signal });
  response.writeHead(answer.status, endToEnd(answer.headers));
  if (answer.body === null || answer.body instanceof Uint8Array) response.end(answer.body ?? undefined);
  else pipeline(answer.body, response, () => {});
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'host']);

function endToEnd(headers: EgressHeaders): EgressHeaders {
  return headers.filter((_, at) => !HOP_BY_HOP.has(headers[at - (at % 2)]!.toLowerCase()));
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, code, message } = toSpaceError(error);
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(`${code}: ${message}\n`);
}

async function tunnel({ connect }: ProgramProxyOptions, { target, socket, head }: { target: string; socket: Socket; head: Buffer }): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const { host, port } = splitTarget(target);
  const outer = await connect(host, port, gone.signal);
  if (socket.destroyed) {
    outer.destroy();
    return;
  }
  joinTunnel(socket, outer, { head, idleMs: TUNNEL_IDLE_MS });
}

/** `host:port`, an IPv6 address in brackets; whatever else it is, it is no address that can be reached. */
function splitTarget(target: string): { host: string; port: number } {
  const at = target.lastIndexOf(':');
  return { host: target.slice(0, Math.max(at, 0)), port: Number(target.slice(at + 1)) };
}
