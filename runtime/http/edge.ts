// Owns the control plane's HTTP: every route of the tables mounted in one way: identify, authorize, load, call, render.
// Knows no route by name; Koa stays in here.
import Koa from 'koa';
import Router from '@koa/router';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { isSpaceError, SpaceError, toSpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import type { Route, RouteObject, RouteObjects, RouteRequest } from '../api/route.ts';
import { isNotCrossOrigin, isSameOrigin, type Identify, type Identity } from '../auth/identify.ts';
import type { Space } from '../auth/space.ts';
import { hasBody, parseJsonObject, provenBody, readBody, refuseLargeBody, undestroyed } from './body.ts';
import { createOpenRequests, type CountOpen } from './open-requests.ts';
import { errorBody, errorHeaders, logError, SERVER_NAME } from './reply.ts';
import { render } from './render.ts';
import type { Spool, Spooled } from './spool.ts';
import { readUpload } from './upload.ts';

export interface EdgeParts {
  routes: readonly Route[];
  identify: Identify;
  /** The object of this kind and id, with the id of the Space that it belongs to; undefined when there is none. */
  load<K extends RouteObject>(kind: K, id: string): Promise<RouteObjects[K] | undefined>;
  /** An error as a page for a person. */
  errorPage(error: SpaceError, context: { requestId: string; person: Space | undefined }): string;
  appsDomain: string;
  /** Where large signed bodies wait for their proof. */
  spool: Spool;
  log: Log;
}

/** Not found reads the same whether a thing is missing or another person's. */
const MISSING: Record<RouteObject, ConstructorParameters<typeof SpaceError>[0]> = {
  project: 'PROJECT_NOT_FOUND', build: 'NOT_FOUND', revision: 'REVISION_NOT_FOUND', release: 'RELEASE_NOT_FOUND',
  installation: 'INSTALLATION_NOT_FOUND', instance: 'INSTANCE_NOT_FOUND', collection: 'COLLECTION_NOT_FOUND', trashed: 'TRASH_NOT_FOUND',
};

const JSON_LIMIT_BYTES = 1024 * 1024;
/** Signed bodies are proven before their route runs: small ones in memory, those of routes that stream in a file. */
const SIGNED_LIMIT_BYTES = 4 * 1024 * 1024;
const SIGNED_STREAM_LIMIT_BYTES = 256 * 1024 * 1024;
const FORM_LIMIT_BYTES = 64 * 1024;

/** Pages load nothing from elsewhere, run no script, and are framed by nobody. Browsers hold `form-action` against
 *  redirects too, and signing in leads back to an app. */
function pagePolicy(appsDomain: string): string {
  return `default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' http://*.${appsDomain}:* https://*.${appsDomain}:*; base-uri 'none'; frame-ancestors 'none'`;
}

export function createEdge(parts: EdgeParts): (request: IncomingMessage, response: ServerResponse) => void {
  const app = new Koa({ proxy: false });
  const router = new Router();
  const policy = pagePolicy(parts.appsDomain);
  const countOpen = createOpenRequests();
  for (const route of parts.routes) {
    router.register(route.path, [route.method], async (ctx) => handle({ ...parts, countOpen }, route, ctx));
  }
  app.use(async (ctx, next) => {
    ctx.state.id = newId('request');
    ctx.set({
      server: SERVER_NAME, 'x-request-id': ctx.state.id, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store',
      'referrer-policy': 'same-origin', 'content-security-policy': policy, 'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin', 'x-frame-options': 'DENY',
    });
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined) throw new SpaceError('NOT_FOUND');
    } catch (error) {
      answerError(parts, ctx, error);
    }
  });
  app.use(router.routes());
  app.use((ctx) => {
    const other = parts.routes.filter((route) => route.method !== ctx.method && router.match(ctx.path, route.method).route);
    if (other.length > 0) throw new SpaceError('METHOD_NOT_ALLOWED', { allow: [...new Set(other.map((route) => route.method))].join(', ') });
  });
  app.on('error', (error) => parts.log.debug('response.failed', { error }));
  return app.callback();
}

async function handle(parts: EdgeParts & { countOpen: CountOpen }, route: Route, ctx: Koa.Context): Promise<void> {
  const isSecure = 'encrypted' in ctx.req.socket;
  const origin = `${isSecure ? 'https' : 'http'}://${(ctx.req.headers.host ?? '').toLowerCase()}`;
  const identity = await parts.identify(ctx.req, isSecure);
  ctx.state.kind = route.kind;
  // Who only claims to be somebody takes no place of theirs.
  if (identity.person) parts.countOpen(identity.verifier ? `claimed ${identity.person.id}` : identity.person.id, ctx.res);
  checkOrigin(route, identity, ctx.req, origin);
  const request = routeRequest(ctx, { identity, isSecure, origin });
  const spooled = await proveUpfront(parts, route, { identity, request });
  ctx.state.person = identity.person;
  try {
    await answer(parts, route, { ctx, identity, request });
  } finally {
    await spooled?.remove();
  }
}

async function answer(parts: EdgeParts, route: Route, { ctx, identity, request }: { ctx: Koa.Context; identity: Identity; request: RouteRequest }): Promise<void> {
  if (route.access !== 'public' && !identity.person) {
    if (route.kind !== 'page') throw identity.refusal ?? new SpaceError('UNAUTHORIZED');
    ctx.redirect(`/login?redirect_uri=${encodeURIComponent(request.origin + (route.method === 'GET' ? ctx.url : '/'))}`);
    return;
  }
  if (route.access === 'host-owner' && identity.person?.role !== 'owner') throw new SpaceError('FORBIDDEN', { reason: 'Only the owner of this host may do this.' });
  const object = route.object ? await loadOwn(parts, route.object, request) : undefined;
  await render(ctx, await route.handle(request, object as never), request);
}

/** A cookie is sent by the browser whoever asked for it, so an unsafe request counts only from our own pages. */
function checkOrigin(route: Route, identity: Identity, request: IncomingMessage, origin: string): void {
  if (route.method === 'GET') return;
  // What anybody may call does nothing in the name of whoever the cookie belongs to.
  const isCookieUsed = identity.session !== undefined && route.access !== 'public';
  const passes = isCookieUsed ? isSameOrigin(request, origin) : (identity.person !== undefined && !identity.session) || isNotCrossOrigin(request, origin);
  if (!passes) throw new SpaceError('ORIGIN_FORBIDDEN');
}

/** Nothing is done, and nothing is told, before a signed body is proven. @throws TOKEN_INVALID, TOKEN_EXPIRED */
async function proveUpfront(parts: EdgeParts, route: Route, { identity, request }: { identity: Identity; request: RouteRequest }): Promise<Spooled | undefined> {
  if (!identity.verifier) return undefined;
  if (route.streams) {
    const spooled = await parts.spool.keep(request.stream(), { owner: identity.person?.id ?? '', limitBytes: SIGNED_STREAM_LIMIT_BYTES });
    request.stream = spooled.stream;
    return spooled;
  }
  const body = await request.bytes(SIGNED_LIMIT_BYTES);
  request.stream = () => Readable.from([body]);
  return undefined;
}

async function loadOwn(parts: EdgeParts, kind: RouteObject, { params, person }: RouteRequest): Promise<unknown> {
  const object = await parts.load(kind, params['id'] ?? '');
  if (!object || object.spaceId !== person?.id) throw new SpaceError(MISSING[kind], { what: 'This' });
  return object;
}

function routeRequest(ctx: Koa.Context, { identity, isSecure, origin }: { identity: Identity; isSecure: boolean; origin: string }): RouteRequest {
  const source = identity.verifier ? provenBody(ctx.req, identity.verifier) : undestroyed(ctx.req);
  const abort = new AbortController();
  ctx.res.on('close', () => abort.abort());
  const request: RouteRequest = {
    id: ctx.state.id, params: ctx['params'] ?? {}, query: new URLSearchParams(ctx.querystring), address: ctx.req.socket.remoteAddress ?? '',
    isSecure, origin, contentType: (ctx.req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    announcedBytes: Number(ctx.req.headers['content-length'] ?? 0), signal: abort.signal, person: identity.person, session: identity.session,
    stream: () => source,
    async bytes(limitBytes) {
      refuseLargeBody(ctx.req, limitBytes);
      return readBody(request.stream(), limitBytes);
    },
    async json() {
      if (hasBody(ctx.req) && request.contentType !== 'application/json') throw new SpaceError('UNSUPPORTED_MEDIA_TYPE', { expected: 'JSON, with Content-Type: application/json' });
      return parseJsonObject(await request.bytes(JSON_LIMIT_BYTES));
    },
    async form() {
      if (request.contentType !== 'application/x-www-form-urlencoded') throw new SpaceError('UNSUPPORTED_MEDIA_TYPE', { expected: 'a form, with Content-Type: application/x-www-form-urlencoded' });
      return Object.fromEntries(new URLSearchParams((await request.bytes(FORM_LIMIT_BYTES)).toString()));
    },
    upload: () => readUpload(request.stream(), ctx.req.headers['content-type'] ?? ''),
  };
  return request;
}

function answerError(parts: EdgeParts, ctx: Koa.Context, error: unknown): void {
  const known = isSpaceError(error) ? error : toSpaceError(error);
  logError(parts.log, known, ctx.state.id);
  ctx.status = known.status;
  ctx.set(errorHeaders(known));
  const wantsPage = ctx.state.kind === 'page' || (ctx.state.kind === undefined && !ctx.path.startsWith('/api/') && /text\/html/.test(ctx.get('accept')));
  if (wantsPage) {
    ctx.type = 'html';
    ctx.body = parts.errorPage(known, { requestId: ctx.state.id, person: ctx.state.person });
  } else {
    ctx.body = errorBody(known, ctx.state.id);
  }
}
