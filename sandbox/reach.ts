// Owns where one caller may call at all: everywhere, nowhere, or a list of hosts. The rules of egress.ts hold besides.
import { SpaceError } from '../core/errors.ts';

export interface Reach {
  policy: 'internet' | 'none' | 'list';
  /** For `list`: names, `*.example.org` for every name below one, or addresses. */
  hosts: string[];
}

export const REACH_POLICIES = ['internet', 'none', 'list'] as const;
export const REACH_HOSTS_MAX = 100;
const HOST_MAX_CHARS = 253;

/** @throws INVALID_FIELD */
export function checkReach({ policy, hosts = [] }: Record<string, unknown>): Reach {
  const known = REACH_POLICIES.find((name) => name === policy);
  if (!known) throw new SpaceError('INVALID_FIELD', { field: 'policy', reason: `is one of ${REACH_POLICIES.join(', ')}` });
  if (!Array.isArray(hosts) || hosts.length > REACH_HOSTS_MAX) throw new SpaceError('INVALID_FIELD', { field: 'hosts', reason: `is a list of up to ${REACH_HOSTS_MAX} names` });
  const checked = hosts.map(checkHost);
  if (known === 'list' && checked.length === 0) throw new SpaceError('INVALID_FIELD', { field: 'hosts', reason: 'needs a name; for no calls at all the policy is none' });
  return { policy: known, hosts: [...new Set(checked)] };
}

/** As a URL has it: lower case, punycode. @throws INVALID_FIELD */
function checkHost(host: unknown): string {
  const refuse = (): never => { throw new SpaceError('INVALID_FIELD', { field: 'hosts', reason: 'holds names such as api.example.org or *.example.org, without scheme, port and path' }); };
  if (typeof host !== 'string' || host.length > HOST_MAX_CHARS) return refuse();
  const isWild = host.startsWith('*.');
  const name = isWild ? host.slice(2) : host;
  const url = /^[^\s/\\?#@:*%]+$/.test(name) || /^\[[0-9a-fA-F:.]+\]$/.test(name) ? URL.parse(`http://${name}/`) : null;
  if (!url || url.port !== '' || (isWild && /^[\d.[]/.test(url.hostname))) return refuse();
  return (isWild ? '*.' : '') + bare(url.hostname);
}

/** @throws EGRESS_BLOCKED */
export function checkReached({ policy, hosts }: Reach, url: URL): void {
  if (policy === 'internet') return;
  const refuse = (reason: string): never => { throw new SpaceError('EGRESS_BLOCKED', { target: url.host, reason }); };
  if (policy === 'none') refuse('this app may not call anything outside');
  const name = bare(url.hostname);
  const isListed = hosts.some((host) => (host.startsWith('*.') ? name.endsWith(host.slice(1)) && name.length > host.length - 1 : name === host));
  if (!isListed) refuse('it is not on the list of what this app may call');
}

const bare = (hostname: string): string => hostname.replace(/\.$/, '');
