// Owns one Cell process as the host sees it: spawn, the socket to it, frames both ways, its end.
// Knows no Instance and no Micro. A peer that breaks the protocol is killed.
import { basename, dirname } from 'node:path';
import type { Log } from '../../../core/log.ts';
import type { Jail } from '../../../sandbox/jail.ts';
import { type Jailed, keepTail, launch, type LaunchSpec } from '../../../sandbox/launch.ts';
import { INSIDE } from '../../../sandbox/self-test.ts';
import { CELL_FLAGS, type CellParts } from './build.ts';
import { type IsolateLimits, LIMITS } from './limits.ts';
import { type Frame, FrameReader, FrameWriter, type Outgoing } from './frames.ts';
import { type CellInit, FRAME, ProtocolError } from './protocol.ts';

/** Why a Cell ended. `idle` and `retired` are ours; `crash` is its own doing. */
export type CellEnd = 'cpu' | 'silent' | 'memory' | 'protocol' | 'crash' | 'idle' | 'retired';

export interface CellProcessOptions {
  parts: Omit<CellParts, 'snapshot'>;
  limits: IsolateLimits;
  /** For the apps of a whole Space: then it holds more isolates than a limit on addresses bears. */
  isShared: boolean;
  /** Undefined where this machine has none. */
  jail: Jail | undefined;
  log: Log;
}

/** V8 reserves half a gigabyte of writable addresses for the code of each isolate: the limit is the last fence, memory is watched. */
const DATA_HEADROOM_MB = 6 * 1024;
const LAST_WORDS_MS = 100;
const BACKLOG_MAX_BYTES = 256 * 1024 * 1024;
const OUT_OF_MEMORY = /out of memory|Allocation failed|JavaScript heap|bad_alloc/i;

export class CellProcess {
  onFrame: (frame: Frame) => void = () => {};
  /** `used`: what was measured when it was killed for a limit, else 0. */
  onEnd: (end: CellEnd, used: number) => void = () => {};
  /** Settles when the Cell said READY, or died before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  isReady = false;
  isDead = false;
  #launched: Jailed;
  #isJailed: boolean;
  #innerPid: number | undefined;
  #writer: FrameWriter;
  #reader: FrameReader;
  #flushing = false;
  #end: CellEnd | undefined;
  #used = 0;
  #log: Log;

  /** @throws Error when this machine cannot start one now */
  static async start(options: CellProcessOptions): Promise<CellProcess> {
    return new CellProcess(options, await launch({ ...cellProgram(options), env: {}, stdio: STDIO, limits: cellLimits(options) }));
  }

  private constructor(options: CellProcessOptions, launched: Jailed) {
    this.#log = options.log;
    this.#isJailed = options.jail !== undefined;
    this.#launched = launched;
    void launched.inside?.then((pid) => { this.#innerPid = pid; });
    const socket = launched.stdio[3]!;
    this.#writer = new FrameWriter(socket);
    this.#reader = new FrameReader(LIMITS.dataMaxBytes.max + LIMITS.bodyMaxBytes.max, (frame) => this.#take(frame));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#writer.flush());
    // The exit itself follows and says more; a process that only closed its door is ended.
    for (const event of ['error', 'end']) socket.on(event, () => setTimeout(() => launched.kill(), LAST_WORDS_MS).unref());
    let settle: () => void;
    this.ready = new Promise((resolve) => { settle = resolve; });
    this.#onReady = () => { this.isReady = true; settle(); };
    this.exited = this.#watchExit(() => settle());
  }

  #onReady: () => void;

  /** Of the Cell itself; 0 while nobody knows it. */
  get pid(): number {
    return (this.#isJailed ? this.#innerPid : this.#launched.pid) ?? 0;
  }

  begin(init: CellInit, body: Uint8Array): void {
    this.send({ type: FRAME.INIT, id: 0, meta: JSON.stringify(init), body, whole: true });
  }

  /** Sent with everything else of this tick. */
  send(frame: Outgoing): void {
    if (this.isDead) return;
    this.#writer.add(frame);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#flush);
  }

  #flush = (): void => {
    this.#flushing = false;
    if (this.isDead) return;
    this.#writer.flush();
    if (this.#writer.backlogBytes > BACKLOG_MAX_BYTES) this.kill('protocol');
  };

  /** @param used milliseconds or megabytes, where a limit is the reason */
  kill(end: CellEnd, used = 0): void {
    if (this.isDead) return;
    this.#end ??= end;
    this.#used = used;
    this.#launched.kill();
    this.#die();
  }

  #read(chunk: Buffer): void {
    if (this.isDead) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#log.warn('cell.misbehaved', { pid: this.pid, error: error instanceof Error ? error : String(error) });
      if (!(error instanceof ProtocolError) && !(error instanceof SyntaxError)) this.#log.error('cell.frame_failed', { error });
      this.kill('protocol');
    }
  }

  #take(frame: Frame): void {
    if (this.isDead) return;
    if (frame.type === FRAME.READY) this.#onReady();
    else this.onFrame(frame);
  }

  async #watchExit(settle: () => void): Promise<void> {
    const words = [keepTail(this.#launched.stdio[1]), keepTail(this.#launched.stdio[2])];
    const { code, signal } = await this.#launched.closed();
    const said = words.map((word) => word()).join('').trim();
    if (this.#end === undefined) {
      this.#end = OUT_OF_MEMORY.test(said) ? 'memory' : 'crash';
      this.#log.warn('cell.crashed', { pid: this.pid, code, signal, said: said.slice(-2_000) });
    }
    this.#die();
    settle();
  }

  #die(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.onEnd(this.#end ?? 'crash', this.#used);
  }
}

const STDIO: LaunchSpec['stdio'] = ['ignore', 'pipe', 'pipe', 'pipe'];

/** A jailed Cell has no file that it could write, and bubblewrap, which starts it, has to. */
function cellLimits({ limits, jail, isShared }: CellProcessOptions): LaunchSpec['limits'] {
  return { ...(isShared ? {} : { dataBytes: (limits.cellMb + DATA_HEADROOM_MB) * 1024 * 1024 }), openFiles: 64, ...(jail ? {} : { fileSizeBytes: 0 }) };
}

function cellProgram({ parts, jail }: CellProcessOptions): Pick<LaunchSpec, 'command' | 'jail'> {
  if (!jail) return { command: cellCommand(process.execPath, parts.programPath, parts.addonPath) };
  const program = `/cell/${basename(parts.programPath)}`;
  return { command: cellCommand(INSIDE.node, program, INSIDE.module), jail: { ...jail, copy: { [program]: parts.programPath } } };
}

/** Node's permission model is a second fence: no files but these two, no children, no workers. */
function cellCommand(node: string, program: string, addon: string): string[] {
  const fence = ['--permission', '--allow-addons', `--allow-fs-read=${program}`, `--allow-fs-read=${dirname(addon)}`];
  return [node, ...CELL_FLAGS, ...fence, '--disable-warning=SecurityWarning', program, addon];
}
