// Covers code that does what no code should: its caller gets a clear answer, its developer the place in the source, and
// neither hears of the host.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileURLToPath } from 'node:url';
import type { WireInstance, WireLogLine } from '../../core/wire.ts';
import { send } from '../support/http.ts';
import { pushApp, startTestHost, until, type TestHost } from '../support/start-host.ts';

const SPACEFILE = 'v: 0\nmicros:\n  - name: api\n    src: ./code\n    engine: isolate\n    primary: true\n    public: true\n';
const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

let host: TestHost;
/** Its end takes as long as a request may: it waits beside all others. */
let hanging: Promise<{ app: WireInstance; answer: Answer }>;
beforeAll(async () => {
  host = await startTestHost();
  const app = await push({ 'index.ts': 'type None = never;\nexport default { // here\n  fetch: (): Promise<None> => new Promise(() => {}) };' });
  hanging = ask(app, '').then((answer) => ({ app, answer }));
});
afterAll(() => host?.close());

let last = 0;
function push(files: Record<string, string>): Promise<WireInstance> {
  const code = Object.fromEntries(Object.entries(files).map(([path, text]) => [`code/${path}`, text]));
  return pushApp(host.owner, { name: `bad-${++last}`, files: { Spacefile: SPACEFILE, ...code } }).then(({ builder }) => builder);
}

async function logOf({ id }: WireInstance): Promise<WireLogLine[]> {
  const { text } = await host.owner.call(`GET /instances/${id}/logs`);
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as WireLogLine);
}

interface Answer { status: number | 'cut'; code?: string; text: string; requestId?: string }

/** An answer of a program: the connection may be cut. */
async function ask({ url }: WireInstance, path: string): Promise<Answer> {
  try {
    const { status, text } = await send(`${url}${path}`, { headers: { accept: 'application/json' } });
    if (status < 400) return { status, text };
    const { code, request_id: requestId } = JSON.parse(text) as { code: string; request_id: string };
    return { status, text, code, requestId };
  } catch {
    return { status: 'cut', text: '' };
  }
}

function expectNothingOfTheHost(text: string): void {
  for (const secret of [host.dataFolder, CHECKOUT, process.execPath, '/tmp/', 'file://', 'ownspace:', 'isolated-vm', 'esbuild', 'cell-', 'Cell', 'node:internal']) expect(text).not.toContain(secret);
}

/** Line of the text in which the mark stands. */
function lineOf(source: string, mark: string): number {
  const at = source.split('\n').findIndex((line) => line.includes(mark));
  expect(at, mark).toBeGreaterThanOrEqual(0);
  return at + 1;
}

const INDEX = `import { cases } from './lib/cases.ts';

interface Named { name: string }

export default { // the handler
  async fetch(request: Request): Promise<unknown> {
    const { name }: Named = { name: new URL(request.url).pathname.slice(1) };
    return cases[name]!(request);
  },
};
`;

/** What the handler does, and how that ends: status, code, what the log says, and where; '' is the handler itself. */
const CASES: Record<string, { code: string; status: number; is: string; says: RegExp; where?: 'handler' }> = {
  'returns-nothing': { code: '() => {}', status: 502, is: 'MICRO_BAD_RESPONSE', says: /the handler returned nothing instead of a Response/, where: 'handler' },
  'returns-a-number': { code: '() => 5', status: 502, is: 'MICRO_BAD_RESPONSE', says: /a number instead of a Response/, where: 'handler' },
  'returns-an-object': { code: '() => ({ status: 200, headers: {}, body: "x" })', status: 502, is: 'MICRO_BAD_RESPONSE', says: /an? object instead of a Response/, where: 'handler' },
  'returns-a-proxy-of-a-response': { code: '() => new Proxy(new Response("x"), {})', status: 502, is: 'MICRO_BAD_RESPONSE', says: /an? object instead of a Response/, where: 'handler' },
  'throws-an-error': { code: '() => { throw new RangeError("on purpose"); }', status: 500, is: 'MICRO_THREW', says: /^RangeError: on purpose\n/ },
  'throws-undefined': { code: '() => { throw undefined; }', status: 500, is: 'MICRO_THREW', says: /thrown: undefined/, where: 'handler' },
  'throws-a-string': { code: '() => { throw "just a text"; }', status: 500, is: 'MICRO_THREW', says: /thrown: just a text/, where: 'handler' },
  'rejects-with-undefined': { code: '() => Promise.reject()', status: 500, is: 'MICRO_THREW', says: /thrown: undefined/, where: 'handler' },
  'rejects-with-a-string': { code: 'async () => { await 1; throw "later"; }', status: 500, is: 'MICRO_THREW', says: /thrown: later/, where: 'handler' },
  'rejects-with-a-proxy': { code: '() => Promise.reject(new Proxy({}, { get() { throw new Error("trap"); } }))', status: 500, is: 'MICRO_THREW', says: /cannot be read/, where: 'handler' },
  'throws-looping-getters': { code: '() => { throw { get message() { for (;;); } }; }', status: 503, is: 'MICRO_CPU_EXCEEDED', says: /2,000 ms CPU time/, where: 'handler' },
  'rejects-with-looping-getters': { code: '() => Promise.reject(new Proxy({}, { get() { for (;;); } }))', status: 503, is: 'MICRO_CPU_EXCEEDED', says: /2,000 ms CPU time/, where: 'handler' },
  'header-name': { code: '() => new Response("x", { headers: { "a b": "c" } })', status: 500, is: 'MICRO_THREW', says: /^TypeError: / },
  'header-value': { code: '() => new Response("x", { headers: { a: "b\\r\\nset-cookie: x=y" } })', status: 500, is: 'MICRO_THREW', says: /^TypeError: / },
  'header-of-another-alphabet': { code: '() => { const headers = new Headers(); headers.set("x-name", "Ł"); return new Response("x", { headers }); }', status: 500, is: 'MICRO_THREW', says: /^TypeError: / },
  'status-99': { code: '() => new Response("x", { status: 99 })', status: 500, is: 'MICRO_THREW', says: /^RangeError: / },
  'status-100': { code: '() => new Response(null, { status: 100 })', status: 500, is: 'MICRO_THREW', says: /^RangeError: / },
  'status-101': { code: '() => new Response(null, { status: 101 })', status: 500, is: 'MICRO_THREW', says: /^(?:Range|Type)Error: / },
  'status-600': { code: '() => new Response(null, { status: 600 })', status: 500, is: 'MICRO_THREW', says: /^RangeError: / },
  '204-with-a-body': { code: '() => new Response("x", { status: 204 })', status: 500, is: 'MICRO_THREW', says: /^TypeError: / },
  'body-read-twice': { code: 'async () => { const response = new Response("x"); await response.text(); return new Response(await response.text()); }', status: 500, is: 'MICRO_THREW', says: /^TypeError: / },
  'body-read-before': { code: 'async () => { const response = new Response("x"); await response.text(); return response; }', status: 502, is: 'MICRO_BAD_RESPONSE', says: /read already|used/, where: 'handler' },
  'dependency-that-throws': { code: '() => JSON.parse("{")', status: 500, is: 'MICRO_THREW', says: /^SyntaxError: / },
};

const MORE = {
  ok: '() => new Response("ok")',
  reused: '() => (kept ??= new Response("once"))',
  'stream-that-errors': '() => new Response(new ReadableStream({ async pull(controller) { if (sent++ === 0) controller.enqueue(new Uint8Array(1000)); else throw new Error("broken midway"); } }))',
  'unhandled-rejection': '() => { void Promise.reject(new Error("nobody waits")); return new Response("fine"); }',
  printed: '() => { console.error("failed", new Error("printed")); console.log(new Error("as text").stack); return new Response("fine"); }',
};
const LIB = [
  'type Case = (request: Request) => unknown;', '', 'let kept: Response | undefined;', 'let sent = 0;', '', 'export const cases: Record<string, Case> = {',
  ...Object.entries({ ...Object.fromEntries(Object.entries(CASES).map(([name, { code }]) => [name, code])), ...MORE }).map(([name, code]) => `  '${name}': ${code},`), '};', '',
].join('\n');

describe('a handler', () => {
  let app: WireInstance;
  beforeAll(async () => { app = await push({ 'index.ts': INDEX, 'lib/cases.ts': LIB }); });

  const placeOf = (name: string, where?: 'handler'): string => (where ? `index.ts:${lineOf(INDEX, '// the handler')}:` : `lib/cases.ts:${lineOf(LIB, `'${name}'`)}:`);
  const entryOf = (requestId: string | undefined): Promise<WireLogLine> => until(async () => (await logOf(app)).find(({ request_id, level }) => request_id === requestId && level === 'error'));

  test.each(Object.keys(CASES))('%s', async (name) => {
    const { status, is, says, where } = CASES[name]!;
    const answer = await ask(app, name);
    expect(answer).toMatchObject({ status, code: is });
    expectNothingOfTheHost(answer.text);
    const { text, micro } = await entryOf(answer.requestId);
    expect(micro).toBe('api');
    expect(text).toMatch(says);
    expect(text).toContain(placeOf(name, where));
    expect(text).not.toContain('api.js');
    expectNothingOfTheHost(text);
    await until(async () => ((await ask(app, 'ok')).status === 200 ? true : undefined));
  });

  test('a Response that is used again', async () => {
    expect(await ask(app, 'reused')).toMatchObject({ status: 200, text: 'once' });
    const answer = await ask(app, 'reused');
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect((await entryOf(answer.requestId)).text).toContain('.ts:');
  });

  test('a stream that errors midway: a cut answer, or none', async () => {
    const answer = await ask(app, 'stream-that-errors');
    expect(answer.status === 'cut' || answer.status >= 500).toBe(true);
    const entry = await until(async () => (await logOf(app)).find(({ text }) => text.includes('broken midway')));
    expect(entry.text).toContain(placeOf('stream-that-errors'));
    expectNothingOfTheHost(answer.text + entry.text);
  });

  test.each([['unhandled-rejection', 'nobody waits'], ['printed', 'failed Error: printed'], ['printed', 'Error: as text']])('%s: %s is logged with its place', async (name, said) => {
    expect(await ask(app, name)).toMatchObject({ status: 200, text: 'fine' });
    const entry = await until(async () => (await logOf(app)).findLast(({ text }) => text.includes(said)));
    expect(entry.text).toContain(placeOf(name));
    expectNothingOfTheHost(entry.text);
  });
});

describe('a module that does not start', () => {
  const FINE = 'export default { fetch: () => new Response("x") };\n';
  const starts: [string, Record<string, string>, RegExp, string][] = [
    ['no handler', { 'index.ts': 'interface Much { of: this }\n\nexport default { handle: 1 };\n' }, /no default export with a fetch function/, 'index.ts:3:'],
    ['an exception', { 'index.ts': `import './lib/start.ts';\n${FINE}`, 'lib/start.ts': 'type A = 1;\ntype B = 2;\nfunction begin(_: A | B): never { throw new TypeError("not today"); }\nbegin(1);\n' }, /not today/, 'lib/start.ts:3:'],
    ['a text that is thrown', { 'index.ts': `${FINE}throw 'no text';\n` }, /no text/, 'index.ts:1:'],
    ['a rejection', { 'index.ts': `type A = 1;\nconst late = async (): Promise<A> => { await null; throw new Error('too late'); };\nawait late();\n${FINE}` }, /too late/, 'index.ts:2:'],
    ['a loop', { 'index.ts': `type A = 1;\n${FINE}for (;;);\n` }, /ran longer than|CPU/, 'index.ts:2:'],
    ['an await without end', { 'index.ts': `type A = 1;\n${FINE}await new Promise(() => {});\n` }, /did not finish within/, 'index.ts:2:'],
  ];
  test.each(starts)('%s', async (_, files, says, where) => {
    const app = await push(files);
    const answer = await ask(app, '');
    expect(answer).toMatchObject({ status: 502, code: 'MICRO_START_FAILED' });
    const entry = await until(async () => (await logOf(app)).find(({ level }) => level === 'error'));
    expect(entry.text).toMatch(says);
    expect(entry.text).toContain(where);
    expectNothingOfTheHost(answer.text + entry.text);
  });
});

describe('what is not built', () => {
  const builds: [string, Record<string, string>, RegExp][] = [
    ['a syntax error', { 'index.ts': 'const a: number = 1;\nexport default { fetch() { return a +; } };\n' }, /index\.ts:2:\d+: .*\n {4}export default/],
    ['a missing file', { 'index.ts': `\nimport { gone } from './gone.ts';\nexport default gone;\n` }, /index\.ts:2:\d+: `\.\/gone\.ts` was not found/],
    ['a missing package', { 'index.ts': `import gone from 'not-there';\nexport default gone;\n` }, /index\.ts:1:\d+: `not-there` is not installed/],
    ['require("fs")', { 'index.ts': `import './a.cjs';\nexport default {};`, 'a.cjs': '\n\nconst fs = require("fs");\n' }, /a\.cjs:3:\d+: `fs` is a module of Node\.js, which an isolate does not have/],
    ['no default export', { 'index.ts': 'export const fetch = 1;\n' }, /`index\.ts` has no default export/],
    ['a bundle over 10 MB', { 'index.ts': `import text from './big.txt';\nexport default { fetch: () => new Response(text) };`, 'big.txt': 'x'.repeat(10 * 1024 * 1024 + 1) }, /10485760|10 MB/],
  ];
  test.each(builds)('%s', async (_, files, says) => {
    const error = await push(files).then(() => undefined, (refused: Error) => refused.message);
    expect(error).toMatch(says);
    expectNothingOfTheHost(error!);
  });
});

test('a handler that never returns', async () => {
  const { app, answer } = await hanging;
  expect(answer).toMatchObject({ status: 504, code: 'MICRO_TIMEOUT' });
  const [entry] = await logOf(app);
  expect(entry).toMatchObject({ level: 'error', request_id: answer.requestId, text: expect.stringMatching(/^Timed out: no answer after .* of 20,000 ms/) });
  expect(entry!.text).toContain('index.ts:2:');
});
