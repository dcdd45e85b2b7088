// Owns code that takes memory (A5 to A9), inside V8's heap and outside of it.
import { type Attack, CPU, REFUSED, STOPPED } from '../attack.ts';

const grow = (ids: string[], name: string, code: string, answers: readonly string[] = STOPPED): Attack => ({ ids, name, code, guard: 'memory', answers });
const inert = (ids: string[], name: string, code: string, answers: readonly string[] = REFUSED): Attack => ({ ids, name, code, guard: 'inert', answers });

export const MEMORY: readonly Attack[] = [
  grow(['A5'], 'heap of small objects', 'const a = []; for (;;) a.push({ n: a.length });'),
  grow(['A5'], 'heap of texts', 'const a = []; for (;;) a.push(String(Math.random()).repeat(1000));'),
  grow(['A5'], 'heap of closures', 'let f = () => 0; for (;;) { const g = f; const data = new Array(100).fill(1); f = () => g() + data[0]; }'),
  grow(['A5'], 'heap of symbols and maps', 'const m = new Map(); for (;;) m.set(Symbol(), { a: [1, 2, 3] });'),
  grow(['A5'], 'growth over many awaits', 'const a = []; for (;;) { a.push(new Array(1e4).fill({})); await null; }'),
  grow(['A6'], 'array of a hundred million objects', 'new Array(1e8).fill({}).map((x) => ({}));'),
  grow(['A6'], 'flat array of a hundred million', 'const a = new Array(3e7).fill(1.5); const all = []; for (;;) all.push(a.slice());'),
  grow(['A6'], 'concat that doubles', 'let a = [1, 2, 3, 4]; for (;;) a = a.concat(a);', [...STOPPED, 'MICRO_THREW']),
  grow(['A7'], 'array buffers', 'const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));', [...STOPPED, 'MICRO_THREW']),
  grow(['A7'], 'copies of one array buffer', 'const a = [new Uint8Array(1e6).fill(1)]; for (;;) a.push(a[0].slice(), structuredClone(a[0]));', [...STOPPED, 'MICRO_THREW']),
  grow(['A7'], 'blobs', 'const a = []; for (;;) a.push(new Blob(["x".repeat(1e6)]));', [...STOPPED, 'MICRO_THREW']),
  grow(['A7'], 'encoded texts', 'const t = "ü".repeat(1e6); const a = []; for (;;) a.push(new TextEncoder().encode(t));', [...STOPPED, 'MICRO_THREW']),
  grow(['A7'], 'forms', 'const f = new FormData(); for (;;) f.append("a", new File([new Uint8Array(1e6).fill(1)], "f"));', [...STOPPED, 'MICRO_THREW']),
  grow(['A8'], 'ropes made flat', 'const all = []; for (;;) { let s = "x".repeat(2 ** 20) + all.length; for (let i = 0; i < 5; i++) s += s; all.push(s.split("").join("-")); }', [...STOPPED, 'MICRO_THREW']),
  grow(['A8'], 'padded texts', 'const a = []; for (;;) a.push(("x".padStart(2 ** 27) + a.length).replace(/^ /, "y"));', [...STOPPED, 'MICRO_THREW']),
  grow(['A8'], 'texts of two bytes', 'const a = []; for (;;) a.push(("\\u1234".repeat(2 ** 24) + a.length).toUpperCase());', [...STOPPED, 'MICRO_THREW']),
  inert(['A8'], 'a text longer than any may be', 'let s = "x".repeat(2 ** 28); for (;;) s += s;', ['MICRO_THREW', ...STOPPED]),
  inert(['A9'], 'deep recursion', 'const f = () => f() + 1; f();', ['MICRO_THREW']),
  inert(['A9'], 'recursion through getters, proxies and toJSON', 'const o = { get a() { return this.a; } }; try { o.a; } catch {} const p = new Proxy({}, { get: (t, k, r) => r[k] }); try { p.x; } catch {} const j = { toJSON() { return JSON.stringify(j); } }; JSON.stringify(j);', ['MICRO_THREW']),
  inert(['A9'], 'recursion into what handles it', 'const f = () => { try { f(); } finally { f(); } }; f();', ['MICRO_THREW', 'MICRO_CPU_EXCEEDED']),
  inert(['A9'], 'JSON a hundred thousand deep', 'JSON.parse("[".repeat(1e5) + "]".repeat(1e5));', [...REFUSED, ...CPU]),
  inert(['A9'], 'a value a hundred thousand deep', 'let v = []; for (let i = 0; i < 1e5; i++) v = [v]; structuredClone(v);'),
  inert(['A9'], 'a deep value for the console', 'let v = []; for (let i = 0; i < 1e5; i++) v = [v]; try { console.log(v); } catch {} let e = new Error("x"); for (let i = 0; i < 5000; i++) e = new Error("x", { cause: e }); console.log(e); throw e;', ['MICRO_THREW', ...CPU]),
  inert(['A9'], 'a regular expression a hundred thousand deep', 'new RegExp("(".repeat(1e5) + ")".repeat(1e5));', ['MICRO_THREW']),
  inert(['A9'], 'a chain of proxies', 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;', ['MICRO_THREW', 'ok', ...STOPPED]),
  inert(['A9'], 'source a hundred thousand deep', 'Function("return " + "(".repeat(1e5) + ")".repeat(1e5));', ['MICRO_THREW']),
];
