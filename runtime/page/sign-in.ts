// Owns where a person goes after signing in: to a page of the dashboard, or to one of their Instances with a code.
// Everything else that `redirect_uri` may say leads nowhere but to the dashboard (attack D15).
import { SpaceError } from '../../core/errors.ts';
import type { ApiParts } from '../api/parts.ts';
import type { Session } from '../auth/session.ts';
import type { Instance } from '../instance/instance.ts';

export type Destination = { kind: 'dashboard'; path: string } | { kind: 'instance'; instance: Instance; path: string; customDomain: string | undefined };

/** @param redirectUri as the browser brought it  @param origin of the dashboard, as it was asked for */
export async function destinationOf({ addresses, instances }: ApiParts, redirectUri: string | null, origin: string): Promise<Destination> {
  const home: Destination = { kind: 'dashboard', path: '/' };
  const url = redirectUri === null || redirectUri === '' ? null : URL.parse(redirectUri, origin);
  if (!url) return home;
  const path = url.pathname + url.search;
  if (url.origin === origin) return { kind: 'dashboard', path: path.startsWith('//') ? '/' : path };
  const label = addresses.labelOf(url);
  const instance = label === undefined ? undefined : await instances.byLabel(label);
  return instance ? { kind: 'instance', instance, path, customDomain: addresses.customDomainOf(url) } : home;
}

/** The address to send a signed-in person to. For an Instance it carries a one-time code that only its host redeems,
 *  and it always has the dashboard's own scheme and port: nobody else listens there.
 *  @throws FORBIDDEN when the Instance is another person's */
export function enter({ addresses, instanceSessions }: ApiParts, destination: Destination, { session, origin }: { session: Session; origin: string }): string {
  if (destination.kind === 'dashboard') return destination.path;
  const { instance, path, customDomain } = destination;
  if (instance.spaceId !== session.spaceId) {
    throw new SpaceError('FORBIDDEN', { reason: `This copy of ${instance.appName} belongs to somebody else. You can install your own.` });
  }
  const code = instanceSessions.issueCode(instance.id, session.id);
  const query = new URLSearchParams({ code, to: path });
  const url = customDomain === undefined ? addresses.instanceUrl(instance.label, origin) : addresses.customUrl(customDomain, origin);
  return `${url}__space/auth?${query}`;
}
