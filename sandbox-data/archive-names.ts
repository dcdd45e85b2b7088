// Owns where things lie in an archive, and which archives are acceptable: decided from the list of entries, before a byte
// of content is read. Nothing of an archive ever becomes a path of the file system.
import type { Entry } from 'yauzl';
import { SpaceError } from '../core/errors.ts';

export const MANIFEST_PATH = 'manifest.json';
const ENTRY_NAME_MAX_BYTES = 8192;
const LOCAL_HEADER_BYTES = 30;
const TYPE_MASK = 0o170000;
const TYPE_REGULAR = 0o100000;
const TYPE_FOLDER = 0o040000;
/** Names that other programs might take for something else lie under a name that they cannot. */
const ESCAPED = '~escaped';

export interface ArchiveLimits {
  maxEntries: number;
  /** Of everything, unpacked. */
  maxTotalBytes: number;
  /** Unpacked to packed, counted only for archives that unpack to more than `ratioFreeBytes`. Deflate ends at 1032. */
  maxRatio: number;
  ratioFreeBytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  maxEntries: 1_000_000, maxTotalBytes: 1024 ** 4, maxRatio: 1000, ratioFreeBytes: 64 * 1024 * 1024,
};

export const basePath = (base: string): string => `bases/${escaped(base)}.json`;
export const filePath = (drive: string, name: string): string => `drives/${escaped(drive)}/${escaped(name)}`;

export type ArchivePlace = { kind: 'base'; base: string } | { kind: 'file'; drive: string; name: string } | { kind: 'manifest' } | { kind: 'other' };

/** What lies at a path, by its path alone. The manifest of an export knows better, where there is one. */
export function placeOf(path: string): ArchivePlace {
  if (path === MANIFEST_PATH) return { kind: 'manifest' };
  const base = /^bases\/([^/]+)\.json$/.exec(path)?.[1];
  if (base !== undefined) return { kind: 'base', base };
  const [, drive, name] = /^drives\/([^/]+)\/(.*[^/])$/s.exec(path) ?? [];
  return drive !== undefined && name !== undefined ? { kind: 'file', drive, name } : { kind: 'other' };
}

/** Looks at entries one by one; `end` when there are no more. @throws ARCHIVE_INVALID */
export class EntryCheck {
  readonly #limits: ArchiveLimits;
  readonly #names = new Set<string>();
  /** First and last byte of each. */
  readonly #spans: [start: number, end: number][] = [];
  #unpackedBytes = 0;
  #packedBytes = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  see(entry: Entry): void {
    assertName(entry.fileName);
    assertKind(entry);
    if (this.#names.has(entry.fileName)) throw refused(entry.fileName, 'is there twice');
    this.#names.add(entry.fileName);
    if (this.#names.size > this.#limits.maxEntries) throw invalid(`it has more than ${this.#limits.maxEntries} files`);
    this.#unpackedBytes += entry.uncompressedSize;
    this.#packedBytes += entry.compressedSize;
    if (this.#unpackedBytes > this.#limits.maxTotalBytes) throw invalid(`it has more than ${this.#limits.maxTotalBytes} bytes unpacked`);
    const start = entry.relativeOffsetOfLocalHeader;
    this.#spans.push([start, start + LOCAL_HEADER_BYTES + entry.fileNameRaw.length + entry.compressedSize]);
  }

  /** @returns bytes unpacked */
  end(): number {
    const { maxRatio, ratioFreeBytes } = this.#limits;
    if (this.#unpackedBytes > ratioFreeBytes && this.#unpackedBytes > this.#packedBytes * maxRatio) throw invalid(`it unpacks to more than ${maxRatio} times its size`);
    let end = 0;
    for (const [start, stop] of this.#spans.toSorted((left, right) => left[0] - right[0])) {
      // Content that several entries share is how small archives unpack to very much.
      if (start < end) throw invalid('its files overlap');
      end = stop;
    }
    return this.#unpackedBytes;
  }

  has(path: string): boolean {
    return this.#names.has(path);
  }
}

export function invalid(reason: string, cause?: unknown): SpaceError {
  return new SpaceError('ARCHIVE_INVALID', { reason }, { cause });
}

/** About one entry; the name is quoted, so that it cannot pass for something else. */
export function refused(name: string, reason: string): SpaceError {
  return invalid(`${JSON.stringify(name.slice(0, 200))} ${reason}`);
}

function assertName(name: string): void {
  if (/\p{Cc}/u.test(name)) throw refused(name, 'has a control character in its name');
  if (name.includes('\\')) throw refused(name, 'has a backslash in its name');
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refused(name, 'is an absolute path');
  if (Buffer.byteLength(name) > ENTRY_NAME_MAX_BYTES) throw refused(name, 'has too long a name');
  for (const segment of (name.endsWith('/') ? name.slice(0, -1) : name).split('/')) {
    if (segment === '' || segment === '.' || segment === '..') throw refused(name, 'is not a plain relative path');
  }
}

function assertKind(entry: Entry): void {
  const type = (entry.externalFileAttributes >>> 16) & TYPE_MASK;
  const isFolder = entry.fileName.endsWith('/');
  if (type !== 0 && type !== (isFolder ? TYPE_FOLDER : TYPE_REGULAR)) throw refused(entry.fileName, 'is neither a plain file nor a folder');
  if (entry.isEncrypted()) throw refused(entry.fileName, 'is encrypted');
  if (!entry.canDecodeFileData()) throw refused(entry.fileName, 'is compressed in a way other than deflate');
  if (isFolder && entry.uncompressedSize > 0) throw refused(entry.fileName, 'is a folder with content');
}

/** Any name as a part of a path that every program takes for that, and no two names as the same. */
function escaped(name: string): string {
  const isPlain = !name.startsWith(ESCAPED) && !/\p{Cc}|\\|^[A-Za-z]:/u.test(name)
    && name.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  return isPlain ? name : `${ESCAPED}-${encodeURIComponent(name)}`;
}
