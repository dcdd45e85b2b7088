// Owns the process Engine: which programs run, waking, one start for all who wait, standing still, making room, pausing what
// keeps failing. Programs run in boxes; what a box is, is the sandbox's to know.
import { availableParallelism, totalmem } from 'node:os';
import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Boxes } from '../../sandbox/box.ts';
import { hasSwap } from '../../sandbox/cgroup.ts';
import { DEFAULT_LIMITS, type IsolateLimits } from './cell/limits.ts';
import type { Engine, InstanceSpec, MicroRequest, MicroResponse } from './engine.ts';
import { Berths } from './process/berth.ts';
import { Compiles } from './process/compile.ts';
import { Packages } from './process/packages.ts';
import { NotTaken, Program } from './process/program.ts';
import { ReadyBoxes } from './process/ready.ts';
import { Starts } from './process/starts.ts';
import type { SurroundingsOf } from './process/surroundings.ts';
import { Quarantine } from './quarantine.ts';
import { Stops } from './stops.ts';

export interface ProcessEngineOptions {
  log: Log;
  clock: Clock;
  /** @throws SANDBOX_MISSING where this machine can make none */
  boxes(): Promise<Boxes>;
  /** Unpacked packages. */
  packageFolder: string;
  /** At most 80 characters, of this host alone. */
  socketFolder: string;
  limits?: Partial<IsolateLimits>;
  surroundingsOf?: SurroundingsOf;
  /** Whether this machine has where to move memory to. */
  hasSwap?(): Promise<boolean>;
  /** A Micro had to be stopped too often and is paused, for this reason, until `resume` or a new generation. */
  onPause?(instance: InstanceSpec, micro: string, reason: string): void;
}

/** What the owner of the host is shown. */
export interface ProgramsReport { running: number; frozen: number; usedMb: number; limitMb: number }

export interface ProcessEngine extends Engine {
  programs(): Promise<ProgramsReport>;
  /** Let a paused Micro run again. */
  resume(instanceId: string): void;
}

const SWEEP_MS = 500;
/** What all programs hold is added up once in so many sweeps. */
const WEIGH_SWEEPS = 10;
const ATTEMPTS_MAX = 3;
const CRASH_WINDOW_MS = 60_000;
const CRASHES_MAX = 5;
const MIB = 1024 * 1024;
const ALONE: SurroundingsOf = async () => ({ env: {}, forwards: {}, hosts: [], close: async () => {} });

export function createProcessEngine(options: ProcessEngineOptions): ProcessEngine {
  return new ProgramEngine(options);
}

class ProgramEngine implements ProcessEngine {
  #options: ProcessEngineOptions;
  #limits: IsolateLimits;
  #quarantine: Quarantine;
  #stops = new Stops();
  #packages: Packages;
  #hasSwap: () => Promise<boolean>;
  /** Those that come up want a processor each, and so do those who are up. */
  #starts = new Starts(Math.max(2, availableParallelism()));
  #ready: ReadyBoxes;
  #berths: Berths;
  #compiles: Compiles;
  /** The one that takes requests, by Instance and Micro. */
  #current = new Map<string, Program>();
  /** All, also those that only finish what they have. */
  #all = new Set<Program>();
  /** When programs that had served ended by themselves, lately. */
  #crashes = new LRUCache<string, number[]>({ max: 10_000 });
  #stopSweep: (() => void) | undefined;
  #sweeps = 0;
  #isClosed = false;

  constructor(options: ProcessEngineOptions) {
    const { log, clock, packageFolder, onPause } = options;
    const { socketFolder, surroundingsOf = ALONE } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#quarantine = new Quarantine({ firstMs: this.#limits.quarantineMs, strikesMax: this.#limits.strikesMax, clock, log, onPause });
    this.#packages = new Packages({ folder: packageFolder });
    this.#ready = new ReadyBoxes({ most: this.#limits.readyBoxes, socketFolder, clock, log, isQuiet: () => this.#starts.isQuiet });
    this.#berths = new Berths({ ready: this.#ready, surroundingsOf, socketFolder, log });
    this.#compiles = new Compiles({ isWanted: this.#limits.readyBoxes > 0, packages: this.#packages, clock, log, isQuiet: () => this.#starts.isQuiet });
    this.#hasSwap = options.hasSwap ?? hasSwap;
  }

  async fetch(instance: InstanceSpec, micro: string, request: MicroRequest): Promise<MicroResponse> {
    if (request.hops > this.#limits.hopsMax) throw new SpaceError('MICRO_LOOP', { limit: this.#limits.hopsMax });
    const isStopped = this.#stops.since(instance.instanceId);
    const boxes = await this.#options.boxes();
    for (let attempt = 1; ; attempt += 1) {
      if (this.#isClosed || isStopped()) throw new SpaceError('MICRO_CRASHED');
      this.#assertMayRun(instance, micro);
      try {
        return await this.#programFor(instance, micro, boxes).fetch(request);
      } catch (error) {
        if (!(error instanceof NotTaken)) throw error;
        if (attempt === ATTEMPTS_MAX || request.body instanceof Readable) throw new SpaceError('MICRO_CRASHED', {}, { cause: error });
      }
    }
  }

  #assertMayRun(instance: InstanceSpec, micro: string): void {
    const reason = instance.paused?.[micro];
    if (reason !== undefined) throw new SpaceError('MICRO_PAUSED', { reason });
    const current = this.#current.get(keyOf(instance.instanceId, micro));
    if (current && current.instance.generation !== instance.generation) this.#quarantine.forgive(instance.instanceId);
    const refusal = this.#quarantine.refusal(instance.instanceId, micro);
    if (refusal && (current === undefined || current.isOver)) throw refusal;
  }

  #programFor(instance: InstanceSpec, micro: string, boxes: Boxes): Program {
    const key = keyOf(instance.instanceId, micro);
    const current = this.#current.get(key);
    if (current && !current.isOver && current.instance.generation === instance.generation) return current;
    if (current && !current.isOver) void current.retire(this.#limits.drainMs);
    const spec = instance.micros.find(({ name }) => name === micro);
    if (!spec) throw new TypeError(`no Micro ${micro}`);
    const { log, clock } = this.#options;
    const program: Program = new Program({
      instance, spec, boxes, clock, log, berths: this.#berths, compiles: this.#compiles, packages: this.#packages, starts: this.#starts,
      limits: instance.limits ? { ...this.#limits, ...instance.limits } : this.#limits,
      onEnd: (demise) => {
        if (this.#current.get(key) === program) this.#current.delete(key);
        if (demise.isFault && (demise.keepsFrom || this.#crashesOften(key))) this.#quarantine.strike(instance, micro, demise.text ?? demise.error.message);
      },
    });
    this.#current.set(key, program);
    this.#all.add(program);
    void program.ended.then(() => this.#all.delete(program));
    this.#startSweep();
    return program;
  }

  /** Who served and then crashed may begin anew at once: a stranger's request may have done it. What does so all the time may not. */
  #crashesOften(key: string): boolean {
    const now = this.#options.clock.now();
    const recent = [...(this.#crashes.get(key) ?? []).filter((at) => now - at < CRASH_WINDOW_MS), now];
    this.#crashes.set(key, recent);
    return recent.length >= CRASHES_MAX;
  }

  #startSweep(): void {
    this.#stopSweep ??= this.#options.clock.after(SWEEP_MS, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    this.#sweeps += 1;
    const now = this.#options.clock.now();
    for (const program of this.#all) {
      if (program.isOver) continue;
      const { freezeMs, reclaimMs, programIdleMs } = { ...this.#limits, ...program.instance.limits };
      if (program.load > 0 || !program.isFrozen) await program.lookAtMemory();
      if (program.load > 0) continue;
      if (now - program.usedAt > programIdleMs) program.kill('idle');
      else if (now - program.usedAt > freezeMs) program.freeze();
      if (program.isFrozen && now - program.usedAt > reclaimMs && (await this.#hasSwap())) await program.reclaim();
    }
    if (this.#sweeps % WEIGH_SWEEPS === 0) await this.#relieve();
    this.#stopSweep = undefined;
    if (this.#all.size > 0 && !this.#isClosed) this.#startSweep();
  }

  #programsBytes(): number {
    return this.#limits.programsMb === 0 ? totalmem() / 2 : this.#limits.programsMb * MIB;
  }

  async #weigh(): Promise<{ program: Program; bytes: number }[]> {
    return Promise.all([...this.#all].filter(({ isOver }) => !isOver).map(async (program) => ({ program, bytes: await program.privateBytes() })));
  }

  /** Those that nobody waits for go first, and of them those that were used least lately. */
  async #relieve(): Promise<void> {
    const weighed = await this.#weigh();
    let excess = weighed.reduce((sum, { bytes }) => sum + bytes, 0) - this.#programsBytes();
    this.#ready.look(excess > 0);
    for (const { program, bytes } of weighed.toSorted((a, b) => Math.sign(a.program.load) - Math.sign(b.program.load) || a.program.usedAt - b.program.usedAt)) {
      if (excess <= 0) return;
      excess -= bytes;
      this.#options.log.info('program.relieved', { instanceId: program.instance.instanceId, bytes });
      if (program.load === 0) program.kill('relieved');
      else void program.retire(this.#limits.drainMs);
    }
  }

  async programs(): Promise<ProgramsReport> {
    const weighed = await this.#weigh();
    const usedBytes = weighed.reduce((sum, { bytes }) => sum + bytes, 0);
    return { running: weighed.length, frozen: weighed.filter(({ program }) => program.isFrozen).length, usedMb: Math.round(usedBytes / MIB), limitMb: Math.round(this.#programsBytes() / MIB) };
  }

  resume(instanceId: string): void {
    this.#quarantine.forgive(instanceId);
  }

  async stop(instanceId: string, graceMs = 5_000): Promise<void> {
    this.#stops.note(instanceId);
    this.#quarantine.forgive(instanceId);
    const mine = [...this.#all].filter(({ instance }) => instance.instanceId === instanceId);
    await Promise.all(mine.map((program) => program.retire(graceMs)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopSweep?.();
    await Promise.all([this.#ready.close(), this.#compiles.close(), ...[...this.#all].map((program) => {
      program.kill('closed');
      return program.ended;
    })]);
  }
}

const keyOf = (instanceId: string, micro: string): string => `${instanceId}/${micro}`;
