// Owns writing a Micro's answer to a client: framing, cleaned headers, backpressure. Knows no route.
import { pipeline } from 'node:stream';
import type { ServerResponse } from 'node:http';
import { SpaceError } from '../../core/errors.ts';
import type { MicroResponse } from '../engine/engine.ts';
import { cleanResponseHeaders, headerValue } from './headers.ts';

export interface SendOptions {
  isHead: boolean;
  /** Only for whoever is signed in: never for a shared cache, unless the Micro says otherwise. */
  isPrivate: boolean;
  /** A Set-Cookie value of the platform. */
  cookie: string | undefined;
}

export function sendMicroResponse(response: ServerResponse, answer: MicroResponse, { isHead, isPrivate, cookie }: SendOptions): void {
  if (response.destroyed) {
    discard(answer);
    return;
  }
  const headers = cleanResponseHeaders(answer.headers);
  if (isPrivate && headerValue(headers, 'cache-control') === undefined) headers.push('cache-control', 'private, no-cache');
  if (cookie !== undefined) headers.push('set-cookie', cookie);
  const { body, status } = answer;
  const isBodyless = isHead || status === 204 || status === 304;
  if (body === null || body instanceof Uint8Array) {
    if (status !== 204 && status !== 304) headers.push('content-length', String(body?.length ?? 0));
    writeHead(response, status, headers);
    if (body === null || isBodyless) response.end();
    else response.end(body);
    return;
  }
  const length = headerValue(answer.headers, 'content-length');
  if (length !== undefined && /^\d+$/.test(length) && !isBodyless) headers.push('content-length', length);
  writeHead(response, status, headers);
  if (isBodyless) {
    discard(answer);
    response.end();
    return;
  }
  // A stream that fails midway cuts the connection: the client must not take the part for the whole.
  pipeline(body, response, () => {});
}

function writeHead(response: ServerResponse, status: number, headers: string[]): void {
  try {
    response.writeHead(status, headers);
  } catch (error) {
    throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'a header or the status is not valid in HTTP' }, { cause: error });
  }
}

function discard({ body }: MicroResponse): void {
  if (body !== null && !(body instanceof Uint8Array)) body.destroy();
}
