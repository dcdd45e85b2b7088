// Owns code that never ends (A1 to A3): a deadline stops it, whatever it loops with.
import { type Attack, CPU, STOPPED } from '../attack.ts';

const spin = (ids: string[], name: string, code: string, answers: readonly string[] = CPU): Attack => ({ ids, name, code, guard: 'cpu', answers });

export const LOOPS: readonly Attack[] = [
  spin(['A1'], 'endless loop', 'for (;;);'),
  spin(['A1'], 'endless loop after an await', 'await null; for (;;);'),
  spin(['A1'], 'endless loop that catches everything', 'for (;;) try { for (;;); } catch {} finally { continue; }'),
  spin(['A1'], 'endless generator', 'const g = (function* () { for (;;) yield* [1, 2, 3]; })(); for (const x of g);'),
  spin(['A1'], 'endless destructuring', 'const [...all] = { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) };', STOPPED),
  spin(['A1'], 'eval that loops', 'Function("for (;;);")();'),
  spin(['A2'], 'await storm', 'for (;;) await null;'),
  spin(['A2'], 'async generator storm', 'async function* g() { for (;;) yield null; } for await (const x of g());'),
  spin(['A2'], 'then storm', 'const f = () => Promise.resolve().then(f); await f();', STOPPED),
  spin(['A2'], 'microtask flood', 'const f = () => { queueMicrotask(f); queueMicrotask(f); }; f(); await new Promise(() => {});', STOPPED),
  spin(['A2'], 'storm of unhandled rejections', 'for (;;) { Promise.reject(new Error("x")); await null; }', STOPPED),
  spin(['A2'], 'timer recursion', 'const f = () => { const end = Date.now() + 5; while (Date.now() < end); setTimeout(f, 0); }; f(); await new Promise(() => {});'),
  spin(['A2'], 'a thousand intervals', 'for (let i = 0; i < 1000; i++) setInterval(() => { for (let j = 0; j < 1e5; j++); }, 0); await new Promise(() => {});'),
  spin(['A2'], 'many small turns', 'for (;;) { const end = Date.now() + 2; while (Date.now() < end); await fetch("http://a.test/"); }'),
  spin(['A2'], 'flood of questions to the Cell', 'for (;;) new URL("http://a.test/" + Math.random());'),
  spin(['A2'], 'flood of random bytes', 'const b = new Uint8Array(65536); for (;;) crypto.getRandomValues(b);'),
  spin(['A3'], 'catastrophic regular expression', '/^(a+)+$/.test("a".repeat(50) + "b");'),
  spin(['A3'], 'catastrophic replace', '"a".repeat(50).concat("b").replace(/(a*)*$/g, "x"); for (;;) /(x+x+)+y/.test("x".repeat(40));'),
  spin(['A3'], 'catastrophic look-behind', '/(?<=(a|aa)+)$x/.test("a".repeat(200)); /(?:(a|a)*)*b/.test("a".repeat(60));'),
  spin(['A1'], 'endless sort', 'const a = Array.from({ length: 1e5 }, Math.random); for (;;) a.sort();', STOPPED),
  spin(['A1'], 'sort whose comparison loops', '[1, 2, 3].sort(() => { for (;;); });'),
  spin(['A1'], 'proxy traps that loop', 'const p = new Proxy({}, { get: () => p, has: () => true }); let x = p; for (;;) x = x.y;'),
  spin(['A1'], 'class bomb', 'let C = class {}; for (;;) C = class extends C { static x = 1; };', STOPPED),
  spin(['A1'], 'eval bomb', 'for (;;) eval("function f" + Math.random().toString(36).slice(2) + "() {}");', STOPPED),
  spin(['A1'], 'formats of numbers and dates', 'for (let i = 0;; i++) { new Intl.NumberFormat("de").format(i); new Intl.DateTimeFormat("ja").format(i); }', STOPPED),
  spin(['A1'], 'endless loop that leaves a rejection behind', 'Promise.resolve().then(() => { throw new Error("left behind"); }); for (;;);'),
];

/** Builtins that no timeout of V8 interrupts (A4): only the end of the process does. */
export const BUILTINS: readonly Attack[] = [
  spin(['A4'], 'BigInt squared', 'let x = 2n ** 1000000n; for (;;) x = x * x;', STOPPED),
  spin(['A4'], 'BigInt power', 'for (;;) 2n ** (2n ** 29n) * 3n ** (2n ** 25n);', [...STOPPED, 'MICRO_THREW']),
  spin(['A4'], 'BigInt as text', 'const x = 3n ** (2n ** 21n); for (;;) String(x);', STOPPED),
  spin(['A4'], 'BigInt from text', 'const t = "7".repeat(2 ** 22); for (;;) BigInt(t);', STOPPED),
  spin(['A4'], 'array fill', 'for (;;) new Array(2 ** 32 - 1).fill(0);', STOPPED),
  spin(['A4'], 'lastIndexOf over a sparse array', 'const a = []; a.length = 2 ** 32 - 1; for (;;) Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);', STOPPED),
  spin(['A4'], 'replace on a long text', 'const t = "a".repeat(2 ** 26); for (;;) t.replace(/a/g, "bb");', STOPPED),
  spin(['A4'], 'replaceAll on 30 MB', 'const t = "ab".repeat(1.5e7); for (;;) t.replaceAll("a", "bcd");', STOPPED),
  spin(['A4'], 'JSON of 90 MB', 'const t = "[" + "[],".repeat(3e7) + "[]]"; for (;;) JSON.parse(t);', [...STOPPED, 'MICRO_THREW']),
  spin(['A4'], 'split into millions', 'const t = "a,".repeat(2e7); for (;;) t.split(",");', [...STOPPED, 'MICRO_THREW']),
  spin(['A4'], 'join of millions', 'const a = new Array(2e7).fill("a"); for (;;) a.join(",");', [...STOPPED, 'MICRO_THREW']),
  spin(['A4'], 'regular expression compile bomb', 'for (let i = 0;; i++) new RegExp("(?:" + "a{0,1000}".repeat(1000) + i + ")").test("b");', [...STOPPED, 'MICRO_THREW']),
  spin(['A4'], 'normalize and compare', 'const t = "\\u1e9b\\u0323".repeat(2e6); for (;;) { t.normalize("NFKD"); t.localeCompare(t + "a"); }', STOPPED),
  spin(['A4'], 'structured clone of a wide object', 'const o = {}; for (let i = 0; i < 3e4; i++) o[`k${i}`] = [i]; for (;;) structuredClone(o);', STOPPED),
];
