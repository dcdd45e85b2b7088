// Covers encodings, Headers, URLSearchParams, FormData, Blob and File as a Micro finds them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inside, openInside } from '../../../support/inside.ts';

let inside: Inside;
beforeAll(async () => { inside = await openInside(); });
afterAll(() => inside.close());

describe('encodings', () => {
  it.each([
    ['one of many bytes, whose table the Cell keeps', 'new TextDecoder("shift_jis").decode(new Uint8Array([0x82, 0xa0]))', 'あ'],
    ['one of old, in pieces', '(() => { const d = new TextDecoder("gb18030"); return d.decode(new Uint8Array([0xc4]), { stream: true }) + d.decode(new Uint8Array([0xe3])); })()', '你'],
    ['an unknown one', 'new TextDecoder("utf-7")', { thrown: 'RangeError', message: 'Unknown encoding' }],
    ['text that is cut in the middle of a character', 'Array.fromAsync(ReadableStream.from([new Uint8Array([0xe2, 0x82]), new Uint8Array([0xac])]).pipeThrough(new TextDecoderStream()))', ['€']],
    ['half a pair at the end of a chunk', 'Array.fromAsync(ReadableStream.from(["\\ud83c", "\\udf89x\\ud83c"]).pipeThrough(new TextEncoderStream())).then((chunks) => chunks.map((c) => [...c]))', [[0xf0, 0x9f, 0x8e, 0x89, 0x78], [0xef, 0xbf, 0xbd]]],
    ['base64 with loose ends', '[atob("ab"), atob(" YQ = = "), btoa("\\xff\\x00"), atob("")]', ['i', 'a', '/wA=', '']],
    ['base64 that is none', 'atob("a")', { thrown: 'InvalidCharacterError', message: 'The string is not correctly encoded' }],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});

describe('pairs', () => {
  it.each([
    ['Headers see what changes during a walk', '(() => { const h = new Headers({ a: "1", c: "3" }); const seen = []; for (const [name] of h) { seen.push(name); if (name === "a") h.append("b", "2"); } return seen; })()', ['a', 'b', 'c']],
    ['Headers keep cookies apart', '[...new Headers([["set-cookie", "a=1"], ["x", "1"], ["Set-Cookie", "b=2"], ["x", "2"]])]', [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x', '1, 2']]],
    ['an iterator of their own', '[Object.prototype.toString.call(new Headers().keys()), Object.prototype.toString.call(new FormData().entries()), typeof new URLSearchParams().keys().map]', ['[object Headers Iterator]', '[object FormData Iterator]', 'function']],
    ['no walk of a stranger', 'Headers.prototype.entries.call(new FormData())', expect.objectContaining({ thrown: 'TypeError' })],
    ['a value that is none', 'new Headers({ a: "b\\0" })', { thrown: 'TypeError', message: 'Invalid header value: "b\\u0000"' }],
    ['a name that is none', 'new Headers([["a b", "c"]])', { thrown: 'TypeError', message: 'Invalid header name: "a b"' }],
    ['a symbol', 'new URLSearchParams().append(Symbol("x"), "y")', expect.objectContaining({ thrown: 'TypeError' })],
    ['a Blob in a form gets a name, a text does not', '(() => { const f = new FormData(); f.append("a", new Blob(["x"])); try { f.append("b", "text", "name"); } catch (e) { return [f.get("a").name, e.name]; } })()', ['blob', 'TypeError']],
    ['members that can be listed', '[Object.keys(Headers.prototype).includes("append"), Object.keys(URL.prototype).includes("href"), Headers.name]', [true, true, 'Headers']],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});

describe('Blob', () => {
  it.each([
    ['slices from both ends', '(async () => { const b = new Blob(["abcdef"]); return [await b.slice(-3, -1).text(), await b.slice(4, 2).text(), b.slice(1, 3, "A/B").type]; })()', ['de', '', 'a/b']],
    ['streams in pieces of 64 KiB', 'Array.fromAsync(new Blob([new Uint8Array(150_000)]).stream()).then((chunks) => chunks.map((c) => c.length))', [65_536, 65_536, 18_928]],
    ['makes line endings its own', 'new Blob(["a\\r\\nb\\rc"], { endings: "native" }).text()', 'a\nb\nc'],
    ['keeps what it was made of', '(async () => { const bytes = new Uint8Array([97]); const b = new Blob([bytes]); bytes[0] = 98; (await b.bytes())[0] = 99; return b.text(); })()', 'a'],
    ['needs a list', 'new Blob("text")', { thrown: 'TypeError', message: 'A Blob is made of a list of parts' }],
    ['a File needs a name', 'new File([])', { thrown: 'TypeError', message: 'File needs 2 arguments, but got 1' }],
  ])('%s', async (_, expression, expected) => {
    expect(await inside.evaluate(expression)).toEqual(expected);
  });
});
