// The rows of a host with many Instances, most of them asleep: how fast it starts, what it takes for itself while one Instance
// of each Space is active, and the first request of any beside that on a host with few.
import { firstRequests, scoreOfTimes } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult, Score } from './harness.ts';
import { privateMbOf } from './processes.ts';
import { bundleOrders, writeOrdersFolder } from './orders-app.ts';
import { startProduct } from './product.ts';
import type { Call, Instance, Product } from './product.ts';

const BENCH = 'many-instances';
const BYTES = 100_000;
const SPACES = Number(process.env.BENCH_SPACES ?? 200);
const PER_SPACE = Number(process.env.BENCH_PER_SPACE ?? 50);
const FEW = 20;
const PAUSE_MS = 250;
const SPACES_AT_ONCE = 4;
const START_MAX_SECONDS = 5;
const MEMORY_MAX_MB = 300;

export async function measureManyInstances({ withProduct }: Effort): Promise<RowResult[]> {
  if (!withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const project = await pushOrders(product);
  const few = await product.install(project, FEW + 1);
  // The first one ever compiles, and fills the code cache for all others.
  const [, ...times] = await firstRequests(few.map(({ url }) => url), { pauseMs: PAUSE_MS });
  const active = await installEverywhere(product, await product.release(project));
  const seconds = await product.restart();
  const many = await firstRequests(active.map(({ url }) => url), { pauseMs: PAUSE_MS });
  const memory = privateMbOf(product.pid);
  const scores = { [PRODUCT]: scoreOfTimes(many), [`${FEW} Instances`]: scoreOfTimes(times) };
  const slower = scoreOfTimes(many).value / scoreOfTimes(times).value;
  const what = `${SPACES * PER_SPACE} Instances in ${SPACES} Spaces`;
  return [
    row(`${what}: until the host answers after a start`, 's', { [PRODUCT]: { value: seconds, rounds: [seconds] } }, goalOf(`at most ${START_MAX_SECONDS} s by ${PRODUCT}`, seconds, seconds <= START_MAX_SECONDS)),
    row(`${what}: memory of the host beside its Cells, ${active.length} active, private`, 'MB', { [PRODUCT]: { value: memory, rounds: [memory] } }, goalOf(`less than ${MEMORY_MAX_MB} MB by ${PRODUCT}`, memory, memory < MEMORY_MAX_MB)),
    row(`${what}: first request of one`, 'ms', scores, goalOf(`at most 2 x that of ${FEW} Instances`, slower, slower <= 2)),
  ];
}

function row(name: string, unit: RowResult['unit'], scores: Record<string, Score>, goal: RowResult['goals'][number]): RowResult {
  return { bench: BENCH, row: name, unit, scores, ratios: {}, goals: [goal] };
}

async function pushOrders(product: Product): Promise<string> {
  await using folder = await writeOrdersFolder(await bundleOrders(BYTES));
  const project = await product.createProject('benchmany');
  await product.push(project, folder.path);
  return project;
}

/** @returns one Instance of each Space */
async function installEverywhere(product: Product, release: string): Promise<Instance[]> {
  const active: Instance[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < SPACES) active.push(await fillSpace(await product.signUp(`person${next++}`), release));
  };
  await Promise.all(Array.from({ length: SPACES_AT_ONCE }, lane));
  return active;
}

async function fillSpace(call: Call, release: string): Promise<Instance> {
  for (let n = 0; n < PER_SPACE; n += 1) await call('POST', '/installations', { release_id: release });
  for (;;) {
    const { instances } = await call<{ instances: (Instance & { status: string })[] }>('GET', '/instances?per_page=1000');
    if (instances.length === PER_SPACE && instances.every(({ status }) => status === 'ready')) return instances[0]!;
  }
}
