// Owns AbortController and AbortSignal.
import { DOMException, Event, EventTarget } from './dom-exception.ts';

const PASS = {};
let abortSignal: (signal: AbortSignal, reason: unknown) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #onabort: ((event: Event) => void) | null = null;

  static {
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
      signal.dispatchEvent(new Event('abort'));
    };
  }

  constructor(pass: unknown) {
    super();
    if (pass !== PASS) throw new TypeError('Illegal constructor');
  }

  get aborted(): boolean { return this.#aborted; }
  get reason(): unknown { return this.#reason; }
  get onabort() { return this.#onabort; }
  set onabort(listener: ((event: Event) => void) | null) {
    if (this.#onabort) this.removeEventListener('abort', this.#onabort);
    this.#onabort = typeof listener === 'function' ? listener : null;
    if (this.#onabort) this.addEventListener('abort', this.#onabort);
  }
  throwIfAborted(): void { if (this.#aborted) throw this.#reason; }
  get [Symbol.toStringTag]() { return 'AbortSignal'; }

  static abort(reason?: unknown): AbortSignal {
    const signal = newSignal();
    abortSignal(signal, reason);
    return signal;
  }
  static timeout(delayMs: number): AbortSignal {
    const signal = newSignal();
    (globalThis as any).setTimeout(() => abortSignal(signal, new DOMException('The operation timed out', 'TimeoutError')), delayMs);
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const signal = newSignal();
    for (const source of signals) {
      if (source.aborted) { abortSignal(signal, source.reason); break; }
      source.addEventListener('abort', () => abortSignal(signal, source.reason), { once: true });
    }
    return signal;
  }
}

export function newSignal(): AbortSignal {
  return new AbortSignal(PASS);
}
export { abortSignal };

export class AbortController {
  #signal = newSignal();
  get signal(): AbortSignal { return this.#signal; }
  abort(reason?: unknown): void { abortSignal(this.#signal, reason); }
  get [Symbol.toStringTag]() { return 'AbortController'; }
}
