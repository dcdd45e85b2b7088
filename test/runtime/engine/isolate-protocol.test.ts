// Covers the frames between host and Cell: whole and in pieces, and a peer that sends anything at all.
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResponseHead } from '../../../runtime/engine/cell/head.ts';
import { readRecords } from '../../../runtime/engine/cell/inside/records.ts';
import { FrameReader, FrameWriter, type Outgoing } from '../../../runtime/engine/cell/frames.ts';
import { FLAG, FRAME, ProtocolError } from '../../../runtime/engine/cell/protocol.ts';
import { type FakeCellRun, runFakeCell } from '../../support/fake-cell.ts';

/** Everything that was written, as one buffer. */
function encode(frames: Outgoing[]): Buffer {
  const written: Buffer[] = [];
  const writer = new FrameWriter({ write: (bytes) => { written.push(Buffer.from(bytes)); return true; }, cork: () => {}, uncork: () => {}, writableLength: 0 });
  for (const frame of frames) writer.add(frame);
  writer.flush();
  return Buffer.concat(written);
}

function decode(pieces: Buffer[]): { type: number; id: number; meta: string; body: string | null }[] {
  const frames: ReturnType<typeof decode> = [];
  const reader = new FrameReader(10_000_000, (frame) => frames.push({ type: frame.type, id: frame.id, meta: frame.utf8(), body: frame.body && Buffer.from(frame.body).toString('latin1') }));
  for (const piece of pieces) reader.push(piece);
  return frames;
}

function cut(bytes: Buffer, sizes: number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const outgoing = fc.record({
  type: fc.constantFrom(FRAME.REQUEST, FRAME.RESULT, FRAME.CALL, FRAME.LOG), id: fc.nat(0xffffff), meta: fc.string({ unit: 'grapheme', maxLength: 200 }),
  body: fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 100 }), fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 60_000, max: 200_000 }).map((size) => new Uint8Array(size).fill(size))),
  whole: fc.boolean(),
});
const bodyText = (body: Outgoing['body']): string | null => (body === null || body === undefined ? null : Buffer.from(body as string).toString('latin1'));

describe('frames', () => {
  it('arrive as they were sent, however they are cut', () => {
    fc.assert(fc.property(fc.array(outgoing, { maxLength: 8 }), fc.array(fc.integer({ min: 50, max: 70_000 }), { minLength: 1, maxLength: 5 }), (list, sizes) => {
      const frames = list.map((frame, at) => ({ ...frame, id: at }));
      const arrived = decode(cut(encode(frames), sizes)).sort((a, b) => a.id - b.id);
      expect(arrived).toEqual(frames.map(({ type, id, meta, body }) => ({ type, id, meta: Buffer.from(meta).toString(), body: bodyText(body) })));
    }), { numRuns: 60 });
  });

  it('with bytes of a stream give these as they come, all and in order, between the others', () => {
    const noise = randomBytes(310_000);
    const piece = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 7_000, max: 9_000 }), fc.integer({ min: 60_000, max: 300_000 }));
    fc.assert(fc.property(fc.array(fc.record({ size: piece, isOwn: fc.boolean(), id: fc.integer({ min: 1, max: 3 }) }), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }), fc.boolean(), (pieces, sizes, borrows) => {
      const bodies = pieces.map(({ size }, at) => noise.subarray(at, at + size));
      const bytes = encode(pieces.flatMap(({ id, isOwn }, at): Outgoing[] => [{ type: FRAME.DATA, micro: 1, id, body: bodies[at]!, isOwn }, { type: FRAME.CREDIT, id, other: at }]));
      const came: Buffer[] = [];
      let current = 0;
      const reader = new FrameReader(10_000_000, ({ type, id, body, other, micro }) => {
        if (type === FRAME.CREDIT) return expect([id, other]).toEqual([pieces[current]!.id, current++]);
        expect([type, micro, id]).toEqual([FRAME.DATA, 1, pieces[current]!.id]);
        came[current] = Buffer.concat([came[current] ?? Buffer.alloc(0), body!]);
      }, borrows);
      for (const part of cut(bytes, sizes)) {
        const lent = Buffer.from(part);
        reader.push(lent);
        if (borrows) lent.fill(0xee);
      }
      expect(came.map((body, at) => body.equals(bodies[at]!))).toEqual(pieces.map(() => true));
    }), { numRuns: 12 });
  });

  it('small ones overtake a large one, unless it must stay whole', () => {
    const large = new Uint8Array(500_000);
    const order = (whole: boolean): number[] => decode([encode([{ type: FRAME.REQUEST, id: 1, body: large, whole }, { type: FRAME.REQUEST, id: 2 }])]).map((frame) => frame.id);
    expect([order(false), order(true)]).toEqual([[2, 1], [1, 2]]);
  });

  it('of any other kind are a ProtocolError and nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        decode([Buffer.from(bytes)]);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }), { numRuns: 500 });
  });

  it.each([
    ['too long', () => { const bytes = Buffer.alloc(24); bytes.writeUInt32LE(0x7fffffff); return bytes; }],
    ['shorter than a header', () => { const bytes = Buffer.alloc(24); bytes.writeUInt32LE(5); return bytes; }],
    ['with a meta beyond its end', () => { const bytes = encode([{ type: FRAME.LOG, id: 0, meta: 'x' }]); bytes.writeUInt32LE(9_999, 16); return bytes; }],
    ['a piece of nothing', () => encode([{ type: FRAME.CHUNK, id: 7, body: 'x' }])],
    ['a body over the limit', () => encode([{ type: FRAME.REQUEST, id: 1, body: new Uint8Array(11_000_000) }])],
  ])('that are %s are refused', (_, make) => {
    expect(() => decode([make()])).toThrow(ProtocolError);
  });
});

describe('records of a guest', () => {
  it('of any kind are read or refused', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.tuple(fc.constantFrom('R', 'C', 'L', '?'), fc.string(), fc.integer(), fc.string(), fc.constantFrom('S', 'M', 'B', 'T', 'M1+')).map(([kind, a, b, c, body]) => `${kind}${a} ${b} ${c.length} ${body}${b}\n${c}`)), (text) => {
      try {
        readRecords(text, () => {});
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }), { numRuns: 500 });
  });

  it('say where bytes lie that crossed in shared memory', () => {
    const read = (text: string): unknown[] => { const bodies: unknown[] = []; readRecords(text, ({ body }) => bodies.push(body)); return bodies; };
    expect(read('P4 0 0 M8+5\nP4 0 0 M16+0\n')).toEqual([{ at: 8, size: 5 }, { at: 16, size: 0 }]);
    for (const place of ['M', 'M8', 'M-8+5', 'M8+x', 'M8+5+5', 'M1.5+5', 'M8+4294967296']) expect(() => read(`P4 0 0 ${place}\n`), place).toThrow(TypeError);
  });

  it('give heads that are checked', () => {
    expect(parseResponseHead('200\na\nb')).toEqual({ status: 200, headers: ['a', 'b'] });
    for (const head of ['', '99', '600', 'NaN', '200\na', '200\n\nb', '200\na b\nc', '200\na\nb\rc', '200\na\n\0']) expect(() => parseResponseHead(head), head).toThrow(expect.objectContaining({ code: 'MICRO_BAD_RESPONSE' }));
  });
});

describe('a Cell that was taken over', () => {
  let folder: string;
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'ownspace-evil-')); });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = (script: string, limitMs?: number): Promise<FakeCellRun> => runFakeCell(folder, script, limitMs);

  // The load has id 1, the request id 2.
  it('answers like any other while it keeps to the rules', async () => {
    expect(await run(`frame(${FRAME.RESPONSE}, 2, 0, '200\\na\\nb', 'x');`)).toMatchObject({ outcome: '200', end: 'retired' });
  });

  it.each([
    ['garbage', `socket.write(require('crypto').randomBytes(5000));`],
    ['a frame of 2 GB', `const head = Buffer.alloc(20); head.writeUInt32LE(0x7fffffff); socket.write(head);`],
    ['a frame for the Cell', `frame(${FRAME.INIT}, 0, 0, '{}');`],
    ['an unknown frame', 'frame(99, 0, 0);'],
    ['a Micro that is none', `frame(${FRAME.CALL}, 1, 2, '["base","b","get","k"]', undefined, 7);`],
    ['a log entry that is none', `frame(${FRAME.LOG}, 0, 0, '{"length":2}');`],
    ['a log entry that is no JSON', `frame(${FRAME.LOG}, 0, 0, '[');`],
    ['a loss that is none', `frame(${FRAME.LOST}, 0, 0, 'null');`],
    ['ten thousand calls', `for (let i = 0; i < 10000; i++) frame(${FRAME.CALL}, i, 2, '["fetch","GET","http://never.test/","follow",[]]');`],
    ['bytes of a stream that is none', `frame(${FRAME.DATA}, 4, 0, '', 'x');`],
    ['bytes of a stream of the host', `frame(${FRAME.DATA}, 1, 0, '', 'x');`],
    ['the end of a stream that is none', `frame(${FRAME.END}, 4, 0);`],
    ['credit for a stream that is none', `frame(${FRAME.CREDIT}, 1, 1000);`],
    ['a stop of a stream that is none', `frame(${FRAME.STOP}, 77, 0);`],
    ['a message of a socket that is none', `frame(${FRAME.MESSAGE}, 4, 0, '', 'x');`],
    ['the close of a socket that is none', `frame(${FRAME.CLOSE}, 4, 1000);`],
    ['a stream without an id', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://a.test/","follow",[]]', 'x', 0, ${FLAG.stream});`],
    ['a stream with an id of the host', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://a.test/","follow",[]]', '5', 0, ${FLAG.stream});`],
    ['one stream twice', `for (let i = 0; i < 2; i++) frame(${FRAME.CALL}, i, 2, '["fetch","POST","http://never.test/","follow",[]]', '4', 0, ${FLAG.stream});`],
    ['more of a stream than was asked for', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://never.test/","follow",[]]', '4', 0, ${FLAG.stream}); for (let i = 0; i < 5; i++) frame(${FRAME.DATA}, 4, 0, '', Buffer.alloc(60000));`],
    ['nothing as a piece of a stream', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://never.test/","follow",[]]', '4', 0, ${FLAG.stream}); frame(${FRAME.DATA}, 4, 0, '', '');`],
    ['bytes after the end of a stream', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://never.test/","follow",[]]', '4', 0, ${FLAG.stream}); frame(${FRAME.END}, 4, 0); frame(${FRAME.DATA}, 4, 0, '', 'x');`],
    ['an end that is no reason', `frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://never.test/","follow",[]]', '4', 0, ${FLAG.stream}); frame(${FRAME.END}, 4, 0, '{"reason":7}');`],
    ['five thousand streams', `for (let i = 1; i <= 5000; i++) frame(${FRAME.RESPONSE}, 99, 0, '200', String(i * 4), 0, ${FLAG.stream});`],
    ['a message under the id of another socket', `frame(${FRAME.CALL}, 1, 2, '["socket"]', '4', 0, ${FLAG.stream | FLAG.socket}); frame(${FRAME.MESSAGE}, 8, 0, '', 'x');`],
    ['a socket under an id of the host', `frame(${FRAME.CALL}, 1, 2, '["socket","ws://never.test/"]', '5', 0, ${FLAG.stream | FLAG.socket});`],
    ['more messages than were asked for', `frame(${FRAME.CALL}, 1, 2, '["socket","ws://never.test/"]', '4', 0, ${FLAG.stream | FLAG.socket}); for (let i = 0; i < 6; i++) frame(${FRAME.MESSAGE}, 4, 0, '', Buffer.alloc(60000));`],
    ['two ends of one socket', `frame(${FRAME.CALL}, 1, 2, '["socket","ws://never.test/"]', '4', 0, ${FLAG.stream | FLAG.socket}); for (let i = 0; i < 2; i++) frame(${FRAME.CLOSE}, 4, 1000);`],
    ['more credit for a socket than there is', `frame(${FRAME.CALL}, 1, 2, '["socket","ws://never.test/"]', '4', 0, ${FLAG.stream | FLAG.socket}); frame(${FRAME.CREDIT}, 4, 1);`],
    ['its own end', 'process.exit(3);'],
  ])('and sends %s, is ended, and its caller hears of it', async (_, script) => {
    const { outcome, end } = await run(script);
    expect(end).toMatch(/^(protocol|crash)$/);
    expect(outcome).toBe('MICRO_CRASHED');
  });

  it.each(['{"0":"base"}', '[', '', 'null', '["constructor","x"]', '["base",1,"get",{}]', '["micro",{},{}]'])('and asks %s, is told that this is no question', async (question) => {
    const { outcome, asked } = await run(`
      socket.on('data', (bytes) => { if (bytes.includes('no call to the host')) frame(${FRAME.RESPONSE}, 2, 0, '200'); });
      frame(${FRAME.CALL}, 1, 2, ${JSON.stringify(question)});`);
    expect({ outcome, asked }).toEqual({ outcome: '200', asked: [] });
  });

  it('may announce, send, end and stop streams as it should', async () => {
    const { outcome, end } = await run(`frame(${FRAME.CALL}, 1, 2, '["fetch","POST","http://a.test/","follow",[]]', '4', 0, ${FLAG.stream}); frame(${FRAME.DATA}, 4, 0, '', Buffer.alloc(60000)); frame(${FRAME.END}, 4, 0);
      frame(${FRAME.CALL}, 2, 2, '["socket","ws://never.test/"]', '8', 0, ${FLAG.stream | FLAG.socket}); frame(${FRAME.MESSAGE}, 8, 0, '', Buffer.alloc(60000)); frame(${FRAME.CLOSE}, 8, 1000);
      frame(${FRAME.RESPONSE}, 2, 1, '200', '12', 0, ${FLAG.stream}); frame(${FRAME.DATA}, 12, 0, '', Buffer.alloc(60000)); frame(${FRAME.END}, 12, 0);`);
    expect({ outcome, end }).toEqual({ outcome: '200', end: 'retired' });
  });

  it('cannot answer with a WebSocket where none was asked for', async () => {
    expect(await run(`frame(${FRAME.RESPONSE}, 2, 1, '101', '4', 0, ${FLAG.stream | FLAG.socket});`)).toMatchObject({ outcome: 'MICRO_BAD_RESPONSE', end: 'retired' });
  });

  it('cannot answer for others, forge its depth, or name another\'s data', async () => {
    const { asked, outcome } = await run(`
      frame(${FRAME.RESPONSE}, 77, 0, '200'); frame(${FRAME.DONE}, 2, 0); frame(${FRAME.LOADED}, 9, 0);
      frame(${FRAME.CALL}, 1, 999, '["fetch","GET","http://a.test/","follow",["hops","0"]]');
      frame(${FRAME.CALL}, 2, 2, '["micro","m","GET","http://micro.invalid/x","follow",[],{"hops":0,"instanceId":"other"}]');
      setTimeout(() => frame(${FRAME.RESPONSE}, 2, 0, '201'), 200);`);
    expect(outcome).toBe('201');
    expect(asked).toHaveLength(2);
    for (const call of asked) expect(call).toContain('"hops":4');
    expect(asked[1]).toContain('"m",{"id":"r","method":"GET","url":"http://a.test/x"');
    expect(asked.join()).not.toContain('other');
  });

  it('survives a storm of random frames without harm to the host', async () => {
    await Promise.all(Array.from({ length: 4 }, (_, seed) => run(`
      let state = ${seed + 1}; const random = (n) => { state = (state * 1103515245 + 12345) & 0x7fffffff; return state % n; };
      const metas = ['', '[]', 'null', '{}', '200', '["base"]', '["drive","d","put","f"]', '["fetch",1,2,3]', '{"reason":"cpu","culprits":[2],"unstarted":[]}', '["info","x"]', '{"code":"x"}', '["micro","m","GET","/","follow",["a"]]'];
      for (let i = 0; i < 50; i++) frame((random(3) ? 20 : 10) + random(15), random(13), random(4), metas[random(metas.length)], random(2) ? 'body' : undefined, random(8) ? 0 : 1, random(8));
      setTimeout(() => process.exit(), 500);`)));
  });
});
