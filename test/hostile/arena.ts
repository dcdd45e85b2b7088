// Owns the arena: an Engine with low limits and a neighbour, in which one attack after the other is run; and a second Engine
// without the guards, in which the same code must be seen to do harm.
import { expect } from 'vitest';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { cellsBelow, usageOf } from '../support/cells.ts';
import { createTestInstance, type InstanceInit, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { until } from '../support/start-host.ts';
import { type Attack, REASONS } from './attack.ts';

export const LIMITS = { cpuMs: 250, wallMs: 4_000, startMs: 2_000, heapMb: 64, cellMb: 300, graceMs: 250, quarantineMs: 50, watchMs: 50 };
/** Nothing ends a request here: neither CPU nor memory nor silence. */
const NO_LIMITS = { cpuMs: 600_000, wallMs: 600_000, startMs: 600_000, heapMb: 2_048, cellMb: 8_192, graceMs: 600_000, poolSize: 0 };
/** Limit, grace, one look, and the second attempt in which requests are told apart; many times that on a busy machine. */
const ANSWERED_WITHIN_MS = 10_000;
const HARM_WITHIN_MS = 30_000;

/** Nothing about the host may be in what a developer reads. */
const OF_THE_HOST = /\/work\/|node_modules|node:internal|ownspace:|\.cjs|isolated-vm/;

export interface Arena {
  bench: IsolateBench;
  neighbour: TestInstance;
  close(): Promise<void>;
}

export async function openArena(): Promise<Arena> {
  const bench = await openIsolateBench({ limits: LIMITS });
  const neighbour = createTestInstance(bench.engine, 'let n = 0; export default { fetch: () => new Response(String(++n)) };');
  // The first request waits until the runtime's snapshot is made; on a crowded machine that is longer than it may wait.
  await until(async () => (await outcomeOf(neighbour)) === 'ok' || undefined, 60_000);
  return { bench, neighbour, close: () => bench.close() };
}

export const moduleOf = ({ code, before = '' }: Pick<Attack, 'code' | 'before'>): string =>
  `${before}\nexport default { async fetch(request, env, ctx) { if (request.url.endsWith('/good')) return new Response('good'); ${code}\n return new Response('ok'); } };`;

export async function outcomeOf(instance: TestInstance, path = '/', init = {}): Promise<string> {
  return instance.call(path, init).then((answer) => (answer.status === 200 ? 'ok' : String(answer.status)), (error) => (error.code as string | undefined) ?? 'cut');
}

/** Run it: its caller gets an answer in time, the log says why, the neighbour's process lives, and the Micro comes back. */
export async function endure(arena: Arena, attack: Attack, init: InstanceInit = {}): Promise<void> {
  const { bench, neighbour } = arena;
  const instance = createTestInstance(bench.engine, moduleOf(attack), init);
  await until(async () => (await outcomeOf(instance, '/good')) === 'ok' || undefined);
  const seen = Number((await neighbour.call('/')).text);
  const start = Date.now();
  // A method that is not repeated: what is told is what happened the first time.
  const outcome = await outcomeOf(instance, '/', { method: 'POST' });
  const tookMs = Date.now() - start;
  expect(attack.answers, `${attack.name} was answered ${outcome}`).toContain(outcome);
  expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS + (outcome === 'MICRO_TIMEOUT' ? LIMITS.wallMs : 0));
  if (outcome in ERRORS) expectTold(instance, outcome as ErrorCode);
  expect(Number((await neighbour.call('/')).text)).toBeGreaterThan(seen);
  if (attack.isLasting) await bench.engine.stop(instance.spec.instanceId, 0);
  await until(async () => (await outcomeOf(instance, '/good')) === 'ok' || undefined);
  await bench.engine.stop(instance.spec.instanceId, 0);
}

function expectTold(instance: TestInstance, code: ErrorCode): void {
  expect(ERRORS[code]).toMatchObject({ blame: 'micro' });
  expect(ERRORS[code].status).toBeGreaterThanOrEqual(500);
  const told = instance.logs.filter((entry) => entry.level === 'error').map((entry) => entry.text);
  expect(told.join('\n')).toMatch(REASONS[code]!);
  expect(instance.logs.map((entry) => entry.text).join('\n')).not.toMatch(OF_THE_HOST);
}

/** Without the guards the same code passes the limits, and nobody ends it. One at a time: what all Cells of the bench use is counted. */
export async function proveHarm(bench: IsolateBench, attack: Attack): Promise<void> {
  const others = new Set(cellsBelow());
  const instance = createTestInstance(bench.engine, moduleOf(attack));
  await instance.call('/good');
  const cells = cellsBelow().filter((pid) => !others.has(pid));
  const before = usageOf(cells);
  const start = Date.now();
  let outcome: string | undefined;
  void outcomeOf(instance, '/', { method: 'POST' }).then((ended) => { outcome = ended; });
  const isHarmed = (): boolean => {
    if (attack.guard === 'silence') return Date.now() - start > 3_000;
    const { cpuMs, residentMb } = usageOf(cells);
    return attack.guard === 'memory' ? residentMb > LIMITS.cellMb : cpuMs - before.cpuMs > 2 * (LIMITS.cpuMs + LIMITS.graceMs);
  };
  try {
    expect(await until(async () => (isHarmed() ? 'harm' : outcome), HARM_WITHIN_MS)).toBe('harm');
  } finally {
    await bench.engine.stop(instance.spec.instanceId, 0);
  }
}

export function openUnguarded(): Promise<IsolateBench> {
  return openIsolateBench({ limits: NO_LIMITS });
}
