// Owns what is taken away from guests: doors to memory that no limit counts, and hooks that run while the Cell reads an error.

const fixed = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, writable: false, enumerable: false, configurable: false });
};

export function harden(scope: any): void {
  fixed(scope.Error, 'prepareStackTrace', undefined);
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WebAssembly', 'FinalizationRegistry', 'escape', 'unescape']) delete scope[name];
  fixSizeOfBuffers(scope);
}

/** Resizable buffers reserve gigabytes that the heap limit does not see. */
function fixSizeOfBuffers(scope: any): void {
  const Native = scope.ArrayBuffer;
  const { prototype } = Native;
  for (const name of ['resize', 'transfer', 'transferToFixedLength', 'resizable', 'maxByteLength']) delete prototype[name];
  const Fixed = function ArrayBuffer(this: unknown, length: unknown) {
    if (!new.target) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    return Reflect.construct(Native, [length], new.target);
  };
  fixed(Fixed, 'prototype', prototype);
  fixed(Fixed, 'isView', Native.isView);
  Object.defineProperty(Fixed, Symbol.species, { get() { return this; }, configurable: true });
  Object.defineProperty(prototype, 'constructor', { value: Fixed, writable: true, configurable: true });
  Object.defineProperty(scope, 'ArrayBuffer', { value: Fixed, writable: true, configurable: true });
}
