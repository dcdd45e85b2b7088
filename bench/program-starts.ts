// The rows of process Micros that start: an Express app cold beside the same app started bare, what a box takes beside its
// program, and what fifty starts at once do to a neighbour that is awake.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstRequests, scoreOfTimes } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ROOT } from './machine.ts';
import { runProgram } from './process.ts';
import { boxOverheadsMb } from './processes.ts';
import { type Product, startProduct } from './product.ts';
import { BARE, coldBesideBare, levelOf, startsOf } from './programs.ts';

const BENCH = 'program-starts';
const FOLDER = join(ROOT, 'bench/apps/express');
const ALONE = 'alone';
const CROWD = Number(process.env['BENCH_CROWD'] ?? 50);
const OVERHEAD_MAX_MB = 1.5;

export async function measureProgramStarts(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-express-')), (path) => rm(path, { recursive: true, force: true }));
  await cp(FOLDER, folder, { recursive: true });
  await runProgram(['npm', 'install', '--no-audit', '--no-fund'], { cwd: folder });
  const product = started.adopt(await startProduct({}), (host) => host.stop());
  const project = await product.createProject('benchexpress');
  await product.push(project, FOLDER);
  const level = await levelOf(product);
  const count = startsOf(effort);
  const urls = (await product.install(project, count + 1 + CROWD)).map(({ url }) => url);
  return [
    await cold(urls.slice(0, count + 1), { program: join(folder, 'index.cjs'), level }),
    overhead(product, level),
    await crowd(urls[0]!, { urls: urls.slice(count + 1), level }),
  ];
}

async function cold(urls: string[], { program, level }: { program: string; level: string }): Promise<RowResult> {
  const { own, bare } = await coldBesideBare(urls, program);
  const [middle, late] = [own.value / bare.value, own.p99Ms! / bare.p99Ms!];
  return {
    bench: BENCH, row: `Express, cold, ${level}`, unit: 'ms', scores: { [PRODUCT]: own, [BARE]: bare }, ratios: { [BARE]: middle },
    goals: [goalOf(`p50 at most 1.2 x ${BARE}`, middle, middle <= 1.2), goalOf(`p99 at most 1.5 x ${BARE}`, late, late <= 1.5)],
  };
}

function overhead(product: Product, level: string): RowResult {
  const rounds = boxOverheadsMb(product.pid, 'index.cjs');
  const value = rounds.toSorted((left, right) => left - right)[Math.floor(rounds.length / 2)] ?? Number.NaN;
  return {
    bench: BENCH, row: `beside the program, private, ${level}`, unit: 'MB', scores: { [PRODUCT]: { value, rounds } }, ratios: {},
    goals: [goalOf(`at most ${OVERHEAD_MAX_MB} MB by ${PRODUCT}`, value, value <= OVERHEAD_MAX_MB)],
  };
}

/** A neighbour is asked again and again, alone and while all of the others start. */
async function crowd(neighbour: string, { urls, level }: { urls: string[]; level: string }): Promise<RowResult> {
  let isOver = false;
  const asking = async (): Promise<number[]> => {
    const times: number[] = [];
    while (!isOver) times.push(...await firstRequests([neighbour], { pauseMs: 5 }));
    return times;
  };
  const during = async (work: Promise<unknown>): Promise<number[]> => {
    isOver = false;
    const times = asking();
    await work.finally(() => { isOver = true; });
    return times;
  };
  await firstRequests([neighbour], { pauseMs: 0 });
  const alone = scoreOfTimes(await during(new Promise((resolve) => setTimeout(resolve, 5_000))));
  const beside = scoreOfTimes(await during(firstRequests(urls, { pauseMs: 0, isOpen: true })));
  const ratio = beside.p99Ms! / alone.p99Ms!;
  return {
    bench: BENCH, row: `a warm neighbour while ${CROWD} start, ${level}`, unit: 'ms', scores: { [PRODUCT]: beside, [ALONE]: alone }, ratios: { [ALONE]: beside.value / alone.value },
    goals: [goalOf(`p99 at most 2 x ${ALONE}`, ratio, ratio <= 2)],
  };
}
