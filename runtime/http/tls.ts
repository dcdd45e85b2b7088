// Owns the host's own certificates: authorities that are made once and kept, one for each custom domain too, and a certificate for each known host
// name, made when a client asks for the name and renewed in time. Knows nothing of planes, requests or Instances.
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { isoTime } from '../../core/clock.ts';
import type { Clock } from '../../core/clock.ts';
import { SpaceError } from '../../core/errors.ts';
import { writeDurably } from '../data-folder.ts';
import { constrainedNames, LEAF_VALID_MS, makeAuthority, makeLeaf, openAuthority } from './certificate.ts';
import type { Signer } from './certificate.ts';

/** The names by which old apps know Base and Drive. No person's browser is to trust an authority for them. */
export const DETA_HOSTS: readonly string[] = ['database.deta.sh', 'drive.deta.sh'];

const CACHED_CERTIFICATES = 1000;
/** A certificate is replaced when a third of its life is left. */
const RENEW_BEFORE_MS = LEAF_VALID_MS / 3;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Encrypts what lies on the disk; `purpose` must be the same both times. */
export interface Sealing {
  seal(purpose: string, plain: Uint8Array): Uint8Array;
  /** @throws when it was sealed with another key or changed */
  unseal(purpose: string, sealed: Uint8Array): Uint8Array;
}

export interface TlsOptions {
  /** DATA/tls: `domains/<domain>.pem` for a custom domain, `ca.pem` for people, `deta-ca.pem` for programs elsewhere, `sandbox-ca.pem` for boxes; `*.key` sealed. */
  folder: string;
  /** The names under which the dashboard and the apps live, with all names below them. */
  domains: readonly string[];
  /** The one of them below which the apps live. */
  appsDomain: string;
  clock: Clock;
  sealing: Sealing;
  /** Whether somebody lives at this name; asked at each handshake, so an answer counts at once. */
  isKnownHost(hostName: string): boolean | Promise<boolean>;
  /** Whether this is a domain that a person brought; asked in the same way. */
  isCustomDomain?(hostName: string): boolean;
}

export interface Tls {
  /** Certificate and key for the name that a client asked for; undefined when nobody lives there. */
  secureContextFor(serverName: string): Promise<SecureContext | undefined>;
  /** What people may add to their browser. */
  caPem: string;
  /** What programs outside of this host may trust for `DETA_HOSTS`. */
  detaCaPem: string;
  /** The same for a box: `DETA_HOSTS`, and names of apps. Nothing that listens on a network shows its certificates, so
   *  nobody but a box has a reason to trust it. */
  sandboxContextFor(serverName: string): Promise<SecureContext | undefined>;
  /** What a box trusts. */
  sandboxCaPem: string;
}

interface OpenAuthority { signer: Signer; certificatePem: string }
interface Served { context: SecureContext; renewAtMs: number }

/** Open the authorities, making those that are missing or do not fit `domains` any more.
 *  @throws TLS_CA_UNREADABLE */
export async function openTls({ folder, domains, appsDomain, clock, sealing, isKnownHost, isCustomDomain = () => false }: TlsOptions): Promise<Tls> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own = await openOrMake({ folder, name: 'ca', names: domains, clock, sealing });
  const deta = await openOrMake({ folder, name: 'deta-ca', names: DETA_HOSTS, clock, sealing });
  const sandbox = await openOrMake({ folder, name: 'sandbox-ca', names: [...DETA_HOSTS, appsDomain], clock, sealing });
  const signerOfDomain = ownAuthorities({ folder: join(folder, 'domains'), clock, sealing });
  return {
    caPem: own.certificatePem,
    detaCaPem: deta.certificatePem,
    sandboxCaPem: sandbox.certificatePem,
    secureContextFor: keptCertificates(clock, async (hostName) => {
      if (DETA_HOSTS.includes(hostName)) return deta.signer;
      if (isCustomDomain(hostName)) return signerOfDomain(hostName);
      return domains.some((domain) => isWithin(hostName, domain)) && (await isKnownHost(hostName)) ? own.signer : undefined;
    }),
    sandboxContextFor: keptCertificates(clock, (hostName) =>
      DETA_HOSTS.includes(hostName) || isWithin(hostName, appsDomain) ? sandbox.signer : undefined),
  };
}

/** An authority for each custom domain, constrained to it: whoever trusts one trusts it for that name alone. */
function ownAuthorities({ folder, clock, sealing }: Pick<AuthorityPlace, 'folder' | 'clock' | 'sealing'>): (domain: string) => Promise<Signer> {
  const opened = new LRUCache<string, Promise<Signer>>({ max: CACHED_CERTIFICATES });
  return (domain) => {
    const known = opened.get(domain);
    if (known) return known;
    const made = mkdir(folder, { recursive: true, mode: 0o700 }).then(async () => (await openOrMake({ folder, name: domain, names: [domain], clock, sealing })).signer);
    opened.set(domain, made);
    made.catch(() => opened.delete(domain));
    return made;
  };
}

const isWithin = (hostName: string, domain: string): boolean => hostName === domain || hostName.endsWith(`.${domain}`);

/** @param signerFor asked each time, so that its answer counts at once */
function keptCertificates(clock: Clock, signerFor: (hostName: string) => Signer | undefined | Promise<Signer | undefined>): (serverName: string) => Promise<SecureContext | undefined> {
  const served = new LRUCache<string, Promise<Served>>({ max: CACHED_CERTIFICATES });
  const renew = (signer: Signer, hostName: string): Promise<Served> => {
    const made = serve(signer, hostName, clock.now());
    served.set(hostName, made);
    // The next handshake tries again.
    made.catch(() => served.delete(hostName));
    return made;
  };
  return async (serverName) => {
    const hostName = serverName.toLowerCase();
    const signer = HOST_NAME.test(hostName) ? await signerFor(hostName) : undefined;
    if (!signer) return undefined;
    const pending = served.get(hostName) ?? renew(signer, hostName);
    const { context, renewAtMs } = await pending;
    if (clock.now() < renewAtMs) return context;
    // Somebody else may have begun to renew it while we waited.
    const fresh = served.get(hostName);
    return (await (fresh && fresh !== pending ? fresh : renew(signer, hostName))).context;
  };
}

/** For `https.createServer({ SNICallback })`. A name without a certificate ends the handshake with an alert. */
export function sniCallback(tls: Tls): (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void {
  return (serverName, done) => {
    tls.secureContextFor(serverName).then((context) => done(null, context), (error: Error) => done(error));
  };
}

async function serve(signer: Signer, hostName: string, nowMs: number): Promise<Served> {
  const { certificatePem, keyPem, expiresAtMs } = await makeLeaf(signer, hostName, nowMs);
  const context = createSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' });
  return { context, renewAtMs: expiresAtMs - RENEW_BEFORE_MS };
}

/** What an authority is called where somebody looks at its certificate. */
const TITLES: Readonly<Record<string, string>> = { ca: 'authority for', 'deta-ca': 'SDK authority for', 'sandbox-ca': 'sandbox authority for' };

interface AuthorityPlace { folder: string; name: string; names: readonly string[]; clock: Clock; sealing: Sealing }

async function openOrMake(place: AuthorityPlace): Promise<OpenAuthority> {
  const found = await open(place);
  if (found && fits(found.signer, place)) return found;
  const file = join(place.folder, place.name);
  // People may have trusted the one before: keep it to look at, under a name that is never read again.
  if (found) await rename(`${file}.pem`, `${file}.until-${isoTime(place.clock.now()).slice(0, 10)}.pem`);
  const title = `Ownspace ${TITLES[place.name] ?? 'authority of the domain'} ${place.names[0]}, ${isoTime(place.clock.now()).slice(0, 10)}`;
  const { certificatePem, keyDer } = await makeAuthority(title.slice(0, 64), place.names, place.clock.now());
  // The key goes first: a certificate without its key is worth nothing, and a pair that does not match is made again.
  await writeDurably(`${file}.key`, Buffer.from(place.sealing.seal(`tls/${place.name}`, keyDer)), 0o600);
  await writeDurably(`${file}.pem`, Buffer.from(certificatePem), 0o644);
  const made = await open(place);
  if (!made) throw new TypeError(`${file}.pem vanished while it was written`);
  return made;
}

/** @returns undefined when there is none, or a half-written one */
async function open({ folder, name, sealing }: AuthorityPlace): Promise<OpenAuthority | undefined> {
  const file = join(folder, name);
  const [certificate, sealedKey] = await Promise.all([readIfThere(`${file}.pem`), readIfThere(`${file}.key`)]);
  if (!certificate || !sealedKey) return undefined;
  try {
    const certificatePem = certificate.toString();
    const signer = await openAuthority({ certificatePem, keyDer: sealing.unseal(`tls/${name}`, sealedKey) });
    return signer && { signer, certificatePem };
  } catch (cause) {
    throw new SpaceError('TLS_CA_UNREADABLE', { file: `${file}.pem`, folder }, { cause });
  }
}

/** Made for these very names, and with time left for a certificate's whole life. */
function fits({ certificate }: Signer, { names, clock }: AuthorityPlace): boolean {
  const wanted = [...new Set(names)].toSorted();
  const isForNames = constrainedNames(certificate).join() === wanted.join();
  return isForNames && clock.now() + LEAF_VALID_MS < certificate.notAfter.getTime();
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
