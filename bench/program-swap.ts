// The row of a program whose memory went to swap while it stood still: woken, beside its cold start and the same when it is warm.
// Where this machine has no swap, or may make no control groups, there is nothing to measure.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstRequests, scoreOfTimes } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ROOT } from './machine.ts';
import { waitFor } from './process.ts';
import { swappedMb } from './processes.ts';
import { startProduct } from './product.ts';
import { levelOf, startsOf } from './programs.ts';

const BENCH = 'program-swap';
const COLD = 'cold';
const WARM = 'warm';
const SWAPPED_MB = 10;
const LIMITS = 'freezeMs=200,reclaimMs=600';

export async function measureProgramSwap(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  if (readFileSync('/proc/swaps', 'utf8').trim().split('\n').length < 2) {
    console.error('program-swap: this machine has no swap, so nothing is measured');
    return [];
  }
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct({ env: { OWNSPACE_LIMITS: LIMITS } }), (host) => host.stop());
  const project = await product.createProject('benchswap');
  await product.push(project, join(ROOT, 'bench/apps/express'));
  const level = await levelOf(product);
  const [first, ...urls] = (await product.install(project, startsOf(effort) + 1)).map(({ url }) => url);
  await firstRequests([first!], { pauseMs: 0 });
  const cold = scoreOfTimes(await firstRequests(urls, { pauseMs: 300 }));
  // Who was woken keeps most of it there: this is waited for once.
  await waitFor(async () => swappedMb(product.pid).filter((mb) => mb > SWAPPED_MB).length >= urls.length, 60_000);
  const [woken, warm]: [number[], number[]] = [[], []];
  for (const url of urls) {
    woken.push(...await firstRequests([url], { pauseMs: 0 }));
    await sleep(20);
    warm.push(...await firstRequests([url], { pauseMs: 0 }));
  }
  const own = scoreOfTimes(woken);
  const ratio = own.value / cold.value;
  return [{
    bench: BENCH, row: `Express, its memory in swap, ${level}`, unit: 'ms', scores: { [PRODUCT]: own, [COLD]: cold, [WARM]: scoreOfTimes(warm) },
    ratios: { [COLD]: ratio }, goals: [goalOf(`p50 at most 0.15 x ${COLD}`, ratio, ratio <= 0.15)],
  }];
}
