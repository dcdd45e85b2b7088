// A host that is killed at any moment of installs, updates, rollbacks and uninstalls: afterwards every Instance is complete or
// gone, every job has ended, and no Collection is without its Instance unless somebody wanted that.
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireCollection, WireInstallation, WireInstance } from '../../core/wire.ts';
import { CHECKOUT, removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { install, instancesOf, push, pushNew, release, settleOwner, signIn, until, type Resident } from './people.ts';

const ROUNDS = 8;

let host: HostProcess;
let ada: Resident;
let source: string;
let dataFolder: string;
/** Two Releases of the probe, to go back and forth between. */
let releases: string[];

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  source = await mkdtemp(join(tmpdir(), 'probe-'));
  host = await startHostProcess({ dataFolder });
  ada = await settleOwner(host);
  await signIn(host, ada);
  await cp(join(CHECKOUT, 'test', 'fixtures', 'probe'), source, { recursive: true });
  await pushNew(ada, source, 'probe');
  releases = [await release(ada, source)];
  const entry = join(source, 'index.js');
  await writeFile(entry, (await readFile(entry, 'utf8')).replace('open: true', 'open: 2'));
  await push(ada, source);
  releases.push(await release(ada, source));
});

afterAll(async () => {
  await host?.kill();
  await ada?.[Symbol.asyncDispose]();
  await Promise.all([dataFolder, source].map(removeFolder));
});

/** What was acknowledged before the kill. */
interface Acknowledged { uninstalling: { instance: WireInstance; data: 'keep' | 'delete' }[]; installing: WireInstallation[] }

const secretOf = ({ id }: WireInstance): string => `secret-of-${id}`;
const collections = async (): Promise<WireCollection[]> => (await ada.api('GET', '/collections')).json<{ collections: WireCollection[] }>().collections;

/** Everything at once, as fast as the host takes it; what the kill cuts off was not acknowledged. */
async function work(standing: WireInstance[], done: Acknowledged): Promise<void> {
  const [first, second, ...others] = standing;
  const attempts = [
    ...[0, 1, 0, 1].map(async (which) => {
      const answer = await ada.api('POST', '/installations', { release_id: releases[which] });
      if (answer.status === 202) done.installing.push(answer.json());
    }),
    ...others.map(async (instance) => {
      const which = instance.release_id === releases[0] ? 1 : 0;
      // What has no earlier version yet is refused.
      const isBack = Math.random() < 0.5;
      const answer = isBack ? await ada.api('POST', `/instances/${instance.id}/rollback`, { data: 'keep' }) : await ada.api('POST', '/installations', { release_id: releases[which], instance_id: instance.id });
      if (answer.status === 202) done.installing.push(answer.json());
    }),
    ...[first, second].map(async (instance, index) => {
      if (!instance) return;
      const data = index === 0 ? 'keep' as const : 'delete' as const;
      const answer = await ada.api('DELETE', `/instances/${instance.id}?data=${data}`);
      if (answer.status === 202) done.uninstalling.push({ instance, data });
    }),
  ];
  await Promise.allSettled(attempts);
}

async function checkEverything({ uninstalling, installing }: Acknowledged, labels: Set<string>): Promise<void> {
  await until(async () => {
    const { installations } = (await ada.api('GET', '/installations?per_page=1000')).json<{ installations: WireInstallation[] }>();
    return installations.every(({ status }) => status === 'complete' || status === 'failed');
  }, 'every job has ended');
  const standing = await instancesOf(ada);
  expect(standing.map(({ status }) => status).filter((status) => status !== 'ready')).toEqual([]);
  for (const job of installing) {
    expect((await ada.api('GET', `/installations/${job.id}`)).json()).toMatchObject({ status: 'complete' });
    expect(standing.map(({ id }) => id)).toContain(job.instance_id);
  }
  const listed = await collections();
  for (const { instance, data } of uninstalling) {
    expect(standing.map(({ id }) => id)).not.toContain(instance.id);
    const collection = listed.find(({ id }) => id === instance.collection_id);
    expect(collection?.instance_id).toBe(data === 'keep' ? null : undefined);
  }
  const owners = new Map(listed.filter((one) => one.instance_id !== null).map((one) => [one.instance_id, one.id]));
  expect(new Map(standing.map((one) => [one.id, one.collection_id])), 'each Instance has its Collection, each Collection its Instance').toEqual(owners);
  for (const instance of standing) {
    labels.add(instance.url);
    const expected = { open: instance.release_id === releases[0] ? true : 2 };
    if (instance.channel === 'experimental') expect((await send(`${instance.url}open`)).json(), instance.url).toEqual(expected);
    else expect((await send(`${instance.url}open`)).status).toBe(200);
  }
  for (const url of labels) {
    const lives = standing.some((instance) => instance.url === url);
    expect((await send(`${url}open`)).status, url).toBe(lives ? 200 : 404);
  }
}

test(`killed ${ROUNDS} times at random moments, everything is complete or gone`, { timeout: 240_000 }, async () => {
  const labels = new Set<string>();
  const kept = new Map<string, string>();
  let cutOff = 0;
  for (let index = 0; index < 4; index += 1) await install(ada, releases[index % 2] as string);
  for (let round = 0; round < ROUNDS; round += 1) {
    const standing = (await instancesOf(ada)).filter(({ channel }) => channel === 'experimental');
    for (const instance of standing) {
      const remembered = await ada.browser.visit(`${instance.url}remember?text=${secretOf(instance)}`);
      expect(remembered.status, remembered.text).toBe(200);
      kept.set(instance.collection_id, secretOf(instance));
    }
    // Every other kill comes while the first answers come, the others when a few were given.
    const acknowledged: Acknowledged = { uninstalling: [], installing: [] };
    const given = (): number => acknowledged.installing.length + acknowledged.uninstalling.length;
    const wanted = round % 2 === 0 ? 1 : 2 + Math.floor(Math.random() * 3);
    let isOver = false;
    const working = work(standing, acknowledged).finally(() => { isOver = true; });
    while (given() < wanted && !isOver) await new Promise((resolve) => setTimeout(resolve, 1));
    await host.kill();
    await working;
    cutOff += standing.length + 4 - acknowledged.installing.length - acknowledged.uninstalling.length;
    console.log(`round ${round}: killed; acknowledged ${acknowledged.installing.length} installs, updates and rollbacks, ${acknowledged.uninstalling.length} uninstalls`);
    host = await startAgain(host);
    await checkEverything(acknowledged, labels);
    for (const instance of await instancesOf(ada)) {
      const secret = kept.get(instance.collection_id);
      if (secret !== undefined) expect((await ada.browser.visit(`${instance.url}recall`)).text).toContain(secret);
    }
  }
  expect(cutOff, 'some of it was cut off, else nothing was tried').toBeGreaterThan(0);
});
