// Owns what a Host header means: which plane a request is for. Pure; knows no Instance and no route.
import { isIP } from 'node:net';
import { LABEL, RESERVED_LABELS } from '../instance/label.ts';

/** control: dashboard, control plane, and the data plane by path. data: by host name. instance: an app. */
export type Plane =
  | { kind: 'control'; host: string }
  | { kind: 'data'; host: string; service: 'base' | 'drive' }
  | { kind: 'instance'; host: string; label: string }
  | { kind: 'unknown'; host: string };

export interface HostNames { domain: string; appsDomain: string }

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/;
const REMEMBERED = 1000;

/** @returns a function from a Host header to its Plane; undefined when the header is malformed */
export function createPlanes({ domain, appsDomain }: HostNames): (hostHeader: string | undefined) => Plane | undefined {
  const known = new Map<string, Plane>();

  function planeOf(host: string): Plane {
    if (host === domain || (domain === 'localhost' && isLoopback(host))) return { kind: 'control', host };
    if (host === `database.${domain}` || host === 'database.deta.sh') return { kind: 'data', host, service: 'base' };
    if (host === `drive.${domain}` || host === 'drive.deta.sh') return { kind: 'data', host, service: 'drive' };
    const label = host.endsWith(`.${appsDomain}`) ? host.slice(0, -appsDomain.length - 1) : '';
    if (LABEL.test(label) && !RESERVED_LABELS.has(label)) return { kind: 'instance', host, label };
    return { kind: 'unknown', host };
  }

  return (hostHeader) => {
    if (hostHeader === undefined) return undefined;
    const remembered = known.get(hostHeader);
    if (remembered) return remembered;
    const host = canonicalHost(hostHeader);
    if (host === undefined) return undefined;
    const plane = planeOf(host);
    if (plane.kind !== 'unknown') {
      if (known.size >= REMEMBERED) known.clear();
      known.set(hostHeader, plane);
    }
    return plane;
  };
}

/** Lower case, without port and trailing dot; undefined when it is no host at all. */
export function canonicalHost(hostHeader: string): string | undefined {
  if (hostHeader.length > 300) return undefined;
  const [, name, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(hostHeader.toLowerCase()) ?? [];
  if (name === undefined || (port !== undefined && Number(port) > 65535)) return undefined;
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  return HOST.test(host) && !host.includes('..') ? host : undefined;
}

function isLoopback(host: string): boolean {
  return host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}
