// Owns the proof that no input to Base and Drive, however wrong, makes a fault of the host: every row of the table of
// operations gets requests that are nearly right, wrong, and garbage. `FUZZ_RUNS` says how many each (`npm run test:fuzz`).
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERRORS } from '../../core/errors.ts';
import { DATA_ROUTES, type DataRoute } from '../../runtime/api/data-route.ts';
import type { TestResponse } from '../support/http.ts';
import { sendAsIs, startAttackedHost, type AttackedHost, type DataRequest } from './data-plane.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);
const TIMEOUT_MS = 20_000 + RUNS * 200;

let space: AttackedHost;
/** Of the own Collection, and of the one of somebody else. */
let uploads: { own: string; theirs: string };

beforeAll(async () => {
  space = await startAttackedHost();
  const { own, theirs } = space;
  const start = async (door: typeof own): Promise<string> => (await door.drive('things/uploads?name=a', { method: 'POST' })).json().upload_id;
  uploads = { own: await start(own), theirs: await start(theirs) };
  await theirs.base('things/items', { method: 'PUT', body: { items: [{ key: 'a', canary: 'theirs' }] } });
  await theirs.drive('things/files?name=a', { method: 'POST', body: 'canary of theirs' });
}, 60_000);
afterAll(() => space?.close());

// ---- texts, values, bodies

const NASTY_TEXTS = ['', 'a', 'b', 'key', '__proto__', 'constructor', 'toString', '.', '..', '/', '%', '%00', '\0', '\n', '\r\nX: y', '\ud800', '\udfff', '\u202e', '\ufeff', '🔑', '$(id)', '-', 'a?lt', 'a?r', 'a?x', '?', 'a.b', 'a..b', '.a', '__expires', 'key?pfx', 'x'.repeat(1024), 'x'.repeat(1025), 'things'];
const text = fc.oneof(fc.constantFrom(...NASTY_TEXTS), fc.string({ unit: 'binary', maxLength: 12 }), fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((units) => String.fromCharCode(...units)));

/** As they are written, also those that no double reaches. */
const NUMBERS = ['0', '-0', '1', '-1', '25', '1000', '1001', '1.5', '1e21', '1e308', '-1e308', '1e999', '-1e999', '5e-324', '9007199254740993', '2147483648', '4294967296', '-9223372036854775808', '1e15', '253402300800', '-62135596801'];
const scalar = fc.oneof(fc.constantFrom(...NUMBERS, 'null', 'true', 'false'), text.map((one) => JSON.stringify(one)));

/** JSON as text, so that names may repeat and numbers be any. */
const { json } = fc.letrec<{ json: string; list: string; object: string }>((tie) => ({
  json: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('object')),
  list: fc.array(tie('json'), { maxLength: 4 }).map((all) => `[${all.join(',')}]`),
  object: fc.array(fc.tuple(fc.oneof(text, fc.constantFrom('key', 'a', 'b', '__expires')), tie('json')), { maxLength: 4 }).map(objectOf),
}));

function objectOf(pairs: [string, string][]): string {
  return `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** An object with some of these names, each with what suits it or with anything. */
function shaped(fields: Record<string, fc.Arbitrary<string>>): fc.Arbitrary<string> {
  const pairs = Object.entries(fields).map(([name, value]) => fc.option(fc.oneof({ weight: 4, arbitrary: value }, json).map((one): [string, string] => [name, one])));
  return fc.tuple(...pairs).map((some) => objectOf(some.filter((pair) => pair !== null)));
}

const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('"a"', '"b"', '"c"') }, scalar);
const item = shaped({ key, value: json, a: json, __expires: fc.constantFrom(...NUMBERS, 'null', '"1"'), __proto__x: json }).map((one) => one.replace('__proto__x', '__proto__'));
const path = fc.oneof(fc.constantFrom('a', 'b', 'a.b', 'value', 'value.a', '__proto__.a', 'key', '__expires'), text);
const fields = fc.array(fc.tuple(path, json), { maxLength: 3 }).map(objectOf);
const condition = fc.array(fc.tuple(fc.tuple(path, fc.constantFrom('', '?ne', '?lt', '?gt', '?lte', '?gte', '?<', '?>=', '?pfx', '?r', '?contains', '?not_contains', '?!contains', '?nothing')).map((pair) => pair.join('')), json), { maxLength: 4 }).map(objectOf);
const listOf = (one: fc.Arbitrary<string>, maxLength = 4): fc.Arbitrary<string> => fc.array(one, { maxLength }).map((all) => `[${all.join(',')}]`);

const BODIES: Record<string, fc.Arbitrary<string>> = {
  'PUT items': shaped({ items: listOf(item) }),
  'POST items': shaped({ item }),
  'PATCH items/:': fc.oneof(json.map((one) => `{"set":{"value":${one}}}`), shaped({ set: fields, increment: fields, append: fields, prepend: fields, delete: listOf(path.map((one) => JSON.stringify(one))) })),
  'POST query': shaped({ query: fc.oneof(listOf(condition), condition), limit: fc.constantFrom(...NUMBERS), last: scalar, sort: fc.constantFrom('"asc"', '"desc"', '""', 'null') }),
  'DELETE files': shaped({ names: listOf(text.map((one) => JSON.stringify(one))) }),
};

/** What suits the operation; the same, damaged; anything. */
function bodyFor(route: DataRoute): fc.Arbitrary<Buffer | undefined> {
  const suitable = (BODIES[nameOf(route)] ?? text).map((one) => Buffer.from(one));
  const damaged = fc.tuple(suitable, fc.nat(), fc.uint8Array({ maxLength: 3 }), fc.nat(3)).map(([body, at, bytes, cut]) => {
    const place = at % (body.length + 1);
    return Buffer.concat([body.subarray(0, place), bytes, body.subarray(place + cut)]);
  });
  return fc.oneof({ weight: 6, arbitrary: suitable }, { weight: 2, arbitrary: damaged }, fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)), json.map((one) => Buffer.from(one)), fc.constant(undefined));
}

// ---- addresses, headers

/** Encoded once, with half characters as the bytes that encoders without checks make of them; or any bytes. */
const segment = fc.oneof({ weight: 4, arbitrary: text.map(encoded) }, fc.uint8Array({ maxLength: 6 }).map((bytes) => percent(Buffer.from(bytes))), fc.constantFrom('%', '%zz', '%2', '%ff', '%c0%af', '%ed%a0%80', '..', '.', ';', 'a;b', '+'));

function encoded(one: string): string {
  return one.isWellFormed() ? encodeURIComponent(one) : percent(Buffer.from(one, 'utf16le'));
}

function percent(bytes: Buffer): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

const name = fc.oneof({ weight: 5, arbitrary: fc.constant('things') }, segment);
const PARAMETERS = ['name', 'part', 'limit', 'last', 'prefix', 'recursive'];
const query = fc.array(fc.tuple(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PARAMETERS) }, segment), fc.oneof(fc.constantFrom('a', '1', '2', 'false', ...NUMBERS), segment)), { maxLength: 5 })
  .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'));
const suitableQuery = fc.constantFrom('name=a', 'name=a&part=1', 'name=a&part=100000', 'name=b', 'limit=1&prefix=a', '');

/** Values that a client may write into a header at all. */
const headerValue = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('*', '""', '"1"', 'W/"1"', '"1", "2"', '"', 'W/', '"1', '\xff', '0', 'x'.repeat(300), 'bytes=0-', 'bytes=-', 'bytes=1-0', 'bytes=99-', 'bytes=-99', 'bytes=0-99999999999999999999', 'text/html', 'application/json', 'multipart/form-data'))
  .map((value) => value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').trim());
const HEADERS = ['if-match', 'if-none-match', 'if-range', 'if-modified-since', 'range', 'content-type', 'content-encoding', 'accept', 'origin', 'cookie', 'x-http-method-override', 'x-deta-signature'];
const headers = fc.array(fc.tuple(fc.constantFrom(...HEADERS), headerValue), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs));

interface Fuzzed { path: string; request: DataRequest }

function requestFor(route: DataRoute): fc.Arbitrary<Fuzzed> {
  const stands = route.path.startsWith('uploads/:')
    ? fc.oneof({ weight: 3, arbitrary: fc.constant('{own}') }, fc.constant('{theirs}'), segment)
    : fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c') }, segment);
  return fc.tuple(name, stands, fc.oneof(suitableQuery, query), bodyFor(route), headers).map(([base, part, search, body, extra]) => ({
    path: `${base}/${route.path.replace(':', part)}${search === '' ? '' : `?${search}`}`,
    request: { method: route.method, headers: extra, ...(body === undefined ? {} : { body }) },
  }));
}

const RIGHT_BODIES: Record<string, string> = { 'PUT items': '{"items":[{"key":"a"}]}', 'POST items': '{"item":{}}', 'PATCH items/:': '{"set":{"value":1}}', 'POST query': '{}', 'DELETE files': '{"names":["b"]}' };

/** One that is right, and one to a name that is none: both worlds are entered whatever chance brings. */
function examplesOf(route: DataRoute): [Fuzzed][] {
  const below = route.path.replace(':', route.path.startsWith('uploads') ? '{own}' : 'a');
  const request: DataRequest = { method: route.method, body: RIGHT_BODIES[nameOf(route)] ?? 'x' };
  return ['things', '%00'].map((base): [Fuzzed] => [{ path: `${base}/${below}?name=a&part=1`, request }]);
}

// ---- judging

const nameOf = ({ method, path: below }: DataRoute): string => `${method} ${below}`;
/** Anything that the host's own code might have changed for everybody (attack A14). */
const PRISTINE = [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((one) => Object.getOwnPropertyNames(one).join());

/** @throws when an answer is one that input alone must never cause */
function judge({ status, headers: answered, text: answer }: Pick<TestResponse, 'status' | 'headers' | 'text'>): void {
  expect(status, answer).toBeLessThan(500);
  expect(answer).not.toContain('canary');
  expect(answer).not.toMatch(/node:internal|\.ts:\d|at async /);
  if (status < 400) return;
  expect(answered['content-type']).toBe('application/json; charset=utf-8');
  const body = JSON.parse(answer) as { errors?: unknown; detail?: unknown; code?: string; key?: unknown };
  if (status === 404 && body.key !== undefined) return;
  expect(body).toMatchObject({ errors: [body.detail], detail: expect.any(String), request_id: expect.any(String) });
  expect(Object.keys(ERRORS)).toContain(body.code);
}

async function assertUnharmed(): Promise<void> {
  expect([Object.prototype, Array.prototype, Function.prototype, String.prototype].map((one) => Object.getOwnPropertyNames(one).join())).toEqual(PRISTINE);
  expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  expect((await sendAsIs(space, '/api/v0/health', {})).status).toBe(200);
  expect((await space.theirs.base('things/items/a')).json()).toEqual({ key: 'a', canary: 'theirs' });
  expect((await space.theirs.drive('things/files/download?name=a')).text).toBe('canary of theirs');
  expect(space.logged().split('\n').filter((line) => line.includes('"level":"error"'))).toEqual([]);
}

describe('the judge', () => {
  const answer = (status: number, body: string): Parameters<typeof judge>[0] => ({ status, headers: { 'content-type': 'application/json; charset=utf-8' }, text: body });
  const error = { errors: ['x'], detail: 'x', code: 'BAD_JSON', request_id: '1' };

  test.each([
    [500, JSON.stringify({ ...error, code: 'INTERNAL' })], [503, JSON.stringify(error)], [400, 'not JSON'], [400, '{}'], [400, JSON.stringify({ ...error, code: 'MADE_UP' })], [400, JSON.stringify({ ...error, errors: [] })],
    [200, 'a canary'], [400, JSON.stringify({ ...error, errors: ['at async file.ts:12'], detail: 'at async file.ts:12' })],
  ])('%i %s does not pass', (status, body) => {
    expect(() => judge(answer(status, body))).toThrow();
  });

  test('an honest refusal passes', () => judge(answer(400, JSON.stringify(error))));
});

describe('every operation', () => {
  test.each(DATA_ROUTES)('$method $path takes anything and stays a host', async (route) => {
    await space.own.base('things/items', { method: 'PUT', body: { items: ['a', 'b', 'c'].map((one) => ({ key: one, value: { a: 1 } })) } });
    await space.own.drive('things/files?name=a', { method: 'POST', body: 'content' });
    const statuses = new Map<number, number>();
    await fc.assert(fc.asyncProperty(requestFor(route), async ({ path: at, request }) => {
      const filled = at.replace('{own}', uploads.own).replace('{theirs}', uploads.theirs);
      const answer = await space.own[route.service](filled, request);
      judge(answer);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      // An upload that was completed or given up takes nothing more.
      if (answer.status === 200 && /^(PATCH|DELETE) uploads/.test(nameOf(route))) uploads.own = (await space.own.drive('things/uploads?name=a', { method: 'POST' })).json().upload_id;
    }), { numRuns: RUNS, examples: examplesOf(route), ...(process.env['FUZZ_SEED'] ? { seed: Number(process.env['FUZZ_SEED']) } : {}) });
    await assertUnharmed();
    const kinds = new Set([...statuses.keys()].map((status) => Math.floor(status / 100)));
    expect([...kinds].toSorted(), `${nameOf(route)}: ${JSON.stringify([...statuses])}`).toEqual(expect.arrayContaining([2, 4]));
  }, TIMEOUT_MS);

  test('a whole request of garbage', async () => {
    const garbage = fc.tuple(fc.constantFrom('GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND'), fc.array(segment, { maxLength: 6 }), query, json, headers);
    await fc.assert(fc.asyncProperty(garbage, async ([method, segments, search, body, extra]) => {
      const at = `/${['base', 'drive'][segments.length % 2]}/v1/${space.own.id}/${segments.join('/')}?${search}`;
      const answer = await sendAsIs(space, at, { method, body, headers: { 'x-api-key': space.own.key, ...extra } });
      if (method === 'HEAD') expect(answer.status).toBeLessThan(500);
      else judge(answer);
    }), { numRuns: RUNS * 3 });
    await assertUnharmed();
  }, TIMEOUT_MS);
});
