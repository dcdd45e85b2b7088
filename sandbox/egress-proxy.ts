// Owns a door to the outside for programs without a network: an HTTP proxy on a Unix socket that carries connections, and
// asks for each whether and to which address it may go. Who may reach what is its caller's business.
import { chmod, rm } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { toSpaceError } from '../core/errors.ts';
import { joinTunnel } from './tunnel.ts';

export interface EgressProxyOptions {
  /** Of the socket; what lies there is replaced. */
  path: string;
  /** Where a connection to `hostname` goes: an address that was checked. @throws EGRESS_BLOCKED, EGRESS_FAILED */
  resolve(hostname: string, port: number): Promise<{ address: string; port: number }>;
  /** A proxy that this host itself has to take. */
  upstream?: URL;
}

export interface EgressProxy { close(): Promise<void> }

const CONNECTIONS_MAX = 128;
const CONNECT_MS = 20_000;
const IDLE_MS = 120_000;

export async function openEgressProxy(options: EgressProxyOptions): Promise<EgressProxy> {
  const open = new Set<Socket>();
  const server = http.createServer((_, response) => {
    response.writeHead(403, { 'content-type': 'text/plain', connection: 'close' }).end('Only connections by CONNECT, as for https, are carried.\n');
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connection', (socket) => keep(open, socket));
  server.on('connect', (request, socket, head) => void carry(request, socket as Socket, head, { ...options, open }));
  await rm(options.path, { force: true });
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(options.path, resolve));
  // Whoever may connect is decided by who sees the socket: its folder is this host's own.
  await chmod(options.path, 0o666);
  return {
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(options.path, { force: true });
    },
  };
}

function keep(open: Set<Socket>, socket: Socket): void {
  open.add(socket);
  socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
}

async function carry(request: IncomingMessage, client: Socket, head: Buffer, options: EgressProxyOptions & { open: Set<Socket> }): Promise<void> {
  client.on('error', () => client.destroy());
  try {
    const [, hostname = '', port = ''] = /^(\[[\da-fA-F:.]+\]|[^:/?#@\s]+):(\d{1,5})$/.exec(request.url ?? '') ?? [];
    const target = await options.resolve(hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase(), Number(port));
    const server = await (options.upstream ? throughProxy(options.upstream, `${hostname}:${port}`) : dial(target));
    keep(options.open, server);
    if (client.destroyed) return void server.destroy();
    joinTunnel(client, server, { head, idleMs: IDLE_MS });
  } catch (error) {
    const { status, message } = toSpaceError(error);
    client.end(`HTTP/1.1 ${status === 502 ? '502 Bad Gateway' : '403 Forbidden'}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${message}\n`);
  }
}

function dial({ address, port }: { address: string; port: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

function throughProxy({ hostname, port, username, password }: URL, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const headers = { host: path, ...(username === '' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}` }) };
    http.request({ host: hostname, port: port === '' ? 80 : Number(port), method: 'CONNECT', path, headers, timeout: CONNECT_MS, agent: false })
      .on('connect', (response, socket) => (response.statusCode === 200 ? resolve(socket) : reject(new Error(`the proxy of this host answers ${response.statusCode}`))))
      .on('error', reject).end();
  });
}
