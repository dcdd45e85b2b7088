// Owns how contenders are compared: all started, each checked and warmed up, then measured in alternating rounds, so that
// a slow minute of the machine hits everybody; medians and ratios. Knows no contender.
import { cpuMsOf } from './processes.ts';
import { ask } from './http.ts';
import type { Target } from './http.ts';
import { applyLoad } from './load.ts';
import type { LoadResult } from './load.ts';

export const PRODUCT = 'ownspace';

export interface Effort { rounds: number; seconds: number; warmUpSeconds: number; withProduct: boolean }

export interface Contender {
  name: string;
  /** Several take turns. */
  target: Target | readonly [Target, ...Target[]];
  /** Of its process, to see what a request costs it in CPU time. */
  pid?: number;
  /** What an answer's body must be, or how it must begin; without it a fast error page would win. */
  expect: RegExp;
}

/** `p99AtMost`: this part of the peer's p99. */
export interface Goal { against: string; atLeast?: number; p99AtMost?: number }

export interface LoadRow {
  bench: string;
  row: string;
  connections: number;
  contenders: readonly Contender[];
  goals: readonly Goal[];
}

/** Medians over the rounds; `value` is in the row's unit. */
export interface Score { value: number; p50Ms?: number; p99Ms?: number; /** CPU time of a request. */ cpuUs?: number; rounds: number[] }

export interface RowResult {
  bench: string;
  row: string;
  unit: 'requests/s' | 's' | 'Items/s' | 'ms' | 'MB' | 'MB/s';
  connections?: number;
  scores: Record<string, Score>;
  /** Product divided by the peer. */
  ratios: Record<string, number>;
  goals: { text: string; value: number; isReached: boolean }[];
}

/** @throws when a contender answers wrongly or fails under load */
export async function measureRow(row: LoadRow, effort: Effort): Promise<RowResult> {
  const contenders = row.contenders.filter(({ name }) => effort.withProduct || name !== PRODUCT);
  for (const contender of contenders) {
    await checkAnswer(contender);
    await measureOnce(contender, row.connections, effort.warmUpSeconds);
  }
  const measured = new Map<string, LoadResult[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < effort.rounds; round += 1) {
    // Nobody always follows the same neighbour.
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      measured.get(contender.name)?.push(await measureOnce(contender, row.connections, effort.seconds));
    }
  }
  const scores = Object.fromEntries([...measured].map(([name, rounds]) => [name, scoreOf(rounds)]));
  const ratios = ratiosOf(scores);
  return { bench: row.bench, row: row.row, unit: 'requests/s', connections: row.connections, scores, ratios, goals: judge(row.goals, ratios, scores) };
}

async function checkAnswer({ name, target, expect }: Contender): Promise<void> {
  for (const one of new Set([target].flat())) {
    const { status, body } = await ask(one);
    if (status < 200 || status > 299 || !expect.test(body)) {
      throw new Error(`${name} answers ${status} with "${body.slice(0, 200)}", which is not ${expect}`);
    }
  }
}

async function measureOnce({ name, target, pid }: Contender, connections: number, seconds: number): Promise<LoadResult> {
  const before = pid === undefined ? undefined : cpuMsOf(pid);
  const result = await applyLoad(target, { connections, seconds });
  if (pid !== undefined && before !== undefined) result.cpuUs = ((cpuMsOf(pid) - before) * 1000) / (result.requestsPerSecond * seconds);
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
  return result;
}

export function scoreOf(rounds: readonly LoadResult[]): Score {
  return {
    value: median(rounds.map((one) => one.requestsPerSecond)),
    p50Ms: median(rounds.map((one) => one.p50Ms)),
    p99Ms: median(rounds.map((one) => one.p99Ms)),
    ...(rounds.every(({ cpuUs }) => cpuUs !== undefined) && { cpuUs: median(rounds.map((one) => one.cpuUs ?? Number.NaN)) }),
    rounds: rounds.map((one) => one.requestsPerSecond),
  };
}

/** The product's value divided by each peer's. */
export function ratiosOf(scores: Record<string, Score>): Record<string, number> {
  const own = scores[PRODUCT];
  if (!own) return {};
  const peers = Object.entries(scores).filter(([name]) => name !== PRODUCT);
  return Object.fromEntries(peers.map(([name, score]) => [name, own.value / score.value]));
}

/** Whether a measured number reaches what it should, for goals that are no ratio to a peer. */
export function goalOf(text: string, value: number, isReached: boolean): RowResult['goals'][number] {
  return { text, value, isReached };
}

export function judge(goals: readonly Goal[], ratios: Record<string, number>, scores: Record<string, Score> = {}): RowResult['goals'] {
  return goals.flatMap(({ against, atLeast, p99AtMost }) => {
    const value = ratios[against];
    const p99 = (scores[PRODUCT]?.p99Ms ?? Number.NaN) / (scores[against]?.p99Ms ?? Number.NaN);
    return [
      ...(value === undefined || atLeast === undefined ? [] : [goalOf(`at least ${atLeast} x ${against}`, value, value >= atLeast)]),
      ...(value === undefined || p99AtMost === undefined ? [] : [goalOf(`p99 at most ${p99AtMost} x that of ${against}`, p99, p99 <= p99AtMost)]),
    ];
  });
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? Number.NaN)) / 2;
}
