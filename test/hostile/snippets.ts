// Owns code that tries to hang, crash or outgrow what it runs in. Each runs as the body of a handler.

/** How the caller of a hostile request is answered: by one of these codes, or, for what is merely inert, by `ok`. */
export interface Snippet { name: string; code: string; before?: string; expect: readonly string[] }

const CPU = ['MICRO_CPU_EXCEEDED'] as const;
/** The process is gone, by our hand or by its own: which comes first depends on the machine. */
const CELL = ['MICRO_CPU_EXCEEDED', 'MICRO_OUT_OF_MEMORY', 'MICRO_CRASHED'] as const;
const MEMORY = ['MICRO_OUT_OF_MEMORY', 'MICRO_CPU_EXCEEDED', 'MICRO_CRASHED'] as const;
const INERT = ['ok'] as const;
const ERROR = ['MICRO_THREW', 'ok'] as const;

export const SNIPPETS: readonly Snippet[] = [
  // loops that a timeout stops
  { name: 'endless loop', code: 'for (;;);', expect: CPU },
  { name: 'endless loop after an await', code: 'await null; for (;;);', expect: CPU },
  { name: 'await storm', code: 'for (;;) await null;', expect: CPU },
  { name: 'then storm', code: 'const f = () => Promise.resolve().then(f); await f();', expect: [...MEMORY] },
  { name: 'microtask flood', code: 'const f = () => { queueMicrotask(f); queueMicrotask(f); }; f(); await new Promise(() => {});', expect: MEMORY },
  { name: 'timer recursion', code: 'const f = () => { const end = Date.now() + 5; while (Date.now() < end); setTimeout(f, 0); }; f(); await new Promise(() => {});', expect: CPU },
  { name: 'many small turns', code: 'for (;;) { const end = Date.now() + 2; while (Date.now() < end); await fetch("http://a.test/"); }', expect: CPU },
  { name: 'catastrophic regular expression', code: '/^(a+)+$/.test("a".repeat(50) + "b");', expect: CPU },
  { name: 'deep recursion', code: 'const f = () => f() + 1; f();', expect: ['MICRO_THREW'] },
  { name: 'proxy chain', code: 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;', expect: ['MICRO_THREW', ...CELL, 'ok'] },
  { name: 'endless sort', code: 'const a = Array.from({ length: 1e6 }, Math.random); for (;;) a.sort();', expect: CPU },
  { name: 'eval bomb', code: 'for (;;) eval("function f" + Math.random().toString(36).slice(2) + "() {}");', expect: MEMORY },
  // long builtins that no timeout interrupts
  { name: 'BigInt squared', code: 'let x = 2n ** 1000000n; for (;;) x = x * x;', expect: CELL },
  { name: 'BigInt power', code: '2n ** (2n ** 29n) * 3n ** (2n ** 25n);', expect: [...CELL, ...ERROR] },
  { name: 'array fill', code: 'new Array(2 ** 32 - 1).fill(0);', expect: CELL },
  { name: 'array map', code: 'new Array(1e8).fill({}).map((x) => ({}));', expect: CELL },
  { name: 'replace on a long text', code: '"a".repeat(2 ** 26).replace(/a/g, "bb");', expect: [...CELL, ...ERROR] },
  { name: 'nested JSON', code: 'JSON.parse("[" + "[],".repeat(3e7) + "[]]");', expect: [...CELL, ...ERROR] },
  { name: 'deep JSON', code: 'JSON.parse("[".repeat(1e5) + "]".repeat(1e5));', expect: ERROR },
  { name: 'split into millions', code: '"a,".repeat(2e7).split(",");', expect: [...CELL, ...ERROR] },
  { name: 'regular expression compile bomb', code: 'new RegExp("(?:" + "a{0,1000}".repeat(1000) + ")").test("b");', expect: [...CELL, ...ERROR] },
  // memory
  { name: 'heap of small objects', code: 'const a = []; for (;;) a.push({ n: a.length });', expect: MEMORY },
  { name: 'heap of texts', code: 'const a = []; for (;;) a.push(String(Math.random()).repeat(1000));', expect: MEMORY },
  { name: 'array buffers', code: 'const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));', expect: [...MEMORY, ...ERROR] },
  { name: 'blobs', code: 'const a = []; for (;;) a.push(new Blob(["x".repeat(1e6)]));', expect: [...MEMORY, ...ERROR] },
  { name: 'resizable buffer', code: 'const b = new ArrayBuffer(1, { maxByteLength: 2 ** 32 }); return Response.json([b.resizable ?? null, b.resize ?? null]);', expect: INERT },
  { name: 'ropes', code: 'let s = "x".repeat(2 ** 28); s += s; const t = s.split("").join("-");', expect: [...CELL, ...ERROR] },
  { name: 'padded texts', code: 'const a = []; for (;;) a.push("x".padStart(2 ** 29 - 25) + a.length);', expect: [...CELL, ...ERROR] },
  { name: 'timers without end', code: 'for (;;) setTimeout(() => {}, 1e6);', expect: ['MICRO_THREW'] },
  // what the host might read
  { name: 'prepareStackTrace that loops', code: 'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x");', expect: ['MICRO_THREW'] },
  { name: 'a redefined prepareStackTrace', code: 'Object.defineProperty(Error, "prepareStackTrace", { value: () => { for (;;); } }); throw new Error("x");', expect: ['MICRO_THREW'] },
  { name: 'thrown object with a looping getter', code: 'throw { get message() { for (;;); } };', expect: CPU },
  { name: 'thrown object with a looping stack', code: 'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); throw e;', expect: CPU },
  { name: 'unhandled rejection with a looping getter', code: 'Promise.reject({ get message() { for (;;); } }); return new Response("sent");', expect: [...CELL, 'ok'] },
  { name: 'looping name of an error class', code: 'Object.defineProperty(TypeError.prototype, "name", { get() { for (;;); } }); null.x;', expect: CPU },
  { name: 'thenable that loops', code: 'return { then() { for (;;); } };', expect: CPU },
  { name: 'response whose getters loop', code: 'return new Proxy(new Response("x"), { get() { for (;;); }, getPrototypeOf() { for (;;); } });', expect: ['MICRO_BAD_RESPONSE', 'MICRO_CPU_EXCEEDED'] },
  { name: 'constructor name that loops', code: 'const e = { constructor: { get name() { for (;;); } } }; console.log(e); throw e;', expect: CPU },
  { name: 'huge message', code: 'throw new Error("x".repeat(2 ** 28));', expect: ['MICRO_THREW', ...CELL] },
  { name: 'huge log line', code: 'console.log("x".repeat(2 ** 28)); return new Response("ok");', expect: [...INERT, ...CELL] },
  { name: 'a gigabyte of log lines', code: 'for (let i = 0; i < 1e6; i++) console.log("y".repeat(1000)); return new Response("ok");', expect: [...INERT, ...CPU] },
  { name: 'huge header', code: 'return new Response("x", { headers: { a: "b".repeat(2 ** 24) } });', expect: [...CELL, 'MICRO_BAD_RESPONSE'] },
  { name: 'a hundred thousand headers', code: 'const h = new Headers(); for (let i = 0; i < 1e5; i++) h.append("a", "b"); return new Response("x", { headers: h });', expect: [...CELL, 'MICRO_BAD_RESPONSE'] },
  { name: 'huge question to the host', code: 'await env.Base("b").put({ a: "x".repeat(2 ** 26) });', expect: [...CELL, ...ERROR] },
  { name: 'ten thousand calls at once', code: 'const all = await Promise.allSettled(Array.from({ length: 20000 }, () => fetch("http://a.test/"))); return new Response(String(all.filter((one) => one.status === "rejected").length));', expect: [...INERT, ...CPU] },
  // builtins turned against the code around them
  { name: 'poisoned Array', code: 'Array.prototype.push = () => { for (;;); }; Object.defineProperty(Array.prototype, 0, { set() { for (;;); } }); return new Response("ok", { headers: { a: "b" } });', expect: [...INERT, ...CELL, 'MICRO_THREW'] },
  { name: 'poisoned String', code: 'for (const name of Object.getOwnPropertyNames(String.prototype)) if (name !== "constructor") String.prototype[name] = () => { throw 1; }; return new Response("ok", { headers: { a: "b" } });', expect: [...INERT, ...ERROR, ...CELL] },
  { name: 'poisoned Promise', code: 'Promise.prototype.then = () => { for (;;); }; await null; return new Response("ok");', expect: [...INERT, ...CELL] },
  { name: 'poisoned Object and JSON', code: 'Object.prototype.toJSON = () => { for (;;); }; JSON.stringify = () => { for (;;); }; Object.prototype.__proto__ = null; console.log("x"); return new Response("ok");', expect: [...INERT, ...CELL, 'MICRO_THREW'] },
  { name: 'poisoned Map and WeakMap', code: 'for (const C of [Map, Set, WeakMap]) for (const n of ["get", "set", "has", "delete", "add"]) C.prototype[n] = () => { throw 1; }; return new Response("ok");', expect: [...INERT, ...ERROR, ...CELL, 'MICRO_TIMEOUT'] },
];
