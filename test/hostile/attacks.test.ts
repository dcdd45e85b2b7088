// Covers hostile code in isolate Micros, table by table: its caller gets an error, the neighbour does not notice, the Micro comes
// back. And without the guard the same code does harm.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAlteredBench } from '../support/altered-engine.ts';
import { createTestInstance, type IsolateBench, openIsolateBench } from '../support/isolate-instance.ts';
import type { Attack } from './attack.ts';
import { type Arena, endure, moduleOf, openArena, openUnguarded, outcomeOf, proveHarm } from './arena.ts';
import { JOBS } from './table/jobs.ts';
import { BUILTINS, LOOPS } from './table/loops.ts';
import { MEMORY } from './table/memory.ts';
import { POISON } from './table/poison.ts';
import { READINGS } from './table/readings.ts';
import { WASM } from './table/wasm.ts';

/** Without its guard each attack is tried too: by `npm run test:attacks` all, else some of each table. */
const EACH = process.env['ATTACKS'] === 'all' ? 1 : 6;

const TABLES: readonly (readonly [string, readonly Attack[]])[] = [
  ['loops', LOOPS], ['long builtins', BUILTINS], ['memory', MEMORY], ['WebAssembly', WASM], ['work of the Cell', JOBS], ['what somebody reads', READINGS], ['poisoned builtins', POISON],
];

describe('with its guard', () => {
  let arena: Arena;
  beforeAll(async () => { arena = await openArena(); }, 90_000);
  afterAll(() => arena.close());

  describe.concurrent.each(TABLES)('%s', (_, attacks) => {
    it.each(attacks)('$ids $name', (attack) => endure(arena, attack));
  });

  it('A14 prototypes of the host are as they were', () => {
    expect(Reflect.ownKeys(Object.prototype).filter((key) => typeof key === 'string').toSorted()).toEqual([
      '__defineGetter__', '__defineSetter__', '__lookupGetter__', '__lookupSetter__', '__proto__', 'constructor', 'hasOwnProperty', 'isPrototypeOf', 'propertyIsEnumerable', 'toLocaleString', 'toString', 'valueOf',
    ]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('no Cell broke the rules of its socket', () => {
    expect(arena.bench.hostLog.filter(({ event }) => event === 'cell.misbehaved' || event === 'cell.frame_failed')).toEqual([]);
  });
});

describe('A25 the caps on cryptography', () => {
  const cost = 'const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: ITERATIONS }, key, 256);';
  const end = async (bench: IsolateBench, iterations: number): Promise<string> => outcomeOf(createTestInstance(bench.engine, moduleOf({ code: cost.replace('ITERATIONS', String(iterations)) })), '/', { method: 'POST' });
  it('stand where they are documented, and without them the work is done', async () => {
    const limits = { cpuMs: 20_000 };
    const [bench, open] = [await openIsolateBench({ limits }), await openAlteredBench({ 'runtime/engine/cell/inside/subtle.ts': ['pbkdf2Work: 2_000_000', 'pbkdf2Work: 1e12'] }, limits)];
    try {
      expect([await end(bench, 1_000), await end(bench, 2_000_001), await end(open, 2_000_001)]).toEqual(['ok', 'MICRO_THREW', 'ok']);
    } finally {
      await bench.close();
      await open.close();
    }
  }, 60_000);
});

describe('without its guard', () => {
  let bench: IsolateBench;
  beforeAll(async () => { bench = await openUnguarded(); });
  afterAll(() => bench.close());

  const harmful = TABLES.flatMap(([, attacks]) => attacks.filter(({ guard }) => guard !== 'inert').filter((_, at) => at % EACH === 0));
  it.each(harmful)('$ids $name does harm', (attack) => proveHarm(bench, attack));
});
