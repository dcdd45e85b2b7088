// Owns calls of untrusted code to the outside: one request, one checked address, no redirect followed. Whoever follows
// one comes here again, so every hop is checked. Knows no Micro.
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { SpaceError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/clock.ts';
import { createCallMeter } from './call-meter.ts';
import { isPublicAddress } from './public-address.ts';

export interface OutgoingRequest {
  method: string;
  url: string;
  /** Flat: name, value, name, value. */
  headers: readonly string[];
  body: Uint8Array | Readable | null;
  signal?: AbortSignal;
}

/** `body` fails when the connection breaks. */
export interface OutgoingAnswer { status: number; headers: string[]; body: Readable }

export interface Egress {
  /** @param caller whose counts this call belongs to  @throws EGRESS_BLOCKED, EGRESS_FAILED, TOO_MANY_REQUESTS */
  send(request: OutgoingRequest, caller: { instanceId: string }): Promise<OutgoingAnswer>;
}

export interface EgressOptions {
  log: Log;
  clock: Clock;
  /** Which addresses may be reached; only tests give another answer than the default. */
  isAllowedAddress?: (address: string, port: number) => boolean;
}

const CONNECT_MS = 10_000;
/** A peer that says nothing for so long is given up. */
const SILENCE_MS = 60_000;

/** Besides these, ports below 1024 are closed but for 80 and 443: mail, shells, directories are not for apps. */
const CLOSED_PORTS: ReadonlySet<number> = new Set([
  2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 6667, 8500, 9042, 9200, 9300, 10250, 11211, 27017,
]);

/** They frame the message or speak of one connection; a guest that sets them wants something else than a request. */
const FRAMING: ReadonlySet<string> = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'proxy-connection', 'proxy-authorization', 'proxy-authenticate']);

export function createEgress({ log, clock, isAllowedAddress = isPublicAddress }: EgressOptions): Egress {
  const meter = createCallMeter(clock, log);
  return {
    async send(request, { instanceId }) {
      const release = meter.enter(instanceId);
      try {
        const url = checkedUrl(request.url);
        const headers = checkedHeaders(request.headers, url);
        const address = await checkedAddress(url, isAllowedAddress);
        const incoming = await exchange(url, { ...request, headers, address });
        incoming.once('close', release);
        return { status: incoming.statusCode ?? 502, headers: withoutFraming(incoming.rawHeaders), body: incoming };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** Parsed before it is judged, so that no spelling of an address passes (attack C3). */
function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url) throw blocked('this address', 'it is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw blocked(url.protocol, 'only http and https are');
  if (url.username !== '' || url.password !== '') throw blocked(url.hostname, 'a user name in an address is not sent');
  const port = portOf(url);
  if ((port < 1024 && port !== 80 && port !== 443) || CLOSED_PORTS.has(port)) throw blocked(`port ${port}`, 'it is not a port of the web');
  return url;
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function checkedHeaders(headers: readonly string[], url: URL): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const [name, value] = [headers[index] as string, headers[index + 1] as string];
    const lower = name.toLowerCase();
    if (FRAMING.has(lower) || lower.startsWith('proxy-')) throw blocked(url.hostname, `the header ${lower} is set by the host`);
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[\0\r\n]/.test(value)) throw blocked(url.hostname, 'a header holds characters that no header may hold');
    // Ours counts the bytes that are really sent.
    if (lower !== 'content-length') kept.push(name, value);
  }
  return kept;
}

/** Every address of the name must be open: a mixed answer is an attack (C5). @returns the one to connect to */
async function checkedAddress(url: URL, isAllowed: NonNullable<EgressOptions['isAllowedAddress']>): Promise<string> {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(name) ? [name] : await resolve(name);
  const port = portOf(url);
  if (addresses.length === 0) throw new SpaceError('EGRESS_FAILED', { target: url.hostname, reason: 'the name has no address' });
  if (!addresses.every((address) => isAllowed(address, port))) throw blocked(url.hostname, 'it is not on the public internet');
  return addresses[0] as string;
}

async function resolve(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);
  } catch (error) {
    throw new SpaceError('EGRESS_FAILED', { target: name, reason: 'the name is not known' }, { cause: error });
  }
}

interface Exchange extends OutgoingRequest { address: string }

function exchange(url: URL, { method, headers, body, address, signal }: Exchange): Promise<IncomingMessage> {
  const pinned: LookupFunction = (_name, options, done) => {
    const family = isIP(address);
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
  const options: RequestOptions = { method, headers: ['host', url.host, ...headers], lookup: pinned, agent: false, timeout: SILENCE_MS, signal, insecureHTTPParser: false };
  return new Promise((resolveAnswer, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(new SpaceError('EGRESS_FAILED', { target: url.hostname, reason: error.code ?? 'the connection broke' }, { cause: error }));
    const outgoing = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    const slow = setTimeout(() => outgoing.destroy(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' })), CONNECT_MS);
    outgoing.on('socket', (socket) => socket.once('connect', () => clearTimeout(slow)));
    outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('silence'), { code: 'ETIMEDOUT' })));
    outgoing.on('error', (error) => { clearTimeout(slow); failed(error); });
    outgoing.on('response', (incoming) => { clearTimeout(slow); resolveAnswer(incoming); });
    if (body instanceof Readable) body.on('error', (error) => outgoing.destroy(error)).pipe(outgoing);
    else outgoing.end(body ?? undefined);
  });
}

function withoutFraming(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (!FRAMING.has((raw[index] as string).toLowerCase())) kept.push(raw[index] as string, raw[index + 1] as string);
  }
  return kept;
}

function blocked(target: string, reason: string): SpaceError {
  return new SpaceError('EGRESS_BLOCKED', { target, reason });
}
