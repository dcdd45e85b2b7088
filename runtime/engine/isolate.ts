// Owns the isolate Engine: which Cell runs which Instance, waking, retiring, retrying, quarantine, and what all Cells may hold.
// Never loads isolated-vm: that happens in Cells, processes of their own.
import { totalmem } from 'node:os';
import { Readable } from 'node:stream';
import { SpaceError, toSpaceError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { SandboxReport } from '../../sandbox/self-test.ts';
import { readPrivateBytes } from '../../sandbox/watch.ts';
import { headerValue } from '../http/headers.ts';
import { CodeCache } from './cell/build.ts';
import { eventHead, requestHead } from './cell/head.ts';
import type { Flight } from './cell/flight.ts';
import { collectBody } from './cell/host-call.ts';
import { DEFAULT_LIMITS, type IsolateLimits } from './cell/limits.ts';
import type { CellProcess } from './cell/process.ts';
import { CHUNK_BYTES } from './cell/protocol.ts';
import { RunningCell } from './cell/running-cell.ts';
import { CellSupply } from './cell/supply.ts';
import { Stops } from './stops.ts';
import type { Engine, InstanceSpec, MicroRequest, MicroResponse } from './engine.ts';
import { Quarantine } from './quarantine.ts';

export interface IsolateEngineOptions {
  log: Log;
  clock: Clock;
  /** For what is made once: written by the host alone. */
  cacheFolder: string;
  limits?: Partial<IsolateLimits>;
  /** `false`: Cells without a jail, also where this machine could make one. */
  isJailed?: boolean;
  /** A Micro had to be stopped too often and is paused, for this reason, until `resume` or a new generation. */
  onPause?(instance: InstanceSpec, micro: string, reason: string): void;
}

/** What the owner of the host is shown. */
export interface CellsReport { running: number; ready: number; usedMb: number; limitMb: number }

export interface CellEngine extends Engine {
  /** How well this machine contains a Cell. */
  sandbox(): Promise<SandboxReport>;
  cells(): Promise<CellsReport>;
  /** Let a paused Micro run again. */
  resume(instanceId: string): void;
}

/** Who may share an OS process: one Instance, unless the owner of the host widened it to their Space. */
export function cordonOf({ cordon, instanceId, spaceId }: Pick<InstanceSpec, 'cordon' | 'instanceId' | 'spaceId'>): string {
  return cordon === 'space' ? `space/${spaceId}` : instanceId;
}

/** @throws ISOLATED_VM_MISSING */
export function createIsolateEngine(options: IsolateEngineOptions): CellEngine {
  return new IsolateEngine(options);
}

interface Cordon {
  isShared: boolean;
  /** Of each Instance in it. */
  generations: Map<string, string>;
  running: RunningCell | undefined;
  starting: Flight[] | undefined;
  carefulUntil: number;
}

const ATTEMPTS_MAX = 3;
const CAREFUL_MS = 30_000;
const MIB = 1024 * 1024;
/** What all Cells hold is added up once in so many sweeps. */
const WEIGH_SWEEPS = 10;

class IsolateEngine implements CellEngine {
  #options: IsolateEngineOptions;
  #limits: IsolateLimits;
  #limitsOf = new WeakMap<InstanceSpec, IsolateLimits>();
  #cordons = new Map<string, Cordon>();
  /** All that run, also those that only finish what they have. */
  #running = new Map<RunningCell, Cordon>();
  #quarantine: Quarantine;
  #codeCache: CodeCache;
  #supply: CellSupply;
  #stops = new Stops();
  #stopSweep: (() => void) | undefined;
  #sweeps = 0;
  #isClosed = false;

  constructor(options: IsolateEngineOptions) {
    const { log, clock, cacheFolder, isJailed = true } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { quarantineMs, strikesMax } = this.#limits;
    this.#quarantine = new Quarantine({ firstMs: quarantineMs, strikesMax, clock, log, onPause: options.onPause });
    this.#codeCache = new CodeCache(cacheFolder);
    this.#supply = new CellSupply({ log, cacheFolder, isJailed, limits: this.#limits });
  }

  sandbox(): Promise<SandboxReport> {
    return this.#supply.sandbox();
  }

  async cells(): Promise<CellsReport> {
    const ready = await this.#supply.readyPids();
    const pids = [...ready, ...[...this.#running.keys()].map(({ cell }) => cell.pid)];
    const usedBytes = pids.reduce((sum, pid) => sum + readPrivateBytes(pid), 0);
    return { running: this.#running.size, ready: ready.length, usedMb: Math.round(usedBytes / MIB), limitMb: Math.round(this.#cellsBytes() / MIB) };
  }

  resume(instanceId: string): void {
    this.#quarantine.forgive(instanceId);
  }

  #limitsFor(instance: InstanceSpec): IsolateLimits {
    if (!instance.limits) return this.#limits;
    let limits = this.#limitsOf.get(instance);
    if (!limits) this.#limitsOf.set(instance, limits = { ...this.#limits, ...instance.limits });
    return limits;
  }

  fetch(instance: InstanceSpec, micro: string, request: MicroRequest): Promise<MicroResponse> {
    if (request.hops > this.#limits.hopsMax) return Promise.reject(new SpaceError('MICRO_LOOP', { limit: this.#limits.hopsMax }));
    const { body } = request;
    if (body === null) return this.#dispatch(instance, micro, request, body);
    if (body instanceof Uint8Array) return this.#dispatch(instance, micro, request, body.length > this.#limitsFor(instance).bodyMaxBytes ? Readable.from([body]) : body);
    // One frame is cheaper than a stream, and can be sent again.
    const length = Number(headerValue(request.headers, 'content-length') ?? Infinity);
    if (length > CHUNK_BYTES) return this.#dispatch(instance, micro, request, body);
    const isStopped = this.#stops.since(instance.instanceId);
    return collectBody(body, CHUNK_BYTES).then((bytes) => {
      if (isStopped()) throw new SpaceError('MICRO_CRASHED');
      return this.#dispatch(instance, micro, request, bytes);
    });
  }

  #dispatch(instance: InstanceSpec, micro: string, request: MicroRequest, body: Uint8Array | Readable | null): Promise<MicroResponse> {
    const limits = this.#limitsFor(instance);
    return new Promise((resolve, reject) => {
      const flight: Flight = {
        instance, micro, request, body, limits, resolve, reject, attempts: 0, isOver: false,
        head: request.event ? eventHead(request.event, request.method, request.url, request.headers) : requestHead(request.method, request.url, request.headers),
        deadline: this.#options.clock.now() + limits.wallMs,
      };
      const gone = (): void => this.#abandon(flight);
      request.onGone?.(gone);
      if (request.signal?.aborted) gone();
      else request.signal?.addEventListener('abort', gone, { once: true });
      this.#run(flight);
    });
  }

  #abandon(flight: Flight): void {
    if (flight.isOver) return;
    flight.isOver = true;
    this.#cordons.get(cordonOf(flight.instance))?.running?.cancel(flight);
    flight.reject(new SpaceError('MICRO_TIMEOUT', { limitMs: flight.limits.wallMs }));
  }

  #run(flight: Flight): void {
    if (flight.isOver) return;
    const refusal = this.#isClosed ? new SpaceError('MICRO_CRASHED') : this.#refusal(flight);
    // Who was there before and is not to blame may finish.
    if (refusal && (this.#isClosed || flight.attempts === 0)) return this.#fail(flight, refusal);
    flight.attempts++;
    const cordon = this.#cordonFor(flight.instance);
    if (cordon.running && !cordon.running.isRetired && !cordon.running.cell.isDead) return cordon.running.run(flight);
    if (cordon.starting) { cordon.starting.push(flight); return; }
    cordon.starting = [flight];
    void this.#wake(cordon, flight.limits);
  }

  #refusal({ instance, micro }: Flight): SpaceError | undefined {
    const reason = instance.paused?.[micro];
    return reason === undefined ? this.#quarantine.refusal(instance.instanceId, micro) : new SpaceError('MICRO_PAUSED', { reason });
  }

  #fail(flight: Flight, error: SpaceError): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.reject(error);
  }

  #cordonFor(instance: InstanceSpec): Cordon {
    const id = cordonOf(instance);
    let cordon = this.#cordons.get(id);
    if (!cordon) this.#cordons.set(id, cordon = { isShared: instance.cordon === 'space', generations: new Map(), running: undefined, starting: undefined, carefulUntil: 0 });
    const before = cordon.generations.get(instance.instanceId);
    cordon.generations.set(instance.instanceId, instance.generation);
    if (before !== undefined && before !== instance.generation) {
      this.#quarantine.forgive(instance.instanceId);
      if (cordon.running?.serves(instance.instanceId)) this.#replace(cordon);
    }
    return cordon;
  }

  /** What runs finishes what it has; whoever comes next gets a fresh Cell. */
  #replace(cordon: Cordon): void {
    const { running } = cordon;
    cordon.running = undefined;
    if (running) this.#retire(running, this.#limits.drainMs);
  }

  /** Concurrent first requests share one start. */
  async #wake(cordon: Cordon, limits: IsolateLimits): Promise<void> {
    try {
      const cell = await this.#supply.take(limits, cordon.isShared);
      const flights = cordon.starting?.filter((flight) => !flight.isOver) ?? [];
      cordon.starting = undefined;
      if (this.#isClosed || flights.length === 0) {
        // Stopped while it was waking.
        cell.kill('retired');
        for (const flight of flights) this.#fail(flight, new SpaceError('MICRO_CRASHED'));
        return;
      }
      const running = this.#runIn(cell, cordon, limits);
      for (const flight of flights) running.run(flight);
    } catch (error) {
      const flights = cordon.starting ?? [];
      cordon.starting = undefined;
      for (const flight of flights) this.#fail(flight, toSpaceError(error));
    }
  }

  #runIn(cell: CellProcess, cordon: Cordon, limits: IsolateLimits): RunningCell {
    const { log, clock } = this.#options;
    const careful = clock.now() < cordon.carefulUntil;
    const cellMb = cordon.isShared ? this.#limits.sharedCellMb : limits.cellMb;
    const running: RunningCell = new RunningCell({
      cell, careful, clock, log, limits: { ...limits, cellMb }, codeCache: this.#codeCache,
      onRetry: (flights, failure) => this.#retry(cordon, flights, failure),
      onStrike: ({ instance, spec }, reason) => this.#quarantine.strike(instance, spec.name, reason),
      onOverdue: () => { if (cordon.running === running) this.#replace(cordon); },
      onEnd: () => {
        this.#running.delete(running);
        if (cordon.running === running) cordon.running = undefined;
      },
    });
    cordon.running = running;
    this.#running.set(running, cordon);
    this.#startSweep();
    return running;
  }

  #retry(cordon: Cordon, flights: Flight[], failure: SpaceError): void {
    cordon.carefulUntil = this.#options.clock.now() + CAREFUL_MS;
    for (const flight of flights) {
      if (flight.attempts >= ATTEMPTS_MAX) this.#fail(flight, failure);
      else this.#run(flight);
    }
  }

  #startSweep(): void {
    this.#stopSweep ??= this.#options.clock.after(this.#limits.watchMs, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const [running, cordon] of this.#running) {
      running.sweep(now);
      if (running.load === 0 && (running.isRetired || now - running.idleSince > running.idleMs)) running.cell.kill(running.isRetired ? 'retired' : 'idle');
      // Better replaced in peace than killed with requests in it.
      else if (running.isFull && cordon.running === running) this.#replace(cordon);
    }
    if (++this.#sweeps % WEIGH_SWEEPS === 0) this.#relieve();
    this.#stopSweep = undefined;
    if (this.#running.size > 0 && !this.#isClosed) this.#startSweep();
  }

  #cellsBytes(): number {
    return this.#limits.cellsMb === 0 ? totalmem() / 2 : this.#limits.cellsMb * MIB;
  }

  /** When all Cells together hold too much, those go that were used least lately: at once where nobody waits, else when they have drained. */
  #relieve(): void {
    const weighed = [...this.#running.keys()].filter((running) => !running.isRetired).map((running) => ({ running, bytes: readPrivateBytes(running.cell.pid) }));
    let excess = weighed.reduce((sum, { bytes }) => sum + bytes, 0) - this.#cellsBytes();
    for (const { running, bytes } of weighed.toSorted((a, b) => a.running.usedAt - b.running.usedAt)) {
      if (excess <= 0) return;
      excess -= bytes;
      this.#options.log.info('cell.relieved', { pid: running.cell.pid, bytes });
      this.#replace(this.#running.get(running)!);
    }
  }

  /** No new requests; those in flight may finish. */
  #retire(running: RunningCell, graceMs: number): void {
    running.retire();
    if (running.load === 0) running.cell.kill('retired');
    else this.#options.clock.after(graceMs, () => running.cell.kill('retired'));
  }

  async stop(instanceId: string, graceMs = 5_000): Promise<void> {
    this.#stops.note(instanceId);
    const mine = [...this.#running].filter(([running]) => running.serves(instanceId));
    const ended = mine.map(([running, { isShared }]) => (isShared ? this.#part(running, instanceId, graceMs) : this.#end(running, graceMs)));
    this.#quarantine.forgive(instanceId);
    for (const cordon of this.#cordons.values()) {
      if (!cordon.generations.delete(instanceId)) continue;
      for (const flight of cordon.starting ?? []) if (flight.instance.instanceId === instanceId) this.#fail(flight, new SpaceError('MICRO_CRASHED'));
    }
    this.#cordons.delete(instanceId);
    await Promise.all(ended);
  }

  #end(running: RunningCell, graceMs: number): Promise<void> {
    this.#retire(running, graceMs);
    return running.cell.exited;
  }

  /** Its neighbours in the Cell have longer to finish. */
  async #part(running: RunningCell, instanceId: string, graceMs: number): Promise<void> {
    this.#retire(running, Math.max(graceMs, this.#limits.drainMs));
    if (running.isBusyFor(instanceId)) await new Promise<void>((resolve) => { this.#options.clock.after(graceMs, resolve); });
    running.expel(instanceId);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopSweep?.();
    const ended = [...this.#running.keys()].map((running) => { running.cell.kill('retired'); return running.cell.exited; });
    await Promise.all([...ended, this.#supply.close()]);
  }
}
