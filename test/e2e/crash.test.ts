// Faults 1 and 12: a host that is killed at random moments while a client writes through HTTP. Whatever was acknowledged is
// there, nothing is there by half, and it is back within 3 s. `npm run test:crash` has 200 rounds.
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireCollection } from '../../core/wire.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { removeFolder, startAgain, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { CrashClient } from './crash-client.ts';
import { settleOwner, until, type Resident } from './people.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 10);
const START_MS = 3000;

let host: HostProcess;
let ada: Resident;
let dataFolder: string;
let collection: WireCollection;
let client: CrashClient;

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  host = await startHostProcess({ dataFolder });
  ada = await settleOwner(host);
  collection = (await ada.api('POST', '/collections', { name: 'crash' })).json();
  const { value } = (await ada.api('POST', `/collections/${collection.id}/keys`, { name: 'client' })).json<{ value: string }>();
  client = new CrashClient(() => host.url, collection.id, value);
});

afterAll(async () => {
  await host?.kill();
  await ada?.[Symbol.asyncDispose]();
  await removeFolder(dataFolder);
});

test(`fault 1: killed ${ROUNDS} times while it is written to, it loses nothing that was acknowledged`, { timeout: ROUNDS * 20_000 }, async () => {
  const starts: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const writing = client.writeUntilKilled();
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 700));
    await host.kill();
    await writing;
    const began = performance.now();
    host = await startAgain(host);
    starts.push(performance.now() - began);
    await client.check();
  }
  expect((await ada.api('GET', `/collections/${collection.id}/damage`)).json()).toEqual({ damage: [] });
  const slowest = Math.max(...starts);
  const median = starts.toSorted((left, right) => left - right)[Math.floor(starts.length / 2)]!;
  console.log(`${ROUNDS} kills, ${client.acknowledged} writes acknowledged; starting took ${median.toFixed(0)} ms, ${slowest.toFixed(0)} ms at most`);
  expect(client.acknowledged).toBeGreaterThan(ROUNDS * 20);
  // On a machine that is busy with other things a host that has nothing to recover takes its time too.
  expect(median).toBeLessThan(Math.max(START_MS, 1.5 * (await emptyStartMs())));
});

async function emptyStartMs(): Promise<number> {
  const began = performance.now();
  await using _ = await startHostProcess();
  return performance.now() - began;
}

test('no blob stays without a record, and no record without its blob', async () => {
  const [space] = await readdir(join(dataFolder, 'spaces'));
  const folder = join(dataFolder, 'spaces', space!, 'collections', collection.id);
  const blobs = async (): Promise<string[]> => (await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name).toSorted();
  await client.check(); // opens the blobs, and what lies around is collected
  const before = await blobs();
  await until(async () => {
    const now = await blobs();
    return now.length <= before.length && now.length > 0;
  }, 'orphans are collected');
  await client.loseHalfAPair();
  await expect(client.check(), 'the control: the check sees what is lost').rejects.toThrow();
  await host.stop();
  const store = await openLevelStore(join(folder, 'store'));
  const referred: string[] = [];
  for await (const [key] of store.range({ gte: 'r/', lt: 'r0' })) referred.push(key.slice(2));
  await store.close();
  expect(await blobs()).toEqual(referred.toSorted());
});
