// Owns the host's own addresses: what links to the dashboard and to Instances look like. Knows no record but a label.

export interface Addresses {
  /** `http://label.apps:4400/`, or with the scheme and port of `like`. */
  instanceUrl(label: string, like?: string): string;
  /** Scheme, host, port of the dashboard, such as `http://localhost:4400`; like the request that asks, when given. */
  controlOrigin(like?: string): string;
  /** What `DETA_SPACE_APP_HOSTNAME` says: host and TLS port, since old apps put `https://` before it. */
  instanceHostname(label: string): string;
  /** The label, when this URL is an Instance's; undefined for any other. */
  labelOf(url: URL): string | undefined;
}

export interface AddressFacts {
  domain: string;
  appsDomain: string;
  /** The ports that we listen on, known once we do. */
  ports(): { http: number; tls: number | undefined };
}

export function createAddresses({ domain, appsDomain, ports }: AddressFacts): Addresses {
  /** The port by which the visitor came may be another than ours: a forwarded one, or a proxy's. */
  const origin = (host: string, like?: string): string => {
    if (like === undefined) return withPort(`http://${host}`, ports().http, 80);
    const { protocol, port } = new URL(like);
    return `${protocol}//${host}${port === '' ? '' : `:${port}`}`;
  };
  return {
    instanceUrl: (label, like) => `${origin(`${label}.${appsDomain}`, like)}/`,
    controlOrigin: (like) => origin(domain, like),
    instanceHostname(label) {
      const { http, tls } = ports();
      return tls === undefined ? withPort(`${label}.${appsDomain}`, http, 80) : withPort(`${label}.${appsDomain}`, tls, 443);
    },
    labelOf({ protocol, hostname, username, password }) {
      if ((protocol !== 'http:' && protocol !== 'https:') || username !== '' || password !== '') return undefined;
      const host = hostname.toLowerCase().replace(/\.$/, '');
      const label = host.endsWith(`.${appsDomain}`) ? host.slice(0, -appsDomain.length - 1) : '';
      return /^[a-z0-9-]{1,63}$/.test(label) ? label : undefined;
    },
  };
}

function withPort(text: string, port: number, standard: number): string {
  return port === standard ? text : `${text}:${port}`;
}
