// Owns how a Micro's code gets into its Cell: reading it, its code cache, and what the Cell says of it.
// Knows no requests: whoever waits for the code hears of it by a callback.
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { CodeCache } from './build.ts';
import type { Slot } from './flight.ts';
import type { CellProcess } from './process.ts';
import { innerLimits } from './limits.ts';
import type { Frame } from './frames.ts';
import { FRAME, type MicroLoad, readFailure } from './protocol.ts';

export interface LoaderOptions {
  cell: CellProcess;
  clock: Clock;
  log: Log;
  codeCache: CodeCache;
  nextId(): number;
  /** The code is on its way: requests may follow. */
  onSent(slot: Slot): void;
  onFailed(slot: Slot, reason: string, stack: string): void;
}

export class Loader {
  #options: LoaderOptions;
  #hadLoad = false;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  async load(slot: Slot): Promise<void> {
    const { cell, codeCache, log } = this.#options;
    slot.state = 'reading';
    try {
      slot.source ??= await slot.spec.readFile(slot.spec.entry);
      const cache = await codeCache.get(slot.source);
      if (!cell.isDead) this.#send(slot, cache);
    } catch (error) {
      log.error('micro.unreadable', { instanceId: slot.instance.instanceId, micro: slot.spec.name, error });
      this.#fail(slot, 'its code cannot be read');
    }
  }

  #send(slot: Slot, cache: Buffer | null): void {
    const { cell, clock, nextId, onSent } = this.#options;
    const { instance, spec } = slot;
    slot.state = 'loading';
    slot.loadId = nextId();
    slot.loadedAt = clock.now();
    if (cache) cell.send({ type: FRAME.CACHE, micro: slot.index, id: slot.loadId, body: cache, whole: true });
    const meta: MicroLoad = { name: spec.name, micros: instance.micros.map((micro) => micro.name), env: spec.env, limits: innerLimits(slot.limits) };
    cell.send({ type: FRAME.LOAD, micro: slot.index, id: slot.loadId, meta: JSON.stringify(meta), body: slot.source!, whole: true });
    onSent(slot);
  }

  loaded(slot: Slot, { id }: Frame): void {
    const { clock, log } = this.#options;
    if (slot.state !== 'loading' || slot.loadId !== id) return;
    slot.state = 'loaded';
    slot.source = undefined;
    log.debug('micro.loaded', { instanceId: slot.instance.instanceId, micro: slot.spec.name, durationMs: clock.now() - slot.loadedAt });
  }

  failed(slot: Slot, frame: Frame): void {
    if (slot.state !== 'loading' || slot.loadId !== frame.id) return;
    const { reason, stack } = readFailure(frame.utf8());
    this.#fail(slot, reason, stack);
  }

  #fail(slot: Slot, reason: string, stack = ''): void {
    unload(slot);
    slot.source = undefined;
    this.#options.onFailed(slot, reason, stack);
  }

  /** Taken only from a Cell in which no guest had run: afterwards it could be anything. */
  keepCache(slot: Slot, { body }: Frame): void {
    if (this.#hadLoad || slot.state !== 'loading' || !slot.source || body === null) return;
    this.#hadLoad = true;
    this.#options.codeCache.put(slot.source, Buffer.from(body)).catch((error) => this.#options.log.warn('code_cache.write_failed', { error }));
  }
}

/** Its isolate is gone: answers to its calls reach nobody any more. */
export function unload(slot: Slot): void {
  slot.state = 'absent';
  slot.loadId = 0;
  slot.calls = 0;
}
