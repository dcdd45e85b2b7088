// Owns hostile WebAssembly (A7, A17): the same limits hold for it. Modules are written out byte by byte.
import { type Attack, CPU, STOPPED } from '../attack.ts';

const HEAD = '0,97,115,109,1,0,0,0';
/** A module with one function of no parameters, exported as `f`. @param code its body with its length, as the code section's content */
const moduleOf = (code: readonly number[], memory: readonly number[] = []): string =>
  `new Uint8Array([${[HEAD, '1,4,1,96,0,0', '3,2,1,0', ...(memory.length > 0 ? [memory.join()] : []), '7,5,1,1,102,0,0', [10, code.length + 2, 1, code.length, ...code].join()].join()}])`;

const LOOP = moduleOf([0, 3, 64, 12, 0, 11, 11]);
const RECURSION = moduleOf([0, 16, 0, 11]);
/** Waits for ever on a shared memory: it blocks its thread and takes no CPU time. */
const WAIT = moduleOf([0, 65, 0, 65, 0, 66, 127, 254, 1, 2, 0, 26, 11], [5, 4, 1, 3, 1, 1]);

const run = (bytes: string): string => `new WebAssembly.Instance(new WebAssembly.Module(${bytes})).exports.f();`;

export const WASM: readonly Attack[] = [
  { ids: ['A1'], name: 'WebAssembly that loops', code: run(LOOP), guard: 'cpu', answers: CPU },
  { ids: ['A1'], name: 'WebAssembly that loops, made by instantiate', code: `(await WebAssembly.instantiate(${LOOP})).instance.exports.f();`, guard: 'cpu', answers: CPU },
  { ids: ['A9'], name: 'WebAssembly that calls itself', code: run(RECURSION), guard: 'inert', answers: ['MICRO_THREW'] },
  { ids: ['A17'], name: 'WebAssembly that waits on shared memory', code: run(WAIT), guard: 'silence', answers: ['MICRO_THREW', 'MICRO_TIMEOUT', ...STOPPED] },
  { ids: ['A17'], name: 'shared memory of WebAssembly', code: 'const { buffer } = new WebAssembly.Memory({ shared: true, initial: 1, maximum: 2 }); if (buffer.grow || buffer.slice || Object.getPrototypeOf(buffer).constructor?.name === "SharedArrayBuffer") throw new Error("usable");', guard: 'inert', answers: ['ok', 'MICRO_THREW'] },
  { ids: ['A4'], name: 'compiling without end', code: `const body = [0, ...Array(2e5).fill(1), 11]; const leb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>= 7; } while (n > 0); return out; };
    const code = [1, ...leb(body.length), ...body]; const bytes = new Uint8Array([${HEAD}, 1,4,1,96,0,0, 3,2,1,0, 10, ...leb(code.length), ...code]); for (;;) new WebAssembly.Module(bytes);`, guard: 'cpu', answers: STOPPED },
  { ids: ['A7'], name: 'memories of WebAssembly', code: 'const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 100 }); new Uint8Array(m.buffer).fill(1); all.push(m); }', guard: 'memory', answers: [...STOPPED, 'MICRO_THREW'] },
  { ids: ['A7'], name: 'one memory of WebAssembly that grows', code: 'const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); all.push(m); try { for (;;) { m.grow(64); new Uint8Array(m.buffer).fill(1); } } catch {} }', guard: 'memory', answers: [...STOPPED, 'MICRO_THREW'] },
  { ids: ['A7'], name: 'tables of WebAssembly', code: 'const all = []; for (;;) all.push(new WebAssembly.Table({ element: "anyfunc", initial: 1e6 }));', guard: 'memory', answers: [...STOPPED, 'MICRO_THREW'] },
];
