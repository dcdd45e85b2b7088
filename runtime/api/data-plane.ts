// Owns the addresses of the data plane and who may use them: a data key from anywhere, the owner's session at an
// Instance's own host. No Koa here: a Base get is too cheap for it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import type { Collection, Data } from '../../sandbox-data/data.ts';
import type { DataKeys } from '../auth/data-key.ts';
import type { CollectionRecord, Collections } from '../instance/collection.ts';
import { sendError } from '../http/reply.ts';
import { DATA_ROUTES, type DataRoute } from './data-route.ts';

/** What an address says, before anybody was asked who they are. */
export interface DataAddress {
  /** From the host name or the first segment; undefined where only the operation tells. */
  service: 'base' | 'drive' | undefined;
  /** Raw segments behind `v1/`. */
  segments: string[];
}

export interface DataPlane {
  /** A request with a data key. @param only the Collection that may be asked for at all; any when undefined */
  handle(request: IncomingMessage, response: ServerResponse, address: DataAddress, only?: string): void;
  /** A request that was allowed already; the Collection named in its path counts for nothing. */
  handleFor(collection: Collection, request: IncomingMessage, response: ServerResponse, at: DataAddress & { id: string }): Promise<void>;
}

export function createDataPlane({ data, dataKeys, collections, log }: { data: Data; dataKeys: DataKeys; collections: Collections; log: Log }): DataPlane {
  /** Without a promise where key and Collection are remembered: most requests are one small read. */
  function collectionOf(request: IncomingMessage, collectionId: string | undefined): Collection | Promise<Collection> {
    // `Deta(projectId, authToken)` of the SDKs sends the same secret as `Authorization`, without a scheme.
    const key = request.headers['x-api-key'] ?? request.headers.authorization;
    const opened = typeof key === 'string' ? dataKeys.collectionOf(key) : undefined;
    if (opened instanceof Promise) return opened.then((id) => open(id, collectionId)).then(collectionFor);
    const record = open(opened, collectionId);
    return record instanceof Promise ? record.then(collectionFor) : collectionFor(record);
  }

  function open(opened: string | undefined, wanted: string | undefined): ReturnType<Collections['open']> {
    if (opened === undefined || opened !== wanted) throw new SpaceError('UNAUTHORIZED');
    return collections.open(opened);
  }

  function collectionFor(record: CollectionRecord | undefined): Collection {
    if (!record) throw new SpaceError('UNAUTHORIZED');
    return data.collection({ spaceId: record.spaceId, collectionId: record.id });
  }

  async function serve(collection: Collection, request: IncomingMessage, response: ServerResponse, { isOpen, ...address }: DataAddress & { isOpen: boolean }): Promise<void> {
    const { route, name, parts } = matchRoute(request.method ?? 'GET', address);
    await route.handle({ request, response, collection, name, parts, isOpen });
  }

  async function withKey(request: IncomingMessage, response: ServerResponse, { only, ...address }: DataAddress & { only: string | undefined }): Promise<void> {
    if (request.method === 'OPTIONS') {
      preflight(response);
      return;
    }
    if (only !== undefined && address.segments[0] !== only) throw new SpaceError('UNAUTHORIZED');
    const collection = collectionOf(request, address.segments[0]);
    await serve(collection instanceof Promise ? await collection : collection, request, response, { ...address, isOpen: true });
  }

  return {
    handle(request, response, address, only) {
      const requestId = newId('request');
      withKey(request, response, { ...address, only }).catch((error) => {
        if (!response.headersSent) response.setHeader('access-control-allow-origin', '*');
        answerError(request, response, error, { requestId, log });
      });
    },
    async handleFor(collection, request, response, address) {
      await serve(collection, request, response, { ...address, isOpen: false }).catch((error) => answerError(request, response, error, { requestId: address.id, log }));
    },
  };
}

function answerError(request: IncomingMessage, response: ServerResponse, error: unknown, context: { requestId: string; log: Log }): void {
  // A client that went away in the middle of its own request needs no answer and is nobody's fault.
  if (request.errored && !isSpaceError(error)) response.destroy();
  else sendError(response, error, context);
}

function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, PUT, POST, PATCH, DELETE',
    'access-control-allow-headers': 'X-API-Key, Content-Type, Range, Authorization, If-Match, If-None-Match, If-Range',
    'access-control-max-age': '86400',
  });
  response.end();
}

/** @param path raw, without the query  @returns undefined when it is no address of the data plane */
export function dataAddress(path: string, service?: 'base' | 'drive'): DataAddress | undefined {
  const segments = path.split('/').slice(1);
  const named = service === undefined && (segments[0] === 'base' || segments[0] === 'drive') ? (segments.shift() as 'base' | 'drive') : service;
  return segments.shift() === 'v1' ? { service: named, segments } : undefined;
}

function matchRoute(method: string, { service, segments }: DataAddress): { route: DataRoute; name: string; parts: string[] } {
  const [, rawName, ...rest] = segments;
  if (rawName === undefined || rawName === '') throw new SpaceError('NOT_FOUND', { what: 'A Base or Drive without a name' });
  const allowed: string[] = [];
  for (const route of DATA_ROUTES) {
    if (service !== undefined && route.service !== service) continue;
    const parts = matchPath(route.path, rest);
    if (!parts) continue;
    if (route.method === method) return { route, name: decodeOnce(rawName), parts: parts.map(decodeOnce) };
    allowed.push(route.method);
  }
  if (allowed.length > 0) throw new SpaceError('METHOD_NOT_ALLOWED', { allow: allowed.join(', ') });
  throw new SpaceError('NOT_FOUND', { what: 'This operation' });
}

/** @returns the segments that stand for `:`, or undefined when the path is another */
function matchPath(pattern: string, segments: readonly string[]): string[] | undefined {
  const expected = pattern.split('/');
  if (expected.length !== segments.length) return undefined;
  const parts: string[] = [];
  for (const [index, piece] of expected.entries()) {
    const segment = segments[index] as string;
    if (piece === ':') parts.push(segment);
    else if (piece !== segment) return undefined;
  }
  return parts.includes('') ? undefined : parts;
}

/** Once, as the SDKs encode once: `%2F` is a slash in a key and never splits the path. */
function decodeOnce(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new SpaceError('BAD_REQUEST', { reason: 'The path is not valid percent-encoded UTF-8.' }, { cause: error });
  }
}
