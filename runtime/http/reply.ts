// Owns answers of the platform on a bare node:http response: JSON, errors, redirects. Knows no route.
import type { ServerResponse } from 'node:http';
import { toSpaceError, type ErrorCode, type SpaceError } from '../../core/errors.ts';
import type { WireError } from '../../core/wire.ts';
import type { Log } from '../../core/log.ts';

/** Old clients recognise the platform's own answers by this (@source reference 3.3, 7). */
export const SERVER_NAME = 'Deta (Ownspace)';

export function errorBody(error: SpaceError, requestId: string): WireError {
  return { errors: [error.message], detail: error.message, code: error.code, request_id: requestId };
}

/** @param text JSON */
export function sendJsonText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store', 'x-content-type-options': 'nosniff', server: SERVER_NAME,
  });
  response.end(text);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendJsonText(response, status, JSON.stringify(value));
}

export function redirect(response: ServerResponse, location: string, headers: Record<string, string | string[]> = {}): void {
  response.writeHead(302, { location, 'content-length': 0, 'cache-control': 'no-store', server: SERVER_NAME, ...headers });
  response.end();
}

/** Answer with an error and log it, once. Where the head is out already the connection is cut, so that nobody takes
 *  the part for the whole. */
export function sendError(response: ServerResponse, error: unknown, { requestId, log }: { requestId: string; log: Log }): void {
  const known = toSpaceError(error);
  if (response.destroyed) return;
  logError(log, known, requestId);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(errorHeaders(known))) response.setHeader(name, value);
  sendJson(response, known.status, errorBody(known, requestId));
}

/** Whoever tries again later may have it. */
const RETRIED: readonly ErrorCode[] = ['TOO_MANY_REQUESTS', 'BUILD_QUEUE_FULL', 'BUILD_ROOM_FULL', 'HOST_BUILD_ROOM_FULL', 'UPLOAD_ROOM_FULL', 'MICRO_QUARANTINED'];

/** What an error says in headers. The rest of a body that is too large is not read: its connection ends. */
export function errorHeaders({ code, status, details }: SpaceError): Record<string, string> {
  if (RETRIED.includes(code)) return { 'retry-after': String(details['retryAfterSeconds'] ?? 60) };
  if (code === 'STORE_BUSY' || code === 'STORE_UNAVAILABLE') return { 'retry-after': '2' };
  if (code === 'METHOD_NOT_ALLOWED') return { allow: String(details['allow']) };
  return status === 413 ? { connection: 'close' } : {};
}

/** The platform's faults are errors; what callers and Micros do wrong is theirs to read, not the owner's. */
export function logError(log: Log, error: SpaceError, requestId: string): void {
  if (error.blame === 'platform') log.error('request.failed', { requestId, code: error.code, error });
  else log.debug('request.refused', { requestId, code: error.code });
}
