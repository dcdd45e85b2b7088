// Owns structuredClone for data: what JSON has, and dates, maps, sets, buffers, errors, cycles.
import { DOMException } from './dom-exception.ts';

const ERRORS: Record<string, ErrorConstructor> = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

export function structuredClone(value: unknown, _options?: unknown): unknown {
  return clone(value, new Map());
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') throw new DOMException(`${String(value).slice(0, 100)} could not be cloned.`, 'DataCloneError');
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  return cloneObject(value, seen);
}

function cloneObject(value: object, seen: Map<object, unknown>): unknown {
  const keep = <T>(copy: T): T => { seen.set(value, copy); return copy; };
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return keep(Object(value.valueOf()));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen) as ArrayBuffer;
    return keep(new (value.constructor as any)(buffer, value.byteOffset, (value as any).length ?? value.byteLength));
  }
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [key, item] of value) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const item of value) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof Error) return cloneError(value, keep, seen);
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) throw new DOMException('The object could not be cloned.', 'DataCloneError');
  const copy: any = keep(Array.isArray(value) ? new Array(value.length) : {});
  for (const key of Object.keys(value)) copy[key] = clone((value as any)[key], seen);
  return copy;
}

function cloneError(error: Error, keep: <T>(copy: T) => T, seen: Map<object, unknown>): Error {
  const copy = keep(new (ERRORS[error.name] ?? Error)(error.message));
  Object.defineProperty(copy, 'stack', { value: String(error.stack), configurable: true, writable: true });
  if ('cause' in error) copy.cause = clone(error.cause, seen);
  return copy;
}
