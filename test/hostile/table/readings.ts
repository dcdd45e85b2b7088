// Owns values that run code, or are too much, while somebody reads them (A11 to A13): errors, answers, questions to the host.
import { type Attack, CPU, REFUSED, STOPPED } from '../attack.ts';

const spin = (ids: string[], name: string, code: string, answers: readonly string[] = CPU): Attack => ({ ids, name, code, guard: 'cpu', answers });
const grow = (ids: string[], name: string, code: string, answers: readonly string[] = STOPPED): Attack => ({ ids, name, code, guard: 'memory', answers });
const inert = (ids: string[], name: string, code: string, answers: readonly string[] = REFUSED): Attack => ({ ids, name, code, guard: 'inert', answers });

export const READINGS: readonly Attack[] = [
  // errors
  inert(['A11'], 'prepareStackTrace that loops', 'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x");', ['MICRO_THREW']),
  inert(['A11'], 'prepareStackTrace set again', 'try { Object.defineProperty(Error, "prepareStackTrace", { value: () => { for (;;); } }); } catch {} throw new Error("x");', ['MICRO_THREW']),
  inert(['A11'], 'a stack of a million frames', 'Error.stackTraceLimit = Infinity; const f = (n) => { if (n === 0) throw new Error("x"); f(n - 1); }; f(5000);', ['MICRO_THREW']),
  spin(['A12'], 'thrown object with a getter that loops', 'throw { get message() { for (;;); } };'),
  spin(['A12'], 'thrown error with a stack that loops', 'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); throw e;'),
  spin(['A12'], 'rejection after the answer with a getter that loops', 'Promise.reject({ get message() { for (;;); } }); return new Response("sent");', [...STOPPED, 'ok']),
  spin(['A12'], 'name of an error class that loops', 'Object.defineProperty(TypeError.prototype, "name", { get() { for (;;); } }); null.x;'),
  spin(['A12'], 'cause without end', 'const e = new Error("x"); Object.defineProperty(e, "cause", { get() { for (;;); } }); throw e;'),
  inert(['A12'], 'cause that is itself', 'const e = new Error("x"); e.cause = e; throw e;', ['MICRO_THREW']),
  spin(['A12'], 'text of what was thrown loops', 'throw { toString() { for (;;); }, [Symbol.toPrimitive]() { for (;;); }, get message() { for (;;); } };'),
  grow(['A12'], 'a message of a quarter of a gigabyte', 'throw new Error("x".repeat(2 ** 28));', ['MICRO_THREW', ...STOPPED]),
  inert(['A12'], 'undefined, a symbol and a proxy thrown', 'await Promise.allSettled([Promise.reject(undefined), Promise.reject(Symbol("x"))]); throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 1; } });', ['MICRO_THREW']),
  // answers
  spin(['A12'], 'thenable that loops', 'return { then() { for (;;); } };'),
  spin(['A12'], 'thenable that resolves to itself', 'const t = { then(ok) { ok(t); } }; return t;'),
  spin(['A12'], 'answer whose traps loop', 'return new Proxy(new Response("x"), { get() { for (;;); }, getPrototypeOf() { for (;;); }, has() { for (;;); } });', ['MICRO_BAD_RESPONSE', 'MICRO_CPU_EXCEEDED']),
  inert(['A12'], 'something that looks like a Response', 'return { __proto__: Response.prototype, status: 200, headers: new Headers(), body: null };', ['MICRO_BAD_RESPONSE']),
  inert(['A12'], 'getters on Response.prototype', 'for (const name of ["status", "headers", "body", "_body", "_type"]) Object.defineProperty(Response.prototype, name, { get() { for (;;); } }); return new Response("ok");', ['ok', ...CPU]),
  spin(['A12'], 'header values that loop', 'return new Response("x", { headers: { a: { toString() { for (;;); } } } });'),
  spin(['A12'], 'body whose text loops', 'return new Response({ toString() { for (;;); } });'),
  inert(['A12'], 'a stream of what is not bytes', 'return new Response(new ReadableStream({ start(c) { c.enqueue({ byteLength: 2 ** 40 }); c.close(); } }));', ['MICRO_THREW', 'MICRO_BAD_RESPONSE', 'cut']),
  // questions to the host
  spin(['A12'], 'address that loops', 'await fetch({ toString() { for (;;); } });'),
  spin(['A12'], 'Item whose getters loop', 'await env.Base("b").put({ get a() { for (;;); } });'),
  spin(['A12'], 'Item whose toJSON loops', 'await env.Base("b").put({ toJSON() { for (;;); } });'),
  inert(['A12'], 'names that throw, or are nothing', 'for (const name of [{ toString() { throw 1; } }, Symbol("x"), null, undefined, {}, "", "\\0", "../x", "x".repeat(1e5)]) { try { await env.Base(name).get("k"); } catch {} try { await env.micros[name]?.fetch("/"); } catch {} }', ['ok']),
  inert(['A13'], 'cyclic Item', 'const item = {}; item.self = item; await env.Base("b").put(item);', ['MICRO_THREW']),
  inert(['A13'], 'Item of a million keys', 'const item = {}; for (let i = 0; i < 1e6; i++) item["k" + i] = 0; await env.Base("b").put(item);', [...REFUSED, ...STOPPED]),
  grow(['A13'], 'Item of a gigabyte', 'const part = "x".repeat(2 ** 26); await env.Base("b").put({ a: Array(16).fill(part) });', [...STOPPED, 'MICRO_THREW']),
  grow(['A13'], 'answer of a gigabyte', 'const part = new Uint8Array(2 ** 24); return new Response(new Blob(Array(64).fill(part)));', [...STOPPED, 'MICRO_THREW', 'MICRO_BAD_RESPONSE']),
  grow(['A13'], 'body of a gigabyte to fetch', 'await fetch("http://a.test/", { method: "POST", body: new Blob(Array(64).fill(new Uint8Array(2 ** 24))) });', [...STOPPED, 'MICRO_THREW']),
  inert(['A13'], 'answer just above the limit', 'return new Response(new Uint8Array(10 * 1024 * 1024 + 1));', ['MICRO_BAD_RESPONSE', ...STOPPED, 'ok']),
  inert(['A13'], 'cyclic, huge and unclonable for structuredClone', 'const c = {}; c.c = c; structuredClone(c); try { structuredClone(() => {}); } catch {} try { structuredClone(Array.from({ length: 1e6 }, () => ({}))); } catch {}', ['ok', 'MICRO_THREW', ...STOPPED]),
  grow(['A13'], 'address of a quarter of a gigabyte', 'await fetch("http://a.test/" + "x".repeat(2 ** 28));', [...STOPPED, 'MICRO_THREW']),
  inert(['A13'], 'a header of 16 MB', 'return new Response("x", { headers: { a: "b".repeat(2 ** 24) } });', ['MICRO_BAD_RESPONSE', ...CPU]),
  inert(['A13'], 'an address of 1 MB', 'await fetch("http://a.test/" + "x".repeat(2 ** 20));', ['MICRO_THREW']),
  inert(['A13'], 'a hundred thousand headers', 'const h = new Headers(); for (let i = 0; i < 1e5; i++) h.append("a", "b"); return new Response("x", { headers: h });', [...STOPPED, 'MICRO_BAD_RESPONSE']),
  // floods
  inert(['A22'], 'twenty thousand calls at once', 'const all = await Promise.allSettled(Array.from({ length: 20000 }, () => fetch("http://a.test/"))); if (!all.some((one) => one.status === "rejected")) throw new Error("no cap"); return new Response("ok");', ['ok', ...CPU, 'MICRO_OUT_OF_MEMORY']),
  inert(['A22'], 'twenty thousand timers', 'for (let i = 0; i < 20000; i++) setTimeout(() => {}, 1e6);', ['MICRO_THREW']),
  inert(['A22'], 'ten thousand pieces of background work', 'for (let i = 0; i < 10000; i++) ctx.waitUntil(new Promise(() => {}));', ['MICRO_THREW']),
  grow(['A24'], 'a log line of a quarter of a gigabyte', 'console.log("x".repeat(2 ** 28)); return new Response("ok");', ['ok', ...STOPPED]),
  inert(['A24'], 'a gigabyte of log lines', 'for (let i = 0; i < 1e6; i++) console.log("y".repeat(1000)); return new Response("ok");', ['ok', ...CPU]),
  inert(['A24'], 'console values that loop', 'const e = { constructor: { get name() { for (;;); } } }; console.log(e); throw e;', CPU),
];
