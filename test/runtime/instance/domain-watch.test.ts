// Owns the proof that a custom domain is its holder's as long as its record is there, and no longer; and that trouble with the
// DNS, and short mistakes, take nobody's domain away.
import { expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { silentLog } from '../../../core/log.ts';
import { createDomains, type Domains } from '../../../runtime/instance/domains.ts';
import { createInstances, type Instance } from '../../../runtime/instance/instance.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { commit } from '../../../sandbox-data/store/table.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { codeOf } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DOMAIN = 'notes.example.net';
const RECORD = `_ownspace.${DOMAIN}`;

interface Setting { domains: Domains; clock: FakeClock; store: Store; records: Map<string, string[] | 'trouble'>; asked: string[]; told: string[]; ada: Instance; bob: Instance; pass(ms: number): Promise<void> }

async function setUp(): Promise<Setting> {
  const [store, clock] = [createMemoryStore(), createFakeClock()];
  const records: Setting['records'] = new Map();
  const asked: string[] = [];
  const told: string[] = [];
  const instances = createInstances(store, clock);
  const install = async (spaceId: string): Promise<Instance> => {
    const instance = instances.draft({ spaceId, projectId: 'p', kind: 'installed', alias: 'app', appName: 'App', releaseId: 'x', version: '1' }, () => ({ id: 'c' }));
    await commit(store, ...instances.insertWrites(instance));
    return instance;
  };
  const domains = createDomains({
    store, clock, instances, own: ['space.example'], log: silentLog, secretFor: (subject) => subject, tell: ({ spaceId }, text) => void told.push(`${spaceId}: ${text}`),
    async readTxt(name) {
      asked.push(name);
      const found = records.get(name) ?? [];
      if (found === 'trouble') throw new SpaceError('DNS_FAILED', { name, reason: 'ESERVFAIL' });
      return found;
    },
  });
  await domains.load();
  return {
    domains, clock, store, records, asked, told, ada: await install('ada'), bob: await install('bob'),
    async pass(ms) {
      for (let left = ms; left > 0; left -= HOUR) {
        clock.advance(Math.min(left, HOUR));
        await domains.recheck();
      }
    },
  };
}

async function bring({ domains, records }: Setting, instance: Instance, domain = DOMAIN): Promise<string | undefined> {
  const { proof } = await domains.claim(instance, domain);
  records.set(proof.name, [...((records.get(proof.name) ?? []) as string[]).filter((text) => text !== proof.value), proof.value]);
  return codeOf(domains.verify(instance, domain));
}
const leadsTo = ({ domains }: Setting): string | undefined => domains.labelOf(DOMAIN);

test('its record is looked for once a day, not at one time for all, and stays its holder\'s', async () => {
  const host = await setUp();
  for (let count = 0; count < 8; count += 1) await bring(host, host.ada, `n${count}.example.net`);
  host.asked.length = 0;
  await host.pass(21 * HOUR);
  expect(host.asked).toEqual([]);
  const perHour: number[] = [];
  for (let hour = 0; hour < 3; hour += 1) {
    const before = host.asked.length;
    await host.pass(HOUR);
    perHour.push(host.asked.length - before);
  }
  expect([host.asked.length, Math.max(...perHour) < 8, host.told]).toEqual([8, true, []]);
  await host.pass(10 * DAY);
  expect([host.asked.length > 60, host.asked.length < 100]).toEqual([true, true]);
});

test('gone for days it leads nowhere; its owner is told at the first time, and at the last', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  host.records.set(RECORD, ['v=spf1 -all']);
  await host.pass(2 * DAY);
  expect([leadsTo(host), host.told.length]).toEqual([host.ada.label, 1]);
  expect((await host.domains.list(host.ada))[0]).toMatchObject({ problem: expect.stringContaining('was not found'), verifiedAt: expect.any(String) });
  await host.pass(3 * DAY);
  expect([leadsTo(host), host.told]).toEqual([undefined, [expect.stringMatching(/^ada: Its TXT record/), expect.stringMatching(/^ada: The domain .* no more/)]]);
  const asked = host.asked.length;
  await host.pass(3 * DAY);
  expect(host.asked.length).toBe(asked);
  expect(await bring(host, host.ada)).toBeUndefined();
  expect(await host.domains.list(host.ada)).toMatchObject([{ problem: null }]);
});

test('a record that is there again in time forgets that it was gone', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  const kept = host.records.get(RECORD)!;
  for (let round = 0; round < 4; round += 1) {
    host.records.delete(RECORD);
    await host.pass(2 * DAY);
    host.records.set(RECORD, kept);
    await host.pass(2 * DAY);
  }
  expect(leadsTo(host)).toBe(host.ada.label);
});

test('a DNS that does not answer, for however long, says nothing; it is asked again each hour', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  host.records.set(RECORD, 'trouble');
  host.asked.length = 0;
  await host.pass(30 * DAY);
  expect([leadsTo(host), host.told, host.asked.length > 600]).toEqual([host.ada.label, [], true]);
});

test('another\'s proof has the holder looked at: as long as that one\'s is there too, it stays', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  const adas = host.records.get(RECORD) as string[];
  expect([await bring(host, host.bob), leadsTo(host)]).toEqual(['DOMAIN_TAKEN', host.ada.label]);
  host.records.set(RECORD, adas);
  expect([await codeOf(host.domains.verify(host.bob, DOMAIN)), leadsTo(host)]).toEqual(['DOMAIN_UNPROVEN', host.ada.label]);
});

test('and where it is gone, it rests at once, and is the other\'s after that', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  host.records.delete(RECORD);
  expect([await bring(host, host.bob), leadsTo(host), host.told.length]).toEqual(['DOMAIN_COOLING', undefined, 1]);
  await host.pass(7 * DAY);
  expect([await codeOf(host.domains.verify(host.bob, DOMAIN)), leadsTo(host)]).toEqual([undefined, host.bob.label]);
  expect(await codeOf(host.domains.verify(host.ada, DOMAIN))).toBe('DOMAIN_UNPROVEN');
});

test('what older hosts proved is looked at from the next start on', async () => {
  const host = await setUp();
  await bring(host, host.ada);
  const key = `t/domain/${DOMAIN}`;
  const { watch: _, ...old } = JSON.parse((await host.store.get(key)) ?? '') as Record<string, unknown>;
  const marks: string[] = [];
  for await (const [mark] of host.store.range({ gt: 'i/domain/watch/', lt: 'i/domain/watch0' })) marks.push(mark);
  await host.store.batch([{ type: 'put', key, value: JSON.stringify(old) }, ...marks.map((mark) => ({ type: 'del' as const, key: mark }))]);
  host.records.delete(RECORD);
  await host.domains.load();
  await host.pass(5 * DAY);
  expect(leadsTo(host)).toBeUndefined();
});
