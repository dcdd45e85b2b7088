// Owns what Web IDL asks of every interface: members that can be listed, a tag, arguments that must be there.

type Interface = Pick<Function, 'name' | 'length'> & { readonly prototype: object };

/** `length`: arguments that its constructor needs, where TypeScript's question marks do not tell. */
interface Shape { length?: number; constants?: Record<string, number> }
const OF_FUNCTIONS = ['prototype', 'length', 'name'];

/** Members of a class are not enumerable, those of an interface are. Symbols and what JavaScript itself gives stay. */
export function defineInterface(type: Interface, { length = type.length, constants = {} }: Shape = {}): void {
  for (const holder of [type.prototype, type]) {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      const isOurs = key !== 'constructor' && !key.startsWith('_') && !(holder === type && OF_FUNCTIONS.includes(key));
      if (isOurs && property.configurable) Object.defineProperty(holder, key, { enumerable: true });
    }
    for (const [name, value] of Object.entries(constants)) Object.defineProperty(holder, name, { value, enumerable: true });
  }
  const name = plainName(type.name);
  Object.defineProperty(type, 'name', { value: name, configurable: true });
  Object.defineProperty(type, 'length', { value: length, configurable: true });
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** The bundler calls a class that speaks of itself `_Name`, and the second one of a name `Name2`. */
function plainName(name: string): string {
  return name.replace(/^_|\d+$/g, '');
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

type Pairs = readonly (readonly [string, unknown])[];
type Kind = 'entries' | 'keys' | 'values';
interface Walk { pairs: () => Pairs; at: number; kind: Kind }

/** A private field on an object that is no instance of a class: so iterators have the prototype chain that Web IDL wants. */
class Hidden extends (function (object: object) { return object; } as unknown as new (object: object) => object) {
  #walk: Walk;
  constructor(object: object, walk: Walk) {
    super(object);
    this.#walk = walk;
  }
  static walkOf(object: Hidden): Walk { return object.#walk; }
}
const { walkOf } = Hidden;
const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

/** entries, keys, values and forEach over pairs; what changes during a walk is seen by it. */
export function definePairs<T extends object>(type: Interface & { prototype: T }, pairsOf: (target: T) => Pairs): void {
  const prototype = Object.create(ITERATOR, {
    next: { value: function next(this: Hidden) { return step(walkOf(this)); }, writable: true, enumerable: true, configurable: true },
    [Symbol.toStringTag]: { value: `${plainName(type.name)} Iterator`, configurable: true },
  });
  const begin = (target: T, kind: Kind): object => {
    pairsOf(target);
    return new Hidden(Object.create(prototype), { pairs: () => pairsOf(target), at: 0, kind });
  };
  const methods = {
    entries(this: T) { return begin(this, 'entries'); },
    keys(this: T) { return begin(this, 'keys'); },
    values(this: T) { return begin(this, 'values'); },
    forEach(this: T, callback: unknown, ...[thisArg]: unknown[]): void {
      pairsOf(this);
      if (typeof callback !== 'function') throw new TypeError('forEach needs a function');
      for (let at = 0; at < pairsOf(this).length; at++) Reflect.apply(callback, thisArg, [pairsOf(this)[at]![1], pairsOf(this)[at]![0], this]);
    },
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(type.prototype, name, { value, writable: true, enumerable: true, configurable: true });
  Object.defineProperty(type.prototype, Symbol.iterator, { value: methods.entries, writable: true, configurable: true });
}

function step(walk: Walk): { value: unknown; done: boolean } {
  const pair = walk.pairs()[walk.at++];
  if (!pair) return { value: undefined, done: true };
  return { value: walk.kind === 'entries' ? [pair[0], pair[1]] : walk.kind === 'keys' ? pair[0] : pair[1], done: false };
}
