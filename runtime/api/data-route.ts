// Owns the table of the data plane: Deta's HTTP API v1 as method and path below `/v1/<collection>/<name>/`.
// Knows how an operation reads and answers; not who may call it, nor at which address.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { SpaceError } from '../../core/errors.ts';
import { conditionOf, etagOf, isKnown } from '../../core/etag.ts';
import type { ByteRange } from '../../sandbox-data/blob/blob-store.ts';
import type { Collection, FileInfo, Versioned } from '../../sandbox-data/data.ts';
import { parseJsonObject, readBody, refuseLargeBody, undestroyed } from '../http/body.ts';
import { rangeIn } from '../http/range.ts';
import { SERVER_NAME } from '../http/reply.ts';

export interface DataCall {
  request: IncomingMessage;
  response: ServerResponse;
  collection: Collection;
  /** Of the Base or Drive. */
  name: string;
  /** Decoded segments that stand for `:` in the route. */
  parts: string[];
  /** Any page may read the answer: the caller had a key in its hands, and no cookie counted. */
  isOpen: boolean;
}

export interface DataRoute {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  service: 'base' | 'drive';
  /** Below the Base's or Drive's name; `:` takes one segment, decoded once. */
  path: string;
  handle(call: DataCall): Promise<void>;
}

/** @source reference 4.1: 16 MB a request; the JSON around them is not counted so exactly */
const BASE_MAX_REQUEST_BYTES = 17 * 1024 * 1024;
/** @source reference 5.4: SDKs send parts of 10 MiB */
const DRIVE_MAX_PART_BYTES = 10 * 1024 * 1024;
const DRIVE_MAX_REQUEST_BYTES = 1024 * 1024;

/** Types that a browser may show in place; anything else it downloads (attack F6). The whole type counts: of a list browsers
 *  take the last, and what ends in `+xml` is a page to them. */
const INLINE_TYPE = /^(image\/(png|jpeg|gif|webp|avif|bmp|x-icon)|(video|audio)\/[\w.-]+|text\/plain|application\/(json|pdf)) *(;[^,]*)?$/i;

export const DATA_ROUTES: readonly DataRoute[] = [
  { method: 'PUT', service: 'base', path: 'items', handle: async (call) => answerVersioned(call, 207, await base(call).versioned.put(await baseBody(call), condition(call))) },
  { method: 'POST', service: 'base', path: 'items', handle: async (call) => answerVersioned(call, 201, await base(call).versioned.insert(await baseBody(call), condition(call))) },
  { method: 'GET', service: 'base', path: 'items/:', handle: getItem },
  { method: 'DELETE', service: 'base', path: 'items/:', handle: deleteItem },
  { method: 'PATCH', service: 'base', path: 'items/:', handle: async (call) => answerVersioned(call, 200, await base(call).versioned.update(part(call), await baseBody(call), condition(call))) },
  { method: 'POST', service: 'base', path: 'query', handle: async (call) => answer(call, 200, await base(call).query(await baseBody(call))) },
  { method: 'POST', service: 'drive', path: 'files', handle: putFile },
  { method: 'GET', service: 'drive', path: 'files/download', handle: getFile },
  { method: 'GET', service: 'drive', path: 'files', handle: listFiles },
  { method: 'DELETE', service: 'drive', path: 'files', handle: deleteFiles },
  { method: 'POST', service: 'drive', path: 'uploads', handle: startUpload },
  { method: 'POST', service: 'drive', path: 'uploads/:/parts', handle: putPart },
  { method: 'PATCH', service: 'drive', path: 'uploads/:', handle: completeUpload },
  { method: 'DELETE', service: 'drive', path: 'uploads/:', handle: abortUpload },
];

const base = (call: DataCall): ReturnType<Collection['base']> => call.collection.base(call.name);
const drive = (call: DataCall): ReturnType<Collection['drive']> => call.collection.drive(call.name);
const part = (call: DataCall): string => call.parts[0] ?? '';
const condition = ({ request: { headers } }: DataCall): ReturnType<typeof conditionOf> => conditionOf(headers['if-match'], headers['if-none-match']);

/** `prefix` and `last` arrive unencoded from some SDKs; `+` is a space, as those that encode mean it. */
function queryOf({ request }: DataCall): URLSearchParams {
  const url = request.url ?? '';
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
}

/** One flat list and one write: for a small read, headers are most of the work. @param text JSON */
function answer({ response, isOpen }: DataCall, status: number, text: string, etag?: string): void {
  const headers = ['content-type', 'application/json; charset=utf-8', 'content-length', String(Buffer.byteLength(text)), 'cache-control', 'no-store', 'server', SERVER_NAME];
  if (etag !== undefined) headers.push('etag', etag);
  if (isOpen) headers.push('access-control-allow-origin', '*');
  if (isOpen && etag !== undefined) headers.push('access-control-expose-headers', 'ETag');
  response.writeHead(status, headers);
  response.end(text);
}

/** Without a length: that would be the one of the Item. */
function answerUnchanged({ response, isOpen }: DataCall, etag: string): void {
  const headers = ['etag', etag, 'cache-control', 'no-store', 'server', SERVER_NAME];
  if (isOpen) headers.push('access-control-allow-origin', '*', 'access-control-expose-headers', 'ETag');
  response.writeHead(304, headers);
  response.end();
}

/** Several Items together have no version. */
function answerVersioned(call: DataCall, status: number, { json, version }: Versioned): void {
  answer(call, status, json, version === '' ? undefined : etagOf(version));
}

function baseBody({ request }: DataCall): Promise<Buffer> {
  refuseLargeBody(request, BASE_MAX_REQUEST_BYTES);
  return readBody(request, BASE_MAX_REQUEST_BYTES);
}

async function getItem(call: DataCall): Promise<void> {
  const item = await base(call).versioned.get(part(call));
  if (item === undefined) answer(call, 404, JSON.stringify({ key: part(call) }));
  else if (isKnown(call.request.headers['if-none-match'], item.version)) answerUnchanged(call, etagOf(item.version));
  else answerVersioned(call, 200, item);
}

async function deleteItem(call: DataCall): Promise<void> {
  await base(call).versioned.delete(part(call), condition(call));
  answer(call, 200, JSON.stringify({ key: part(call) }));
}

/** Facts that each Drive answer repeats. */
const echo = (call: DataCall): Record<string, unknown> => ({ name: fileName(call), project_id: call.collection.ref.collectionId, drive_name: call.name });

function fileName(call: DataCall): string {
  const name = queryOf(call).get('name');
  if (name === null || name === '') throw new SpaceError('NAME_INVALID', { reason: 'the query parameter `name` is missing' });
  return name;
}

async function putFile(call: DataCall): Promise<void> {
  const name = fileName(call);
  refuseLargeBody(call.request, DRIVE_MAX_PART_BYTES);
  await drive(call).put(name, undestroyed(call.request), { contentType: call.request.headers['content-type'], maxBytes: DRIVE_MAX_PART_BYTES });
  answer(call, 201, JSON.stringify(echo(call)));
}

async function getFile(call: DataCall): Promise<void> {
  const name = fileName(call);
  const info = await drive(call).head(name);
  if (!info) throw new SpaceError('DRIVE_FILE_NOT_FOUND');
  const range = rangeOf(call.request, info);
  const file = await drive(call).get(name, range);
  if (!file) throw new SpaceError('DRIVE_FILE_NOT_FOUND');
  if (range && file.info.etag !== info.etag) {
    // Replaced between the two steps: the range was meant for another File.
    file.stream.destroy();
    return getFile(call);
  }
  const length = range ? range.end - range.start + 1 : file.info.sizeBytes;
  call.response.writeHead(range ? 206 : 200, {
    ...(call.isOpen ? { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Content-Range, ETag' } : {}),
    'content-type': file.info.contentType, 'content-length': length, 'accept-ranges': 'bytes', etag: file.info.etag,
    'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; sandbox", 'cache-control': 'private, no-cache',
    ...(INLINE_TYPE.test(file.info.contentType) ? {} : { 'content-disposition': 'attachment' }),
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${file.info.sizeBytes}` } : {}),
  });
  await new Promise<void>((resolve) => pipeline(file.stream, call.response, () => resolve()));
}

/** A range of another version is ignored. @throws RANGE_NOT_SATISFIABLE */
function rangeOf({ headers }: IncomingMessage, info: FileInfo): ByteRange | undefined {
  if (headers['if-range'] !== undefined && headers['if-range'] !== info.etag) return undefined;
  const range = rangeIn(headers.range, info.sizeBytes);
  if (range === 'unsatisfiable') throw new SpaceError('RANGE_NOT_SATISFIABLE', { sizeBytes: info.sizeBytes });
  return range;
}

async function listFiles(call: DataCall): Promise<void> {
  const query = queryOf(call);
  const limit = Number(query.get('limit') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new SpaceError('INVALID_FIELD', { field: 'limit', reason: 'is a number from 1 to 1000' });
  const { names, last } = await drive(call).list({
    ...(limit > 0 ? { limit } : {}), prefix: query.get('prefix') ?? '', recursive: query.get('recursive') !== 'false',
    ...(query.get('last') ? { last: query.get('last') as string } : {}),
  });
  answer(call, 200, JSON.stringify(last === undefined ? { names } : { paging: { size: names.length, last }, names }));
}

async function deleteFiles(call: DataCall): Promise<void> {
  const { names } = parseJsonObject(await readBody(call.request, DRIVE_MAX_REQUEST_BYTES));
  if (!Array.isArray(names) || names.length === 0) throw new SpaceError('BAD_REQUEST', { reason: '`names` is a list of 1 to 1000 file names' });
  if (names.length > 1000) throw new SpaceError('TOO_MANY_ITEMS', { limit: 1000 });
  if (names.some((name) => typeof name !== 'string')) throw new SpaceError('BAD_REQUEST', { reason: 'a file name is a string' });
  const { deleted, failed } = await drive(call).delete(names as string[]);
  if (deleted.length === 0) throw new SpaceError('NAME_INVALID', { reason: 'invalid name' });
  answer(call, 200, JSON.stringify({ deleted, failed }));
}

async function startUpload(call: DataCall): Promise<void> {
  const { uploadId } = await drive(call).startUpload(fileName(call), { contentType: call.request.headers['content-type'] });
  answer(call, 202, JSON.stringify({ ...echo(call), upload_id: uploadId }));
}

async function putPart(call: DataCall): Promise<void> {
  const number = Number(queryOf(call).get('part'));
  refuseLargeBody(call.request, DRIVE_MAX_PART_BYTES);
  const options = { contentType: call.request.headers['content-type'], maxBytes: DRIVE_MAX_PART_BYTES };
  await drive(call).putPart(part(call), fileName(call), number, undestroyed(call.request), options);
  answer(call, 200, JSON.stringify({ ...echo(call), upload_id: part(call), part: number }));
}

async function completeUpload(call: DataCall): Promise<void> {
  await drive(call).completeUpload(part(call), fileName(call));
  answer(call, 200, JSON.stringify({ ...echo(call), upload_id: part(call) }));
}

async function abortUpload(call: DataCall): Promise<void> {
  await drive(call).abortUpload(part(call), fileName(call));
  answer(call, 200, JSON.stringify({ ...echo(call), upload_id: part(call) }));
}
