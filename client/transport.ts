// Owns one HTTP exchange with a host's control plane: address, credentials, time limit, and errors made typed.
// Must not know any endpoint, nor how an error is shown.
import type { WireError } from '../core/wire.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const UPLOAD_TIMEOUT_MS = 10 * 60_000;

export interface TransportOptions {
  /** Control plane of the host, such as `http://localhost:4400/api`; paths start behind it. */
  root: string;
  accessToken?: string;
  /** Sent with every request, such as a session's `cookie` and `origin`. */
  headers?: Record<string, string>;
  /** Sent as `X-Space-Client`, such as `cli/0.1.0 linux-x64`. */
  clientName?: string;
  timeoutMs?: number;
  /** Ends every exchange. */
  signal?: AbortSignal;
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, with `contentType`. */
  body?: Blob | Uint8Array<ArrayBuffer> | string;
  contentType?: string;
  headers?: Record<string, string>;
  /** Until the head of the answer, in place of what is usual. */
  timeoutMs?: number;
}

export interface Transport {
  readonly root: string;
  /** The JSON of the answer; undefined for an answer without a body. @throws ApiError, HostUnreachable */
  call<Answer>(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The answer itself, once its head is there and says success; no time limit from then on. @throws ApiError, HostUnreachable */
  open(method: string, path: string, options?: CallOptions): Promise<Response>;
}

/** The host answered with an error. `message` is its sentence for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Stable code of core/errors.ts, or `HTTP_<status>` where the answer was not from a host of ours. */
  readonly code: string;
  readonly status: number;
  readonly requestId: string | undefined;

  constructor(status: number, body: Partial<WireError>) {
    super(body.detail ?? body.errors?.[0] ?? `The server answered with status ${status}.`);
    this.code = body.code ?? `HTTP_${status}`;
    this.status = status;
    this.requestId = body.request_id;
  }
}

/** Nothing answered, the answer did not come in time, or it broke off. */
export class HostUnreachable extends Error {
  override readonly name = 'HostUnreachable';
  readonly code = 'HOST_UNREACHABLE';
  readonly url: string;
  /** Why, in a few words. */
  readonly reason: string;

  constructor(url: string, reason: string, options?: { cause?: unknown }) {
    super(`No answer from ${url}: ${reason}.`, options);
    this.url = url;
    this.reason = reason;
  }
}

export function createTransport(options: TransportOptions): Transport {
  const root = options.root.replace(/\/+$/, '');
  const open = async (method: string, path: string, call: CallOptions = {}): Promise<Response> => {
    const url = `${root}${path}${queryText(call.query)}`;
    const response = await exchange(url, requestOf(method, call, options), timeoutFor(call, options), options.signal);
    if (!response.ok) throw new ApiError(response.status, await errorBody(response));
    return response;
  };
  return {
    root,
    open,
    async call<Answer>(method: string, path: string, call?: CallOptions): Promise<Answer> {
      const response = await open(method, path, call);
      return (await readJson(response, `${root}${path}`)) as Answer;
    },
  };
}

function requestOf(method: string, call: CallOptions, options: TransportOptions): RequestInit {
  const headers = new Headers({ ...options.headers, ...call.headers });
  headers.set('accept', 'application/json, text/plain');
  if (options.accessToken !== undefined) headers.set('authorization', `Bearer ${options.accessToken}`);
  if (options.clientName !== undefined) headers.set('x-space-client', options.clientName);
  if (call.json !== undefined) headers.set('content-type', 'application/json');
  else if (call.contentType !== undefined) headers.set('content-type', call.contentType);
  const body = call.json === undefined ? call.body : JSON.stringify(call.json);
  // A redirect would carry the access token to wherever it leads.
  return { method, headers, redirect: 'manual', ...(body !== undefined && { body }) };
}

function timeoutFor(call: CallOptions, options: TransportOptions): number {
  return call.timeoutMs ?? options.timeoutMs ?? (call.body === undefined ? REQUEST_TIMEOUT_MS : UPLOAD_TIMEOUT_MS);
}

/** The time limit ends with the head: a followed log may stay open for hours. */
async function exchange(url: string, init: RequestInit, timeoutMs: number, signal?: AbortSignal): Promise<Response> {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), timeoutMs);
  try {
    return await fetch(url, { ...init, signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const reason = timer.signal.aborted ? `it took longer than ${timeoutMs / 1000} s` : reasonOf(error);
    throw new HostUnreachable(url, reason, { cause: error });
  } finally {
    clearTimeout(timeout);
  }
}

function queryText(query: CallOptions['query'] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function readJson(response: Response, url: string): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    throw new HostUnreachable(url, reasonOf(error), { cause: error });
  });
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HostUnreachable(url, 'what answered there is not an Ownspace host');
  }
}

async function errorBody(response: Response): Promise<Partial<WireError>> {
  const text = await response.text().catch(() => '');
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : {};
  } catch {
    return {};
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'this host name does not exist',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNRESET: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  ERR_INVALID_URL: 'this is not a URL',
};

/** Why an exchange failed, in a few words; `fetch` hides it in the cause of a cause. */
function reasonOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = codeOf(at) ?? (at instanceof AggregateError ? codeOf(at.errors[0]) : undefined);
    if (code !== undefined) return REASONS[code] ?? code;
  }
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
