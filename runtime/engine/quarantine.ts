// Owns Micros that brought their Cell down, or whose program keeps failing: each strike keeps them off longer, quiet time forgives, too
// many strikes pause them, which their owner is told.
import type { Clock } from '../../core/clock.ts';
import { SpaceError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { InstanceSpec } from './engine.ts';

interface Strikes { count: number; until: number; lastAt: number; reason: string; isPaused: boolean }

export interface QuarantineOptions {
  firstMs: number;
  strikesMax: number;
  clock: Clock;
  log: Log;
  /** It is paused, for this reason, until `forgive`. */
  onPause?: ((instance: InstanceSpec, micro: string, reason: string) => void) | undefined;
}

const DOUBLINGS_MAX = 6;
const FORGIVE_MS = 10 * 60_000;

export class Quarantine {
  #options: QuarantineOptions;
  #instances = new Map<string, Map<string, Strikes>>();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  strike(instance: InstanceSpec, micro: string, reason: string): void {
    const { instanceId, services } = instance;
    const { firstMs, strikesMax, clock, log, onPause } = this.#options;
    const now = clock.now();
    const micros = this.#instances.get(instanceId) ?? new Map<string, Strikes>();
    this.#instances.set(instanceId, micros);
    const before = micros.get(micro);
    const count = before && now - before.lastAt < FORGIVE_MS ? before.count + 1 : 1;
    const isPaused = count >= strikesMax;
    const told = isPaused ? pauseReason(micro, count, reason) : reason;
    micros.set(micro, { count, reason: told, isPaused, lastAt: now, until: now + firstMs * 2 ** Math.min(count - 1, DOUBLINGS_MAX) });
    if (!isPaused) return;
    log.warn('micro.paused', { instanceId, micro, reason: told });
    services.log({ micro, level: 'error', text: `Paused: ${told}`, requestId: null });
    onPause?.(instance, micro, told);
  }

  /** Why a Micro may not run now; `undefined` when it may. */
  refusal(instanceId: string, micro: string): SpaceError | undefined {
    if (this.#instances.size === 0) return undefined;
    const strikes = this.#instances.get(instanceId)?.get(micro);
    if (!strikes) return undefined;
    if (strikes.isPaused) return new SpaceError('MICRO_PAUSED', { reason: strikes.reason });
    const leftMs = strikes.until - this.#options.clock.now();
    return leftMs > 0 ? new SpaceError('MICRO_QUARANTINED', { reason: strikes.reason, retryAfterSeconds: Math.ceil(leftMs / 1000) }) : undefined;
  }

  /** New code, or its owner's word: a new chance. */
  forgive(instanceId: string): void {
    this.#instances.delete(instanceId);
  }
}

function pauseReason(micro: string, count: number, reason: string): string {
  return `Its Micro \`${micro}\` had to be stopped ${count} times in a short while, the last time so: ${reason}`;
}
