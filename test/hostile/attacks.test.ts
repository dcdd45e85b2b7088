// Covers hostile code in isolate Micros, table by table: its caller gets an error, the neighbour does not notice, the Micro comes
// back. And without the guard the same code does harm.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IsolateBench } from '../support/isolate-instance.ts';
import type { Attack } from './attack.ts';
import { type Arena, endure, openArena, openUnguarded, proveHarm } from './arena.ts';
import { BUILTINS, LOOPS } from './table/loops.ts';
import { MEMORY } from './table/memory.ts';
import { POISON } from './table/poison.ts';
import { READINGS } from './table/readings.ts';
import { WASM } from './table/wasm.ts';

/** Without its guard each attack is tried too: by `npm run test:attacks` all, else some of each table. */
const EACH = process.env['ATTACKS'] === 'all' ? 1 : 6;

const TABLES: readonly (readonly [string, readonly Attack[]])[] = [
  ['loops', LOOPS], ['long builtins', BUILTINS], ['memory', MEMORY], ['WebAssembly', WASM], ['what somebody reads', READINGS], ['poisoned builtins', POISON],
];

describe('with its guard', () => {
  let arena: Arena;
  beforeAll(async () => { arena = await openArena(); });
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

describe('without its guard', () => {
  let bench: IsolateBench;
  beforeAll(async () => { bench = await openUnguarded(); });
  afterAll(() => bench.close());

  const harmful = TABLES.flatMap(([, attacks]) => attacks.filter(({ guard }) => guard !== 'inert').filter((_, at) => at % EACH === 0));
  it.each(harmful)('$ids $name does harm', (attack) => proveHarm(bench, attack));
});
