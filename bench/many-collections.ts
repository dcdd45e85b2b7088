// The curve over the number of Collections on one host: gets while their Stores are open, what opening one costs, and puts
// beside raw classic-level with as many stores.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBase } from './bench-base.ts';
import type { BenchBase } from './bench-base.ts';
import { applyClosedLoad } from './closed-loop.ts';
import { goalOf, PRODUCT, scoreOf } from './harness.ts';
import type { Effort, RowResult, Score } from './harness.ts';
import type { Target } from './http.ts';
import type { LoadResult } from './load.ts';
import { ROOT } from './machine.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';

const BENCH = 'data-scale';
const COUNTS = (process.env.BENCH_COLLECTIONS ?? '1,1000,2000').split(',').map(Number);
/** Fewer than a worker holds open. */
const OPEN = 50;
const CONNECTIONS = 16;
const ITEM = { key: 'one', text: 'That brain of mine is something more than merely mortal. '.repeat(3) };
const PUT_BODY = JSON.stringify({ items: [ITEM] });

type Place = Pick<BenchBase, 'url' | 'headers'>;

const get = ({ url, headers }: Place): Target => ({ url: `${url}/items/one`, headers });
const put = ({ url, headers }: Place): Target => ({ url: `${url}/items`, method: 'PUT', headers, body: PUT_BODY });

/** One after the other, round and round. */
function around(bases: readonly Place[], target: (base: Place) => Target): () => Target {
  let at = 0;
  return () => target(bases[at++ % bases.length]!);
}

export async function measureManyCollections({ rounds, seconds }: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const bases: BenchBase[] = [];
  const gets: Record<string, Score> = {};
  const opens: Record<string, Score> = {};
  const rows: RowResult[] = [];
  for (const count of COUNTS) {
    console.error(`  ${count} Collections ...`);
    while (bases.length < count) bases.push(...(await Promise.all(Array.from({ length: Math.min(20, count - bases.length) }, () => createBase(product, 'one of many')))));
    let n = 0;
    await applyClosedLoad({ connections: 8, next: () => (n < bases.length ? put(bases[n++]!) : undefined) });
    const open = bases.slice(0, OPEN);
    await applyClosedLoad({ connections: CONNECTIONS, next: around(open, get), seconds: 1 });
    const measured: LoadResult[] = [];
    for (let round = 0; round < rounds; round += 1) measured.push(await applyClosedLoad({ connections: CONNECTIONS, next: around(open, get), seconds }));
    gets[`${count} Collections`] = scoreOf(measured);
    if (count > OPEN * 2) opens[`${count} Collections`] = scoreOf([await applyClosedLoad({ connections: 1, next: around(bases, get), seconds })]);
    rows.push(await measurePuts(bases, { rounds, seconds, withProduct: true, warmUpSeconds: 0 }));
  }
  return [curveOf(gets), { bench: BENCH, row: 'get that opens a closed Store', unit: 'requests/s', connections: 1, scores: opens, ratios: {}, goals: [] }, ...rows];
}

function curveOf(scores: Record<string, Score>): RowResult {
  const rates = Object.values(scores).map(({ value }) => value);
  const spread = Math.min(...rates) / Math.max(...rates);
  const [last = ''] = Object.keys(scores).slice(-1);
  return { bench: BENCH, row: 'get, Stores open', unit: 'requests/s', connections: CONNECTIONS, scores, ratios: {}, goals: [goalOf(`flat within 20 % up to ${last}`, spread, spread >= 0.8)] };
}

/** Puts to all Collections in turn, beside one raw store for each of them behind bare node:http. */
async function measurePuts(bases: readonly BenchBase[], { rounds, seconds }: Effort): Promise<RowResult> {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-levels-')), (path) => rm(path, { recursive: true }));
  const peer = started.adopt(await startPeer(join(ROOT, 'bench/peers/levels-http.ts'), [folder, String(bases.length)]), (running) => running.stop());
  const raw = bases.map((_, at): Place => ({ url: `http://127.0.0.1:${peer.port}/${at}`, headers: { 'content-type': 'application/json' } }));
  const measured: Record<string, LoadResult[]> = { [PRODUCT]: [], 'classic-level': [] };
  for (let round = 0; round < rounds; round += 1) {
    measured[PRODUCT]?.push(await applyClosedLoad({ connections: CONNECTIONS, next: around(bases, put), seconds }));
    measured['classic-level']?.push(await applyClosedLoad({ connections: CONNECTIONS, next: around(raw, put), seconds }));
  }
  const scores = Object.fromEntries(Object.entries(measured).map(([name, results]) => [name, scoreOf(results)]));
  const ratio = (scores[PRODUCT]?.value ?? 0) / (scores['classic-level']?.value ?? 1);
  return { bench: BENCH, row: `put to ${bases.length} Collections in turn`, unit: 'requests/s', connections: CONNECTIONS, scores, ratios: { 'classic-level': ratio }, goals: [] };
}
