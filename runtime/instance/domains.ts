// Owns custom domains of Instances: who claims one, who has proven it by DNS, and where each leads. Nobody keeps a name from
// others by claiming it: it is whose TXT record is found. Knows no HTTP; DNS is asked through a seam.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import { checkDomain, proofName } from './domain-name.ts';
import { isLost, lostAt, missed, proven, unanswered, type Watch } from './domain-watch.ts';
import type { Instance, Instances } from './instance.ts';

/** One Instance's claim. `id`: domain and Instance. */
interface Claim { id: string; domain: string; instanceId: string; createdAt: string }

/** Where a domain leads, or led. `id` is the domain; `releasedAt`: to nobody since then; `isLost`: for its record was gone. */
interface Holder { id: string; instanceId: string; spaceId: string; verifiedAt: string; releasedAt: string | null; isLost?: true; watch?: Watch }

/** `problem`: what its owner has to know and to do, once its record was not found again. */
export interface CustomDomain { domain: string; proof: { name: string; value: string }; createdAt: string; verifiedAt: string | null; problem: string | null }

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
  /** For the owner of the Instance, in its log. */
  tell(instance: { spaceId: string; instanceId: string }, text: string): void;
  log: Log;
}

export interface Domains {
  /** What each leads to, before the first request. */
  load(): Promise<void>;
  /** A label of the Instance that this host name leads to. Immediate: it stands on the way of requests. */
  labelOf(hostName: string): string | undefined;
  list(instance: Instance): Promise<CustomDomain[]>;
  /** @throws DOMAIN_INVALID, DOMAIN_COOLING, COUNT_LIMIT */
  claim(instance: Instance, text: string): Promise<CustomDomain>;
  /** Look for the proof; from then on it leads there. Where it leads to another app, that one's proof is looked for as well, and
   *  if it is gone, so is its hold. @throws DOMAIN_NOT_FOUND, DOMAIN_UNPROVEN, DOMAIN_TAKEN, DOMAIN_COOLING, DNS_FAILED */
  verify(instance: Instance, domain: string): Promise<CustomDomain>;
  /** @throws DOMAIN_NOT_FOUND */
  remove(instance: Instance, domain: string): Promise<void>;
  /** Look again for the records whose time has come, one after the other: what is gone for days leads nowhere any more. */
  recheck(): Promise<void>;
  /** The Instance will not come back. Bears repetition. */
  instanceRemoved(instanceId: string): Promise<void>;
}

const DOMAINS_MAX = 10;
/** Links and mail to a name outlive its owner's use of it: nobody else gets it so soon (attack E19). */
const COOL_DOWN_MS = 7 * 86_400_000;

/** Looked at in one go; the others have their turn an hour later. */
const RECHECKED_MAX = 500;

export function createDomains({ store, clock, instances, own, readTxt, secretFor, tell, log }: DomainsParts): Domains {
  const claims = createTable<Claim>(store, 'domain-claim', { instance: { of: ({ instanceId }) => instanceId } });
  const holders = createTable<Holder>(store, 'domain', {
    instance: { of: ({ instanceId }) => instanceId },
    watch: { of: ({ watch, releasedAt }) => (watch && releasedAt === null ? 'yes' : undefined), order: ({ watch }) => watch?.nextAt ?? '' },
  });
  /** A label stays with its Instance for good, so what is remembered never leads elsewhere. */
  const labels = new Map<string, string>();

  const claimId = (domain: string, { id }: { id: string }): string => `${domain}/${id}`;
  const proofOf = (domain: string, instanceId: string): CustomDomain['proof'] => ({ name: proofName(domain), value: `ownspace=${secretFor(`${instanceId}/${domain}`)}` });

  async function shown(instance: Instance, claim: Claim): Promise<CustomDomain> {
    const holder = await holders.get(claim.domain);
    const mine = holder?.instanceId === instance.id ? holder : undefined;
    return { domain: claim.domain, proof: proofOf(claim.domain, instance.id), createdAt: claim.createdAt, verifiedAt: mine?.releasedAt === null ? mine.verifiedAt : null, problem: mine ? problemOf(mine, clock.now()) : null };
  }

  /** @throws DOMAIN_TAKEN, DOMAIN_COOLING */
  function assertFree(holder: Holder | undefined, instance: Instance): void {
    if (holder?.releasedAt === null && holder.instanceId !== instance.id) throw new SpaceError('DOMAIN_TAKEN', { domain: holder.id });
    assertRested(holder, instance);
  }

  /** @throws DOMAIN_COOLING */
  function assertRested(holder: Holder | undefined, instance: Instance): void {
    if (!holder || holder.instanceId === instance.id || holder.releasedAt === null) return;
    const freeMs = Date.parse(holder.releasedAt) + COOL_DOWN_MS;
    if (holder.spaceId !== instance.spaceId && clock.now() < freeMs) throw new SpaceError('DOMAIN_COOLING', { domain: holder.id, freeAt: isoTime(freeMs).slice(0, 16).replace('T', ' ').concat(' UTC') });
  }

  async function claimOf(instance: Instance, domain: string): Promise<Claim> {
    const claim = await claims.get(claimId(domain, instance));
    if (!claim) throw new SpaceError('DOMAIN_NOT_FOUND', { domain: domain.slice(0, 100) });
    return claim;
  }

  /** @throws DOMAIN_UNPROVEN, DNS_FAILED */
  async function assertProven(instanceId: string, domain: string): Promise<void> {
    const { name, value } = proofOf(domain, instanceId);
    const found = await readTxt(name);
    if (found.includes(value)) return;
    const said = found.length === 0 ? 'is not there' : `is ${found.slice(0, 3).map((text) => JSON.stringify(text.slice(0, 60))).join(', ')}`;
    throw new SpaceError('DOMAIN_UNPROVEN', { domain, name, value, found: said });
  }

  /** One conditional write: of two that prove it at the same time, one gets it. */
  async function hold(instance: Instance, domain: string): Promise<void> {
    const fresh: Holder = { id: domain, instanceId: instance.id, spaceId: instance.spaceId, verifiedAt: isoTime(clock.now()), releasedAt: null, watch: proven(domain, clock.now()) };
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

  /** What was found counts for the holder that was looked at, and not for one that came meanwhile. */
  async function note(seen: Holder, change: Partial<Holder>): Promise<boolean> {
    let isSame = false;
    await holders.update(seen.id, (holder) => {
      isSame = holder.instanceId === seen.instanceId && holder.verifiedAt === seen.verifiedAt && holder.releasedAt === null;
      return isSame ? { ...holder, ...change } : undefined;
    });
    return isSame;
  }

  async function lose(holder: Holder, watch: Watch): Promise<void> {
    if (!(await note(holder, { watch, releasedAt: isoTime(clock.now()), isLost: true }))) return;
    labels.delete(holder.id);
    log.warn('domain.lost', { domain: holder.id, instanceId: holder.instanceId, missedAt: watch.missedAt });
    tell(holder, `The domain ${holder.id} leads to this app no more: its TXT record ${proofName(holder.id)} is gone. Make it again, and press Check, if the domain is still yours.`);
  }

  /** @param isContested another app has its own proof: then one look is enough  @throws DNS_FAILED */
  async function lookAgain(holder: Holder, isContested: boolean): Promise<'proven' | 'gone'> {
    const before = holder.watch ?? proven(holder.id, clock.now());
    try {
      await assertProven(holder.instanceId, holder.id);
    } catch (error) {
      if (!isSpaceError(error, 'DOMAIN_UNPROVEN')) throw error;
      const watch = missed(before, holder.id, clock.now());
      if (isContested || isLost(watch, clock.now())) await lose(holder, watch);
      else if ((await note(holder, { watch })) && watch.misses === 1) tell(holder, problemOf({ ...holder, watch }, clock.now()) ?? '');
      return 'gone';
    }
    await note(holder, { watch: proven(holder.id, clock.now()) });
    return 'proven';
  }

  async function recheck(): Promise<void> {
    const now = isoTime(clock.now());
    for (const holder of await holders.list({ by: { index: 'watch', value: 'yes' }, limit: RECHECKED_MAX })) {
      if (!holder.watch || holder.watch.nextAt > now) return;
      await lookAgain(holder, false).catch(async (error) => {
        if (!isSpaceError(error, 'DNS_FAILED')) throw error;
        await note(holder, { watch: unanswered(holder.watch!, clock.now()) });
      });
    }
  }

  return {
    recheck,
    async load() {
      for (const holder of await holders.list()) {
        if (holder.releasedAt !== null) continue;
        const instance = await instances.get(holder.instanceId);
        if (instance) labels.set(holder.id, instance.label);
        // It was proven by a host that did not look again.
        if (!holder.watch) await note(holder, { watch: proven(holder.id, clock.now()) });
      }
    },
    labelOf: (hostName) => labels.get(hostName),
    async list(instance) {
      const mine = await claims.list({ by: { index: 'instance', value: instance.id } });
      return Promise.all(mine.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).map((claim) => shown(instance, claim)));
    },
    async claim(instance, text) {
      const domain = checkDomain(text, own);
      assertRested(await holders.get(domain), instance);
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
      const holder = await holders.get(domain);
      assertRested(holder, instance);
      await assertProven(instance.id, domain);
      // Whoever has the domain now can prove it. Whether that is still the one to whom it leads is seen at once.
      if (holder?.releasedAt === null && holder.instanceId !== instance.id && (await lookAgain(holder, true)) === 'proven') throw new SpaceError('DOMAIN_TAKEN', { domain });
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

function problemOf({ id, releasedAt, isLost: wasLost, watch }: Holder, nowMs: number): string | null {
  if (releasedAt !== null) return wasLost ? `It leads nowhere since ${shortly(releasedAt)}: its TXT record ${proofName(id)} was gone. Make it again, and press Check.` : null;
  return watch && watch.misses > 0 ? `Its TXT record ${proofName(id)} was not found on ${shortly(watch.missedAt ?? '')}. Unless it is there again, the domain ${id} leads nowhere from ${shortly(lostAt(watch, nowMs))} on.` : null;
}

const shortly = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;
