// Owns what Web IDL asks of every interface: members that can be listed, a tag, arguments that must be there.

interface Interface { readonly name: string; readonly prototype: object }

/** Members of a class are not enumerable, those of an interface are. Symbols and what JavaScript itself gives stay. */
export function defineInterface(type: Interface, constants: Record<string, number> = {}): void {
  for (const holder of [type.prototype, type]) {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      const isOurs = !['constructor', 'prototype', 'length', 'name'].includes(key) && !key.startsWith('_');
      if (isOurs && property.configurable) Object.defineProperty(holder, key, { enumerable: true });
    }
    for (const [name, value] of Object.entries(constants)) Object.defineProperty(holder, name, { value, enumerable: true });
  }
  // The bundler calls a class that speaks of itself `_Name`.
  const name = type.name.replace(/^_/, '');
  Object.defineProperty(type, 'name', { value: name, configurable: true });
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Unlike String(), refuses symbols. @throws TypeError */
export function domString(value: unknown): string {
  return typeof value === 'string' ? value : Reflect.apply(concat, '', [value]);
}
const { concat } = String.prototype;

/** @throws TypeError */
export function usvString(value: unknown): string {
  return domString(value).toWellFormed();
}

/** @throws TypeError */
export function needArguments(given: number, least: number, what: string): void {
  if (given < least) throw new TypeError(`${what} needs ${least === 1 ? 'an argument' : `${least} arguments`}, but got ${given}`);
}

/** A dictionary may be left out, but not be a text or a number. @throws TypeError */
export function dictionary<T extends object>(value: T | null | undefined, what: string): Partial<T> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError(`${what} is not an object`);
  return value;
}
