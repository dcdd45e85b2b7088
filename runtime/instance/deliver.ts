// Owns requests that the host itself sends to a Micro, at the addresses that are closed to everybody else, and reading their
// answers within bounds. Knows not what they are about.
import { Readable } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import type { MicroRequest, MicroResponse, ScheduledEvent } from '../engine/engine.ts';
import { headerValue } from '../http/headers.ts';
import type { LiveInstance } from './live.ts';

export interface HostRequest {
  id: string;
  method: 'GET' | 'POST';
  /** As the Micro sees it, without its prefix. */
  path: string;
  json?: unknown;
  event?: ScheduledEvent;
  signal: AbortSignal;
  /** Of the answer's body: what comes after is read and thrown away. */
  keepBytes: number;
}

export interface HostAnswer { status: number; contentType: string; text: string; isCut: boolean }

export type DeliverRequest = (live: LiveInstance, micro: string, request: MicroRequest) => Promise<MicroResponse>;

/** Send it, and wait until the answer has come whole. @throws what the Engine throws, MICRO_BAD_RESPONSE */
export async function askMicro(deliver: DeliverRequest, live: LiveInstance, micro: string, request: HostRequest): Promise<HostAnswer> {
  const answer = await deliver(live, micro, microRequest(live, request));
  if (answer.webSocket ?? answer.connection) {
    answer.webSocket?.refuse();
    answer.connection?.socket.destroy();
    throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'it opened a WebSocket that nobody asked for' });
  }
  return { status: answer.status, contentType: headerValue(answer.headers, 'content-type') ?? '', ...(await readText(answer.body, request)) };
}

function microRequest({ spec }: LiveInstance, { id, method, path, json, event, signal }: HostRequest): MicroRequest {
  const body = json === undefined ? null : Buffer.from(JSON.stringify(json));
  return {
    id, method, url: `https://${spec.hostname}${path}`, body, hops: 0, signal, ...(event ? { event } : {}),
    headers: [
      'host', spec.hostname, 'accept', 'application/json', ...(body ? ['content-type', 'application/json', 'content-length', String(body.length)] : []),
      'x-forwarded-proto', 'https', 'x-forwarded-host', spec.hostname, 'x-request-id', id,
    ],
  };
}

async function readText(body: MicroResponse['body'], { keepBytes, signal }: HostRequest): Promise<{ text: string; isCut: boolean }> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of body instanceof Readable ? withSignal(body, signal) : [body ?? Buffer.alloc(0)]) {
    if (size < keepBytes) kept.push(Buffer.from(chunk as Uint8Array).subarray(0, keepBytes - size));
    size += (chunk as Uint8Array).length;
  }
  return { text: Buffer.concat(kept).toString(), isCut: size > keepBytes };
}

/** An answer that does not end in time is cut off. */
function withSignal(body: Readable, signal: AbortSignal): Readable {
  const cut = (): void => void body.destroy(new SpaceError('MICRO_BAD_RESPONSE', { reason: 'its answer did not end in time' }));
  if (signal.aborted) cut();
  signal.addEventListener('abort', cut, { once: true });
  body.once('close', () => signal.removeEventListener('abort', cut));
  return body;
}
