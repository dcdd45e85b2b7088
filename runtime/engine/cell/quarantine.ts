// Owns Micros that brought their Cell down: each strike keeps them off longer, quiet time forgives.
import type { Clock } from '../../../core/clock.ts';
import { SpaceError } from '../../../core/errors.ts';

interface Record { strikes: number; until: number; lastAt: number; reason: string }

const DOUBLINGS_MAX = 6;
const FORGIVE_MS = 10 * 60_000;

export class Quarantine {
  #firstMs: number;
  #clock: Clock;
  #records = new Map<string, Map<string, Record>>();

  constructor(firstMs: number, clock: Clock) {
    this.#firstMs = firstMs;
    this.#clock = clock;
  }

  strike(instanceId: string, micro: string, reason: string): void {
    const now = this.#clock.now();
    const micros = this.#records.get(instanceId) ?? new Map<string, Record>();
    this.#records.set(instanceId, micros);
    const before = micros.get(micro);
    const strikes = before && now - before.lastAt < FORGIVE_MS ? before.strikes + 1 : 1;
    micros.set(micro, { strikes, reason, lastAt: now, until: now + this.#firstMs * 2 ** Math.min(strikes - 1, DOUBLINGS_MAX) });
  }

  /** Why a Micro may not run now; `undefined` when it may. */
  refusal(instanceId: string, micro: string): SpaceError | undefined {
    if (this.#records.size === 0) return undefined;
    const record = this.#records.get(instanceId)?.get(micro);
    const leftMs = record ? record.until - this.#clock.now() : 0;
    return leftMs > 0 ? new SpaceError('MICRO_QUARANTINED', { reason: record!.reason, retryAfterSeconds: Math.ceil(leftMs / 1000) }) : undefined;
  }

  /** New code, new chance. */
  forgive(instanceId: string): void {
    this.#records.delete(instanceId);
  }
}
