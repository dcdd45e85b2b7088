// Covers events, AbortSignal and structuredClone as a Micro finds them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inside, openInside } from '../../../support/inside.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

describe('events', () => {
  it.each([
    ['listeners in their order, capturing ones first', '(() => { const t = new EventTarget(); const seen = []; t.addEventListener("x", () => seen.push("b")); t.addEventListener("x", { handleEvent(e) { seen.push(e.eventPhase); } }); t.addEventListener("x", () => seen.push("c"), true); t.dispatchEvent(new Event("x")); return seen; })()', ['c', 'b', 2]],
    ['the same listener once', '(() => { const t = new EventTarget(); let n = 0; const f = () => n++; t.addEventListener("x", f); t.addEventListener("x", f); t.dispatchEvent(new Event("x")); t.removeEventListener("x", f); t.dispatchEvent(new Event("x")); return n; })()', 1],
    ['a stop at once', '(() => { const t = new EventTarget(); let n = 0; t.addEventListener("x", (e) => { n++; e.stopImmediatePropagation(); }); t.addEventListener("x", () => n++); t.dispatchEvent(new Event("x")); return n; })()', 1],
    ['preventDefault, which passive listeners lack', '(() => { const t = new EventTarget(); t.addEventListener("x", (e) => e.preventDefault()); t.addEventListener("y", (e) => e.preventDefault(), { passive: true }); return [t.dispatchEvent(new Event("x", { cancelable: true })), t.dispatchEvent(new Event("y", { cancelable: true })), t.dispatchEvent(new Event("x"))]; })()', [false, true, true]],
    ['a listener with a signal', '(() => { const t = new EventTarget(); const c = new AbortController(); let n = 0; t.addEventListener("x", () => n++, { signal: c.signal }); t.dispatchEvent(new Event("x")); c.abort(); t.dispatchEvent(new Event("x")); return n; })()', 1],
    ['an event in flight, which cannot be sent again', '(() => { const t = new EventTarget(); let name; t.addEventListener("x", (e) => { try { t.dispatchEvent(e); } catch (error) { name = error.name; } }); t.dispatchEvent(new Event("x")); return name; })()', 'InvalidStateError'],
    ['what MessageEvent, CloseEvent and ErrorEvent carry', '[new MessageEvent("m", { data: { a: 1 }, origin: "o" }).data.a, new CloseEvent("c", { code: 1000, reason: "bye", wasClean: true }).code, new ErrorEvent("e", { message: "m", error: 5 }).error]', [1, 1000, 5]],
    ['no event without a type', 'new Event()', { thrown: 'TypeError', message: 'Event needs an argument, but got 0' }],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });

  it('a listener that throws is logged and keeps no other from running', async () => {
    expect(await inside.evaluate('(() => { const t = new EventTarget(); let ran = false; t.addEventListener("x", () => { throw new Error("in a listener"); }); t.addEventListener("x", () => { ran = true; }); t.dispatchEvent(new Event("x")); return ran; })()')).toBe(true);
    expect(inside.instance.logs.at(-1)!.text).toContain('in a listener');
  });
});

describe('AbortSignal', () => {
  it.each([
    ['any: the first that aborts gives the reason', '(() => { const a = new AbortController(), b = new AbortController(); const s = AbortSignal.any([a.signal, b.signal]); b.abort("b"); a.abort("a"); return [s.aborted, s.reason]; })()', [true, 'b']],
    ['any of any: all are aborted before anybody hears of it', '(() => { const a = new AbortController(); const s = AbortSignal.any([a.signal]); const t = AbortSignal.any([s]); let seen; a.signal.onabort = () => { seen = [s.aborted, t.aborted]; }; a.abort(); return seen; })()', [true, true]],
    ['onabort can be replaced', '(() => { const a = new AbortController(); const seen = []; a.signal.onabort = () => seen.push(1); a.signal.addEventListener("abort", () => seen.push(2)); a.signal.onabort = () => seen.push(3); a.abort(); return seen; })()', [3, 2]],
    ['cannot be constructed', '(() => { try { new AbortSignal(); } catch (e) { return e.name; } })()', 'TypeError'],
    ['timeout refuses what is no time', '(() => { try { AbortSignal.timeout(-1); } catch (e) { return e.name; } })()', 'TypeError'],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});

describe('structuredClone', () => {
  it.each([
    ['moves a buffer', '(() => { const b = new Uint8Array([1, 2]).buffer; const { c, d } = structuredClone({ c: b, d: new Uint8Array(b, 1) }, { transfer: [b] }); return [b.detached, c.byteLength, c === d.buffer, [...d]]; })()', [true, 2, true, [2]]],
    ['moves nothing when it fails', '(() => { const b = new ArrayBuffer(2); try { structuredClone({ b, f() {} }, { transfer: [b] }); } catch (e) { return [e.name, b.detached]; } })()', ['DataCloneError', false]],
    ['refuses a buffer twice', '(() => { const b = new ArrayBuffer(2); structuredClone(1, { transfer: [b, b] }); })()', { thrown: 'DataCloneError', message: 'A buffer is transferred twice' }],
    ['copies Files, errors and holes', '(async () => { const { f, e, a } = structuredClone({ f: new File(["x"], "n", { type: "t/x", lastModified: 5 }), e: new RangeError("r", { cause: 1 }), a: [, 1] }); return [f.name, f.type, f.lastModified, await f.text(), e instanceof RangeError, e.cause, 0 in a, a.length]; })()', ['n', 't/x', 5, 'x', true, 1, false, 2]],
    ['refuses what belongs to the platform', '(() => structuredClone(new Response("x")))()', { thrown: 'DataCloneError', message: 'Response could not be cloned' }],
    ['keeps a key called __proto__', '(() => { const c = structuredClone(JSON.parse(\'{"__proto__":{"a":1}}\')); return [Object.hasOwn(c, "__proto__"), c.a ?? null]; })()', [true, null]],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});
