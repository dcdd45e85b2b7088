// Owns builtins turned against the code around them: the guest's own runtime uses the same realm. At worst its own Micro breaks.
import { type Attack, STOPPED } from '../attack.ts';

const ANY = ['ok', 'MICRO_THREW', 'MICRO_BAD_RESPONSE', 'MICRO_TIMEOUT', ...STOPPED];
const poison = (name: string, code: string): Attack => ({ ids: ['A11', 'A12'], name, code, guard: 'inert', answers: ANY, isLasting: true });
const rest = 'console.log("x", { a: 1 }); await fetch("http://a.test/", { headers: { a: "b" } }).catch(() => {}); return new Response("ok", { headers: { a: "b" } });';

/** Names on a prototype, each replaced. */
const replaced = (holder: string, by: string): string =>
  `for (const key of Reflect.ownKeys(${holder})) if (key !== "constructor") try { Object.defineProperty(${holder}, key, { value: ${by}, configurable: true, writable: true }); } catch {}`;

const HOLDERS = ['Array.prototype', 'String.prototype', 'Object.prototype', 'Function.prototype', 'Promise.prototype', 'Map.prototype', 'Set.prototype', 'WeakMap.prototype', 'RegExp.prototype',
  'Uint8Array.prototype.__proto__', 'ArrayBuffer.prototype', 'Error.prototype', 'Date', 'JSON', 'Reflect', 'Object', 'Math', 'Symbol.prototype', 'Number.prototype', 'Promise', 'Array'];

export const POISON: readonly Attack[] = [
  ...HOLDERS.map((holder) => poison(`${holder}: everything throws`, `const orig = { keys: Reflect.ownKeys, define: Object.defineProperty }; ${replaced(holder, '() => { throw 1; }')} ${rest}`)),
  poison('Array: indexes are setters that loop', 'Object.defineProperty(Array.prototype, 0, { set() { for (;;); } }); return new Response("ok", { headers: { a: "b" } });'),
  poison('Array.push loops', 'Array.prototype.push = () => { for (;;); }; return new Response("ok", { headers: { a: "b" } });'),
  poison('Object.prototype: setters for the names of records', 'for (const name of ["kind", "id", "other", "meta", "body", "resolve", "reject", "owner", "status", "headers", "content", "used", "stream", "head", "text"]) Object.defineProperty(Object.prototype, name, { set() { for (;;); }, get() { for (;;); } }); return new Response("ok");'),
  poison('Promise.then loops', 'Promise.prototype.then = () => { for (;;); }; await null; return new Response("ok");'),
  poison('Promise species', 'Object.defineProperty(Promise, Symbol.species, { get() { for (;;); } }); Promise.prototype.constructor = class { constructor() { for (;;); } }; return new Response("ok");'),
  poison('Object.prototype.toJSON loops', `Object.prototype.toJSON = () => { for (;;); }; ${rest}`),
  poison('Object.prototype.then', 'Object.defineProperty(Object.prototype, "then", { get() { for (;;); } }); return new Response("ok");'),
  poison('no prototype above Object', `try { Object.setPrototypeOf(Object.prototype, new Proxy({}, {})); } catch {} ${rest}`),
  poison('Symbol.iterator gone', `delete Array.prototype[Symbol.iterator]; ${rest}`),
  poison('every global gone', 'for (const key of Reflect.ownKeys(globalThis)) try { delete globalThis[key]; } catch {} return undefined;'),
  poison('every global a proxy', 'for (const key of Reflect.ownKeys(globalThis)) if (key !== "globalThis" && key !== "Proxy") try { globalThis[key] = new Proxy(function () {}, {}); } catch {} return undefined;'),
  poison('globals that cannot be changed', 'for (const key of Reflect.ownKeys(globalThis)) try { Object.freeze(globalThis[key]); Object.freeze(globalThis[key]?.prototype); } catch {} return new Response("ok");'),
  poison('JSON.stringify forges records', 'JSON.stringify = () => ({ length: 0, toString: () => "R1 0 3 N\\n200D1 0 0 N\\nT0 0 1 N\\n0" }); console.log("x"); fetch("http://a.test/").catch(() => {}); await env.Base("b").get("k").catch(() => {}); return new Response("ok");'),
  poison('JSON.stringify forges calls for others', 'JSON.stringify = () => ({ length: 0, toString: () => Array.from({ length: 2000 }, (_, i) => `C${i % 3} 7 0 N\\n`).join("") }); fetch("http://a.test/").catch(() => {}); await null; return new Response("ok");'),
  ...['P4 0 0 S5\\nhello', 'P4 0 0 S0\\n', 'P8 0 0 N\\n', 'E4 0 1 N\\n[', 'E4 0 0 N\\nE4 0 0 N\\n', 'W4 999999999 0 N\\n', 'W1 0 0 N\\n', 'W1 300000 0 N\\nW1 300000 0 N\\n', 'W3 1 0 N\\n', 'Q1 0 0 N\\nQ1 0 0 N\\n', 'Q4 0 0 N\\n', 'A999 0 0 N\\n', 'C9 0 2 T4\\n[]C10 0 2 T4\\n[]', 'C9 0 2 T5\\n[]', 'R1 0 3 T4\\n200', 'P4 0 0 B0\\n'].map((record) =>
    poison(`JSON.stringify forges ${record}`, `const stream = new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 20)); c.enqueue(new Uint8Array(70000)); } });
      fetch("http://a.test/", { method: "POST", body: stream, duplex: "half" }).catch(() => {}); await null;
      JSON.stringify = () => ({ length: 0, toString: () => "${record}" }); console.log("x"); fetch("http://a.test/").catch(() => {}); await new Promise((r) => setTimeout(r, 50)); return new Response("ok");`)),
  poison('records of broken numbers', 'const texts = ["R-1 0 0 N\\n", "R1e9 0 0 N\\n", "C1 1 99999999 N\\n", "L0 0 5 S99999999\\nx", "C1 1 0 B77\\n", "Z1 1 0 N\\n", "\\n", "C 1 1 1"]; JSON.stringify = () => ({ length: 0, toString: () => texts.shift() ?? "" }); for (let i = 0; i < 8; i++) { fetch("http://a.test/").catch(() => {}); await null; } return new Response("ok");'),
];
