// Owns the rows of a person's loop: install, update, and going back with 100 MB of data, each from the request until the job
// is complete. Without a peer: what counts is what somebody waits.
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goalOf, median, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ROOT } from './machine.ts';
import { startProduct } from './product.ts';
import type { Instance, Product } from './product.ts';

const ITEM_BYTES = 300_000;
const ITEMS = Math.ceil(100e6 / ITEM_BYTES);
const POLL_MS = 5;

interface Job { id: string; status: string; error: string | null }

export async function measureInstalls(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-install-')), (path) => rm(path, { recursive: true }));
  await cp(join(ROOT, 'bench/apps/hello'), folder, { recursive: true });
  const projectId = await product.createProject('benchinstall');
  await product.push(projectId, folder);
  const first = await product.release(projectId);
  const [instance] = await product.install(projectId, 1) as [Instance];
  await fill(product, instance);
  const code = join(folder, 'index.js');
  await writeFile(code, (await readFile(code, 'utf8')).replace('Hello, world!', 'Hello again!'));
  await product.push(projectId, folder);
  const second = await product.release(projectId);

  const seconds: Record<'install' | 'update' | 'code' | 'data', number[]> = { install: [], update: [], code: [], data: [] };
  for (let round = 0; round < effort.rounds; round += 1) {
    seconds.install.push(await timed(product, '/installations', { release_id: first }));
    seconds.update.push(await timed(product, '/installations', { release_id: second, instance_id: instance.id }));
    seconds.code.push(await timed(product, `/instances/${instance.id}/rollback`, { data: 'keep' }));
    // Forward, and back again with the data.
    await timed(product, `/instances/${instance.id}/rollback`, { data: 'keep' });
    seconds.data.push(await timed(product, `/instances/${instance.id}/rollback`, { data: 'restore' }));
  }
  return [
    row('install, until it is complete', seconds.install, 1),
    row('update with 100 MB of data: snapshot, new code, check', seconds.update, 2),
    row('rollback of the code, 100 MB of data', seconds.code, 2),
    row('rollback with 100 MB of data', seconds.data, 2),
  ];
}

async function fill(product: Product, { collection_id: collectionId }: Instance): Promise<void> {
  const text = randomBytes(ITEM_BYTES / 2).toString('hex');
  for (let at = 0; at < ITEMS; at += 5) {
    const items = Array.from({ length: Math.min(5, ITEMS - at) }, (_, index) => ({ key: `item${at + index}`, text }));
    await product.fill(collectionId, 'notes', items);
  }
}

async function timed(product: Product, path: string, body: object): Promise<number> {
  const startMs = performance.now();
  let job = await product.call<Job>('POST', path, body);
  while (job.status !== 'complete') {
    if (job.status === 'failed') throw new Error(`${path} failed: ${job.error}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    job = await product.call<Job>('GET', `/installations/${job.id}`);
  }
  return (performance.now() - startMs) / 1000;
}

function row(name: string, rounds: number[], goalSeconds: number): RowResult {
  const value = median(rounds);
  return {
    bench: 'installs', row: name, unit: 's', scores: { [PRODUCT]: { value, rounds } }, ratios: {},
    goals: [goalOf(`at most ${goalSeconds} s, as ${PRODUCT}`, value, value <= goalSeconds)],
  };
}
