// Owns custom domains of Instances: who claims one, who has proven it by DNS, and where each leads. Nobody keeps a name from
// others by claiming it: it is whose TXT record is found. Knows no HTTP; DNS is asked through a seam.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import { checkDomain, proofName } from './domain-name.ts';
import type { Instance, Instances } from './instance.ts';

/** One Instance's claim. `id`: domain and Instance. */
interface Claim { id: string; domain: string; instanceId: string; createdAt: string }

/** Where a domain leads, or led. `id` is the domain; `releasedAt`: to nobody since then. */
interface Holder { id: string; instanceId: string; spaceId: string; verifiedAt: string; releasedAt: string | null }

export interface CustomDomain { domain: string; proof: { name: string; value: string }; createdAt: string; verifiedAt: string | null }

/** The TXT records of a name, each as one text. @throws DNS_FAILED; none is no failure */
export type ReadTxt = (name: string) => Promise<string[]>;

export interface DomainsParts {
  store: Store;
  clock: Clock;
  instances: Instances;
  /** Domains of the host itself. */
  own: readonly string[];
  readTxt: ReadTxt;
  /** The same text each time, which nobody else can compute. */
  secretFor(subject: string): string;
}

export interface Domains {
  /** What each leads to, before the first request. */
  load(): Promise<void>;
  /** A label of the Instance that this host name leads to. Immediate: it stands on the way of requests. */
  labelOf(hostName: string): string | undefined;
  list(instance: Instance): Promise<CustomDomain[]>;
  /** @throws DOMAIN_INVALID, DOMAIN_TAKEN, DOMAIN_COOLING, COUNT_LIMIT */
  claim(instance: Instance, text: string): Promise<CustomDomain>;
  /** Look for the proof; from then on it leads there. @throws DOMAIN_NOT_FOUND, DOMAIN_UNPROVEN, DOMAIN_TAKEN, DOMAIN_COOLING, DNS_FAILED */
  verify(instance: Instance, domain: string): Promise<CustomDomain>;
  /** @throws DOMAIN_NOT_FOUND */
  remove(instance: Instance, domain: string): Promise<void>;
  /** The Instance will not come back. Bears repetition. */
  instanceRemoved(instanceId: string): Promise<void>;
}

const DOMAINS_MAX = 10;
/** Links and mail to a name outlive its owner's use of it: nobody else gets it so soon (attack E19). */
const COOL_DOWN_MS = 7 * 86_400_000;

export function createDomains({ store, clock, instances, own, readTxt, secretFor }: DomainsParts): Domains {
  const claims = createTable<Claim>(store, 'domain-claim', { instance: { of: ({ instanceId }) => instanceId } });
  const holders = createTable<Holder>(store, 'domain', { instance: { of: ({ instanceId }) => instanceId } });
  /** A label stays with its Instance for good, so what is remembered never leads elsewhere. */
  const labels = new Map<string, string>();

  const claimId = (domain: string, { id }: { id: string }): string => `${domain}/${id}`;
  const proofOf = (domain: string, instance: Instance): CustomDomain['proof'] => ({ name: proofName(domain), value: `ownspace=${secretFor(`${instance.id}/${domain}`)}` });

  async function shown(instance: Instance, claim: Claim): Promise<CustomDomain> {
    const holder = await holders.get(claim.domain);
    const isHeld = holder?.instanceId === instance.id && holder.releasedAt === null;
    return { domain: claim.domain, proof: proofOf(claim.domain, instance), createdAt: claim.createdAt, verifiedAt: isHeld ? holder.verifiedAt : null };
  }

  /** @throws DOMAIN_TAKEN, DOMAIN_COOLING */
  function assertFree(holder: Holder | undefined, instance: Instance): void {
    if (!holder || holder.instanceId === instance.id) return;
    if (holder.releasedAt === null) throw new SpaceError('DOMAIN_TAKEN', { domain: holder.id });
    const freeMs = Date.parse(holder.releasedAt) + COOL_DOWN_MS;
    if (holder.spaceId !== instance.spaceId && clock.now() < freeMs) throw new SpaceError('DOMAIN_COOLING', { domain: holder.id, freeAt: isoTime(freeMs).slice(0, 16).replace('T', ' ').concat(' UTC') });
  }

  async function claimOf(instance: Instance, domain: string): Promise<Claim> {
    const claim = await claims.get(claimId(domain, instance));
    if (!claim) throw new SpaceError('DOMAIN_NOT_FOUND', { domain: domain.slice(0, 100) });
    return claim;
  }

  async function assertProven(instance: Instance, domain: string): Promise<void> {
    const { name, value } = proofOf(domain, instance);
    const found = await readTxt(name);
    if (found.includes(value)) return;
    const said = found.length === 0 ? 'is not there' : `is ${found.slice(0, 3).map((text) => JSON.stringify(text.slice(0, 60))).join(', ')}`;
    throw new SpaceError('DOMAIN_UNPROVEN', { domain, name, value, found: said });
  }

  /** One conditional write: of two that prove it at the same time, one gets it. */
  async function hold(instance: Instance, domain: string): Promise<void> {
    const fresh: Holder = { id: domain, instanceId: instance.id, spaceId: instance.spaceId, verifiedAt: isoTime(clock.now()), releasedAt: null };
    const after = await holders.update(domain, (holder) => {
      assertFree(holder, instance);
      return fresh;
    });
    if (!after) await holders.insert(fresh).catch((error) => {
      throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('DOMAIN_TAKEN', { domain }, { cause: error }) : error;
    });
    labels.set(domain, instance.label);
  }

  async function release(domain: string, instanceId: string): Promise<void> {
    const after = await holders.update(domain, (holder) => (holder.instanceId === instanceId && holder.releasedAt === null ? { ...holder, releasedAt: isoTime(clock.now()) } : undefined));
    if (after?.instanceId === instanceId) labels.delete(domain);
  }

  return {
    async load() {
      for (const holder of await holders.list()) {
        const instance = holder.releasedAt === null ? await instances.get(holder.instanceId) : undefined;
        if (instance) labels.set(holder.id, instance.label);
      }
    },
    labelOf: (hostName) => labels.get(hostName),
    async list(instance) {
      const mine = await claims.list({ by: { index: 'instance', value: instance.id } });
      return Promise.all(mine.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).map((claim) => shown(instance, claim)));
    },
    async claim(instance, text) {
      const domain = checkDomain(text, own);
      assertFree(await holders.get(domain), instance);
      const mine = await claims.list({ by: { index: 'instance', value: instance.id } });
      if (mine.length >= DOMAINS_MAX) throw new SpaceError('COUNT_LIMIT', { limit: DOMAINS_MAX, what: 'domains of one app', remedy: 'Remove one that is not needed.' });
      const claim: Claim = { id: claimId(domain, instance), domain, instanceId: instance.id, createdAt: isoTime(clock.now()) };
      // Claimed again, it is as it was.
      await claims.insert(claim).catch((error) => {
        if (!isSpaceError(error, 'STORE_CONDITION_FAILED')) throw error;
      });
      return shown(instance, await claimOf(instance, domain));
    },
    async verify(instance, domain) {
      const claim = await claimOf(instance, domain);
      assertFree(await holders.get(domain), instance);
      await assertProven(instance, domain);
      await hold(instance, domain);
      // Looking took its time: it may have been removed, with its app or alone.
      if (!(await instances.get(instance.id)) || !(await claims.get(claim.id))) await release(domain, instance.id);
      return shown(instance, claim);
    },
    async remove(instance, domain) {
      await claimOf(instance, domain);
      await release(domain, instance.id);
      await claims.delete(claimId(domain, instance));
    },
    async instanceRemoved(instanceId) {
      for (const { id } of await holders.list({ by: { index: 'instance', value: instanceId } })) await release(id, instanceId);
      for (const { id } of await claims.list({ by: { index: 'instance', value: instanceId } })) await claims.delete(id);
    },
  };
}
