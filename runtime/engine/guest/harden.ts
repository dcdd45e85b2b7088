// Owns what is taken away from guests: doors to memory that no limit counts, and hooks that run while the Cell reads an error.

const fixed = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, writable: false, enumerable: false, configurable: false });
};

export function harden(scope: any): void {
  fixed(scope.Error, 'prepareStackTrace', undefined);
  const { SharedArrayBuffer } = scope;
  for (const name of ['SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'escape', 'unescape']) delete scope[name];
  fixSizeOfBuffers(scope);
  // A memory of WebAssembly may still be shared: nothing can be made of it, or with it.
  for (const name of Reflect.ownKeys(SharedArrayBuffer.prototype)) if (name !== 'byteLength') delete SharedArrayBuffer.prototype[name];
  tameWebAssembly(scope.WebAssembly);
}

/** Compiling happens at once, on the account of whoever asked, and never on a thread of its own; a memory's buffer cannot
 *  be resized by hand. How large one memory may grow is a flag of the Cell; what all of them take is watched. */
function tameWebAssembly(wasm: any): void {
  const { Module, Instance } = wasm;
  const compile = async (bytes: unknown): Promise<unknown> => new Module(bytes);
  const instantiate = async (source: unknown, imports?: unknown): Promise<unknown> => {
    if (source instanceof Module) return new Instance(source, imports);
    const module = new Module(source);
    return { module, instance: new Instance(module, imports) };
  };
  const bytesOf = async (answer: any): Promise<unknown> => (await answer).arrayBuffer();
  const named = {
    compile, instantiate,
    compileStreaming: async (answer: unknown) => compile(await bytesOf(answer)),
    instantiateStreaming: async (answer: unknown, imports?: unknown) => instantiate(await bytesOf(answer), imports),
  };
  for (const [name, value] of Object.entries(named)) Object.defineProperty(wasm, name, { value, writable: true, configurable: true, enumerable: true });
  for (const name of ['Suspending', 'promising', 'SuspendError']) delete wasm[name];
  for (const name of ['toResizableBuffer', 'toFixedLengthBuffer']) delete wasm.Memory.prototype[name];
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
