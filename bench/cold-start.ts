// The rows of a cold start: an Instance that nobody has asked yet, from the pool of ready Cells and from none, until the
// first byte; beside the start of a workerd process with the same bundle.
import { firstRequests, scoreOfTimes, untilFirstByte } from './first-request.ts';
import type { Pace } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult, Score } from './harness.ts';
import { bundleOrders, forWorkerd, writeOrdersFolder } from './orders-app.ts';
import { startProduct } from './product.ts';
import { startWorkerd } from './peers/workerd.ts';

const BENCH = 'cold-start';
const PEER = 'workerd';
const SMALL_BYTES = 100_000;
const LARGE_BYTES = 1_000_000;
/** Long enough for the pool to have one ready again, on a quiet machine with two cores. */
const PAUSE_MS = 400;
/** Arrivals a second at which it is asked whether the pool keeps up. */
const RATES = [2, 5, 10];
const STARTS = 30;

export async function measureColdStart({ rounds, withProduct }: Effort): Promise<RowResult[]> {
  const samples = Math.max(5, STARTS * Math.min(1, rounds / 3));
  const small = await bundleOrders(SMALL_BYTES);
  const large = await bundleOrders(LARGE_BYTES);
  const smallPeer = await workerdStarts(small, samples);
  const largePeer = await workerdStarts(large, samples / 2);
  if (!withProduct) return [row('100 KB, from the pool', { [PEER]: smallPeer }), row('1 MB, from the pool', { [PEER]: largePeer })];
  const fromPool = await productStarts(small, { count: samples * 2, pauseMs: PAUSE_MS });
  const fromNone = await productStarts(small, { count: samples, pauseMs: PAUSE_MS, limits: 'poolSize=0' });
  const largeFromPool = await productStarts(large, { count: samples / 2, pauseMs: PAUSE_MS });
  const rates: Record<string, Score> = {};
  for (const rate of RATES) rates[`${rate} arrivals a second`] = await productStarts(small, { count: samples, pauseMs: 1000 / rate, isOpen: true });
  return [
    row('100 KB, from the pool', { [PRODUCT]: fromPool, [PEER]: smallPeer }, [p50Goal(1 / 3), spreadGoal]),
    row('100 KB, from no ready Cell', { [PRODUCT]: fromNone, [PEER]: smallPeer }, [p50Goal(1.3)]),
    row('1 MB, from the pool', { [PRODUCT]: largeFromPool, [PEER]: largePeer }, [p50Goal(1)]),
    row('100 KB, arriving whether or not the pool keeps up', rates),
  ];
}

type Judge = (scores: Record<string, Score>) => RowResult['goals'][number];

const p50Goal = (part: number): Judge => (scores) => {
  const value = (scores[PRODUCT]?.value ?? Number.NaN) / (scores[PEER]?.value ?? Number.NaN);
  return goalOf(`p50 at most ${part.toFixed(2)} x ${PEER}`, value, value <= part);
};
const spreadGoal: Judge = (scores) => {
  const value = (scores[PRODUCT]?.p99Ms ?? Number.NaN) / (scores[PRODUCT]?.value ?? Number.NaN);
  return goalOf(`p99 at most 3 x p50 of ${PRODUCT}`, value, value <= 3);
};

function row(name: string, scores: Record<string, Score>, judges: readonly Judge[] = []): RowResult {
  const own = scores[PRODUCT];
  const ratios: Record<string, number> = own && scores[PEER] ? { [PEER]: own.value / scores[PEER].value } : {};
  return { bench: BENCH, row: name, unit: 'ms', scores, ratios, goals: judges.map((judge) => judge(scores)) };
}

/** From the start of the process to the first byte of its first answer. */
async function workerdStarts(source: string, count: number): Promise<Score> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const start = performance.now();
    const workerd = await startWorkerd(forWorkerd(source), { onSpawn: (port) => untilFirstByte({ port }).then(() => times.push(performance.now() - start)) });
    await workerd.stop();
  }
  return scoreOfTimes(times);
}

interface Starts extends Pace { count: number; limits?: string }

/** The first request of so many Instances, one after the other. */
async function productStarts(source: string, { count, pauseMs, limits, isOpen }: Starts): Promise<Score> {
  await using folder = await writeOrdersFolder(source);
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct({ env: limits === undefined ? {} : { OWNSPACE_LIMITS: limits } }), (host) => host.stop());
  const project = await product.createProject('benchcold');
  await product.push(project, folder.path);
  // The first one ever compiles, and fills the code cache for all others.
  const [first, ...others] = await product.install(project, count + 1);
  if (first) await firstRequests([first.url], { pauseMs: 0 });
  return scoreOfTimes(await firstRequests(others.map(({ url }) => url), { pauseMs, isOpen }));
}
