// Owns which place each Micro has in a Cell: frames name it by that.
import type { Flight, Slot } from './flight.ts';
import type { Frame } from './frames.ts';
import { ProtocolError } from './protocol.ts';

export class CellSlots {
  /** Each at its index. */
  readonly all: Slot[] = [];
  #byKey = new Map<string, Slot>();

  /** The place of the Micro that a request is for, a new one for a Micro that has none; undefined where there is no such Micro. */
  of({ instance, micro, limits }: Flight): Slot | undefined {
    const key = `${instance.instanceId}/${instance.generation}/${micro}`;
    const known = this.#byKey.get(key);
    if (known) {
      known.instance = instance;
      return known;
    }
    const spec = instance.micros.find((candidate) => candidate.name === micro);
    if (!spec) return undefined;
    const slot: Slot = { index: this.all.length, instance, spec, limits, state: 'absent', loadId: 0, loadedAt: 0, source: undefined, waiting: [], calls: 0, hops: 0 };
    this.all.push(slot);
    this.#byKey.set(key, slot);
    return slot;
  }

  /** The place that a frame names. @throws ProtocolError */
  at(frame: Frame): Slot {
    const slot = this.all[frame.micro];
    if (!slot) throw new ProtocolError('no such Micro');
    return slot;
  }
}
