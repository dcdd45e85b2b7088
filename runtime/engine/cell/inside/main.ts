// Owns the Cell process: frames in, turns, frames out. Its only door is descriptor 3; when that closes, it ends.
// Knows no files, no network and no secret. Started by cell/process.ts as `cell.cjs <isolated-vm binary>`.
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { type Frame, FrameReader, FrameWriter } from '../frames.ts';
import { type CellInit, FRAME, type InnerLimits, type MicroLoad } from '../protocol.ts';
import { EVENT, GuestIsolate, type Ivm } from './isolate.ts';
import { CellMicro, type CellState } from './micro.ts';
import { WARM_UP } from './warm-up.ts';

const BODY_MAX_BYTES = 64 * 1024 * 1024;
const SWEEP_MS = 250;
/** The apps of a whole Space may share this Cell. */
const MICROS_MAX = 1_024;

const engine = (createRequire(__filename)(process.argv[2]!) as { ivm: Ivm }).ivm;
/** All that comes is read into the same memory: a turn has taken what it needs before the next read. */
const READ_BYTES = 256 * 1024;
const arrived = Buffer.allocUnsafeSlow(READ_BYTES);
const socket = new Socket({ fd: 3, readable: true, writable: true, onread: { buffer: arrived, callback: onRead } });
const out = new FrameWriter(socket);
const micros = new Map<number, CellMicro>();
let dirty: CellMicro[] = [];
let state: CellState | undefined;
/** An isolate made ahead, for the Micro that comes first. */
let spare: GuestIsolate | undefined;
let cache: { id: number; bytes: Uint8Array } | undefined;

function onFrame(frame: Frame): void {
  switch (frame.type) {
    case FRAME.INIT: return start(JSON.parse(frame.utf8()) as CellInit, new Uint8Array(frame.body!));
    case FRAME.CACHE: cache = { id: frame.id, bytes: Buffer.from(frame.body!) }; return;
    case FRAME.LOAD: return load(frame);
    case FRAME.REQUEST: return touch(frame, (micro) => micro.request(frame));
    case FRAME.RESULT: return touch(frame, (micro) => micro.result(EVENT.result, frame, frame.utf8()));
    case FRAME.RESULT_RESPONSE: return touch(frame, (micro) => micro.result(EVENT.response, frame, frame.latin1()));
    case FRAME.RESULT_ERROR: return touch(frame, (micro) => micro.result(EVENT.failure, frame, frame.utf8()));
    case FRAME.DATA: case FRAME.END: case FRAME.CREDIT: case FRAME.STOP: case FRAME.MESSAGE: case FRAME.CLOSE: return touch(frame, (micro) => micro.stream(frame));
    case FRAME.CANCEL: return touch(frame, (micro) => micro.cancel(frame.id));
    case FRAME.PING: return out.add({ type: FRAME.PONG, id: frame.id });
    case FRAME.CAREFUL: state!.careful = frame.utf8() === '1'; return;
  }
}

/** @param body all of its buffer, which a snapshot takes along */
function start(init: CellInit, body: Uint8Array<ArrayBuffer>): void {
  if (init.mode === 'snapshot') {
    const made = engine.Isolate.createSnapshot([{ code: Buffer.from(body.buffer).toString(), filename: 'ownspace:web.js' }], WARM_UP);
    out.add({ type: FRAME.SNAPSHOT, id: 0, body: new Uint8Array(made.copy()) });
    return;
  }
  const snapshot = new engine.ExternalCopy(body.buffer, { transferOut: true });
  state = { ivm: engine, init, snapshot, out, careful: init.careful, hasRun: false };
  spare = newGuest(init);
  out.add({ type: FRAME.READY, id: 0 });
  setInterval(() => { for (const micro of micros.values()) micro.sweep(Date.now()); out.flush(); }, SWEEP_MS);
}

function newGuest(limits: InnerLimits): GuestIsolate {
  return new GuestIsolate(state!.ivm, state!.snapshot, limits);
}

function load(frame: Frame): void {
  const order = JSON.parse(frame.utf8()) as MicroLoad;
  const micro = micros.get(frame.micro) ?? newMicro(frame.micro);
  const guest = takeGuest(order.limits);
  const given = cache?.id === frame.id ? cache.bytes : null;
  cache = undefined;
  const source = frame.body === null ? '' : Buffer.from(frame.body.buffer, frame.body.byteOffset, frame.body.length).toString();
  micro.load({ id: frame.id, load: order, source, cache: given, guest });
}

function newMicro(index: number): CellMicro {
  if (micros.size >= MICROS_MAX) throw new Error('too many Micros');
  const micro = new CellMicro(index, state!);
  micros.set(index, micro);
  return micro;
}

/** The spare has the usual limits. */
function takeGuest(limits: InnerLimits): GuestIsolate {
  const { heapMb, bodyMaxBytes, dataMaxBytes } = state!.init;
  const isUsual = limits.heapMb === heapMb && limits.bodyMaxBytes === bodyMaxBytes && limits.dataMaxBytes === dataMaxBytes;
  if (!spare || !isUsual) return newGuest(limits);
  const guest = spare;
  spare = undefined;
  return guest;
}

function touch(frame: Frame, act: (micro: CellMicro) => void): void {
  const micro = micros.get(frame.micro);
  if (!micro) return;
  act(micro);
  if (!dirty.includes(micro)) dirty.push(micro);
}

const reader = new FrameReader(BODY_MAX_BYTES, onFrame, true);

function onRead(size: number): boolean {
  reader.push(arrived.subarray(0, size));
  const touched = dirty;
  dirty = [];
  for (const micro of touched) micro.run();
  out.flush();
  return true;
}

socket.resume();
socket.on('drain', () => out.flush());
for (const event of ['end', 'close', 'error']) socket.on(event, () => process.exit(0));
