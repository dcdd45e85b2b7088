// Owns how S3 is asked: silence ends a request, what may pass is tried again, and answers become our errors.
// Nothing of a request is ever put into an error: its headers are signed.
import http from 'node:http';
import https from 'node:https';
import { PassThrough, pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { SpaceError } from '../../core/errors.ts';

/** Waits before the second and the third try. */
const RETRY_AFTER_MS = [100, 500];

const MISSING = ['NoSuchKey', 'NotFound'];
/** No room: MinIO's own codes, its quota's, and those of others. */
const FULL = ['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'XAdminBucketQuotaExceeded', 'QuotaExceeded', 'InsufficientStorage'];

/** What the library asks with. Sockets are kept, and gone after `close`.
 *  @param silenceMs where nothing is sent or received for so long, nobody is there any more */
export function openTransport(hasTls: boolean, silenceMs: number) {
  const { Agent, request: send } = hasTls ? https : http;
  const agent = new Agent({ keepAlive: true });
  const request = (options: https.RequestOptions, onResponse: (response: http.IncomingMessage) => void): http.ClientRequest => {
    const sent = send({ ...options, timeout: silenceMs }, (response) => {
      sent.removeAllListeners('timeout').on('timeout', () => {
        // Bytes that lie here unread are the reader's slowness, not the server's.
        if (response.readableLength > 0) sent.setTimeout(silenceMs);
        else response.destroy(silence(silenceMs));
      });
      onResponse(response);
    });
    return sent.on('timeout', () => sent.destroy(silence(silenceMs)));
  };
  return { agent, transport: { request } as Pick<typeof http, 'request'>, close: () => agent.destroy() };
}

/** Not tried again: whoever waits has waited long enough. */
function silence(silenceMs: number): SpaceError {
  return new SpaceError('STORE_UNAVAILABLE', {}, { cause: new Error(`no byte went either way for ${silenceMs} ms`) });
}

/** `ask`, again where the network or the server failed; it has to be something that may be done twice.
 *  @throws BLOB_NOT_FOUND, STORE_FULL, STORE_UNAVAILABLE, each with its cause */
export async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (const delayMs of RETRY_AFTER_MS) {
    try {
      return await ask();
    } catch (error) {
      if (!mayPass(error)) throw storeError(error);
      await wait(delayMs);
    }
  }
  return ask().catch((error: unknown) => {
    throw storeError(error);
  });
}

/** The same bytes, whose breaking off is an error of ours. */
export function translated(stream: Readable): Readable {
  return pipeline(stream, new TranslatedStream(), () => {}); // errors arrive at whoever reads
}

/** In `destroy`, since a stream remembers the error that it is given there for those who read later. */
class TranslatedStream extends PassThrough {
  override destroy(error?: Error): this {
    return super.destroy(error && error.name !== 'AbortError' ? storeError(error) : error); // a reader who stops is no failure
  }
}

/** The code of an answer of S3 itself; undefined when no answer came. */
export function answerCode(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'S3Error' ? String((error as { code?: unknown }).code ?? 'an error without a code') : undefined;
}

export function storeError(error: unknown): SpaceError {
  if (error instanceof SpaceError) return error;
  const code = answerCode(error) ?? '';
  if (MISSING.includes(code)) return new SpaceError('BLOB_NOT_FOUND', {}, { cause: error });
  return new SpaceError(FULL.includes(code) ? 'STORE_FULL' : 'STORE_UNAVAILABLE', {}, { cause: error });
}

/** An answer with a code would be the same again; the library gives those of 5xx without one. */
function mayPass(error: unknown): boolean {
  return !(error instanceof SpaceError) && answerCode(error) === undefined;
}
