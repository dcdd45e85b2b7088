// Covers the bridge between guest, Cell and host under random input, by seed: a guest that bends everything it reaches (inside),
// frames of a Cell that was taken over, and bytes that reach a Cell (outside). `FUZZ_RUNS` says how many of each.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../core/errors.ts';
import { silentLog } from '../../core/log.ts';
import { CELL_FLAGS, findAddon } from '../../runtime/engine/cell/build.ts';
import { FrameReader } from '../../runtime/engine/cell/frames.ts';
import { FRAME } from '../../runtime/engine/cell/protocol.ts';
import { createData } from '../../sandbox-data/open.ts';
import type { Data } from '../../sandbox-data/data.ts';
import { openAlteredBench } from '../support/altered-engine.ts';
import { runFakeCell } from '../support/fake-cell.ts';
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from '../support/isolate-instance.ts';
import { LIMITS, outcomeOf } from './arena.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 30);
const FIRST_SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const SEEDS = Array.from({ length: RUNS }, (_, at) => FIRST_SEED + at);
const TIMEOUT_MS = 60_000 + RUNS * 2_000;
const FUZZ = readFileSync(new URL('../fixtures/hostile/fuzz/index.js', import.meta.url), 'utf8');

const misbehaved = (bench: IsolateBench): unknown[] => bench.hostLog.filter(({ event }) => event === 'cell.misbehaved' || event === 'cell.frame_failed' || event === 'micro.call_failed');

describe('from inside', () => {
  let bench: IsolateBench;
  let data: Data;
  let neighbour: TestInstance;
  beforeAll(async () => {
    bench = await openIsolateBench({ limits: { ...LIMITS, wallMs: 2_000, backgroundMs: 500 } });
    data = await createData({ folder: join(bench.folder, 'data'), log: silentLog });
    neighbour = createTestInstance(bench.engine, 'let n = 0; export default { fetch: () => new Response(String(++n)) };');
    await neighbour.call('/');
  });
  afterAll(async () => { await data.close(); await bench.close(); });

  async function attack(on: IsolateBench, seed: number): Promise<string> {
    const collection = data.collection({ spaceId: 'space1', collectionId: `c${seed}fuzz` });
    const services = { base: (name: string) => collection.base(name), drive: (name: string) => collection.drive(name) };
    const instance = createTestInstance(on.engine, FUZZ, { services });
    const outcome = await outcomeOf(instance, `/?seed=${seed}`, { method: 'POST', body: 'x' });
    await on.engine.stop(instance.spec.instanceId, 0);
    return outcome;
  }

  it('whatever a guest bends, its caller gets an answer, and its Cell keeps the rules', async () => {
    for (const seed of SEEDS) {
      const outcome = await attack(bench, seed);
      expect(outcome === 'ok' || outcome === 'cut' || /^\d+$/.test(outcome) || (outcome in ERRORS && ERRORS[outcome as keyof typeof ERRORS].blame === 'micro'), `seed ${seed}: ${outcome}`).toBe(true);
      expect(misbehaved(bench), `seed ${seed}`).toEqual([]);
    }
    expect(Number((await neighbour.call('/')).text)).toBe(2);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  }, TIMEOUT_MS);

  it('a Cell that does not look at what its guest wrote is caught by the same fuzz', async () => {
    const blind = await openAlteredBench({ 'runtime/engine/cell/inside/micro.ts': ['    checkMeta(record);\n', ''] }, LIMITS);
    try {
      for (let seed = 1; misbehaved(blind).length === 0 && seed < 400; seed++) await attack(blind, seed);
      expect(misbehaved(blind).length).toBeGreaterThan(0);
    } finally {
      await blind.close();
    }
  }, TIMEOUT_MS * 4);
});

describe('from outside', () => {
  let folder: string;
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'ownspace-fuzz-')); });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Frames that a Cell sends in its life, some of them bent, some of their bytes too. */
  const storm = (seed: number): string => `
    let state = ${seed} * 2654435761 >>> 0; const random = (n) => { state ^= state << 13; state ^= state >>> 17; state ^= state << 5; return (state >>> 0) % n; };
    const pick = (list) => list[random(list.length)];
    const METAS = ['', '[]', 'null', '{}', '200', '200\\na\\nb', '99', '200\\n\\n', '["base","b","get","k"]', '["base","b","put",""]', '["drive","d","get","f"]', '["drive","d","put","f","t"]', '["fetch","GET","http://a.test/","follow",[]]', '["fetch","POST","http://never.test/","manual",["a","b"]]',
      '["micro","m","GET","http://micro.invalid/","follow",[]]', '{"reason":"cpu","culprits":[2],"unstarted":[]}', '{"reason":"broken","culprits":[],"unstarted":[2]}', '["info","x"]', '["error",1]', '{"code":"MICRO_THREW","reason":"x"}', '{"code":"x","reason":1}', '{"reason":"x","stack":"y"}', '{"__proto__":{"polluted":1}}', 'x'.repeat(70000)];
    const BODIES = [undefined, '', 'x', 'body', '1', '2', '4', '4 10', '6', '99999999999', 'x'.repeat(65536), 'x'.repeat(70000)];
    const TYPES = [${Object.values(FRAME).join()}, 0, 255, ${[FRAME.CALL, FRAME.RESPONSE, FRAME.DATA, FRAME.END, FRAME.CREDIT, FRAME.STOP, FRAME.LOG, FRAME.LOADED].join()}];
    const write = socket.write.bind(socket);
    socket.write = (bytes) => { if (random(60) === 0) bytes[random(bytes.length)] ^= 1 << random(8); if (random(80) === 0) bytes = bytes.subarray(0, random(bytes.length)); const cut = random(bytes.length); write(bytes.subarray(0, cut)); return write(bytes.subarray(cut)); };
    if (random(4) > 0) frame(${FRAME.LOADED}, 1, 0);
    for (let i = 0; i < 120; i++) frame(pick(TYPES), random(9), pick([0, 1, 2, 3, 65536, 0xffffffff]), pick(METAS), pick(BODIES), random(12) ? 0 : random(3), pick([0, 0, 0, 8, 8, 2, 4, 15]));
    setTimeout(() => process.exit(), 200);`;

  it('whatever a Cell sends, the host lives, its caller gets an answer, and nothing but the protocol ends it', async () => {
    const seeds = [...SEEDS];
    const next = async (): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const { outcome, end, hostLog, asked } = await runFakeCell(folder, storm(seed));
        expect(/^\d{3}$/.test(outcome) || (outcome in ERRORS && ERRORS[outcome as keyof typeof ERRORS].blame === 'micro'), `seed ${seed}: ${outcome}`).toBe(true);
        expect(['protocol', 'crash', 'retired'], `seed ${seed}`).toContain(end);
        expect(hostLog.filter(({ event }) => event === 'cell.frame_failed' || event === 'micro.call_failed'), `seed ${seed}`).toEqual([]);
        for (const call of asked) expect(call, `seed ${seed}`).not.toMatch(/"hops":[0-3]\b/);
      }
    };
    await Promise.all([next(), next(), next()]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  }, TIMEOUT_MS);

  it('whatever reaches a Cell, it sends frames or ends', async () => {
    const bench = await openIsolateBench();
    await createTestInstance(bench.engine, 'export default () => new Response("x");').call('/');
    const program = join(bench.folder, 'cache', (await readdir(join(bench.folder, 'cache'))).find((name) => /^cell-.*\.cjs$/.test(name))!);
    for (const seed of SEEDS.slice(0, Math.ceil(RUNS / 3))) {
      const child = spawn(process.execPath, [...CELL_FLAGS, program, findAddon()], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
      const socket = child.stdio[3] as Socket;
      const reader = new FrameReader(1_000_000, () => {});
      socket.on('data', (chunk: Buffer) => reader.push(chunk)).on('error', () => {});
      socket.write(randomBytesOf(seed));
      socket.end();
      const [code, signal] = await once(child, 'exit');
      expect(signal, `seed ${seed}`).toBeNull();
      expect(code, `seed ${seed}`).toBeTypeOf('number');
    }
    await bench.close();
  }, TIMEOUT_MS);

  it('an honest Cell gets an answer for the same request', async () => {
    expect(await runFakeCell(folder, `frame(${FRAME.LOADED}, 1, 0); frame(${FRAME.RESPONSE}, 2, 0, '200', 'x');`)).toMatchObject({ outcome: '200', end: 'retired', hostLog: [] });
  });
});

/** Sometimes the head of a frame, then noise. */
function randomBytesOf(seed: number): Buffer {
  const bytes = Buffer.alloc(2_000);
  let state = seed * 2654435761 >>> 0;
  for (let at = 0; at < bytes.length; at++) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    bytes[at] = state & 255;
  }
  if (seed % 2 === 0) {
    bytes.writeUInt32LE(200, 0);
    bytes[4] = seed % 40;
    bytes[5] = seed % 16;
    bytes.writeUInt32LE(10, 16);
  }
  return bytes;
}
