// Owns the shape of every route of the control plane and of the pages: who may call it, what it acts on, what it gives.
// The table of routes is the source of the isolation tests: a route cannot exist without saying who may call it.
import type { Readable } from 'node:stream';
import type { Build } from '../../builder/build.ts';
import type { Project } from '../../builder/project.ts';
import type { Release } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Session } from '../auth/session.ts';
import type { Space } from '../auth/space.ts';
import type { Upload } from '../http/upload.ts';
import type { CollectionRecord } from '../instance/collection.ts';
import type { Installation } from '../instance/installation.ts';
import type { Trashed } from '../instance/trash.ts';
import type { Instance } from '../instance/instance.ts';

/** public: anybody. person: whoever is signed in. host-owner: the owner of this host. */
export type Access = 'public' | 'person' | 'host-owner';

/** What a route can act on. Each belongs to one Space, and a route that names one is open to that Space only. */
export interface RouteObjects {
  project: Project;
  build: Build;
  revision: Revision;
  release: Release;
  installation: Installation;
  instance: Instance;
  collection: CollectionRecord;
  trashed: Trashed;
}
export type RouteObject = keyof RouteObjects;

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';

export interface RouteRequest {
  id: string;
  params: Record<string, string>;
  query: URLSearchParams;
  /** Address of the peer, for limits on guessing. */
  address: string;
  isSecure: boolean;
  contentType: string;
  /** Of the body, as its sender announces it; 0 where that is not known. */
  announcedBytes: number;
  /** Scheme, host and port by which this request came, such as `http://localhost:4400`. */
  origin: string;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  /** The person, on every route that is not public; there it may be known or not. */
  person: Space | undefined;
  /** When the person came by the session cookie. */
  session: Session | undefined;
  /** @throws BAD_JSON, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE */
  json(): Promise<Record<string, unknown>>;
  /** A submitted form. */
  form(): Promise<Record<string, string>>;
  /** A submitted form with a file. @throws INVALID_FIELD, UNSUPPORTED_MEDIA_TYPE */
  upload(): Promise<Upload>;
  bytes(limitBytes: number): Promise<Buffer>;
  /** The body as it arrives. */
  stream(): AsyncIterable<Uint8Array>;
}

export interface Reply {
  status?: number;
  json?: unknown;
  html?: string;
  text?: string;
  bytes?: { content: Buffer; contentType: string; cacheControl?: string };
  /** Lines, as they come; the answer ends when they do. */
  lines?: { source: AsyncIterable<string>; contentType: string };
  file?: { stream: Readable; contentType: string; name: string };
  redirect?: string;
  /** Set-Cookie values. */
  cookies?: string[];
}

export interface Route {
  method: Method;
  /** Path with `:params`. */
  path: string;
  access: Access;
  /** A page shows its errors as pages and sends strangers to the login; an API answers in JSON. */
  kind: 'api' | 'page';
  /** Loaded by the parameter `id` before `handle`; another Space's is not found. */
  object?: RouteObject;
  /** Its body may be larger than memory likes. */
  streams?: true;
  handle(request: RouteRequest, object: never): Promise<Reply>;
}

interface OpenRoute { access: 'public'; handle(request: RouteRequest): Promise<Reply> }
interface PersonalRoute { access: 'person' | 'host-owner'; object?: undefined; handle(request: PersonalRequest): Promise<Reply> }
interface ObjectRoute<K extends RouteObject> {
  access: 'person';
  object: K;
  streams?: true;
  handle(request: PersonalRequest, object: RouteObjects[K]): Promise<Reply>;
}

export interface PersonalRequest extends RouteRequest { person: Space }

type Address = `${Method} /${string}`;

/** A route of the control plane: `api('GET /api/v0/space', {...})`. */
export function api(address: Address, route: OpenRoute | PersonalRoute): Route;
export function api<K extends RouteObject>(address: Address, route: ObjectRoute<K>): Route;
export function api(address: Address, route: OpenRoute | PersonalRoute | ObjectRoute<RouteObject>): Route {
  return { ...split(address), kind: 'api', ...(route as unknown as Pick<Route, 'access' | 'object' | 'streams' | 'handle'>) };
}

/** A page of the dashboard, or a form that it submits. */
export function page(address: Address, route: OpenRoute | PersonalRoute): Route;
export function page<K extends RouteObject>(address: Address, route: ObjectRoute<K>): Route;
export function page(address: Address, route: OpenRoute | PersonalRoute | ObjectRoute<RouteObject>): Route {
  return { ...split(address), kind: 'page', ...(route as unknown as Pick<Route, 'access' | 'object' | 'streams' | 'handle'>) };
}

function split(address: Address): { method: Method; path: string } {
  const [method, path] = address.split(' ') as [Method, string];
  return { method, path };
}
