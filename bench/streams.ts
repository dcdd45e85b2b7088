// The rows of streams: a gigabyte into an isolate Micro and out of it, beside bare node:http, and what the host and the Cell
// take meanwhile.
import { request } from 'node:http';
import { join } from 'node:path';
import { findCells } from './processes.ts';
import { goalOf, judge, median, PRODUCT, ratiosOf } from './harness.ts';
import type { Effort, RowResult, Score } from './harness.ts';
import { ROOT } from './machine.ts';
import { MemoryWatch } from './memory-watch.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';
import type { Target } from './http.ts';

const BENCH = 'streams';
const PEER = 'node:http';
const MB = 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** How much more than before a host or a Cell may take, however long the stream. */
const GROWTH_MAX_MB = 64;

export interface StreamEffort extends Effort { streamMb: number }

type Move = (target: Target, bytes: number) => Promise<void>;

export async function measureStreams({ rounds, withProduct, streamMb }: StreamEffort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const peer = started.adopt(await startPeer(join(ROOT, 'bench/peers/stream-http.ts')), (one) => one.stop());
  let targets: Record<string, Target> = { [PEER]: { url: `http://127.0.0.1:${peer.port}/` } };
  const product = withProduct ? started.adopt(await startProduct(), (host) => host.stop()) : undefined;
  if (product) {
    const { url } = await product.push(await product.createProject('benchstreams'), join(ROOT, 'bench/apps/streams'));
    targets = { [PRODUCT]: await product.signedIn(url), ...targets };
  }
  for (const target of Object.values(targets)) for (const move of [upload, download]) await move(target, 16 * MB);
  const watches = product ? [{ name: 'host', pid: product.pid }, { name: 'Cell', pid: cellOf(product.pid) }].map(({ name, pid }) => ({ name, watch: new MemoryWatch(pid) })) : [];
  for (const { watch } of watches) watch.look();
  const before = watches.map(({ watch }) => watch.ownMb);
  const rows = [await row('out', targets, { rounds, streamMb, move: download }), await row('in', targets, { rounds, streamMb, move: upload })];
  for (const { watch } of watches) watch.stop();
  return [...rows, ...watches.map(({ name, watch }, at) => memoryRow(`${streamMb} MB out and in: what the ${name} takes more than before`, watch.ownMb - before[at]!))];
}

/** The one that works, and in its jail the innermost. */
function cellOf(hostPid: number): number {
  const [cell] = findCells(hostPid).toSorted((left, right) => right.privateMb - left.privateMb);
  return cell?.pids.at(-1) ?? hostPid;
}

async function row(name: string, targets: Record<string, Target>, { rounds, streamMb, move }: { rounds: number; streamMb: number; move: Move }): Promise<RowResult> {
  const rates: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const [contender, target] of Object.entries(targets)) {
      const start = performance.now();
      await move(target, streamMb * MB);
      (rates[contender] ??= []).push(streamMb / ((performance.now() - start) / 1000));
    }
  }
  const scores = Object.fromEntries(Object.entries(rates).map(([contender, values]): [string, Score] => [contender, { value: median(values), rounds: values }]));
  const ratios = ratiosOf(scores);
  return { bench: BENCH, row: `${streamMb} MB ${name}`, unit: 'MB/s', connections: 1, scores, ratios, goals: judge([{ against: PEER, atLeast: 0.5 }], ratios) };
}

function memoryRow(name: string, value: number): RowResult {
  return { bench: BENCH, row: name, unit: 'MB', scores: { [PRODUCT]: { value, rounds: [value] } }, ratios: {}, goals: [goalOf(`at most ${GROWTH_MAX_MB} MB by ${PRODUCT}`, value, value <= GROWTH_MAX_MB)] };
}

const download: Move = ({ url, headers }, bytes) => new Promise((resolve, reject) => {
  request(`${url}?bytes=${bytes}`, { headers }, (response) => {
    let length = 0;
    response.on('data', (chunk: Buffer) => { length += chunk.length; }).on('error', reject);
    response.on('end', () => (length === bytes ? resolve() : reject(new Error(`${length} of ${bytes} bytes came, with status ${response.statusCode}`))));
  }).on('error', reject).end();
});

const upload: Move = ({ url, headers }, bytes) => new Promise((resolve, reject) => {
  const sent = request(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' } }, (response) => {
    let text = '';
    response.on('data', (chunk: Buffer) => { text += chunk.toString(); }).on('error', reject);
    response.on('end', () => (text === String(bytes) ? resolve() : reject(new Error(`sent ${bytes} bytes, answered ${response.statusCode} ${text.slice(0, 200)}`))));
  }).on('error', reject);
  let left = bytes;
  const more = (): void => {
    for (;;) {
      if (left === 0) { sent.end(); return; }
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= chunk.length;
      if (!sent.write(chunk)) break;
    }
    sent.once('drain', more);
  };
  more();
});
