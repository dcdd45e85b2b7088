// Owns what a Micro may ask of the host: Base, Drive, fetch, its sibling Micros. Checks every question: they come from a Cell.
// Whose data it is follows from the Cell's own socket: `services` belong to one Instance, no question names another.
import { Readable } from 'node:stream';
import { SpaceError, toSpaceError } from '../../../core/errors.ts';
import { conditionOf, etagOf } from '../../../core/etag.ts';
import type { Versioned } from '../../../sandbox-data/data.ts';
import { headerValue } from '../../http/headers.ts';
import type { HeaderList, InstanceServices, MicroRequest, MicroResponse } from '../engine.ts';
import { checkHeaders, responseHead } from './head.ts';
import { CHUNK_BYTES, type GuestError, MESSAGE_MAX_BYTES } from './protocol.ts';
import type { CellSocket } from './sockets.ts';

export interface HostCall {
  question: unknown[] | undefined;
  body: Uint8Array | Readable | null;
  /** The body, once all of it is there. @throws PAYLOAD_TOO_LARGE */
  whole(): Promise<Uint8Array | null>;
  services: InstanceServices;
  /** Of the request on whose behalf this is. */
  requestId: string;
  origin: string;
  hops: number;
  bodyMaxBytes: number;
  /** Nobody waits for the answer any more. */
  signal: AbortSignal;
  /** For a question after a WebSocket: its end inside. */
  socket: CellSocket | undefined;
}

/** By the frame that it becomes. The head of a value says what belongs to its body; a body that is text stays text. */
export interface HostAnswer { kind: 'RESULT' | 'RESULT_RESPONSE'; head: string; body: string | Uint8Array | Readable | null }

/** A question that no pristine guest asks: a guest that bent its runtime may write anything here. */
const badQuestion = (reason: string): SpaceError => new SpaceError('BAD_REQUEST', { reason: `This is no call to the host: ${reason}.` });

/** The question as it came: `undefined` where it is none. */
export function readQuestion(text: string): unknown[] | undefined {
  try {
    const question: unknown = JSON.parse(text);
    return Array.isArray(question) ? question : undefined;
  } catch {
    return undefined;
  }
}

/** @throws SpaceError, at once or later, for the guest */
export function performHostCall(call: HostCall): Promise<HostAnswer> {
  const { question } = call;
  if (!question) throw badQuestion('it is not a list');
  switch (question[0]) {
    case 'base': return askBase(call, texts(question, question.length === 6 ? 6 : 4));
    case 'drive': return askDrive(call, question);
    case 'fetch': return askFetch(call, question.slice(1), (request) => call.services.fetchUrl(request));
    case 'micro': return askMicro(call, question);
    case 'socket': return askSocket(call, texts(question, Math.max(2, question.length)));
    default: throw badQuestion('its first word is unknown');
  }
}

function texts(question: unknown[], count: number): string[] {
  if (question.length !== count || !question.every((part) => typeof part === 'string')) throw badQuestion('its parts are not texts');
  return question;
}

const value = (body: string | undefined): HostAnswer => ({ kind: 'RESULT', head: '', body: body ?? null });

/** `head` is the Item's ETag; several Items together have none. */
const versioned = (found: Versioned | undefined): HostAnswer =>
  ({ kind: 'RESULT', head: found?.version ? etagOf(found.version) : '', body: found?.json ?? null });

/** The condition of a write stands behind the key: If-Match, If-None-Match, `''` for none. */
async function askBase({ services, body, whole }: HostCall, [, name, method, key, match, noneMatch]: string[]): Promise<HostAnswer> {
  const base = services.base(name!);
  const json = (body instanceof Readable ? await whole() : body) ?? '';
  const condition = conditionOf(match || undefined, noneMatch || undefined);
  switch (method) {
    case 'get': return versioned(await base.versioned.get(key!));
    case 'put': return versioned(await base.versioned.put(json, condition));
    case 'insert': return versioned(await base.versioned.insert(json, condition));
    case 'update': return versioned(await base.versioned.update(key!, json, condition));
    case 'delete': await base.versioned.delete(key!, condition); return value(undefined);
    case 'query': return value(await base.query(json));
    default: throw new SpaceError('BAD_REQUEST', { reason: 'A Base has no such method.' });
  }
}

async function askDrive(call: HostCall, question: unknown[]): Promise<HostAnswer> {
  const [, name, method, file, contentType = ''] = texts(question, question[2] === 'put' ? 5 : 4);
  const drive = call.services.drive(name!);
  switch (method) {
    case 'put': return value(JSON.stringify(await drive.put(file!, pieces(call.body), { contentType })));
    case 'get': return getFile(call, name!, file!);
    case 'list': return value(listAnswer(await drive.list(listOptions(await call.whole()))));
    case 'delete': return value(JSON.stringify(await drive.delete(fileNames(await call.whole()))));
    default: throw new SpaceError('BAD_REQUEST', { reason: 'A Drive has no such method.' });
  }
}

async function* pieces(body: Uint8Array | Readable | null): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body;
  else if (body !== null) yield* body as AsyncIterable<Uint8Array>;
}

async function getFile(call: HostCall, drive: string, file: string): Promise<HostAnswer> {
  const found = await call.services.drive(drive).get(file);
  if (!found) return { kind: 'RESULT', head: '', body: null };
  const { contentType, sizeBytes } = found.info;
  const body = sizeBytes <= CHUNK_BYTES ? await collectBody(found.stream, CHUNK_BYTES) : found.stream;
  return { kind: 'RESULT', head: JSON.stringify({ contentType, sizeBytes }), body };
}

/** The shape of the SDK: `paging` only when there is more (@source reference 5.3). */
function listAnswer({ names, last }: { names: string[]; last?: string }): string {
  return JSON.stringify(last === undefined ? { names } : { paging: { size: names.length, last }, names });
}

function parseBody(body: Uint8Array | null): unknown {
  try {
    return JSON.parse(Buffer.from(body ?? []).toString());
  } catch {
    throw new SpaceError('BAD_JSON');
  }
}

function listOptions(body: Uint8Array | null): { limit?: number; prefix?: string; last?: string; recursive?: boolean } {
  const { limit, prefix, last, recursive } = (parseBody(body) ?? {}) as Record<string, unknown>;
  return {
    recursive: recursive !== false,
    ...(typeof limit === 'number' && limit > 0 ? { limit } : {}),
    ...(typeof prefix === 'string' && prefix !== '' ? { prefix } : {}),
    ...(typeof last === 'string' && last !== '' ? { last } : {}),
  };
}

function fileNames(body: Uint8Array | null): string[] {
  const names = parseBody(body);
  if (!Array.isArray(names) || names.length > 1000 || !names.every((name) => typeof name === 'string')) throw new SpaceError('BAD_REQUEST', { reason: 'Names must be a list of up to 1000 texts.' });
  return names;
}

const RELATIVE = 'http://micro.invalid/';
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
const FORBIDDEN_METHOD = /^(?:connect|trace|track)$/i;

function askMicro(call: HostCall, question: unknown[]): Promise<HostAnswer> {
  const [, name, method, url, ...rest] = question;
  if (typeof name !== 'string' || typeof url !== 'string') throw badQuestion('it names no Micro');
  const address = url.startsWith(RELATIVE) ? `${call.origin}/${url.slice(RELATIVE.length)}` : url;
  return askFetch(call, [method, address, ...rest], (request) => call.services.fetchMicro(name, request));
}

async function askFetch(call: HostCall, parts: unknown[], send: (request: MicroRequest) => Promise<MicroResponse>): Promise<HostAnswer> {
  const [method, url, redirect, headers] = parts;
  if (typeof method !== 'string' || typeof url !== 'string' || typeof redirect !== 'string' || !isTexts(headers)) throw new SpaceError('BAD_REQUEST', { reason: 'This request cannot be sent.' });
  if (!METHOD.test(method) || FORBIDDEN_METHOD.test(method)) throw new SpaceError('BAD_REQUEST', { reason: 'This method cannot be sent.' });
  if (!isRedirect(redirect)) throw new SpaceError('BAD_REQUEST', { reason: 'This way to redirect is unknown.' });
  const request: MicroRequest = { id: call.requestId, method, url, headers: checkHeaders(headers), body: call.body, hops: call.hops + 1, redirect, signal: call.signal };
  const response = await send(request);
  try {
    const head = responseHead(response.status, checkHeaders(response.headers), response.url);
    return { kind: 'RESULT_RESPONSE', head, body: await wholeIfShort(response, call.bodyMaxBytes) };
  } catch (error) {
    if (!(response.body instanceof Uint8Array)) response.body?.destroy();
    throw error;
  }
}

/** One frame is cheaper than a stream. */
async function wholeIfShort({ body, headers, sizeBytes }: MicroResponse, bodyMaxBytes: number): Promise<Uint8Array | Readable | null> {
  if (body instanceof Uint8Array) return body.length > bodyMaxBytes ? Readable.from([body]) : body;
  const length = sizeBytes ?? Number(headerValue(headers, 'content-length') ?? Infinity);
  return body !== null && length <= CHUNK_BYTES ? collectBody(body, CHUNK_BYTES) : body;
}

/** The answer is the protocol that both ends speak. */
async function askSocket({ services, socket, signal }: HostCall, [, url, ...protocols]: string[]): Promise<HostAnswer> {
  if (!socket) throw badQuestion('it announces no WebSocket');
  const connection = await services.openSocket({ url: url!, protocols, maxMessageBytes: MESSAGE_MAX_BYTES, signal });
  socket.attach(connection);
  return { kind: 'RESULT', head: connection.protocol, body: null };
}

function isRedirect(text: string): text is NonNullable<MicroRequest['redirect']> {
  return text === 'follow' || text === 'error' || text === 'manual';
}

function isTexts(list: unknown): list is HeaderList {
  return Array.isArray(list) && list.every((item) => typeof item === 'string');
}

/** The whole body. @throws PAYLOAD_TOO_LARGE */
export async function collectBody(body: Uint8Array | Readable | null, maxBytes: number): Promise<Uint8Array | null> {
  if (body === null) return null;
  if (body instanceof Uint8Array) {
    if (body.length > maxBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: maxBytes });
    return body;
  }
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  // Not destroyed when it is too long: an answer may still have to go out on the same connection.
  for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    sizeBytes += piece.length;
    if (sizeBytes > maxBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: maxBytes });
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** What the guest may know of a failure: nothing about the host. */
export function guestError(error: unknown): GuestError {
  const { code, message, status } = toSpaceError(error);
  return { code, message, status };
}
