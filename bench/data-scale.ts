// The rows of a Base of a million Items: scans, indexes, what neighbours feel meanwhile, memory; then thousands of Collections.
import { createBase } from './bench-base.ts';
import type { BenchBase } from './bench-base.ts';
import { applyClosedLoad } from './closed-loop.ts';
import { goalOf, median, PRODUCT, scoreOf } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask } from './http.ts';
import type { Target } from './http.ts';
import type { LoadResult } from './load.ts';
import { measureManyCollections } from './many-collections.ts';
import { MemoryWatch } from './memory-watch.ts';
import { measureNeighbours } from './neighbours.ts';
import { waitFor } from './process.ts';
import { startProduct } from './product.ts';

const BENCH = 'data-scale';
/** `BENCH_ITEMS` makes a smaller run, for trying it out. */
const ITEMS = Number(process.env.BENCH_ITEMS ?? 1_000_000);
const PER_PUT = 25;
/** Each value of the indexed field has so many Items. */
const PER_USER = 10;
const CONNECTIONS = 16;

export async function measureDataScale(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const memory = new MemoryWatch(product.pid);
  const big = await createBase(product, 'big');
  console.error(`  ${ITEMS} Items ...`);
  await fill(big, ITEMS);
  const rows = [await measureScan(big, effort), await measureIndexed(big, effort)];
  rows.push(...(await measureNeighbours(product, { base: big, items: ITEMS, itemOf }, effort)));
  memory.stop();
  rows.push(memoryRow(memory));
  await started.disposeAsync();
  return [...rows, ...(await measureManyCollections(effort))];
}

/** Only what neighbours feel. */
export async function measureNeighboursAlone(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const big = await createBase(product, 'big');
  await fill(big, ITEMS);
  return await measureNeighbours(product, { base: big, items: ITEMS, itemOf }, effort);
}

const keyOf = (n: number): string => String(n).padStart(8, '0');
/** About 200 bytes. */
const itemOf = (n: number): object => ({ key: keyOf(n), user: `user${Math.floor(n / PER_USER)}`, likes: n % 1000, text: 'That brain of mine is something more than merely mortal. '.repeat(2), ok: true });

async function fill(base: BenchBase, count: number): Promise<void> {
  let n = 0;
  const next = (): Target | undefined => {
    if (n >= count) return undefined;
    const items = Array.from({ length: Math.min(PER_PUT, count - n) }, (_, at) => itemOf(n + at));
    n += items.length;
    return { url: `${base.url}/items`, method: 'PUT', headers: base.headers, body: JSON.stringify({ items }) };
  };
  await applyClosedLoad({ connections: 32, next });
}

const query = (base: BenchBase, request: object): Target => ({ url: `${base.url}/query`, method: 'POST', headers: base.headers, body: JSON.stringify(request) });

/** Go through the whole Base in pages, as a client does. @returns how many Items matched */
async function scan(base: BenchBase, conditions: object): Promise<number> {
  let found = 0;
  for (let last: string | undefined, first = true; first || last !== undefined; first = false) {
    const { status, body } = await ask(query(base, { query: conditions, last }));
    if (status !== 200) throw new Error(`a query answers ${status}: ${body.slice(0, 200)}`);
    const page = JSON.parse(body) as { paging: { size: number; last?: string } };
    found += page.paging.size;
    last = page.paging.last;
  }
  return found;
}

/** A condition that no index answers and no Item passes, with a text that is in each, so that each is parsed. */
async function measureScan(base: BenchBase, { rounds }: Effort): Promise<RowResult> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    const found = await scan(base, { 'likes?ne': 7, 'user?!contains': 'user' });
    if (found !== 0) throw new Error(`a scan found ${found} Items, though none matches`);
    rates.push((ITEMS / (performance.now() - start)) * 1000);
  }
  const rate = median(rates);
  return {
    bench: BENCH, row: `scan with a filter, ${ITEMS} Items of 200 bytes, one worker`, unit: 'Items/s', scores: { [PRODUCT]: { value: rate, rounds: rates } }, ratios: {},
    goals: [goalOf(`at least 200000 Items/s by ${PRODUCT}`, rate, rate >= 200_000)],
  };
}

/** Three queries make the index, then it is waited for. */
async function measureIndexed(base: BenchBase, { rounds, seconds }: Effort): Promise<RowResult> {
  const random = (): number => Math.floor(Math.random() * ITEMS);
  const byUser = (): Target => query(base, { query: { user: `user${Math.floor(random() / PER_USER)}` }, limit: 1 });
  const byKey = (): Target => ({ url: `${base.url}/items/${keyOf(random())}`, headers: base.headers });
  const start = performance.now();
  await waitFor(async () => {
    const asked = performance.now();
    const { status } = await ask(query(base, { query: { user: 'user77' }, limit: 1000 }));
    return status === 200 && performance.now() - asked < 20;
  }, 600_000);
  console.error(`  index after ${Math.round((performance.now() - start) / 1000)} s`);
  const measured: Record<string, LoadResult[]> = { [PRODUCT]: [], 'get by key': [] };
  for (let round = 0; round < rounds; round += 1) {
    measured[PRODUCT]?.push(await applyClosedLoad({ connections: CONNECTIONS, next: byUser, seconds }));
    measured['get by key']?.push(await applyClosedLoad({ connections: CONNECTIONS, next: byKey, seconds }));
  }
  const scores = Object.fromEntries(Object.entries(measured).map(([name, results]) => [name, scoreOf(results)]));
  const ratio = (scores[PRODUCT]?.value ?? 0) / (scores['get by key']?.value ?? 1);
  return {
    bench: BENCH, row: `equality on an indexed field, ${ITEMS} Items`, unit: 'requests/s', connections: CONNECTIONS, scores,
    ratios: { 'get by key': ratio }, goals: [goalOf('at least 0.33 x get by key', ratio, ratio >= 1 / 3)],
  };
}

function memoryRow({ ownMb, totalMb }: MemoryWatch): RowResult {
  return {
    bench: BENCH, row: 'memory of the host at its peak, all of the above', unit: 'MB', ratios: {},
    scores: { [PRODUCT]: { value: ownMb, rounds: [ownMb] }, 'with mapped files': { value: totalMb, rounds: [totalMb] } },
    goals: [goalOf(`less than 300 MB by ${PRODUCT}`, ownMb, ownMb < 300)],
  };
}
