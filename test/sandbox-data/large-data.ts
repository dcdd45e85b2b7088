// Fills a Collection, takes snapshots, exports and imports it, and says what that took in time, memory and disk.
// `npm run test:large` runs it with a Drive of 1 GB, a Base of a million Items and 100 snapshots.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { silentLog } from '../../core/log.ts';
import type { Collection } from '../../sandbox-data/data.ts';
import { createData } from '../../sandbox-data/open.ts';

const [megabytes = 1000, items = 1_000_000, snapshots = 100] = process.argv.slice(2).map(Number);
const FILE_MB = 25;
const PUT_ITEMS = 25;
const PUTS_AT_ONCE = 64;
const MB = 1e6;

const folder = await mkdtemp(join(tmpdir(), 'large-'));
const archive = join(folder, 'archive.zip');
const data = await createData({ folder: join(folder, 'data'), log: silentLog });
try {
  const source = data.collection({ spaceId: 's', collectionId: 'source' });
  await measured('fill', () => fill(source));
  await measured('snapshots', () => takeSnapshots(source));
  await measured('export', async () => pipeline(await source.exportArchive(), createWriteStream(archive)));
  console.log(JSON.stringify({ archiveMb: round((await stat(archive)).size / MB) }));
  const target = data.collection({ spaceId: 's', collectionId: 'target' });
  const received = await target.receiveArchive(createReadStream(archive));
  await measured('import', () => received.run());
  console.log(JSON.stringify({ again: await measured('rehearsal', () => received.run({ isRehearsal: true })) }));
  await received.close();
} finally {
  await data.close();
  await rm(folder, { recursive: true, force: true });
}

async function fill(collection: Collection): Promise<void> {
  const piece = randomBytes(MB);
  for (let n = 0; n < megabytes; n += FILE_MB) await collection.drive('d').put(`folder/${n}`, repeated(piece, Math.min(FILE_MB, megabytes - n)));
  for (let start = 0; start < items; start += PUT_ITEMS * PUTS_AT_ONCE) {
    await Promise.all(Array.from({ length: PUTS_AT_ONCE }, (_, put) => putItems(collection, start + put * PUT_ITEMS)));
  }
}

async function putItems(collection: Collection, start: number): Promise<void> {
  const fresh = Array.from({ length: Math.min(PUT_ITEMS, items - start) }, (_, n) => ({ key: `item${start + n}`, number: start + n, text: `text of ${start + n} `.repeat(8) }));
  if (fresh.length > 0) await collection.base('b').put(JSON.stringify({ items: fresh }));
}

async function* repeated(piece: Buffer, times: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < times; n += 1) yield piece;
}

async function takeSnapshots(collection: Collection): Promise<void> {
  const before = diskMb();
  let slowestMs = 0;
  for (let n = 0; n < snapshots; n += 1) {
    await collection.base('b').put(JSON.stringify({ items: [{ key: `item${n}`, changed: n }] }));
    const startedAt = performance.now();
    await collection.snapshots.create();
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
  }
  console.log(JSON.stringify({ storedMb: before, snapshotsCostMb: round(diskMb() - before), slowestSnapshotMs: round(slowestMs) }));
}

/** Prints seconds, and by how much memory grew at most. */
async function measured<R>(what: string, run: () => Promise<R>): Promise<R> {
  const base = process.memoryUsage.rss();
  let peak = base;
  const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()); }, 20);
  const startedAt = performance.now();
  const result = await run().finally(() => clearInterval(timer));
  console.log(JSON.stringify({ what, seconds: round((performance.now() - startedAt) / 1000), peakMb: round(peak / MB), grewMb: round((peak - base) / MB) }));
  return result;
}

function diskMb(): number {
  return round(Number(execFileSync('du', ['-s', '--block-size=1', join(folder, 'data')]).toString().split('\t')[0]) / MB);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
