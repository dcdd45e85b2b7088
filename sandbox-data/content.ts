// Owns the bytes of a Collection's Files on the caller's side: blobs that are being written, read, or waiting to be deleted.
// Knows no names. A blob lives while a record refers to it, while somebody reads it, or while it is being written.
import { Readable } from 'node:stream';
import { SpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { BlobStore, ByteRange } from './blob/blob-store.ts';
import { checked, summed } from './file-check.ts';
import type { BlobPart } from './file-record.ts';

/** How many blobs are asked about at once when orphans are looked for. */
const COLLECT_STEP = 500;
/** Those beyond are kept until `collect`, though no snapshot needs them. */
const RECENT_MAX = 100_000;
/** Kept ready for a reader. */
const READ_AHEAD_BYTES = 1024 * 1024;

export class Content {
  readonly #blobs: BlobStore;
  /** Written, but perhaps not referred to yet. */
  readonly #fresh = new Set<string>();
  readonly #readers = new Map<string, number>();
  /** To be deleted once nobody reads them. */
  readonly #doomed = new Set<string>();
  /** While there are snapshots: written since the newest of them, so that none can need it. */
  readonly #recent = new Set<string>();
  #hasSnapshots: boolean;
  #freezing = 0;

  constructor(blobs: BlobStore, hasSnapshots = false) {
    this.#blobs = blobs;
    this.#hasSnapshots = hasSnapshots;
  }

  /** While `take` runs a snapshot comes to be: whatever is there by its end, it may need. */
  async freeze<R>(take: () => Promise<R>): Promise<R> {
    this.#hasSnapshots = true;
    this.#freezing += 1;
    this.#recent.clear();
    return take().finally(() => { this.#freezing -= 1; });
  }

  setHasSnapshots(hasSnapshots: boolean): void {
    this.#hasSnapshots = hasSnapshots;
    if (!hasSnapshots) this.#recent.clear();
  }

  /** Write a new blob. Call `settle` with it once a record refers to it, `discard` when none will.
   *  @throws PAYLOAD_TOO_LARGE, STORE_FULL, and whatever `source` throws */
  async write(source: AsyncIterable<Uint8Array>, maxBytes?: number): Promise<BlobPart> {
    const blob = newId('blob');
    this.#fresh.add(blob);
    try {
      const bytes = summed(source);
      const { sizeBytes } = await this.#blobs.put(blob, bytes.source, { maxBytes });
      if (this.#hasSnapshots && this.#freezing === 0 && this.#recent.size < RECENT_MAX) this.#recent.add(blob);
      return { blob, sizeBytes, crc: bytes.sum() };
    } catch (error) {
      // It may be in its place and yet not be durable.
      await this.#blobs.delete(blob).catch(() => {});
      this.#fresh.delete(blob);
      throw error;
    }
  }

  settle(parts: readonly BlobPart[]): void {
    for (const { blob } of parts) this.#fresh.delete(blob);
  }

  /** Delete blobs that no record refers to, each when its last reader is done. What a snapshot may need stays, and so
   *  does what cannot be deleted: `collect` looks at it again. */
  async discard(blobs: readonly string[]): Promise<void> {
    for (const blob of blobs) this.#fresh.delete(blob);
    await this.#delete(blobs.filter((blob) => !this.#hasSnapshots || this.#recent.delete(blob)));
  }

  async #delete(blobs: readonly string[]): Promise<void> {
    for (const blob of blobs) {
      if (this.#readers.has(blob)) this.#doomed.add(blob);
      else await this.#blobs.delete(blob).catch(() => {});
    }
  }

  /** The bytes of `parts`, in order, or those of `range`. @throws BLOB_NOT_FOUND, also when one is not as long as recorded */
  async read(parts: readonly BlobPart[], range?: ByteRange): Promise<Readable> {
    const pieces = range ? piecesOf(parts, range) : parts.map((part): Piece => ({ part }));
    const blobs = parts.map(({ blob }) => blob);
    this.#hold(blobs);
    try {
      await this.#assertWhole(pieces);
      // What cannot be opened is an error before the first byte, not one in the middle.
      const first = pieces[0] && (await this.#blobs.get(pieces[0].part.blob, pieces[0].range));
      const stream = Readable.from(this.#joined(pieces, first), { objectMode: false, highWaterMark: READ_AHEAD_BYTES });
      return stream.once('close', () => {
        first?.destroy(); // a generator that was never begun would leave it open
        this.#release(blobs);
      });
    } catch (error) {
      this.#release(blobs);
      throw error;
    }
  }

  /** Delete what a process that died left behind. @param unreferred answers which of these no record
   *  refers to, neither of the Collection nor of a snapshot */
  async collect(unreferred: (blobs: string[]) => Promise<string[]>): Promise<number> {
    const stored: string[] = [];
    for await (const blob of this.#blobs.list()) stored.push(blob);
    // Looked at after the listing and before the records: a blob that is missing here was settled before, so a record has it.
    const candidates = stored.filter((blob) => !this.#fresh.has(blob) && !this.#doomed.has(blob));
    let collected = 0;
    for (let start = 0; start < candidates.length; start += COLLECT_STEP) {
      const orphans = await unreferred(candidates.slice(start, start + COLLECT_STEP));
      await this.#delete(orphans);
      collected += orphans.length;
    }
    return collected;
  }

  async *#joined(pieces: Piece[], first: Readable | undefined): AsyncGenerator<Uint8Array> {
    for (const [at, { part, range }] of pieces.entries()) {
      const stream = at === 0 && first ? first : await this.#blobs.get(part.blob, range);
      yield* isWhole(part, range) ? checked(stream, part) : stream;
    }
  }

  async #assertWhole(pieces: Piece[]): Promise<void> {
    for (const { part } of pieces) {
      const info = await this.#blobs.head(part.blob);
      if (info?.sizeBytes !== part.sizeBytes) throw new SpaceError('BLOB_NOT_FOUND');
    }
  }

  #hold(blobs: readonly string[]): void {
    for (const blob of blobs) this.#readers.set(blob, (this.#readers.get(blob) ?? 0) + 1);
  }

  #release(blobs: readonly string[]): void {
    for (const blob of blobs) {
      const left = this.#readers.get(blob)! - 1;
      if (left > 0) this.#readers.set(blob, left);
      else this.#readers.delete(blob);
    }
    void this.#delete(blobs.filter((blob) => !this.#readers.has(blob) && this.#doomed.delete(blob)));
  }
}

interface Piece { part: BlobPart; range?: ByteRange }

function isWhole({ sizeBytes }: BlobPart, range: ByteRange | undefined): boolean {
  return range === undefined || (range.start === 0 && range.end === sizeBytes - 1);
}

/** Which part of which blob a range of the whole means. */
function piecesOf(parts: readonly BlobPart[], range: ByteRange): Piece[] {
  const pieces: Piece[] = [];
  let offset = 0;
  for (const part of parts) {
    const start = Math.max(range.start - offset, 0);
    const end = Math.min(range.end - offset, part.sizeBytes - 1);
    if (start <= end) pieces.push({ part, range: { start, end } });
    offset += part.sizeBytes;
  }
  return pieces;
}
