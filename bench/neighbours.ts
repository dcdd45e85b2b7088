// The rows of what others feel while a large Base is scanned, imported into, or flooded with puts: the p99 of a hello of
// an app, and of gets of another Collection, beside their own p99 alone.
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { createBase } from './bench-base.ts';
import type { BenchBase } from './bench-base.ts';
import { applyClosedLoad } from './closed-loop.ts';
import { goalOf, median, PRODUCT, scoreOf } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import type { Target } from './http.ts';
import type { LoadResult } from './load.ts';
import { ROOT } from './machine.ts';
import { startPeer } from './process.ts';
import type { Running } from './process.ts';
import type { Product } from './product.ts';

const BENCH = 'neighbours';
const CONNECTIONS = 4;
const SMALL_ITEMS = 1000;
/** What is imported, unpacked. */
const IMPORT_BYTES = 100 * 1024 * 1024;

/** The Base that is worked on, and how it is filled. */
export interface Big { base: BenchBase; items: number; itemOf: (n: number) => object }

interface Feeling { target: () => Target; begin: () => Promise<Running> }

export async function measureNeighbours(product: Product, big: Big, effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-import-')), (path) => rm(path, { recursive: true }));
  const zip = join(folder, 'export.zip');
  await writeExport(zip, big);
  const { url } = await product.push(await product.createProject('benchhello'), join(ROOT, 'bench/apps/hello'));
  const small = await createSmall(product);
  const hello = await product.signedIn(url);
  const targets: [string, () => Target][] = [
    ['hello', () => hello],
    ['get of another Collection', () => ({ url: `${small.url}/items/${Math.floor(Math.random() * SMALL_ITEMS)}`, headers: small.headers })],
  ];
  const { base } = big;
  const place = { url: `http://127.0.0.1:${product.port}/api/v0/collections/${base.collectionId}/import`, headers: product.owner };
  const burdens: [string, () => Promise<Running>][] = [
    ['a scan', () => startBurden('scan', base, String(big.items))],
    ['an import of 100 MB', () => startBurden('import', place, zip)],
    ['a flood of puts', () => startBurden('puts', base, String(big.items))],
  ];
  const rows: RowResult[] = [];
  for (const [burden, begin] of burdens) {
    for (const [name, target] of targets) rows.push(await measureUnder(`${name}, during ${burden}`, { target, begin }, effort));
  }
  return rows;
}

async function createSmall(product: Product): Promise<BenchBase> {
  const small = await createBase(product, 'small');
  const items = Array.from({ length: SMALL_ITEMS }, (_, n) => ({ key: String(n), text: 'That brain of mine is something more than merely mortal. '.repeat(2) }));
  await applyClosedLoad({
    connections: 1,
    next: () => (items.length === 0 ? undefined : { url: `${small.url}/items`, method: 'PUT', headers: small.headers, body: JSON.stringify({ items: items.splice(0, 25) }) }),
  });
  return small;
}

/** Items as the Base has them, each a little different: every one of them is written. */
async function writeExport(path: string, { items, itemOf }: Big): Promise<void> {
  const zip = new ZipFile();
  zip.addReadStream(Readable.from(arrayText(items, itemOf)), 'bases/things.json');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}

function* arrayText(items: number, itemOf: (n: number) => object): Generator<string> {
  let bytes = 0;
  for (let n = 0; bytes < IMPORT_BYTES; n += 1) {
    const text = `${n === 0 ? '[' : ','}${JSON.stringify({ ...itemOf(n % items), key: `imported${n}` })}`;
    bytes += text.length;
    yield text;
  }
  yield ']';
}

/** From a process of its own: else the load would wait for itself. */
function startBurden(kind: 'scan' | 'import' | 'puts', { url, headers }: { url: string; headers: Record<string, string> }, more: string): Promise<Running> {
  return startPeer(join(ROOT, 'bench/peers/burden.ts'), [kind, JSON.stringify({ url, headers }), more]);
}

/** The ratio is the median of the rounds' own: a slow moment of the machine hits one of them. */
async function measureUnder(row: string, { target, begin }: Feeling, { rounds, seconds }: Effort): Promise<RowResult> {
  const alone: LoadResult[] = [];
  const burdened: LoadResult[] = [];
  await applyClosedLoad({ connections: CONNECTIONS, next: target, seconds: 1 });
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await applyClosedLoad({ connections: CONNECTIONS, next: target, seconds }));
    const burden = await begin();
    burdened.push(await applyClosedLoad({ connections: CONNECTIONS, next: target, seconds }));
    await burden.stop();
  }
  const ratio = median(burdened.map(({ p99Ms }, at) => p99Ms / alone[at]!.p99Ms));
  const scores = { [PRODUCT]: scoreOf(burdened), alone: scoreOf(alone) };
  return { bench: BENCH, row, unit: 'requests/s', connections: CONNECTIONS, scores, ratios: { alone: ratio }, goals: [goalOf('at most 2 x the p99 of alone', ratio, ratio <= 2)] };
}
