// Owns AbortController and AbortSignal.
import { DOMException } from './dom-exception.ts';
import { Event, EventTarget, Handler } from './events.ts';
import { defineInterface, needArguments } from './web-idl.ts';

const PASS = {};
export let abortSignal: (signal: AbortSignal, reason: unknown) => void;
export let isSignal: (value: unknown) => value is AbortSignal;
export let anySignal: (signals: AbortSignal[]) => AbortSignal;
/** Runs before any listener. @returns the way to take it back */
export let onAbort: (signal: AbortSignal, step: () => void) => () => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #handler: Handler | undefined;
  /** Signals of `any` that wait for this one, and for a signal of `any` those that it waits for. */
  #dependents: AbortSignal[] = [];
  #sources: AbortSignal[] | undefined;
  /** Of this runtime: what has to happen before listeners hear of it. */
  #steps: (() => void)[] = [];

  static {
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      const value = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
      const all = [signal, ...signal.#dependents.filter((other) => !other.#aborted)];
      for (const one of all) {
        one.#aborted = true;
        one.#reason = value;
      }
      for (const one of all) one.#announce();
    };
    onAbort = (signal, step) => {
      signal.#steps.push(step);
      return () => { signal.#steps = signal.#steps.filter((other) => other !== step); };
    };
    isSignal = (value): value is AbortSignal => typeof value === 'object' && value !== null && #aborted in value;
  }

  constructor(pass: unknown) {
    if (pass !== PASS) throw new TypeError('Illegal constructor');
    super();
  }

  get aborted(): boolean { return this.#aborted; }
  get reason(): unknown { return this.#reason; }
  get onabort() { return this.#handler?.get() ?? null; }
  set onabort(listener: ((event: Event) => unknown) | null) { (this.#handler ??= new Handler(this, 'abort')).set(listener); }
  throwIfAborted(): void { if (this.#aborted) throw this.#reason; }

  static abort(reason?: unknown): AbortSignal {
    const signal = newSignal();
    abortSignal(signal, reason);
    return signal;
  }
  static timeout(delayMs: number): AbortSignal {
    needArguments(arguments.length, 1, 'AbortSignal.timeout');
    const number = Math.trunc(Number(delayMs));
    if (!(number >= 0 && number <= Number.MAX_SAFE_INTEGER)) throw new TypeError('The time is no number of milliseconds');
    const signal = newSignal();
    (globalThis as any).setTimeout(() => abortSignal(signal, new DOMException('The operation timed out', 'TimeoutError')), number);
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    needArguments(arguments.length, 1, 'AbortSignal.any');
    const all = [...signals];
    if (!all.every(isSignal)) throw new TypeError('AbortSignal.any needs a list of AbortSignals');
    return anySignal(all);
  }

  #announce(): void {
    const steps = this.#steps;
    this.#steps = [];
    for (const step of steps) step();
    this.dispatchEvent(new Event('abort'));
  }

  static {
    anySignal = (signals) => {
      const signal = newSignal();
      const aborted = signals.find((source) => source.#aborted);
      if (aborted) {
        signal.#aborted = true;
        signal.#reason = aborted.#reason;
        return signal;
      }
      // Only signals that nobody made with `any` are waited for: then all of them hear of it at the same time.
      signal.#sources = [...new Set(signals.flatMap((source) => source.#sources ?? [source]))];
      for (const source of signal.#sources) source.#dependents.push(signal);
      return signal;
    };
  }
}
defineInterface(AbortSignal, { length: 0 });

export function newSignal(): AbortSignal {
  return new AbortSignal(PASS);
}
export class AbortController {
  #signal = newSignal();
  get signal(): AbortSignal { return this.#signal; }
  abort(reason?: unknown): void { abortSignal(this.#signal, reason); }
}
defineInterface(AbortController);
