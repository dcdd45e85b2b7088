// The rows of memory: what a live Cell takes for itself with one Micro of 100 KB, what each further Micro adds, and what is
// left of it when it sleeps. Needs no quiet machine.
import { findCells } from './processes.ts';
import { goalOf, median, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask, loopback } from './http.ts';
import { bundleOrders, writeOrdersFolder } from './orders-app.ts';
import { waitFor } from './process.ts';
import { startProduct } from './product.ts';
import type { Product } from './product.ts';

const BENCH = 'cell-memory';
const BYTES = 100_000;
const INSTANCES = 8;
const MICROS = 5;
const REQUESTS = 20;
const IDLE_MS = 20_000;
const CELL_MAX_MB = 20;
const MICRO_MAX_MB = 6;

export async function measureCellMemory({ withProduct }: Effort): Promise<RowResult[]> {
  if (!withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct({ env: { OWNSPACE_LIMITS: `idleMs=${IDLE_MS},poolSize=1` } }), (host) => host.stop());
  const urls = await installMicros(product, MICROS);
  const live = (): number[] => findCells(product.pid).flatMap(({ privateMb }) => (privateMb < 1 ? [] : [privateMb]));
  await use(urls.map(([first = '']) => first));
  const one = median(working(live()));
  await use(urls.flat());
  const all = median(working(live()));
  await waitFor(async () => findCells(product.pid).length <= 1, IDLE_MS * 6);
  const asleep = findCells(product.pid).length - 1;
  const further = (all - one) / (MICROS - 1);
  return [
    row('a live Cell with one Micro of 100 KB, private', one, goalOf(`at most ${CELL_MAX_MB} MB by ${PRODUCT}`, one, one <= CELL_MAX_MB)),
    row('each further Micro, private', further, goalOf(`at most ${MICRO_MAX_MB} MB by ${PRODUCT}`, further, further <= MICRO_MAX_MB)),
    row(`Cells left after ${IDLE_MS / 1000} s without a request, besides the ready one`, asleep, goalOf(`none by ${PRODUCT}`, asleep, asleep <= 0)),
  ];
}

function row(name: string, value: number, goal: RowResult['goals'][number]): RowResult {
  return { bench: BENCH, row: name, unit: 'MB', scores: { [PRODUCT]: { value, rounds: [value] } }, ratios: {}, goals: [goal] };
}

/** Without the one that waits in the pool: it is the smallest, as no Micro is in it. */
function working(megabytes: readonly number[]): number[] {
  const sorted = megabytes.toSorted((left, right) => left - right);
  return sorted.length > INSTANCES ? sorted.slice(sorted.length - INSTANCES) : sorted;
}

/** @returns of each Instance the addresses of its Micros */
async function installMicros(product: Product, micros: number): Promise<string[][]> {
  await using folder = await writeOrdersFolder(await bundleOrders(BYTES), micros);
  const project = await product.createProject('benchmemory');
  await product.push(project, folder.path);
  const instances = await product.install(project, INSTANCES);
  return instances.map(({ url }) => Array.from({ length: micros }, (_, at) => new URL(at === 0 ? '/' : `/orders${at}`, url).href));
}

async function use(urls: readonly string[]): Promise<void> {
  for (const address of urls) {
    const { url, host } = loopback(address);
    for (let n = 0; n < REQUESTS; n += 1) {
      const { status, body } = await ask({ url, headers: { host } });
      if (status !== 200) throw new Error(`${address} answers ${status}: ${body}`);
    }
  }
}
