// Owns what a box is given so that unmodified programs find the inner door and trust it: names, files and variables.
// Knows neither the door nor the box.
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { DETA_HOSTS } from './tls.ts';

export interface InnerNames {
  /** TCP ports of 127.0.0.1 inside the box that lead to the door. The program itself must not be told to listen on one of them. */
  ports: number[];
  /** Lines of the box's /etc/hosts. IPv4 alone, since the ports are. */
  hosts: string;
  /** Text by its path in the box. */
  files: Record<string, string>;
  env: Record<string, string>;
}

/** The public authorities and ours: for whatever reads the system's list. */
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
/** The same where other systems have it. @source Go, crypto/x509/root_linux.go */
const BUNDLE_ELSEWHERE = ['/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem', '/etc/ssl/ca-bundle.pem'];
/** Ours alone, for programs that add it to a list of their own. */
const OWN = '/etc/ssl/ownspace-ca.crt';

/** @param hostname of the Instance, with its port where it has one  @param caPem of the authority that vouches for the door */
export async function innerNames({ hostname, caPem }: { hostname: string; caPem: string }): Promise<InnerNames> {
  const [name = '', port] = hostname.split(':');
  const names = [...DETA_HOSTS, name];
  const bundle = `${(await publicAuthorities()).trimEnd()}\n${caPem}`;
  const direct = [...names, 'localhost', '127.0.0.1', '::1'].join(',');
  return {
    ports: [...new Set([443, Number(port ?? 443)])],
    hosts: names.map((each) => `127.0.0.1 ${each}\n`).join(''),
    files: { ...Object.fromEntries([BUNDLE, ...BUNDLE_ELSEWHERE].map((path) => [path, bundle])), [OWN]: caPem },
    env: {
      // Node and Deno have a list of their own and add this; a whole bundle would slow Node 20 down at each start.
      NODE_EXTRA_CA_CERTS: OWN, DENO_CERT: OWN,
      // OpenSSL, Go, Ruby, Rust, .NET, Python; then two libraries that bring their own list.
      SSL_CERT_FILE: BUNDLE, REQUESTS_CA_BUNDLE: BUNDLE, CURL_CA_BUNDLE: BUNDLE,
      NO_PROXY: direct, no_proxy: direct,
    },
  };
}

let known: Promise<string> | undefined;

/** This machine's list, or else the one that Node brings along. */
function publicAuthorities(): Promise<string> {
  known ??= firstReadable([BUNDLE, ...BUNDLE_ELSEWHERE]).then((text) => text ?? rootCertificates.join('\n'));
  return known;
}

async function firstReadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes('BEGIN CERTIFICATE')) return text;
  }
  return undefined;
}
