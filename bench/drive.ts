// The rows of Drive: one large File up in parts of 10 MiB, one after another as the SDKs send them, and down again, beside
// node:http that pipes the same bytes to and from files with a sync for each part; and the host's memory meanwhile.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goalOf, judge, median, PRODUCT, ratiosOf } from './harness.ts';
import type { Effort, RowResult, Score } from './harness.ts';
import { ROOT } from './machine.ts';
import { MemoryWatch } from './memory-watch.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';

const BENCH = 'drive';
const PEER = 'node:http';
const PART_BYTES = 10 * 1024 * 1024;
const NAME = 'name=large';
const MEMORY_MAX_MB = 300;

export interface DriveEffort extends Effort { driveMb: number }

interface Contender {
  name: string;
  upload(parts: number): Promise<void>;
  /** @returns the time without what only prepares the download, in seconds */
  download(onChunk?: (chunk: Buffer) => void): Promise<number>;
}

/** Any bytes do; the same ones in each part make it cheap to look whether they came back. */
const PART = randomBytes(PART_BYTES);

export async function measureDrive(effort: DriveEffort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-drive-')), (path) => rm(path, { recursive: true }));
  const peer = started.adopt(await startPeer(join(ROOT, 'bench/peers/file-http.ts'), [folder]), (one) => one.stop());
  const contenders: Contender[] = [fileServer(peer.port)];
  const product = effort.withProduct ? started.adopt(await startProduct(), (host) => host.stop()) : undefined;
  if (product) contenders.unshift(await driveOf(product));
  const parts = Math.max(1, Math.round((effort.driveMb * 1024 * 1024) / PART_BYTES));
  for (const contender of contenders) await checkContent(contender);
  const memory = product && new MemoryWatch(product.pid);
  const [up, down] = await measureRounds(contenders, parts, effort.rounds);
  memory?.stop();
  const size = `${Math.round((parts * PART_BYTES) / 1024 / 1024)} MB`;
  return [row(`${size} up`, up), row(`${size} down`, down), ...(memory ? [memoryRow(memory, size)] : [])];
}

/** Wrong bytes would be no result. */
async function checkContent({ name, upload, download }: Contender): Promise<void> {
  await upload(3);
  const hash = createHash('sha256');
  await download((chunk) => hash.update(chunk));
  const expected = createHash('sha256').update(PART).update(PART).update(PART).digest('hex');
  if (hash.digest('hex') !== expected) throw new Error(`${name} does not give back what it got`);
}

type Rounds = Map<string, number[]>;

/** MB/s of each contender in each round. */
async function measureRounds(contenders: readonly Contender[], parts: number, rounds: number): Promise<[up: Rounds, down: Rounds]> {
  const up: Rounds = new Map(contenders.map(({ name }) => [name, []]));
  const down: Rounds = new Map(contenders.map(({ name }) => [name, []]));
  const megabytes = (parts * PART_BYTES) / 1024 / 1024;
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const start = performance.now();
      await contender.upload(parts);
      up.get(contender.name)?.push(megabytes / ((performance.now() - start) / 1000));
      down.get(contender.name)?.push(megabytes / (await contender.download()));
    }
  }
  return [up, down];
}

function row(name: string, rounds: Rounds): RowResult {
  const scores = Object.fromEntries([...rounds].map(([contender, values]): [string, Score] => [contender, { value: median(values), rounds: values }]));
  const ratios = ratiosOf(scores);
  return { bench: BENCH, row: name, unit: 'MB/s', connections: 1, scores, ratios, goals: judge([{ against: PEER, atLeast: 0.7 }], ratios) };
}

function memoryRow({ ownMb, totalMb }: MemoryWatch, size: string): RowResult {
  return {
    bench: BENCH, row: `memory of the host at its peak, ${size} up and down`, unit: 'MB', ratios: {},
    scores: { [PRODUCT]: { value: ownMb, rounds: [ownMb] }, 'with mapped files': { value: totalMb, rounds: [totalMb] } },
    goals: [goalOf(`less than ${MEMORY_MAX_MB} MB by ${PRODUCT}`, ownMb, ownMb < MEMORY_MAX_MB)],
  };
}

async function driveOf({ port, call }: Awaited<ReturnType<typeof startProduct>>): Promise<Contender> {
  const { id } = await call<{ id: string }>('POST', '/collections', { name: 'bench' });
  const { value } = await call<{ value: string }>('POST', `/collections/${id}/keys`, { name: 'bench' });
  const client = connect(port, { 'host': `localhost:${port}`, 'x-api-key': value });
  const at = (path: string): string => `/drive/v1/${id}/files/${path}`;
  return {
    name: PRODUCT,
    async upload(parts) {
      const { upload_id: upload } = JSON.parse(await client.ask('POST', at(`uploads?${NAME}`))) as { upload_id: string };
      for (let part = 1; part <= parts; part += 1) await client.ask('POST', at(`uploads/${upload}/parts?${NAME}&part=${part}`), { body: PART });
      await client.ask('PATCH', at(`uploads/${upload}?${NAME}`));
    },
    download: (onChunk) => timed(() => client.ask('GET', at(`files/download?${NAME}`), { onChunk: onChunk ?? ignore })),
  };
}

function fileServer(port: number): Contender {
  const client = connect(port, {});
  let parts = 0;
  return {
    name: PEER,
    async upload(count) {
      parts = count;
      for (let part = 1; part <= parts; part += 1) await client.ask('POST', `/?part=${part}`, { body: PART });
    },
    async download(onChunk) {
      await client.ask('POST', '/', { headers: { 'x-parts': String(parts) } });
      return timed(() => client.ask('GET', '/', { onChunk: onChunk ?? ignore }));
    },
  };
}

const ignore = (): void => {};

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

interface Exchange { body?: Buffer; headers?: Record<string, string>; onChunk?: (chunk: Buffer) => void }
interface Client { ask(method: string, path: string, exchange?: Exchange): Promise<string> }

/** One connection that stays. */
function connect(port: number, own: Record<string, string>): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: (method, path, { body, headers, onChunk } = {}) => new Promise((resolve, reject) => {
      const all = { ...own, ...headers, 'content-length': String(body?.length ?? 0) };
      const sent = request({ host: '127.0.0.1', port, agent, method, path, headers: all }, (response) => {
        let text = '';
        response.on('data', onChunk ?? ((chunk: Buffer) => { text += chunk.toString(); }));
        response.on('error', reject).on('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve(text);
          else reject(new Error(`${method} ${path} answers ${response.statusCode}: ${text}`));
        });
      });
      sent.on('error', reject).end(body);
    }),
  };
}
