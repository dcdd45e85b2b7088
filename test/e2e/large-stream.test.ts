// Large bodies through a whole host, in both directions and through Micros that hand them on: all bytes arrive, and neither the
// host nor its Cells grow with them. `npm run test:streams` does the same with 1 GB.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHostProcess, type HostProcess } from '../support/host-process.ts';
import { growthOf } from '../support/resident.ts';
import { pushNew, settleOwner, type Resident } from './people.ts';

const MB = 1024 * 1024;
const SIZE = Number(process.env['STREAM_MB'] ?? 160) * MB;
/** More than any window and buffer, less than the body. */
const GROWTH_MAX = 96 * MB;
const PIECE = Buffer.alloc(256 * 1024, 'a body of a gigabyte ');

const CODE = `
let held = [];
export default { async fetch(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === '/public/hold') { for (let i = 0; i < 110; i++) held.push(new Uint8Array(1024 * 1024).fill(i)); await new Promise((r) => setTimeout(r, 500)); held = []; return new Response('held'); }
  if (pathname === '/public/up') { let size = 0; for await (const chunk of request.body) size += chunk.length; return new Response(String(size)); }
  if (pathname === '/public/echo') return new Response(request.body);
  if (pathname === '/public/pass') return env.micros.main.fetch('/public/echo', { method: 'POST', body: request.body, duplex: 'half' });
  if (pathname === '/public/keep') return new Response(await env.Drive('files').put('large', { data: request.body }));
  if (pathname === '/public/kept') { const file = await env.Drive('files').stream('large'); return new Response(file.body, { headers: { 'content-length': String(file.size) } }); }
  let left = Number(searchParams.get('size'));
  const piece = new Uint8Array(${JSON.stringify([...PIECE.subarray(0, 21)])});
  const full = new Uint8Array(${PIECE.length});
  for (let at = 0; at < full.length; at++) full[at] = piece[at % 21];
  return new Response(new ReadableStream({ pull(c) { const size = Math.min(left, full.length); left -= size; c.enqueue(full.slice(0, size)); if (left === 0) c.close(); } }));
} };`;

/** The same as a program. */
const PROGRAM = `
const { pipeline, Readable } = require('node:stream');
const piece = Buffer.alloc(${PIECE.length}, ${JSON.stringify(PIECE.toString('latin1', 0, 21))});
require('node:http').createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  if (pathname === '/echo') return pipeline(request, response, () => {});
  pipeline(Readable.from((function* () { for (let left = +searchParams.get('size'); left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length)); })()), response, () => {});
}).listen(process.env.PORT);`;

let host: HostProcess;
let ada: Resident;
let folder: string;
let app: URL;

beforeAll(async () => {
  host = await startHostProcess();
  ada = await settleOwner(host);
  folder = await mkdtemp(join(tmpdir(), 'large-stream-'));
  await writeFile(join(folder, 'Spacefile'), 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n    public_routes:\n      - /public/*\n'
    + '  - name: program\n    src: program\n    engine: custom\n    run: node index.cjs\n    public: true\n    path: program\n');
  await mkdir(join(folder, 'program'));
  await writeFile(join(folder, 'program', 'index.cjs'), PROGRAM);
  await writeFile(join(folder, 'index.js'), CODE);
  app = new URL((await pushNew(ada, folder, 'large')).url);
}, 120_000);

afterAll(async () => {
  await ada?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function* pieces(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= PIECE.length) yield PIECE.subarray(0, Math.min(left, PIECE.length));
}

const hashOf = (chunks: Iterable<Buffer>): string => {
  const hash = createHash('md5');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
};

/** Send a body of this size, or none, and read the answer. */
function exchange(path: string, size = 0): Promise<{ size: number; hash: string; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: host.port, path, method: size > 0 ? 'POST' : 'GET', headers: { host: app.host }, agent: false }, async (answer) => {
      const hash = createHash('md5');
      let [got, text] = [0, ''];
      try {
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          got += chunk.length;
          hash.update(chunk);
          if (text.length < 100) text += chunk.toString('latin1', 0, 100);
        }
        resolve({ size: got, hash: hash.digest('hex'), text });
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject);
    pipeline(Readable.from(pieces(size), { objectMode: true }), sent).catch(reject);
  });
}

/** By how much the process of the host that grew most grew, while this ran. */
const growthDuring = (run: () => Promise<unknown>): Promise<number> => growthOf(host, run);

test('a Micro that holds what it has is seen to grow', async () => {
  await exchange('/public/up', 1); // its Cell is there
  expect(await growthDuring(() => exchange('/public/hold'))).toBeGreaterThan(GROWTH_MAX);
  await exchange('/public/up', GROWTH_MAX); // a heap grows to its working size once; that is no growth with the body
}, 60_000);

test.each([
  ['up', '/public/up', SIZE],
  ['down', `/public/down?size=${SIZE}`, 0],
  ['up and down at once', '/public/echo', SIZE],
  ['through two Micros', '/public/pass', SIZE],
  ['into a Drive', '/public/keep', SIZE],
  ['out of a Drive', '/public/kept', 0],
  ['down from a program', `/program/down?size=${SIZE}`, 0],
  ['through a program', '/program/echo', SIZE],
])('a large body goes %s in flat memory', async (_, path, size) => {
  let answer = { size: 0, hash: '', text: '' };
  if (path.startsWith('/program')) await exchange('/program/down?size=1'); // it is up
  const startedAt = Date.now();
  const growth = await growthDuring(async () => { answer = await exchange(path, size); });
  const returnsText = path === '/public/up' || path === '/public/keep';
  if (returnsText) expect(answer.text).toBe(path === '/public/up' ? String(SIZE) : 'large');
  else expect([answer.size, answer.hash]).toEqual([SIZE, hashOf(pieces(SIZE))]);
  console.log(JSON.stringify({ way: path, mbPerSecond: Math.round(SIZE / MB / (Date.now() - startedAt) * 1000), grewMb: Math.round(growth / MB) }));
  expect(growth).toBeLessThan(GROWTH_MAX);
}, 600_000);
