// Owns what `s3://KEY:SECRET@host:port/bucket?tls=0` means. Knows no request; its problems never repeat what was given.

/** Where blobs are, and what opens the door to them. `secretKey` must not reach a log or a message. */
export interface S3Place {
  /** Name or address, IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
  readonly hasTls: boolean;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  /** Asked from the server unless given. */
  readonly region: string | undefined;
}

export const S3_URL_FORM = 's3://KEY:SECRET@host:port/bucket?tls=0';

/** @source AWS S3 User Guide, "General purpose bucket naming rules" */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$|^[0-9a-f:.]+$/i;
const PARAMETERS = ['tls', 'region'];

/** @returns the place, or what is wrong with the text: sentences without anything of it */
export function readS3Place(text: string): S3Place | string[] {
  const url = URL.parse(text);
  if (url?.protocol !== 's3:') return [`use the form ${S3_URL_FORM}; in KEY and SECRET write / as %2F, @ as %40, : as %3A and % as %25`];
  const place = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || (url.searchParams.get('tls') === '0' ? 80 : 443),
    hasTls: url.searchParams.get('tls') !== '0',
    accessKey: decoded(url.username),
    secretKey: decoded(url.password),
    bucket: url.pathname.replace(/^\/|\/$/g, ''),
    region: url.searchParams.get('region') ?? undefined,
  };
  const problems = problemsOf(place, url.searchParams);
  return problems.length > 0 ? problems : (place as S3Place);
}

/** Where it is, fit for messages and logs. */
export function placeName({ host, port, bucket }: S3Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${bucket}`;
}

type Read = { [Name in keyof S3Place]: S3Place[Name] | undefined };

function problemsOf({ host, accessKey, secretKey, bucket, region }: Read, parameters: URLSearchParams): string[] {
  const checks: [isWrong: boolean, problem: string][] = [
    [!HOST.test(host ?? ''), 'the host is missing or not a host name'],
    [!accessKey || !secretKey, 'KEY and SECRET are needed, each with / written as %2F, @ as %40, : as %3A and % as %25'],
    [!bucket, 'the bucket is missing'],
    [!!bucket && !BUCKET.test(bucket), 'the bucket has a name of 3 to 63 lower-case letters, digits, hyphens and dots, and nothing follows it'],
    [![null, '0', '1'].includes(parameters.get('tls')), 'tls is 0 or 1'],
    [region !== undefined && !/^[a-z0-9-]{1,63}$/.test(region), 'the region is a word such as eu-central-1'],
    [[...parameters.keys()].some((name) => !PARAMETERS.includes(name)), `only ${PARAMETERS.join(' and ')} may follow the ?`],
  ];
  return checks.filter(([isWrong]) => isWrong).map(([, problem]) => problem);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
