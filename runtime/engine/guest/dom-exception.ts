// Owns DOMException, Event and EventTarget: as much of them as the other globals need.

const LEGACY_CODES: Record<string, number> = {
  IndexSizeError: 1, NotFoundError: 8, NotSupportedError: 9, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13,
  NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20,
  URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
};

export class DOMException extends Error {
  constructor(message = '', name: string | { name?: string; cause?: unknown } = 'Error') {
    super(String(message), typeof name === 'object' && 'cause' in name ? { cause: name.cause } : undefined);
    const text = typeof name === 'object' ? String(name.name ?? 'Error') : String(name);
    Object.defineProperty(this, 'name', { value: text, configurable: true, writable: true });
  }
  get code(): number {
    return LEGACY_CODES[this.name] ?? 0;
  }
  get [Symbol.toStringTag]() { return 'DOMException'; }
}

export class Event {
  readonly type: string;
  readonly cancelable: boolean;
  readonly bubbles: boolean;
  readonly timeStamp = Date.now();
  target: EventTarget | null = null;
  currentTarget: EventTarget | null = null;
  defaultPrevented = false;
  _stopped = false;
  constructor(type: string, init: { cancelable?: boolean; bubbles?: boolean } = {}) {
    this.type = String(type);
    this.cancelable = Boolean(init.cancelable);
    this.bubbles = Boolean(init.bubbles);
  }
  preventDefault(): void { if (this.cancelable) this.defaultPrevented = true; }
  stopPropagation(): void {}
  stopImmediatePropagation(): void { this._stopped = true; }
  get [Symbol.toStringTag]() { return 'Event'; }
}

export class CustomEvent extends Event {
  readonly detail: unknown;
  constructor(type: string, init: { detail?: unknown; cancelable?: boolean; bubbles?: boolean } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }
}

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };
interface Registration { listener: Listener; once: boolean }

export class EventTarget {
  #listeners = new Map<string, Registration[]>();

  addEventListener(type: string, listener: Listener | null, options: boolean | { once?: boolean; signal?: any } = {}): void {
    if (!listener) return;
    const { once = false, signal } = typeof options === 'object' && options ? options : {};
    if (signal?.aborted) return;
    const list = this.#listeners.get(type) ?? [];
    if (list.some((entry) => entry.listener === listener)) return;
    this.#listeners.set(type, [...list, { listener, once }]);
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener), { once: true });
  }

  removeEventListener(type: string, listener: Listener | null): void {
    const list = this.#listeners.get(type);
    if (list) this.#listeners.set(type, list.filter((entry) => entry.listener !== listener));
  }

  dispatchEvent(event: Event): boolean {
    event.target = event.currentTarget = this;
    for (const entry of this.#listeners.get(event.type) ?? []) {
      if (entry.once) this.removeEventListener(event.type, entry.listener);
      invoke(this, entry.listener, event);
      if (event._stopped) break;
    }
    return !event.defaultPrevented;
  }
}

/** A listener that throws does not keep the others from running. */
function invoke(target: EventTarget, listener: Listener, event: Event): void {
  try {
    if (typeof listener === 'function') listener.call(target, event);
    else listener.handleEvent(event);
  } catch (error) {
    (globalThis as any).reportError?.(error);
  }
}
