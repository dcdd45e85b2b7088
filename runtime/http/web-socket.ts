// Owns the server's side of WebSockets: the handshake, and answers to requests that ask for one and do not get it.
// Knows no route. What counts as a connection that may stay is decided elsewhere.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { cleanResponseHeaders, headerValue } from './headers.ts';

/** Of one message; the number of cell/protocol.ts. */
const MESSAGE_MAX_BYTES = 1024 * 1024;

/** A connection that asks for a WebSocket, and what it sent right after its head. */
export interface UpgradeSocket { socket: Duplex; head: Buffer }

/** What the Micro answered, while the library asks for it. */
const answers = new WeakMap<IncomingMessage, { protocol: string | undefined; headers: string[] }>();

const server = new WebSocketServer({
  noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: MESSAGE_MAX_BYTES,
  handleProtocols: (offered, request) => {
    const chosen = answers.get(request)?.protocol;
    return chosen !== undefined && offered.has(chosen) ? chosen : false;
  },
});
server.on('headers', (lines, request) => {
  const { headers = [] } = answers.get(request) ?? {};
  for (let at = 0; at < headers.length; at += 2) if (!/^sec-websocket-/i.test(headers[at]!)) lines.push(`${headers[at]}: ${headers[at + 1]}`);
});

/** Does this request ask for a WebSocket? Any other protocol is none of ours (attack D16). */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Whoever asked gets an answer as to any other request, and then the connection ends. */
export function plainResponse(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.on('finish', () => {
    response.detachSocket(socket as Socket);
    socket.end();
  });
  return response;
}

/** A program that shook hands itself: its answer, and then whatever either side sends, goes through as it is.
 *  @returns what ends it, with a last word to the client */
export function passWebSocket({ socket, head }: UpgradeSocket, headers: string[], inner: UpgradeSocket): (code: number, reason: string) => void {
  const own = cleanResponseHeaders(headers);
  const lines = own.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${own[at + 1]}`] : []));
  socket.write(`${['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
  if (inner.head.length > 0) socket.write(inner.head);
  if (head.length > 0) inner.socket.write(head);
  pipeline(socket, inner.socket, () => inner.socket.destroy());
  pipeline(inner.socket, socket, () => socket.destroy());
  return (code, reason) => {
    const word = Buffer.from(`\0\0${reason}`);
    word.writeUInt16BE(code);
    inner.socket.unpipe(socket);
    if (socket.writable) socket.end(Buffer.concat([CLOSE_FRAME, Buffer.of(word.length), word]));
    inner.socket.destroy();
  };
}

/** The only frame that this host writes itself: final, close, not masked. @source RFC 6455, 5.5.1 */
const CLOSE_FRAME = Buffer.of(0x88);

/** Shake hands with the headers of the Micro's answer. `onOpen` is not called when the client's part of it is wrong: then it is told so. */
export function acceptWebSocket(request: IncomingMessage, { socket, head }: UpgradeSocket, { headers, onOpen }: { headers: string[]; onOpen(connection: WebSocket): void }): void {
  answers.set(request, { protocol: headerValue(headers, 'sec-websocket-protocol'), headers: cleanResponseHeaders(headers) });
  server.handleUpgrade(request, socket, head, onOpen);
}
