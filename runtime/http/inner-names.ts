// Owns what a box is given so that unmodified programs find the inner door and trust it. Knows neither the door nor the box.
import { DETA_HOSTS } from './tls.ts';

export interface InnerNames {
  /** TCP ports of 127.0.0.1 inside the box that lead to the door. The program itself must not be told to listen on one of them. */
  ports: number[];
  /** Names that lead to 127.0.0.1 inside the box: in IPv4 alone, since the ports are. */
  hosts: string[];
  /** PEM of the authority that vouches for the door. The box has it at AUTHORITY, and in BUNDLE with those of this machine. */
  authority: string;
  env: Record<string, string>;
}

const AUTHORITY = '/etc/ssl/box-authority.pem';
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

/** @param hostname of the Instance, with its port where it has one */
export function innerNames(hostname: string, authority: string): InnerNames {
  const [name = '', port] = hostname.split(':');
  const hosts = [...DETA_HOSTS, name];
  const direct = [...hosts, 'localhost', '127.0.0.1', '::1'].join(',');
  return {
    ports: [...new Set([443, Number(port ?? 443)])], hosts, authority,
    env: {
      // Node and Deno have a list of their own and add this to it; a whole bundle would slow Node 20 down at each start.
      NODE_EXTRA_CA_CERTS: AUTHORITY, DENO_CERT: AUTHORITY,
      // OpenSSL and with it Python and Ruby, Go, Rust, .NET; then two libraries that bring a list of their own.
      SSL_CERT_FILE: BUNDLE, REQUESTS_CA_BUNDLE: BUNDLE, CURL_CA_BUNDLE: BUNDLE,
      // Both spellings are in use.
      NO_PROXY: direct, no_proxy: direct,
    },
  };
}
