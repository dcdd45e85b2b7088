// Owns connections that stay open and leave this host on behalf of somebody else, WebSockets and plain ones: under the rules
// of egress.ts, to a checked address only.
import { connect, type LookupFunction, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { SpaceError } from '../core/errors.ts';
import { checkUrl, type EgressPolicy, resolveChecked } from './egress.ts';

export interface EgressSocketRequest { url: string; protocols: string[]; maxMessageBytes: number; signal: AbortSignal }

const HANDSHAKE_MS = 30_000;

/** An open connection, paused, so that no message is lost before somebody listens. Redirects are not followed.
 *  @throws EGRESS_BLOCKED by rule, EGRESS_FAILED when it cannot be reached */
export async function checkedSocket({ url, protocols, maxMessageBytes, signal }: EgressSocketRequest, policy: EgressPolicy = {}): Promise<WebSocket> {
  if (!/^wss?:/i.test(url)) throw new SpaceError('EGRESS_BLOCKED', { target: url.slice(0, 200), reason: 'a WebSocket needs an address with ws: or wss:' });
  const target = checkUrl(url.replace(/^ws/i, 'http'), policy);
  const { address, family } = await resolveChecked(target, policy);
  const pinned: LookupFunction = (_, options, done) => (options.all ? done(null, [{ address, family }]) : done(null, address, family));
  const connection = new WebSocket(url, protocols, {
    lookup: pinned, maxPayload: maxMessageBytes, perMessageDeflate: false, followRedirects: false, handshakeTimeout: policy.timeoutMs ?? HANDSHAKE_MS,
    agent: false, headers: { 'User-Agent': 'Ownspace' },
  });
  return opened(connection, target.host, signal);
}

function opened(connection: WebSocket, target: string, signal: AbortSignal): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const leave = (): void => connection.terminate();
  signal.addEventListener('abort', leave, { once: true });
  connection.once('open', () => {
    connection.pause();
    resolve(connection);
  });
  connection.once('error', (error: NodeJS.ErrnoException) => reject(new SpaceError('EGRESS_FAILED', { target, reason: error.code ?? error.message }, { cause: error })));
  connection.once('close', () => signal.removeEventListener('abort', leave));
  if (signal.aborted) leave();
  return promise;
}

/** A connection whose content nobody here reads. @throws EGRESS_BLOCKED by rule, EGRESS_FAILED when it cannot be reached */
export async function checkedConnection(url: URL, signal: AbortSignal, policy: EgressPolicy = {}): Promise<Socket> {
  checkUrl(url.href, policy);
  const { address } = await resolveChecked(url, policy);
  // An address, never the name: that might be another one by now.
  const connection = connect({ host: address, port: Number(url.port === '' ? 443 : url.port), allowHalfOpen: true, signal });
  const timer = setTimeout(() => connection.destroy(new Error('no connection in time')), policy.timeoutMs ?? HANDSHAKE_MS);
  return new Promise((resolve, reject) => {
    connection.once('connect', () => resolve(connection));
    connection.on('error', (error: NodeJS.ErrnoException) => reject(new SpaceError('EGRESS_FAILED', { target: url.host, reason: error.code ?? error.message }, { cause: error })));
    connection.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
  });
}
