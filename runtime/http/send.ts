// Owns writing a Micro's answer to a client: framing, cleaned headers, backpressure. Knows no route.
import { pipeline, type Readable, Transform } from 'node:stream';
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
  /** A streamed answer was cut off, since it is not what its head says. */
  onCut(error: SpaceError): void;
  /** A header was left out. */
  onDropped?: ((what: string) => void) | undefined;
}

export function sendMicroResponse(response: ServerResponse, answer: MicroResponse, { isHead, isPrivate, cookie, onCut, onDropped }: SendOptions): void {
  if (response.destroyed) {
    discard(answer);
    return;
  }
  const headers = cleanResponseHeaders(answer.headers, onDropped);
  if (isPrivate && headerValue(headers, 'cache-control') === undefined) headers.push('cache-control', 'private, no-cache');
  if (cookie !== undefined) headers.push('set-cookie', cookie);
  const { body, status } = answer;
  const isBodyless = isHead || status === 204 || status === 304;
  if (body === null || body instanceof Uint8Array) {
    if (status !== 204 && status !== 304) headers.push('content-length', String(body?.length ?? (isHead ? answer.sizeBytes : undefined) ?? 0));
    writeHead(response, answer, headers);
    if (body === null || isBodyless) response.end();
    else response.end(body);
    return;
  }
  const length = isBodyless ? undefined : lengthOf(answer);
  if (length !== undefined) headers.push('content-length', String(length));
  writeHead(response, answer, headers);
  if (isBodyless) {
    discard(answer);
    response.end();
    return;
  }
  sendStream(response, body, { length, onCut });
}

/** What the Micro says, where the host does not know better. */
function lengthOf({ headers, sizeBytes }: MicroResponse): number | undefined {
  const claimed = headerValue(headers, 'content-length');
  return sizeBytes ?? (claimed !== undefined && /^\d{1,15}$/.test(claimed) ? Number(claimed) : undefined);
}

/** A stream that fails midway cuts the connection: the client must not take the part for the whole. */
function sendStream(response: ServerResponse, body: Readable, { length, onCut }: { length: number | undefined; onCut: SendOptions['onCut'] }): void {
  // Its first byte may be long in coming, as that of server-sent events.
  if (body.readableLength === 0) response.flushHeaders();
  const done = (error?: Error | null): void => {
    if (error instanceof SpaceError && error.code === 'MICRO_BAD_RESPONSE') onCut(error);
  };
  if (length === undefined) pipeline(body, response, done);
  else pipeline(body, exactly(length), response, done);
}

/** Two lengths for one body are two answers to whoever believes the other one (attack C7). */
function exactly(length: number): Transform {
  let left = length;
  const wrong = (how: string): SpaceError => new SpaceError('MICRO_BAD_RESPONSE', { reason: `its body is ${how} than its content-length of ${length}` });
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(wrong('longer'));
      else done(null, chunk);
    },
    flush(done) {
      done(left > 0 ? wrong('shorter') : null);
    },
  });
}

function writeHead(response: ServerResponse, answer: MicroResponse, headers: string[]): void {
  try {
    response.writeHead(answer.status, headers);
  } catch (error) {
    discard(answer);
    throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'a header or the status is not valid in HTTP' }, { cause: error });
  }
}

function discard({ body }: MicroResponse): void {
  if (body !== null && !(body instanceof Uint8Array)) body.destroy();
}
