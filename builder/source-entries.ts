// Owns which archives are acceptable, decided from the list of entries before a byte is written: names that stay
// inside, plain files and folders only, no twins, no bombs. Knows no disk.
import type { Entry } from 'yauzl';
import { SpaceError } from '../core/errors.ts';

export interface SourceLimits {
  maxEntries: number;
  /** Of all files together, unpacked. */
  maxTotalBytes: number;
  /** Unpacked to packed, counted only for archives that unpack to more than `ratioFreeBytes`. */
  maxRatio: number;
  ratioFreeBytes: number;
}

export const SOURCE_LIMITS: SourceLimits = {
  maxEntries: 20_000,
  maxTotalBytes: 250 * 1024 * 1024,
  maxRatio: 200,
  ratioFreeBytes: 16 * 1024 * 1024,
};

const NAME_MAX_BYTES = 1024;
const SEGMENT_MAX_BYTES = 255;
const LOCAL_HEADER_BYTES = 30;
const TYPE_MASK = 0o170000;
const TYPE_REGULAR = 0o100000;
const TYPE_FOLDER = 0o040000;

/** Throws unless the whole archive may be unpacked. @throws SOURCE_INVALID, SOURCE_TOO_LARGE */
export function assertEntries(entries: readonly Entry[], limits: SourceLimits): void {
  assertSizes(entries, limits);
  const places = new Map<string, { name: string; isFolder: boolean }>();
  for (const entry of entries) {
    assertName(entry.fileName);
    assertKind(entry);
    claimPlace(entry.fileName, places);
  }
  assertDisjoint(entries);
}

/** True for the entry of a folder. */
export function isFolderEntry(entry: Entry): boolean {
  return entry.fileName.endsWith('/');
}

/** Of its mode only this counts. Archives of some writers have no modes: undefined. */
export function isExecutableEntry(entry: Entry): boolean | undefined {
  const mode = entry.externalFileAttributes >>> 16;
  return mode === 0 ? undefined : (mode & 0o100) !== 0;
}

/** SOURCE_INVALID about one entry; the name is quoted, so that it cannot pass for something else. */
export function refused(name: string, reason: string): SpaceError {
  return new SpaceError('SOURCE_INVALID', { reason: `${JSON.stringify(name.slice(0, 200))} ${reason}` });
}

/** A limit as people say it. */
export function inMegabytes(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${bytes / (1024 * 1024)} MB` : `${bytes} bytes`;
}

export function tooLarge(what: string): SpaceError {
  return new SpaceError('SOURCE_TOO_LARGE', { what });
}

function assertSizes(entries: readonly Entry[], limits: SourceLimits): void {
  if (entries.length > limits.maxEntries) throw tooLarge(`it has more than ${limits.maxEntries} files`);
  const unpackedBytes = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  const packedBytes = entries.reduce((sum, entry) => sum + entry.compressedSize, 0);
  if (unpackedBytes > limits.maxTotalBytes) throw tooLarge(`its files together have more than ${inMegabytes(limits.maxTotalBytes)}`);
  if (unpackedBytes > limits.ratioFreeBytes && unpackedBytes > packedBytes * limits.maxRatio) {
    throw tooLarge(`it unpacks to more than ${limits.maxRatio} times its size`);
  }
}

function assertName(name: string): void {
  if (/\p{Cc}/u.test(name)) throw refused(name, 'has a control character in its name');
  if (name.includes('\\')) throw refused(name, 'has a backslash in its name');
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refused(name, 'is an absolute path');
  if (Buffer.byteLength(name) > NAME_MAX_BYTES) throw refused(name, 'has too long a name');
  for (const segment of segmentsOf(name)) {
    if (segment === '' || segment === '.' || segment === '..') throw refused(name, 'is not a plain relative path');
    if (Buffer.byteLength(segment) > SEGMENT_MAX_BYTES) throw refused(name, 'has too long a name');
  }
}

function assertKind(entry: Entry): void {
  const type = (entry.externalFileAttributes >>> 16) & TYPE_MASK;
  const isFolder = isFolderEntry(entry);
  if (type !== 0 && type !== (isFolder ? TYPE_FOLDER : TYPE_REGULAR)) {
    throw refused(entry.fileName, 'is neither a plain file nor a folder');
  }
  if (entry.isEncrypted()) throw refused(entry.fileName, 'is encrypted');
  if (!entry.canDecodeFileData()) throw refused(entry.fileName, 'is compressed in a way other than deflate');
  if (isFolder && entry.uncompressedSize > 0) throw refused(entry.fileName, 'is a folder with content');
}

/** Every path, and every folder on the way to it, has one spelling and one kind: some file systems take
 *  `A` and `a`, or two spellings of one letter, for the same. */
function claimPlace(name: string, places: Map<string, { name: string; isFolder: boolean }>): void {
  const segments = segmentsOf(name);
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const path = segments.slice(0, depth).join('/');
    const isWhole = depth === segments.length;
    const isFolder = !isWhole || name.endsWith('/');
    const earlier = places.get(foldedName(path));
    if (earlier && (earlier.name !== path || earlier.isFolder !== isFolder || !isFolder)) {
      throw refused(name, `is there twice, or differs from ${JSON.stringify(earlier.name)} only in spelling`);
    }
    places.set(foldedName(path), { name: path, isFolder });
  }
}

/** Content that several entries share is how small archives unpack to very much. */
function assertDisjoint(entries: readonly Entry[]): void {
  const ordered = [...entries].sort((left, right) => left.relativeOffsetOfLocalHeader - right.relativeOffsetOfLocalHeader);
  let end = 0;
  for (const entry of ordered) {
    if (entry.relativeOffsetOfLocalHeader < end) throw refused(entry.fileName, 'overlaps another file of the archive');
    end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameRaw.length + entry.compressedSize;
  }
}

function segmentsOf(name: string): string[] {
  return (name.endsWith('/') ? name.slice(0, -1) : name).split('/');
}

function foldedName(path: string): string {
  return path.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}
