// Owns what is written into the logs of the Instances of one Cell: what their Micros print, and what the platform says of them.
import type { Clock } from '../../../core/clock.ts';
import type { MicroLogEntry } from '../engine.ts';
import { placed } from './blame.ts';
import type { Live, Slot } from './flight.ts';
import { LogGate } from './log-gate.ts';
import type { Frame } from './frames.ts';
import { readLogEntry } from './protocol.ts';

export interface PlatformEntry { level: 'warn' | 'error'; text: string; requestId: string | null }

export class MicroLog {
  #clock: Clock;
  #live: ReadonlyMap<number, Live>;
  #gates = new Map<string, LogGate>();

  constructor(live: ReadonlyMap<number, Live>, clock: Clock) {
    this.#live = live;
    this.#clock = clock;
  }

  /** What goes wrong in requests: as much of it as an Instance may print. */
  say(slot: Slot, entry: PlatformEntry): void {
    this.#pass(slot, { ...entry, micro: slot.spec.name, text: placed(entry.text, slot) });
  }

  /** An end by force: no flood of its own can hide it. */
  tell(slot: Slot, entry: PlatformEntry): void {
    slot.instance.services.log({ ...entry, micro: slot.spec.name, text: placed(entry.text, slot) });
  }

  /** @throws ProtocolError */
  take(slot: Slot, frame: Frame): void {
    const { level, text } = readLogEntry(frame.utf8());
    const named = this.#live.get(frame.other);
    const live = named?.slot === slot ? named : this.#onlyLive(slot);
    this.#pass(slot, { micro: slot.spec.name, level, text, requestId: live?.flight.request.id ?? null });
  }

  #pass(slot: Slot, entry: MicroLogEntry): void {
    const { instanceId } = slot.instance;
    let gate = this.#gates.get(instanceId);
    if (!gate) this.#gates.set(instanceId, gate = new LogGate(slot.limits, () => this.#clock.now()));
    gate.pass(entry, (passed) => slot.instance.services.log(passed));
  }

  /** With one request in a Micro there is no doubt whose code runs. */
  #onlyLive(slot: Slot): Live | undefined {
    if (this.#live.size !== 1) return undefined;
    const [live] = this.#live.values();
    return live!.slot === slot ? live : undefined;
  }
}
