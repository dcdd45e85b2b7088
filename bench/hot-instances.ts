// The curve over the number of hot Instances: load that follows Zipf's law, so that the first is asked for most, beside the
// rate of one Instance. An app of 100 KB; each Instance has a Cell of its own unless the owner widened the cordon.
import { measureRow, PRODUCT } from './harness.ts';
import type { Effort, Goal, RowResult } from './harness.ts';
import { ask, loopback } from './http.ts';
import type { Target } from './http.ts';
import { bundleOrders, writeOrdersFolder } from './orders-app.ts';
import { startProduct } from './product.ts';
import type { Product } from './product.ts';

const BENCH = 'hot-instances';
const BYTES = 100_000;
const CONNECTIONS = 32;
const TURNS = 20_000;
const ONE = 'one Instance';
const EXPECT = /^Hello, world!$/;
type Cordon = 'instance' | 'space';
const CORDONS: Record<Cordon, string> = { instance: 'a Cell each', space: 'the Space as cordon' };
/** The cordon is widened at the end: what has a Cell of its own was measured by then. */
const CASES: readonly { count: number; cordon: Cordon; goal: Goal }[] = [
  { count: 20, cordon: 'instance', goal: { against: ONE, atLeast: 0.4 } },
  { count: 200, cordon: 'instance', goal: { against: ONE, atLeast: 0.15 } },
  { count: 200, cordon: 'space', goal: { against: ONE, atLeast: 0.4 } },
];

export async function measureHotInstances(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const targets = await installOrders(product, Math.max(...CASES.map(({ count }) => count)));
  const { id: space } = await product.call<{ id: string }>('GET', '/space');
  const rows: RowResult[] = [];
  for (const { count, cordon, goal } of CASES) {
    const hot = targets.slice(0, count);
    await product.call('PATCH', `/spaces/${space}/cordon`, { cordon });
    await wake(hot);
    const contenders = [{ name: PRODUCT, pid: product.pid, target: zipf(hot), expect: EXPECT }, { name: ONE, pid: product.pid, target: targets[0]!, expect: EXPECT }];
    rows.push(await measureRow({ bench: BENCH, row: `Zipf over ${count} hot Instances, ${CORDONS[cordon]}`, connections: CONNECTIONS, contenders, goals: [goal] }, effort));
  }
  return rows;
}

async function installOrders(product: Product, count: number): Promise<Target[]> {
  await using folder = await writeOrdersFolder(await bundleOrders(BYTES));
  const project = await product.createProject('benchhot');
  await product.push(project, folder.path);
  const instances = await product.install(project, count);
  return instances.map((instance): Target => {
    const { url, host } = loopback(instance.url);
    return { url, headers: { host } };
  });
}

/** One after the other: what is measured is not their start. */
async function wake(targets: readonly Target[]): Promise<void> {
  for (const target of targets) {
    const { status } = await ask(target);
    if (status !== 200) throw new Error(`${target.headers?.['host']} answers ${status}`);
  }
}

/** Turns in which number n of the list comes 1/n as often as the first, in an order that is the same each time. */
function zipf(targets: readonly Target[]): [Target, ...Target[]] {
  const total = targets.reduce((sum, _, at) => sum + 1 / (at + 1), 0);
  const turns = targets.flatMap((target, at) => Array.from<Target>({ length: Math.max(1, Math.round(TURNS / (at + 1) / total)) }).fill(target));
  let state = 1;
  for (let at = turns.length - 1; at > 0; at -= 1) {
    state = (state * 48_271) % 2_147_483_647;
    const other = state % (at + 1);
    [turns[at], turns[other]] = [turns[other]!, turns[at]!];
  }
  return turns as [Target, ...Target[]];
}
