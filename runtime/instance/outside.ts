// Owns calls by URL that leave a Micro: to Instances of this host they stay inside, with their keys and hops; everything
// else passes the egress rules. Redirects are followed here, so that each hop is judged anew (attack C4).
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { WebSocket } from 'ws';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import type { CallMeter } from '../../sandbox/call-meter.ts';
import { checkedFetch, redirected, redirectOf } from '../../sandbox/egress.ts';
import { checkedConnection, checkedSocket } from '../../sandbox/egress-socket.ts';
import { checkReached } from '../../sandbox/reach.ts';
import { DEFAULT_LIMITS } from '../engine/cell/limits.ts';
import type { ConnectionRequest, MicroRequest, MicroResponse, SocketRequest } from '../engine/engine.ts';
import type { Addresses } from '../http/address.ts';
import type { Dispatch } from './dispatch.ts';
import type { LiveInstance, LiveInstances } from './live.ts';
import type { InstanceSettings, Settings } from './settings.ts';

export interface OutsideParts {
  dispatch: Dispatch;
  live: LiveInstances;
  addresses: Addresses;
  meter: CallMeter;
  settings: Settings;
  /** Of the host; an Instance may have its own. */
  limits?: Partial<Record<'callsOpen' | 'callsPerMinute', number>>;
}

/** @source Fetch standard: 20 redirects */
const MAX_REDIRECTS = 20;
/** An answer that streams may be silent for so long, as one that a Micro gives may. */
const STREAM_IDLE_MS = 300_000;
/** Whoever owns these names today must not be handed the data keys of old apps. */
const DETA_HOSTS: readonly string[] = ['database.deta.sh', 'drive.deta.sh'];

export async function fetchOutside(parts: OutsideParts, from: LiveInstance, request: MicroRequest): Promise<MicroResponse> {
  let current = request;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await refusalsCounted(parts, from, () => fetchOnce(parts, from, current));
    const location = redirectOf(answer);
    if (location === undefined || request.redirect === 'manual') return redirects === 0 ? withoutUrl(answer) : { ...answer, url: new URL(current.url).href };
    if (request.redirect === 'error') throw new SpaceError('EGRESS_FAILED', { target: hostOf(current.url), reason: 'it redirects' });
    if (redirects === MAX_REDIRECTS) throw new SpaceError('EGRESS_FAILED', { target: hostOf(current.url), reason: 'it redirects without end' });
    if (answer.body !== null && !(answer.body instanceof Uint8Array)) answer.body.destroy();
    current = redirected(current, answer.status, location);
  }
}

/** Its own app is always reached; whatever else there is, other apps of this host too, as its owner has it now. */
async function fetchOnce(parts: OutsideParts, from: LiveInstance, request: MicroRequest): Promise<MicroResponse> {
  const { dispatch, live, addresses, settings } = parts;
  const url = URL.parse(request.url);
  if (url && isDeta(url)) throw new SpaceError('EGRESS_BLOCKED', { target: url.hostname, reason: 'this name is gone from the internet; use env.Base and env.Drive' });
  const label = url ? addresses.labelOf(url) : undefined;
  const set = await settings.of(from.record.id);
  if (url && label !== from.record.label) checkReached(set.reach, url);
  if (label === undefined) {
    const rules = { deniedHosts: ownAddresses(), responseMaxBytes: Infinity, idleMs: STREAM_IDLE_MS };
    return metered(parts, set, () => checkedFetch({ ...request, redirect: 'manual' }, rules), ({ body }) => body);
  }
  const target = label === from.record.label ? from : await live.byLabel(label);
  if (!target) throw new SpaceError('EGRESS_BLOCKED', { target: url?.hostname, reason: 'no app lives there' });
  return dispatch.fetchByUrl(target, request);
}

function withoutUrl({ status, headers, body }: MicroResponse): MicroResponse {
  return { status, headers, body };
}

async function refusalsCounted<T>({ meter }: OutsideParts, from: LiveInstance, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isSpaceError(error, 'EGRESS_BLOCKED')) meter.refused(from.record.id);
    throw error;
  }
}

/** Under the egress rules, and counted for the Instance until it has ended. @param bodyOf what says `close` in the end */
async function metered<T>({ meter, limits }: OutsideParts, { id, limits: own }: InstanceSettings, open: () => Promise<T>, bodyOf: (opened: T) => EventEmitter): Promise<T> {
  const release = meter.enter(id, { ...DEFAULT_LIMITS, ...limits, ...own });
  try {
    const opened = await open();
    bodyOf(opened).once('close', release);
    return opened;
  } catch (error) {
    release();
    throw error;
  }
}

/** A WebSocket to another host, where the owner lets the app reach it. Apps of this host are reached with fetch. @throws EGRESS_* */
export function socketOutside(parts: OutsideParts, from: LiveInstance, request: SocketRequest): Promise<WebSocket> {
  return refusalsCounted(parts, from, async () => {
    const { addresses, settings } = parts;
    const url = URL.parse(request.url.replace(/^ws/i, 'http'));
    if (url && addresses.labelOf(url) !== undefined) throw new SpaceError('EGRESS_BLOCKED', { target: url.hostname, reason: 'an app reaches the apps of this host with fetch, not with a WebSocket' });
    const set = await settings.of(from.record.id);
    if (url) checkReached(set.reach, url);
    return metered(parts, set, () => checkedSocket(request, { deniedHosts: ownAddresses() }), (connection) => connection);
  });
}

/** A connection whose content the host does not read: TLS of a program. The same rules; apps of this host have a way of their own. @throws EGRESS_* */
export function connectOutside(parts: OutsideParts, from: LiveInstance, { host, port, signal }: ConnectionRequest): Promise<Socket> {
  return refusalsCounted(parts, from, async () => {
    const { addresses, settings } = parts;
    const url = URL.parse(`https://${host}:${port}/`);
    if (!url || host === '' || url.pathname !== '/' || url.search !== '' || url.username !== '') throw new SpaceError('EGRESS_BLOCKED', { target: `${host}:${port}`.slice(0, 200), reason: 'this is no address' });
    if (isDeta(url) || addresses.labelOf(url) !== undefined) throw new SpaceError('EGRESS_BLOCKED', { target: url.hostname, reason: 'it is on this host, where its own name leads without a proxy' });
    const set = await settings.of(from.record.id);
    checkReached(set.reach, url);
    return metered(parts, set, () => checkedConnection(url, signal, { deniedHosts: ownAddresses() }), (connection) => connection);
  });
}

/** With a dot at its end a name leads to the same place. */
const isDeta = ({ hostname }: URL): boolean => DETA_HOSTS.includes(hostname.replace(/\.$/, ''));

/** This machine by all its addresses, public ones too: its admin pages listen there (attack C1). */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

function hostOf(url: string): string {
  return URL.parse(url)?.hostname ?? 'this address';
}
