// Owns writing a Collection as a zip: `bases/<name>.json`, `drives/<name>/<path>`, and at the end a manifest with the
// checksums. All of it is of one moment: what is read is a snapshot. Any amount in little memory.
import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { isSpaceError } from '../core/errors.ts';
import { isoTime } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { arrayText } from './archive-items.ts';
import { MANIFEST_FORMAT, MANIFEST_VERSION } from './archive-manifest.ts';
import type { Manifest } from './archive-manifest.ts';
import { basePath, filePath, MANIFEST_PATH } from './archive-names.ts';
import type { Content } from './content.ts';
import type { CollectionRef } from './data.ts';
import { isExpired } from './expiry.ts';
import type { FileRecord } from './file-record.ts';
import { decodeItem } from './item.ts';
import { filePrefix, itemPrefix, prefixRange } from './layout.ts';
import { createRemoteStore } from './remote-store.ts';
import type { CollectionSnapshots } from './snapshots.ts';
import { intactRange } from './store/intact.ts';
import type { StoreReader } from './store/store.ts';
import type { DataThread } from './worker/data-thread.ts';

export interface ExportPlace {
  ref: CollectionRef;
  thread: () => DataThread;
  clock: Clock;
  content: () => Promise<Content>;
  snapshots: CollectionSnapshots;
}

/** Checksums are made of pieces of about this much. */
const PIECE_BYTES = 256 * 1024;

/** @param snapshotId which moment; without it this one  @returns the zip; when its reader goes away it ends
 *  @throws SNAPSHOT_NOT_FOUND */
export function exportArchive(place: ExportPlace, snapshotId?: string): Promise<Readable> {
  return new Promise((resolve, reject) => {
    let output: PassThrough | undefined;
    const work = place.snapshots.hold(snapshotId, async (address) => {
      const source: ExportSource = { ...place, store: createRemoteStore(place.thread(), address) };
      source.contents = await place.thread().call(address, 'contents');
      output = new PassThrough({ highWaterMark: PIECE_BYTES });
      resolve(output);
      await writeArchive(source, output);
    });
    work.catch((error: unknown) => {
      reject(error);
      output?.destroy(error as Error);
    });
  });
}

interface ExportSource extends ExportPlace {
  store: StoreReader;
  contents?: { bases: string[]; drives: string[] };
}

async function writeArchive(source: ExportSource, output: PassThrough): Promise<void> {
  const zip = new ZipFile();
  const entries = new EntryWriter(zip);
  const sending = pipeline(zip.outputStream as Readable, output);
  zip.on('error', (error: Error) => output.destroy(error));
  const filling = fill(source, entries).then(() => zip.end());
  filling.catch((error: Error) => output.destroy(error));
  try {
    // When the reader goes away nobody asks for the entry that is waiting: then the pipeline is what ends.
    await Promise.race([sending, filling.then(() => sending)]);
  } finally {
    entries.giveUp();
  }
}

async function fill(source: ExportSource, entries: EntryWriter): Promise<void> {
  const now = source.clock.now();
  const manifest: Manifest = {
    format: MANIFEST_FORMAT, version: MANIFEST_VERSION, created_at: isoTime(now), collection: { id: source.ref.collectionId }, bases: [], files: [], missing: [],
  };
  for (const name of source.contents?.bases ?? []) {
    const path = basePath(name);
    const counted = { items: 0 };
    const text = arrayText(itemsOf(source.store, name, { nowMs: now, counted }));
    manifest.bases.push({ name, path, ...(await entries.add(path, Readable.from(text, { objectMode: false }), { mtime: new Date(now) })), items: counted.items });
  }
  for (const drive of source.contents?.drives ?? []) await fillDrive(source, entries, { drive, manifest });
  await entries.add(MANIFEST_PATH, Readable.from(manifestText(manifest), { objectMode: false }), { mtime: new Date(now) });
}

async function* itemsOf(store: StoreReader, base: string, { nowMs, counted }: { nowMs: number; counted: { items: number } }): AsyncGenerator<string> {
  for await (const [, record] of intactRange(store, prefixRange(itemPrefix(base)))) {
    const { json, expires } = decodeItem(record);
    if (isExpired(expires, nowMs)) continue;
    counted.items += 1;
    yield json;
  }
}

async function fillDrive(source: ExportSource, entries: EntryWriter, { drive, manifest }: { drive: string; manifest: Manifest }): Promise<void> {
  const content = await source.content();
  const prefix = filePrefix(drive);
  for await (const [key, record] of intactRange(source.store, prefixRange(prefix))) {
    const file = JSON.parse(record) as FileRecord;
    const name = key.slice(prefix.length);
    const stream = await content.read(file.parts).catch((error: unknown) => {
      if (!isSpaceError(error, 'BLOB_NOT_FOUND')) throw error;
    });
    if (!stream) {
      manifest.missing.push({ drive, name });
      continue;
    }
    const path = filePath(drive, name);
    // Most Files are compressed already, and a File that is stored as it is costs no time.
    const added = await entries.add(path, stream, { mtime: new Date(file.modifiedAt), size: file.sizeBytes, compress: false });
    manifest.files.push({ drive, name, path, ...added, content_type: file.contentType });
  }
}

/** In pieces: one text of a million Files would be too long. */
function* manifestText({ bases, files, missing, ...head }: Manifest): Generator<string> {
  yield JSON.stringify(head).slice(0, -1);
  for (const [field, list] of Object.entries({ bases, files, missing })) {
    yield `,\n"${field}":[`;
    for (const [at, one] of list.entries()) yield `${at === 0 ? '' : ','}\n${JSON.stringify(one)}`;
    yield ']';
  }
  yield '}\n';
}

/** Adds entries one after the other: the next is asked for when this one is through. */
class EntryWriter {
  readonly #zip: ZipFile;
  #current: Readable | undefined;

  constructor(zip: ZipFile) {
    this.#zip = zip;
  }

  /** Nobody reads on. */
  giveUp(): void {
    this.#current?.destroy();
  }

  add(path: string, stream: Readable, options: { mtime: Date; size?: number; compress?: boolean }): Promise<{ bytes: number; sha256: string }> {
    return new Promise((resolve, reject) => {
      const hash = createHash('sha256');
      let bytes = 0;
      this.#current = stream;
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      }).pause();
      stream.on('end', () => resolve({ bytes, sha256: hash.digest('hex') }));
      stream.on('error', reject);
      stream.on('close', () => reject(new Error('the export was given up')));
      this.#zip.addReadStream(stream, path, options);
    });
  }
}
