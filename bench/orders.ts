// The row of a realistic Micro: Hono, a JSON body that is checked, three reads of a Base, JSON back; beside the same module
// on workerd with a Base in memory.
import { measureRow, PRODUCT } from './harness.ts';
import type { Contender, Effort, RowResult } from './harness.ts';
import type { Target } from './http.ts';
import { bundleOrders, forWorkerd, ITEMS, ORDER, ORDER_ANSWER, writeOrdersFolder } from './orders-app.ts';
import { startProduct } from './product.ts';
import type { Product } from './product.ts';
import { startWorkerd } from './peers/workerd.ts';

const BYTES = 100_000;

export async function measureOrders(effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const source = await bundleOrders(BYTES);
  const workerd = started.adopt(await startWorkerd(forWorkerd(source)), (peer) => peer.stop());
  const contenders: Contender[] = [{ name: 'workerd', pid: workerd.pid, target: { ...ORDER, url: `http://127.0.0.1:${workerd.port}/orders` }, expect: ORDER_ANSWER }];
  if (effort.withProduct) {
    const product = started.adopt(await startProduct(), (host) => host.stop());
    contenders.unshift({ name: PRODUCT, pid: product.pid, target: await pushOrders(product, source), expect: ORDER_ANSWER });
  }
  const row = { bench: 'orders', row: 'Hono, JSON body, three Base reads', contenders };
  return [
    await measureRow({ ...row, connections: 32, goals: [{ against: 'workerd', atLeast: 1 }] }, effort),
    await measureRow({ ...row, connections: 1, goals: [] }, effort),
  ];
}

async function pushOrders(product: Product, source: string): Promise<Target> {
  await using folder = await writeOrdersFolder(source);
  const { url, collection_id: collection } = await product.push(await product.createProject('benchorders'), folder.path);
  await product.fill(collection, 'things', ITEMS);
  const { url: address, headers } = await product.signedIn(url);
  return { ...ORDER, url: new URL('/orders', address).href, headers: { ...headers, ...ORDER.headers } };
}
