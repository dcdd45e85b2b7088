// Owns how anything leaves this host on behalf of somebody else: which addresses, ports and headers, how long, how much.
// A name is resolved once, every address is checked, and the connection goes to a checked address only. Knows no Instance.
import { lookup as systemLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { SpaceError } from '../core/errors.ts';
import { isPublicAddress } from './address.ts';

/** Name, value, name, value. */
export type EgressHeaders = string[];

export interface EgressRequest {
  method: string;
  url: string;
  headers: EgressHeaders;
  /** A stream can be sent once: no redirect may ask for it again. */
  body: Uint8Array | Readable | null;
  signal?: AbortSignal;
  /** `follow` (default) goes along up to five redirects, each checked anew. */
  redirect?: 'follow' | 'manual' | 'error';
}

export interface EgressResponse { status: number; headers: EgressHeaders; body: Readable; url: string }

export interface EgressPolicy {
  /** Time until the head of an answer. */
  timeoutMs?: number;
  /** Time without a byte while a body arrives. */
  idleMs?: number;
  responseMaxBytes?: number;
  redirectsMax?: number;
  /** Addresses and ports of this host itself, and whatever else its owner forbids: `address`, or `address:port`. */
  deniedHosts?: readonly string[];
  /** For tests and for owners who know what they do: `host:port` that need not be public. Empty unless given. */
  allowedHosts?: readonly string[];
  lookup?: (hostname: string) => Promise<readonly { address: string; family: number }[]>;
}

const DEFAULTS = { timeoutMs: 30_000, idleMs: 30_000, responseMaxBytes: 64 * 1024 * 1024, redirectsMax: 5 } as const;

/** Ports of services that speak no HTTP but might be talked into something. @source the Fetch standard's bad ports, and data stores */
const BAD_PORTS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119,
  123, 135, 137, 139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989,
  990, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 4222, 5060, 5061, 5432, 5672, 5900, 6000,
  6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9200, 9300, 10080, 10250, 11211, 27017,
]);

/** Headers that belong to the connection, not to its user. */
const FORBIDDEN_HEADERS = new Set([
  'host', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'te', 'trailer', 'upgrade', 'expect', 'proxy-authorization', 'proxy-authenticate',
  'proxy-connection', 'forwarded', 'via', 'x-real-ip',
  // Nobody here would undo a compression.
  'accept-encoding',
]);
const FORBIDDEN_PREFIXES = ['proxy-', 'x-forwarded-', 'sec-'];
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\t\x20-\xff]/;
/** Not carried to another origin. */
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'cookie2', 'x-api-key', 'x-space-app-key']);

/** Send a request under the rules. Headers of the connection itself are left out; broken ones are refused.
 *  @throws EGRESS_BLOCKED by rule, EGRESS_FAILED when it cannot be reached */
export async function checkedFetch(request: EgressRequest, policy: EgressPolicy = {}): Promise<EgressResponse> {
  let { method, url, headers, body } = { ...request, headers: cleanHeaders(request.headers) };
  const redirectsMax = policy.redirectsMax ?? DEFAULTS.redirectsMax;
  for (let redirects = 0; ; redirects++) {
    const target = checkUrl(url, policy);
    const address = await resolveChecked(target, policy);
    const response = await send({ ...request, method, url: target.href, headers, body }, target, address, policy);
    const location = redirectOf(response);
    if (location === undefined || request.redirect === 'manual') return response;
    response.body.destroy();
    if (request.redirect === 'error') throw new SpaceError('EGRESS_FAILED', { target: target.host, reason: 'it redirects, which was not wanted' });
    if (redirects >= redirectsMax) throw new SpaceError('EGRESS_FAILED', { target: target.host, reason: `it redirects more than ${redirectsMax} times` });
    ({ method, url, headers, body } = redirected({ method, url: target.href, headers, body }, response.status, location));
  }
}

/** @throws EGRESS_BLOCKED for what no address may be */
export function checkUrl(text: string, policy: EgressPolicy = {}): URL {
  const url = URL.parse(text);
  if (!url) throw blocked(text.slice(0, 200), 'this is no address');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw blocked(`${url.protocol}//`, 'only http and https are');
  if (url.username !== '' || url.password !== '') throw blocked(url.host, 'the address holds a user name or a password');
  if (isAllowed(url, policy)) return url;
  if (BAD_PORTS.has(portOf(url))) throw blocked(url.host, `port ${portOf(url)} belongs to another kind of service`);
  return url;
}

const blocked = (target: string, reason: string): SpaceError => new SpaceError('EGRESS_BLOCKED', { target, reason });
const portOf = (url: URL): number => (url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port));
const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
const isAllowed = (url: URL, policy: EgressPolicy): boolean => policy.allowedHosts?.includes(`${bare(url.hostname)}:${portOf(url)}`) ?? false;

interface Address { address: string; family: number }

/** One address of the host, after all of them were checked. @throws EGRESS_BLOCKED, EGRESS_FAILED */
export async function resolveChecked(url: URL, policy: EgressPolicy): Promise<Address> {
  const host = bare(url.hostname);
  const family = isIP(host);
  const addresses = family === 0 ? await lookupAll(host, policy) : [{ address: host, family }];
  const first = addresses[0];
  if (!first) throw new SpaceError('EGRESS_FAILED', { target: url.host, reason: 'its name has no address' });
  if (isAllowed(url, policy)) return first;
  for (const { address } of addresses) {
    if (!isPublicAddress(address)) throw blocked(url.host, 'it is not on the public internet');
    if (policy.deniedHosts?.some((denied) => denied === address || denied === `${address}:${portOf(url)}`)) throw blocked(url.host, 'it is this host itself');
  }
  return first;
}

async function lookupAll(host: string, policy: EgressPolicy): Promise<readonly Address[]> {
  try {
    return await (policy.lookup ?? ((name) => systemLookup(name, { all: true })))(host);
  } catch {
    throw new SpaceError('EGRESS_FAILED', { target: host, reason: 'its name cannot be resolved' });
  }
}

/** @throws EGRESS_BLOCKED */
function cleanHeaders(headers: EgressHeaders): EgressHeaders {
  const clean: EgressHeaders = [];
  for (let at = 0; at < headers.length; at += 2) {
    const [name, value] = [headers[at]!, headers[at + 1]!];
    if (!HEADER_NAME.test(name) || BAD_VALUE.test(value)) throw blocked('this request', 'a header is malformed');
    if (!isForbidden(name.toLowerCase())) clean.push(name, value);
  }
  return clean;
}

function isForbidden(name: string): boolean {
  return FORBIDDEN_HEADERS.has(name) || FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}

function send(request: EgressRequest, url: URL, { address, family }: Address, policy: EgressPolicy): Promise<EgressResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<EgressResponse>();
  const failed = (reason: string, cause?: unknown): void => reject(new SpaceError('EGRESS_FAILED', { target: url.host, reason }, { cause }));
  const pinned: LookupFunction = (_, options, done) => (options.all ? done(null, [{ address, family }]) : done(null, address, family));
  const timeoutMs = policy.timeoutMs ?? DEFAULTS.timeoutMs;
  const call = (url.protocol === 'https:' ? https : http).request(url, {
    method: request.method, lookup: pinned, agent: false, headers: headerPairs(request, url), signal: request.signal, maxHeaderSize: 64 * 1024, setDefaultHeaders: false,
  });
  const timer = setTimeout(() => call.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  call.on('socket', (socket) => socket.once('connect', () => {
    // What is connected is what was checked: the operating system may not have chosen another one.
    if (socket.remoteAddress !== address && !isAllowed(url, policy) && !isPublicAddress(socket.remoteAddress ?? '')) call.destroy(new Error('connected elsewhere'));
  }));
  call.on('error', (error: NodeJS.ErrnoException) => { clearTimeout(timer); failed(error.code ?? error.message, error); });
  call.on('response', (response) => {
    clearTimeout(timer);
    resolve({ status: response.statusCode!, headers: response.rawHeaders, body: limited(response, policy), url: url.href });
  });
  if (request.body instanceof Readable) sendStream(call, request.body, () => timer.refresh());
  else call.end(request.body ?? undefined);
  return promise;
}

/** The time until the answer counts from the last piece that was sent. */
function sendStream(call: http.ClientRequest, body: Readable, onMoved: () => void): void {
  body.on('data', onMoved);
  pipeline(body, call, (error) => { if (error) call.destroy(error); });
}

function headerPairs({ headers, body, method }: EgressRequest, url: URL): string[] {
  const length = body instanceof Readable ? ['Transfer-Encoding', 'chunked']
    : body === null && (method === 'GET' || method === 'HEAD') ? [] : ['Content-Length', String(body?.length ?? 0)];
  const agent = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'user-agent') ? [] : ['User-Agent', 'Ownspace'];
  return ['Host', url.host, ...headers, ...agent, ...length, 'Connection', 'close'];
}

/** The body, cut off when it is too long or stands still. */
function limited(response: http.IncomingMessage, policy: EgressPolicy): Readable {
  const maxBytes = policy.responseMaxBytes ?? DEFAULTS.responseMaxBytes;
  const target = response.headers.host ?? 'The answer';
  let sizeBytes = 0;
  response.setTimeout(policy.idleMs ?? DEFAULTS.idleMs, () => response.destroy(new SpaceError('EGRESS_FAILED', { target, reason: 'its body stands still' })));
  const push = response.push.bind(response);
  response.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    sizeBytes += chunk?.length ?? 0;
    if (sizeBytes > maxBytes) response.destroy(new SpaceError('EGRESS_FAILED', { target, reason: `its body is larger than ${maxBytes} bytes` }));
    return push(chunk, encoding);
  };
  return response;
}

/** Where an answer redirects to, if it does. */
export function redirectOf({ status, headers }: Pick<EgressResponse, 'status' | 'headers'>): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'location');
  return at < 0 ? undefined : headers[at + 1];
}

/** The request that a redirect asks for: another method where the standard says so, and no credentials for another origin.
 *  Everything else of `sent` stays. @throws EGRESS_FAILED  @source Fetch standard, HTTP-redirect fetch */
export function redirected<R extends Pick<EgressRequest, 'method' | 'url' | 'headers'> & { body: unknown }>(sent: R, status: number, location: string): R {
  const from = new URL(sent.url);
  const to = URL.parse(location, from.href);
  if (!to) throw new SpaceError('EGRESS_FAILED', { target: from.host, reason: 'it redirects to nowhere' });
  const toGet = (status === 303 && sent.method !== 'HEAD') || ((status === 301 || status === 302) && sent.method === 'POST');
  if (!toGet && sent.body instanceof Readable) throw new SpaceError('EGRESS_FAILED', { target: from.host, reason: 'it redirects, and a streamed body cannot be sent twice' });
  const dropped = (name: string): boolean => (to.origin !== from.origin && SECRET_HEADERS.has(name)) || (toGet && name.startsWith('content-'));
  const headers = sent.headers.filter((_, at) => !dropped(sent.headers[at & ~1]!.toLowerCase()));
  return { ...sent, url: to.href, headers, ...(toGet ? { method: 'GET', body: null } : {}) };
}
