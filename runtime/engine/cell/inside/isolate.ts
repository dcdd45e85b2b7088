// Owns one isolated-vm isolate: made from the snapshot, loaded with a Micro's module, run turn by turn.
// Knows no frames. Reads no property of anything that a guest made: only texts and copied buffers come out.
import { randomBytes } from 'node:crypto';
import type ivm from 'isolated-vm';
import { encodingTables } from './encoding-tables.ts';
import { copyBytes } from '../frames.ts';
import type { CellInit } from '../protocol.ts';

export type Ivm = typeof ivm;

/** Kinds of events; the guest's main.ts has the same list. */
export const EVENT = { request: 1, result: 2, response: 3, failure: 4, timers: 5, cancel: 6, data: 7, end: 8, credit: 9, stop: 10, message: 11, close: 12 } as const;

/** For what takes microseconds unless a guest bent it: long, since it is wall time, and the machine may be busy. */
const QUICK_MS = 1_000;
const BUFFERS_MS = 1_000;
/** Each way; the guest's bridge.ts has the same number. */
const SHARED_BYTES = 272 * 1024;
const ASK_MAX_CHARS = 256 * 1024;
const URL_PROPERTIES = new Set(['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']);

/** Questions that pristine guest code asks at once. Never throws: an error would carry this process's stack. */
function answerGuest(question: unknown, a: unknown, b: unknown, c: unknown): string | undefined {
  try {
    if (typeof a !== 'string' || a.length > ASK_MAX_CHARS) return undefined;
    if (question === 1) return urlText(new URL(a, typeof b === 'string' ? b : undefined));
    if (question === 2 && typeof b === 'string' && typeof c === 'string' && URL_PROPERTIES.has(b) && c.length <= ASK_MAX_CHARS) return changedUrl(a, b, c);
    if (question === 3) return randomBytes(512).toString('latin1');
    if (question === 4) return encodingTables();
  } catch {
    // an address that cannot be parsed
  }
  return undefined;
}

function changedUrl(href: string, property: string, value: string): string {
  const url = new URL(href);
  (url as unknown as Record<string, string>)[property] = value;
  return urlText(url);
}

function urlText(url: URL): string {
  return [url.href, url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash, url.origin].join('\n');
}

/** How an apply ended. `message` and `stack` are copies that isolated-vm made. */
export type TurnEnd = { kind: 'done' } | { kind: 'threw'; message: string; stack: string } | { kind: 'timeout' } | { kind: 'memory' };

export class GuestIsolate {
  readonly #ivm: Ivm;
  readonly #isolate: ivm.Isolate;
  readonly #context: ivm.Context;
  readonly #turn: ivm.Reference;
  readonly #collect: ivm.Reference;
  readonly #takeBuffers: ivm.Reference;
  readonly #progress: ivm.Reference;
  readonly #adopt: ivm.Reference;
  /** Bytes that cross the edge without an object for each: one half is for those that go in, one for those that leave. Inside,
   *  only the runtime has it. What lies here is taken in the same turn. */
  readonly #shared = new SharedArrayBuffer(2 * SHARED_BYTES);
  readonly #in = Buffer.from(this.#shared, 0, SHARED_BYTES);
  #driver: ivm.Module | undefined;

  constructor(engine: Ivm, snapshot: ivm.ExternalCopy<ArrayBuffer>, { heapMb, bodyMaxBytes, dataMaxBytes }: Pick<CellInit, 'heapMb' | 'bodyMaxBytes' | 'dataMaxBytes'>) {
    this.#ivm = engine;
    this.#isolate = new engine.Isolate({ memoryLimit: heapMb, snapshot });
    this.#context = this.#isolate.createContextSync();
    const boot = this.#context.global.getSync('__boot', { reference: true });
    const inside = boot.applySync(undefined, [new engine.Callback(answerGuest), bodyMaxBytes, dataMaxBytes, new engine.ExternalCopy(this.#shared).copyInto({ release: true })], { result: { reference: true } }) as ivm.Reference;
    const door = (name: string): ivm.Reference => inside.getSync(name, { reference: true });
    this.#turn = door('turn');
    this.#collect = door('collect');
    this.#takeBuffers = door('takeBuffers');
    this.#progress = door('progress');
    this.#adopt = door('adopt');
  }

  /** CPU time so far, in nanoseconds. */
  get cpuTime(): bigint {
    return this.#isolate.cpuTime;
  }

  get isGone(): boolean {
    return this.#isolate.isDisposed;
  }

  /** Compile a module without running it. @returns a code cache, where a new one was made. @throws what the compiler says */
  compile(source: string, name: string, cache: Uint8Array | null): Uint8Array | null {
    const cachedData = cache === null ? undefined : this.#bring(cache);
    const module = this.#isolate.compileModuleSync(source, { filename: `${name}.js`, ...(cachedData ? { cachedData } : { produceCachedData: true }) });
    const deta = this.#isolate.compileModuleSync(DETA, { filename: 'deta.js' });
    this.#driver = this.#isolate.compileModuleSync(DRIVER, { filename: 'ownspace:driver' });
    this.#driver.instantiateSync(this.#context, (specifier, referrer) => {
      if (specifier === 'micro' && referrer === this.#driver) return module;
      if (specifier === 'deta') return deta;
      throw new Error(`Cannot find module '${specifier}'. Only "deta" and what is in the bundle can be imported`);
    });
    const made = (module as unknown as { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
    return cachedData || !made ? null : new Uint8Array(made.copy());
  }

  /** Run the module's top level. */
  evaluate(timeout: number): TurnEnd {
    return this.#guarded(() => this.#driver!.evaluateSync({ timeout }));
  }

  /** 'wait' while top-level code goes on; 'ok'; or what is wrong with the module. */
  adopt(variables: string, micros: string): string {
    try {
      return String(this.#adopt.applySync(undefined, [this.#driver!.namespace.derefInto(), variables, micros], { timeout: QUICK_MS }));
    } catch {
      return 'the module cannot be read';
    }
  }

  /** @param events kind, id, meta, body, kind, ... */
  turn(events: unknown[], timeout: number): TurnEnd {
    return this.#guarded(() => this.#turn.applySync(undefined, events as never, { timeout }));
  }

  /** What the guest wants to send, since the last time. @throws when the isolate is gone or broken */
  collect(): string {
    const text: unknown = this.#collect.applySync(undefined, [], { timeout: QUICK_MS });
    if (typeof text !== 'string') throw new TypeError('records are text');
    return text;
  }

  takeBuffers(): ArrayBuffer[] {
    return this.#takeBuffers.applySync(undefined, [], { timeout: BUFFERS_MS, result: { copy: true } }) as ArrayBuffer[];
  }

  /** After a timeout: how many events were begun, and whose code was running, 0 for unknown. */
  progress(): { begun: number; current: number } {
    try {
      const [begun, current] = String(this.#progress.applySync(undefined, [], { timeout: QUICK_MS })).split(' ').map(Number);
      return { begun: (begun ?? 0) + 1, current: current ?? 0 };
    } catch {
      return { begun: Infinity, current: 0 };
    }
  }

  /** The same events, with the bytes of streams where the guest takes them from; what follows each other is one. */
  place(events: unknown[]): unknown[] {
    const placed: unknown[] = [];
    let end = 0;
    for (let at = 0; at < events.length; at += 4) {
      const [kind, id, owner, bytes] = [events[at], events[at + 1], events[at + 2], events[at + 3] as Uint8Array];
      if (kind !== EVENT.data || aligned(end) + bytes.length > SHARED_BYTES) {
        placed.push(kind, id, owner, kind === EVENT.data ? this.bring(bytes) : bytes);
        continue;
      }
      const last = placed.length - 4;
      const goesOn = placed[last] === EVENT.data && placed[last + 1] === id && typeof placed[last + 3] === 'number';
      if (goesOn) placed[last + 3] = placed[last + 3] as number + bytes.length;
      else placed.push(kind, id, owner, bytes.length);
      if (!goesOn) end = aligned(end);
      end += copyBytes(bytes, this.#in, end);
    }
    return placed;
  }

  /** Bytes that the guest left; gone with its next turn. @throws RangeError */
  left(at: number, size: number): Uint8Array {
    if (at + size > SHARED_BYTES) throw new RangeError('bytes that are not there');
    return new Uint8Array(this.#shared, SHARED_BYTES + at, size);
  }

  /** Bytes as an argument of a turn: copied, so that they count against the guest's memory. */
  bring(bytes: Uint8Array): unknown {
    return this.#bring(bytes).copyInto({ release: true });
  }

  #bring(bytes: Uint8Array): ivm.ExternalCopy<ArrayBuffer> {
    const exact = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    return new this.#ivm.ExternalCopy(exact, { transferOut: true });
  }

  dispose(): void {
    try {
      this.#isolate.dispose();
    } catch {
      // it is gone already
    }
  }

  #guarded(run: () => unknown): TurnEnd {
    try {
      run();
      return { kind: 'done' };
    } catch (error) {
      if (this.#isolate.isDisposed) return { kind: 'memory' };
      if (isTimeout(error)) return { kind: 'timeout' };
      const { message, stack } = error instanceof Error ? error : { message: `thrown: ${String(error)}`, stack: '' };
      return { kind: 'threw', message: message.slice(0, 2_000), stack: guestStack(stack ?? '') };
    }
  }
}

/** Copies from and to an aligned place are several times as fast. */
const aligned = (at: number): number => (at + 7) & ~7;

const DRIVER = 'import * as micro from "micro"; export { micro }; export const isDone = true;';
const DETA = 'const { Base, Drive, Deta } = globalThis.__deta; export { Base, Drive, Deta };';

/** Said by isolated-vm of an apply that took longer than it might. */
export const isTimeout = (error: unknown): boolean => error instanceof Error && error.message === 'Script execution timed out.';

/** Without the lines of this process and of the runtime inside the isolate. */
export function guestStack(stack: string): string {
  const own = stack.split('\n    at (<isolated-vm boundary>)')[0]!;
  return own.split('\n').filter((line) => !line.includes('ownspace:')).join('\n').slice(0, 8_000);
}
