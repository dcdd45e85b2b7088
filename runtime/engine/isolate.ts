// Owns the isolate Engine: which Cell runs which Instance, waking, retiring, retrying, quarantine.
// Never loads isolated-vm: that happens in Cells, processes of their own.
import { Readable } from 'node:stream';
import { isSpaceError, SpaceError, toSpaceError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Jail } from '../../sandbox/jail.ts';
import { type SandboxReport, testSandbox } from '../../sandbox/self-test.ts';
import { headerValue } from '../http/headers.ts';
import { buildCell, type CellParts, CodeCache, findAddon } from './cell/build.ts';
import { requestHead } from './cell/head.ts';
import type { Flight } from './cell/flight.ts';
import { collectBody } from './cell/host-call.ts';
import { DEFAULT_LIMITS, type IsolateLimits } from './cell/limits.ts';
import { CellPool } from './cell/pool.ts';
import { CellProcess } from './cell/process.ts';
import { type CellInit, CHUNK_BYTES, FRAME } from './cell/protocol.ts';
import { Quarantine } from './cell/quarantine.ts';
import { RunningCell } from './cell/running-cell.ts';
import type { Engine, InstanceSpec, MicroRequest, MicroResponse } from './engine.ts';

export interface IsolateEngineOptions {
  log: Log;
  clock: Clock;
  /** For what is made once: written by the host alone. */
  cacheFolder: string;
  limits?: Partial<IsolateLimits>;
  /** `false`: Cells without a jail, also where this machine could make one. */
  isJailed?: boolean;
}

/** Who may share an OS process. One Instance, unless an owner widens it. */
export function cordonOf(instance: InstanceSpec): string {
  return instance.instanceId;
}

export interface CellEngine extends Engine {
  /** How well this machine contains a Cell. */
  sandbox(): Promise<SandboxReport>;
}

/** @throws ISOLATED_VM_MISSING */
export function createIsolateEngine(options: IsolateEngineOptions): CellEngine {
  return new IsolateEngine(options, findAddon());
}

interface Cordon {
  /** Of the Instance, when the cordon is one Instance. */
  generation: string;
  running: RunningCell | undefined;
  starting: Flight[] | undefined;
  carefulUntil: number;
  /** Stopped while it was waking. */
  isStopped: boolean;
}

const ATTEMPTS_MAX = 3;
const CAREFUL_MS = 30_000;
const DRAIN_MS = 30_000;

class IsolateEngine implements CellEngine {
  #options: IsolateEngineOptions;
  #limits: IsolateLimits;
  #cordons = new Map<string, Cordon>();
  /** All that run, also those that only finish what they have. */
  #running = new Set<RunningCell>();
  #quarantine: Quarantine;
  #codeCache: CodeCache;
  #addonPath: string;
  #built: Promise<{ parts: CellParts; pool: CellPool }> | undefined;
  #stopSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(options: IsolateEngineOptions, addonPath: string) {
    this.#options = options;
    this.#addonPath = addonPath;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#quarantine = new Quarantine(this.#limits.quarantineMs, options.clock);
    this.#codeCache = new CodeCache(options.cacheFolder);
    this.#build().catch((error) => options.log.error('isolate_engine.build_failed', { error }));
  }

  fetch(instance: InstanceSpec, micro: string, request: MicroRequest): Promise<MicroResponse> {
    if (request.hops > this.#limits.hopsMax) return Promise.reject(new SpaceError('MICRO_LOOP', { limit: this.#limits.hopsMax }));
    const { body } = request;
    if (body === null) return this.#dispatch(instance, micro, request, body);
    if (body instanceof Uint8Array) return this.#dispatch(instance, micro, request, body.length > this.#limits.bodyMaxBytes ? Readable.from([body]) : body);
    // One frame is cheaper than a stream, and can be sent again.
    const length = Number(headerValue(request.headers, 'content-length') ?? Infinity);
    if (length > CHUNK_BYTES) return this.#dispatch(instance, micro, request, body);
    return collectBody(body, CHUNK_BYTES).then((bytes) => this.#dispatch(instance, micro, request, bytes));
  }

  #dispatch(instance: InstanceSpec, micro: string, request: MicroRequest, body: Uint8Array | Readable | null): Promise<MicroResponse> {
    return new Promise((resolve, reject) => {
      const flight: Flight = {
        instance, micro, request, body, resolve, reject, attempts: 0, isOver: false,
        head: requestHead(request.method, request.url, request.headers),
        deadline: this.#options.clock.now() + this.#limits.wallMs,
      };
      if (request.signal) this.#abortable(flight, request.signal);
      this.#run(flight);
    });
  }

  #abortable(flight: Flight, signal: AbortSignal): void {
    const gone = (): void => {
      if (flight.isOver) return;
      flight.isOver = true;
      this.#cordons.get(cordonOf(flight.instance))?.running?.cancel(flight);
      flight.reject(new SpaceError('MICRO_TIMEOUT', { limitMs: this.#limits.wallMs }, { cause: signal.reason }));
    };
    if (signal.aborted) gone();
    else signal.addEventListener('abort', gone, { once: true });
  }

  #run(flight: Flight): void {
    if (flight.isOver) return;
    const refusal = this.#isClosed ? new SpaceError('MICRO_CRASHED') : this.#quarantine.refusal(flight.instance.instanceId, flight.micro);
    // Who was there before and is not to blame may finish.
    if (refusal && (this.#isClosed || flight.attempts === 0)) return this.#fail(flight, refusal);
    flight.attempts++;
    const cordon = this.#cordonFor(flight.instance);
    if (cordon.running && !cordon.running.isRetired && !cordon.running.cell.isDead) return cordon.running.run(flight);
    if (cordon.starting) { cordon.starting.push(flight); return; }
    cordon.starting = [flight];
    void this.#wake(cordon);
  }

  #fail(flight: Flight, error: SpaceError): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.reject(error);
  }

  #cordonFor(instance: InstanceSpec): Cordon {
    const id = cordonOf(instance);
    let cordon = this.#cordons.get(id);
    if (!cordon) this.#cordons.set(id, cordon = { generation: instance.generation, running: undefined, starting: undefined, carefulUntil: 0, isStopped: false });
    if (cordon.generation !== instance.generation) {
      cordon.generation = instance.generation;
      this.#quarantine.forgive(instance.instanceId);
      if (cordon.running) this.#retire(cordon.running, DRAIN_MS);
      cordon.running = undefined;
    }
    return cordon;
  }

  /** Concurrent first requests share one start. */
  async #wake(cordon: Cordon): Promise<void> {
    try {
      const { pool } = await this.#build();
      if (this.#isClosed || cordon.isStopped) throw new SpaceError('MICRO_CRASHED');
      const careful = this.#options.clock.now() < cordon.carefulUntil;
      const running = this.#runIn(pool.take(), cordon, careful);
      cordon.running = running;
      this.#running.add(running);
      this.#startSweep();
      const flights = cordon.starting ?? [];
      cordon.starting = undefined;
      for (const flight of flights) running.run(flight);
    } catch (error) {
      const flights = cordon.starting ?? [];
      cordon.starting = undefined;
      for (const flight of flights) this.#fail(flight, toSpaceError(error));
    }
  }

  #runIn(cell: CellProcess, cordon: Cordon, careful: boolean): RunningCell {
    const { log, clock } = this.#options;
    const running: RunningCell = new RunningCell({
      cell, careful, limits: this.#limits, clock, log, codeCache: this.#codeCache,
      onRetry: (flights, failure) => this.#retry(cordon, flights, failure),
      onStrike: (instanceId, micro, reason) => this.#quarantine.strike(instanceId, micro, reason),
      onEnd: () => {
        this.#running.delete(running);
        if (cordon.running === running) cordon.running = undefined;
      },
    });
    return running;
  }

  #retry(cordon: Cordon, flights: Flight[], failure: SpaceError): void {
    cordon.carefulUntil = this.#options.clock.now() + CAREFUL_MS;
    for (const flight of flights) {
      if (flight.attempts >= ATTEMPTS_MAX) this.#fail(flight, failure);
      else this.#run(flight);
    }
  }

  #build(): Promise<{ parts: CellParts; pool: CellPool }> {
    this.#built ??= this.#buildNow().catch((error) => {
      this.#built = undefined;
      throw error;
    });
    return this.#built;
  }

  async #buildNow(): Promise<{ parts: CellParts; pool: CellPool }> {
    const { jail } = this.#options.isJailed === false ? { jail: undefined } : await this.sandbox();
    const parts = await buildCell(this.#options.cacheFolder, this.#addonPath, (base, source) => this.#makeSnapshot(base, source, jail));
    const pool = new CellPool(this.#limits.poolSize, () => this.#spawn(parts, jail));
    pool.fill();
    return { parts, pool };
  }

  sandbox(): Promise<SandboxReport> {
    return testSandbox(this.#addonPath);
  }

  #newProcess(parts: Omit<CellParts, 'snapshot'>, jail: Jail | undefined): CellProcess {
    return new CellProcess({ parts, jail, limits: this.#limits, log: this.#options.log });
  }

  #init(mode: CellInit['mode']): CellInit {
    const { heapMb, bodyMaxBytes, dataMaxBytes, cpuMs, startMs } = this.#limits;
    return { mode, heapMb, bodyMaxBytes, dataMaxBytes, cpuMs, startMs, careful: false };
  }

  #spawn(parts: CellParts, jail: Jail | undefined): CellProcess {
    const cell = this.#newProcess(parts, jail);
    cell.start(this.#init('serve'), parts.snapshot);
    return cell;
  }

  /** In a Cell that runs nothing else. */
  async #makeSnapshot(parts: Omit<CellParts, 'snapshot'>, source: string, jail: Jail | undefined): Promise<Buffer> {
    const cell = this.#newProcess(parts, jail);
    try {
      return await new Promise((resolve, reject) => {
        cell.onFrame = (frame) => { if (frame.type === FRAME.SNAPSHOT && frame.body) resolve(Buffer.from(frame.body)); };
        cell.onEnd = (end) => reject(new Error(`the snapshot was not made: ${end}`));
        cell.start(this.#init('snapshot'), Buffer.from(source));
      });
    } finally {
      cell.onEnd = () => {};
      cell.kill('retired');
    }
  }

  #startSweep(): void {
    this.#stopSweep ??= this.#options.clock.after(this.#limits.watchMs, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const running of this.#running) {
      running.sweep(now);
      const isIdle = running.load === 0;
      if (isIdle && (running.isRetired || now - running.idleSince > this.#limits.idleMs)) running.cell.kill(running.isRetired ? 'retired' : 'idle');
    }
    this.#stopSweep = undefined;
    if (this.#running.size > 0 && !this.#isClosed) this.#startSweep();
  }

  /** No new requests; those in flight may finish. */
  #retire(running: RunningCell, graceMs: number): void {
    running.isRetired = true;
    if (running.load === 0) running.cell.kill('retired');
    else this.#options.clock.after(graceMs, () => running.cell.kill('retired'));
  }

  async stop(instanceId: string, graceMs = 5_000): Promise<void> {
    const mine = [...this.#running].filter((running) => running.serves(instanceId));
    for (const running of mine) this.#retire(running, graceMs);
    this.#quarantine.forgive(instanceId);
    const cordon = this.#cordons.get(instanceId);
    if (cordon) cordon.isStopped = true;
    this.#cordons.delete(instanceId);
    await Promise.all(mine.map((running) => running.cell.exited));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopSweep?.();
    const ended = [...this.#running].map((running) => { running.cell.kill('retired'); return running.cell.exited; });
    const built = await this.#built?.catch((error) => { if (!isSpaceError(error)) this.#options.log.debug('isolate_engine.not_built', { error }); return undefined; });
    await Promise.all([...ended, built?.pool.close()]);
  }
}
