// Owns the decision whether a request may reach a Micro (@source reference 3.4). Who asks is read from its credentials;
// whether they may is known only once the Micro and its path are.
import { isPublicRoute } from '../../spacefile-schema/route.ts';
import { headerValue } from '../http/headers.ts';
import type { LiveInstance, RevisionMicro } from '../instance/live.ts';
import type { InstanceSessions } from './instance-session.ts';
import type { Keyring } from './keyring.ts';
import { sameSecret } from './vault.ts';

/** `renewed` is a fresh session token for the browser. */
export type Decision =
  | { allowed: true; by: 'public' | 'session' | 'api-key' | 'micro-key'; renewed?: string }
  | { allowed: false };

export interface AccessRequest {
  live: LiveInstance;
  micro: RevisionMicro;
  /** As the Micro sees it. */
  path: string;
  /** Headers as they came. */
  headers: readonly string[];
  /** Tokens of the Instance's cookie, where the browser may be believed to act for its owner. */
  sessionTokens: readonly string[] | undefined;
}

export interface Access {
  decide(request: AccessRequest): Decision | Promise<Decision>;
}

const DENIED: Decision = { allowed: false };
const PUBLIC: Decision = { allowed: true, by: 'public' };
const BY_SESSION: Decision = { allowed: true, by: 'session' };
const BY_API_KEY: Decision = { allowed: true, by: 'api-key' };
const BY_MICRO_KEY: Decision = { allowed: true, by: 'micro-key' };

export function createAccess({ instanceSessions, apiKeys }: { instanceSessions: InstanceSessions; apiKeys: Keyring }): Access {
  async function byKey({ live, micro, headers }: AccessRequest): Promise<Decision> {
    const apiKey = headerValue(headers, 'x-space-app-key');
    if (apiKey !== undefined && micro.presets.apiKeys && (await apiKeys.subjectOf(apiKey)) === live.record.id) return BY_API_KEY;
    const microKey = headerValue(headers, 'x-api-key');
    return microKey !== undefined && sameSecret(microKey, live.microKey) ? BY_MICRO_KEY : DENIED;
  }

  return {
    decide(request) {
      if (isPublicRoute(request.micro, request.path)) return PUBLIC;
      const token = instanceSessions.ownToken(request.sessionTokens, request.live.record.id);
      if (token === undefined) return byKey(request);
      const checked = instanceSessions.check(token, request.live.record.id);
      if (!(checked instanceof Promise) && checked.valid && checked.renewed === undefined) return BY_SESSION;
      return Promise.resolve(checked).then(({ valid, renewed }) => (valid ? { allowed: true, by: 'session', renewed } : byKey(request)));
    },
  };
}

/** Does the browser itself vouch that the Instance's own page sent this, or that the person navigated here?
 *  Sibling hosts are same-site, so their pages' requests carry the cookie: it counts for nothing then. */
export function actsForOwner(method: string, headers: readonly string[], ownOrigin: string): boolean {
  const site = headerValue(headers, 'sec-fetch-site');
  if (site !== undefined) {
    if (site === 'same-origin' || site === 'none') return true;
    return isNavigation(method, headers) && (headerValue(headers, 'sec-fetch-dest') === 'document' || isPassedOn(headers));
  }
  const origin = headerValue(headers, 'origin');
  return origin === undefined || origin === ownOrigin;
}

/** A visit that a service worker of the app passes on. It no longer says whether it will be shown in a window of its own or in
 *  another app's frame, nor who began it: its answer has to say that it goes into no stranger's frame. Scripts cannot make one. */
export function isPassedOn(headers: readonly string[]): boolean {
  return headerValue(headers, 'sec-fetch-dest') === 'empty' && headerValue(headers, 'sec-fetch-mode') === 'navigate';
}

/** Would a person see the answer as a page? Those are sent to the login; programs get 401. */
export function isNavigation(method: string, headers: readonly string[]): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const mode = headerValue(headers, 'sec-fetch-mode');
  if (mode !== undefined) return mode === 'navigate';
  if (headerValue(headers, 'x-space-app-key') !== undefined || headerValue(headers, 'x-api-key') !== undefined) return false;
  return /text\/html|\*\/\*/.test(headerValue(headers, 'accept') ?? '');
}
