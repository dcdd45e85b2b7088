// Owns bringing a zip into a Collection: checked as a whole, rehearsed, then done. What is there already is passed over,
// so an import that was cut off goes on where it stood when it is started again. Any amount in little memory.
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { writeFileFrom } from '../core/write-file.ts';
import { elementsOf } from './archive-items.ts';
import { MANIFEST_MAX_BYTES, readManifest } from './archive-manifest.ts';
import type { ManifestIndex } from './archive-manifest.ts';
import { ARCHIVE_LIMITS, EntryCheck, invalid, MANIFEST_PATH, placeOf, refused } from './archive-names.ts';
import type { ArchiveLimits, ArchivePlace } from './archive-names.ts';
import type { ArchiveImport, Collection, ImportCounts, ImportProgress, ImportReport } from './data.ts';
import { diskError, hasErrno } from './disk-error.ts';
import { isFileName } from './file-record.ts';
import { createFolder } from './folder.ts';
import { assertName } from './layout.ts';

export interface ImportPlace {
  collection: Pick<Collection, 'drive'>;
  /** For archives that are being brought in; emptied when the host starts. */
  folder: string;
  importItems(base: string, texts: string[], options: { isRehearsal: boolean; first: number }): Promise<ImportCounts>;
}

/** Take an archive in, and look at its list of entries. Nothing of it has been brought in yet.
 *  @throws ARCHIVE_INVALID, PAYLOAD_TOO_LARGE, STORE_FULL, and whatever `source` throws */
export async function receiveArchive(place: ImportPlace, source: AsyncIterable<Uint8Array>, limits: ArchiveLimits = ARCHIVE_LIMITS): Promise<ArchiveImport> {
  const path = join(place.folder, `${newId('blob')}.zip`);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    await createFolder(place.folder);
    await writeFileFrom(limited(source, limits.maxTotalBytes), path, { flags: 'wx' });
    const archive = await readArchive(path, limits);
    return { run: (options = {}) => runImport(place, archive, options), close: remove };
  } catch (error) {
    await remove();
    throw archiveError(error);
  }
}

interface Archive {
  path: string;
  manifest: ManifestIndex | undefined;
  unpackedBytes: number;
  ignored: string[];
}

/** Everything that can be known without reading the contents. */
async function readArchive(path: string, limits: ArchiveLimits): Promise<Archive> {
  return withZip(path, async (zip) => {
    const check = new EntryCheck(limits);
    const ignored: string[] = [];
    let manifest: ManifestIndex | undefined;
    for await (const entry of zip.eachEntry()) {
      check.see(entry);
      if (entry.fileName === MANIFEST_PATH) manifest = await manifestOf(zip, entry);
      if (placeOf(entry.fileName).kind === 'other' && !entry.fileName.endsWith('/') && ignored.length < 100) ignored.push(entry.fileName);
    }
    const unpackedBytes = check.end();
    for (const listed of manifest?.keys() ?? []) if (!check.has(listed)) throw refused(listed, 'is missing');
    return { path, manifest, unpackedBytes, ignored };
  });
}

async function manifestOf(zip: ZipFile, entry: Entry): Promise<ManifestIndex | undefined> {
  if (entry.uncompressedSize > MANIFEST_MAX_BYTES) throw refused(entry.fileName, 'is too large');
  const chunks: Buffer[] = [];
  for await (const chunk of checked(await zip.openReadStreamPromise(entry), entry)) chunks.push(chunk);
  return readManifest(Buffer.concat(chunks).toString());
}

type RunOptions = Parameters<ArchiveImport['run']>[0] & {};

/** Rehearsed to its end first: an archive that is damaged or holds what cannot be stored changes nothing. */
async function runImport(place: ImportPlace, archive: Archive, { isRehearsal = false, onProgress = () => {}, signal }: RunOptions): Promise<ImportReport> {
  const rehearsal = new ImportPass(place, archive, { step: 'check', onProgress, signal });
  await rehearsal.run();
  if (isRehearsal) return rehearsal.report();
  await new ImportPass(place, archive, { step: 'import', onProgress, signal, wanted: rehearsal.wanted }).run();
  return rehearsal.report();
}

interface PassOptions {
  step: ImportProgress['step'];
  onProgress: (progress: ImportProgress) => void;
  signal: AbortSignal | undefined;
  /** Numbers of the entries to bring in; without it nothing is written. */
  wanted?: ReadonlySet<number>;
}

/** One reading of the archive. */
class ImportPass {
  /** Numbers of the entries that change something. */
  readonly wanted = new Set<number>();
  readonly #place: ImportPlace;
  readonly #archive: Archive;
  readonly #options: PassOptions;
  readonly #bases = new Map<string, ImportCounts>();
  readonly #drives = new Map<string, ImportCounts>();
  #bytes = 0;

  constructor(place: ImportPlace, archive: Archive, options: PassOptions) {
    this.#place = place;
    this.#archive = archive;
    this.#options = options;
  }

  async run(): Promise<void> {
    await withZip(this.#archive.path, async (zip) => {
      let number = 0;
      for await (const entry of zip.eachEntry()) {
        this.#options.signal?.throwIfAborted();
        number += 1;
        if (!this.#options.wanted || this.#options.wanted.has(number)) await this.#see(zip, entry, number);
        this.#progress(entry.uncompressedSize);
      }
    });
  }

  report(): ImportReport {
    const named = (counts: Map<string, ImportCounts>): ({ name: string } & ImportCounts)[] => [...counts].map(([name, count]) => ({ name, ...count }));
    return { bases: named(this.#bases), drives: named(this.#drives), ignored: this.#archive.ignored, isVerified: this.#archive.manifest !== undefined };
  }

  async #see(zip: ZipFile, entry: Entry, number: number): Promise<void> {
    const place = this.#placeOf(entry);
    if (place.kind !== 'base' && place.kind !== 'file') return;
    const stream = await zip.openReadStreamPromise(entry);
    try {
      const isWanted = place.kind === 'base' ? await this.#seeBase(place.base, stream, entry) : await this.#seeFile(place, stream, entry);
      if (isWanted) this.wanted.add(number);
    } finally {
      stream.destroy();
    }
  }

  /** With a manifest, what it does not name has no place here. */
  #placeOf(entry: Entry): ArchivePlace {
    const place = placeOf(entry.fileName);
    const { manifest } = this.#archive;
    if (!manifest || (place.kind !== 'base' && place.kind !== 'file')) return checkedPlace(place, entry);
    const listed = manifest.get(entry.fileName);
    if (!listed) throw refused(entry.fileName, `is not in ${MANIFEST_PATH}`);
    return checkedPlace('base' in listed ? { kind: 'base', base: listed.base.name } : { kind: 'file', drive: listed.file.drive, name: listed.file.name }, entry);
  }

  async #seeBase(base: string, stream: Readable, entry: Entry): Promise<boolean> {
    const counts = countsOf(this.#bases, base);
    const before = counts.unchanged;
    let first = 1;
    for await (const texts of elementsOf(this.#verified(stream, entry), entry.fileName)) {
      add(counts, await this.#importItems(entry, base, { texts, first }));
      first += texts.length;
    }
    return counts.unchanged - before < first - 1;
  }

  async #importItems(entry: Entry, base: string, { texts, first }: { texts: string[]; first: number }): Promise<ImportCounts> {
    try {
      return await this.#place.importItems(base, texts, { isRehearsal: this.#options.wanted === undefined, first });
    } catch (error) {
      throw isSpaceError(error, 'ARCHIVE_INVALID') ? refused(entry.fileName, String(error.details.reason)) : error;
    }
  }

  async #seeFile({ drive, name }: { drive: string; name: string }, stream: Readable, entry: Entry): Promise<boolean> {
    const target = this.#place.collection.drive(drive);
    const listed = this.#archive.manifest?.get(entry.fileName);
    const contentType = listed && 'file' in listed ? listed.file.content_type : undefined;
    const content = this.#verified(stream, entry);
    if (this.#options.wanted) {
      await target.put(name, content, { contentType });
      return true;
    }
    const hash = createHash('sha256');
    for await (const chunk of content) hash.update(chunk);
    const stored = await target.head(name);
    const isSame = stored?.sizeBytes === entry.uncompressedSize && (contentType === undefined || contentType === stored.contentType)
      && (await hashOfFile(target, name)) === hash.digest('hex');
    countsOf(this.#drives, drive)[isSame ? 'unchanged' : stored ? 'changed' : 'added'] += 1;
    return !isSame;
  }

  async *#verified(stream: Readable, entry: Entry): AsyncGenerator<Buffer> {
    const listed = this.#archive.manifest?.get(entry.fileName);
    for await (const chunk of checked(stream, entry, listed && ('base' in listed ? listed.base.sha256 : listed.file.sha256))) {
      // One entry may be all of the archive.
      this.#options.signal?.throwIfAborted();
      yield chunk;
    }
  }

  #progress(bytes: number): void {
    this.#bytes += bytes;
    this.#options.onProgress({ step: this.#options.step, bytes: this.#bytes, totalBytes: this.#archive.unpackedBytes });
  }
}

function checkedPlace(place: ArchivePlace, entry: Entry): ArchivePlace {
  try {
    if (place.kind === 'base') assertName('base', place.base);
    if (place.kind === 'file') assertName('drive', place.drive);
  } catch (error) {
    throw refused(entry.fileName, `has a name that cannot be: ${(error as Error).message}`);
  }
  if (place.kind === 'file' && !isFileName(place.name)) throw refused(entry.fileName, 'has a name that no file can have');
  return place;
}

function countsOf(counts: Map<string, ImportCounts>, name: string): ImportCounts {
  const known = counts.get(name) ?? { added: 0, changed: 0, unchanged: 0 };
  counts.set(name, known);
  return known;
}

function add(counts: ImportCounts, more: ImportCounts): void {
  counts.added += more.added;
  counts.changed += more.changed;
  counts.unchanged += more.unchanged;
}

/** A File whose content cannot be read is not the same. */
async function hashOfFile(drive: ReturnType<Collection['drive']>, name: string): Promise<string | undefined> {
  try {
    const file = await drive.get(name);
    if (!file) return undefined;
    const hash = createHash('sha256');
    for await (const chunk of file.stream) hash.update(chunk as Buffer);
    return hash.digest('hex');
  } catch (error) {
    if (isSpaceError(error)) return undefined;
    throw error;
  }
}

/** The bytes as they are; their end fails when they are not what the archive says. */
async function* checked(stream: AsyncIterable<Buffer>, entry: Entry, sha256?: string): AsyncGenerator<Buffer> {
  const hash = sha256 === undefined ? undefined : createHash('sha256');
  let checksum = 0;
  for await (const chunk of stream) {
    checksum = crc32(chunk, checksum);
    hash?.update(chunk);
    yield chunk;
  }
  const isWhole = checksum === entry.crc32 && (!hash || hash.digest('hex') === sha256);
  if (!isWhole) throw refused(entry.fileName, 'is damaged: its checksum is wrong');
}

async function* limited(source: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes });
    yield chunk;
  }
  if (bytes === 0) throw invalid('it is empty');
}

async function withZip<R>(path: string, use: (zip: ZipFile) => Promise<R>): Promise<R> {
  try {
    const zip = await openPromise(path, { autoClose: false, strictFileNames: true, validateEntrySizes: true });
    try {
      return await use(zip);
    } finally {
      zip.close();
    }
  } catch (error) {
    throw archiveError(error);
  }
}

/** What the reader of archives says about a bad one, as ours. */
function archiveError(error: unknown): unknown {
  if (isSpaceError(error) || !(error instanceof Error) || error.name === 'AbortError') return error;
  if (hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT')) return diskError(error);
  if ('code' in error && !String(error.code).startsWith('Z_')) return error;
  return invalid(`it is no usable zip (${error.message})`, error);
}
