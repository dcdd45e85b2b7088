// Owns structuredClone: what JSON has, and dates, maps, sets, buffers, errors, Blobs, cycles; ArrayBuffers can be transferred.
import { Blob, File } from './blob.ts';
import { DOMException } from './dom-exception.ts';
import { dictionary, needArguments } from './web-idl.ts';

const ERRORS: Record<string, ErrorConstructor> = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const UNCLONABLE = [Promise, WeakMap, WeakSet, WeakRef];

/** Guests lose these methods (see harden.ts); moving a buffer as it is takes no memory. */
const transfer = Function.prototype.call.bind((ArrayBuffer.prototype as any).transfer) as (buffer: ArrayBuffer) => ArrayBuffer;
const isDetached = Function.prototype.call.bind(Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'detached')!.get as any) as (buffer: ArrayBuffer) => boolean;

export function structuredClone(value: unknown, options?: { transfer?: Iterable<unknown> }): unknown {
  needArguments(arguments.length, 1, 'structuredClone');
  const moved = [...dictionary(options, 'options').transfer ?? []].map(movable);
  if (new Set(moved).size < moved.length) throw cloneError('A buffer is transferred twice');
  // The common case needs no copy.
  if (moved.length === 1 && moved[0] === value) return transfer(moved[0]!);
  const copy = clone(value, new Map());
  for (const buffer of moved) transfer(buffer);
  return copy;
}

function movable(value: unknown): ArrayBuffer {
  if (!(value instanceof ArrayBuffer)) throw cloneError('Only an ArrayBuffer can be transferred');
  if (isDetached(value)) throw cloneError('The buffer is detached already');
  return value;
}

function cloneError(message: string): DOMException {
  return new DOMException(message, 'DataCloneError');
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') throw cloneError(`${String(value).slice(0, 100)} could not be cloned`);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  return cloneObject(value, seen);
}

function cloneObject(value: object, seen: Map<object, unknown>): unknown {
  const keep = <T>(copy: T): T => { seen.set(value, copy); return copy; };
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (isWrapper(value)) return keep(Object(value.valueOf()));
  if (value instanceof ArrayBuffer) return keep(cloneBuffer(value));
  if (ArrayBuffer.isView(value)) return keep(cloneView(value, seen));
  if (value instanceof Map) return cloneMap(value, keep(new Map()), seen);
  if (value instanceof Set) return cloneSet(value, keep(new Set()), seen);
  if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  if (value instanceof Error) return copyError(value, keep, seen);
  if (value instanceof File) return keep(new File([value], value.name, { type: value.type, lastModified: value.lastModified }));
  if (value instanceof Blob) return keep(value.slice(0, value.size, value.type));
  if (!isPlain(value)) throw cloneError(`${value.constructor?.name ?? 'The object'} could not be cloned`);
  return cloneProperties(value, keep(Array.isArray(value) ? new Array(value.length) : {}), seen);
}

function isWrapper(value: object): boolean {
  return value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt;
}

function cloneBuffer(buffer: ArrayBuffer): ArrayBuffer {
  if (isDetached(buffer)) throw cloneError('The buffer is detached');
  return buffer.slice(0);
}

function cloneView(view: ArrayBufferView, seen: Map<object, unknown>): unknown {
  const buffer = clone(view.buffer, seen) as ArrayBuffer;
  const Type = view instanceof DataView ? DataView : (globalThis as any)[(view as any)[Symbol.toStringTag]];
  return new Type(buffer, view.byteOffset, (view as any).length ?? view.byteLength);
}

/** Its entries are listed before any getter can change it. */
function cloneMap(from: Map<unknown, unknown>, to: Map<unknown, unknown>, seen: Map<object, unknown>): Map<unknown, unknown> {
  for (const [key, item] of Array.from(from)) to.set(clone(key, seen), clone(item, seen));
  return to;
}

function cloneSet(from: Set<unknown>, to: Set<unknown>, seen: Map<object, unknown>): Set<unknown> {
  for (const item of Array.from(from)) to.add(clone(item, seen));
  return to;
}

function cloneProperties(from: object, to: object, seen: Map<object, unknown>): object {
  for (const key of Object.keys(from)) {
    if (Object.hasOwn(from, key)) Object.defineProperty(to, key, { value: clone((from as any)[key], seen), writable: true, enumerable: true, configurable: true });
  }
  return to;
}

function copyError(error: Error, keep: <T>(copy: T) => T, seen: Map<object, unknown>): Error {
  const message = Object.getOwnPropertyDescriptor(error, 'message');
  const copy = keep(new (ERRORS[error.name] ?? Error)(message && 'value' in message ? String(message.value) : undefined));
  Object.defineProperty(copy, 'stack', { value: String(error.stack), configurable: true, writable: true });
  if (Object.hasOwn(error, 'cause')) Object.defineProperty(copy, 'cause', { value: clone(error.cause, seen), configurable: true, writable: true });
  return copy;
}

/** Objects of the platform have a tag of their own and cannot be cloned; an instance of a guest's class is copied as plain data. */
function isPlain(value: object): boolean {
  return !UNCLONABLE.some((type) => value instanceof type) && !platform.some((type) => value instanceof type);
}

/** Interfaces without a way to be cloned: told once, when all of them are there. */
let platform: (new (...args: any[]) => object)[] = [];
export function refuseToClone(types: (new (...args: any[]) => object)[]): void {
  platform = types;
}
