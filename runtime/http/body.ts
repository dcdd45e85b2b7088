// Owns reading request bodies within limits, and proving signed ones. Knows no route.
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import type { SignatureVerifier } from '../auth/access-token.ts';

/** Read a whole body. @throws PAYLOAD_TOO_LARGE as soon as the limit is passed, before the rest arrives */
export async function readBody(source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of undestroyed(source)) {
    size += chunk.length;
    if (size > limitBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes });
    chunks.push(chunk);
  }
  return chunks.length === 1 ? Buffer.from(chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** The announced size, when there is one and it is too large: refused before a byte is read. */
export function refuseLargeBody(request: IncomingMessage, limitBytes: number): void {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > limitBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes });
}

export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/** The body of a signed request: it ends only if the signature covers it, else it fails with TOKEN_INVALID.
 *  Whoever acts after the last chunk therefore acts on proven bytes. */
export async function* provenBody(source: AsyncIterable<Uint8Array>, verifier: SignatureVerifier): AsyncGenerator<Uint8Array> {
  for await (const chunk of undestroyed(source)) {
    verifier.update(chunk);
    yield chunk;
  }
  verifier.prove();
}

/** A reader that stops early destroys a stream, and with a request its connection: no answer could tell why. */
export function undestroyed(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source;
}

/** Every escape of a JSON text; groups: a high surrogate that is escaped without its partner, a low one. */
const ESCAPES = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89abAB][0-9a-fA-F]{2})|u([dD][c-fC-F][0-9a-fA-F]{2})|[^])/g;

/** No Store keeps such a text as it is. */
function hasHalfCharacter(json: string): boolean {
  for (const [, high, low] of json.matchAll(ESCAPES)) if (high !== undefined || low !== undefined) return true;
  return false;
}

/** @throws BAD_JSON when it is not an object, or has a text that is none */
export function parseJsonObject(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SpaceError('BAD_JSON', { reason: (error as Error).message }, { cause: error });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new SpaceError('BAD_JSON', { reason: 'send an object' });
  if (hasHalfCharacter(text)) throw new SpaceError('BAD_JSON', { reason: 'a text has half of a character (a lone surrogate)' });
  return value as Record<string, unknown>;
}
