// Owns what a box is given so that unmodified programs find the inner door and trust it. Knows neither the door nor the box.
import { trustEnv } from '../../sandbox/box-trust.ts';
import { DETA_HOSTS } from './tls.ts';

export interface InnerNames {
  /** TCP ports of 127.0.0.1 inside the box, and the door's socket. The program itself cannot listen on one of them. */
  forwards: Record<number, string>;
  /** Names that lead to 127.0.0.1 inside the box: in IPv4 alone, since the ports are. */
  hosts: string[];
  /** PEM of the authority that vouches for the door: for the system's list in the box. */
  authority: string;
  env: Record<string, string>;
}

/** @param hostname of the Instance, with its port where it has one */
export function innerNames({ hostname, socketPath, authority }: { hostname: string; socketPath: string; authority: string }): InnerNames {
  const [name = '', port] = hostname.split(':');
  const hosts = [...DETA_HOSTS, name];
  const direct = [...hosts, 'localhost', '127.0.0.1', '::1'].join(',');
  return {
    forwards: { 443: socketPath, [Number(port ?? 443)]: socketPath }, hosts, authority,
    // Both spellings are in use: a proxy for calls to the outside is none for these.
    env: { ...trustEnv(), NO_PROXY: direct, no_proxy: direct },
  };
}
