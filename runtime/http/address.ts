// Owns the host's own addresses: what links to the dashboard and to Instances look like. Knows no record but a label.

export interface Addresses {
  /** `http://label.apps:4400/`, or with the scheme and port of `like`. */
  instanceUrl(label: string, like?: string): string;
  /** Scheme, host, port of the dashboard, such as `http://localhost:4400`; like the request that asks, when given. */
  controlOrigin(like?: string): string;
  /** What `DETA_SPACE_APP_HOSTNAME` says: host and TLS port, since old apps put `https://` before it. */
  instanceHostname(label: string): string;
  /** A custom domain, with the scheme and port of `like`. */
  customUrl(domain: string, like: string): string;
  /** The custom domain, when this URL is at one. */
  customDomainOf(url: URL): string | undefined;
  /** The label, when this URL is an Instance's, also by a custom domain; undefined for any other. */
  labelOf(url: URL): string | undefined;
}

export interface AddressFacts {
  domain: string;
  appsDomain: string;
  /** The ports that we listen on, known once we do. */
  ports(): { http: number; tls: number | undefined };
  /** Of the Instance that a custom domain leads to. */
  labelOfDomain?(hostName: string): string | undefined;
}

export function createAddresses({ domain, appsDomain, ports, labelOfDomain = () => undefined }: AddressFacts): Addresses {
  /** The port by which the visitor came may be another than ours: a forwarded one, or a proxy's. */
  const origin = (host: string, like?: string): string => {
    if (like === undefined) return withPort(`http://${host}`, ports().http, 80);
    const { protocol, port } = new URL(like);
    return `${protocol}//${host}${port === '' ? '' : `:${port}`}`;
  };
  return {
    instanceUrl: (label, like) => `${origin(`${label}.${appsDomain}`, like)}/`,
    customUrl: (customDomain, like) => `${origin(customDomain, like)}/`,
    customDomainOf(url) {
      const host = hostOf(url);
      return host !== undefined && labelOfDomain(host) !== undefined ? host : undefined;
    },
    controlOrigin: (like) => origin(domain, like),
    instanceHostname(label) {
      const { http, tls } = ports();
      return tls === undefined ? withPort(`${label}.${appsDomain}`, http, 80) : withPort(`${label}.${appsDomain}`, tls, 443);
    },
    labelOf(url) {
      const host = hostOf(url);
      if (host === undefined) return undefined;
      const label = host.endsWith(`.${appsDomain}`) ? host.slice(0, -appsDomain.length - 1) : '';
      return /^[a-z0-9-]{1,63}$/.test(label) ? label : labelOfDomain(host);
    },
  };
}

/** Undefined where no Instance can be meant. */
function hostOf({ protocol, hostname, username, password }: URL): string | undefined {
  if ((protocol !== 'http:' && protocol !== 'https:') || username !== '' || password !== '') return undefined;
  return hostname.toLowerCase().replace(/\.$/, '');
}

function withPort(text: string, port: number, standard: number): string {
  return port === standard ? text : `${text}:${port}`;
}
