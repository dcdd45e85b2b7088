// Owns Event, EventTarget and the events of the web API, as the DOM standard says for targets without parents.
import { DOMException } from './dom-exception.ts';
import { defineInterface, dictionary, domString, needArguments, usvString } from './web-idl.ts';

export interface EventInit { bubbles?: boolean; cancelable?: boolean; composed?: boolean }

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };

/** Inside of an Event, for its target alone. */
interface EventState { target: EventTarget | null; isDispatched: boolean; isStopped: boolean; isStoppedAtOnce: boolean; isPassive: boolean; isCanceled: boolean }
let stateOf: (event: Event) => EventState;

export class Event {
  #type: string;
  #init: Partial<EventInit>;
  #time = Date.now();
  #state: EventState = { target: null, isDispatched: false, isStopped: false, isStoppedAtOnce: false, isPassive: false, isCanceled: false };
  #currentTarget: EventTarget | null = null;

  static {
    stateOf = (event) => event.#state;
  }

  constructor(type: unknown, init?: EventInit) {
    needArguments(arguments.length, 1, 'Event');
    this.#type = domString(type);
    const { bubbles, cancelable, composed } = dictionary(init, 'EventInit');
    this.#init = { bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), composed: Boolean(composed) };
  }

  get type(): string { return this.#type; }
  get target(): EventTarget | null { return this.#state.target; }
  get srcElement(): EventTarget | null { return this.#state.target; }
  get currentTarget(): EventTarget | null { return this.#state.isDispatched ? this.#state.target : this.#currentTarget; }
  get eventPhase(): number { return this.#state.isDispatched ? PHASES.AT_TARGET : PHASES.NONE; }
  get bubbles(): boolean { return this.#init.bubbles!; }
  get cancelable(): boolean { return this.#init.cancelable!; }
  get composed(): boolean { return this.#init.composed!; }
  get defaultPrevented(): boolean { return this.#state.isCanceled; }
  get returnValue(): boolean { return !this.#state.isCanceled; }
  set returnValue(value: boolean) { if (!value) this.preventDefault(); }
  get cancelBubble(): boolean { return this.#state.isStopped; }
  set cancelBubble(value: boolean) { if (value) this.#state.isStopped = true; }
  get timeStamp(): number { return this.#time; }
  get isTrusted(): boolean { return false; }
  composedPath(): EventTarget[] { return this.#state.isDispatched ? [this.#state.target!] : []; }
  preventDefault(): void { if (this.#init.cancelable && !this.#state.isPassive) this.#state.isCanceled = true; }
  stopPropagation(): void { this.#state.isStopped = true; }
  stopImmediatePropagation(): void { this.#state.isStopped = this.#state.isStoppedAtOnce = true; }
}
defineInterface(Event, { length: 1, constants: PHASES });

export class CustomEvent extends Event {
  #detail: unknown;
  constructor(type: unknown, init?: EventInit & { detail?: unknown }) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail(): unknown { return this.#detail; }
}
defineInterface(CustomEvent);

export interface ErrorEventInit extends EventInit { message?: string; filename?: string; lineno?: number; colno?: number; error?: unknown }

export class ErrorEvent extends Event {
  #init: ErrorEventInit;
  constructor(type: unknown, init?: ErrorEventInit) {
    super(type, init);
    const { message = '', filename = '', lineno = 0, colno = 0, error } = dictionary(init, 'ErrorEventInit');
    this.#init = { message: domString(message), filename: domString(filename), lineno: lineno >>> 0, colno: colno >>> 0, error };
  }
  get message(): string { return this.#init.message!; }
  get filename(): string { return this.#init.filename!; }
  get lineno(): number { return this.#init.lineno!; }
  get colno(): number { return this.#init.colno!; }
  get error(): unknown { return this.#init.error; }
}
defineInterface(ErrorEvent);

export interface MessageEventInit extends EventInit { data?: unknown; origin?: string; lastEventId?: string; source?: unknown; ports?: Iterable<unknown> }

export class MessageEvent extends Event {
  #init: MessageEventInit;
  constructor(type: unknown, init?: MessageEventInit) {
    super(type, init);
    const { data = null, origin = '', lastEventId = '', source = null, ports = [] } = dictionary(init, 'MessageEventInit');
    this.#init = { data, origin: domString(origin), lastEventId: domString(lastEventId), source, ports: Object.freeze([...ports]) };
  }
  get data(): unknown { return this.#init.data; }
  get origin(): string { return this.#init.origin!; }
  get lastEventId(): string { return this.#init.lastEventId!; }
  get source(): unknown { return this.#init.source; }
  get ports(): readonly unknown[] { return this.#init.ports as readonly unknown[]; }
}
defineInterface(MessageEvent);

export interface CloseEventInit extends EventInit { wasClean?: boolean; code?: number; reason?: string }

export class CloseEvent extends Event {
  #init: CloseEventInit;
  constructor(type: unknown, init?: CloseEventInit) {
    super(type, init);
    const { wasClean, code = 0, reason = '' } = dictionary(init, 'CloseEventInit');
    this.#init = { wasClean: Boolean(wasClean), code: code & 0xffff, reason: usvString(reason) };
  }
  get wasClean(): boolean { return this.#init.wasClean!; }
  get code(): number { return this.#init.code!; }
  get reason(): string { return this.#init.reason!; }
}
defineInterface(CloseEvent);

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };
interface Registration { type: string; listener: Listener; capture: boolean; once: boolean; passive: boolean; isRemoved: boolean }
/** What `signal` needs of an AbortSignal. */
interface Signal { readonly aborted: boolean; addEventListener(type: string, listener: () => void, options: object): void }
export interface ListenerOptions { capture?: boolean; once?: boolean; passive?: boolean; signal?: Signal }

export class EventTarget {
  /** Never changed in place: who walks through it sees those that were there. */
  #listeners: readonly Registration[] = [];

  addEventListener(type: unknown, listener: Listener | null, options?: boolean | ListenerOptions): void {
    needArguments(arguments.length, 2, 'addEventListener');
    const { capture, once, passive, signal } = readOptions(options);
    if (signal !== undefined && typeof signal?.aborted !== 'boolean') throw new TypeError('signal is not an AbortSignal');
    checkListener(listener);
    if (listener === null || listener === undefined || signal?.aborted) return;
    const entry: Registration = { type: domString(type), listener, capture: Boolean(capture), once: Boolean(once), passive: Boolean(passive), isRemoved: false };
    if (this.#listeners.some((other) => isSame(other, entry))) return;
    this.#listeners = [...this.#listeners, entry];
    signal?.addEventListener('abort', () => this.#remove(entry), { once: true });
  }

  removeEventListener(type: unknown, listener: Listener | null, options?: boolean | ListenerOptions): void {
    needArguments(arguments.length, 2, 'removeEventListener');
    checkListener(listener);
    const wanted = { type: domString(type), listener, capture: Boolean(readOptions(options).capture) };
    const entry = this.#listeners.find((other) => isSame(other, wanted));
    if (entry) this.#remove(entry);
  }

  dispatchEvent(event: Event): boolean {
    needArguments(arguments.length, 1, 'dispatchEvent');
    const state = stateOf(event);
    if (state.isDispatched) throw new DOMException('The event is being dispatched already', 'InvalidStateError');
    state.target = this;
    state.isDispatched = true;
    if (!state.isStopped) this.#invokeAll(event, state);
    state.isDispatched = state.isStopped = state.isStoppedAtOnce = false;
    return !state.isCanceled;
  }

  /** On a target without parents, capturing listeners come first. */
  #invokeAll(event: Event, state: EventState): void {
    const { type } = event;
    for (const capture of [true, false]) {
      for (const entry of this.#listeners) {
        if (entry.isRemoved || entry.type !== type || entry.capture !== capture) continue;
        if (entry.once) this.#remove(entry);
        state.isPassive = entry.passive;
        invoke(this, entry.listener, event);
        state.isPassive = false;
        if (state.isStoppedAtOnce) return;
      }
      if (state.isStopped) return;
    }
  }

  #remove(entry: Registration): void {
    entry.isRemoved = true;
    this.#listeners = this.#listeners.filter((other) => other !== entry);
  }
}
defineInterface(EventTarget);

function readOptions(options: boolean | ListenerOptions | undefined): ListenerOptions {
  return typeof options === 'object' && options !== null ? options : { capture: Boolean(options) };
}

function checkListener(listener: unknown): void {
  const isCallable = typeof listener === 'function' || typeof listener === 'object' || listener === undefined;
  if (!isCallable) throw new TypeError('The listener is neither a function nor an object');
}

function isSame(a: Pick<Registration, 'type' | 'capture'> & { listener: unknown }, b: Pick<Registration, 'type' | 'capture'> & { listener: unknown }): boolean {
  return a.type === b.type && a.listener === b.listener && a.capture === b.capture;
}

/** A listener that throws does not keep the others from running. */
function invoke(target: EventTarget, listener: Listener, event: Event): void {
  try {
    if (typeof listener === 'function') listener.call(target, event);
    else if (typeof listener.handleEvent === 'function') listener.handleEvent(event);
    else throw new TypeError('The listener has no handleEvent function');
  } catch (error) {
    (globalThis as any).reportError?.(error);
  }
}

/** A property such as `onabort`: one listener that can be replaced. Its place in the order stays that of the first. */
export class Handler {
  #current: ((event: Event) => unknown) | null = null;
  #isListening = false;
  #target: EventTarget;
  #type: string;
  constructor(target: EventTarget, type: string) {
    this.#target = target;
    this.#type = type;
  }
  get(): ((event: Event) => unknown) | null {
    return this.#current;
  }
  set(listener: unknown): void {
    this.#current = typeof listener === 'function' || (typeof listener === 'object' && listener !== null) ? listener as (event: Event) => unknown : null;
    if (this.#current && !this.#isListening) {
      this.#isListening = true;
      this.#target.addEventListener(this.#type, (event) => (typeof this.#current === 'function' ? this.#current.call(this.#target, event) : undefined));
    }
  }
}
