// The row of host calls: ten reads of a Base in one request, beside the same answer without any.
import { join } from 'node:path';
import { measureRow, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask } from './http.ts';
import { ROOT } from './machine.ts';
import { startProduct } from './product.ts';

const EXPECT = /^Hello, world!$/;
const NONE = 'without any';

export async function measureHostCalls(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const { url } = await product.push(await product.createProject('benchcalls'), join(ROOT, 'bench/apps/calls'));
  const target = await product.signedIn(url);
  await ask({ ...target, method: 'PUT' });
  const contenders = [
    { name: PRODUCT, pid: product.pid, target: { ...target, url: new URL('/ten', target.url).href }, expect: EXPECT },
    { name: NONE, pid: product.pid, target, expect: EXPECT },
  ];
  return [await measureRow({ bench: 'host-calls', row: 'ten Base reads in one request', connections: 32, contenders, goals: [{ against: NONE, atLeast: 0.4 }] }, effort)];
}
